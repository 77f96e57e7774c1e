//! Damage of every kind: it is found at its line, and what precedes it is kept.

use super::*;

/// The journal of [`full`] as a study writes it, a line each.
fn lines() -> Vec<Vec<u8>> {
    let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.4)] };
    let line = RedundancyLine { fact: 0, position: PatchPosition::SubjectLast, curve };
    let json = [
        header_line(&full()),
        fact_line(&validated(0, 0.9)),
        fact_line(&dropped(1)),
        fact_line(&validated(2, 0.123_456_79)),
        redundancy_line(&line),
        edit_line(&edit(0)),
    ];
    let mut chain = Chain::default();
    json.map(|json| chain.seal(&json.expect("finite"))).to_vec()
}

/// As an older program wrote it.
fn undigested() -> Vec<Vec<u8>> {
    let open = |line: &Vec<u8>| [&line[..line.len() - 1 - 76 - 1], b"}\n"].concat();
    lines().iter().map(open).collect()
}

fn study(content: &[u8]) -> Resumed {
    match find(content).unwrap_or_else(|error| panic!("{error}")) {
        Found::Study(resumed) => *resumed,
        Found::Nothing(why) => panic!("nothing: {why}"),
    }
}

fn nothing(content: &[u8]) -> String {
    match find(content).unwrap_or_else(|error| panic!("{error}")) {
        Found::Study(resumed) => panic!("a study: {:?}", resumed.dropped),
        Found::Nothing(why) => why,
    }
}

/// How many lines of the journal a reader took.
fn taken(resumed: &Resumed) -> usize {
    let record = &resumed.record;
    let curves: usize = record.validated().map(|(_, traced)| traced.redundancy.len()).sum();
    1 + record.facts.len() + curves + record.edits.as_ref().map_or(0, Vec::len)
}

/// What the first `count` lines hold, computed anew.
fn expected(lines: &[Vec<u8>], count: usize) -> Record {
    study(&lines[..count].concat()).record
}

#[test]
fn a_whole_journal_is_the_record() {
    for lines in [lines(), undigested()] {
        let found = study(&lines.concat());
        assert_eq!((&found.record, &found.dropped), (&full(), &None));
        assert_eq!(found.kept as usize, lines.concat().len());
    }
    assert!(study(&undigested().concat()).undigested && !study(&lines().concat()).undigested);
}

/// No bit of a journal can change without being noticed: what is taken is what the lines before it hold.
#[test]
fn every_flipped_bit_is_found_at_its_line() {
    let lines = lines();
    let whole = lines.concat();
    let starts: Vec<usize> = lines.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bad = whole.clone();
            bad[at] ^= 1 << bit;
            let line = starts.iter().filter(|start| **start <= at).count(); // from 1
            if line == 1 {
                let why = nothing(&bad);
                assert!(why.contains("line 1") || why.contains("lines 1"), "{at}: {why}");
                continue;
            }
            let found = study(&bad);
            let why = found.dropped.clone().unwrap_or_else(|| panic!("bit {bit} of byte {at} is not noticed"));
            assert!(why.starts_with(&format!("line {line} ")), "{at}: {why}");
            assert_eq!(found.record, expected(&lines, line - 1), "{at}: {why}");
            assert_eq!(found.kept as usize, starts[line - 1]);
        }
    }
}

