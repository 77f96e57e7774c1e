#!/usr/bin/env bash
# Starts a real Slurm of one node in a folder: start.sh FOLDER [PID]
# It listens on loopback, on free ports, as the user who starts it, and touches nothing outside FOLDER but a cache: where Slurm
# is not installed, Debian's packages are unpacked there, not installed. `. FOLDER/env` gives a shell its commands;
# `stop.sh FOLDER` ends it, and so does the end of process PID. Exit code 77 with one line: it cannot run here.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
case $# in 1 | 2) ;; *) echo "usage: start.sh FOLDER [PID]" >&2 && exit 2 ;; esac
cannot() {
    echo "no Slurm here: $*" >&2
    exit 77
}

mkdir -p -- "$1"
folder=$(cd -- "$1" && pwd -P)
owner=${2:-}
# Slurm's settings know no quotes, and sockets in the spool have paths of at most 107 bytes.
[[ $folder =~ ^[A-Za-z0-9/._-]+$ && ${#folder} -le 70 ]] || cannot "the folder's path is odd or long: $folder"
[[ ! -e $folder/slurm.conf ]] || { echo "$folder has a cluster already; stop.sh ends it" >&2 && exit 2; }
[[ $(uname -s) == Linux ]] || cannot "it runs on Linux alone"

# Downloads what Debian's Slurm needs beyond what is installed, without becoming root.
unpack() {
    local new=$1 options=() names=()
    command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
        cannot "slurmctld is not installed, and there is no apt-get to get it with"
    wanted() { # Packages that would be new, but the daemon that is not used. Others are there, in the version that fits.
        apt-get "${options[@]}" -s -qq --no-install-recommends install slurmctld slurmd slurm-client 2>"$new/said" |
            awk '$1 == "Inst" && $3 !~ /^\[/ && $2 != "munge" { print $2 }'
    }
    mapfile -t names < <(wanted)
    if ((${#names[@]} == 0)); then
        # A fresh container has no lists of packages. Own ones need no rights.
        mkdir -p "$new"/apt/{lists,cache}/partial "$new/apt/cache/archives/partial"
        options=(-o "Dir::State::lists=$new/apt/lists" -o "Dir::Cache=$new/apt/cache" -o Acquire::Retries=1 -o Acquire::http::Timeout=20)
        timeout 120 apt-get "${options[@]}" -qq update >"$new/said" 2>&1 ||
            cannot "the lists of packages cannot be fetched: $(tail -n 1 "$new/said")"
        mapfile -t names < <(wanted)
    fi
    ((${#names[@]} > 0)) || cannot "apt-get knows no slurmctld: $(tail -n 1 "$new/said")"
    (cd "$new" && timeout 120 apt-get "${options[@]}" -qq -o Acquire::Retries=1 download "${names[@]}" >said 2>&1) ||
        cannot "the packages cannot be fetched: $(tail -n 1 "$new/said")"
    local deb
    for deb in "$new"/*.deb; do dpkg -x "$deb" "$new/tree" || cannot "$deb cannot be unpacked"; done
    rm -rf -- "$new"/*.deb "$new/apt" "$new/said"
    # An installation names Debian's daemons by links, and a daemon of another name leaves parts of its settings out.
    local tool found
    mkdir "$new/tree/sbin"
    for tool in slurmctld slurmd slurmstepd; do
        found=$(cd "$new/tree" && find usr/sbin usr/lib -type f \( -name "$tool" -o -name "$tool-wlm" \) | head -n 1)
        [[ -n $found ]] || cannot "the packages have no $tool"
        ln -s "../$found" "$new/tree/sbin/$tool"
    done
}

PATH=$PATH:/usr/sbin:/sbin
plugins=
stepd=()
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/engram-slurm
# Not the unpacked one that a shell has in its path after `. FOLDER/env`.
if found=$(command -v slurmctld) && [[ $found != "$cache"/* ]] && command -v slurmd >/dev/null && command -v sbatch >/dev/null; then
    path= libraries=
    controller=slurmctld daemon=slurmd
else
    release=$(. /etc/os-release 2>/dev/null && echo "${ID:-linux}-${VERSION_ID:-0}-$(uname -m)" || echo unknown)
    root=$cache/$release/tree
    if [[ ! -d $root ]]; then
        mkdir -p -- "$cache" 2>/dev/null || cannot "$cache cannot be made"
        new=$(mktemp -d "$cache/new.XXXXXX")
        trap 'rm -rf -- "$new"' EXIT
        unpack "$new"
        # Another start may have been faster.
        mv -T -- "$new" "$cache/$release" 2>/dev/null || [[ -d $root ]] || cannot "$cache/$release cannot be made"
    fi
    plugin=$(find "$root/usr/lib" -name auth_none.so -print -quit)
    [[ -n $plugin ]] || cannot "this release's packages have no auth/none"
    plugins=$(dirname -- "$plugin")
    path=$root/sbin:$root/usr/bin
    libraries=$plugins:$(dirname -- "$plugins")
    controller=$root/sbin/slurmctld daemon=$root/sbin/slurmd
    stepd=(-d "$root/sbin/slurmstepd")
fi

mkdir -p "$folder"/{run,log,state,spool}
chmod 700 "$folder/state" "$folder/spool"
{
    [[ -z $path ]] || printf 'export PATH=%q:$PATH\n' "$path"
    [[ -z $libraries ]] || printf 'export LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$libraries"
    printf 'export SLURM_CONF=%q\n' "$folder/slurm.conf"
} >"$folder/env"
# What an outer Slurm says of its own job is not for this one.
for name in $(compgen -e | grep -E '^S(LURM|BATCH|RUN)' || true); do unset "$name"; done
. "$folder/env"
echo 'Name=gpu File=/dev/null,/dev/zero' >"$folder/gres.conf"
# From 24.05 on slurmd wants a cgroup even where nothing is tracked by one.
version=$("$controller" -V | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
[[ $(printf '%s\n' 24.05 "$version" | sort -V | head -n 1) != 24.05 ]] || echo 'CgroupPlugin=disabled' >"$folder/cgroup.conf"

# Slurm's daemons and srun listen where the machine's name leads. Nothing here asks who somebody is, so this must be loopback,
# and not Debian's 127.0.1.1, since what goes there comes from 127.0.0.1 and is answered there. Else they get a name of their own.
host=$(uname -n) under=()
address=$(getent ahostsv4 "$host" | awk 'NR == 1 { print $1 }' || true)
if [[ $address != 127.0.0.1 ]]; then
    named='{ hostname localhost || echo localhost >/proc/sys/kernel/hostname; } 2>/dev/null && exec "$@"'
    under=(unshare --uts)
    (($(id -u) == 0)) || under+=(--user --map-current-user --keep-caps)
    under+=(sh -c "$named" named)
    [[ $("${under[@]}" uname -n 2>/dev/null) == localhost ]] ||
        cannot "the machine's name, $host, leads to ${address:-nowhere}, not to 127.0.0.1 (in Docker: --hostname localhost)"
    host=localhost
fi

# From here on nothing may stay when it fails.
trap 'code=$?; ((code == 0)) || { "$here/stop.sh" "$folder" >/dev/null 2>&1 || true; }; exit $code' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ready() { [[ $(timeout 5 sinfo -h -o %T 2>/dev/null) == idle ]]; }
for attempt in 1 2; do
    port=$((20000 + RANDOM % 12000))
    free $port && free $((port + 1)) || continue
    sed -e "s|@HOST@|${host%%.*}|g; s|@UID@|$(id -u)|; s|@PORT@|$port|; s|@NEXT@|$((port + 1))|; s|@FOLDER@|$folder|" \
        -e "s|@PLUGINS@|${plugins:+PluginDir=$plugins}|" "$here/slurm.conf.in" >"$folder/slurm.conf"
    # In sessions of their own: Ctrl-C at the caller's terminal is for the caller.
    setsid "${under[@]}" "$controller" -D -c </dev/null >"$folder/log/slurmctld.out" 2>&1 &
    echo $! >"$folder/run/controller"
    setsid "${under[@]}" "$daemon" -D -N node "${stepd[@]}" </dev/null >"$folder/log/slurmd.out" 2>&1 &
    echo $! >"$folder/run/daemon"
    for ((i = 0; i < 75; i++)); do
        ready && break 2
        kill -0 "$(<"$folder/run/controller")" "$(<"$folder/run/daemon")" 2>/dev/null || break
        sleep 0.2
    done
    said=$(grep -hi 'error' "$folder"/log/*.out | grep -viE 'pmi|mpi|mail|state file' | tail -n 1 || true)
    said=$(grep -hi -m 1 'fatal' "$folder"/log/*.out | head -n 1 || true)${said:+, $said}
    "$here/stop.sh" "$folder" >/dev/null 2>&1 || true
done
ready || cannot "its daemons do not start: ${said:-nothing said}"

if [[ -n $owner ]]; then
    # Whoever started it may be killed without a word.
    setsid bash -c 'while kill -0 "$1" 2>/dev/null && [[ -e $2/slurm.conf ]]; do sleep 1; done; [[ ! -e $2/slurm.conf ]] || "$3" "$2"' \
        watch "$owner" "$folder" "$here/stop.sh" </dev/null >/dev/null 2>&1 &
fi
echo "Slurm $version runs in $folder; its commands: . $folder/env"
