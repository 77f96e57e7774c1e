//! Scripts of Slurm: their lines, odd paths, and what is refused.

use super::text::fill;
use super::*;
use std::process::{Command, Stdio};

fn options() -> Options {
    Options {
        plan: "/data/study.plan".into(),
        waves: 2,
        shards: 16,
        program: "engram".into(),
        arguments: Vec::new(),
        limit: 7200,
        cpus: 8,
        gpus: 1,
        per_node: 1,
        partition: None,
        account: None,
        further: Vec::new(),
        notice: 120,
    }
}

fn made(options: &Options) -> Vec<Script> {
    scripts(options).expect("good options")
}

/// What bash prints; `None` where there is none.
fn bash(script: &str) -> Option<String> {
    let out = Command::new("bash").args(["-c", script]).stderr(Stdio::inherit()).output().ok()?;
    assert!(out.status.success(), "{script}");
    Some(String::from_utf8(out.stdout).expect("text"))
}

#[test]
fn a_wave_says_all_that_slurm_must_know() {
    let scripts = made(&options());
    let names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names, ["wave1.sbatch", "wave2.sbatch", "merge.sbatch", "submit.sh"]);
    let wave = &scripts[1].text;
    for line in [
        "#SBATCH --array=0-15",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --gres=gpu:1",
        "#SBATCH --time=02:00:00",
        "#SBATCH --signal=TERM@120",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=/data/study.plan.d/wave2-%A_%a.out",
        "export HF_HUB_OFFLINE=1",
        "srun --ntasks=1 --cpus-per-task=8 \\",
        "    engram study --plan /data/study.plan --wave 2 --notice 90 --wait 120 --shard \"$SLURM_ARRAY_TASK_ID/16\"",
        "    scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\" && sleep 120",
    ] {
        assert!(wave.lines().any(|l| l == line), "{line}\n{wave}");
    }
    assert!(!wave.contains("B:") && !wave.contains("trap "));
}

#[test]
fn several_shards_of_a_node_have_their_own_numbers_and_gpus() {
    let wave = &made(&Options { shards: 64, per_node: 4, ..options() })[0].text;
    assert!(wave.contains("--array=0-15\n") && wave.contains("--ntasks-per-node=4\n"), "{wave}");
    assert!(wave.contains("#SBATCH --gpus-per-task=1\n") && !wave.contains("--gres"), "{wave}");
    assert!(wave.contains("SLURM_ARRAY_TASK_ID * 4 + SLURM_PROCID))/64"), "{wave}");
}

#[test]
fn the_chain_ends_with_the_merge() {
    for waves in 1..=3 {
        let scripts = made(&Options { waves, ..options() });
        let calls: Vec<&str> =
            scripts.last().expect("one").text.lines().filter_map(|l| l.strip_prefix("submit ")).collect();
        assert_eq!(calls, [&["wave1", "wave2", "wave3"][..waves as usize], &["merge"]].concat());
    }
}

#[test]
fn odd_paths_reach_the_program_as_they_are() {
    let odd = "/data/it's \"$HOME\" `x` #1 100%/é *.plan";
    let made = made(&Options { plan: odd.into(), program: "/opt/my tools/engram".into(), ..options() });
    assert!(made[0].text.contains(r#"--output='/data/it'\''s "$HOME" `x` #1 100%%/é *.plan.d/wave1-%A_%a.out'"#));
    for Script { name, text } in &made {
        bash(&format!("bash -n <<'END OF FILE'\n{text}END OF FILE"));
        if name.starts_with("wave") {
            // A shell that only prints what srun would be given.
            let said = bash(&format!("srun() {{ printf '%s\\n' \"$@\"; }}\nSLURM_ARRAY_TASK_ID=3\n{text}"));
            assert!(said.is_none_or(|said| said.lines().any(|line| line == odd)), "{name}");
        }
    }
    let told = bash(&format!("sbatch() {{ echo \"7;c\"; }}\n{}", made.last().expect("one").text));
    let Some(told) = told else { return };
    assert!(told.contains("wave2: job 7\n"), "{told}");
    let line = told.lines().find_map(|line| line.strip_prefix("progress: ")).expect("a line to run");
    assert_eq!(bash(&format!("set -- {line}; printf %s \"$4\"")).as_deref(), Some(odd));
}

#[test]
fn all_scripts_together_are_split_by_bash() {
    let scripts = made(&Options { plan: "/a b/END OF wave1.sbatch".into(), ..options() });
    let folder = std::env::temp_dir().join(format!("engram-slurm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = together(&scripts);
    if bash(&format!("cd {}\n{text}", quoted(&folder.display().to_string()))).is_some() {
        for Script { name, text } in &scripts {
            assert_eq!(&std::fs::read_to_string(folder.join(name)).expect("a file"), text);
        }
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    let good = options();
    let cases = [
        (Options { shards: 0, ..good.clone() }, "no shards"),
        (Options { shards: 2000, ..good.clone() }, "1000 tasks"),
        (Options { shards: 10, per_node: 4, ..good.clone() }, "do not fill"),
        (Options { waves: 4, ..good.clone() }, "1 to 3"),
        (Options { cpus: 0, ..good.clone() }, "processors"),
        (Options { gpus: 2, ..good.clone() }, "computes on one"),
        (Options { per_node: 0, ..good.clone() }, "at once"),
        (Options { notice: 5, ..good.clone() }, "notice"),
        (Options { limit: 300, ..good.clone() }, "less than half"),
        (Options { plan: "a\nb".into(), ..good.clone() }, "control"),
        (Options { plan: "a\\b".into(), ..good.clone() }, "backslash"),
        (Options { partition: Some("a b".into()), ..good.clone() }, "partition"),
        (Options { further: vec!["--array=0-3".into()], ..good.clone() }, "scripts themselves"),
        (Options { further: vec!["--mem 3G".into()], ..good.clone() }, "no option"),
    ];
    for (options, why) in cases {
        let refused = scripts(&options).expect_err(why);
        assert!(refused.error.contains(why) && !refused.hint.is_empty(), "{why}: {refused:?}");
    }
    let hint = scripts(&Options { shards: 10, per_node: 4, ..good }).expect_err("refused").hint;
    assert_eq!(hint, "take 8 or 12 shards");
}

#[test]
fn time_limits_have_the_forms_of_slurm() {
    for (text, seconds) in
        [("90", 5400), ("2:30", 150), ("02:00:00", 7200), ("1-12", 129_600), ("1-0:30", 88_200), ("0-0:0:5", 5)]
    {
        assert_eq!(limit(text), Ok(seconds), "{text}");
    }
    for text in ["", "x", "1:2:3:4", "-3", "1-", "1.5", "9999999999", "99999-0"] {
        assert!(limit(text).is_err(), "{text}");
    }
    assert_eq!(clock(129_600 + 61), "1-12:01:01");
}

#[test]
fn templates_are_filled_once_and_lose_empty_lines() {
    let values = [("A", "@B@"), ("B", "b"), ("NONE", "")];
    assert_eq!(fill("x@@A@ y@B@@z\n@NONE@\n\n${q[@]} @C@\n", &values), "x@@B@ yb@z\n\n${q[@]} @C@\n");
}
