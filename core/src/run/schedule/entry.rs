//! Where each row of a patched run enters: the first place at which it can differ from what was captured, moved down to
//! where the captured activations are enough to go on from.

use super::Place;
use crate::model::{Shape, Site, Transformer};
use crate::run::{ActivationCache, Change, Columns, Intervention, PatchedRun, Source};
use crate::tensor::Overlay;

/// What decides about entries besides the run.
pub(super) struct Ground<'a> {
    pub(super) net: &'a Transformer,
    pub(super) cache: &'a ActivationCache,
    pub(super) overlays: &'a [Overlay],
}

/// Entries of a run's positions, from the first to the last that is read, or that `lent` to other runs: `None` where a
/// position is what was captured.
pub(super) fn entries(ground: &Ground<'_>, run: &PatchedRun, lent: &[usize]) -> Vec<Option<Place>> {
    let shape = &ground.net.shape;
    let end = run.reads.iter().map(|read| read.position + 1).chain(lent.iter().map(|at| at + 1)).max().unwrap_or(0);
    let overlaid = run.overlay.and_then(|overlay| ground.overlaid(&ground.overlays[overlay]));
    let mut out = Vec::with_capacity(end);
    // What attention brings to later positions from here on.
    let mut spread: Option<Place> = None;
    for position in 0..end {
        let own = first_changes(&run.interventions, position);
        let entry = own.as_ref().map(|(layer, changes)| {
            // What runs give each other has to be there at its own site.
            let linked = lent.contains(&position) || changes.iter().any(|change| takes_from_run(change));
            ground.entry(*layer, changes, linked)
        });
        let read = run.reads.iter().any(|read| read.position == position);
        let mut all = [entry, spread, overlaid].into_iter().flatten().min();
        if read {
            // A prediction that nothing reaches is the captured one.
            all = all.or(Some((shape.layers, Site::Residual)));
        }
        out.push(all);
        if let Some((layer, changes)) = own {
            let before = changes.iter().any(|change| matches!(change.site, Site::Key | Site::Value));
            // A key or a value is seen within its own block, anything else from the next one on.
            let reach = if before { (layer - 1, Site::Residual) } else { (layer, Site::Residual) };
            spread = Some(spread.map_or(reach, |spread| spread.min(reach)));
        }
    }
    out
}

/// What a row brings from the cache that enters at a place (`Pass::brought`). A value is replaced at once where it was not
/// captured.
pub(super) fn needs((layer, site): Place) -> Vec<Place> {
    let below = || (layer - 1, Site::Residual);
    match site {
        Site::Residual => vec![(layer, site)],
        Site::Heads | Site::Attention => vec![below(), (layer, site)],
        Site::MlpValue => vec![below(), (layer, Site::Attention)],
        _ => vec![below(), (layer, Site::Attention), (layer, site)],
    }
}

/// The changes of a position in the first layer that has any.
fn first_changes(interventions: &[Intervention], position: usize) -> Option<(usize, Vec<&Intervention>)> {
    let here = || interventions.iter().filter(|change| change.positions.contains(&position));
    let layer = here().map(|change| change.layer).min()?;
    Some((layer, here().filter(|change| change.layer == layer).collect()))
}

/// The change leaves nothing of what was there.
fn overwrites(change: &Intervention) -> bool {
    change.columns == Columns::All && matches!(change.change, Change::Zero | Change::Replace(_))
}

/// The change takes numbers from another run.
fn takes_from_run(change: &Intervention) -> bool {
    let (Change::Replace(source) | Change::Add(source)) = change.change else { return false };
    matches!(source, Source::Run { .. })
}

impl Ground<'_> {
    fn shape(&self) -> &Shape {
        &self.net.shape
    }

    /// The start of a block: after the one below it.
    fn below(layer: usize) -> Place {
        (layer - 1, Site::Residual)
    }

    /// Where a position with these changes in a layer enters. One that is `linked` to another run is computed from its first
    /// change on.
    fn entry(&self, layer: usize, changes: &[&Intervention], linked: bool) -> Place {
        let has = |site: Site| changes.iter().any(|change| change.site == site);
        if layer == 0 {
            return (0, Site::Residual);
        }
        if has(Site::Query) || has(Site::Key) || has(Site::Value) {
            return Self::below(layer);
        }
        if has(Site::Heads) {
            return self.before(layer, Site::Heads);
        }
        let overwritten =
            |site| !linked && changes.iter().find(|change| change.site == site).is_some_and(|one| overwrites(one));
        // Nothing that comes before the MLP's output matters where that is overwritten.
        if overwritten(Site::Mlp) {
            return (layer, Site::Mlp);
        }
        let inner = has(Site::MlpKey) || has(Site::MlpValue);
        if has(Site::Attention) {
            let apart = self.net.block(layer).is_parallel() && !inner && !linked;
            return (layer, if apart { Site::Mlp } else { Site::Attention });
        }
        if overwritten(Site::MlpValue) {
            return (layer, Site::MlpValue);
        }
        if has(Site::MlpKey) {
            return self.before(layer, Site::MlpKey);
        }
        if has(Site::MlpValue) {
            return self.before(layer, Site::MlpValue);
        }
        (layer, if has(Site::Mlp) { Site::Mlp } else { Site::Residual })
    }

    /// The latest entry from which a site is computed: itself where it was captured.
    fn before(&self, layer: usize, site: Site) -> Place {
        match site {
            Site::Query | Site::Key | Site::Value => Self::below(layer),
            _ if self.cache.has(layer, site) => (layer, site),
            Site::Heads => Self::below(layer),
            _ => (layer, Site::Attention),
        }
    }

    /// Where every position of a run enters that carries an overlay; `None` where it changes nothing.
    fn overlaid(&self, overlay: &Overlay) -> Option<Place> {
        let mut first: Option<Place> = None;
        for layer in 1..=self.shape().layers {
            for (site, map) in self.net.block(layer).maps() {
                if overlay.terms.iter().any(|term| term.tensor == map.tensor) {
                    let entry = self.before(layer, site);
                    first = Some(first.map_or(entry, |first| first.min(entry)));
                }
            }
        }
        first
    }
}
