#!/usr/bin/env bash
# A sharded study on a real Slurm of one node, against one process: cluster.sh ENGRAM FOLDER
# Three shards; one is killed on the way and one told to stop, and both start again. The merged record must be the one that a
# single process writes, byte for byte. FOLDER is made, its logs stay. Exit code 77: no Slurm can run here, with the reason.
# STUDY, SLURM and LIMIT (seconds) may say otherwise what is studied, how, and how long it may take.
set -euo pipefail

(($# == 2)) || { echo "usage: cluster.sh ENGRAM FOLDER" >&2 && exit 2; }
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
engram=$(realpath -- "$1")
mkdir -p -- "$2"
folder=$(cd -- "$2" && pwd -P)
# A space, since somebody's folder has one.
work="$folder/a study"
plan="$work/study.plan"
read -ra study <<<"${STUDY:---model engram-llama-large --facts bundled -n 200 --edit-facts 12}"
read -ra slurm <<<"${SLURM:---cpus 1 --time 10 --notice 30}"
limit=${LIMIT:-150}

say() { echo "[$SECONDS s] $*"; }
fail() {
    say "FAILED: $*" >&2
    tail -n 20 "$work"/study.plan.d/*.out "$folder/single.log" >&2 2>/dev/null || true
    exit 1
}

"$here/start.sh" "$folder/c" $$
trap '"$here/stop.sh" "$folder/c"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
. "$folder/c/env"

mkdir -p -- "$work"
rm -rf -- "$plan" "$plan.d" "$work"/*.engram.json "$folder/single"
"$engram" study "${study[@]}" --plan "$plan"
"$engram" slurm "$plan" --shards 3 "${slurm[@]}" --out "$folder/jobs"
say "planned; jobs are in $folder/jobs"

submitted=$(cd / && bash "$folder/jobs/submit.sh")
say "submitted:"
echo "$submitted"
wave1=$(sed -n 's/^wave1: job //p' <<<"$submitted")
[[ $wave1 =~ ^[0-9]+$ ]] || fail "submit.sh names no job of wave 1"

# The program's own process of shard 1 in wave 1: srun and the batch shell have its words too.
shard() {
    local entry words
    for entry in /proc/[0-9]*; do
        { mapfile -d '' -t words <"$entry/cmdline"; } 2>/dev/null || continue
        [[ " ${words[*]} " == *" --plan $plan --wave 1 "*" --shard 1/3 "* ]] || continue
        case $(cat "$entry/comm" 2>/dev/null) in srun* | slurm*) ;; *) echo "${entry#/proc/}" && return ;; esac
    done
}
begun() { compgen -G "$plan.d/units/1of3.*" >/dev/null && [[ -n $(cat -- "$plan.d/units/1of3."*) ]]; }
until begun; do
    ((SECONDS < limit)) || fail "shard 1 of wave 1 has written nothing"
    sleep 0.05
done
pid=$(shard)
[[ -n $pid ]] && kill -KILL "$pid" || fail "shard 1 ended before it could be killed: study more facts"
# Not all of a task (`scancel JOB`), which would be an order to end: the signal of a time limit, for the step alone.
told=no
scancel --signal=TERM "${wave1}_0" 2>/dev/null && told=yes
say "killed shard 1 (process $pid); told shard 0 to stop: $told"

# Who was requeued waits two minutes; here nobody has to. But within the second in which Slurm has withdrawn a job's right to
# run, that job's next start counts as withdrawn, too.
declare -A since=()
while queue=$(squeue -h -r -o '%i %T %r'); [[ -n $queue ]]; do
    ((SECONDS < limit)) || fail "not done in time:"$'\n'"$queue"
    while read -r job _ reason; do
        [[ $reason == BeginTime ]] || continue
        : "${since[$job]:=$SECONDS}"
        ((SECONDS < since[$job] + 3)) && continue
        scontrol update JobId="$job" StartTime=now && say "$job starts again"
        unset "since[$job]"
    done <<<"$queue"
    sleep 1
done

say "states:"
jobs=$(scontrol -o show job)
awk '{
    for (i = 1; i <= NF; i++) { at = index($i, "="); value[substr($i, 1, at - 1)] = substr($i, at + 1) }
    printf "  %-14s task %-2s %-10s exit %-5s restarts %s, %s\n", value["JobName"], value["ArrayTaskId"], value["JobState"],
        value["ExitCode"], value["Restarts"], value["RunTime"]
    delete value
}' <<<"$jobs" | sort
! grep -vE 'JobState=COMPLETED' <<<"$jobs" || fail "not every job ended well"
restarts=$(grep -E "ArrayJobId=$wave1 ArrayTaskId=1 " <<<"$jobs" | grep -oE 'Restarts=[0-9]+')
[[ $restarts == Restarts=1 ]] || fail "the killed shard should have started again once: $restarts"

record=$(compgen -G "$work/*.engram.json") || fail "the merge has written no record"
"$engram" study "${study[@]}" --out "$folder/single" >"$folder/single.log" 2>&1 || fail "the study in one process failed"
# Who computed what is in the record of shards, and may differ.
"$engram" merge "$plan" --no-runs -o "$folder/bare.json"
cmp -- "$folder/bare.json" "$folder/single/$(basename -- "$record")" || fail "the records differ"
say "the merged record is that of one process: $(wc -c <"$record") bytes"
"$engram" verify "$record"
"$engram" report "$record" -o "$folder/page.html"
say "done"
