//! A pass: a schedule's rows through the blocks, entering where they must, changed and captured on the way.

use super::change::{Sources, change};
use super::schedule::{Place, RowChange, Schedule};
use super::tables::Tables;
use super::{ActivationCache, Edited, Sites};
use crate::model::block::{Block, Hooks, Kept};
use crate::model::{Site, Transformer};
use crate::tensor::attend::KeyLists;
use crate::tensor::rotate::Turns;
use crate::tensor::{LinearMap, Matrix, Overlay, Parts, Rows, Term};
use burn::Device;
use std::collections::{BTreeMap, HashMap};

/// What a pass leaves.
pub(super) struct Passed {
    /// The stream after the last block: of all rows of a capture, of the read ones of a resumed group.
    pub(super) end: Rows,
    /// Captured sites.
    pub(super) kept: BTreeMap<(usize, Site), Rows>,
    /// Rotated keys and values by layer.
    pub(super) attention: BTreeMap<usize, [Rows; 2]>,
}

/// What all passes of a call have in common.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) edited: Edited<'a>,
    pub(super) cache: Option<&'a ActivationCache>,
    pub(super) constants: &'a Matrix,
    /// Those that single runs carry.
    pub(super) overlays: &'a [Overlay],
    pub(super) keep: &'a Sites,
}

/// The block at hand, and the rows that are in it.
pub(super) struct Pass<'a> {
    net: &'a Transformer,
    state: State<'a>,
    layer: usize,
    x: Rows,
    /// What the backward pass needs of each block, where there will be one.
    kept: Option<Vec<(usize, Kept)>>,
    /// Blocks that are left out; empty where none is.
    skip: &'a [bool],
}

/// What the block calls on.
pub(super) struct State<'a> {
    pub(super) ground: Ground<'a>,
    pub(super) schedule: &'a Schedule,
    pub(super) device: Option<&'a Device>,
    pub(super) layer: usize,
    /// Only rows that are read are there.
    pub(super) narrowed: bool,
    pub(super) turns: Vec<Turns<'a>>,
    windows: Vec<Option<usize>>,
    /// On a device.
    tables: Option<Tables<'a>>,
    /// Key lists on the host, and for how many rows and which block they hold.
    lists: Option<((usize, bool), KeyLists)>,
    /// Terms by tensor: of every row, or of the rows that carry an overlay.
    terms: HashMap<&'a str, Vec<(Option<usize>, &'a Term)>>,
    kept: BTreeMap<(usize, Site), Rows>,
    attention: BTreeMap<usize, [Rows; 2]>,
    /// Rotated queries, keys and values by layer, for a backward pass.
    pub(super) attended: Option<BTreeMap<usize, [Rows; 3]>>,
}

impl<'a> Pass<'a> {
    /// A pass over patched runs, or with `ids`, one for each row, over prompts from the embedding on.
    pub(super) fn new(ground: Ground<'a>, schedule: &'a Schedule, ids: Option<&[u32]>) -> Self {
        let (net, device) = (ground.edited.net, ground.edited.device);
        let mut terms: HashMap<&str, Vec<(Option<usize>, &Term)>> = HashMap::new();
        let all = ground.edited.overlays.iter().map(|overlay| (None, overlay));
        let some = ground.overlays.iter().enumerate().map(|(at, overlay)| (Some(at), overlay));
        for (whose, overlay) in all.chain(some) {
            for term in &overlay.terms {
                terms.entry(&term.tensor).or_default().push((whose, term));
            }
        }
        let sources = Sources { cache: ground.cache, constants: ground.constants };
        let tables = device.map(|device| Tables::new(net, schedule, sources, device));
        let positions = tables.as_ref().map(Tables::positions);
        let mut state = State {
            ground,
            schedule,
            device,
            layer: 0,
            narrowed: false,
            turns: net.ropes.iter().map(|rope| rope.turns_at(&schedule.positions, positions)).collect(),
            windows: net.windows(),
            tables,
            lists: None,
            terms,
            kept: BTreeMap::new(),
            attention: BTreeMap::new(),
            attended: None,
        };
        let start = schedule.start();
        let mut x = match ids {
            Some(ids) => net.embedding.forward(ids, &schedule.positions),
            None => Rows::empty(net.shape.width),
        };
        if start == 0 {
            if ids.is_none() {
                x = state.joined(x, (0, Site::Residual), (0, Site::Residual));
            }
            x = state.changed(0, Site::Residual, x);
        }
        Self { net, state, layer: start.max(1), x, kept: None, skip: &[] }
    }

    /// The same with what a backward pass needs, without the blocks that are left out.
    pub(super) fn turning(mut self, skip: &'a [bool]) -> Self {
        self.state.attended = Some(BTreeMap::new());
        Self { kept: Some(Vec::new()), skip, ..self }
    }

