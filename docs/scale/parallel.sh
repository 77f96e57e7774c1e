#!/usr/bin/env bash
# Runs a planned study on several machines by ssh and GNU parallel: parallel.sh PLAN SHARDS WAVES [HOSTS]
# HOSTS is a file with a machine a line (`user@name`, or `:` for this one), default `nodes`. All of them see PLAN, the program and
# the model under the same paths. Run it again after a failure: what is done is not computed again.
set -euo pipefail

(($# == 3 || $# == 4)) || { echo "usage: parallel.sh PLAN SHARDS WAVES [HOSTS]" >&2 && exit 2; }
plan=$(realpath -- "$1") shards=$2 waves=$3 hosts=${4:-nodes}
engram=${ENGRAM:-engram}

for ((wave = 1; wave <= waves; wave++)); do
    # One shard a machine at a time (without --jobs it would be one a core), and three tries each: 75 is "run it again", and what
    # was killed is run again, too, elsewhere. The signals are for Ctrl-C here: two minutes to end the unit at hand.
    parallel --quote --sshloginfile "$hosts" --workdir "$PWD" --jobs "${JOBS:-1}" --retries 3 --termseq TERM,120000,KILL,1000 \
        --tag --line-buffer --joblog "$plan.d/parallel-$wave.log" \
        env HF_HUB_OFFLINE=1 "$engram" study --plan "$plan" --wave "$wave" --shard "{}/$shards" --wait 120 \
        ::: $(seq 0 $((shards - 1)))
done
"$engram" merge "$plan" --wait 120
