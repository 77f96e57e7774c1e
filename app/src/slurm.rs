//! Scripts that run a planned study on Slurm: an array of tasks a wave, a merge, and one that submits them all. Text
//! alone: nothing is submitted here.
//!
//! What the scripts do is what a real Slurm was seen to need (22.05; `slurm_cluster.sh` runs them on one):
//!
//! - The signal before the time limit goes to the step, hence no `B:`: the batch shell would die of it, and the program
//!   never hear it.
//! - `scontrol requeue $SLURM_JOB_ID` would run the whole array again, as one of its tasks has the array's number.
//! - Of a part of an array, Slurm's COUNT and MIN are those of the part, hence the number of shards is written out.
//! - Since 22.05 `srun` does not take `--cpus-per-task` from the job: unsaid, a step has one core.
//! - A batch shell that outlives `scancel` and requeues takes the cancelling back. So nothing is trapped, and it dies.

/// What is to be run, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The plan's path. Jobs start in the folder from which they are submitted, so it should be absolute.
    pub plan: String,
    /// How many waves the plan has.
    pub waves: u32,
    /// How many shards share the units of a wave.
    pub shards: u32,
    /// The program: a path, or a name that every node finds.
    pub program: String,
    /// Further arguments of shards.
    pub arguments: Vec<String>,
    /// Time limit of a task, in seconds.
    pub limit: u32,
    /// Processors of a shard.
    pub cpus: u32,
    /// GPUs of a shard: none or one.
    pub gpus: u32,
    /// Shards that one task of the array runs at once, on one node: for nodes that are given away with several GPUs.
    pub per_node: u32,
    /// Partition.
    pub partition: Option<String>,
    /// Account.
    pub account: Option<String>,
    /// Further options of sbatch, such as `--mem=64G` or `--constraint=a100`.
    pub further: Vec<String>,
    /// How many seconds before the time limit Slurm tells a shard to stop.
    pub notice: u32,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Why no scripts are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub error: String,
    /// What to do about it.
    pub hint: String,
}

/// Tasks of an array that most clusters take: `MaxArraySize` is 1001 unless somebody has changed it.
const TASKS: u32 = 1000;
/// Slurm looks at time limits every half minute, and may signal up to a minute early.
const EARLY: u32 = 60;
/// Options of sbatch without which the scripts would no longer be right.
const OURS: &str =
    "array cpus-per-task dependency gpus-per-task nodes no-requeue ntasks ntasks-per-node output signal time";

/// The scripts, in the order in which they run; the last one submits the others.
pub fn scripts(options: &Options) -> Result<Vec<Script>, Refused> {
    check(options)?;
    let mut scripts: Vec<Script> = (1..=options.waves).map(|wave| text::shards(options, wave)).collect();
    scripts.push(text::merge(options));
    scripts.push(text::submit(options));
    Ok(scripts)
}

/// All scripts as one text that a person can read, and from which bash makes the files again.
pub fn together(scripts: &[Script]) -> String {
    let files =
        scripts.iter().map(|Script { name, text }| format!("cat >{name} <<'END OF {name}'\n{text}END OF {name}\n\n"));
    let about = "#!/bin/bash\n# bash makes the files below in its current folder; nothing is submitted.\n\n";
    format!("{about}{}chmod +x submit.sh\n", files.collect::<String>())
}

/// Seconds of a time limit in Slurm's forms: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S.
pub fn limit(text: &str) -> Result<u32, Refused> {
    let error =
        || refused(format!("`{text}` is not a time limit"), "give minutes, hours:minutes:seconds or days-hours");
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days).ok_or_else(error)?), rest),
        None => (None, text),
    };
    let parts: Option<Vec<u64>> = rest.split(':').map(number).collect();
    let seconds = match (days, parts.as_deref()) {
        (None, Some(&[minutes])) => minutes * 60,
        (None, Some(&[minutes, seconds])) => minutes * 60 + seconds,
        (None, Some(&[hours, minutes, seconds])) => hours * 3600 + minutes * 60 + seconds,
        (Some(days), Some(&[hours])) => days * 86400 + hours * 3600,
        (Some(days), Some(&[hours, minutes])) => days * 86400 + hours * 3600 + minutes * 60,
        (Some(days), Some(&[hours, minutes, seconds])) => days * 86400 + hours * 3600 + minutes * 60 + seconds,
        _ => return Err(error()),
    };
    u32::try_from(seconds).map_err(|_| error())
}