    /// Computes the next block; false when there is none.
    pub(super) fn step(&mut self) -> bool {
        if self.layer > self.net.shape.layers {
            return false;
        }
        let layer = self.layer;
        self.layer += 1;
        if self.skip.get(layer - 1).is_some_and(|&skip| skip) {
            return true;
        }
        self.state.layer = layer;
        let x = std::mem::replace(&mut self.x, Rows::empty(self.net.shape.width));
        let mut kept = self.kept.is_some().then(Kept::default);
        self.x = self.net.block(layer).forward(x, &mut self.state, kept.as_mut());
        self.kept.iter_mut().for_each(|all| all.extend(kept.take().map(|kept| (layer, kept))));
        true
    }

    /// The stream at the end, and what the way back needs.
    pub(super) fn turned(self) -> (Rows, State<'a>, Vec<(usize, Kept)>) {
        (self.x, self.state, self.kept.unwrap_or_default())
    }

    /// What the pass leaves.
    pub(super) fn finish(self) -> Passed {
        Passed { end: self.x, kept: self.state.kept, attention: self.state.attention }
    }
}

impl State<'_> {
    /// Rows that enter at a place, by number.
    pub(super) fn entering(&self, place: (usize, Site)) -> Vec<u32> {
        (self.schedule.entered_before(place)..self.schedule.entered(place)).map(|row| row as u32).collect()
    }

    /// Rows, and behind them those that enter at a place, as they were captured at a site.
    fn joined(&self, live: Rows, entry: Place, (layer, site): Place) -> Rows {
        let rows = self.entering(entry);
        match (&self.tables, self.ground.cache) {
            _ if rows.is_empty() => live,
            (Some(tables), Some(cache)) if cache.has(layer, site) => {
                let table = tables.entering(entry).expect("rows that enter later were captured");
                live.join_some(cache.whole(layer, site).0, table)
            }
            _ => live.join(self.captured(layer, site, &rows)),
        }
    }

    /// What was captured of rows at a site.
    fn captured(&self, layer: usize, site: Site, rows: &[u32]) -> Rows {
        let cache = self.ground.cache.expect("rows that enter later were captured");
        let base = |&row: &u32| {
            let row = self.schedule.rows[row as usize];
            self.schedule.runs[row.run as usize].base[row.position as usize]
        };
        cache.gather(layer, site, &rows.iter().map(base).collect::<Vec<_>>())
    }

    fn sources(&self) -> Sources<'_> {
        Sources { cache: self.ground.cache, constants: self.ground.constants }
    }

    /// The changes of a site, and its capture.
    fn changed(&mut self, layer: usize, site: Site, x: Rows) -> Rows {
        let x = match (self.schedule.edits.get(&(layer, site)), &self.tables) {
            (None, _) => x,
            (Some(_), Some(tables)) if x.count() > 0 => tables.changed((layer, site), x, self.sources()),
            (Some(edits), _) => change(x, edits, self.sources()),
        };
        if self.ground.keep.keeps(layer, site) {
            self.kept.insert((layer, site), x.clone());
        }
        x
    }

    /// Behind the rows that are there, what those bring that enter at a site of this block: the stream that they need, and
    /// the site's own activation.
    fn brought<const N: usize>(&self, site: Site, live: [Rows; N]) -> [Rows; N] {
        let (layer, entry) = (self.layer, (self.layer, site));
        let count = self.entering(entry).len();
        let own = |live: Rows| match site {
            // It is replaced at once.
            Site::MlpValue if !self.ground.cache.is_some_and(|cache| cache.has(layer, site)) => {
                live.join(Rows::zeros(count, self.ground.edited.net.shape.width, self.device))
            }
            _ => self.joined(live, entry, entry),
        };
        let stream = |live: Rows| match site {
            Site::Heads | Site::Attention => self.joined(live, entry, (layer - 1, Site::Residual)),
            _ => {
                let none = || Rows::empty(live.width());
                let mut a = self.joined(none(), entry, (layer, Site::Attention));
                if let Some(edits) = self.schedule.brought.get(&layer) {
                    let ready = self.tables.as_ref().and_then(|all| all.changed_on_entry(entry, &a, self.sources()));
                    a = ready.unwrap_or_else(|| change(a, &joining(edits, live.count(), count), self.sources()));
                }
                let middle = self.joined(none(), entry, (layer - 1, Site::Residual)).plus(&a);
                live.join(middle)
            }
        };
        let mut at = 0;
        live.map(|live| {
            at += 1;
            if at == N { own(live) } else { stream(live) }
        })
    }

    /// Rows of the first `count` that carry an overlay.
    pub(super) fn carrying(&self, overlay: usize, count: usize) -> Vec<u32> {
        let all: Vec<u32> = match self.narrowed {
            true => self.schedule.read_rows(self.schedule.rows.len()),
            false => (0..self.schedule.rows.len() as u32).collect(),
        };
        let carries = |row: u32| {
            let run = self.schedule.rows[row as usize].run;
            self.schedule.runs[run as usize].overlay == Some(overlay)
        };
        let rows = all.into_iter().take(count).enumerate();
        rows.filter(|(_, row)| carries(*row)).map(|(at, _)| at as u32).collect()
    }
}

