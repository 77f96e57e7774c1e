//! A token × layer map: one row a token, one column a layer (or a few, where the screen is narrow).

use super::style::{Ink, Screen, Tone, viridis};
use super::text;
use anstyle::Style;
use std::ops::Range;

/// Shades without colour, lowest first.
const RAMP: [char; 10] = [' ', '·', ':', '-', '=', '+', '*', '#', '%', '@'];
/// Widest cell.
const CELL: usize = 3;

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub struct Heatmap {
    /// What the values are.
    pub title: String,
    /// The tokens as the model sees them; spaces and control characters are made visible here.
    pub tokens: Vec<String>,
    /// The subject's tokens, marked with `*`.
    pub subject: Range<usize>,
    /// `[token][layer]`.
    pub values: Vec<Vec<f32>>,
    /// Why no value is an effect: the map is grey then, and has no peak.
    pub nothing: Option<String>,
    /// The lowest and highest value of the scale, where several maps share one; else the map's own.
    pub scale: Option<[f32; 2]>,
    /// The values are differences: zero is in the middle of the scale, and the widest difference is named.
    pub signed: bool,
}

struct Layout {
    label: usize,
    cell: usize,
    /// Layers in one cell.
    group: usize,
    cells: usize,
}

impl Layout {
    fn new(labels: &[String], layers: usize, width: usize) -> Self {
        let longest = labels.iter().map(|l| text::width(l)).max().unwrap_or(0);
        let label = longest.clamp(1, (width / 4).max(6));
        // The subject's mark and a space on each side of the label.
        let room = width.saturating_sub(label + 3).max(1);
        let group = layers.div_ceil(room);
        let cells = layers.div_ceil(group);
        Self { label, cell: (room / cells).clamp(1, CELL), group, cells }
    }
}

/// Draws a map.
pub fn render(map: &Heatmap, screen: Screen) -> String {
    let mut out = vec![screen.paint(Tone::Heading, &text::wrap(&map.title, screen.width))];
    let layers = map.values.iter().map(Vec::len).max().unwrap_or(0);
    if layers == 0 {
        out.push("  no values".into());
        return out.join("\n");
    }
    let labels: Vec<String> = map.tokens.iter().map(|t| text::token(t)).collect();
    let layout = Layout::new(&labels, layers, screen.width);
    let cells: Vec<Vec<f32>> = map.values.iter().map(|row| grouped(row, &layout, map.signed)).collect();
    let [low, high] = map.scale.unwrap_or_else(|| span(&cells, map.signed));
    let peak = peak(&cells, map.signed).filter(|_| map.nothing.is_none());
    let usual = match map.nothing {
        Some(_) => Look::Grey,
        None if map.signed => Look::Signed,
        None => Look::Coloured,
    };
    let look = |peak| if peak && usual == Look::Coloured { Look::Peak } else { usual };

    for (row, values) in cells.iter().enumerate() {
        let mark = if map.subject.contains(&row) { '*' } else { ' ' };
        let label = labels.get(row).map_or("", String::as_str);
        let label = text::pad(&text::truncate(label, layout.label), layout.label);
        let label = if mark == '*' { screen.paint(Tone::Strong, &label) } else { label };
        let mut line = format!("{mark}{label}  ");
        for (place, &value) in values.iter().enumerate() {
            let share = if high > low { (value - low) / (high - low) } else { usual.nowhere() };
            line.push_str(&cell(share, look(peak == Some((row, place))), layout.cell, screen));
        }
        out.push(line.trim_end().to_owned());
    }
    out.push(screen.paint(Tone::Faint, &axis(&layout, layers, screen.width)));
    out.push(String::new());
    out.push(legend(low, high, usual, screen));
    if let Some(nothing) = &map.nothing {
        let span = text::number(high - low);
        let said = format!("Grey because nothing here is an effect. {nothing} The values differ by {span} at most.");
        out.push(text::wrap(&said, screen.width));
    }
    if let Some((row, place)) = peak {
        let layer = place * layout.group + 1;
        let last = (layer + layout.group - 1).min(layers);
        let layer = if last > layer { format!("{layer}-{last}") } else { layer.to_string() };
        let token = labels.get(row).map_or("", String::as_str);
        let (what, value) = (if map.signed { "Largest change" } else { "Highest" }, cells[row][place]);
        out.push(format!("{what}: {} at {token}, layer {layer}", text::number(value)));
    }
    if layout.group > 1 {
        let group = layout.group;
        let which = if map.signed { "widest" } else { "highest" };
        out.push(format!("Each cell is the {which} of {group} layers, to fit the screen."));
    }
    out.join("\n")
}

/// The lowest and highest value; of differences the widest on both sides of zero.
fn span(cells: &[Vec<f32>], signed: bool) -> [f32; 2] {
    let finite = || cells.iter().flatten().copied().filter(|value| value.is_finite());
    if signed {
        let widest = finite().fold(0.0, |widest: f32, value| widest.max(value.abs()));
        return [-widest, widest];
    }
    [finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max)]
}

