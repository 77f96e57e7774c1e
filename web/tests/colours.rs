//! The page's colours: texts have a contrast of at least 4.5 to 1 on what they stand on, drawn parts 3 to 1, in both
//! themes.

use std::collections::BTreeMap;

const COLOURS: &str = include_str!("../colours.css");

/// Texts, on the papers that they stand on.
const TEXTS: [(&str, &str); 13] = [
    ("ink", "paper"),
    ("ink", "raised"),
    ("ink", "neutral"),
    ("ink", "bad-paper"),
    ("faint", "paper"),
    ("faint", "raised"),
    ("accent", "paper"),
    ("accent", "raised"),
    ("accent-ink", "accent"),
    ("marked", "paper"),
    ("good", "paper"),
    ("bad", "paper"),
    ("bad", "bad-paper"),
];
/// Bars and marks.
const PARTS: [&str; 6] = ["bar", "below", "marked", "before", "after", "wanted"];

/// `--name: #rrggbb;` of the light theme, then of the dark one.
fn themes() -> [BTreeMap<&'static str, f64>; 2] {
    let dark = COLOURS.find("prefers-color-scheme: dark").unwrap_or(COLOURS.len());
    let end = COLOURS[dark..].find("\n}").map_or(COLOURS.len(), |at| dark + at);
    [&COLOURS[..dark], &COLOURS[dark..end]].map(|part| part.lines().filter_map(colour).collect())
}

fn colour(line: &'static str) -> Option<(&'static str, f64)> {
    let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
    let rgb = u32::from_str_radix(value.trim_end_matches(';'), 16).ok()?;
    Some((name, luminance(rgb)))
}

/// Relative luminance, as the WCAG define it.
fn luminance(rgb: u32) -> f64 {
    let linear = |shift: u32| {
        let value = f64::from((rgb >> shift) & 0xff) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
}

fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_is_sufficient_in_both_themes() {
    let texts = TEXTS.map(|(text, paper)| (text, paper, 4.5));
    let parts = PARTS.map(|part| (part, "paper", 3.0));
    let mut poor = Vec::new();
    for (theme, colours) in ["light", "dark"].into_iter().zip(themes()) {
        assert!(colours.len() > 20, "{theme}: {} colours", colours.len());
        for (on, under, least) in texts.iter().chain(&parts) {
            let found = contrast(colours[on], colours[under]);
            if found < *least {
                poor.push(format!("{theme}: {on} on {under} has {found:.2}, {least} is needed"));
            }
        }
    }
    assert!(poor.is_empty(), "{}", poor.join("\n"));
}
