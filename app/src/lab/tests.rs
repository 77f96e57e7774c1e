use super::site::Embedded;
use super::*;
use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tower::ServiceExt;

const SCRIPT: &str = "export const a = 1; export const b = 2; export const c = 3;";
const HOST: (&str, &str) = ("host", "127.0.0.1:7878");
const GZIP: (&str, &str) = ("accept-encoding", "gzip, br");

/// A site in the program: a page as it is, a script compressed, a worker's script.
fn site() -> Site {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(SCRIPT.as_bytes()).expect("memory");
    let packed: &'static [u8] = packed.finish().expect("memory").leak();
    let file = |path, gzip, bytes| Embedded { path, gzip, bytes };
    let files = vec![
        file("index.html", false, b"<!doctype html>".as_slice()),
        file("engram-web-0123456789.js", true, packed),
        file("engram-web_bg-0123456789.wasm", false, b"\0asm".as_slice()),
        file("engram-worker_loader-0123456789.js", false, b"start()".as_slice()),
    ];
    Site::Embedded(Box::leak(files.into_boxed_slice()))
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks a site without a socket.
fn ask_site(site: Site, method: &str, path: &str, headers: &[(&str, &str)]) -> Seen {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    pollster::block_on(async {
        let response = router(Arc::new(Lab {
            site,
            names: Names { port: PORT, ..Names::default() },
            door: None,
            opened: Vec::new(),
        }))
        .oneshot(request)
        .await
        .expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Seen { status: parts.status.as_u16(), headers: parts.headers, body }
    })
}

fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Seen {
    ask_site(site(), method, path, &[&[HOST], headers].concat())
}

fn get(path: &str, headers: &[(&str, &str)]) -> Seen {
    ask("GET", path, headers)
}

#[test]
fn types_and_how_long_they_are_kept() {
    let page = get("/", &[]);
    assert_eq!((page.status, page.text().as_str()), (200, "<!doctype html>"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(get("/?record=a.engram.json", &[]).text(), page.text());

    let script = get("/engram-web-0123456789.js", &[]);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(get("/engram-web_bg-0123456789.wasm", &[]).header("content-type"), "application/wasm");
    assert_eq!(get("/bundled/facts.json", &[]).header("content-type"), "application/json");
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let page = get("/", &[]);
    let tag = page.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 10);
    let again = get("/", &[("if-none-match", &format!("\"other\", W/{tag}"))]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), tag);
    assert_eq!(get("/", &[("if-none-match", "\"other\"")]).status, 200);
}

#[test]
fn compressed_where_it_is_understood() {
    let packed = get("/engram-web-0123456789.js", &[GZIP]);
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert_ne!(packed.text(), SCRIPT);
    let plain = get("/engram-web-0123456789.js", &[]);
    assert_eq!((plain.header("content-encoding"), plain.text().as_str()), ("", SCRIPT));
    assert_eq!(plain.header("vary"), "accept-encoding");
    // A part of compressed bytes is of no use.
    assert_eq!(get("/engram-web-0123456789.js", &[GZIP, ("range", "bytes=0-1")]).status, 200);
}

#[test]
fn weights_in_part() {
    let path = "/bundled/models/engram-llama/model.safetensors";
    let whole = get(path, &[GZIP]);
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "bytes"));
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    let length = whole.body.len();

    let part = get(path, &[("range", "bytes=8-15")]);
    assert_eq!((part.status, part.header("content-length")), (206, "8"));
    assert_eq!(part.header("content-range"), format!("bytes 8-15/{length}"));
    assert_eq!(part.body, whole.body[8..16]);

    let tail = get(path, &[("range", "bytes=-4"), ("if-range", whole.header("etag"))]);
    assert_eq!((tail.status, &*tail.body), (206, &whole.body[length - 4..]));
    assert_eq!(get(path, &[("range", "bytes=-4"), ("if-range", "\"older\"")]).body.len(), length);

    let beyond = get(path, &[("range", &format!("bytes={length}-"))]);
    assert_eq!((beyond.status, beyond.body.len()), (416, 0));
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
}

