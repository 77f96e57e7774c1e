//! The frame of a result page: what is the same in all of them. `cargo xtask web` fills style and viewer in, the printer
//! the rest.

/// The frame as it is written, with marks for everything that comes in.
pub const FRAME: &str = include_str!("../page.html");

/// What a frame is filled with, by its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Which scripts may run.
    Policy,
    /// The program's version.
    Version,
    /// The page's title.
    Title,
    /// Style sheets.
    Style,
    /// The article, for readers without scripting.
    Article,
    /// The packed records.
    Records,
    /// The viewer: its program and the script that starts it.
    Viewer,
}

impl Mark {
    /// How it is written in the frame.
    pub fn text(self) -> &'static str {
        match self {
            Self::Policy => "<!--engram:policy-->",
            Self::Version => "<!--engram:version-->",
            Self::Title => "<!--engram:title-->",
            Self::Style => "<!--engram:style-->",
            Self::Article => "<!--engram:article-->",
            Self::Records => "<!--engram:records-->",
            Self::Viewer => "<!--engram:viewer-->",
        }
    }
}

/// Puts texts where their marks are, in one pass: what comes in is not searched for marks. `None` when a mark is not
/// there exactly once.
pub fn filled(frame: &str, with: &[(Mark, &str)]) -> Option<String> {
    let mut places: Vec<(usize, Mark, &str)> = Vec::new();
    for (mark, text) in with {
        let mut found = frame.match_indices(mark.text());
        let (at, _) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        places.push((at, *mark, text));
    }
    places.sort_by_key(|place| place.0);
    let mut out = String::with_capacity(frame.len() + with.iter().map(|(_, text)| text.len()).sum::<usize>());
    let mut from = 0;
    for (at, mark, text) in places {
        out.push_str(&frame[from..at]);
        out.push_str(text);
        from = at + mark.text().len();
    }
    out.push_str(&frame[from..]);
    Some(out)
}

/// A frame without a viewer, for tests.
#[cfg(test)]
pub(crate) fn bare() -> String {
    let style = concat!(
        include_str!("../tokens.css"),
        "\n",
        include_str!("../style.css"),
        "\n",
        include_str!("../figures.css"),
        "\n",
        include_str!("../article.css")
    );
    filled(FRAME, &[(Mark::Policy, "'none'"), (Mark::Style, style), (Mark::Viewer, "")]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_filled_once_and_only_those_of_the_frame() {
        let filled = |with: &[(Mark, &str)]| super::filled(FRAME, with);
        let page = filled(&[(Mark::Title, "<!--engram:article-->"), (Mark::Article, "text")]);
        let page = page.unwrap_or_default();
        assert!(page.contains("<title><!--engram:article--></title>"), "{page}");
        assert!(page.contains("<main id=\"article\">text</main>"), "{page}");
        assert!(page.contains(Mark::Records.text()));
        assert_eq!(super::filled("no marks", &[(Mark::Title, "x")]), None);
        assert_eq!(super::filled(&FRAME.repeat(2), &[(Mark::Title, "x")]), None);
        let bare = bare();
        assert!(bare.contains("script-src 'none'") && bare.contains("--paper"), "{bare}");
        for mark in [Mark::Title, Mark::Article, Mark::Records, Mark::Version] {
            assert!(bare.contains(mark.text()), "{mark:?}");
        }
    }
}
