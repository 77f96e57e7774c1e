//! An SVG as PNG. Texts are set in fonts that are part of the program, never in the machine's: a picture is the same
//! everywhere, also where there are no fonts.

use engram_core::{Error, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{FontResolver, ImageHrefResolver, Options, Tree, fontdb};
use std::sync::Arc;

/// Most pixels of a picture: 64 million take 256 MB.
const MOST_PIXELS: f32 = 64e6;

/// Fonts, and what an SVG may bring in.
pub struct Painter(Options<'static>);

impl Painter {
    /// With the program's own fonts.
    pub fn new() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
        fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
        let family = |at: usize| {
            let face = fonts.faces().nth(at);
            face.and_then(|face| face.families.first()).map(|(name, _)| name.clone()).unwrap_or_default()
        };
        let (text, code) = (family(0), family(1));
        fonts.set_sans_serif_family(&text);
        // What an unknown family falls back to.
        fonts.set_serif_family(&text);
        fonts.set_cursive_family(&text);
        fonts.set_fantasy_family(&text);
        fonts.set_monospace_family(&code);
        let mut options = Options { font_family: text, fontdb: Arc::new(fonts), ..Options::default() };
        // Font after font, whether it has the sign or not: the default gives up on a whole text at the first sign that no
        // font has.
        options.font_resolver = FontResolver {
            select_font: FontResolver::default_font_selector(),
            select_fallback: Box::new(|_, used, fonts| fonts.faces().map(|face| face.id).find(|id| !used.contains(id))),
        };
        // A picture names no other files.
        options.image_href_resolver =
            ImageHrefResolver { resolve_data: Box::new(|_, _, _| None), resolve_string: Box::new(|_, _| None) };
        Self(options)
    }

    /// Draws an SVG, `scale` pixels to its unit, as a PNG file.
    ///
    /// # Errors
    /// When it is not SVG or too large.
    pub fn png(&self, svg: &str, scale: f32) -> Result<Vec<u8>> {
        let pixmap = self.pixmap(svg, scale)?;
        pixmap.encode_png().map_err(|error| Error::io(format!("png: {error}")))
    }

    fn pixmap(&self, svg: &str, scale: f32) -> Result<Pixmap> {
        // Visible space and line end of tokens, in the nearest signs that the fonts have.
        let svg = svg.replace('␣', "▁").replace('⏎', "↵");
        let tree = Tree::from_str(&svg, &self.0).map_err(|error| Error::input(format!("not an SVG: {error}")))?;
        let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
        let large = || Error::input(format!("a picture of {width} × {height} pixels is too large"));
        if width * height > MOST_PIXELS {
            return Err(large());
        }
        let mut pixmap = Pixmap::new(width.ceil() as u32, height.ceil() as u32).ok_or_else(large)?;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
        Ok(pixmap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="100" height="40">"##;

    /// Dark pixels of a part of a picture: columns, then rows.
    fn dark(pixmap: &Pixmap, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) -> usize {
        let cells = rows.flat_map(|row| columns.clone().map(move |column| (column, row)));
        let is_dark = |(column, row)| pixmap.pixel(column, row).is_some_and(|p| p.alpha() > 128 && p.red() < 128);
        cells.filter(|&cell| is_dark(cell)).count()
    }

    fn drawn(inner: &str) -> Pixmap {
        let svg = format!("{HEAD}<rect width=\"100\" height=\"40\" fill=\"white\"/>{inner}</svg>");
        Painter::new().pixmap(&svg, 2.0).expect("a picture")
    }

    #[test]
    fn text_is_drawn_where_it_stands() {
        for family in ["system-ui, sans-serif", "No Such Font", "monospace", "serif"] {
            let text = format!("<text x=\"50\" y=\"30\" font-size=\"20\" font-family=\"{family}\">Δl*</text>");
            let picture = drawn(&text);
            assert_eq!((picture.width(), picture.height()), (200, 80));
            assert!(dark(&picture, 100..160, 25..65) > 100, "{family}");
            assert_eq!(dark(&picture, 0..95, 0..80), 0, "{family}: nothing beside it");
        }
        assert_eq!(dark(&drawn(""), 0..200, 0..80), 0);
    }

    /// One sign that no font has must not take the others' fallback away, and the visible space of tokens is drawn.
    #[test]
    fn signs_come_from_whichever_font_has_them() {
        let line = |text: &str| {
            let text = format!("<text x=\"2\" y=\"30\" font-size=\"20\" font-family=\"sans-serif\">{text}</text>");
            drawn(&text)
        };
        let same = |one: &str, other: &str| line(one).data() == line(other).data();
        assert!(same("␣a", "▁a") && !same("␣a", "□a"));
        assert!(!same("東■", "東□") && !same("東→", "東■"));
    }

    #[test]
    fn what_is_not_a_picture_is_refused() {
        let painter = Painter::new();
        assert!(painter.png("no svg", 1.0).is_err());
        let huge = r##"<svg xmlns="http://www.w3.org/2000/svg" width="1000000" height="1000000"/>"##;
        assert!(painter.png(huge, 2.0).is_err_and(|error| error.message().contains("too large")));
        assert!(painter.png(&format!("{HEAD}</svg>"), 2.0).is_ok_and(|png| png.starts_with(b"\x89PNG")));
    }

    /// A picture that names a file of the machine stays without it.
    #[test]
    fn nothing_is_read_from_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("black.svg");
        std::fs::write(&inner, format!("{HEAD}<rect width=\"100\" height=\"40\"/></svg>")).expect("written");
        let href = inner.display();
        let picture = drawn(&format!("<image width=\"100\" height=\"40\" href=\"{href}\"/>"));
        assert_eq!(dark(&picture, 0..200, 0..80), 0);
    }
}
