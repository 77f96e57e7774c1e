//! Resuming a captured run with changes: only the blocks above a change and the positions from it on are computed.

use super::attend::{KeysValues, View};
use super::capture::{Base, rope_rows, windows};
use super::check::{self, Scope};
use super::plan::{Limits, row_bytes};
use super::readout::{Readouts, read_rows};
use super::rows::{Pool, RowEdit, apply, edits, first, gather, stack};
use super::{Action, Lane, Op, Readout, Site, Source};
use crate::error::{Error, Kind, Result};
use crate::model::{Decoder, rope::RopeRows};
use burn::tensor::{Device, Tensor};

/// A lane placed in a batch.
struct Placed<'a> {
    lane: &'a Lane,
    /// Block after which its rows exist.
    entry: usize,
    /// The MLP of the entry block must be computed for it.
    mlp: bool,
    /// An attention or MLP contribution of the entry block is changed, so that its stream must be summed again.
    summed: bool,
    /// First position that is computed.
    from: usize,
    /// Length of the prompt.
    len: usize,
    /// Row of position `from` in the blocks below the last.
    row: usize,
    /// Row of its first read in the last block, where nothing else is needed.
    last_row: usize,
    /// Positions that are read, ascending.
    reads: Vec<usize>,
}

/// Runs lanes on a base run, in batches of at most `limits.rows` rows, and reads their predictions, in the order of
/// `lanes` and of each lane's reads. `given` holds the rows of [`Source::Given`].
pub async fn resume(
    decoder: &dyn Decoder,
    device: &Device,
    base: &Base,
    lanes: &[Lane],
    given: Option<&Tensor<2>>,
    limits: &Limits,
) -> Result<Vec<Vec<Readout>>> {
    if !base.complete() {
        return Err(Error::input("a run that was only predicted cannot be resumed").hint("capture it"));
    }
    let scope = Scope { shape: decoder.shape(), base: Some(base), given };
    let mut placed: Vec<(usize, Placed<'_>)> = Vec::with_capacity(lanes.len());
    for (at, lane) in lanes.iter().enumerate() {
        placed.push((at, place(lane, base, &scope)?));
    }
    // By entry layer, so that a batch grows evenly; those whose entry block's MLP must be computed come first.
    placed.sort_by_key(|(at, lane)| (lane.entry, !lane.mlp, *at));
    let mut out: Vec<Vec<Readout>> = vec![Vec::new(); lanes.len()];
    let mut rest = placed.as_mut_slice();
    while !rest.is_empty() {
        let mut rows = 0;
        let fits = rest
            .iter()
            .take_while(|(_, lane)| {
                rows += lane.len - lane.from;
                rows <= limits.rows
            })
            .count()
            .max(1);
        let (batch, others) = rest.split_at_mut(fits);
        let readouts = match run_batch(decoder, device, base, batch, given, limits).await {
            Err(error) if error.kind == Kind::Numeric => {
                base.check_finite().await?;
                let mut layers: Vec<usize> = batch.iter().map(|(_, lane)| lane.entry).collect();
                layers.dedup();
                return Err(error.at(format!("runs changed from layers {layers:?} on")));
            }
            other => other?,
        };
        for ((at, _), readout) in batch.iter().zip(readouts) {
            out[*at] = readout;
        }
        rest = others;
    }
    Ok(out)
}

fn place<'a>(lane: &'a Lane, base: &Base, scope: &Scope<'_>) -> Result<Placed<'a>> {
    let len = check::tokens(base, lane.prompt)?;
    lane.reads.iter().try_for_each(|read| scope.read(read, len))?;
    lane.actions.iter().try_for_each(|action| scope.action(action, len))?;
    let mut reads: Vec<usize> = lane.reads.iter().map(|read| read.position).collect();
    reads.sort_unstable();
    reads.dedup();
    let &first =
        reads.first().ok_or_else(|| Error::input("a lane reads nothing").hint("read at least one position"))?;
    let layers = scope.shape.layers;
    if let Some(layer) = lane.from.filter(|&layer| layer > layers) {
        return Err(Error::input(format!("a lane starts after layer {layer} of {layers}")).hint("layers count from 1"));
    }
    let entry = lane.actions.iter().map(|action| action.layer).chain(lane.from).min();
    let entry = entry
        .ok_or_else(|| Error::input("a lane changes nothing").hint("read the base run's own predictions instead"))?;
    let from = match lane.from {
        Some(_) => 0,
        None => lane.actions.iter().map(|action| action.positions.start).min().unwrap_or(0).min(first),
    };
    let mlp = needs_mlp(lane, entry, scope.shape.parallel);
    let adds_up = |action: &Action| action.layer == entry && matches!(action.site, Site::Attention | Site::Mlp);
    let summed = lane.actions.iter().any(adds_up);
    Ok(Placed { lane, entry, mlp, summed, from, len, row: 0, last_row: 0, reads })
}

impl Placed<'_> {
    /// Whether a change that the prompt was captured with must be made again: where the lane does not take over a
    /// captured activation that holds it.
    fn repeats(&self, action: &Action) -> bool {
        match action.layer.cmp(&self.entry) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => match action.site {
                Site::Attention => false,
                Site::Key | Site::Value | Site::Mlp => self.mlp,
                Site::Residual => self.mlp || self.summed,
            },
        }
    }
}

