//! The program and a hub: models that come over the network, caches that it shares with `huggingface_hub`, processes that
//! are killed or run at once. The hub is a stand-in on 127.0.0.1.

mod common;
#[allow(dead_code, unreachable_pub, reason = "the tests beside the code use it too, and more of it")]
#[path = "../src/hub/tests/standin.rs"]
mod standin;

use common::{python, skipped};
use standin::{COMMIT, Does, Standin, etag_of};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const WHOLE: &str = "model.safetensors";
const FILES: [&str; 4] = ["config.json", "tokenizer.json", "tokenizer_config.json", WHOLE];

/// A bundled model as the hub would have it, and a folder for the cache.
struct Setting {
    server: Standin,
    home: tempfile::TempDir,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Setting {
    fn new(does: &[Does]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models/engram-llama");
        let files: Vec<_> = FILES.map(|name| (name, std::fs::read(folder.join(name)).expect(name))).into();
        let given: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        Self { server: Standin::new(&given, does), home: tempfile::tempdir().expect("a folder"), files }
    }

    /// A command with this hub and this cache, and nothing of the machine's own.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let known = name.to_string_lossy().to_ascii_lowercase();
            if known.starts_with("hf_") || known.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("HF_ENDPOINT", &self.server.hub).env("HF_HOME", self.home.path()).env("HF_TOKEN", "secret");
        command
    }

    fn trace(&self) -> Command {
        self.trace_of("org/name")
    }

    fn trace_of(&self, model: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_engram"));
        command.args(["trace", "Miles Davis performed as a musician on the", "--subject", "Miles Davis"]);
        command.args(["--target", "trumpet", "--json", "--device", "cpu", "--model", model]);
        command
    }

    fn snapshot(&self) -> PathBuf {
        self.home.path().join("hub/models--org--name/snapshots").join(COMMIT)
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The traced numbers, without what names model and device.
fn numbers(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", stderr(output));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    record["facts"].clone()
}

#[test]
fn a_trace_of_a_model_from_the_hub() {
    let setting = Setting::new(&[]);
    let first = run(&mut setting.trace());
    assert_eq!(numbers(&first), numbers(&run(&mut setting.trace_of("engram-llama"))));
    // The second time nothing is asked of the network.
    setting.server.requests();
    assert_eq!(numbers(&run(&mut setting.trace())), numbers(&first));
    assert_eq!(setting.server.requests(), []);

    let list = run(setting.command(env!("CARGO_BIN_EXE_engram")).args(["models", "list", "--json"]));
    assert!(String::from_utf8_lossy(&list.stdout).contains("\"org/name\""), "{}", stderr(&list));
}

#[test]
fn refusals_go_to_stderr_with_their_exit_code() {
    for (does, code, words) in [
        (Does::Refuse(403, "GatedRepo", "restricted"), 2, "is gated"),
        (
            Does::Refuse(401, "", "Invalid credentials in Authorization header"),
            2,
            "refuses your access token (HF_TOKEN)",
        ),
        (Does::Portal, 1, "is no hub"),
        (Does::Etag("\"/abs/x\"".into()), 1, "names the file's content"),
        (Does::Circle, 1, "redirects"),
    ] {
        let setting = Setting::new(&[does]);
        let output = run(&mut setting.trace());
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(output.stdout.is_empty() && stderr(&output).contains(words), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: ") && !stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

/// Waits until the server was asked for the weights' content.
fn until_weights_come(setting: &Setting, child: &mut Child) {
    let start = Instant::now();
    while !setting.server.state().log.iter().any(|request| request.method == "GET" && request.file() == WHOLE) {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before the weights");
        assert!(start.elapsed() < Duration::from_secs(60), "the weights were never asked for");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_killed_download_is_resumed() {
    let setting = Setting::new(&[Does::Stall(1_000_000)]);
    let mut child = setting.trace().spawn().expect("engram starts");
    until_weights_come(&setting, &mut child);
    child.kill().expect("a kill");
    child.wait().expect("an end");
    setting.server.requests();
    let traced = run(&mut setting.trace());
    assert!(traced.status.success(), "{}", stderr(&traced));
    let asked = setting.server.requests();
    let range = asked.iter().find(|request| request.method == "GET" && request.file() == WHOLE).expect("weights");
    assert_eq!(range.range, "bytes=1000000-");
    assert_eq!(std::fs::read(setting.snapshot().join(WHOLE)).expect("weights"), setting.files[3].1);
}

#[test]
fn two_processes_fetch_one_model_once() {
    let setting = Setting::new(&[]);
    let children = [setting.trace().spawn(), setting.trace().spawn()].map(|child| child.expect("engram starts"));
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let asked = setting.server.requests();
    assert_eq!(asked.iter().filter(|request| request.method == "GET" && request.file() == WHOLE).count(), 1);
}

/// What this program has downloaded is what `huggingface_hub` finds offline.
#[test]
fn its_cache_opens_in_python() {
    let Some(python) = python("huggingface_hub") else {
        return skipped("no Python with huggingface_hub here; `cargo xtask setup` installs it");
    };
    for links in ["0", "1"] {
        let setting = Setting::new(&[]);
        assert!(run(setting.trace().env("HF_HUB_DISABLE_SYMLINKS", links)).status.success());
        let code = format!(
            "from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download\n\
             for name in {FILES:?}:\n    print(hf_hub_download('org/name', name))\n\
             print(snapshot_download('org/name'))\n\
             found = scan_cache_dir()\n\
             assert not found.warnings, found.warnings\n\
             [repo] = found.repos\n\
             [revision] = repo.revisions\n\
             assert (repo.repo_id, revision.commit_hash, list(revision.refs)) == ('org/name', '{COMMIT}', ['main'])\n"
        );
        setting.server.requests();
        let output = run(setting.command(&python).env("HF_HUB_OFFLINE", "1").args(["-c", &code]));
        assert!(output.status.success(), "{}", stderr(&output));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut paths = printed.lines().map(Path::new);
        for (name, bytes) in &setting.files {
            assert_eq!(std::fs::read(paths.next().expect("a path")).expect(name), *bytes, "{name}");
        }
        assert_eq!(
            paths.next().map(|path| path.canonicalize().expect("a folder")),
            setting.snapshot().canonicalize().ok()
        );
        assert_eq!(setting.server.requests(), []);
    }
}

/// What `huggingface_hub` has downloaded this program opens offline. It also shows that the stand-in answers as a hub does.
#[test]
fn a_cache_of_python_opens_here() {
    let Some(python) = python("huggingface_hub") else {
        return skipped("no Python with huggingface_hub here; `cargo xtask setup` installs it");
    };
    let setting = Setting::new(&[]);
    let code = format!(
        "from huggingface_hub import hf_hub_download\nfor name in {FILES:?}:\n    hf_hub_download('org/name', name)\n"
    );
    let output = run(setting.command(&python).args(["-c", &code]));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        setting.server.requests().iter().any(|request| request.file() == WHOLE && request.token == "Bearer secret")
    );
    for (name, bytes) in &setting.files {
        assert_eq!(std::fs::read(setting.snapshot().join(name)).expect(name), *bytes, "{name}");
    }
    let blob = setting.home.path().join("hub/models--org--name/blobs").join(etag_of(WHOLE, &setting.files[3].1));
    assert!(blob.exists(), "{}", blob.display());
    let traced = run(setting.trace().env("HF_HUB_OFFLINE", "1"));
    assert!(traced.status.success(), "{}", stderr(&traced));
    assert_eq!(setting.server.requests(), []);
}
