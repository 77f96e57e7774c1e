use super::connections::Limits;
use super::site::Embedded;
use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A file that no socket takes at once.
const LARGE: usize = 32 << 20;
const SHORT: Duration = Duration::from_millis(300);

/// A lab with short limits, for as long as the value lives.
struct Running {
    address: SocketAddr,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(site: Site, connections: usize) -> Self {
        let listener = listen(Some(0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(Notify::new());
        let asked = Arc::clone(&stop);
        let limits = Limits { head: SHORT, stalled: SHORT, connections };
        let thread = std::thread::spawn(move || {
            serve_within(listener, site, Offered::default(), &asked, limits).expect("served")
        });
        Self { address, stop, thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        // A test that waits for ever says nothing.
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        stream
    }

    fn head(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address)
    }

    /// What comes back for some bytes until the server closes.
    fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // It may have refused before it has read everything.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn embedded() -> Site {
    let file = |path, bytes| Embedded { path, gzip: false, bytes };
    let large: &'static [u8] = vec![b'a'; LARGE].leak();
    Site::Embedded(Box::leak(Box::new([file("index.html", b"page"), file("large.txt", large)])))
}

/// Seconds until the server closes a connection.
fn closed(mut stream: TcpStream) -> f64 {
    let start = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end too, and a time out is none.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    start.elapsed().as_secs_f64()
}

#[test]
fn silent_connections_are_closed() {
    let lab = Running::start(embedded(), 64);
    assert!(closed(lab.connect()) < 5.0, "one that says nothing");

    let mut half = lab.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHos").expect("sent");
    assert!(closed(half) < 5.0, "one that stops in the middle of a head");

    let mut kept = lab.connect();
    kept.write_all(format!("{}\r\n", lab.head("/")).as_bytes()).expect("sent");
    assert!(closed(kept) < 5.0, "one that has its answer and asks for nothing more");

    let mut body = lab.connect();
    body.write_all(format!("{}Content-Length: 1000000\r\n\r\n", lab.head("/")).as_bytes()).expect("sent");
    assert!(closed(body) < 5.0, "one that promises a body");
}

#[test]
fn a_letter_at_a_time_is_too_slow() {
    let lab = Running::start(embedded(), 64);
    let mut slow = lab.connect();
    let start = Instant::now();
    let request = lab.head("/").into_bytes();
    let letters = request.iter().cycle().take(1000);
    // Each letter comes well within the limit for the next bytes.
    let sent = letters.take_while(|letter| {
        std::thread::sleep(SHORT / 10);
        slow.write_all(&[**letter]).is_ok()
    });
    assert!(sent.count() < 1000 && start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn who_does_not_read_is_not_waited_for() {
    let lab = Running::start(embedded(), 1);
    let mut deaf = lab.connect();
    deaf.write_all(format!("{}\r\n", lab.head("/large.txt")).as_bytes()).expect("sent");
    // The only seat is taken until the server has had enough.
    let start = Instant::now();
    let answer = lab.ask(format!("{}Connection: close\r\n\r\n", lab.head("/")).as_bytes());
    assert!(answer.ends_with("page"), "{answer}");
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn a_slow_reader_gets_it_all() {
    let lab = Running::start(embedded(), 1);
    let mut slow = lab.connect();
    slow.write_all(format!("{}Connection: close\r\n\r\n", lab.head("/large.txt")).as_bytes()).expect("sent");
    let mut read = 0;
    let mut piece = vec![0; 4 << 20];
    loop {
        std::thread::sleep(SHORT / 6);
        match slow.read(&mut piece).expect("an answer") {
            0 => break,
            count => read += count,
        }
    }
    assert!(read > LARGE, "{read}");
}

#[test]
fn many_silent_ones_keep_nobody_out() {
    let lab = Running::start(embedded(), 4);
    let silent: Vec<TcpStream> = (0..40).map(|_| lab.connect()).collect();
    let answer = lab.ask(format!("{}Connection: close\r\n\r\n", lab.head("/")).as_bytes());
    assert!(answer.ends_with("page"), "{answer}");
    drop(silent);
}

/// Whatever a path or a head is, the answer says that the asker is wrong, not that the server is.
#[test]
fn odd_requests_are_the_askers_fault() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("index.html"), "page")?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("loop", folder.path().join("loop"))?;
    let sites = || [embedded(), Site::choose(Some(folder.path())).expect("a site")];
    let long = |letters: usize| format!("/{}", "a".repeat(letters));
    let deep = "/a".repeat(1500);
    let paths = [
        long(3000),
        long(255),
        long(256),
        long(1000),
        deep,
        long(20_000),
        "/%00".into(),
        "/a%00b".into(),
        "/%ff%fe".into(),
        "/..".into(),
        "/%2e%2e/%2e%2e/etc/passwd".into(),
        "/index.html/x".into(),
        "/index.html%2f".into(),
        "/%".into(),
        "/loop".into(),
        "/loop/x".into(),
        "//".into(),
        "/con".into(),
        "/\u{fe0f}".into(),
        "*".into(),
        "/a?b#c".into(),
        format!("/{}", "%61".repeat(1000)),
        format!("/?{}", "q".repeat(10_000)),
    ];
    for site in sites() {
        let lab = Running::start(site, 64);
        for path in &paths {
            let answer = lab.ask(format!("{}Connection: close\r\n\r\n", lab.head(path)).as_bytes());
            let status = answer.get(9..12).unwrap_or_default();
            let known = if path.starts_with("/?") { &["200"][..] } else { &["400", "404", "414"][..] };
            assert!(known.contains(&status), "{}: {}", &path[..path.len().min(40)], &answer[..answer.len().min(200)]);
        }
        let head = |lines: String| format!("{}{lines}Connection: close\r\n\r\n", lab.head("/")).into_bytes();
        let odd: [(Vec<u8>, &[&str]); 8] = [
            (head(format!("X: {}\r\n", "a".repeat(1_000_000))), &["431"]),
            (head("X: a\r\n".repeat(1000)), &["431"]),
            (head(format!("{}: a\r\n", "X".repeat(100_000))), &["431", "400"]),
            (head("X: \u{1}\r\n".into()), &["400"]),
            (head(format!("Origin: {}\r\n", "o".repeat(20_000))), &["403"]),
            (head("Host: evil.example\r\n".into()), &["403"]),
            (b"\xff\xfe\x00 / HTTP/1.1\r\n\r\n".to_vec(), &["400"]),
            (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)).into_bytes(), &["414", "431"]),
        ];
        for (request, known) in odd {
            let answer = lab.ask(&request);
            let status = answer.get(9..12).unwrap_or_default();
            let begin = String::from_utf8_lossy(&request[..request.len().min(120)]).into_owned();
            assert!(known.contains(&status), "{begin}: {}", &answer[..answer.len().min(200)]);
            assert!(answer.len() < 5_000, "it is not all said again: {} bytes", answer.len());
        }
    }
    Ok(())
}
