#!/usr/bin/env bash
# Tries parallel.sh on this machine: parallel_test.sh ENGRAM FOLDER
# Three shards, two at a time; one is killed on the way and must be run again. The merged record must be the one that a single
# process writes. HOSTS names another machine than this one. Exit code 77: GNU parallel is not installed.
set -euo pipefail

(($# == 2)) || { echo "usage: parallel_test.sh ENGRAM FOLDER" >&2 && exit 2; }
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# Another program of this name (moreutils) cannot do it.
parallel --version 2>/dev/null | grep -q '^GNU parallel' || { echo "no GNU parallel here: it is not installed" >&2 && exit 77; }
engram=$(realpath -- "$1")
mkdir -p -- "$2/a study"
folder=$(cd -- "$2" && pwd -P)
plan="$folder/a study/study.plan"
read -ra study <<<"${STUDY:---model engram-llama-large --facts bundled -n 200 --edit-facts 12}"
export PARALLEL_HOME=$folder/parallel ENGRAM=$engram
mkdir -p "$PARALLEL_HOME"

rm -rf -- "$plan" "$plan.d" "$folder/a study"/*.engram.json "$folder/single"
"$engram" study "${study[@]}" --plan "$plan"
printf '%s\n' "${HOSTS:-:}" >"$folder/nodes"
JOBS=2 bash "$here/../../docs/scale/parallel.sh" "$plan" 3 "${WAVES:-2}" "$folder/nodes" >"$folder/parallel.out" 2>&1 &
running=$!
trap 'kill "$running" 2>/dev/null || true' EXIT

# The program's process of shard 1: the shells around it have its words, too.
shard() {
    local entry words
    for entry in /proc/[0-9]*; do
        { mapfile -d '' -t words <"$entry/cmdline"; } 2>/dev/null || continue
        [[ " ${words[*]} " == *" --plan $plan --wave 1 --shard 1/3 "* ]] || continue
        case $(cat "$entry/comm" 2>/dev/null) in perl* | parallel* | ssh*) ;; *) echo "${entry#/proc/}" && return ;; esac
    done
}
until compgen -G "$plan.d/units/1of3.*" >/dev/null; do
    kill -0 "$running" 2>/dev/null && ((SECONDS < 60)) || { cat "$folder/parallel.out" >&2 && exit 1; }
    sleep 0.05
done
pid=$(shard)
[[ -n $pid ]] && kill -KILL "$pid" || { echo "shard 1 ended before it could be killed: study more facts" >&2 && exit 1; }
wait "$running" || { cat "$folder/parallel.out" >&2 && exit 1; }

cat "$plan.d"/parallel-*.log
# Every start of a process writes a file of its own.
starts=$(compgen -G "$plan.d/units/1of3.*" | wc -l)
((starts == ${WAVES:-2} + 1)) || { echo "shard 1 has started $starts times" >&2 && exit 1; }
record=$(compgen -G "$folder/a study/*.engram.json")
"$engram" study "${study[@]}" --out "$folder/single" >"$folder/single.log" 2>&1
# Who computed what is in the record of shards, and may differ.
"$engram" merge "$plan" --no-runs -o "$folder/bare.json"
cmp -- "$folder/bare.json" "$folder/single/$(basename -- "$record")"
echo "the merged record is that of one process; done after $SECONDS s"
