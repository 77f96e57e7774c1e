//! What all sections of an article share: the studies, what is chosen, and what is said of them.

use super::said::{Said, Words};
use crate::components::STILL;
use crate::figures::article::names;
use crate::figures::study::{At, Filter, shown_fact};
use crate::state::ViewState;
use engram_core::metrics::{MetricConvention, Prediction, Summary, finding, predictions, summarize};
use engram_core::record::Record;
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
    /// Which facts are listed.
    pub(crate) filter: RwSignal<Filter>,
    /// Indices and sentences under the chosen view.
    pub(crate) told: Memo<Told>,
    /// Whether tracing predicts edits: of each study, by method. Computed when it is first asked for.
    pub(crate) predictions: Memo<Vec<Vec<Prediction>>>,
    /// Somebody can click: scripting is there. Asked by [`Desk::is_live`].
    pub(crate) live: bool,
}

/// Indices and sentences under one view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// The view.
    pub(crate) view: MetricConvention,
    /// Indices of each study.
    pub(crate) summaries: Vec<Summary>,
    /// The same at the second patch position; empty where there is none.
    pub(crate) second: Vec<Summary>,
    /// The sentences.
    pub(crate) said: Said,
}

impl Desk {
    /// Studies as they are shown first, or as a reader has chosen.
    pub(crate) fn new(records: Arc<Vec<Record>>, words: Words, state: ViewState, filter: Filter, live: bool) -> Self {
        let state = RwSignal::new(state);
        let names = Arc::new(names(&records));
        let view = Memo::new(move |_| state.with(ViewState::view));
        let told = {
            let records = records.clone();
            Memo::new(move |_| {
                let view = view.get();
                let said = words.under(&view);
                let under = |view: MetricConvention| records.iter().map(|record| summarize(record, &view)).collect();
                let second = said.second_position.map(|position| under(view.with_position(position)));
                Told { view, summaries: under(view), second: second.unwrap_or_default(), said }
            })
        };
        let predictions = {
            let records = records.clone();
            Memo::new(move |_| records.iter().map(predictions).collect())
        };
        Self { records, names, state, filter: RwSignal::new(filter), told, predictions, live }
    }

    /// Whether somebody can click. A program that only prints knows the answer when it is built, and has no code for the other.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        !STILL && self.live
    }

    /// Names and records, as the figures that compare take them.
    pub(crate) fn pairs(&self) -> Vec<(String, &Record)> {
        self.names.iter().cloned().zip(self.records.iter()).collect()
    }

    /// The place of the study whose facts are shown.
    pub(crate) fn shown(&self) -> usize {
        self.state.with(|state| state.record).min(self.records.len().saturating_sub(1))
    }

    /// The layer of which facts are listed, where it is a single one.
    pub(crate) fn listed_layer(&self) -> Option<usize> {
        self.filter.with(|filter| match filter.at {
            Some(At::Argmax(layer)) => Some(layer),
            Some(At::Layers(from, to)) if from == to => Some(from),
            _ => None,
        })
    }

    /// `order` of the fact that is looked at: the chosen one, or else the first one that was traced, or the first at all.
    pub(crate) fn fact(&self) -> Option<usize> {
        shown_fact(self.records.get(self.shown())?, self.state.with(|state| state.fact))
    }

    /// The layer that is looked at in a study: the listed one, or else the one that the chosen fact's trace names.
    pub(crate) fn layer(&self, study: usize) -> Option<usize> {
        if self.shown() != study {
            return None;
        }
        self.listed_layer().or_else(|| {
            let (order, view) = self.state.with(|state| (state.fact, state.view()));
            let fact = self.records.get(study)?.facts.iter().find(|fact| Some(fact.order) == order)?;
            finding(fact, &view)?.layer()
        })
    }
}
