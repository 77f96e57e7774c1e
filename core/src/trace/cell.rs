//! One cell of a trace by name: what is put back where, and what it restored.

use super::cells::positions;
use super::maps::{aligned, window};
use super::{TokenizedFact, Units};
use crate::error::{Error, Result};
use crate::protocol::MapSite;
use crate::record::{Maps, PatchPosition, Settings, Traced, Unit};
use std::ops::RangeInclusive;

/// Where a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellPlace {
    /// At a patch position.
    Patched(PatchPosition),
    /// At a token of the corrupted prompt, from 0.
    Token(usize),
}

/// What a cell puts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellSite {
    /// What a map does.
    Map(MapSite),
    /// The output of a single head or neuron, by its number within the layer, from 0.
    Unit(Unit, usize),
}

/// A cell that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellName {
    /// The layer, from 1; without one, where the probability is highest.
    pub layer: Option<usize>,
    /// Where.
    pub place: CellPlace,
    /// What is put back.
    pub site: CellSite,
}

/// A cell as it was computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The layers whose activations are put back.
    pub layers: RangeInclusive<usize>,
    /// The position in the clean prompt, and the one in the corrupted prompt.
    pub positions: [usize; 2],
    /// The answer's probability.
    pub p: f32,
}

impl CellName {
    /// Only the maps have it: Stage 1 puts back the residual stream at patch positions.
    pub fn needs_maps(&self) -> bool {
        match self.site {
            CellSite::Map(MapSite::Residual) => !matches!(self.place, CellPlace::Patched(_)),
            CellSite::Map(_) => true,
            CellSite::Unit(..) => false,
        }
    }

    /// The heads or neurons that have to be traced for it.
    pub fn units(&self) -> Option<Units> {
        match self.site {
            CellSite::Map(_) => None,
            CellSite::Unit(Unit::Head, _) => Some(Units::Heads),
            CellSite::Unit(Unit::Neuron, number) => Some(Units::Neurons(number..number.saturating_add(1))),
        }
    }

    /// The position in the clean prompt, and the one in the corrupted prompt.
    fn positions(&self, fact: &TokenizedFact) -> Result<(usize, usize)> {
        let tokens = fact.corrupt.len();
        let at = match self.place {
            CellPlace::Patched(position) => positions(fact, position),
            CellPlace::Token(at) if at >= tokens => {
                return Err(Error::input(format!("the corrupted prompt has {tokens} tokens, and no token {at}"))
                    .hint(format!("tokens are numbered 0 to {}", tokens - 1)));
            }
            CellPlace::Token(at) => aligned(fact, at).map(|source| (source, at)),
        };
        at.ok_or_else(|| {
            Error::input("nothing is put back there: the clean prompt has no such token")
                .hint("choose another token: the subject's are aligned from its end")
        })
    }

    /// The cell of a trace of this fact.
    ///
    /// # Errors
    /// When the trace has no such cell.
    pub fn of(&self, fact: &TokenizedFact, traced: &Traced, settings: &Settings) -> Result<Cell> {
        let (source, target) = self.positions(fact)?;
        let curve = match (self.site, self.place) {
            (CellSite::Unit(unit, number), CellPlace::Patched(position)) => of_unit(traced, position, unit, number),
            (CellSite::Unit(..), CellPlace::Token(_)) => None,
            (CellSite::Map(MapSite::Residual), CellPlace::Patched(position)) => traced.patched.get(&position).cloned(),
            // The maps put back at the token that is aligned.
            (_, CellPlace::Patched(PatchPosition::SameIndex)) if aligned(fact, target) != Some(source) => None,
            (CellSite::Map(site), _) => traced.maps.as_ref().and_then(|maps| of_site(maps, site).get(target)).cloned(),
        };
        let curve = curve.filter(|curve| !curve.is_empty());
        let curve = curve.ok_or_else(missing)?;
        let layers = curve.len();
        let highest = || (1..=layers).rev().max_by(|a, b| curve[a - 1].total_cmp(&curve[b - 1]));
        let layer = self.layer.or_else(highest).filter(|layer| (1..=layers).contains(layer));
        let Some(layer) = layer else {
            return Err(Error::input(format!("layer {} does not exist", self.layer.unwrap_or_default()))
                .hint(format!("layers are numbered 1 to {layers}")));
        };
        let put_back = match self.site {
            CellSite::Map(site) => layers_of(site, layer, settings.window_of(layers), layers),
            CellSite::Unit(..) => layer..=layer,
        };
        Ok(Cell { layers: put_back, positions: [source, target], p: curve[layer - 1] })
    }

    /// The same cell of the second pass: with a block ablated in the corrupted run.
    ///
    /// # Errors
    /// When the trace has no second pass of that block, or no such cell in it.
    pub fn without(&self, ablated: usize, fact: &TokenizedFact, traced: &Traced) -> Result<Cell> {
        let (source, target) = self.positions(fact)?;
        let CellPlace::Patched(position) = self.place else { return Err(missing()) };
        let curve = traced.redundancy.get(&position).filter(|curve| curve.ablated == ablated).ok_or_else(missing)?;
        let layer = self.layer.ok_or_else(missing)?;
        let p = layer.checked_sub(1).and_then(|at| curve.patched.get(at).copied().flatten()).ok_or_else(missing)?;
        Ok(Cell { layers: layer..=layer, positions: [source, target], p })
    }
}

fn missing() -> Error {
    Error::input("the trace has no such cell").hint("choose another patch position or token")
}

/// The layers that a cell's map puts back.
fn layers_of(site: MapSite, layer: usize, width: usize, layers: usize) -> RangeInclusive<usize> {
    match site {
        MapSite::Residual => layer..=layer,
        MapSite::Mlp | MapSite::Attention => {
            let window = window(layer, width, layers);
            window.start..=window.end - 1
        }
    }
}

/// A cell of the maps by its place: the layers that are put back, and the positions in the clean and the corrupted prompt.
///
/// # Errors
/// When there is no such cell.
pub fn cell_of(
    fact: &TokenizedFact,
    site: MapSite,
    position: usize,
    layer: usize,
    width: usize,
    layers: usize,
) -> Result<(RangeInclusive<usize>, [usize; 2])> {
    let source = Some(position).filter(|at| *at < fact.corrupt.len()).and_then(|at| aligned(fact, at));
    match source.filter(|_| (1..=layers).contains(&layer)) {
        Some(source) => Ok((layers_of(site, layer, width, layers), [source, position])),
        None => Err(Error::input(format!("position {position}, layer {layer} has no clean state"))
            .hint("name a position of the corrupted prompt with a counterpart, and a layer of the model")),
    }
}

/// A unit's curve over the layers.
fn of_unit(traced: &Traced, position: PatchPosition, unit: Unit, number: usize) -> Option<Vec<f32>> {
    let effects = traced.units.iter().find(|effects| effects.unit == unit && effects.position == position)?;
    let at = number.checked_sub(effects.first)?;
    effects.patched.iter().map(|layer| layer.get(at).copied()).collect()
}

fn of_site(maps: &Maps, site: MapSite) -> &[Vec<f32>] {
    match site {
        MapSite::Residual => &maps.residual,
        MapSite::Mlp => &maps.mlp,
        MapSite::Attention => &maps.attention,
    }
}
