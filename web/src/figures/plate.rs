//! A figure as one picture that stands alone: its charts side by side under its title, with the style that they need.

use super::sheet;
use std::fmt::Write as _;

/// Widest picture, in pixels.
const WIDTH: f64 = 1080.0;
/// Around the picture and between its charts.
const GAP: f64 = 20.0;
/// Height of a line of text.
const LINE: f64 = 18.0;
/// Width of a letter of the captions, roughly.
const LETTER: f64 = 7.2;

/// A chart of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece {
    /// What stands above it and those that follow, as plain text; they begin a row of their own.
    pub heading: String,
    /// Its caption, as plain text.
    pub caption: String,
    /// What stands to its right, as plain text: the name beside a mark.
    pub label: String,
    /// The `<svg>` element.
    pub svg: String,
    /// Its width and height.
    pub size: (f64, f64),
}

/// The charts within a figure's HTML, as our own views write it.
pub fn pieces(html: &str) -> Vec<Piece> {
    let (mut found, mut rest) = (Vec::<Piece>::new(), html);
    let (mut heading, mut caption) = (String::new(), String::new());
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(text) = rest.strip_prefix("<figcaption>").and_then(|rest| rest.split_once("</figcaption>")) {
            caption = plain(text.0);
            rest = text.1;
        } else if let Some((name, after)) = rest.strip_prefix("<h3").and_then(|rest| rest.split_once("</h3>")) {
            heading = plain(name.split_once('>').map_or("", |(_, name)| name));
            rest = after;
        } else if let Some(end) = rest.strip_prefix("<svg").and_then(|_| rest.find("</svg>")) {
            let (svg, after) = rest.split_at(end + "</svg>".len());
            let item = after.split_once("</li>").map(|(label, _)| label).filter(|label| !label.contains('<'));
            let label = item.map(plain).unwrap_or_default();
            if let Some(size) = attribute(svg, "width").zip(attribute(svg, "height")) {
                let (heading, caption) = (std::mem::take(&mut heading), std::mem::take(&mut caption));
                found.push(Piece { heading, caption, label, svg: svg.to_owned(), size });
            }
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    found
}

/// A number of the first tag.
fn attribute(element: &str, name: &str) -> Option<f64> {
    let tag = element.split_once('>')?.0;
    let value = tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    value.parse().ok().filter(|length: &f64| length.is_finite() && *length > 0.0)
}

/// HTML's text without its tags and references.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&nbsp;", "\u{a0}"), ("&amp;", "&")];
    pairs.iter().fold(text, |text, (from, to)| text.replace(from, to)).trim().to_owned()
}

/// A text within XML.
fn escaped(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().filter(allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One picture of all charts, in the light colours of the page; `None` without a chart.
pub fn picture(title: &str, pieces: &[Piece]) -> Option<String> {
    let (mut body, mut x, mut y, mut row) = (String::new(), GAP, GAP + LINE + 10.0, 0.0f64);
    let mut right = title.chars().count() as f64 * LETTER + GAP;
    for piece in pieces {
        let head = if piece.caption.is_empty() { 0.0 } else { LINE + 4.0 };
        let beside = if piece.label.is_empty() { 0.0 } else { 6.0 + piece.label.chars().count() as f64 * LETTER };
        let (width, height) = (piece.size.0 + beside, piece.size.1 + head);
        if x > GAP && (x + width > WIDTH - GAP || !piece.heading.is_empty()) {
            (x, y, row) = (GAP, y + row + GAP, 0.0);
        }
        if !piece.heading.is_empty() {
            let heading = escaped(&piece.heading);
            let _ = write!(
                body,
                "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"13\" font-weight=\"600\">{heading}</text>",
                y + 13.0
            );
            right = right.max(x + piece.heading.chars().count() as f64 * LETTER * 1.1);
            y += LINE + 8.0;
        }
        if head > 0.0 {
            let caption = escaped(&piece.caption);
            let _ = write!(body, "<text x=\"{x:.1}\" y=\"{:.1}\" font-weight=\"600\">{caption}</text>", y + 13.0);
        }
        let svg = piece.svg.replace("<!>", "").replace("&nbsp;", "&#160;");
        let svg = svg.strip_prefix("<svg").unwrap_or(&svg);
        let _ = write!(body, "<svg x=\"{x:.1}\" y=\"{:.1}\"{svg}", y + head);
        if beside > 0.0 {
            let (left, base) = (x + piece.size.0 + 6.0, y + head + piece.size.1 / 2.0 + 4.0);
            let _ = write!(body, "<text x=\"{left:.1}\" y=\"{base:.1}\">{}</text>", escaped(&piece.label));
        }
        right = right.max(x + width);
        (x, row) = (x + width + GAP, row.max(height));
    }
    if pieces.is_empty() {
        return None;
    }
    let (width, height) = (right + GAP, y + row + GAP);
    let (style, title, paper) = (sheet::light(sheet::FIGURES), escaped(title), sheet::colour("--paper"));
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\"><style>{style}</style>\
         <rect width=\"100%\" height=\"100%\" fill=\"{paper}\"/>\
         <text x=\"{GAP}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"600\">{title}</text>{body}</svg>\n",
        GAP + 13.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<ul><li><svg aria-hidden=\"true\" width=\"34\" height=\"14\"><g></g></svg>a &amp; b</li></ul>\
        <h3 class=\"study\">Of <i>all</i></h3><figure><figcaption>One <b>&lt;two&gt;</b></figcaption><div><svg role=\"img\" width=\"1000\" height=\"100\">\
        <text>x<!>&nbsp;y</text></svg></div><p>3 &lt; 4</p></figure><svg><g></g></svg>";

    #[test]
    fn charts_are_found_with_their_captions() {
        let found = pieces(HTML);
        assert_eq!(found.len(), 2, "the one without a size is no chart: {found:?}");
        assert_eq!((found[0].label.as_str(), found[0].caption.as_str(), found[0].size), ("a & b", "", (34.0, 14.0)));
        assert_eq!((found[1].label.as_str(), found[1].caption.as_str()), ("", "One <two>"));
        assert_eq!((found[0].heading.as_str(), found[1].heading.as_str()), ("", "Of all"));
        assert!(pieces("<svg width=\"x\" height=\"1\"></svg><figcaption>").is_empty());
    }

    #[test]
    fn a_picture_stands_alone() {
        let picture = picture("Figure <2>", &pieces(HTML)).unwrap_or_default();
        assert!(picture.starts_with("<svg xmlns=") && picture.contains("Figure &lt;2&gt;"), "{picture}");
        assert!(picture.contains("One &lt;two&gt;") && picture.contains("a &amp; b"), "{picture}");
        for gone in ["var(", "<!>", "&nbsp;", "color-mix"] {
            assert!(!picture.contains(gone), "{gone} in {picture}");
        }
        // The wide chart does not fit beside the mark.
        assert!(picture.contains("<svg x=\"20.0\" y=\"48.0\" aria-hidden"), "{picture}");
        assert!(picture.contains("y=\"95.0\" font-size=\"13\" font-weight=\"600\">Of all<"), "{picture}");
        assert!(picture.contains("<svg x=\"20.0\" y=\"130.0\" role"), "{picture}");
        assert_eq!(super::picture("nothing", &[]), None);
    }
}
