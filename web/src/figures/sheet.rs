//! The page's style sheets as values, for pictures that have to do without them.

/// The colours, each by its name.
const TOKENS: &str = include_str!("../../tokens.css");
/// The rules of what is drawn.
pub const FIGURES: &str = include_str!("../../figures.css");

/// A custom property's value in the light theme; empty when there is none of that name.
pub fn colour(name: &str) -> &'static str {
    // Later rules are about sizes.
    let colours = TOKENS.split_once(":root {").and_then(|(_, rest)| rest.split_once("\n}")).map_or("", |rule| rule.0);
    let mut pairs = colours.lines().filter_map(|line| line.trim().strip_suffix(';')?.split_once(": "));
    let value = pairs.find(|pair| pair.0 == name).map_or("", |pair| pair.1);
    let within = |what: &str| value.strip_prefix(what)?.strip_suffix(')');
    match (within("light-dark("), within("var(")) {
        (Some(both), _) => both.split_once(", ").map_or("", |both| both.0),
        (_, Some(other)) => colour(other),
        _ => value,
    }
}

/// Rules with every custom property replaced by its value in the light theme. Rules that need more of a style sheet than
/// a picture's reader may know (mixed colours, what is under the mouse) are left out.
pub fn light(rules: &str) -> String {
    let kept = |line: &&str| !["color-mix(", ":hover", "/*"].iter().any(|sign| line.contains(sign)) && !line.is_empty();
    let mut out = String::new();
    for line in rules.lines().filter(kept) {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("var(") {
            let (name, after) = after.split_once(')').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(colour(name));
            rest = after;
        }
        out.push_str(rest);
    }
    out
}

/// The colour between two of the light theme, `share` of the way from the first, as pages mix it: in Oklab
/// (Ottosson 2020), as `#rrggbb`.
pub fn mixed(from: &str, to: &str, share: f64) -> String {
    let [a, b] = [colour(from), colour(to)].map(|hex| oklab(rgb(hex)));
    let lab: [f64; 3] = std::array::from_fn(|at| a[at] + (b[at] - a[at]) * share.clamp(0.0, 1.0));
    let [r, g, b] = srgb(lab).map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn rgb(hex: &str) -> [f64; 3] {
    std::array::from_fn(|at| {
        let digits = hex.get(1 + 2 * at..3 + 2 * at).unwrap_or("00");
        f64::from(u8::from_str_radix(digits, 16).unwrap_or(0)) / 255.0
    })
}

fn oklab(colour: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = colour.map(|v| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) });
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
    ]
}

fn srgb([l, a, b]: [f64; 3]) -> [f64; 3] {
    let cube = |v: f64| v * v * v;
    let long = cube(l + 0.396_337_777_4 * a + 0.215_803_757_3 * b);
    let middle = cube(l - 0.105_561_345_8 * a - 0.063_854_172_8 * b);
    let short = cube(l - 0.089_484_177_5 * a - 1.291_485_548_0 * b);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * middle + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * middle - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * middle + 1.707_614_701_0 * short,
    ];
    linear.map(|v| if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_the_light_themes_colours() {
        assert_eq!(colour("--paper"), "#ffffff");
        assert_eq!(light(".a { fill: var(--paper); stroke: var(--ink) }"), ".a { fill: #ffffff; stroke: #16191f }");
        assert_eq!(colour("--up"), colour("--map-8"), "a name for another one");
        let rules = light(FIGURES);
        assert!(rules.contains(".bar {") && !rules.contains("var(") && !rules.contains("/*"), "{rules}");
        let used = FIGURES.split("var(").skip(1).filter_map(|rest| rest.split_once(')'));
        for name in used.map(|found| found.0).filter(|name| *name != "--t") {
            assert!(!colour(name).is_empty(), "{name} is no colour of the page");
        }
    }

    #[test]
    fn colours_mix_as_in_a_browser() {
        assert_eq!(mixed("--neutral", "--up", 0.0), colour("--neutral"));
        assert_eq!(mixed("--neutral", "--up", 1.0), colour("--up"));
        assert_eq!(mixed("--neutral", "--up", 7.0), colour("--up"));
        // color-mix(in oklab, #10264f 50%, #edf1f4) and so on, as Chromium computes it.
        for (share, colour) in [(0.25, "#b0bac9"), (0.5, "#7686a0"), (0.75, "#415577")] {
            assert_eq!(mixed("--neutral", "--up", share), colour);
        }
    }
}