#[test]
fn missing_doubled_swapped_and_foreign_lines_are_found() {
    let lines = lines();
    let other = {
        let mut chain = Chain::default();
        let header = header_line(&Record { program: "another".into(), ..full() }).expect("finite");
        [chain.seal(&header), chain.seal(&fact_line(&validated(0, 0.9)).expect("finite"))]
    };
    // The last line may be missing: that journal is one of an earlier moment.
    for at in 1..lines.len() {
        let spoiled = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut lines = lines.clone();
            change(&mut lines);
            let found = study(&lines.concat());
            (taken(&found), found.dropped.unwrap_or_default())
        };
        let named = |line: usize, why: &str| why.starts_with(&format!("line {line} is damaged"));
        if at + 1 < lines.len() {
            let (taken, why) = spoiled(&|lines| drop(lines.remove(at)));
            assert!(taken == at && named(at + 1, &why), "missing {at}: {why}");
            let (taken, why) = spoiled(&|lines| lines.swap(at, at + 1));
            assert!(taken == at && named(at + 1, &why), "swapped {at}: {why}");
        }
        let (taken, why) = spoiled(&|lines| lines.insert(at, lines[at].clone()));
        assert!(taken == at + 1 && named(at + 2, &why), "doubled {at}: {why}");
        let (taken, why) = spoiled(&|lines| lines.insert(at, other[1].clone()));
        assert!(taken == at && named(at + 1, &why), "foreign {at}: {why}");
        let (taken, why) = spoiled(&|lines| lines[at] = undigested()[at].clone());
        assert!(taken == at && why.contains("carries no digest"), "without digest {at}: {why}");
    }
    let header_of_another = [&other[0][..], &lines[1..].concat()].concat();
    assert_eq!(taken(&study(&header_of_another)), 1);
}

#[test]
fn what_was_dropped_is_told() {
    let lines = lines();
    let mut bad = lines.clone();
    bad[2][9] ^= 1;
    let why = study(&bad.concat()).dropped.expect("damaged");
    assert_eq!(
        why,
        "line 3 is damaged (its digest does not follow from what precedes it) and is dropped with the 3 lines after it"
    );
    let cut = [&lines[..5].concat()[..], &lines[5][..7]].concat();
    assert_eq!(study(&cut).dropped.as_deref(), Some("line 6 was cut off (7 bytes) and is dropped"));
    let zeros = [&lines[..5].concat()[..], &[0; 4096]].concat();
    assert_eq!(study(&zeros).dropped.as_deref(), Some("line 6 was cut off (4096 bytes) and is dropped"));
}

#[test]
fn a_header_that_is_not_one_is_nothing_to_go_on_from() {
    let lines = lines();
    assert_eq!(nothing(b""), "it is empty");
    assert_eq!(nothing(&[0; 512]), "line 1 was cut off (512 bytes)");
    for cut in 1..lines[0].len() {
        assert_eq!(nothing(&lines[0][..cut]), format!("line 1 was cut off ({cut} bytes)"));
    }
    for garbage in ["\n", "{}\n", "garbage\nand more\n", "[]}\n", "\0\0\n\0"] {
        assert_eq!(nothing(garbage.as_bytes()), "line 1 is damaged", "{garbage:?}");
    }
    // What a newer program wrote is neither damaged nor to be started over.
    let newer = String::from_utf8(header_line(&full()).expect("finite")).expect("UTF-8");
    let newer = newer.replacen("\"engram\":1", "\"engram\":9", 1);
    let newer = Chain::default().seal(newer.as_bytes());
    assert!(message(find(&newer)).contains("line 1: record format 9 is newer"));
    let mut chain = Chain::default();
    let later = [chain.seal(&header_line(&full()).expect("finite")), chain.seal(b"{\"later\":{}}")].concat();
    let found = message(find(&later));
    assert!(found.contains("line 2: missing field") && found.contains("update Engram"), "{found}");
}

