//! What all sections of an article share: the studies, what is chosen, and what is said of them.

use crate::figures::article::findings::{ablations, edits, headline, layers, lens, maps, panels, tables};
use crate::figures::article::{Article, names};
use crate::state::ViewState;
use engram_core::metrics::{Summary, View};
use engram_core::record::{Reading, Record};
use leptos::prelude::*;
use std::sync::Arc;

/// The studies of an article and what a reader has chosen.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The studies.
    pub(crate) records: Arc<Vec<Record>>,
    /// Their names in sentences.
    pub(crate) names: Arc<Vec<String>>,
    /// What is chosen.
    pub(crate) state: RwSignal<ViewState>,
    /// What is said under the chosen view.
    pub(crate) told: Memo<Told>,
    /// Somebody can click: scripting is there.
    pub(crate) live: bool,
}

/// Sentences and indices under one view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// The view.
    pub(crate) view: View,
    /// Indices of each study.
    pub(crate) summaries: Vec<Summary>,
    /// The same under the second reading.
    pub(crate) other: Option<(Reading, Vec<Summary>)>,
    /// The abstract.
    pub(crate) headline: Vec<String>,
    /// Figure 2.
    pub(crate) sufficiency: String,
    /// Figure 3.
    pub(crate) second: String,
    /// The histogram.
    pub(crate) dominant: String,
    /// Ablations.
    pub(crate) ablations: String,
    /// Figure 4, panel by panel.
    pub(crate) panels: Vec<String>,
    /// Figures 5 and 6.
    pub(crate) edits: [String; 2],
    /// Maps.
    pub(crate) maps: String,
    /// The logit lens, where there is one.
    pub(crate) lens: Option<String>,
    /// Tables 1 to 4 and the matched subset, by number.
    pub(crate) tables: [Option<String>; 5],
}

impl Told {
    /// Everything that is said of these studies under a view.
    pub(crate) fn of(records: &[Record], view: &View) -> Self {
        let article = Article::new(records, view);
        let summaries = article.studies.iter().map(|study| study.summary.clone()).collect();
        let other = article
            .other
            .as_ref()
            .map(|(reading, studies)| (*reading, studies.iter().map(|study| study.summary.clone()).collect()));
        Self {
            view: *view,
            summaries,
            other,
            headline: headline::headline(&article),
            sufficiency: layers::sufficiency(&article),
            second: layers::second_reading(&article),
            dominant: layers::dominant(&article),
            ablations: ablations::ablations(&article),
            panels: panels::panels(&article).into(),
            edits: [edits::by_depth(&article), edits::both_answers(&article)],
            maps: maps::maps(&article),
            lens: lens::lens(&article),
            tables: [
                Some(tables::table1(&article)),
                Some(tables::table2(&article)),
                Some(tables::table3(&article)),
                tables::table4(&article),
                tables::matched_subset(&article),
            ],
        }
    }
}

impl Desk {
    /// Studies as they are shown first, or as a reader has chosen.
    pub(crate) fn new(records: Arc<Vec<Record>>, state: RwSignal<ViewState>, live: bool) -> Self {
        let names = Arc::new(names(&records));
        let told = {
            let records = records.clone();
            let view = Memo::new(move |_| state.with(ViewState::view));
            Memo::new(move |_| Told::of(&records, &view.get()))
        };
        Self { records, names, state, told, live }
    }

    /// Names and records, as the figures that compare take them.
    pub(crate) fn pairs(&self) -> Vec<(String, &Record)> {
        self.names.iter().cloned().zip(self.records.iter()).collect()
    }

    /// The place of the study whose facts are shown.
    pub(crate) fn shown(&self) -> usize {
        self.state.with(|state| state.record).min(self.records.len().saturating_sub(1))
    }
}
