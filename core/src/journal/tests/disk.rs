//! Journals and records on disk: who may write, and what stays.

use super::*;
use std::path::{Path, PathBuf};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("study.journal");
    (folder, path)
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The journal of [`full`], still open.
fn journal(path: &Path) -> Result<Journal> {
    let mut journal = Journal::lock(path)?;
    journal.start(&record(vec![]))?;
    journal.append(&fact_line(&validated(0, 0.9))?)?;
    journal.append(&fact_line(&dropped(1))?)?;
    journal.append(&fact_line(&validated(2, 0.123_456_79))?)?;
    let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.4)] };
    journal.append(&redundancy_line(&RedundancyLine { fact: 0, position: PatchPosition::SubjectLast, curve })?)?;
    journal.append(&edit_line(&edit(0))?)?;
    Ok(journal)
}

/// Opens a journal and goes on after what is whole of it.
fn reopened(path: &Path) -> Result<(Journal, Resumed)> {
    let mut journal = Journal::lock(path)?;
    match journal.found()? {
        Found::Nothing(why) => Err(Error::input(why)),
        Found::Study(resumed) => {
            journal.go_on(&resumed)?;
            Ok((journal, *resumed))
        }
    }
}

#[test]
fn a_journal_gives_the_record_back() -> Result<()> {
    let (folder, path) = folder();
    drop(journal(&path)?);
    assert_eq!(read(&path)?.record, full(), "a journal reads as a record");
    let (mut again, resumed) = reopened(&path)?;
    assert_eq!((resumed.record, resumed.dropped), (full(), None));
    again.append(&fact_line(&validated(3, 0.5))?)?;
    again.append(&edit_line(&edit(3))?)?;
    drop(again);
    let resumed = read(&path)?;
    assert_eq!((resumed.record.facts.len(), resumed.record.edits.as_ref().map(Vec::len)), (4, Some(2)));
    let (journal, _) = reopened(&path)?;
    let out = folder.path().join("study.engram.json.gz");
    assert_eq!(journal.finish(&out, &resumed.record)?, None);
    assert_eq!(read(&out)?.record, resumed.record);
    assert_eq!(names(folder.path()), ["study.engram.json.gz"], "no other file stays");
    Ok(())
}

#[test]
fn a_journal_begins_with_what_is_there_already() -> Result<()> {
    let (_folder, path) = folder();
    let mut journal = Journal::lock(&path)?;
    journal.start(&full())?;
    journal.append(&fact_line(&dropped(3))?)?;
    drop(journal);
    let mut wanted = full();
    wanted.facts.push(dropped(3));
    assert_eq!(read(&path)?.record, wanted);
    Ok(())
}

#[test]
fn every_cut_is_tolerated() -> Result<()> {
    let (_folder, path) = folder();
    drop(journal(&path)?);
    let bytes = std::fs::read(&path).expect("journal");
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
    assert_eq!(ends.len(), 6);
    for cut in (0..bytes.len()).step_by(7).chain(ends.iter().flat_map(|end| [end - 1, *end])) {
        std::fs::write(&path, &bytes[..cut]).expect("cut");
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let mut journal = Journal::lock(&path)?;
        let facts = match journal.found()? {
            Found::Nothing(_) => {
                assert_eq!(whole, 0, "cut at {cut}");
                journal.start(&record(vec![]))?;
                0
            }
            Found::Study(resumed) => {
                assert_eq!(resumed.dropped.is_none(), ends.contains(&cut), "cut at {cut}: {:?}", resumed.dropped);
                journal.go_on(&resumed)?;
                resumed.record.facts.len()
            }
        };
        assert_eq!(facts, whole.saturating_sub(1).min(3), "cut at {cut}");
        journal.append(&fact_line(&dropped(facts))?)?;
        drop(journal);
        let after = read(&path).map_err(|error| error.at(cut))?;
        assert_eq!((after.record.facts.len(), after.dropped), (facts + 1, None), "cut at {cut}");
    }
    Ok(())
}

#[test]
fn one_writer_at_a_time_whatever_it_wants() -> Result<()> {
    let (folder, path) = folder();
    let mut first = journal(&path)?;
    assert!(first.is_locked());
    let found = message(Journal::lock(&path));
    assert!(found.contains("another run is writing it") && found.contains("--out"), "{found}");
    let found = message(fact_line(&validated(3, f32::NAN)).and_then(|line| first.append(&line)));
    assert!(found.contains("fact 103: p_clean is NaN"), "{found}");
    drop(first);
    assert_eq!(read(&path)?.record, full());
    let mut second = Journal::lock(&path)?;
    second.start(&record(vec![]))?;
    drop(second);
    assert_eq!(read(&path)?.record, record(vec![]), "start starts over");
    let none = folder.path().join("none");
    drop(Journal::lock(&none)?);
    assert!(!none.exists(), "a journal that came to nothing leaves no file");
    assert!(message(Journal::lock(&none.join("deeper"))).contains("no such file or folder"));
    Ok(())
}

