//! A machine without Vulkan's loader: the program takes the one that archives bring, and says so. The system's is hidden in a
//! mount namespace of its own.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NAME: &str = "libvulkan.so.1";

/// This machine's loader under each of its names.
fn system() -> Vec<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let roots = ["/lib", "/usr/lib"].map(|root| format!("{root}/{architecture}-linux-gnu"));
    let folders =
        roots.iter().map(String::as_str).chain(["/usr/lib64", "/lib64", "/usr/lib", "/lib", "/usr/local/lib"]);
    folders.map(|folder| Path::new(folder).join(NAME)).filter(|path| path.is_file()).collect()
}

/// A command line where nothing is in the loader's files.
fn hidden(files: &[PathBuf], program: &Path, arguments: &[&str]) -> Command {
    let mounts: Vec<String> = files.iter().map(|file| format!("mount --bind /dev/null '{}'", file.display())).collect();
    let script = format!("{} && exec \"$0\" \"$@\"", mounts.join(" && "));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(program).args(arguments);
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("LD_LIBRARY_PATH");
    command
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream)).concat()
}

#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
#[test]
fn the_program_takes_the_loader_beside_it_where_the_system_has_none() {
    let files = system();
    let empty = files.first().map(|_| hidden(&files, Path::new("true"), &[]).output());
    if !matches!(empty, Some(Ok(output)) if output.status.success()) {
        let why = if files.is_empty() { "this machine has no Vulkan loader" } else { "mounts are not permitted here" };
        println!("SKIPPED: {why}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("engram");
    std::fs::copy(env!("CARGO_BIN_EXE_engram"), &program).expect("a copy");

    let system = Command::new(&program).arg("doctor").stdin(Stdio::null()).output().expect("engram starts");
    let system = told(&system);
    assert!(system.contains(&format!("the system's {NAME}")), "{system}");
    let without = told(&hidden(&files, &program, &["doctor"]).output().expect("engram starts"));
    assert!(without.contains(&format!("there is no Vulkan loader ({NAME})")), "{without}");

    let library = folder.path().join("lib").join(NAME);
    std::fs::create_dir(folder.path().join("lib")).expect("a folder");
    std::fs::copy(&files[0], &library).expect("a copy");
    let own = told(&hidden(&files, &program, &["doctor"]).output().expect("engram starts"));
    assert!(own.contains("lib/libvulkan.so.1, which came with this program"), "{own}");
    // The GPU library has got it too: it finds what it finds with the system's.
    let adapter = |text: &str| text.lines().find(|line| line.contains("adapter  ")).map(str::to_owned);
    assert_eq!(adapter(&own), adapter(&system), "{own}");
}