/// Which of two values stands for both.
fn larger(one: f32, other: f32, signed: bool) -> f32 {
    let (a, b) = if signed { (one.abs(), other.abs()) } else { (one, other) };
    // What is not a number gives way to any that is one.
    if a >= b || b.is_nan() { one } else { other }
}

/// The highest value of each group of layers, or the widest difference.
fn grouped(row: &[f32], layout: &Layout, signed: bool) -> Vec<f32> {
    let all = |part: &[f32]| part.iter().copied().fold(f32::NAN, |best, value| larger(best, value, signed));
    let mut cells: Vec<f32> = row.chunks(layout.group).map(all).collect();
    cells.resize(layout.cells, f32::NAN);
    cells
}

fn peak(cells: &[Vec<f32>], signed: bool) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize, f32)> = None;
    for (row, values) in cells.iter().enumerate() {
        for (place, &value) in values.iter().enumerate() {
            let size = if signed { value.abs() } else { value };
            if size.is_finite() && best.is_none_or(|(_, _, top)| size > top) {
                best = Some((row, place, size));
            }
        }
    }
    best.map(|(row, place, _)| (row, place))
}

/// How a cell is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Coloured,
    /// The highest of all.
    Peak,
    /// Its value is no effect.
    Grey,
    /// It is a difference.
    Signed,
}

impl Look {
    /// The share of a value where all are equal.
    fn nowhere(self) -> f32 {
        if self == Self::Signed { 0.5 } else { 0.0 }
    }
}

/// Differences without colour, from less to more.
const LESS_TO_MORE: [char; 7] = ['#', '=', '-', ' ', '·', '+', '*'];
/// Less, none and more, as on the page.
const ENDS: [[u8; 3]; 3] = [[190, 60, 50], [90, 90, 90], [60, 120, 220]];

/// The colour of a difference: grey is none.
fn diverging(share: f32) -> [u8; 3] {
    let away = (2.0 * share - 1.0).clamp(-1.0, 1.0);
    let end = ENDS[if away < 0.0 { 0 } else { 2 }];
    std::array::from_fn(|channel| {
        let (none, most) = (f32::from(ENDS[1][channel]), f32::from(end[channel]));
        (none + (most - none) * away.abs()).round() as u8
    })
}

fn cell(share: f32, look: Look, width: usize, screen: Screen) -> String {
    if !share.is_finite() {
        return text::pad("?", width);
    }
    let shade = (70.0 + 50.0 * share) as u8;
    let colour = match look {
        Look::Grey => [shade; 3],
        Look::Signed => diverging(share),
        Look::Coloured | Look::Peak => viridis(share),
    };
    match screen.color(colour) {
        None if look == Look::Grey => "·".repeat(width),
        None if look == Look::Signed => {
            let step = (share.clamp(0.0, 1.0) * (LESS_TO_MORE.len() - 1) as f32).round() as usize;
            LESS_TO_MORE[step].to_string().repeat(width)
        }
        None => {
            let step = (share * (RAMP.len() - 1) as f32).round() as usize;
            RAMP[step.min(RAMP.len() - 1)].to_string().repeat(width)
        }
        Some(color) => {
            // The peak is the brightest cell, so black is seen on it.
            let ink = screen.color([0, 0, 0]).filter(|_| look == Look::Peak);
            let style = Style::new().bg_color(Some(color)).fg_color(ink);
            screen.styled(style, &text::pad(if look == Look::Peak { "●" } else { "" }, width))
        }
    }
}

/// Every k-th layer's number under its cell, k chosen so that the numbers do not touch.
fn axis(layout: &Layout, layers: usize, width: usize) -> String {
    let digits = layers.to_string().len();
    let fits = |step: usize| step.div_ceil(layout.group) * layout.cell > digits;
    let step = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&step| fits(step)).unwrap_or(layers);
    let start = layout.label + 3;
    let mut line = text::pad(&text::pad_left("layer", layout.label), start);
    for layer in (1..=layers).filter(|layer| *layer == 1 || layer % step == 0) {
        let at = start + (layer - 1) / layout.group * layout.cell;
        let number = layer.to_string();
        // Layer 1 is always named; what would touch it gives way.
        let free = at == start || text::width(&line) < at;
        if free && at + number.len() <= width {
            line = text::pad(&line, at) + &number;
        }
    }
    line
}

