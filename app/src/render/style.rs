//! Colours, and what the screen can show. Nothing is said by colour alone.

use anstyle::{Ansi256Color, AnsiColor, Color, RgbColor, Style};

/// How much colour may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// No escape sequences at all.
    None,
    /// The 256-colour palette.
    Ansi256,
    /// 24-bit colour.
    True,
}

/// What text is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Colours.
    pub ink: Ink,
}

/// Meanings that have a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Headings.
    Heading,
    /// What matters most: the dominant layer.
    Strong,
    /// Values below zero.
    Negative,
    /// Ordinary bars.
    Bar,
    /// Notes beside the point.
    Faint,
    /// Success.
    Good,
    /// Something to look at.
    Warning,
    /// Failure.
    Bad,
    /// Hints and paths.
    Hint,
}

impl Tone {
    /// The terminal style of a meaning; the palette is Okabe and Ito's, safe for colour-blind readers.
    pub fn style(self) -> Style {
        let palette = |index: u8| Style::new().fg_color(Some(Color::Ansi256(Ansi256Color(index))));
        let ansi = |color: AnsiColor| Style::new().fg_color(Some(Color::Ansi(color)));
        match self {
            Self::Heading => Style::new().bold(),
            Self::Strong => palette(208).bold(),
            Self::Negative => palette(175),
            Self::Bar => palette(74),
            Self::Faint => Style::new().dimmed(),
            Self::Good => ansi(AnsiColor::Green),
            Self::Warning => ansi(AnsiColor::Yellow).bold(),
            Self::Bad => ansi(AnsiColor::Red).bold(),
            Self::Hint => ansi(AnsiColor::Cyan),
        }
    }
}

impl Screen {
    /// Text in a tone, or as it is where there is no colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        self.styled(tone.style(), text)
    }

    /// Text in any style, or as it is where there is no colour.
    pub fn styled(self, style: Style, text: &str) -> String {
        if self.ink == Ink::None || text.is_empty() { text.to_owned() } else { format!("{style}{text}{style:#}") }
    }

    /// A colour as this screen can show it; `None` where it shows none.
    pub fn color(self, rgb: [u8; 3]) -> Option<Color> {
        match self.ink {
            Ink::None => None,
            Ink::Ansi256 => Some(Color::Ansi256(Ansi256Color(nearest_in_cube(rgb)))),
            Ink::True => Some(Color::Rgb(RgbColor(rgb[0], rgb[1], rgb[2]))),
        }
    }
}

/// The viridis scale (Smith and van der Walt 2015) at eight even steps.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The colour of a share in `0..=1`, dark to bright.
pub fn viridis(share: f32) -> [u8; 3] {
    let steps = VIRIDIS.len() - 1;
    let place = share.clamp(0.0, 1.0) * steps as f32;
    let low = (place as usize).min(steps - 1);
    let part = place - low as f32;
    std::array::from_fn(|channel| {
        let (from, to) = (f32::from(VIRIDIS[low][channel]), f32::from(VIRIDIS[low + 1][channel]));
        (from + (to - from) * part).round() as u8
    })
}

/// Index of the nearest colour in the palette's 6 × 6 × 6 cube.
fn nearest_in_cube(rgb: [u8; 3]) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let level = |value: u8| {
        let distance = |index: &u8| (LEVELS[usize::from(*index)] - i32::from(value)).abs();
        (0u8..6).min_by_key(distance).unwrap_or(0)
    };
    16 + 36 * level(rgb[0]) + 6 * level(rgb[1]) + level(rgb[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_where_viridis_does() {
        assert_eq!(viridis(-1.0), [68, 1, 84]);
        assert_eq!(viridis(1.0), [253, 231, 37]);
        assert_eq!(viridis(0.5), [33, 144, 141]);
    }

    #[test]
    fn the_scale_grows_brighter() {
        let light = |share: f32| {
            let [r, g, b] = viridis(share).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((1..=100).all(|i| light(i as f32 / 100.0) > light((i - 1) as f32 / 100.0)));
    }

    #[test]
    fn colours_fall_on_the_cube() {
        assert_eq!(nearest_in_cube([0, 0, 0]), 16);
        assert_eq!(nearest_in_cube([255, 255, 255]), 231);
        assert_eq!(nearest_in_cube([94, 0, 176]), 16 + 36 + 3);
    }

    #[test]
    fn no_ink_means_no_escapes() {
        let screen = Screen { width: 80, ink: Ink::None };
        assert_eq!(screen.paint(Tone::Bad, "x"), "x");
        let screen = Screen { width: 80, ink: Ink::Ansi256 };
        assert_eq!(screen.paint(Tone::Heading, "x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
