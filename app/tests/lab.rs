//! `engram lab` over a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running program; it ends with the test.
struct Lab {
    child: Child,
    address: String,
}

impl Lab {
    fn start(site: &Path) -> Self {
        Self::open(site, &[])
    }

    fn open(site: &Path, records: &[&Path]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
        command.args(["lab", "--no-open", "--port", "0", "--site"]).arg(site).args(records);
        command.env("ENGRAM_DATA", site);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("engram starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut address).expect("an address");
        Self { child, address: address.trim_end().to_owned() }
    }

    fn host(&self) -> &str {
        let bare = self.address.split('#').next().and_then(|bare| bare.strip_prefix("http://"));
        bare.and_then(|rest| rest.split('/').next()).expect("an address")
    }

    fn ask(&self, path: &str, host: &str) -> String {
        let mut socket = TcpStream::connect(self.host()).expect("a connection");
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("written");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("index.html"), "<!doctype html><title>Engram</title>").expect("a page");
    folder
}

#[test]
fn a_page_over_a_socket() {
    let folder = site();
    let lab = Lab::start(folder.path());
    assert!(lab.address.starts_with("http://127.0.0.1:"), "{}", lab.address);
    // The token stands behind the address, is kept for the next time, and is served to nobody.
    let token = lab.address.split_once("#engine=").expect("a token").1;
    assert_eq!(std::fs::read_to_string(folder.path().join("token")).expect("it is kept"), token);
    let offer = lab.ask("/engine", lab.host());
    assert!(
        offer.starts_with("HTTP/1.1 200 ") && offer.contains("\"token\":true") && !offer.contains(token),
        "{offer}"
    );
    let page = lab.ask("/", lab.host());
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("<title>Engram</title>"), "{page}");
    assert!(lab.ask("/../Cargo.toml", lab.host()).starts_with("HTTP/1.1 404 "));
    assert!(lab.ask("/", "evil.example").starts_with("HTTP/1.1 403 "));
    let weights = lab.ask("/bundled/models/engram-llama/config.json", lab.host());
    assert!(weights.contains("content-type: application/json") && weights.contains("\"llama\""), "{weights}");
}

/// The page opens what the command line names: a record, and each record of a result page, without the page's own markup.
#[test]
fn records_are_opened_in_the_page() {
    let folder = site();
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/sample.engram.json.gz");
    let page = folder.path().join("two.html");
    let made = Command::new(env!("CARGO_BIN_EXE_engram"))
        .args(["report", "-q", "-o"])
        .arg(&page)
        .args([&record])
        .status()
        .expect("engram starts");
    assert!(made.success());
    let lab = Lab::open(folder.path(), &[&record, &page]);
    let (address, _) = lab.address.split_once("#engine=").expect("a token");
    assert!(address.ends_with("/?tab=study&record=open/1.engram.json&record=open/2.engram.json"), "{address}");
    let [one, two] = [1, 2].map(|at| lab.ask(&format!("/open/{at}.engram.json"), lab.host()));
    assert!(one.contains("content-type: application/json") && one.contains("\"engram-"), "{one:.400}");
    let body = |answer: &str| answer.split_once("\r\n\r\n").expect("an answer").1.to_owned();
    assert_eq!(body(&one), body(&two));
    assert!(lab.ask("/open/3.engram.json", lab.host()).starts_with("HTTP/1.1 404 "));
    assert!(lab.ask("/open/1.engram.json", "evil.example").starts_with("HTTP/1.1 403 "));

    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.args(["lab", "--no-open", "--port", "0", "no-such.engram.json"]).stdin(Stdio::null());
    let output = command.output().expect("engram starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{told}");
    assert!(told.contains("no-such.engram.json: there is no such file or folder") && told.contains("hint:"), "{told}");
}

#[test]
fn a_port_in_use_is_an_error_with_a_next_step() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = site();
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.args(["lab", "--no-open", "--port", &port, "--site"]).arg(folder.path());
    let output = command.stdin(Stdio::null()).output().expect("engram starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
    assert!(told.contains(&format!("port {port} is in use")) && told.contains("hint:"), "{told}");
}

/// Ctrl-C is how it is meant to end.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_well() {
    let folder = site();
    let mut lab = Lab::start(folder.path());
    let kill = Command::new("kill").args(["-INT", &lab.child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let status = lab.child.wait().expect("an end");
    let mut told = String::new();
    lab.child.stderr.take().expect("stderr").read_to_string(&mut told).expect("text");
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("Ctrl-C ends it"), "{told}");
}
