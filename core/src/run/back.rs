//! The way back of a pass: gradients on the stream at the end to gradients on what its runs were changed with, block by
//! block. Each step undoes what the pass did at the same place: rows that joined there leave, changes hand their gradient
//! on. Captured rows are constants, so what lies below the lowest entry is never looked at.

use super::pass::{State, joining};
use super::schedule::{Place, RowChange, RowOp, RowSource, Schedule};
use crate::model::Site;
use crate::model::block::{BackHooks, Block, Kept};
use crate::tensor::gradients::Gradients;
use crate::tensor::{LinearMap, MIXED, Norm, Rows};
use burn::{Tensor, TensorData};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// The block at hand, and the gradients on the rows that are in it.
pub(super) struct Back<'a> {
    kept: Vec<(usize, Kept)>,
    g: Rows,
    hooks: BackState<'a>,
}

/// What the block calls on.
struct BackState<'a> {
    state: State<'a>,
    /// By place, rows whose gradients are wanted.
    wanted: BTreeMap<Place, Vec<Mark>>,
    found: Found,
    weights: Option<Gradients>,
}

/// A row of a place, as activations have it there, whose gradient is the row `offset` of what was wanted as number `at`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) row: u32,
    pub(super) at: usize,
    pub(super) offset: usize,
}

/// What a gradient row belongs to.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// A row of the constants, from a column of it on: columns of the gradient, and who took it where.
    Constant { row: u32, first: u32, columns: Range<usize>, run: usize, place: Place },
    /// A row that was wanted.
    Wanted { at: usize, offset: usize },
}

/// Gradient rows, still where they were computed.
#[derive(Default)]
pub(super) struct Found {
    parts: Vec<(Rows, Vec<Whose>)>,
}

impl Found {
    /// Every row with its owner; those of a place in the order of computation. Rows of one width come in one read.
    pub(super) async fn read(self) -> crate::Result<Vec<(Whose, Vec<f32>)>> {
        let mut widths: BTreeMap<usize, (Rows, Vec<Whose>)> = BTreeMap::new();
        for (rows, owners) in self.parts {
            let width = rows.width();
            let (all, whose) = widths.entry(width).or_insert_with(|| (Rows::empty(width), Vec::new()));
            *all = std::mem::replace(all, Rows::empty(width)).join(rows);
            whose.extend(owners);
        }
        let mut out = Vec::new();
        for (width, (rows, owners)) in widths {
            let values = rows.values().await?;
            out.extend(owners.into_iter().zip(values.chunks_exact(width).map(<[f32]>::to_vec)));
        }
        Ok(out)
    }
}

impl<'a> Back<'a> {
    /// From the end of a pass and the gradients on the stream there.
    pub(super) fn new(
        (state, kept): (State<'a>, Vec<(usize, Kept)>),
        g: Rows,
        wanted: BTreeMap<Place, Vec<Mark>>,
        weights: Option<Gradients>,
    ) -> Self {
        Self { kept, g, hooks: BackState { state, wanted, found: Found::default(), weights } }
    }

    /// Goes back through the next block; false when there is none.
    pub(super) fn step(&mut self) -> bool {
        let Some((layer, kept)) = self.kept.pop() else { return false };
        let state = &mut self.hooks.state;
        state.layer = layer;
        state.narrowed = state.schedule.narrowed((layer, Site::Heads));
        let net = state.ground.edited.net;
        let g = std::mem::replace(&mut self.g, Rows::empty(net.shape.width));
        self.g = net.block(layer).backward(&kept, g, &mut self.hooks);
        true
    }

    /// What was found; `ids` are the tokens of the rows where the embedding's gradient is wanted.
    pub(super) fn finish(mut self, ids: Option<&[u32]>) -> (Found, Option<Gradients>) {
        let hooks = &mut self.hooks;
        if hooks.state.schedule.start() == 0 {
            let g = hooks.unchanged((0, Site::Residual), self.g);
            if let (Some(weights), Some(ids)) = (&mut hooks.weights, ids) {
                let (net, positions) = (hooks.state.ground.edited.net, &hooks.state.schedule.positions);
                net.embedding.add_gradient(ids, positions, g, weights);
            }
        }
        (self.hooks.found, self.hooks.weights)
    }
}

/// Wanted rows of a group: of each, where it is among the pass' rows.
pub(super) fn marks(schedule: &Schedule, wanted: &[super::Wanted]) -> BTreeMap<Place, Vec<Mark>> {
    let mut marks: BTreeMap<Place, Vec<Mark>> = BTreeMap::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let place = (wanted.layer, wanted.site);
        let Some(run) = schedule.runs.iter().find(|run| run.at == wanted.run) else { continue };
        for (offset, position) in wanted.positions.clone().enumerate() {
            let row = run.live.get(position).copied().flatten();
            if let Some(row) = row.and_then(|row| schedule.shown(row, place)) {
                marks.entry(place).or_default().push(Mark { row, at, offset });
            }
        }
    }
    marks
}