/// Whether the entry block's MLP output is not simply the captured one, a captured other one, or zero.
fn needs_mlp(lane: &Lane, entry: usize, parallel: bool) -> bool {
    let at = |site| lane.actions.iter().filter(move |action| action.layer == entry && action.site == site);
    let plain = |action: &Action| matches!(action.op, Op::Replace(Source::Zero | Source::Captured { .. }));
    let covered = |range: &std::ops::Range<usize>| {
        at(Site::Mlp).any(|mlp| plain(mlp) && mlp.positions.start <= range.start && mlp.positions.end >= range.end)
    };
    at(Site::Key).next().is_some()
        || at(Site::Value).next().is_some()
        || at(Site::Attention).chain(at(Site::Mlp)).any(|action| !plain(action))
        || (!parallel && at(Site::Attention).any(|action| !covered(&action.positions)))
}

struct Batch<'a, 'b> {
    lanes: &'b [(usize, Placed<'a>)],
    base: &'b Base,
    layers: usize,
}

impl Batch<'_, '_> {
    /// Lanes that entered before `layer`, and the end of those that enter in it with and without its MLP.
    fn entered(&self, layer: usize) -> [usize; 3] {
        let before = self.lanes.partition_point(|(_, lane)| lane.entry < layer);
        let mlp = self.lanes.partition_point(|(_, lane)| (lane.entry, !lane.mlp) < (layer, true));
        let all = self.lanes.partition_point(|(_, lane)| lane.entry <= layer);
        [before, mlp, all]
    }

    /// Row of a lane's position at a layer, where it is computed there.
    fn row_at(&self, lane: &Placed<'_>, layer: usize, position: usize) -> Option<usize> {
        if layer == self.layers {
            lane.reads.binary_search(&position).ok().map(|at| lane.last_row + at)
        } else {
            position.checked_sub(lane.from).map(|at| lane.row + at)
        }
    }

    /// Positions of a lane that are computed at a layer.
    fn live(&self, lane: &Placed<'_>, layer: usize) -> Vec<usize> {
        if layer == self.layers { lane.reads.clone() } else { (lane.from..lane.len).collect() }
    }

    /// Row edits of the lanes `range` at a layer and site.
    fn edits(&self, range: std::ops::Range<usize>, layer: usize, site: Site) -> Vec<RowEdit> {
        let mut out = Vec::new();
        for (_, lane) in &self.lanes[range] {
            let row_of = |position: usize| self.row_at(lane, layer, position);
            let base_row = |prompt: usize, position: usize| self.base.row(prompt, position);
            let here = |action: &&Action| action.layer == layer && action.site == site;
            let kept = self.base.actions[lane.lane.prompt].iter().filter(|action| lane.repeats(action));
            edits(kept.filter(here), Pool::Kept, row_of, base_row, &mut out);
            edits(lane.lane.actions.iter().filter(here), Pool::Given, row_of, base_row, &mut out);
        }
        out
    }

