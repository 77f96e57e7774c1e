//! The text of the scripts: templates, and what is put into them.

use super::{Options, Script, clock, quoted};

/// Seconds of the merge, which reads files and writes one.
const MERGE: u32 = 30 * 60;

/// Seconds after which a network's disk shows what other nodes have written: NFS keeps what it knows for up to a minute.
const LATE: &str = "120";

/// A job's first lines. Slurm reads single quotes in them as bash does.
const HEAD: &str = r#"#!/bin/bash
# @ABOUT@ Written by `engram slurm`; submit.sh submits it.
#SBATCH --job-name=engram-@NAME@
@SIZE@
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=@LOG@
@FURTHER@

# Nodes often have no network, and what is needed is in the cache.
export HF_HUB_OFFLINE=1
"#;

/// A job's last lines: whether it starts again. Three times is enough for chance; a task that needs more memory than it
/// gets would otherwise take a node from others for ever.
const TAIL: &str = r#"code=$?
echo "$(date '+%F %T') exit code $code after ${SLURM_RESTART_COUNT:-0} restarts"

# How often a job that ends so may have started again. After scancel nothing of this is reached.
case $code in
    75 | 143) most=50 ;;     # stopped before the time limit
    3 | 135 | 137) most=3 ;; # files of others not seen yet; a disk gone (SIGBUS); killed, such as for memory (SIGKILL)
    *) most=0 ;;             # a full disk (74), wrong input (2) and errors (1) need a person
esac
if ((${SLURM_RESTART_COUNT:-0} < most)); then
    # Slurm ends this shell and starts this job again in two minutes; of an array this task alone.
    scontrol requeue "@JOB@" && sleep 120
fi
exit "$code"
"#;

const SUBMIT: &str = r#"#!/bin/bash
# Submits the study @RAW@: each job starts when the one before has ended well.
# After a failure run it again: what is done is not computed again.
set -Eeo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd)
jobs=()
# All or none.
trap '((${#jobs[@]} == 0)) || scancel "${jobs[@]}"' ERR

