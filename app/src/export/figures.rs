//! Figures: each as SVG, and as PNG for programs that take none.

use super::folder::Folder;
use super::png::Painter;
use engram_core::Result;
use engram_web::print::Picture;

/// Pixels to an SVG unit: sharp in print and on dense screens.
const SCALE: f32 = 2.0;

/// Writes `figures/NAME.svg` and `figures/NAME.png` of each (name, SVG).
///
/// # Errors
/// When one is not SVG, or cannot be written.
pub fn figures(folder: &mut Folder, figures: &[Picture]) -> Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    let painter = Painter::new();
    for Picture { id: name, svg, .. } in figures {
        folder.write(&format!("figures/{name}.svg"), svg.as_bytes())?;
        let png = painter.png(svg, SCALE).map_err(|error| error.at(format!("figure {name}")))?;
        folder.write(&format!("figures/{name}.png"), &png)?;
    }
    Ok(())
}

/// A figure's SVG as PNG, `scale` pixels to its unit.
///
/// # Errors
/// When it is not SVG, or too large.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    Painter::new().png(svg, scale)
}