fn legend(low: f32, high: f32, look: Look, screen: Screen) -> String {
    const STEPS: usize = 20;
    let bar: String = if screen.ink == Ink::None {
        match look {
            Look::Grey => "·".into(),
            Look::Signed => LESS_TO_MORE.iter().collect(),
            Look::Coloured | Look::Peak => RAMP.iter().collect(),
        }
    } else {
        (0..STEPS).map(|i| cell(i as f32 / (STEPS - 1) as f32, look, 1, screen)).collect()
    };
    let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 0.0) };
    format!("{} [{bar}] {}   * subject", text::number(low), text::number(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(tokens: &[&str], layers: usize) -> Heatmap {
        let value = |row: usize, layer: usize| {
            let distance = (row as f32 - 2.0).abs() + (layer as f32 - layers as f32 / 3.0).abs() / 4.0;
            0.8 * (-distance * distance / 4.0).exp()
        };
        Heatmap {
            title: "p after the patch, residual stream".into(),
            tokens: tokens.iter().map(|t| (*t).to_owned()).collect(),
            subject: 1..3,
            values: (0..tokens.len()).map(|r| (0..layers).map(|l| value(r, l)).collect()).collect(),
            nothing: None,
            ..Heatmap::default()
        }
    }

    const TOKENS: [&str; 6] = ["The", " Eiffel", " Tower", " is", "\n", " 東京タワータワー"];

    fn plain(width: usize) -> Screen {
        Screen { width, ink: Ink::None }
    }

    #[test]
    fn without_colour() {
        insta::assert_snapshot!(render(&map(&TOKENS, 12), plain(80)));
    }

    #[test]
    fn a_map_without_an_effect_has_no_peak() {
        let why = "Not sensitive: corrupting the subject changes the answer's probability by 0.0002 only.";
        let grey = Heatmap { nothing: Some(why.into()), ..map(&TOKENS, 12) };
        let drawn = render(&grey, plain(80));
        assert!(!drawn.contains("Highest") && !drawn.contains('@') && !drawn.contains('#'), "{drawn}");
        assert!(drawn.replace('\n', " ").contains(why), "{drawn}");
        let coloured = render(&grey, Screen { width: 80, ink: Ink::True });
        assert!(!coloured.contains('●'), "{coloured}");
    }

    #[test]
    fn differences_have_a_middle() {
        let row = |values: [f32; 5]| values.to_vec();
        let values = vec![row([0.0; 5]), row([-0.4, -0.1, 0.0, 0.1, 0.2]), row([0.0, 0.4, f32::NAN, 0.0, 0.0])];
        let map = Heatmap { values, signed: true, ..map(&TOKENS[..3], 5) };
        let drawn = render(&map, plain(80));
        assert!(
            drawn.contains("-0.4000 [#=- ·+*] 0.4000") && drawn.contains("Largest change: -0.4000 at ␣Eiffel, layer 1"),
            "{drawn}"
        );
        let line = |at: usize| drawn.lines().nth(at).unwrap_or_default();
        assert!(!line(1).contains(['#', '=', '-', '+', '*', '·']), "no difference is blank: {drawn}");
        assert!(line(2).contains("###") && line(3).contains("***") && line(3).contains('?'), "{drawn}");
        // A scale of several maps: what is not wide there looks so.
        let wide = render(&Heatmap { scale: Some([-4.0, 4.0]), ..map }, plain(80));
        assert!(!wide.contains("###") && wide.contains("-4.0000 ["), "{wide}");
    }

    #[test]
    fn a_narrow_screen_condenses_layers() {
        insta::assert_snapshot!(render(&map(&TOKENS, 80), plain(50)));
    }

    #[test]
    fn thirty_layers_on_eighty_columns() {
        insta::assert_snapshot!(render(&map(&TOKENS, 30), plain(80)));
    }

    #[test]
    fn with_colour() {
        let drawn = render(&map(&TOKENS[..3], 3), Screen { width: 40, ink: Ink::Ansi256 });
        insta::assert_snapshot!(drawn.replace('\u{1b}', "ESC"));
    }

    #[test]
    fn lines_stay_inside_the_screen() {
        for layers in [1, 2, 12, 26, 36, 80, 200] {
            for width in [20, 40, 80, 120] {
                let drawn = render(&map(&TOKENS, layers), plain(width));
                let body = drawn.lines().skip(1).take(TOKENS.len() + 1);
                for line in body {
                    assert!(text::width(line) <= width, "{layers} {width}\n{drawn}");
                }
            }
        }
    }

    #[test]
    fn odd_data_never_panics() {
        assert!(render(&Heatmap::default(), plain(80)).contains("no values"));
        let mut odd = map(&TOKENS[..3], 4);
        odd.values[1] = vec![f32::NAN, f32::INFINITY];
        odd.tokens.pop();
        for width in [0, 1, 8, 500] {
            assert!(render(&odd, plain(width)).contains('?'));
        }
        let mut flat = map(&TOKENS[..1], 2);
        flat.values = vec![vec![0.5, 0.5]];
        render(&flat, Screen { width: 30, ink: Ink::True });
        flat.values = vec![vec![f32::NAN; 2]];
        render(&flat, plain(30));
    }
}
