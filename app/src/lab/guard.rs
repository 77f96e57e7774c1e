//! Who may ask. A page of another site can have its own name point at this machine (DNS rebinding) and would then read
//! what is served here as its own; it cannot hide that name, which its browser sends along.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use engram_core::text::told;

/// Why a request is refused, if it is: it must name this server as its host, and come from no other site.
pub fn refusal(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<String> {
    let address = format!("http://127.0.0.1:{port}/");
    let Some(host) = one(headers, &header::HOST) else {
        return Some(format!("refused: the request does not name one host; this lab is at {address}"));
    };
    // A request may name its host twice, in its first line too.
    let hosts = [Some(host), uri.authority().map(|authority| authority.as_str())];
    if let Some(foreign) = hosts.into_iter().flatten().find(|host| !ours(host, port)) {
        return Some(format!(
            "refused: this lab answers to its own address, {address}, and not to `{}`, so that no page of another site \
             can read what is opened in it (DNS rebinding)",
            told(foreign)
        ));
    }
    if !headers.contains_key(header::ORIGIN) {
        return None;
    }
    let origin = one(headers, &header::ORIGIN).unwrap_or_default();
    match origin.strip_prefix("http://").is_some_and(|host| ours(host, port)) {
        true => None,
        false => Some(format!(
            "refused: the request comes from a page of `{}`; this lab answers to its own page alone",
            told(origin)
        )),
    }
}

/// Whether a host is this server: the loopback address or its name, with the port.
fn ours(host: &str, port: u16) -> bool {
    let (name, number) = match host.rsplit_once(':') {
        // `[::1]` has colons of its own.
        Some((name, number)) if !number.ends_with(']') => (name, Some(number)),
        _ => (host, None),
    };
    let named = ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own));
    named && number.map_or(port == 80, |number| number == port.to_string())
}

/// A header's value when it is there once and is text.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names() {
        for host in ["127.0.0.1:7878", "localhost:7878", "LocalHost:7878", "[::1]:7878"] {
            assert!(ours(host, 7878), "{host}");
        }
        let foreign = [
            "",
            "127.0.0.1",
            "localhost",
            "[::1]",
            "localhost:7879",
            "localhost:07878",
            "localhost:7878:7878",
            "evil.example:7878",
            "localhost.evil.example:7878",
            "user@localhost:7878",
            "127.0.0.2:7878",
            "0.0.0.0:7878",
        ];
        for host in foreign {
            assert!(!ours(host, 7878), "{host}");
        }
        assert!(ours("localhost", 80) && ours("[::1]", 80) && ours("localhost:80", 80) && !ours("evil.example", 80));
    }
}
