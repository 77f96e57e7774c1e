//! Text that is safe and measured for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A model's token or a user's text on one line, with nothing hidden in it; `told` also bounds it.
pub use engram_core::text::{told, visible as escape};

/// A token's text: like [`escape`], with spaces at its ends made visible.
pub fn token(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let lead = text.len() - text.trim_start_matches(' ').len();
    let trail = if inner.is_empty() { 0 } else { text.len() - text.trim_end_matches(' ').len() };
    format!("{}{}{}", "␣".repeat(lead), escape(inner), "␣".repeat(trail))
}

/// Cuts a text to a number of columns, with `…` where something was cut; never splits a wide character.
pub fn truncate(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// Fills up with spaces on the right.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Fills up with spaces on the left.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Breaks a text into lines between words; a longer word keeps its own line.
pub fn wrap(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A probability or a difference of two, to four places.
pub fn number(value: f32) -> String {
    // A tiny negative value would read as -0.0000.
    let text = format!("{value:.4}");
    if text == "-0.0000" { "0.0000".into() } else { text }
}

/// A probability, to four places; one that is too small for them says so.
pub fn probability(p: f32) -> String {
    if p > 0.0 && p < 0.000_05 { "<0.0001".into() } else { number(p) }
}

/// Bytes for people, in powers of 1000.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_spaces_are_visible() {
        assert_eq!(token(" Paris"), "␣Paris");
        assert_eq!(token("a "), "a␣");
        assert_eq!(token("  "), "␣␣");
        assert_eq!(token(""), "");
    }

    #[test]
    fn truncation_respects_wide_characters() {
        assert_eq!(truncate("東京タワー", 10), "東京タワー");
        assert_eq!(truncate("東京タワー", 6), "東京…");
        assert_eq!(truncate("東京タワー", 5), "東京…");
        assert_eq!(truncate("abc", 1), "…");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(pad("東", 4), "東  ");
        assert_eq!(pad_left("東", 3), " 東");
    }

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(number(-0.000_001), "0.0000");
        assert_eq!(number(-0.25), "-0.2500");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(2_360_000_000), "2.4 GB");
    }

    #[test]
    fn wrapping_keeps_words() {
        assert_eq!(wrap("one two  three", 7), "one two\nthree");
        assert_eq!(wrap("unbreakable x", 4), "unbreakable\nx");
    }
}
