//! Words and numbers for people. No text from a record reaches the page without passing [`visible`] or [`token`].

use engram_core::metrics::{Level, Mean};
use engram_core::record::{PatchPosition, Reason};

/// A text on one line, with nothing hidden in it. (The page never takes a text for HTML; that is the views' part.)
pub use engram_core::text::visible;

/// A model's token: like [`visible`], with every space as `·`.
pub fn token(text: &str) -> String {
    visible(text).replace(' ', "·")
}

/// Cuts a text to a number of characters, with `…` where something was cut.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The beginning of a digest, which is enough to tell two apart; any other text as it is.
pub fn short_digest(text: &str) -> String {
    let digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digest { format!("{}…", &text[..12]) } else { text.to_owned() }
}

/// A probability or a difference of two, four decimals, with a true minus sign.
pub fn number(value: f64) -> String {
    fixed(value, 4)
}

/// A probability, four decimals; one that is too small for them says so.
pub fn probability(p: f64) -> String {
    if p > 0.0 && p < 0.000_05 { "<0.0001".into() } else { number(p) }
}

/// A probability in per cent with one decimal, `89.4 %`; one that is too small for it says so.
pub fn percent_of(p: f64) -> String {
    if p < 0.000_5 { "<0.1 %".into() } else { format!("{:.1} %", p * 100.0) }
}

/// A change of a probability in points, `−69.6 pt`.
pub fn points(change: f64) -> String {
    let text = fixed(change * 100.0, 1);
    if change > 0.000_5 { format!("+{text} pt") } else { format!("{text} pt") }
}

/// A count with commas between thousands, `40,966`.
pub fn grouped(count: u32) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let rest = digits.as_bytes()[first..].chunks(3).map(|three| String::from_utf8_lossy(three).into_owned());
    Some(digits[..first].to_owned())
        .filter(|head| !head.is_empty())
        .into_iter()
        .chain(rest)
        .collect::<Vec<_>>()
        .join(",")
}

/// A clause with a capital.
pub fn capital(clause: &str) -> String {
    let mut chars = clause.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

/// A number with so many decimals, a true minus sign, and none before a zero.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.into(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// The name of a patch position.
pub fn patch_position(position: PatchPosition) -> &'static str {
    match position {
        PatchPosition::SubjectLast => "last subject token",
        PatchPosition::LastToken => "last token",
        PatchPosition::SameIndex => "same index",
    }
}

/// A difference with its sign: `+0.1200`.
pub fn signed(value: f64) -> String {
    let text = number(value);
    if value > 0.0 && text != number(0.0) { format!("+{text}") } else { text }
}

/// `0.1274 ± 0.0100 (n = 60)`.
pub fn mean(mean: &Mean) -> String {
    match mean.sem {
        Some(sem) => format!("{} ± {} (n = {})", number(mean.mean), number(sem), mean.n),
        None => format!("{} (n = {})", number(mean.mean), mean.n),
    }
}

/// [`mean`] taken apart: value, standard error (empty where there is none) and n.
pub fn mean_parts(text: &str) -> Option<[&str; 3]> {
    let (value, n) = text.strip_suffix(')')?.split_once(" (n = ")?;
    let (value, sem) = value.split_once(" ± ").unwrap_or((value, ""));
    Some([value, sem, n])
}

/// `1 fact`, `12 facts`, `2 passes`, `3 studies`.
pub fn count(count: usize, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ if hisses => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// `1st`, `2nd`, `13th`.
pub fn ordinal(place: usize) -> String {
    let end = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{end}")
}

/// Parameters for people: `134.5 M`.
pub fn parameters(count: u64) -> String {
    match count {
        0 => "unknown size".into(),
        1..1_000_000 => format!("{count} parameters"),
        1_000_000..1_000_000_000 => format!("{:.1} M parameters", count as f64 / 1e6),
        _ => format!("{:.2} B parameters", count as f64 / 1e9),
    }
}

/// A text for the body of a `data:` address: all but letters, digits and a few signs as `%XX`.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Which state is restored at a patch position.
pub fn position(position: PatchPosition) -> &'static str {
    match position {
        PatchPosition::SubjectLast => "the clean state of the subject's last token",
        PatchPosition::LastToken => "the clean state of the prompt's last token",
        PatchPosition::SameIndex => "the subject's clean state at the same index",
    }
}

/// Why a fact is excluded.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotKnown => "not known: greedy decoding gives another answer",
        Reason::NotSensitive => "not sensitive: corrupting the subject changes too little",
        Reason::SubjectNotFound => "the subject has no tokens of its own",
        Reason::SharedFirstToken => "both answers begin with the same token",
        Reason::TooLong => "the prompt is too long",
        Reason::AnswerMerges => "the answer merges with the prompt's last characters",
        Reason::Empty => "a field is empty",
        Reason::UnknownToken => "a token has no embedding",
    }
}

/// A clause as a sentence: a capital, and a full stop.
pub fn sentence(clause: &str) -> String {
    format!("{}.", capital(clause))
}

/// What a level of success means (METHODS, section 4).
pub fn level(level: Level) -> &'static str {
    match level {
        Level::L1 => "the new answer is more probable than the old",
        Level::L2 => "the new answer gained and the old lost more than 0.03",
        Level::L3 => "the new answer is more than three times as probable and above 0.005",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_visible() {
        assert_eq!(visible("a\u{202e}b\nc\u{1b}[0m"), "a\\u{202e}b⏎c␛[0m");
        assert_eq!(token(" Paris"), "·Paris");
        assert_eq!(visible("<b>&amp;"), "<b>&amp;");
    }

    #[test]
    fn numbers_have_no_negative_zero() {
        assert_eq!(number(-0.000_01), "0.0000");
        assert_eq!(number(-0.25), "−0.2500");
        assert_eq!(signed(0.12), "+0.1200");
        assert_eq!(signed(0.000_001), "0.0000");
        assert_eq!(mean(&Mean { mean: 0.5, sem: Some(0.01), n: 3 }), "0.5000 ± 0.0100 (n = 3)");
    }

    #[test]
    fn counts_and_cuts() {
        assert_eq!(count(1, "fact"), "1 fact");
        let many = ["second pass", "study", "key", "layer"].map(|noun| count(2, noun));
        assert_eq!(many, ["2 second passes", "2 studies", "2 keys", "2 layers"]);
        assert_eq!(probability(0.25), "0.2500");
        assert_eq!(probability(1.7e-5), "<0.0001");
        assert_eq!(probability(0.0), "0.0000");
        assert_eq!(count(0, "fact"), "0 facts");
        assert_eq!(parameters(134_515_008), "134.5 M parameters");
        assert_eq!([0.8943, 0.0004, 0.0, 1.0].map(percent_of), ["89.4 %", "<0.1 %", "<0.1 %", "100.0 %"]);
        assert_eq!([7, 512, 40_966, 1_234_567].map(grouped), ["7", "512", "40,966", "1,234,567"]);
        assert_eq!(short("Danielle Darrieux", 9), "Danielle…");
        assert_eq!(short("né", 2), "né");
        assert_eq!([1, 2, 3, 4, 11, 22].map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "22nd"]);
        assert_eq!(percent("l* é,\n"), "l%2A%20%C3%A9%2C%0A");
    }
}
