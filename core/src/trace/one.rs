//! One fact alone: a question of the command line or the lab, a fact that is verified. Its prompts are computed once, whatever
//! is wanted of it.

use super::cells::{Group, capture_with, stage1_of};
use super::screen::screen_tokens;
use super::{MapRow, Screened, TokenizedFact, Units, clean_states, lens, maps, own_blocks, redundancy, units};
use crate::error::Result;
use crate::load::Model;
use crate::record::{Dropped, Lens, PatchPosition, RedundancyCurve, Settings, Traced};
use crate::run::Sites;

/// A fact with its captured prompts, and why a study would drop it.
pub struct OneFact {
    /// Its tokens.
    pub tokens: TokenizedFact,
    /// What the filters say, where they drop it.
    pub dropped: Option<Dropped>,
    /// Its prompts.
    pub group: Group,
}

impl OneFact {
    /// Runs the prompts of a fact and keeps `keep` of them.
    ///
    /// # Errors
    /// When the device fails, memory is short, or the work was cancelled.
    pub async fn capture(model: &Model, tokens: TokenizedFact, settings: &Settings, keep: &Sites) -> Result<Self> {
        let mut screening = screen_tokens(model, vec![Ok(tokens.clone())], settings, Some(keep)).await?;
        let dropped = match screening.facts.pop() {
            Some(Screened::Dropped(dropped)) => Some(dropped),
            _ => None,
        };
        let group = match screening.group(&[0]) {
            Some(kept) => kept,
            None => capture_with(model, &[&tokens], settings, keep).await?,
        };
        Ok(Self { tokens, dropped, group })
    }
}

/// Which second pass is wanted of a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum SecondPass {
    /// Without the fact's own layers; none where the filters drop it, for without an effect there is nothing to restore.
    Own,
    /// Without these blocks.
    Of(Vec<(PatchPosition, usize)>),
}

/// What is wanted of a fact beside Stage 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Extras<'a> {
    /// The logit lens.
    pub lens: bool,
    /// Redundancy.
    pub second: SecondPass,
    /// The token × layer maps.
    pub maps: bool,
    /// Single heads or neurons.
    pub units: Option<&'a Units>,
}

/// What a trace tells as soon as it is there.
#[derive(Debug)]
pub enum Part<'a> {
    /// The curves of Stage 1.
    Stage1(&'a Traced),
    /// The logit lens.
    Lens(&'a Lens),
    /// A curve of the second pass.
    Redundancy(PatchPosition, &'a RedundancyCurve),
    /// A row of a map.
    MapRow(MapRow),
    /// Runs of single heads or neurons that are done, and how many there are.
    Units(usize, usize),
}

/// Traces a captured fact; parts are told in the order of [`Part`].
///
/// # Errors
/// When the device fails, a number is none, memory is short, or the work was cancelled.
pub async fn trace_one(
    model: &Model,
    one: &OneFact,
    settings: &Settings,
    extras: &Extras<'_>,
    tell: &mut dyn FnMut(Part<'_>),
) -> Result<Traced> {
    let OneFact { tokens, dropped, group } = one;
    let facts = [tokens];
    let mut traced = stage1_of(model, &facts, settings, group).await?.pop().expect("one fact, one trace");
    tell(Part::Stage1(&traced));
    if extras.lens {
        let lens = lens(model, tokens, group, 0).await?;
        tell(Part::Lens(&lens));
        traced.lens = Some(lens);
    }
    let wanted = match (&extras.second, dropped) {
        (SecondPass::Of(wanted), _) => wanted.clone(),
        (SecondPass::Own, None) => own_blocks(&traced, &settings.positions),
        (SecondPass::Own, Some(_)) => Vec::new(),
    };
    let positions: Vec<PatchPosition> = wanted.iter().map(|(position, _)| *position).collect();
    let clean = clean_states(model, &facts, group, &positions).await?;
    let curves = redundancy(model, &facts, settings, &wanted, &clean).await?;
    for (position, curve) in positions.into_iter().zip(curves.into_iter().flatten()) {
        tell(Part::Redundancy(position, &curve));
        traced.redundancy.insert(position, curve);
    }
    if extras.maps {
        let mut row = |row: MapRow| tell(Part::MapRow(row));
        traced.maps = Some(maps(model, tokens, settings, traced.p_corrupt, (group, 0), Some(&mut row)).await?);
    }
    if let Some(wanted) = extras.units {
        let mut done = |done: usize, all: usize| tell(Part::Units(done, all));
        traced.units = units(model, tokens, settings, wanted, group, &mut done).await?;
    }
    Ok(traced)
}