impl Hooks for State<'_> {
    fn linear(&mut self, map: &LinearMap, x: &Rows) -> Rows {
        let mut y = map.forward(x);
        for (whose, term) in self.terms_of(map) {
            y = match whose {
                None => map.add_term(x, y, term, None),
                Some(overlay) => map.add_term(x, y, term, Some(&self.carrying(*overlay, x.count()))),
            };
        }
        y
    }

    fn at<const N: usize>(&mut self, site: Site, live: [Rows; N]) -> [Rows; N] {
        let place = (self.layer, site);
        let enters = self.schedule.entered_before(place) < self.schedule.entered(place);
        let mut live = if enters { self.brought(site, live) } else { live };
        let last = std::mem::replace(&mut live[N - 1], Rows::empty(0));
        live[N - 1] = self.changed(self.layer, site, last);
        live
    }

    fn plain(&self, maps: &[&LinearMap]) -> bool {
        maps.iter().all(|map| self.terms_of(map).is_empty())
    }

    fn project(&mut self, block: &Block, n: &Rows) -> Option<[Rows; 3]> {
        let joined = block.qkv.as_ref().filter(|_| n.count() > 0 && block.qk_norm.is_none())?;
        let untouched = [Site::Query, Site::Key, Site::Value].into_iter().all(|site| {
            let place = (self.layer, site);
            !self.schedule.edits.contains_key(&place)
                && self.schedule.entered_before(place) == self.schedule.entered(place)
                && !self.ground.keep.keeps(self.layer, site)
        });
        if !untouched || !self.plain(&[&block.q, &block.k, &block.v]) {
            return None;
        }
        let parts = Parts { q: block.q.out(), kv: block.k.out(), dim: block.heads.dim };
        Some(joined.attention(n, block.rope.map(|rope| self.turns[rope].tables()), parts))
    }

    fn rotate(&mut self, block: &Block, [q, k]: [Rows; 2]) -> [Rows; 2] {
        match block.rope {
            Some(rope) => [q, k].map(|x| self.turns[rope].rotate(x, block.heads.dim)),
            None => [q, k],
        }
    }

    fn attend(&mut self, block: &Block, x: Rows, [mut q, k, v]: [Rows; 3]) -> [Rows; 2] {
        let (layer, schedule) = (self.layer, self.schedule);
        let count = x.count();
        let last = schedule.narrowed((layer, Site::Heads));
        let mut x = x;
        if last && count > 0 {
            // Every row is a key and a value here, but only what is read is a query.
            (q, x) = match self.tables.as_ref().and_then(Tables::going_on) {
                Some(rows) => (q.some(rows), x.some(rows)),
                None => {
                    let rows = schedule.read_rows(count);
                    (q.gather(&rows), x.gather(&rows))
                }
            };
        }
        self.narrowed = last;
        if let Some(attended) = &mut self.attended {
            attended.insert(layer, [q.clone(), k.clone(), v.clone()]);
        }
        if q.count() == 0 {
            let width = block.heads.count * block.heads.dim;
            return [x, Rows::empty(width)];
        }
        let base = self.ground.cache.and_then(|cache| cache.attention(layer));
        let (lists, runs) = self.lists(count, last);
        let z = lists.attend(&block.heads, runs, q, base, [&k, &v]);
        if self.ground.keep.keeps_attention(layer) {
            self.attention.insert(layer, [k, v]);
        }
        [x, z]
    }
}

/// The edits of rows that join others, `live` of which are there; numbered among those that join.
pub(super) fn joining(edits: &[RowChange], live: usize, joining: usize) -> Vec<RowChange> {
    let own = |edit: &&RowChange| (live..live + joining).contains(&(edit.row as usize));
    let mut own: Vec<RowChange> = edits.iter().filter(own).cloned().collect();
    own.iter_mut().for_each(|edit| edit.row -= live as u32);
    own
}

impl State<'_> {
    /// Terms of a map: each with the overlay of single runs that it belongs to, where it is not in force for all.
    pub(super) fn terms_of(&self, map: &LinearMap) -> &[(Option<usize>, &Term)] {
        self.terms.get(map.tensor.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Key lists for the first `count` rows, and how many runs they belong to.
    pub(super) fn lists(&mut self, count: usize, last: bool) -> (&KeyLists, usize) {
        let schedule = self.schedule;
        let uniform = self.device.is_some() && schedule.is_uniform();
        let rows = schedule.listed(count, uniform);
        let runs = if uniform { schedule.runs_of(count) } else { schedule.runs.len() };
        if let Some(tables) = &self.tables {
            return (tables.lists((rows, last)).expect("rows that attend are listed"), runs);
        }
        if self.lists.as_ref().is_none_or(|(made, _)| *made != (rows, last)) {
            self.lists = Some(((rows, last), schedule.lists((rows, last), &self.windows).on_host()));
        }
        let (_, lists) = self.lists.as_ref().expect("made above");
        (lists, runs)
    }
}
