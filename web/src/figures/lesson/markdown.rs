//! The little Markdown that a lesson's texts need: paragraphs, lists, bold, emphasis, code, and values in braces.
//!
//! A whole CommonMark parser (pulldown-cmark without its HTML) would add 71 kB to what the page weighs after gzip, more than
//! the lessons themselves.

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// As the rest.
    #[default]
    Plain,
    /// `**bold**`.
    Strong,
    /// `*emphasis*`.
    Emphasis,
    /// `` `code` ``.
    Code,
    /// The subject, filled in.
    Subject,
    /// The true answer, filled in.
    Answer,
    /// The new answer, filled in.
    New,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text; of a value what stands between the braces.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// It is `{a value}`, to be filled in.
    pub value: bool,
}

/// A paragraph, or an item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// It is an item.
    pub item: bool,
    /// Where it begins, from 1.
    pub line: usize,
    /// Its text.
    pub pieces: Vec<Piece>,
}

/// Lines that belong together, before they are read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    blocks: Vec<(usize, bool, String)>,
    open: bool,
}

impl Gathered {
    /// Takes a line in.
    pub(super) fn take(&mut self, number: usize, line: &str) {
        let line = line.trim();
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        match (line.is_empty(), item) {
            (true, _) => self.open = false,
            (_, Some(text)) => {
                self.blocks.push((number, true, text.to_owned()));
                self.open = true;
            }
            _ if self.open => {
                if let Some((.., text)) = self.blocks.last_mut() {
                    text.push(' ');
                    text.push_str(line);
                }
            }
            _ => {
                self.blocks.push((number, false, line.to_owned()));
                self.open = true;
            }
        }
    }

    /// The blocks; an error is the line of one whose marks do not close.
    pub(super) fn read(self) -> Result<Vec<Block>, (usize, String)> {
        let block = |(line, item, text): (usize, bool, String)| {
            pieces(&text).map(|pieces| Block { item, line, pieces }).map_err(|why| (line, why))
        };
        self.blocks.into_iter().map(block).collect()
    }
}

/// A text in pieces.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut all, mut plain, mut style) = (Vec::new(), String::new(), Style::Plain);
    let mut rest = text;
    let flush = |plain: &mut String, style: Style, all: &mut Vec<Piece>| {
        if !plain.is_empty() {
            all.push(Piece { text: std::mem::take(plain), style, value: false });
        }
    };
    while let Some(next) = rest.chars().next() {
        let (mark, turned) = match next {
            '`' => ("`", Style::Code),
            '*' if rest.starts_with("**") => ("**", Style::Strong),
            '*' => ("*", Style::Emphasis),
            _ => ("", Style::Plain),
        };
        if !mark.is_empty() && (style == turned || (style == Style::Plain && rest[mark.len()..].contains(mark))) {
            flush(&mut plain, style, &mut all);
            style = if style == turned { Style::Plain } else { turned };
            rest = &rest[mark.len()..];
        } else if next == '{' && style != Style::Code {
            let (name, after) = rest[1..].split_once('}').ok_or("a `{` has no `}`; write both, or neither")?;
            flush(&mut plain, style, &mut all);
            all.push(Piece { text: name.trim().to_owned(), style, value: true });
            rest = after;
        } else {
            plain.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    flush(&mut plain, style, &mut all);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let one = |piece: Piece| {
            let kind = ["", "b:", "i:", "c:"][piece.style as usize];
            format!("[{kind}{}{}]", if piece.value { "=" } else { "" }, piece.text)
        };
        pieces(text).map_or_else(|why| why, |all| all.into_iter().map(one).collect())
    }

    #[test]
    fn marks_and_values() {
        assert_eq!(told("a **b {x.1}** *c* `{d}`"), "[a ][b:b ][b:=x.1][ ][i:c][ ][c:{d}]");
        assert_eq!(told("2 * 3 is { clean }."), "[2 * 3 is ][=clean][.]");
        assert!(told("an {open one").contains("has no `}`"));
    }

    #[test]
    fn lines_become_paragraphs_and_items() {
        let mut gathered = Gathered::default();
        for (at, line) in ["one", "two", "", "- three", "  more", "- four", "", "five"].into_iter().enumerate() {
            gathered.take(at + 1, line);
        }
        let blocks = gathered.read().expect("no marks are open");
        let seen: Vec<_> = blocks.iter().map(|block| (block.line, block.item, block.pieces[0].text.as_str())).collect();
        assert_eq!(seen, [(1, false, "one two"), (4, true, "three more"), (6, true, "four"), (8, false, "five")]);
    }
}
