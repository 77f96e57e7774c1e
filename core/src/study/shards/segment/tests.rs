use super::*;
use crate::Kind;
use std::io;

/// A segment of some lines, its bytes, and what is in it.
fn written_lines() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = Shard { number: 0, of: 2 };
    let header = Header::new("plan", shard, "here", &Compute::cpu("tests"), "tests");
    let mut segment = Segment::begin(folder.path(), &header).expect("a segment");
    for layer in 1..=3 {
        segment.append(Unit::SecondMoment(layer), 0.5, &Body::SecondMoment).expect("written");
    }
    let path = segment.path.clone();
    let bytes = std::fs::read(&path).expect("there");
    (folder, path, bytes)
}

fn units(lines: &[Line]) -> Vec<Unit> {
    lines.iter().map(|line| line.unit).collect()
}

const ALL: [Unit; 3] = [Unit::SecondMoment(1), Unit::SecondMoment(2), Unit::SecondMoment(3)];

#[test]
fn what_a_disk_shows_late_is_taken_later() {
    let (_folder, path, bytes) = written_lines();
    for cut in 0..=bytes.len() {
        let mut reader = Reader::new(path.clone());
        // Listed and not there yet; forgotten by the network's disk; a part of it; the rest.
        for kind in [ErrorKind::NotFound, ErrorKind::StaleNetworkFileHandle] {
            assert!(reader.take(Err(io::Error::from(kind))).expect("no failure").is_empty());
        }
        let early = units(&reader.take(Ok(bytes[..cut].to_vec())).expect("readable"));
        let known = usize::try_from(reader.offset).expect("small");
        assert!(known <= cut && early == ALL[..early.len()], "{cut}");
        let late = units(&reader.take(Ok(bytes[known..].to_vec())).expect("readable"));
        assert_eq!([early, late].concat(), ALL, "{cut}");
        assert!(reader.take(Ok(Vec::new())).expect("readable").is_empty());
    }
}

#[test]
fn zeros_and_flipped_bits_end_a_segment_and_nothing_wrong_is_taken() {
    let (_folder, path, bytes) = written_lines();
    // A file that grew before its bytes came.
    for cut in 0..bytes.len() {
        let mut torn = bytes.clone();
        torn[cut..].fill(0);
        let mut reader = Reader::new(path.clone());
        let taken = units(&reader.take(Ok(torn)).expect("readable"));
        assert!(taken.len() < 3 && taken == ALL[..taken.len()], "{cut}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let mut reader = Reader::new(path.clone());
        let taken = units(&reader.take(Ok(flipped)).expect("readable"));
        assert!(taken.len() < 3 && taken == ALL[..taken.len()], "{at}");
    }
}

#[test]
fn a_disk_that_fails_is_named() {
    let (_folder, path, _) = written_lines();
    let error = Reader::new(path.clone()).take(Err(io::Error::other("Input/output error"))).expect_err("a failure");
    assert_eq!(error.kind, Kind::Io);
    assert!(error.message().contains(&path.display().to_string()), "{error}");
}
