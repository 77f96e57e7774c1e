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

/// What a result page over these records is called, without its ending: as the page would call itself, but without all
/// that its title needs.
pub fn stem(records: &[Record]) -> String {
    let Some(name) = article::names(records).into_iter().next() else { return "engram".into() };
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(safe).collect();
    let name = name.trim_matches(['-', '.', '_']);
    let prefix = if name.starts_with("engram") { "" } else { "engram-" };
    let whole: String = format!("{prefix}{name}").chars().take(STEM).collect();
    let more = match records.len() {
        1 => String::new(),
        many => format!("-and-{}-more", many - 1),
    };
    format!("{}{more}", whole.trim_end_matches(['-', '.', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::{Article, title};
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;

    #[test]
    fn a_page_has_the_name_that_its_article_gives_it() {
        let mut records = [sample::record(), sample::record()];
        let long = "x".repeat(200);
        for name in ["tiny", "engram-phi", "a/b c:d*", "../..", "", "o/é\u{202e}x.", long.as_str()] {
            records[0].model.name = name.into();
            for count in [1, 2] {
                let records = &records[..count];
                assert_eq!(
                    stem(records),
                    title::title(&Article::new(records, &MetricConvention::default())).stem,
                    "{name}"
                );
            }
        }
        assert_eq!(stem(&[]), "engram");
    }

    #[test]
    fn a_part_has_nothing_that_a_file_system_reads() {
        assert_eq!(plain("../a/b:c*"), "a-b-c");
        assert_eq!(plain("Ré"), "Ré");
        assert_eq!(plain(&"y".repeat(99)).len(), PART);
    }
}
