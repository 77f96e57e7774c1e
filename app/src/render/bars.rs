//! Horizontal bars, one row a layer and one column a measurement; the columns of a chart share one scale.

use super::style::{Screen, Tone};
use super::text;

/// Marks the dominant layer, also where there is no colour.
const MARK: &str = "◀";
/// Narrowest bar area that still shows a shape.
const NARROWEST: usize = 8;
/// Widest bar area; longer bars add no precision that a reader could use.
const WIDEST: usize = 48;
/// Between two columns.
const GAP: &str = "  ";

/// Several measurements of the same layers.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// What is measured, with its unit.
    pub title: String,
    /// The measurements.
    pub columns: Vec<Column>,
    /// The bars' scale reaches at least so far.
    pub least: f32,
}

/// One measurement.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Value of layer `l` at `l - 1`; a value that is not a number is drawn as `?`.
    pub values: Vec<f32>,
    /// The layer to point at, `1..=L`.
    pub mark: Option<usize>,
}

/// Where zero lies and how much a column of characters is worth.
struct Scale {
    left: usize,
    right: usize,
    unit: f32,
}

impl Scale {
    fn new(columns: &[Column], least: f32, area: usize) -> Self {
        let finite = || columns.iter().flat_map(|c| &c.values).copied().filter(|v| v.is_finite());
        let high = finite().fold(least, f32::max);
        let low = finite().fold(0f32, f32::min);
        let span = high - low;
        if span <= 0.0 {
            return Self { left: 0, right: area, unit: f32::INFINITY };
        }
        // The axis itself takes a column where there are bars on both of its sides.
        let left = if low < 0.0 {
            let share = (area - 1) as f32 * -low / span;
            (share.round() as usize).clamp(1, area - 2)
        } else {
            0
        };
        let right = area - left - usize::from(left > 0);
        let mut unit = high / right as f32;
        if left > 0 {
            unit = unit.max(-low / left as f32);
        }
        Self { left, right, unit }
    }

    /// The bar, `left + axis + right` columns wide.
    fn bar(&self, value: f32, screen: Screen, tone: Tone) -> String {
        if !value.is_finite() {
            return text::pad("?", self.left + usize::from(self.left > 0) + self.right);
        }
        let eighths = (value.abs() / self.unit * 8.0).round() as usize;
        let (negative, positive) = if value < 0.0 {
            (leftward(eighths, self.left), String::new())
        } else {
            (String::new(), rightward(eighths, self.right))
        };
        let axis = if self.left > 0 { "│" } else { "" };
        let space = " ".repeat(self.right - text::width(&positive));
        format!(
            "{}{}{axis}{}{space}",
            " ".repeat(self.left - text::width(&negative)),
            screen.paint(Tone::Negative, &negative),
            screen.paint(tone, &positive),
        )
    }
}

/// A bar that grows to the right, in eighths of a character.
fn rightward(eighths: usize, room: usize) -> String {
    const PART: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = eighths.min(room * 8);
    format!("{}{}", "█".repeat(eighths / 8), PART[eighths % 8])
}

/// A bar that grows to the left. Fonts have only two right-hand blocks: one eighth and one half.
fn leftward(eighths: usize, room: usize) -> String {
    let eighths = eighths.min(room * 8);
    let part = match eighths % 8 {
        0 => "",
        1..=2 => "▕",
        3..=5 => "▐",
        // Rounded up where there is room for it.
        _ => "█",
    };
    format!("{part}{}", "█".repeat(eighths / 8))
}

/// Draws a chart, in several blocks one under the other where the columns do not fit beside each other.
pub fn render(chart: &Chart, screen: Screen) -> String {
    let layers = chart.columns.iter().map(|c| c.values.len()).max().unwrap_or(0);
    let mut out = vec![screen.paint(Tone::Heading, &text::wrap(&chart.title, screen.width))];
    if layers == 0 {
        out.push("  no layers".into());
        return out.join("\n");
    }
    let label = layers.to_string().len().max("layer".len());
    let number = widest_number(&chart.columns);
    // A bar area, a space, its number, a space, the mark.
    let fixed = GAP.len() + 1 + number + 2;
    let room = screen.width.saturating_sub(label);
    let beside = (room / (fixed + NARROWEST)).clamp(1, chart.columns.len());
    let area = (room / beside).saturating_sub(fixed).clamp(NARROWEST, WIDEST);
    let scale = Scale::new(&chart.columns, chart.least, area);

    for (block, columns) in chart.columns.chunks(beside).enumerate() {
        if block > 0 {
            out.push(String::new());
        }
        let mut head = text::pad_left("layer", label);
        for column in columns {
            let name = text::truncate(&column.name, area + 1 + number + 2);
            head.push_str(GAP);
            head.push_str(&text::pad(&name, area + 1 + number + 2));
        }
        out.push(screen.paint(Tone::Faint, head.trim_end()));
        for layer in 1..=layers {
            let mut line = text::pad_left(&layer.to_string(), label);
            for column in columns {
                line.push_str(GAP);
                line.push_str(&cell(column, layer, &scale, number, screen));
            }
            out.push(line.trim_end().to_owned());
        }
    }
    out.join("\n")
}

