//! Who may ask. A page of another site can have its own name point at this machine (DNS rebinding) and would then read
//! what is served here as its own; it cannot hide that name, which its browser sends along.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use engram_core::text::told;
use std::net::IpAddr;

/// What this server is called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Its port.
    pub port: u16,
    /// Names that its owner gives it: behind a proxy, or in a network.
    pub given: Vec<String>,
    /// The address at which a connection has reached it, where others than this machine may.
    pub reached: Option<IpAddr>,
}

impl Names {
    /// Whether a host is this server: the loopback address or its name with the port, the address that was reached, or a name that
    /// was given, with whatever port a proxy has.
    fn has(&self, host: &str) -> bool {
        let (name, number) = match host.rsplit_once(':') {
            // `[::1]` has colons of its own.
            Some((name, number)) if !number.ends_with(']') => (name, Some(number)),
            _ => (host, None),
        };
        if self.given.iter().any(|given| name.eq_ignore_ascii_case(given)) {
            return number.is_none_or(|number| number.parse::<u16>().is_ok());
        }
        let loopback = || ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own));
        let reached = || {
            let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            self.reached.is_some_and(|reached| address.is_ok_and(|address| address == reached))
        };
        let port = number.map_or(self.port == 80, |number| number == self.port.to_string());
        port && (loopback() || reached())
    }

    /// Its address, for people.
    fn told(&self) -> String {
        match self.given.first() {
            Some(name) => format!("http://{name}/"),
            None => format!("http://127.0.0.1:{}/", self.port),
        }
    }
}

/// Why a request is refused, if it is: it must name this server as its host, and come from no other site.
pub fn refusal(uri: &Uri, headers: &HeaderMap, names: &Names) -> Option<String> {
    let address = names.told();
    let Some(host) = one(headers, &header::HOST) else {
        return Some(format!("refused: the request does not name one host; this lab is at {address}"));
    };
    // A request may name its host twice, in its first line too.
    let hosts = [Some(host), uri.authority().map(|authority| authority.as_str())];
    if let Some(foreign) = hosts.into_iter().flatten().find(|host| !names.has(host)) {
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
    // A proxy may have come by https.
    let site = origin.strip_prefix("http://").or_else(|| {
        let site = origin.strip_prefix("https://")?;
        let name = site.split(':').next().unwrap_or_default();
        names.given.iter().any(|given| given.eq_ignore_ascii_case(name)).then_some(site)
    });
    match site.is_some_and(|host| names.has(host)) {
        true => None,
        false => Some(format!(
            "refused: the request comes from a page of `{}`; this lab answers to its own page alone",
            told(origin)
        )),
    }
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
        let names = |port| Names { port, ..Names::default() };
        let ours = |host: &str, port| names(port).has(host);
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

    #[test]
    fn names_that_are_given_and_the_address_that_was_reached() {
        let given = vec!["lab.example".to_owned()];
        let names = Names { port: 7878, given, reached: "192.168.1.5".parse().ok() };
        for host in ["lab.example", "LAB.example:443", "lab.example:8443", "192.168.1.5:7878", "localhost:7878"] {
            assert!(names.has(host), "{host}");
        }
        for host in
            ["x.lab.example", "lab.example.evil", "lab.example:x", "192.168.1.6:7878", "192.168.1.5", "0.0.0.0:7878"]
        {
            assert!(!names.has(host), "{host}");
        }
        let six = Names { port: 80, given: Vec::new(), reached: "fe80::1".parse().ok() };
        assert!(six.has("[fe80::1]") && six.has("[fe80::1]:80") && !six.has("[fe80::2]"));
        let asked = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "lab.example".parse().expect("a header"));
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
            refusal(&Uri::from_static("/"), &headers, &names)
        };
        for origin in
            ["https://lab.example", "http://lab.example", "https://lab.example:8443", "http://192.168.1.5:7878"]
        {
            assert_eq!(asked(origin), None, "{origin}");
        }
        for origin in [
            "https://192.168.1.5:7878",
            "https://evil.example",
            "null",
            "https://lab.example.evil",
            "ftp://lab.example",
        ] {
            assert!(asked(origin).is_some(), "{origin}");
        }
    }
}
