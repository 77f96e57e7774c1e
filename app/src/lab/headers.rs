//! What every answer says about itself: type, how long it may be kept, and what a browser may do with it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The policy of index.html, and one thing that only a header can say: the page is not to be shown within another.
const PAGE: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                    connect-src 'self'; worker-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                    frame-ancestors 'none'";
/// A worker has the policy of its own script. It may fetch a model from wherever a person points it to.
const WORKER: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' https: http:";

/// How a browser keeps a file whose name changes with what it holds.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// How it keeps others: it asks each time whether they have changed.
const ASK: &str = "no-cache";

/// The policy of a path.
pub fn policy(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.starts_with("engram-worker") { WORKER } else { PAGE }
}

/// Adds what every answer says.
pub fn secure(headers: &mut HeaderMap, policy: &'static str) {
    let all = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// How a file may be kept.
pub fn kept(path: &str) -> &'static str {
    if hashed(path) { FOREVER } else { ASK }
}

/// Whether a file's name has its digest in it: `engram-web-0123456789.js`.
pub fn hashed(path: &str) -> bool {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let digest = stem.rsplit_once('-').map(|(_, digest)| digest);
    digest.is_some_and(|digest| digest.len() == 10 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether gzip makes a file smaller by much, by its type.
pub fn compressible(path: &str) -> bool {
    let kind = kind(path);
    kind.starts_with("text/") || matches!(kind, "application/wasm" | "application/json" | "image/svg+xml")
}

/// A file's type, by the end of its name.
pub fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" | "md" | "csv" | "tsv" | "toml" => "text/plain; charset=utf-8",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_digest_are_kept() {
        for name in ["engram-web-0123456789.js", "engram-web_bg-abcdef0123.wasm", "a/style-00000aaaaa.css"] {
            assert_eq!(kept(name), FOREVER, "{name}");
        }
        for name in ["index.html", "engram-web.js", "style-012345678.css", "style-0123456789a.css", "x-ghijklmnop.js"] {
            assert_eq!(kept(name), ASK, "{name}");
        }
    }

    #[test]
    fn the_policy_is_the_pages() {
        let page = include_str!("../../../index.html");
        let said = page.split("Content-Security-Policy\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
        // `cargo xtask web` takes inline scripts out.
        let said = said.unwrap_or_default().replace("'self' 'unsafe-inline' 'wasm-", "'self' 'wasm-");
        assert_eq!(PAGE, format!("{said}; frame-ancestors 'none'"));
    }
}
