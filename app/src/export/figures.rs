//! Figures: each as SVG, and as PNG for programs that take none.

use super::folder::Folder;
use super::png::Painter;
use engram_core::Result;

/// Pixels to an SVG unit: sharp in print and on dense screens.
const SCALE: f32 = 2.0;

/// Writes `figures/NAME.svg` and `figures/NAME.png` of each (name, SVG).
///
/// # Errors
/// When one is not SVG, or cannot be written.
pub fn figures(folder: &mut Folder, figures: &[(String, String)]) -> Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    let painter = Painter::new();
    for (name, svg) in figures {
        folder.write(&format!("figures/{name}.svg"), svg.as_bytes())?;
        let png = painter.png(svg, SCALE).map_err(|error| error.at(format!("figure {name}")))?;
        folder.write(&format!("figures/{name}.png"), &png)?;
    }
    Ok(())
}