/// A word that bash reads as this text.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// At most nine digits: sums of such stay numbers.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn refused(error: impl Into<String>, hint: impl Into<String>) -> Refused {
    Refused { error: error.into(), hint: hint.into() }
}

/// Seconds as Slurm writes them.
fn clock(seconds: u32) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let days = if days > 0 { format!("{days}-") } else { String::new() };
    format!("{days}{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

fn check(options: &Options) -> Result<(), Refused> {
    let Options { plan, waves, shards, program, limit, cpus, gpus, per_node, notice, .. } = options;
    if plan.is_empty() || program.is_empty() {
        return Err(refused("the plan's or the program's path is empty", "give both"));
    }
    let texts = [plan, program].into_iter().chain(&options.arguments).chain(&options.further);
    if let Some(text) = texts.into_iter().find(|text| text.chars().any(char::is_control)) {
        return Err(refused(format!("{text:?}: scripts of Slurm cannot hold control characters"), "rename the file"));
    }
    if plan.contains('\\') {
        // There it would switch off the patterns that keep the logs of tasks apart.
        return Err(refused(
            format!("{plan}: Slurm takes no backslash in the path of a log file"),
            "rename the folder or the plan",
        ));
    }
    if !(1..=3).contains(waves) {
        return Err(refused(format!("a plan with {waves} waves: it has 1 to 3"), "make the plan again"));
    }
    if *per_node == 0 || *per_node > 64 {
        return Err(refused(format!("{per_node} shards at once on a node"), "give 1, or the number of GPUs of a node"));
    }
    if *shards == 0 {
        return Err(refused("no shards", "give how many tasks shall share the work, such as 16"));
    }
    if shards % per_node != 0 {
        let (less, more) = (shards / per_node * per_node, shards.div_ceil(*per_node) * per_node);
        let hint = if less == 0 { format!("take {more} shards") } else { format!("take {less} or {more} shards") };
        return Err(refused(format!("{shards} shards do not fill nodes with {per_node} each"), hint));
    }
    if shards / per_node > TASKS {
        let most = TASKS * per_node;
        let hint = format!("take at most {most}, so few that each works for five minutes or more");
        return Err(refused(format!("{shards} shards: arrays of Slurm end at {TASKS} tasks on most clusters"), hint));
    }
    if *cpus == 0 || *cpus > 1024 {
        return Err(refused(format!("{cpus} processors a shard"), "give 1 to 1024; 8 are a good start"));
    }
    if *gpus > 1 {
        return Err(refused(format!("{gpus} GPUs a shard: a shard computes on one"), "ask for more shards instead"));
    }
    if !(30..=3600).contains(notice) {
        return Err(refused(format!("{notice} seconds of notice"), "give 30 to 3600; 120 are enough for most models"));
    }
    if *limit < 2 * (notice + EARLY) {
        let least = (2 * (notice + EARLY)).div_ceil(60);
        let error = format!(
            "of {} a task would work less than half: Slurm tells it to stop up to {} s before",
            clock(*limit),
            notice + EARLY
        );
        return Err(refused(error, format!("give {least} minutes or more, or less notice")));
    }
    if *limit > 365 * 86400 {
        return Err(refused("a time limit of more than a year", "give minutes, hours:minutes:seconds or days-hours"));
    }
    for name in options.partition.iter().chain(&options.account) {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.,".contains(c)) {
            return Err(refused(format!("`{name}` is no name of a partition or account"), "`sinfo` lists partitions"));
        }
    }
    for option in &options.further {
        let name = option.split('=').next().unwrap_or_default();
        if !option.starts_with("--") || name.len() < 4 || name.contains(char::is_whitespace) {
            return Err(refused(
                format!("`{option}` is no option of sbatch"),
                "write it in one word, such as --mem=64G",
            ));
        }
        if OURS.split(' ').any(|ours| name[2..] == *ours) {
            return Err(refused(
                format!("`{name}` is set by the scripts themselves"),
                "use the option of this command",
            ));
        }
    }
    Ok(())
}

mod text;

#[cfg(test)]
mod tests;