submit() {
    local job after=()
    # Without the second option a job would wait for ever for one that has failed.
    ((${#jobs[@]} == 0)) || after=("--dependency=afterok:${jobs[-1]}" --kill-on-invalid-dep=yes)
    job=$(sbatch --parsable "${after[@]}" "$here/$1.sbatch")
    # Some clusters add their name.
    job=${job%%;*}
    jobs+=("$job")
    echo "$1: job $job"
}

@CALLS@

echo "queue:    squeue --me"
printf 'progress: %q study --status %q\n' @PROGRAM@ @PLAN@
echo "cancel:   scancel ${jobs[*]}"
"#;

/// Puts values into the places of a template. What is put in is not looked through again, and a line of nothing goes.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let mut parts = line.split('@');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        let mut rest: Vec<&str> = parts.collect();
        rest.reverse();
        while let Some(part) = rest.pop() {
            match values.iter().find(|(key, _)| *key == part) {
                Some((_, value)) => {
                    filled.push_str(value);
                    filled.push_str(rest.pop().unwrap_or_default());
                }
                None => {
                    filled.push('@');
                    filled.push_str(part);
                }
            }
        }
        if !filled.is_empty() || line.is_empty() {
            text.push_str(&filled);
            text.push('\n');
        }
    }
    text
}

/// A job's script: its first lines, what it does, and its last ones.
fn job(options: &Options, [name, about, size, log, work, id]: [&str; 6]) -> Script {
    let mut further: Vec<String> = options.partition.iter().map(|name| format!("#SBATCH --partition={name}")).collect();
    further.extend(options.account.iter().map(|name| format!("#SBATCH --account={name}")));
    further.extend(options.further.iter().map(|option| match option.split_once('=') {
        Some((name, value)) => format!("#SBATCH {name}={}", quoted(value)),
        None => format!("#SBATCH {option}"),
    }));
    // Slurm replaces what follows one percent sign.
    let log = quoted(&format!("{}.d/{log}.out", options.plan.replace('%', "%%")));
    let values = [("NAME", name), ("ABOUT", about), ("SIZE", size), ("LOG", &log), ("FURTHER", &further.join("\n"))];
    let text = format!("{}{work}{}", fill(HEAD, &values), fill(TAIL, &[("JOB", id)]));
    Script { name: format!("{name}.sbatch"), text }
}

/// The array of a wave.
pub(super) fn shards(options: &Options, wave: u32) -> Script {
    let Options { plan, shards, cpus, gpus, per_node, notice, .. } = options;
    let gpu = match (gpus, per_node) {
        (0, _) => "",
        (_, 1) => "--gres=gpu:1",
        _ => "--gpus-per-task=1",
    };
    let mut size = vec![
        format!("--array=0-{}", shards / per_node - 1),
        "--nodes=1".to_owned(),
        format!("--ntasks-per-node={per_node}"),
        format!("--cpus-per-task={cpus}"),
        format!("--time={}", clock(options.limit)),
        format!("--signal=TERM@{notice}"),
    ];
    size.extend((!gpu.is_empty()).then(|| gpu.to_owned()));
    let size: Vec<String> = size.iter().map(|option| format!("#SBATCH {option}")).collect();

    let wave = wave.to_string();
    // The last quarter of the notice is for this script, which still has to ask for the next start.
    let told = (notice - notice / 4).to_string();
    let fixed = [&options.program, "study", "--plan", plan, "--wave", &wave, "--notice", &told, "--wait", LATE]
        .map(quoted)
        .join(" ");
    let line: String = options.arguments.iter().fold(fixed, |line, word| line + " " + &quoted(word));
    let run = match per_node {
        1 => {
            format!("srun --ntasks=1 --cpus-per-task={cpus} \\\n    {line} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\"\n")
        }
        // A shard that ends early, well or not, must not end its neighbours.
        _ => format!(
            "srun --ntasks={per_node} --cpus-per-task={cpus} {gpu} --kill-on-bad-exit=0 --wait=0 \\\n    \
             bash -c 'exec \"$@\" --shard \"{shard}/{shards}\"' shard \\\n    {line}\n",
            shard = format_args!("$((SLURM_ARRAY_TASK_ID * {per_node} + SLURM_PROCID))")
        ),
    };
    // Where nobody binds processes to cores, a shard would take all of a node that it shares.
    let work = format!("export RAYON_NUM_THREADS={cpus}\n\n{run}");
    let about = format!("Wave {wave} of the study {plan}: {shards} shards.");
    let (name, log) = (format!("wave{wave}"), format!("wave{wave}-%A_%a"));
    job(options, [&name, &about, &size.join("\n"), &log, &work, "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"])
}

/// The job that makes the record.
pub(super) fn merge(options: &Options) -> Script {
    let about = format!("Makes one record of the study {}.", options.plan);
    let size = format!("#SBATCH --ntasks=1\n#SBATCH --time={}", clock(options.limit.min(MERGE)));
    let work = format!("\n{} merge {} --wait {LATE}\n", quoted(&options.program), quoted(&options.plan));
    job(options, ["merge", &about, &size, "merge-%j", &work, "$SLURM_JOB_ID"])
}

/// What submits the jobs.
pub(super) fn submit(options: &Options) -> Script {
    let waves = (1..=options.waves).map(|wave| format!("submit wave{wave}\n"));
    let calls = waves.collect::<String>() + "submit merge";
    let (program, plan) = (quoted(&options.program), quoted(&options.plan));
    let values = [("RAW", options.plan.as_str()), ("CALLS", &calls), ("PROGRAM", &program), ("PLAN", &plan)];
    Script { name: "submit.sh".into(), text: fill(SUBMIT, &values) }
}