/// A run that ends removes its journal between another's opening and locking of it: the other one has to look again.
#[test]
fn the_end_of_a_study_takes_no_other_ones_journal() -> Result<()> {
    let (folder, path) = folder();
    let out = folder.path().join("study.engram.json");
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (path, out) = (&path, &out);
            scope.spawn(move || {
                let mut ended = 0;
                while ended < 25 {
                    let Ok(mut journal) = Journal::lock(path) else { continue };
                    assert!(matches!(journal.found(), Ok(Found::Nothing(_))), "{worker}: a finished one is gone");
                    journal.start(&record(vec![])).expect("a header");
                    journal.append(&fact_line(&dropped(0)).expect("finite")).expect("a fact");
                    assert_eq!(read(path).expect("it stands at its path").record.facts.len(), 1);
                    journal.finish(out, &full()).expect("the end");
                    ended += 1;
                }
            });
        }
    });
    assert_eq!(names(folder.path()), ["study.engram.json"]);
    Ok(())
}

#[test]
fn without_locks_the_second_writer_stops() -> Result<()> {
    let (_folder, path) = folder();
    let [mut first, mut second] = [Journal::without_lock(&path)?, Journal::without_lock(&path)?];
    first.start(&record(vec![]))?;
    second.start(&record(vec![]))?;
    first.append(&fact_line(&validated(0, 0.9))?)?;
    assert!(message(second.append(&fact_line(&validated(0, 0.9))?)).contains("another run is writing it"));
    first.append(&fact_line(&dropped(1))?)?;
    drop((first, second));
    assert_eq!(read(&path)?.record.facts.len(), 2);
    Ok(())
}

#[test]
fn a_record_of_another_study_is_kept() -> Result<()> {
    let (folder, path) = folder();
    let out = folder.path().join("m.engram.json");
    let other = |steps: usize| {
        let mut record = full();
        record.settings.edit.methods = vec![Spsa { steps, ..Spsa::default() }.into()];
        record
    };
    for steps in [1, 1, 2, 3] {
        let mut journal = Journal::lock(&path)?;
        journal.start(&other(steps))?;
        journal.finish(&out, &other(steps))?;
    }
    assert_eq!(names(folder.path()), ["m.engram.json", "m.engram.json.old", "m.engram.json.old2"]);
    assert_eq!(read(&out)?.record, other(3));
    assert_eq!(read(&folder.path().join("m.engram.json.old"))?.record, other(1));
    assert_eq!(read(&folder.path().join("m.engram.json.old2"))?.record, other(2));
    // When the new record cannot be written, the old one stands where it stood, and the journal stays.
    let mut bad = other(4);
    bad.settings.min_effect = f32::NAN;
    let mut journal = Journal::lock(&path)?;
    journal.start(&other(4))?;
    assert!(journal.finish(&out, &bad).is_err());
    assert_eq!(read(&out)?.record, other(3));
    assert_eq!(read(&path)?.record, other(4));
    Ok(())
}

#[test]
fn a_journal_that_cannot_be_read_leaves_a_copy() -> Result<()> {
    let (folder, path) = folder();
    for (content, copied) in [(&b""[..], false), (&[0; 99], false), (b"torn", false), (b"torn\n{}\n", true)] {
        std::fs::write(&path, content).expect("written");
        let mut journal = Journal::lock(&path)?;
        assert!(matches!(journal.found()?, Found::Nothing(_)));
        let copy = journal.keep_copy()?;
        assert_eq!(copy.is_some(), copied);
        assert_eq!(copy.map(|copy| std::fs::read(copy).expect("the copy")), copied.then(|| content.to_vec()));
        journal.start(&record(vec![]))?;
    }
    assert_eq!(names(folder.path()), ["study.journal", "study.journal.old"]);
    Ok(())
}

#[test]
fn a_failed_write_leaves_the_old_record() -> Result<()> {
    let (folder, _) = folder();
    let path = folder.path().join("r.json");
    write(&path, &full())?;
    let mut bad = full();
    bad.settings.min_effect = f32::NAN;
    assert!(write(&path, &bad).is_err());
    assert!(message(write(&folder.path().join("none/r.json"), &full())).contains("no such file or folder"));
    // A folder stands where the file should go: the rename fails after the temporary file was written.
    std::fs::create_dir(folder.path().join("taken.json")).expect("folder");
    assert!(write(&folder.path().join("taken.json"), &full()).is_err());
    assert_eq!(read(&path)?.record, full());
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 2, "no temporary file stays");
    Ok(())
}

/// `/dev/full` fails every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() -> Result<()> {
    let full_disk = Journal::without_lock(Path::new("/dev/full"));
    let found = message(full_disk.and_then(|mut journal| journal.append(&fact_line(&dropped(0))?)));
    assert!(found.contains("/dev/full: no space left on the disk") && found.contains("free some space"), "{found}");
    // A small real file system, where a person gives one: the journal fills it and stays readable.
    let Some(small) = std::env::var_os("ENGRAM_SMALL_DISK").map(PathBuf::from) else { return Ok(()) };
    let path = small.join("study.journal");
    let mut journal = Journal::lock(&path)?;
    journal.start(&record(vec![]))?;
    let written = (0..1_000_000)
        .take_while(|order| fact_line(&validated(*order, 0.5)).and_then(|line| journal.append(&line)).is_ok())
        .count();
    assert!(message(journal.append(&fact_line(&validated(written, 0.5))?)).contains("no space left"));
    drop(journal);
    let resumed = read(&path)?;
    assert_eq!((resumed.record.facts.len(), resumed.dropped), (written, None));
    assert!(message(write(&small.join("r.json"), &resumed.record)).contains("no space left"));
    assert_eq!(std::fs::read_dir(&small).expect("folder").count(), 1, "no temporary file stays");
    std::fs::remove_file(&path).expect("removed");
    Ok(())
}
