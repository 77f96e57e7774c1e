//! The cache on disk: half files of earlier runs, other processes, file systems without links.

use super::*;

fn blobs(setting: &Setting) -> PathBuf {
    setting.cache().join("models--org--name/blobs")
}

/// A part of an earlier run is no reason to fail, whatever is in it.
#[test]
fn half_files_of_earlier_runs() {
    for (part, range) in [
        (vec![7; 5000], None),
        (vec![7; 5010], None),
        (vec![7; 4000], Some("bytes=4000-")),
        (vec![0; 4000], Some("bytes=4000-")),
        (Vec::new(), None),
    ] {
        let setting = Setting::new(&[]);
        std::fs::create_dir_all(blobs(&setting)).unwrap();
        let etag = etag_of(WHOLE, &BODY);
        std::fs::write(blobs(&setting).join(format!("{etag}.incomplete")), &part).unwrap();
        std::fs::write(blobs(&setting).join(format!("{etag}.4711.incomplete")), "of a killed process").unwrap();
        let folder = setting.fetch("org/name").unwrap();
        whole(&setting, &folder);
        if let Some(range) = range {
            assert!(setting.server.requests().iter().any(|request| request.range == range), "{} bytes", part.len());
        }
    }
}

/// The check is part of the download: what was killed before it is checked next time.
#[test]
fn a_whole_part_is_not_taken_unchecked() {
    let setting = Setting::new(&[]);
    std::fs::create_dir_all(blobs(&setting)).unwrap();
    let part = blobs(&setting).join(format!("{}.incomplete", etag_of(WHOLE, &BODY)));
    std::fs::write(part, vec![8; BODY.len()]).unwrap();
    let folder = setting.fetch("org/name").unwrap();
    whole(&setting, &folder);
}

#[test]
fn a_file_system_without_links() {
    let setting = Setting::new(&[]);
    let hub = Hub { links: false, ..setting.hub() };
    let start = Instant::now();
    let folder = fetch(&hub, "org/name").unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    whole(&setting, &folder);
    for name in ["config.json", WHOLE] {
        assert!(folder.join(name).symlink_metadata().unwrap().is_file(), "{name}");
    }
    assert_eq!(entries(&blobs(&setting)), Vec::<PathBuf>::new());
    setting.server.requests();
    assert_eq!(fetch(&hub, "org/name").unwrap(), folder);
    assert_eq!(setting.server.requests(), []);
    assert!(hub.delete("org/name").unwrap() >= BODY.len() as u64);
}

/// A content that another commit has is copied where it cannot be linked to.
#[test]
fn without_links_a_known_content_is_copied() {
    let setting = Setting::new(&[]);
    let first = setting.fetch("org/name").unwrap();
    let other = Folder::new(&setting.cache(), "org/name", false);
    let etag = etag_of(WHOLE, &BODY);
    let copy = other.link(&etag, "other", "sub/model.safetensors", false).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), BODY);
    assert!(copy.symlink_metadata().unwrap().is_file() && first.join(WHOLE).exists());
    // With links, and a file in a folder of the model.
    let link =
        Folder::new(&setting.cache(), "org/name", true).link(&etag, "third", "a/b/c.safetensors", false).unwrap();
    assert_eq!(std::fs::read(link).unwrap(), BODY);
}

/// A relative cache folder (`HF_HOME=.`) works as any other.
#[test]
fn a_relative_cache() {
    let setting = Setting::new(&[]);
    let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
    let cache = up.join(setting.cache().strip_prefix("/").unwrap());
    assert!(cache.is_relative());
    let folder = fetch(&Hub { cache, ..setting.hub() }, "org/name").unwrap();
    whole(&setting, &folder);
    assert_eq!(std::fs::read(setting.fetch("org/name").unwrap().join(WHOLE)).unwrap(), BODY);
}

#[test]
fn two_at_once_fetch_once() {
    let setting = Setting::new(&[]);
    let folders: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| setting.fetch("org/name").unwrap())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for folder in folders {
        whole(&setting, &folder);
    }
    let got = setting.server.requests().iter().filter(|r| r.method == "GET" && r.file() == WHOLE).count();
    assert_eq!(got, 1, "the weights were fetched {got} times");
}

/// Another process holds the lock: it is waited for, not given up.
#[test]
fn a_lock_is_waited_for() {
    let setting = Setting::new(&[]);
    let folder = Folder::new(&setting.cache(), "org/name", true);
    let lock = folder.lock(&etag_of(WHOLE, &BODY)).unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| setting.fetch("org/name").unwrap());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!run.is_finished());
        drop(lock);
        whole(&setting, &run.join().unwrap());
    });
}

#[test]
fn links_that_lead_nowhere_are_mended() {
    let setting = Setting::new(&[]);
    let folder = setting.fetch("org/name").unwrap();
    std::fs::remove_file(blobs(&setting).join(etag_of(WHOLE, &BODY))).unwrap();
    assert!(!folder.join(WHOLE).exists());
    assert_eq!(setting.fetch("org/name").unwrap(), folder);
    whole(&setting, &folder);
}
