//! What is said of an article's figures and tables, for each convention. The printer computes it; the
//! page carries it, so that the viewer needs no words of its own.

#[cfg(feature = "print")]
use crate::figures::article::Article;
use crate::figures::article::finding::Finding;
#[cfg(feature = "print")]
use crate::figures::article::findings::{captions, headline};
use engram_core::metrics::MetricConvention;
#[cfg(feature = "print")]
use engram_core::metrics::predictions;
use engram_core::record::PatchPosition;
#[cfg(feature = "print")]
use engram_core::record::Record;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Findings under one view.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The view's patch position.
    position: Option<PatchPosition>,
    /// And its convention.
    argmax_always: bool,
    /// The patch position of Figure 3.
    pub(crate) second_position: Option<PatchPosition>,
    /// The abstract.
    pub(crate) headline: Vec<Finding>,
    /// Captions by the place of their figure, table or section in addresses.
    captions: BTreeMap<String, Finding>,
}

impl Said {
    /// The caption of a figure, a table or a section.
    pub(crate) fn caption(&self, place: &str) -> Option<&Finding> {
        self.captions.get(place)
    }
}

/// A finding: the sentence of each study behind its name, then the note.
pub(crate) fn told(finding: &Finding) -> AnyView {
    view! { {of_studies(finding)} {finding.note.clone()} }.into_any()
}

/// The sentence of each study behind its name.
pub(crate) fn of_studies(finding: &Finding) -> AnyView {
    let one = |(names, said): &(String, String)| {
        let names = (!names.is_empty()).then(|| view! { <b>{names.clone()}</b> ": " });
        view! { <span class="told">{names} {said.clone()} " "</span> }
    };
    finding.said.iter().map(one).collect_view().into_any()
}

/// Sentences under every view that the page offers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Words(Vec<Said>);

impl Words {
    /// The sentences under a view; empty ones under a view that the page does not offer.
    pub(crate) fn under(&self, view: &MetricConvention) -> Said {
        let same = |said: &&Said| said.position == Some(view.position) && said.argmax_always == view.argmax_always;
        self.0.iter().find(same).cloned().unwrap_or_default()
    }

    /// Everything that can be said of these records.
    #[cfg(feature = "print")]
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut positions = vec![MetricConvention::default().position];
        for position in records.iter().flat_map(|record| &record.settings.positions) {
            if !positions.contains(position) {
                positions.push(*position);
            }
        }
        let views = positions.iter().flat_map(|position| {
            [false, true].map(|argmax_always| MetricConvention {
                position: *position,
                argmax_always,
                ..MetricConvention::default()
            })
        });
        let predictions: Vec<_> = records.iter().map(predictions).collect();
        Self(views.map(|view| Said::of(&Article::with(records, &view, predictions.clone()), &view)).collect())
    }
}

#[cfg(feature = "print")]
impl Said {
    fn of(article: &Article<'_>, view: &MetricConvention) -> Self {
        Self {
            position: Some(view.position),
            argmax_always: view.argmax_always,
            second_position: article.other.as_ref().map(|other| other.0),
            headline: headline(article),
            captions: captions(article),
        }
    }
}