    /// Captured rows of the live positions of the lanes `range`.
    fn base_rows(&self, range: std::ops::Range<usize>, layer: usize) -> Vec<i32> {
        let mut out = Vec::new();
        for (_, lane) in &self.lanes[range] {
            let rows = &self.base.rows[lane.lane.prompt];
            out.extend(self.live(lane, layer).into_iter().map(|position| rows[position] as i32));
        }
        out
    }

    /// Rows of lanes that enter after `layer` from captured activations alone: a gather, or a sum of three where a
    /// contribution is zeroed or replaced.
    fn enter(&self, range: std::ops::Range<usize>, layer: usize) -> Option<Tensor<2>> {
        if range.is_empty() {
            return None;
        }
        let base = self.base;
        if layer == 0 {
            return Some(gather(&base.residual[0], self.base_rows(range, 0)));
        }
        // Rows of [residual before; residual after], [zeros; attention], [zeros; MLP].
        let (mut residual, mut attention, mut mlp) = (Vec::new(), Vec::new(), Vec::new());
        for (_, lane) in &self.lanes[range] {
            let own = &base.rows[lane.lane.prompt];
            let pick = |site: Site, position: usize| {
                let mut at = own[position] as i32 + 1;
                for action in &lane.lane.actions {
                    if action.layer == layer && action.site == site && action.positions.contains(&position) {
                        at = match action.op {
                            Op::Replace(Source::Captured { prompt, position: first }) => {
                                base.row(prompt, first + position - action.positions.start) as i32 + 1
                            }
                            _ => 0,
                        };
                    }
                }
                at
            };
            for position in self.live(lane, layer) {
                let row = own[position] as i32;
                residual.push(if lane.summed { row } else { row + base.count as i32 });
                attention.push(if lane.summed { pick(Site::Attention, position) } else { 0 });
                mlp.push(if lane.summed { pick(Site::Mlp, position) } else { 0 });
            }
        }
        let after = &base.residual[layer];
        let before = &base.residual[layer - 1];
        let mut h = gather(&Tensor::cat(vec![before.clone(), after.clone()], 0), residual);
        for (index, contribution) in [(attention, &base.attention[layer - 1]), (mlp, &base.mlp[layer - 1])] {
            if index.iter().any(|&at| at > 0) {
                let zeros = Tensor::zeros([1, contribution.dims()[1]], &contribution.device());
                h = h + gather(&Tensor::cat(vec![zeros, contribution.clone()], 0), index);
            }
        }
        Some(h)
    }
}

