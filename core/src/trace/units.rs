//! Single heads and neurons: the clean run's output of one of them put back into the corrupted run, at every layer.

use super::cells::{Group, positions};
use super::{TokenizedFact, mean_scores, resume};
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Site;
use crate::record::{PatchPosition, Settings, Unit, UnitEffects};
use crate::run::{Change, Columns, Intervention, PatchedRun, Sites, Source};
use std::ops::Range;

/// Which units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Units {
    /// All heads of every layer.
    Heads,
    /// These neurons of every layer, from 0.
    Neurons(Range<usize>),
}

/// Runs that are computed before the work may be cancelled.
const AT_ONCE: usize = 4096;

impl Units {
    fn unit(&self) -> Unit {
        match self {
            Self::Heads => Unit::Head,
            Self::Neurons(_) => Unit::Neuron,
        }
    }

    /// What has to be captured for them, beside what tracing resumes from.
    pub fn sites(&self, layers: usize) -> Sites {
        Sites::to_resume().with(self.site(), 1..=layers)
    }

    /// Where their outputs are.
    fn site(&self) -> Site {
        match self {
            Self::Heads => Site::Heads,
            Self::Neurons(_) => Site::MlpKey,
        }
    }

    /// Their numbers, when the model has them.
    fn numbers(&self, model: &Model) -> Result<Range<usize>> {
        match self {
            Self::Heads => Ok(0..model.net.heads(1).count),
            Self::Neurons(range) if !range.is_empty() && range.end <= model.net.shape.ff => Ok(range.clone()),
            Self::Neurons(range) => Err(Error::input(format!(
                "neurons {}..{} of layers that have {}",
                range.start, range.end, model.net.shape.ff
            ))
            .hint("neurons are numbered from 0; the end of the range is not part of it")),
        }
    }

    fn columns(&self, number: usize) -> Columns {
        match self {
            Self::Heads => Columns::Head(number),
            Self::Neurons(_) => Columns::Range(number..number + 1),
        }
    }
}

/// `p(true)` with each unit put back, at every patch position of the settings, of the one fact of a group that was captured
/// with [`Units::sites`]. `tell(done, all)` hears of finished runs.
///
/// # Errors
/// When the model has no such neurons, a number is none, memory is short, or the work was cancelled.
pub async fn units(
    model: &Model,
    fact: &TokenizedFact,
    settings: &Settings,
    units: &Units,
    group: &Group,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Vec<UnitEffects>> {
    let numbers = units.numbers(model)?;
    let layers = model.layers();
    let found = |&position: &PatchPosition| positions(fact, position).map(|at| (position, at));
    let wanted: Vec<_> = settings.positions.iter().filter_map(found).collect();
    let all = wanted.len() * layers * numbers.len() * fact.draws;
    let (mut out, mut done) = (Vec::new(), 0);
    for (position, at) in wanted {
        let mut runs = runs(units, group, layers, numbers.clone(), at);
        let mut p = Vec::new();
        loop {
            let some: Vec<PatchedRun> = runs.by_ref().take(AT_ONCE.next_multiple_of(fact.draws)).collect();
            if some.is_empty() {
                break;
            }
            p.extend(mean_scores(&resume(model, group, &some).await?, fact.draws));
            done += some.len();
            tell(done, all);
        }
        let patched = p.chunks(numbers.len()).map(<[f32]>::to_vec).collect();
        out.push(UnitEffects { unit: units.unit(), position, first: numbers.start, patched });
    }
    Ok(out)
}

/// A run for each layer, unit and draw, in this order.
fn runs(
    units: &Units,
    group: &Group,
    layers: usize,
    numbers: Range<usize>,
    (from, to): (usize, usize),
) -> impl Iterator<Item = PatchedRun> {
    let place = &group.places[0];
    let cells = (1..=layers).flat_map(move |layer| numbers.clone().map(move |number| (layer, number)));
    cells.flat_map(move |(layer, number)| {
        place.corrupt.iter().map(move |&prompt| {
            let change = Change::Replace(Source::cached(place.clean, from));
            let one = Intervention::new(layer, units.site(), to..to + 1, change).columns(units.columns(number));
            let reads = place.asked_corrupt.reads.clone();
            PatchedRun { prompt, interventions: vec![one], overlay: None, reads }
        })
    })
}