fn widest_number(columns: &[Column]) -> usize {
    let values = columns.iter().flat_map(|c| &c.values);
    values.map(|value| text::width(&text::number(*value))).max().unwrap_or(6)
}

fn cell(column: &Column, layer: usize, scale: &Scale, number: usize, screen: Screen) -> String {
    let Some(&value) = column.values.get(layer - 1) else {
        return " ".repeat(scale.left + usize::from(scale.left > 0) + scale.right + number + 3);
    };
    let marked = column.mark == Some(layer);
    let tone = if marked { Tone::Strong } else { Tone::Bar };
    let shown = if value.is_finite() { text::number(value) } else { "?".into() };
    let shown = text::pad_left(&shown, number);
    let shown = if marked { screen.paint(Tone::Strong, &shown) } else { shown };
    let mark = if marked { screen.paint(Tone::Strong, MARK) } else { " ".into() };
    format!("{} {shown} {mark}", scale.bar(value, screen, tone))
}

#[cfg(test)]
mod tests {
    use super::super::style::Ink;
    use super::*;

    const PLAIN: Screen = Screen { width: 60, ink: Ink::None };

    fn chart(columns: &[(&str, &[f32], Option<usize>)]) -> Chart {
        let column = |(name, values, mark): &(&str, &[f32], Option<usize>)| Column {
            name: (*name).into(),
            values: values.to_vec(),
            mark: *mark,
        };
        Chart { least: 0.0, title: "Sufficiency".into(), columns: columns.iter().map(column).collect() }
    }

    #[test]
    fn one_column() {
        let chart = chart(&[("subject-last", &[0.0, 0.01, 0.25, 0.5, 0.125], Some(4))]);
        insta::assert_snapshot!(render(&chart, PLAIN));
    }

    #[test]
    fn negative_values_lie_left_of_the_axis() {
        let chart =
            chart(&[("attention", &[0.1, -0.05, 0.0, -0.2], Some(1)), ("mlp", &[-0.01, 0.3, 0.2, f32::NAN], Some(2))]);
        insta::assert_snapshot!(render(&chart, PLAIN));
    }

    #[test]
    fn columns_that_do_not_fit_follow_below() {
        let values: &[f32] = &[0.1, 0.9];
        let chart = chart(&[("one", values, None), ("two", values, None), ("three", values, None)]);
        insta::assert_snapshot!(render(&chart, Screen { width: 48, ink: Ink::None }));
    }

    #[test]
    fn colours_mark_the_dominant_layer() {
        let chart = chart(&[("s", &[0.5, 1.0, -0.5], Some(2))]);
        let drawn = render(&chart, Screen { width: 40, ink: Ink::Ansi256 });
        insta::assert_snapshot!(drawn.replace('\u{1b}', "ESC"));
    }

    #[test]
    fn odd_data_never_panics() {
        let zero = chart(&[("zero", &[0.0, 0.0], None)]);
        assert!(!render(&zero, PLAIN).contains('█'));
        assert!(render(&chart(&[]), PLAIN).contains("no layers"));
        let uneven = chart(&[("a", &[1.0], None), ("b", &[-1.0, f32::INFINITY, 1e-20], None)]);
        for width in [0, 1, 10, 20, 41, 500] {
            render(&uneven, Screen { width, ink: Ink::True });
        }
    }

    #[test]
    fn lines_stay_inside_the_screen() {
        let values: Vec<f32> = (0..32).map(|i| (i as f32 * 0.7).sin()).collect();
        let chart = chart(&[("a", &values, Some(3)), ("b", &values, None), ("c", &values, None)]);
        for width in [40, 60, 80, 100, 120, 200] {
            let drawn = render(&chart, Screen { width, ink: Ink::None });
            assert!(drawn.lines().all(|line| text::width(line) <= width), "{width}\n{drawn}");
        }
    }
}
