//! Cells of a trace as a command line names them: `LAYER`, `LAYER:POSITION` or `LAYER:POSITION:SITE`.

use crate::options::{self, POSITIONS};
use engram_core::protocol::MapSite;
use engram_core::record::{PatchPosition, Unit};
use engram_core::trace::{CellName, CellPlace, CellSite};
use engram_core::{Error, Result};

/// What a cell's name looks like.
const HINT: &str = "write LAYER:POSITION[:SITE]: 12:subject-last, 12:5 (a token of the corrupted prompt, from 0), 12:5:mlp, 12:last-token:head.3, 12:last-token:neuron.7";

/// Parses `--cell`.
pub fn cell(value: &str) -> Result<CellName> {
    let mut parts = value.split(':');
    let layer = options::layer(parts.next().unwrap_or_default()).map_err(|error| error.hint(HINT))?;
    let place = match parts.next() {
        None => CellPlace::Patched(PatchPosition::SubjectLast),
        Some(place) => self::place(place)?,
    };
    let site = parts.next().map_or(Ok(CellSite::Map(MapSite::Residual)), self::site)?;
    match parts.next() {
        None => Ok(CellName { layer: Some(layer), place, site }),
        Some(_) => Err(Error::input("it has more than three parts").hint(HINT)),
    }
}

fn place(value: &str) -> Result<CellPlace> {
    let named = POSITIONS.into_iter().find(|position| position.name() == value).map(CellPlace::Patched);
    let place = named.or_else(|| value.parse().ok().map(CellPlace::Token));
    place.ok_or_else(|| Error::input(format!("`{value}` is neither a patch position nor a token")).hint(HINT))
}

fn site(value: &str) -> Result<CellSite> {
    let unit = |unit: Unit| {
        let number = value.strip_prefix(unit.name())?.strip_prefix('.')?;
        Some(CellSite::Unit(unit, number.parse().ok()?))
    };
    let site = match value {
        "residual" => Some(CellSite::Map(MapSite::Residual)),
        "mlp" => Some(CellSite::Map(MapSite::Mlp)),
        "attention" => Some(CellSite::Map(MapSite::Attention)),
        _ => unit(Unit::Head).or_else(|| unit(Unit::Neuron)),
    };
    site.ok_or_else(|| Error::input(format!("there is no site `{value}`")).hint(HINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_names() {
        let named = |text: &str| cell(text).map(|cell| (cell.layer, cell.place, cell.site)).ok();
        let patched = CellPlace::Patched(PatchPosition::LastToken);
        let residual = CellSite::Map(MapSite::Residual);
        assert_eq!(named("12:last-token"), Some((Some(12), patched, residual)));
        assert_eq!(named("3:0:attention"), Some((Some(3), CellPlace::Token(0), CellSite::Map(MapSite::Attention))));
        let usual = CellPlace::Patched(PatchPosition::SubjectLast);
        assert_eq!(named("1"), Some((Some(1), usual, residual)));
        assert_eq!(named("2:last-token:head.3"), Some((Some(2), patched, CellSite::Unit(Unit::Head, 3))));
        assert_eq!(named("2:last-token:neuron.70"), Some((Some(2), patched, CellSite::Unit(Unit::Neuron, 70))));
        for wrong in [
            "",
            "0",
            "x",
            "1:",
            "1:first",
            "1:-1",
            "1:2:head",
            "1:2:mlp:3",
            ":1",
            "1:2:head.",
            "1:2:head.x",
            "1:2:neuron.-1",
            "1:2:head3",
            "1:2:neurons.3",
            "1:2:",
        ] {
            assert!(cell(wrong).is_err_and(|error| error.next_step() == Some(HINT)), "{wrong}");
        }
    }
}