#[test]
fn journals_of_older_programs_are_read_and_go_on() {
    let old = undigested();
    // A missing one shows where a later one counts on it; of the rest nothing could be known.
    for spoil in [1, 2] {
        let mut lines = old.clone();
        lines.remove(spoil);
        let found = study(&lines.concat());
        let why = found.dropped.as_deref().unwrap_or_default();
        assert!(taken(&found) == spoil && why.contains("is damaged"), "without line {}: {why}", spoil + 1);
    }
    let mut doubled = old.clone();
    doubled.push(old[5].clone());
    assert!(study(&doubled.concat()).dropped.expect("damaged").contains("a second edit of fact 0"));
    // Lines that are appended carry digests, and these include what an older program wrote.
    let begun = study(&old[..4].concat());
    let mut chain = begun.chain;
    let mut both = old[..4].to_vec();
    both.push(chain.seal(&fact_line(&dropped(3)).expect("finite")));
    both.push(chain.seal(&edit_line(&edit(0)).expect("finite")));
    let found = study(&both.concat());
    assert_eq!((found.record.facts.len(), &found.dropped), (4, &None));
    let relation = both[2].windows(3).position(|text| text == b"P36").expect("its relation");
    both[2][relation + 2] ^= 1;
    assert_eq!(nothing(&both.concat()), "one of the lines 1 to 5 is damaged: digests begin in line 5 only");
}

#[test]
fn other_settings_of_stage_3_drop_its_edits_only() {
    let lines = lines();
    let mut chain = study(&lines.concat()).chain;
    let settings = |change: fn(&mut Settings)| {
        let mut settings = full().settings;
        change(&mut settings);
        settings
    };
    let changed = settings(|settings| settings.edit.methods = vec![Spsa { steps: 7, ..Spsa::default() }.into()]);
    let line = chain.seal(&settings_line(&changed).expect("finite"));
    let found = study(&[&lines.concat()[..], &line].concat());
    assert_eq!(found.record, Record { settings: changed, edits: None, ..full() });
    let mut stages = full();
    let same_edits = settings(|settings| settings.stages = vec![1, 3]);
    assert_eq!(change(&mut stages, &same_edits), 0);
    assert_eq!(stages, Record { settings: same_edits, ..full() });
    assert_eq!(change(&mut stages, &settings(|settings| settings.stages = vec![1, 2])), 1);
    assert_eq!(stages.edits, None);
}

#[test]
fn studies_differ_by_field() {
    let other = |differ: fn(&Record, &Record) -> Vec<String>, change: fn(&mut Record)| {
        let mut header = record(vec![]);
        change(&mut header);
        differ(&full(), &header).join("; ")
    };
    let found = other(differences, |r| r.settings.seed = 7);
    assert_eq!(found, "settings.seed: 42 there, 7 here");
    let noise = |r: &mut Record| r.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.1 };
    assert!(other(differences, noise).contains("settings.corruption.kind: \"replace\" there, \"noise\" here"));
    assert!(other(differences, |r| r.model.weights_sha256 = "cc".into()).contains("model.weights_sha256"));
    assert!(other(differences, |r| r.source.sha256 = "cc".into()).contains("source.sha256"));
    // The same weights and facts under other names, on another device with its own plan, by a patched program.
    let names = |r: &mut Record| {
        r.model.name = "copy".into();
        r.source.name = "copy.json".into();
        r.device.kind = "gpu".into();
        r.program = "0.1.1".into();
        r.settings.rows = 16_384;
    };
    assert_eq!(other(differences, names), "");
    // The tracing is that of other settings of stage 3.
    type Change = fn(&mut Record);
    let later: [Change; 4] = [
        |r| r.settings.edit.layers = EditLayers::of([1]),
        |r| r.settings.edit.unrelated = 3,
        |r| r.settings.edit.methods = vec![Spsa { epsilon: 0.5, ..Spsa::default() }.into()],
        |r| r.settings.stages = vec![1],
    ];
    for change in later {
        assert_ne!(other(differences, change), "");
        assert_eq!(other(tracing_differences, change), "");
    }
    let earlier: [Change; 4] = [
        |r| r.settings.n = 7,
        |r| r.settings.maps = 7,
        |r| r.settings.min_effect = 0.5,
        |r| r.settings.positions = vec![PatchPosition::LastToken],
    ];
    for change in earlier {
        assert_ne!(other(tracing_differences, change), "");
    }
}
