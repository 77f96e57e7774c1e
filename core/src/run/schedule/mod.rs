//! What a pass does, planned in integers before anything is computed: which rows there are and where each one enters,
//! which keys each one sees, what is changed where. Nothing here touches a number of a model.

mod entry;
mod groups;

pub(super) use groups::{captures, extend, lacks, resumes, rows};

use super::Prompt;
use crate::model::Site;
use crate::tensor::attend::{KeyLists, Listed};
use std::collections::BTreeMap;
use std::ops::Range;

/// A place in the order of computation: a layer and a site of it.
pub(super) type Place = (usize, Site);

/// A row of a pass: one position of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Run of the group.
    pub(super) run: u32,
    pub(super) position: u32,
    /// It exists from here on; before, it is what was captured.
    pub(super) entry: Place,
    /// Its prediction is read, or another run takes numbers from it: it goes on in the last block.
    pub(super) read: bool,
}

/// A run of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupRun {
    /// Its place in the request.
    pub(super) at: usize,
    /// Captured row of each position.
    pub(super) base: Vec<u32>,
    /// Row of the pass of each position, where there is one.
    pub(super) live: Vec<Option<u32>>,
    /// The overlay that it carries.
    pub(super) overlay: Option<usize>,
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowChange {
    /// The run's place in the request.
    pub(super) run: usize,
    /// Row as the activation has them at that place.
    pub(super) row: u32,
    pub(super) columns: Range<usize>,
    pub(super) change: RowOp,
}

/// A change, its source resolved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum RowOp {
    Zero,
    Scale(f32),
    Replace(RowSource),
    Add(RowSource),
}

/// Where a row of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowSource {
    /// A captured row.
    Cache(Place, u32),
    /// A row of the request's constants, from a column on.
    Constant(u32, u32),
    /// A row of the constants that the prompts were captured with.
    Kept(u32, u32),
    /// A row of the pass, at the same place.
    Live(u32),
}

/// The plan of a pass.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    pub(super) layers: usize,
    /// In order of their first rows.
    pub(super) runs: Vec<GroupRun>,
    /// By entry, run and position.
    pub(super) rows: Vec<Row>,
    /// Each row's position.
    pub(super) positions: Vec<u32>,
    /// Changes by place, in their order.
    pub(super) edits: BTreeMap<Place, Vec<RowChange>>,
    /// Changes of what attention adds, for rows that enter the same block later: they bring it changed.
    pub(super) brought: BTreeMap<usize, Vec<RowChange>>,
    /// Captured rows; the pass' own ones are numbered from here on among keys.
    pub(super) base_rows: usize,
    /// Only rows that are read go on in the last block.
    pub(super) narrows: bool,
    /// For each row: how many before it are read.
    reads_before: Vec<u32>,
}

impl Schedule {
    /// Rows that have entered by this place, this place included.
    pub(super) fn entered(&self, place: Place) -> usize {
        self.rows.partition_point(|row| row.entry <= place)
    }

    /// Rows that have entered before it.
    pub(super) fn entered_before(&self, place: Place) -> usize {
        self.rows.partition_point(|row| row.entry < place)
    }

    /// Whether only rows that are read are there.
    pub(super) fn narrowed(&self, (layer, site): Place) -> bool {
        self.narrows && layer == self.layers && site >= Site::Heads
    }

    /// Rows that activations have at a place.
    pub(super) fn present(&self, place: Place) -> usize {
        let entered = self.entered(place);
        if self.narrowed(place) { self.read_rows(entered).len() } else { entered }
    }

    /// The same before any row enters at the place.
    pub(super) fn present_before(&self, place: Place) -> usize {
        let entered = self.entered_before(place);
        if self.narrowed(place) { self.read_rows(entered).len() } else { entered }
    }

    /// The number of a row as activations have it at a place; `None` where it does not go on.
    pub(super) fn shown(&self, row: u32, place: Place) -> Option<u32> {
        match self.narrowed(place) {
            false => Some(row),
            true => self.rows[row as usize].read.then(|| self.reads_before[row as usize]),
        }
    }

    /// Numbers of the rows that go on in the last block, of the first `count`.
    pub(super) fn read_rows(&self, count: usize) -> Vec<u32> {
        (0..count as u32).filter(|&row| self.rows[row as usize].read).collect()
    }

    /// The first layer in which something is computed or brought.
    pub(super) fn start(&self) -> usize {
        self.rows.first().map_or(self.layers, |row| row.entry.0)
    }

    /// The row at the end of a run's position that is read.
    pub(super) fn end_row(&self, run: &GroupRun, position: usize) -> u32 {
        let row = run.live[position].expect("a position that is read has a row");
        self.shown(row, (self.layers, Site::Residual)).expect("a row that is read goes on")
    }

    /// The rows' tokens, of prompts that are computed from the embedding on.
    pub(super) fn ids(&self, prompts: &[Prompt]) -> Vec<u32> {
        let id = |row: &Row| prompts[self.runs[row.run as usize].at].ids[row.position as usize];
        self.rows.iter().map(id).collect()
    }

    /// The key rows of each run when its first `live` rows are there.
    pub(super) fn keys(&self, live: usize) -> Vec<Vec<u32>> {
        let one = |run: &GroupRun| {
            let key = |position: usize| match run.live[position].filter(|&row| (row as usize) < live) {
                Some(row) => self.base_rows as u32 + row,
                None => run.base[position],
            };
            // Runs that are not there yet have no queries.
            let there = run.live.iter().flatten().any(|&row| (row as usize) < live);
            if there { (0..run.live.len()).map(key).collect() } else { Vec::new() }
        };
        self.runs.iter().map(one).collect()
    }

    /// Every run's rows enter in one block, so that tables of all runs hold for the first ones too.
    pub(super) fn is_uniform(&self) -> bool {
        let attends = |row: &&Row| row.entry < (self.layers, Site::Query);
        let mut layers = vec![None; self.runs.len()];
        self.rows.iter().filter(attends).all(|row| *layers[row.run as usize].get_or_insert(row.entry.0) == row.entry.0)
    }

    /// For how many rows key lists are made where the first `count` attend: for all that ever do, where such lists hold for
    /// the first ones too.
    pub(super) fn listed(&self, count: usize, uniform: bool) -> usize {
        if uniform { self.entered_before((self.layers, Site::Query)) } else { count }
    }

    /// Key lists of the first rows, or of those of them that are read.
    pub(super) fn lists(&self, (rows, read): (usize, bool), windows: &[Option<usize>]) -> Listed {
        let all = if read { self.read_rows(rows) } else { (0..rows as u32).collect() };
        let query = |&row: &u32| {
            let row = self.rows[row as usize];
            (row.run, row.position)
        };
        KeyLists::listed(self.base_rows, self.keys(rows), all.iter().map(query).collect(), windows)
    }

    /// Runs of the first rows; their numbers are in row order.
    pub(super) fn runs_of(&self, rows: usize) -> usize {
        self.rows[..rows].iter().map(|row| row.run as usize + 1).max().unwrap_or(0)
    }
}