async fn run_batch(
    decoder: &dyn Decoder,
    device: &Device,
    base: &Base,
    lanes: &mut [(usize, Placed<'_>)],
    given: Option<&Tensor<2>>,
    limits: &Limits,
) -> Result<Vec<Vec<Readout>>> {
    let shape = decoder.shape();
    let layers = shape.layers;
    let (mut rows, mut last_rows) = (0, 0);
    for (_, lane) in lanes.iter_mut() {
        lane.row = rows;
        lane.last_row = last_rows;
        rows += lane.len - lane.from;
        last_rows += lane.reads.len();
    }
    if limits.cpu {
        let bytes = row_bytes(shape).saturating_mul(rows as u64);
        crate::memory::reserve_batch(bytes, &format!("computing {rows} rows at once"))?;
    }
    let batch = Batch { lanes, base, layers };

    let mut keys = Vec::with_capacity(lanes.len());
    let (mut queries, mut last_queries, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (_, lane)) in lanes.iter().enumerate() {
        let own = &base.rows[lane.lane.prompt];
        let new = (lane.from..lane.len).map(|p| (base.count + lane.row + p - lane.from) as u32);
        keys.push(own[..lane.from].iter().copied().chain(new).collect::<Vec<u32>>());
        queries.extend((lane.from..lane.len).map(|position| (at, position)));
        last_queries.extend(lane.reads.iter().map(|&position| (at, position)));
        positions.extend(lane.from..lane.len);
    }
    let windows = windows(decoder);
    let view = View::new(base.count, keys.clone(), queries, &windows, device, limits.cpu);
    let last_window = [decoder.heads(layers).window];
    let last_view = View::new(base.count, keys, last_queries, &last_window, device, limits.cpu);
    let ropes = rope_rows(decoder, &positions, device);

    let mut h: Option<Tensor<2>> = None;
    let start = lanes.first().map_or(0, |(_, lane)| lane.entry);
    for layer in start..=layers {
        crate::pause::point().await?;
        let last = layer == layers;
        let [before, with_mlp, all] = batch.entered(layer);
        let act = |x: Tensor<2>, range, site| {
            apply(x, &batch.edits(range, layer, site), [base.site(layer, site), base.given.as_ref(), given])
        };
        let mut computed = None;
        if let Some(input) = h.take() {
            let view = if last { &last_view } else { &view };
            computed = Some(attention_step(decoder, base, &batch, layer, input, view, &ropes));
        }
        if layer > 0 && with_mlp > before {
            let index = batch.base_rows(before..with_mlp, layer);
            let input = gather(&base.residual[layer - 1], index.clone());
            let attention = gather(&base.attention[layer - 1], index);
            computed = Some(match computed {
                None => (input, attention),
                Some((i, a)) => (Tensor::cat(vec![i, input], 0), Tensor::cat(vec![a, attention], 0)),
            });
        }
        let through = computed.map(|(input, attention)| {
            let attention = act(attention, 0..with_mlp, Site::Attention);
            let middle = input.clone() + attention;
            let key = decoder.mlp_key(layer, if shape.parallel { input } else { middle.clone() });
            let value = decoder.mlp_value(layer, act(key, 0..with_mlp, Site::Key));
            let mlp = decoder.mlp(layer, act(value, 0..with_mlp, Site::Value));
            middle + act(mlp, 0..with_mlp, Site::Mlp)
        });
        h = stack(through, batch.enter(with_mlp..all, layer));
        h = h.map(|h| act(h, 0..all, Site::Residual));
    }
    let h = h.ok_or_else(|| Error::input("an empty batch"))?;
    let mut wanted = Vec::new();
    for (_, lane) in lanes.iter() {
        for read in &lane.lane.reads {
            let at = lane.reads.binary_search(&read.position).unwrap_or(0);
            wanted.push((lane.last_row + at, read.tokens.as_slice()));
        }
    }
    let mut readouts: Readouts = read_rows(decoder, &h, &wanted, limits).await?.into();
    Ok(lanes.iter().map(|(_, lane)| readouts.take(lane.lane.reads.len())).collect())
}

/// Attention of the lanes that entered before `layer`: the live rows' input, and what attention adds to it.
fn attention_step(
    decoder: &dyn Decoder,
    base: &Base,
    batch: &Batch<'_, '_>,
    layer: usize,
    h: Tensor<2>,
    view: &View,
    ropes: &[RopeRows],
) -> (Tensor<2>, Tensor<2>) {
    let [lanes, ..] = batch.entered(layer);
    let n = h.dims()[0];
    let ropes: Vec<RopeRows> = ropes.iter().map(|rope| rope.narrow(n)).collect();
    let projected = decoder.project(layer, h.clone(), &ropes);
    let (mut q, mut h) = (projected.q, h);
    if layer == batch.layers {
        // Every position is a key and a value here, but only what is read is a query.
        let mut index = Vec::new();
        for (_, lane) in &batch.lanes[..lanes] {
            index.extend(lane.reads.iter().map(|&position| (lane.row + position - lane.from) as i32));
        }
        q = gather(&q, index.clone());
        h = gather(&h, index);
    }
    let (k, v) = &base.kv[layer - 1];
    let kv = KeysValues { base: Some((k, v)), new: Some((projected.k, projected.v)) };
    let mixed = view.attend(decoder.heads(layer), lanes, q, kv);
    (h, first(decoder.attention(layer, mixed), batch_rows(batch, lanes, layer)))
}

fn batch_rows(batch: &Batch<'_, '_>, lanes: usize, layer: usize) -> usize {
    batch.lanes[..lanes].iter().map(|(_, lane)| batch.live(lane, layer).len()).sum()
}