impl BackState<'_> {
    /// Gradients on a site before its changes.
    fn unchanged(&mut self, place: Place, g: Rows) -> Rows {
        if g.count() == 0 {
            return g;
        }
        self.mark(place, 0, &g);
        let schedule = self.state.schedule;
        match schedule.edits.get(&place) {
            Some(edits) => self.undo(place, edits, g),
            None => g,
        }
    }

    /// Sets wanted rows aside, whose numbers begin at `first` in `g`.
    fn mark(&mut self, place: Place, first: usize, g: &Rows) {
        let inside = |mark: &&Mark| (first..first + g.count()).contains(&(mark.row as usize));
        let marks: Vec<Mark> = self.wanted.get(&place).into_iter().flatten().filter(inside).copied().collect();
        if !marks.is_empty() {
            let rows: Vec<u32> = marks.iter().map(|mark| mark.row - first as u32).collect();
            let owners = marks.iter().map(|mark| Whose::Wanted { at: mark.at, offset: mark.offset }).collect();
            self.found.parts.push((g.gather(&rows), owners));
        }
    }

    /// Takes edits back, the last one first, in groups of which none needs what another of it leaves.
    fn undo(&mut self, place: Place, edits: &[RowChange], mut g: Rows) -> Rows {
        let mut rest = edits;
        while !rest.is_empty() {
            let (mut rows, mut lenders) = (HashSet::new(), HashSet::new());
            let apart = rest.iter().rev().take_while(|edit| {
                let lender = lender(edit.change);
                let alone = !rows.contains(&edit.row)
                    && !lenders.contains(&edit.row)
                    && lender.is_none_or(|row| row != edit.row && !rows.contains(&row) && lenders.insert(row));
                rows.insert(edit.row);
                alone
            });
            let (before, now) = rest.split_at(rest.len() - apart.count().max(1));
            g = self.undo_at_once(place, now, g);
            rest = before;
        }
        g
    }

    fn undo_at_once(&mut self, place: Place, edits: &[RowChange], g: Rows) -> Rows {
        let (mut rows, mut owners) = (Vec::new(), Vec::new());
        for edit in edits {
            if let RowOp::Replace(RowSource::Constant(row, first)) | RowOp::Add(RowSource::Constant(row, first)) =
                edit.change
            {
                rows.push(edit.row);
                owners.push(Whose::Constant { row, first, columns: edit.columns.clone(), run: edit.run, place });
            }
        }
        if !rows.is_empty() {
            self.found.parts.push((g.gather(&rows), owners));
        }
        match g.device().is_some() {
            false => undo_on_host(edits, g),
            true => undo_on_device(edits, &g),
        }
    }
}

/// What is left of the gradient on what was there before.
fn factor(change: RowOp) -> f32 {
    match change {
        RowOp::Zero | RowOp::Replace(_) => 0.0,
        RowOp::Scale(factor) => factor,
        RowOp::Add(_) => 1.0,
    }
}

/// The row of the pass that an edit took its numbers from.
fn lender(change: RowOp) -> Option<u32> {
    match change {
        RowOp::Replace(RowSource::Live(row)) | RowOp::Add(RowSource::Live(row)) => Some(row),
        _ => None,
    }
}

fn undo_on_host(edits: &[RowChange], mut g: Rows) -> Rows {
    let width = g.width();
    for edit in edits {
        let own = edit.row as usize * width + edit.columns.start..edit.row as usize * width + edit.columns.end;
        if let Some(row) = lender(edit.change) {
            let taken = g.host()[own.clone()].to_vec();
            let lent = &mut g.host_mut()[row as usize * width..][edit.columns.clone()];
            lent.iter_mut().zip(taken).for_each(|(lent, taken)| *lent += taken);
        }
        let factor = factor(edit.change);
        g.host_mut()[own].iter_mut().for_each(|x| *x *= factor);
    }
    g
}