#[test]
fn every_bundled_file_is_there() {
    for model in &crate::bundled::MODELS {
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            assert_eq!(ask("HEAD", &format!("/bundled/models/{}/{file}", model.name), &[]).status, 200);
        }
    }
    for other in ["/bundled/models/engram-llama/recipe.toml", "/bundled/models/none/config.json", "/bundled/text.tsv"] {
        assert_eq!(get(other, &[]).status, 404, "{other}");
    }
}

#[test]
fn heads_and_other_methods() {
    let head = ask("HEAD", "/", &[]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "15", 0));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let refused = ask(method, "/", &[]);
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[test]
fn strangers_are_refused() {
    let with = |headers: &[(&str, &str)]| ask_site(site(), "GET", "/", headers);
    for host in ["evil.example", "evil.example:7878", "127.0.0.1", "localhost:80", "127.0.0.1:7878.evil.example"] {
        let seen = with(&[("host", host)]);
        assert_eq!(seen.status, 403, "{host}");
        assert!(seen.text().contains(host) && seen.text().contains("http://127.0.0.1:7878/"), "{}", seen.text());
    }
    assert!(with(&[("host", "evil.example")]).text().contains("DNS rebinding"));
    assert_eq!(with(&[]).status, 403);
    assert_eq!(with(&[HOST, HOST]).status, 403);
    for host in ["127.0.0.1:7878", "localhost:7878", "[::1]:7878"] {
        assert_eq!(with(&[("host", host)]).status, 200, "{host}");
        assert_eq!(with(&[HOST, ("origin", &format!("http://{host}"))]).status, 200, "{host}");
    }
    let foreign =
        ["https://evil.example", "null", "http://localhost", "https://127.0.0.1:7878", "http://127.0.0.1:1", ""];
    for origin in foreign {
        let seen = with(&[HOST, ("origin", origin)]);
        assert_eq!(seen.status, 403, "{origin}");
        assert!(seen.text().contains("its own page alone"), "{}", seen.text());
    }
    // A request that names a stranger in its first line.
    assert_eq!(ask_site(site(), "GET", "http://evil.example/", &[HOST]).status, 403);
}

#[test]
fn every_answer_is_secured() {
    let refused = ask_site(site(), "GET", "/", &[("host", "evil.example")]);
    for seen in [get("/", &[]), get("/none", &[]), ask("POST", "/", &[]), refused] {
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
        assert_eq!(seen.header("referrer-policy"), "no-referrer");
        assert_eq!(seen.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(seen.header("cross-origin-resource-policy"), "same-origin");
        let policy = seen.header("content-security-policy");
        assert!(policy.contains("connect-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    let worker = get("/engram-worker_loader-0123456789.js", &[]);
    assert!(worker.header("content-security-policy").contains("connect-src 'self' https:"));
}

#[test]
fn a_folder_and_nothing_around_it() -> anyhow::Result<()> {
    let outer = tempfile::tempdir()?;
    let folder = outer.path().join("site");
    std::fs::create_dir_all(folder.join("sub"))?;
    for (path, text) in [("index.html", "page"), ("sub/a b.js", "script"), ("../secret.txt", "secret")] {
        std::fs::write(folder.join(path), text)?;
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret.txt"), folder.join("link.txt"))?;
    let get = |path: &str| ask_site(Site::choose(Some(&folder)).expect("a site"), "GET", path, &[HOST]);
    assert_eq!(get("/").text(), "page");
    assert_eq!(get("/sub/a%20b.js").text(), "script");
    // The program has them where the folder has not.
    assert_eq!(get("/bundled/facts.json").status, 200);
    let outside = ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/sub/../../secret.txt", "/link.txt"];
    for path in outside.iter().chain(&["/sub", "/sub/", "/none", "/%2e%2e%5csecret.txt", "/index.html/x"]) {
        let seen = get(path);
        assert_eq!(seen.status, 404, "{path}");
        assert!(!seen.text().contains("secret"), "{path}");
    }
    Ok(())
}
