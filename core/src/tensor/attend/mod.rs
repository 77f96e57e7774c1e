//! Attention of packed rows: each query row sees the positions of its own run, some of them captured rows of another one.

mod device;
mod host;

use super::{MIXED, Rows, kernels};
use burn::{Device, Tensor};
use std::cell::OnceCell;

/// Attention heads of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// Query heads.
    pub count: usize,
    /// Key-value heads; each serves `count / kv` query heads.
    pub kv: usize,
    /// Dimensions of a head.
    pub dim: usize,
    /// Factor on the scores.
    pub scale: f32,
    /// Soft-cap on the scores (Gemma-2).
    pub soft_cap: Option<f32>,
    /// Sliding window: a position sees itself and the `window - 1` before it.
    pub window: Option<usize>,
}

/// Which rows the queries of a pass see.
pub(crate) struct KeyLists {
    /// Rows of the captured run; the pass' own ones are numbered from here on.
    base_rows: usize,
    /// Per run: the key row of every position.
    keys: Vec<Vec<u32>>,
    /// Per query row: its run and position.
    queries: Vec<(u32, u32)>,
    /// Sliding windows that there are.
    windows: Vec<Option<usize>>,
    on_device: Option<OnDevice>,
}

/// Key lists whose table is still to be put on a device.
pub(crate) struct Listed {
    lists: KeyLists,
    /// Run and position of each query row, then the key rows of each run, as many as the longest has.
    pub(crate) table: Vec<i32>,
    most: usize,
}

/// The lists on a device.
struct OnDevice {
    device: Device,
    lists: kernels::Attention,
    /// Padded tables: for the way back, and for prompts that are too long for the kernel.
    tables: OnceCell<device::Tables>,
}

/// Positions of a run whose scores a kernel keeps at a time.
const MOST_POSITIONS: usize = 2048;

/// Captured keys and values of a block: chunks of rows, and where each row is.
#[derive(Clone, Copy)]
pub(crate) struct Captured<'a> {
    pub(crate) keys: &'a [Rows],
    pub(crate) values: &'a [Rows],
    /// Chunk and place in it.
    pub(crate) places: &'a [(u32, u32)],
}

impl KeyLists {
    /// On a device the lists become tables of indices, for these windows.
    pub(crate) fn new(
        base_rows: usize,
        keys: Vec<Vec<u32>>,
        queries: Vec<(u32, u32)>,
        windows: &[Option<usize>],
        device: Option<&Device>,
    ) -> Self {
        let Some(device) = device.filter(|_| !queries.is_empty()) else {
            return Self { base_rows, keys, queries, windows: windows.to_vec(), on_device: None };
        };
        let mut listed = Self::listed(base_rows, keys, queries, windows);
        let table = kernels::Table::new(std::mem::take(&mut listed.table), device);
        listed.on(table, device)
    }

    /// For a device, with a table that others can go along with.
    pub(crate) fn listed(
        base_rows: usize,
        keys: Vec<Vec<u32>>,
        queries: Vec<(u32, u32)>,
        windows: &[Option<usize>],
    ) -> Listed {
        let most = keys.iter().map(Vec::len).max().unwrap_or(0);
        let mut table: Vec<u32> = queries.iter().flat_map(|&(run, position)| [run, position]).collect();
        for keys in &keys {
            table.extend(keys);
            table.extend(std::iter::repeat_n(0, most - keys.len()));
        }
        let table = table.into_iter().map(u32::cast_signed).collect();
        let lists = Self { base_rows, keys, queries, windows: windows.to_vec(), on_device: None };
        Listed { lists, table, most }
    }

    fn tables<'a>(&self, on: &'a OnDevice) -> &'a device::Tables {
        on.tables.get_or_init(|| device::Tables::new(self, &self.windows, &on.device))
    }

    /// Mixes values for the first `q.count()` query rows, which belong to the first `runs` runs:
    /// `[rows, heads · dim]` to the same. Queries and keys are rotated already.
    pub(crate) fn attend(
        &self,
        heads: &Heads,
        runs: usize,
        q: Rows,
        base: Option<Captured<'_>>,
        [k, v]: [&Rows; 2],
    ) -> Rows {
        if q.count() == 0 {
            return q;
        }
        match (&self.on_device, q.device()) {
            (Some(on), Some(x)) if on.lists.most <= MOST_POSITIONS => {
                let captured = base.map(|base| [base.keys, base.values].map(one_chunk));
                let own = [k, v].map(|rows| rows.device().expect(MIXED).clone());
                Rows::on_device(kernels::attend(&on.lists, heads, x.clone(), captured, own))
            }
            (Some(on), Some(x)) => {
                let [k, v] = on_device(base, [k, v]);
                Rows::on_device(self.tables(on).attend(heads, runs, x.clone(), k, v))
            }
            _ => host::attend(self, heads, q, base, [k, v]),
        }
    }

    /// Gradients on queries, keys and values (rotated ones) from those on mixed values; arguments as of
    /// [`Self::attend`]. Captured keys and values are constants.
    pub(crate) fn backward(
        &self,
        heads: &Heads,
        runs: usize,
        q: &Rows,
        base: Option<Captured<'_>>,
        [k, v]: [&Rows; 2],
        g: Rows,
    ) -> [Rows; 3] {
        match (&self.on_device, q.device(), g.device()) {
            (Some(on), Some(x), Some(g)) => {
                let own = k.count();
                let [k, v] = on_device(base, [k, v]);
                let own = (self.base_rows, own);
                self.tables(on).backward(heads, runs, own, x.clone(), [k, v], g.clone()).map(Rows::on_device)
            }
            _ if g.count() == 0 => {
                let device = k.device().map(Tensor::device);
                let none = |rows: &Rows| Rows::zeros(rows.count(), rows.width(), device.as_ref());
                [g, none(k), none(v)]
            }
            _ => host::backward(self, heads, q, base, [k, v], g),
        }
    }
}

impl Listed {
    /// On the host.
    pub(crate) fn on_host(self) -> KeyLists {
        self.lists
    }

    /// With its table on a device.
    pub(crate) fn on(self, table: kernels::Table, device: &Device) -> KeyLists {
        let Self { mut lists, most, .. } = self;
        let (queries, base) = (lists.queries.len(), lists.base_rows);
        let on = kernels::Attention { table, queries, most, base };
        lists.on_device = Some(OnDevice { device: device.clone(), lists: on, tables: OnceCell::new() });
        lists
    }
}

/// Captured rows on a device, where a cache is one chunk.
fn one_chunk(chunks: &[Rows]) -> Tensor<2> {
    let [one] = chunks else { panic!("a cache on a device is one chunk") };
    one.device().expect(MIXED).clone()
}

/// Keys and values on a device, captured ones first.
fn on_device(base: Option<Captured<'_>>, [k, v]: [&Rows; 2]) -> [Tensor<2>; 2] {
    let all = |base: Option<&[Rows]>, new: &Rows| {
        let new = new.device().expect("a query row has at least its own key").clone();
        match base {
            Some(base) => Tensor::cat(vec![one_chunk(base), new], 0),
            None => new,
        }
    };
    [all(base.map(|base| base.keys), k), all(base.map(|base| base.values), v)]
}

/// The attention pattern of a prompt, from its rotated queries and keys on the host: `[heads, rows, rows]`.
pub(crate) fn pattern(heads: &Heads, q: &[f32], k: &[f32]) -> Vec<f32> {
    host::pattern(heads, q, k)
}

/// Positions that a query at `position` sees.
fn seen(position: usize, window: Option<usize>) -> std::ops::Range<usize> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    first..position + 1
}