fn undo_on_device(edits: &[RowChange], g: &Rows) -> Rows {
    let (count, width) = (g.count(), g.width());
    let device = g.device().expect(MIXED).device();
    let matrix = |other: f32, of: &dyn Fn(&RowChange) -> f32, edits: &[&RowChange]| {
        let mut values = vec![other; edits.len() * width];
        for (row, edit) in values.chunks_exact_mut(width).zip(edits) {
            row[edit.columns.clone()].fill(of(edit));
        }
        Tensor::<2>::from_data(TensorData::new(values, [edits.len(), width]), &device)
    };
    let all: Vec<&RowChange> = edits.iter().collect();
    let own = g.gather(&all.iter().map(|edit| edit.row).collect::<Vec<_>>());
    let left = own.device().expect(MIXED).clone() * matrix(1.0, &|edit| factor(edit.change), &all);
    let mut index: Vec<u32> = (0..count as u32).collect();
    all.iter().enumerate().for_each(|(at, edit)| index[edit.row as usize] = (count + at) as u32);
    let out = g.clone().join(Rows::on_device(left)).gather(&index);
    let lenders: Vec<(u32, &RowChange)> =
        edits.iter().filter_map(|edit| lender(edit.change).map(|row| (row, edit))).collect();
    if lenders.is_empty() {
        return out;
    }
    let takers: Vec<&RowChange> = lenders.iter().map(|(_, edit)| *edit).collect();
    let taken = g.gather(&takers.iter().map(|edit| edit.row).collect::<Vec<_>>());
    let taken = taken.device().expect(MIXED).clone() * matrix(0.0, &|_| 1.0, &takers);
    let places: Vec<u32> = lenders.iter().map(|(row, _)| *row).collect();
    out.plus(&Rows::on_device(taken).scatter(&places, count))
}

impl BackHooks for BackState<'_> {
    fn weights(&self) -> bool {
        self.weights.is_some()
    }

    fn linear(&mut self, map: &LinearMap, g: &Rows, x: Option<&Rows>) -> Rows {
        if let (Some(weights), Some(x)) = (&mut self.weights, x) {
            map.add_gradient(g, x, weights);
        }
        let mut y = map.backward(g);
        for (whose, term) in self.state.terms_of(map) {
            y = match whose {
                None => map.add_term_backward(g, y, term, None),
                Some(overlay) => map.add_term_backward(g, y, term, Some(&self.state.carrying(*overlay, g.count()))),
            };
        }
        y
    }

    fn norm(&mut self, norm: &Norm, x: &Rows, g: Rows) -> Rows {
        if let Some(weights) = &mut self.weights {
            norm.add_gradient(x, &g, weights);
        }
        norm.backward(x, g)
    }

    fn at<const N: usize>(&mut self, site: Site, mut g: [Rows; N]) -> [Rows; N] {
        let place = (self.state.layer, site);
        let last = std::mem::replace(&mut g[N - 1], Rows::empty(0));
        g[N - 1] = self.unchanged(place, last);
        let joined = self.state.entering(place).len();
        if joined == 0 {
            return g;
        }
        let live = g[N - 1].count() - joined;
        // Rows that joined after attention brought what it adds to them, perhaps changed.
        if matches!(site, Site::MlpKey | Site::MlpValue | Site::Mlp) {
            let rows: Vec<u32> = (live as u32..(live + joined) as u32).collect();
            let brought = g[0].gather(&rows);
            let place = (self.state.layer, Site::Attention);
            self.mark(place, live, &brought);
            if let Some(edits) = self.state.schedule.brought.get(&self.state.layer) {
                self.undo(place, &joining(edits, live, joined), brought);
            }
        }
        g.map(|g| g.first(live))
    }

    fn attend(&mut self, block: &Block, [x, z]: [Rows; 2]) -> [Rows; 4] {
        let layer = self.state.layer;
        let state = &mut self.state;
        let kept = state.attended.as_mut().and_then(|all| all.remove(&layer));
        let [q, k, v] = kept.expect("a block that was computed has attended");
        let (schedule, count) = (state.schedule, k.count());
        let last = schedule.narrowed((layer, Site::Heads));
        let base = state.ground.cache.and_then(|cache| cache.attention(layer));
        let [on_q, on_k, on_v] = match q.count() {
            0 => {
                let none = |rows: &Rows| Rows::zeros(rows.count(), rows.width(), state.device);
                [Rows::empty(q.width()), none(&k), none(&v)]
            }
            _ => {
                let (lists, runs) = state.lists(count, last);
                lists.backward(&block.heads, runs, &q, base, [&k, &v], z)
            }
        };
        state.narrowed = false;
        let (mut on_q, mut x) = (on_q, x);
        if last && count > 0 {
            // What was not read ended here as a key and a value.
            let rows = schedule.read_rows(count);
            let all = |g: Rows| match rows.is_empty() {
                true => Rows::zeros(count, g.width(), state.device),
                false => g.scatter(&rows, count),
            };
            (on_q, x) = (all(on_q), all(x));
        }
        let [on_q, on_k] = match block.rope {
            Some(rope) => [on_q, on_k].map(|g| state.turns[rope].backward(g, block.heads.dim)),
            None => [on_q, on_k],
        };
        [x, on_q, on_k, on_v]
    }
}
