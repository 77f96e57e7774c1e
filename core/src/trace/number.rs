//! A number of a trace by name, and what has to be traced for it.

use super::{CellName, CellPlace, CellSite, SecondPass, Units};
use crate::error::{Error, Result};
use crate::load::Model;
use crate::protocol::MapSite;
use crate::record::{PatchPosition, Unit};

/// A number of a trace that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A clean state put back into the corrupted run.
    Cell(CellName),
    /// The ablations of a layer in the clean run, from 1.
    Ablation(usize),
    /// A cell of the second pass: the block of a layer is ablated in the corrupted run, too.
    SecondPass(CellName, usize),
}

impl Number {
    fn cell(&self) -> Option<&CellName> {
        match self {
            Self::Cell(cell) | Self::SecondPass(cell, _) => Some(cell),
            Self::Ablation(_) => None,
        }
    }

    /// The patch position that it is of.
    pub fn position(&self) -> Option<PatchPosition> {
        match self.cell()?.place {
            CellPlace::Patched(position) => Some(position),
            CellPlace::Token(_) => None,
        }
    }

    /// The maps have it.
    pub fn needs_maps(&self) -> bool {
        matches!(self, Self::Cell(cell) if cell.needs_maps())
    }

    /// The heads or neurons that have to be traced for it.
    pub fn units(&self) -> Option<Units> {
        self.cell().and_then(CellName::units)
    }

    /// The second pass that it is of.
    pub fn second_pass(&self) -> SecondPass {
        match (self, self.position()) {
            (Self::SecondPass(_, ablated), Some(position)) => SecondPass::Of(vec![(position, *ablated)]),
            _ => SecondPass::Of(Vec::new()),
        }
    }

    /// Refuses what no trace has, before anything is computed.
    ///
    /// # Errors
    /// When heads or neurons are put back at a token, or the second pass has no such cell.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Cell(CellName { site: CellSite::Unit(unit, _), place: CellPlace::Token(_), .. }) => {
                Err(Error::input(format!("a single {} is put back at a patch position, not at a token", unit.name()))
                    .hint("name subject-last, last-token or same-index instead of the token"))
            }
            Self::SecondPass(cell, ablated) if cell.layer == Some(*ablated) => Err(Error::input(format!(
                "block {ablated} is ablated, and the clean state is put back after another one"
            ))
            .hint("name two different layers")),
            Self::SecondPass(
                CellName { site: CellSite::Map(MapSite::Residual), place: CellPlace::Patched(_), .. },
                _,
            )
            | Self::Cell(_)
            | Self::Ablation(_) => Ok(()),
            Self::SecondPass(..) => {
                Err(Error::input("with a block ablated, only the residual stream is put back, and at a patch position")
                    .hint("write LAYER:POSITION with subject-last, last-token or same-index, and no site"))
            }
        }
    }

    /// Refuses layers, heads and neurons that a model does not have.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn fits(&self, model: &Model) -> Result<()> {
        let layers = model.layers();
        let ablated = match self {
            Self::Ablation(layer) | Self::SecondPass(_, layer) => Some(*layer),
            Self::Cell(_) => None,
        };
        let named = [self.cell().and_then(|cell| cell.layer), ablated];
        if let Some(layer) = named.into_iter().flatten().find(|layer| !(1..=layers).contains(layer)) {
            return Err(Error::input(format!("layer {layer} does not exist"))
                .hint(format!("layers are numbered 1 to {layers}")));
        }
        let Some(CellSite::Unit(unit, number)) = self.cell().map(|cell| cell.site) else { return Ok(()) };
        let count = match unit {
            Unit::Head => model.net.heads(1).count,
            Unit::Neuron => model.net.shape.ff,
        };
        if number < count {
            return Ok(());
        }
        let name = unit.name();
        Err(Error::input(format!("a layer of the model has {count} {name}s, and no {name} {number}"))
            .hint(format!("{name}s are numbered 0 to {}", count - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(layer: usize, place: CellPlace, site: CellSite) -> CellName {
        CellName { layer: Some(layer), place, site }
    }

    #[test]
    fn what_no_trace_has_is_refused() {
        let (last, token) = (CellPlace::Patched(PatchPosition::LastToken), CellPlace::Token(3));
        let (residual, mlp) = (CellSite::Map(MapSite::Residual), CellSite::Map(MapSite::Mlp));
        let head = CellSite::Unit(Unit::Head, 0);
        for good in [
            Number::Cell(cell(1, token, mlp)),
            Number::Cell(cell(1, last, head)),
            Number::Ablation(1),
            Number::SecondPass(cell(1, last, residual), 2),
        ] {
            assert!(good.check().is_ok(), "{good:?}");
        }
        for bad in [
            Number::Cell(cell(1, token, head)),
            Number::SecondPass(cell(2, last, residual), 2),
            Number::SecondPass(cell(1, token, residual), 2),
            Number::SecondPass(cell(1, last, mlp), 2),
            Number::SecondPass(cell(1, last, head), 2),
        ] {
            assert!(bad.check().is_err_and(|error| error.next_step().is_some()), "{bad:?}");
        }
    }

    #[test]
    fn only_what_is_needed_is_traced() {
        let last = CellPlace::Patched(PatchPosition::LastToken);
        let residual = cell(1, last, CellSite::Map(MapSite::Residual));
        let neuron = Number::Cell(cell(1, last, CellSite::Unit(Unit::Neuron, 7)));
        assert_eq!((neuron.units(), neuron.needs_maps()), (Some(Units::Neurons(7..8)), false));
        assert!(Number::Cell(cell(1, last, CellSite::Map(MapSite::Mlp))).needs_maps());
        let second = Number::SecondPass(residual, 2);
        assert_eq!(second.second_pass(), SecondPass::Of(vec![(PatchPosition::LastToken, 2)]));
        assert_eq!(Number::Ablation(2).second_pass(), SecondPass::Of(Vec::new()));
        assert_eq!((second.position(), Number::Ablation(2).position()), (Some(PatchPosition::LastToken), None));
    }
}
