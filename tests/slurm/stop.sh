#!/usr/bin/env bash
# Ends the Slurm that start.sh has started: stop.sh FOLDER. Its jobs end with it; logs stay, the settings go.
set -euo pipefail

(($# == 1)) || { echo "usage: stop.sh FOLDER" >&2 && exit 2; }
folder=$(cd -- "$1" && pwd -P)
[[ -e $folder/slurm.conf ]] || exit 0
. "$folder/env"

# A number may belong to another process by now: only those that know this folder are ended.
surroundings() { { tr '\0' '\n' <"/proc/$1/environ"; } 2>/dev/null || true; }
ours() { surroundings "$1" | grep -xF "SLURM_CONF=$folder/slurm.conf" >/dev/null; }
end() {
    local name=$1 pid i
    pid=$(cat "$folder/run/$name" 2>/dev/null) || return 0
    ours "$pid" || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((i = 0; i < 50; i++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}
# Whatever a job left: its processes, which have its number, and the daemon's helpers.
left() {
    local entry pid
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        ours "$pid" || continue
        case $(cat "$entry/comm" 2>/dev/null) in slurmstepd* | slurmctld* | slurmd*) echo "$pid" && continue ;; esac
        surroundings "$pid" | grep '^SLURM_JOB_ID=' >/dev/null && echo "$pid"
    done
    return 0
}

if ours "$(cat "$folder/run/controller" 2>/dev/null || echo none)"; then
    jobs=$(timeout 5 squeue -h -o %A 2>/dev/null | sort -u || true)
    if [[ -n $jobs ]]; then
        # shellcheck disable=SC2086  # one word a job
        timeout 5 scancel $jobs 2>/dev/null || true
        for ((i = 0; i < 30; i++)); do
            [[ -n $(timeout 5 squeue -h 2>/dev/null) ]] || break
            sleep 0.1
        done
    fi
fi
end controller
end daemon
for pid in $(left); do kill -KILL "$pid" 2>/dev/null || true; done
rm -f -- "$folder/slurm.conf" "$folder"/run/*
rm -rf -- "$folder"/state/* "$folder"/spool/*
