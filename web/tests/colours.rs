//! The colours of lab and pages: texts have a contrast of at least 4.5 to 1 on what they stand on, drawn parts 3 to 1, in both
//! themes.

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../tokens.css");

/// Texts, on the papers that they stand on.
const TEXTS: [(&str, &str); 20] = [
    ("ink", "paper"),
    ("ink", "raised"),
    ("ink", "sunken"),
    ("ink", "map-0"),
    ("ink-2", "paper"),
    ("ink-2", "raised"),
    ("ink-2", "sunken"),
    ("ink-3", "paper"),
    ("ink-3", "raised"),
    ("on-ink", "ink"),
    ("answer-text", "paper"),
    ("answer-text", "raised"),
    ("subject-text", "paper"),
    ("subject-text", "subject-tint"),
    ("new-text", "paper"),
    ("new-text", "raised"),
    ("harm-text", "paper"),
    ("harm-text", "harm-tint"),
    ("warn-text", "paper"),
    ("warn-text", "warn-tint"),
];
/// Bars and marks. `warn-mark` has a little less, and never stands without words.
const PARTS: [&str; 6] = ["answer-mark", "subject-mark", "new-mark", "harm-mark", "series", "line-strong"];

/// `--name: light-dark(#rrggbb, #rrggbb);` of the light theme, then of the dark one.
fn themes() -> [BTreeMap<&'static str, f64>; 2] {
    let both = TOKENS.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
        let (light, dark) = value.strip_suffix(");")?.split_once(", ")?;
        Some((name, [luminance(light)?, luminance(dark)?]))
    });
    let both: Vec<(&'static str, [f64; 2])> = both.collect();
    [0, 1].map(|theme| both.iter().map(|(name, values)| (*name, values[theme])).collect())
}

/// Relative luminance of `#rrggbb`, as the WCAG define it.
fn luminance(colour: &str) -> Option<f64> {
    let rgb = u32::from_str_radix(colour.strip_prefix('#')?, 16).ok()?;
    let linear = |shift: u32| {
        let value = f64::from((rgb >> shift) & 0xff) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0))
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
