//! Servers that lie: nothing is written outside the cache, nothing runs for ever, and what is wrong is never kept.

use super::*;

/// A fault of the server is an error that says so, and leaves nothing behind that counts as a file.
fn fails(does: &[Does], why: &str) {
    let setting = Setting::new(does);
    let start = Instant::now();
    let (message, hint) = setting.refused("org/name");
    assert!(message.contains(why), "{does:?}: {message}");
    assert!(!hint.is_empty() && message.len() < 1500, "{does:?}: {message}");
    assert!(start.elapsed() < Duration::from_secs(40), "{does:?}: {:?}", start.elapsed());
    let kept = setting.tree();
    assert!(kept.iter().all(|path| path.ends_with(".lock") || path.ends_with(".incomplete")), "{does:?}: {kept:?}");
}

#[test]
fn a_sign_in_page_is_no_hub() {
    fails(&[Does::Portal], "is no hub: it answered with a web page");
    fails(&[Does::PortalRedirect], "is no hub: it answered with a web page");
    fails(&[Does::NoCommit], "without the header X-Repo-Commit");
}

#[test]
fn names_of_a_server_stay_in_the_cache() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("a".repeat(64));
    std::fs::write(&victim, "precious").unwrap();
    for name in [
        victim.display().to_string(),
        "/abs/x".to_owned(),
        "../../x".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        "a/b".to_owned(),
        "a\\b".to_owned(),
        "C:x".to_owned(),
        ".hidden".to_owned(),
        "x".repeat(5000),
    ] {
        for flat in [true, false] {
            let first = if flat { vec![Does::Flat] } else { Vec::new() };
            fails(&[&first[..], &[Does::Etag(format!("\"{name}\""))]].concat(), "names the file's content");
            fails(&[&first[..], &[Does::Commit(name.clone())]].concat(), "names a commit");
        }
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(entries(outside.path()).len(), 1);
}

#[test]
fn redirects_that_lead_nowhere() {
    fails(&[Does::NoLocation], "redirect (HTTP 302) to nowhere");
    fails(&[Does::Circle], "more than 10 redirects");
    for location in ["http://", "file:///etc/passwd", "javascript:alert(1)", "http://[", "ftp://host/x", "data:,x"] {
        fails(&[Does::Location(location)], "redirect (HTTP 302) to `");
    }
}

#[test]
fn sizes_that_are_not_kept() {
    // Of a size that is known not a byte more is taken.
    fails(&[Does::TooMuch(250_000_000)], "the server sent more, where 23 were to come");
    fails(&[Does::Flat, Does::Promises(1 << 60)], "bytes are promised, where");
    fails(&[Does::Flat, Does::Promises(10)], "the download is damaged");
    fails(&[Does::Flat, Does::Promises(24)], "no more than 23 bytes of it, where 24 were to come");
    fails(&[Does::Promises(4000)], "no more than 23 bytes of it, where 4000 were to come");
}

#[test]
fn answers_that_are_no_http() {
    fails(&[Does::Garbage], "org/name is not complete");
    fails(&[Does::EndlessHeaders], "header");
}

#[test]
fn a_commit_that_moves_on_is_not_mixed() {
    let setting = Setting::new(&[Does::MovesOn]);
    let (message, hint) = setting.refused("org/name");
    assert!(message.contains("answers with another commit") && hint.contains("do not fit together"), "{message}");
}

#[test]
fn what_is_damaged_is_removed_and_fetched_once_more() {
    fails(&[Does::Corrupt], "config.json: the download is damaged (its hash is ");
    arrives(&[Does::CorruptTimes(1)]);

    // The weights only, whose hash is a SHA-256.
    let setting = Setting::with(&[CONFIG, TOKENIZER], &[]);
    setting.fetch("org/name").unwrap_err();
    setting.server.state().files.insert(WHOLE.into(), BODY.to_vec());
    setting.server.state().does = vec![Does::Corrupt];
    assert!(setting.refused("org/name").0.contains("model.safetensors: the download is damaged"));
    assert!(setting.tree().iter().all(|path| !path.contains(&etag_of(WHOLE, &BODY)) || path.ends_with(".lock")));
    setting.server.state().does = Vec::new();
    let folder = setting.fetch("org/name").unwrap();
    whole(&setting, &folder);
}

#[test]
fn what_cannot_be_checked_does_not_pass_for_checked() {
    use crate::hub::check::{Checked, check};
    use crate::hub::client::Meta;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, BODY).unwrap();
    let meta = |etag: &str, size| Meta { etag: Some(etag.to_owned()), size, ..Meta::default() };
    let right = etag_of(WHOLE, &BODY);
    assert_eq!(check(&path, &meta(&right, None)).unwrap(), Ok(Checked::Hash));
    assert_eq!(check(&path, &meta(&right.to_uppercase(), Some(5000))).unwrap(), Ok(Checked::Hash));
    assert_eq!(check(&path, &meta(&etag_of("x.json", &BODY), Some(5000))).unwrap(), Ok(Checked::Hash));
    assert_eq!(check(&path, &meta("1388-5", Some(5000))).unwrap(), Ok(Checked::Size));
    assert_eq!(check(&path, &meta(&"x".repeat(64), Some(5000))).unwrap(), Ok(Checked::Size));
    assert_eq!(check(&path, &meta("1388-5", None)).unwrap(), Ok(Checked::Nothing));
    assert!(check(&path, &meta(&right, Some(4999))).unwrap().is_err());
    assert!(check(&path, &meta(&"0".repeat(64), Some(5000))).unwrap().is_err());
}
