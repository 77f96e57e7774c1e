//! How often a prompt is computed from the embedding on, how often a fact is tokenized, and how many rows patched runs take
//! through blocks: so that a test can hold workflows to what they promise, and a benchmark knows the work. Nothing is counted unless somebody asked.

use super::Prompt;
use super::schedule::Schedule;
use crate::model::Site;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What was counted since [`start`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Prompts without changes of their own, by their tokens.
    pub prompts: BTreeMap<Vec<u32>, usize>,
    /// Facts that were tokenized.
    pub facts: usize,
    /// Rows of patched runs times the blocks whose attention they go through.
    pub attention: usize,
    /// The same of MLPs.
    pub mlp: usize,
    /// Rows that the head read of patched runs.
    pub reads: usize,
}

static COUNTS: Mutex<Option<Counts>> = Mutex::new(None);

fn with(f: impl FnOnce(&mut Counts)) {
    if let Ok(mut counts) = COUNTS.lock()
        && let Some(counts) = counts.as_mut()
    {
        f(counts);
    }
}

/// Begins to count, for the whole process.
pub fn start() {
    if let Ok(mut counts) = COUNTS.lock() {
        *counts = Some(Counts::default());
    }
}

/// What was counted; counting ends.
pub fn take() -> Counts {
    COUNTS.lock().ok().and_then(|mut counts| counts.take()).unwrap_or_default()
}

pub(super) fn prompts(prompts: &[Prompt]) {
    with(|counts| {
        for prompt in prompts.iter().filter(|prompt| prompt.interventions.is_empty()) {
            *counts.prompts.entry(prompt.ids.clone()).or_default() += 1;
        }
    });
}

pub(super) fn passes(schedules: &[Schedule]) {
    with(|counts| {
        for schedule in schedules {
            for row in &schedule.rows {
                let above = schedule.layers - row.entry.0;
                let inside = usize::from((Site::Heads..=Site::MlpKey).contains(&row.entry.1));
                counts.attention += above;
                counts.mlp += above + inside;
                counts.reads += usize::from(row.read);
            }
        }
    });
}

pub(crate) fn fact() {
    with(|counts| counts.facts += 1);
}
