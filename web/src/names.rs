//! Names of the files that the page gives away.

use crate::figures::article;
use engram_core::record::Record;

/// Longest stem, in characters; file systems take 255 bytes with the ending.
const STEM: usize = 80;
/// Longest part of a name, in characters.
const PART: usize = 60;

/// A text as a part of a file's name.
pub fn plain(name: &str) -> String {
    let kept = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    kept.take(PART).collect::<String>().trim_matches(['-', '.']).to_owned()
}

/// What a result page over these records is called, without its ending: letters, digits, `-`, `_` and `.` only.
pub fn stem(records: &[Record]) -> String {
    let names: Vec<String> = article::names(records).iter().map(|name| of_one(name)).collect();
    match names.as_slice() {
        [] => "engram".into(),
        [one] => one.clone(),
        [one, two] => format!("{one}-and-{two}"),
        [one, others @ ..] => format!("{one}-and-{}-more", others.len()),
    }
}

fn of_one(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(safe).collect();
    let name = name.trim_matches(['-', '.', '_']);
    let prefix = if name.starts_with("engram") { "" } else { "engram-" };
    let whole: String = format!("{prefix}{name}").chars().take(STEM).collect();
    whole.trim_end_matches(['-', '.', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    #[test]
    fn a_page_is_named_after_its_models() {
        let mut records = vec![sample::record(), sample::record()];
        let long = format!("engram-{}", "x".repeat(52));
        let asked = "x".repeat(200);
        for (name, wanted) in [
            ("tiny", "engram-tiny"),
            ("a/b c:d*", "engram-b-c-d"),
            ("engram-phi", "engram-phi"),
            ("../..", "engram"),
            ("", "engram-unnamed-model"),
            (asked.as_str(), long.as_str()),
        ] {
            records[0].model.name = name.into();
            let found = stem(&records[..1]);
            assert!(found.starts_with(wanted) && found.len() <= STEM, "{name}: {found}");
        }
        records[0].model.name = "o/other".into();
        assert_eq!(stem(&records), "engram-other-and-engram-tiny");
        records.push(sample::record());
        assert_eq!((stem(&records).as_str(), stem(&[]).as_str()), ("engram-other-and-2-more", "engram"));
    }

    #[test]
    fn a_part_has_nothing_that_a_file_system_reads() {
        assert_eq!(plain("../a/b:c*"), "a-b-c");
        assert_eq!(plain("Ré"), "Ré");
        assert_eq!(plain(&"y".repeat(99)).len(), PART);
    }
}
