//! What is said of an article's figures and tables, for each convention. The printer computes it; the
//! page carries it, so that the viewer needs no words of its own.

#[cfg(feature = "print")]
use crate::figures::article::Article;
#[cfg(feature = "print")]
use crate::figures::article::findings::{
    ablations, edits, headline, layers, lens, maps, panels, prediction, retrace, sequence, tables,
};
use engram_core::metrics::MetricConvention;
#[cfg(feature = "print")]
use engram_core::metrics::predictions;
use engram_core::record::PatchPosition;
#[cfg(feature = "print")]
use engram_core::record::Record;
use serde::{Deserialize, Serialize};

/// Sentences under one view.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The view's patch position.
    position: Option<PatchPosition>,
    /// And its convention.
    argmax_always: bool,
    /// The patch position of Figure 3.
    pub(crate) second_position: Option<PatchPosition>,
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
    /// Whether tracing predicts edits: a paragraph a study, and one over all of them.
    pub(crate) prediction: Vec<String>,
    /// Its two figures.
    pub(crate) predicted: [String; 2],
    /// Both answers after the edits: a paragraph a study and method.
    pub(crate) retraced: Vec<String>,
    /// Their figure.
    pub(crate) retrace_figure: String,
    /// Edits one after the other: a paragraph a sequence.
    pub(crate) sequences: Vec<String>,
    /// Their figure.
    pub(crate) sequence_figure: String,
    /// Maps.
    pub(crate) maps: String,
    /// The logit lens, where there is one.
    pub(crate) lens: Option<String>,
    /// Tables 1 to 4 and the matched subset, by number.
    pub(crate) tables: [Option<String>; 6],
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
            headline: headline::headline(article),
            sufficiency: layers::sufficiency(article),
            second: layers::second_position(article),
            dominant: layers::dominant(article),
            ablations: ablations::ablations(article),
            panels: panels::panels(article).into(),
            edits: [edits::by_depth(article), edits::both_answers(article)],
            prediction: prediction::answers(article).into_iter().chain(prediction::several(article)).collect(),
            predicted: [prediction::by_layer(article), prediction::dots(article)],
            retraced: retrace::answers(article),
            retrace_figure: retrace::figure(article),
            sequences: sequence::answers(article),
            sequence_figure: sequence::figure(),
            maps: maps::maps(article),
            lens: lens::lens(article),
            tables: [
                Some(tables::table1(article)),
                Some(tables::table2(article)),
                Some(tables::table3(article)),
                tables::table4(article),
                tables::matched_subset(article),
                tables::table6(article),
            ],
        }
    }
}
