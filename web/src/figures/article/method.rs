//! The method text of the page, after METHODS: short sections with formulas. Numbers in it come from the records'
//! settings; sections of what was not done are left out.

mod editing;
pub mod formulas;
mod tracing;

use super::Article;
use crate::figures::prediction::is_swept;
use crate::figures::sequence::is_sequence;
use engram_core::metrics::{BROKEN_FACTS, BROKEN_TEXT};
use engram_core::record::{Settings, Traced};

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its title.
    pub title: &'static str,
    /// Its paragraphs and formulas.
    pub paragraphs: Vec<Piece>,
}

/// A paragraph or a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A paragraph of plain text.
    Text(String),
    /// A formula on a line of its own.
    Formula {
        /// Presentation MathML, `<math display="block">…</math>`.
        mathml: &'static str,
        /// The same in plain text.
        words: &'static str,
    },
}

/// A source, with what is taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Authors, year, title.
    pub text: &'static str,
    /// What it is used for.
    pub used_for: &'static str,
}

const PAPER: Reference = Reference {
    text: "Deshpande, Konavoor and Panat, “Knowledge Localization and Editability in Small Language Models: A \
           Multi-Stage Experimental Study”",
    used_for: "the three stages, corruption by replacing the subject, equations 1 to 4, C, and the levels of success",
};
const MENG: Reference = Reference {
    text: "Meng, Bau, Andonian and Belinkov 2022, “Locating and Editing Factual Associations in GPT”",
    used_for: "token × layer maps, corruption by noise, the rank-one edit, and the CounterFact format",
};
const SPALL: Reference = Reference {
    text: "Spall 1992, “Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient \
           Approximation”",
    used_for: "the search for v* (SPSA)",
};
const HASE: Reference = Reference {
    text: "Hase, Bansal, Kim and Ghandeharioun 2023, “Does Localization Inform Editing? Surprising Differences in \
           Causality-Based Localization vs. Knowledge Editing in Language Models”",
    used_for: "whether tracing predicts edits, the rewrite score, and what tracing adds to the layer",
};
const LENS: Reference =
    Reference { text: "nostalgebraist 2020, “interpreting GPT: the logit lens”", used_for: "the logit lens" };

/// The sources of what was done.
pub fn references(article: &Article<'_>) -> Vec<Reference> {
    let mut found = vec![PAPER, MENG];
    found.extend(editing::any(article).then_some(SPALL));
    found.extend(traced(article, |traced| traced.lens.is_some()).then_some(LENS));
    found.extend(article.records.iter().any(is_swept).then_some(HASE));
    found
}

/// The sections of what was done.
pub fn sections(article: &Article<'_>) -> Vec<Section> {
    if article.studies.is_empty() {
        return Vec::new();
    }
    let mut found = vec![tracing::facts(article), tracing::corruption(article), tracing::sufficiency(article)];
    found.extend(tracing::ablations(article));
    if traced(article, |traced| !traced.redundancy.is_empty()) {
        found.push(tracing::redundancy(article));
    }
    found.push(section("Concentration", [
        formulas::CONCENTRATION,
        text("K is the fewest layers whose facts together exceed 80 % of the localized facts. L is the number of layers."),
    ]));
    if traced(article, |traced| traced.maps.is_some()) {
        found.push(tracing::maps(article));
    }
    if traced(article, |traced| traced.lens.is_some()) {
        found.push(section("Logit lens", [text(
            "The model's final norm and head applied to the clean run's residual stream after each block, at the last token. After \
             the last block this is the model's prediction.",
        )]));
    }
    if article.studies.len() > 1 {
        found.push(section("Compression", [text(
            "Studies are compared by knowledge density, C, R, r_MLP, Δ_nec and the last layer's share. Density is validated facts \
             per 10⁹ parameters, counted from the weights, a tied head once. For the facts that every study validated, l* and all \
             that follows are computed again; R keeps the block that was ablated in each study.",
        )]));
    }
    found.extend(editing::sections(article));
    if article.records.iter().any(is_swept) {
        found.push(tracing::prediction());
    }
    if article.records.iter().any(is_sequence) {
        found.push(section("Edits in sequence", [text(format!(
            "Facts are edited in study order and no edit is undone: each edit is searched on the model with the earlier ones. After \
             1, 3, 10, 30, … edits and after the last, all edits so far are measured again, from the unedited model to this one; so \
             are the unedited validated facts, and the perplexity on the end of the text of the second moments. A model counts as \
             collapsed where its perplexity is above {BROKEN_TEXT} times that of the unedited model, or where it keeps less than \
             {:.0} % of the unedited facts.",
            100.0 * BROKEN_FACTS
        ))]));
    }
    found.push(section("Exact savings", [text(
        "Nothing is approximated. A patch after block l at position i changes nothing in blocks up to l or at positions before i, so only later ones run \
         again, many in one batch. Only positions whose prediction is read go through the head. Results equal those of full passes \
         to float rounding.",
    )]));
    found
}

fn section(title: &'static str, paragraphs: impl IntoIterator<Item = Piece>) -> Section {
    Section { title, paragraphs: paragraphs.into_iter().collect() }
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

/// Whether some validated fact has something.
fn traced(article: &Article<'_>, has: impl Fn(&Traced) -> bool) -> bool {
    article.records.iter().any(|record| record.validated().any(|(_, traced)| has(traced)))
}

/// A setting of each record, once: `60`, `60 or 100`.
fn set(article: &Article<'_>, value: impl Fn(&Settings) -> String) -> String {
    once(article.records.iter().map(|record| value(&record.settings))).join(" or ")
}

/// Values in their order, each once.
fn once<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use engram_core::metrics::{MetricConvention, MlpRatio, NecessityAt};
    use engram_core::record::{Answer, Corruption, Lens, Maps, PatchPosition, Record, RedundancyCurve, Spsa};

    /// The texts of a section; none where it is left out.
    fn said(records: &[Record], view: &MetricConvention, title: &str) -> Option<String> {
        let found = sections(&Article::new(records, view)).into_iter().find(|section| section.title == title)?;
        let texts = found.paragraphs.into_iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Formula { words, .. } => words.to_owned(),
        });
        Some(texts.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn numbers_come_from_the_settings() {
        let view = MetricConvention::default();
        let mut records = [sample::record(), sample::record()];
        let has = |records: &[Record], title: &str, part: &str| {
            let found = said(records, &view, title).unwrap_or_default();
            assert!(found.contains(part), "{title}: {found}");
        };
        has(&records, "Facts and filters", "with seed 42 until 100 are validated");
        has(&records, "Corruption", "“Random Person”");
        has(&records, "Editing", "ε = 0.005, η = 5 and 250 steps");
        let settings = &mut records[1].settings;
        (settings.n, settings.min_effect, settings.answer) = (60, 0.1, Answer::Sequence);
        settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.25 };
        settings.edit.methods = vec![Spsa { eta: 2.5, ..Spsa::default() }.into()];
        has(&records, "Facts and filters", "until 100 or 60");
        has(&records, "Facts and filters", "by 0.05 or 0.1 or more");
        has(&records, "Facts and filters", "first token or the geometric mean");
        has(&records, "Corruption", "noise of 3 σ");
        has(&records, "Editing", "η = 5 or 2.5");
        has(&[sample::swept("a")], "Editing", "each at each of the blocks 1-3");
        has(&[sample::swept("a")], "Tracing and edits", "share of 999 shuffles");
    }

    #[test]
    fn what_was_not_done_is_left_out() {
        let mut record = sample::record();
        let there = |record: &Record, title: &str| {
            said(std::slice::from_ref(record), &MetricConvention::default(), title).is_some()
        };
        let sources =
            |record: &Record| references(&Article::new(std::slice::from_ref(record), &MetricConvention::default()));
        let traces = ["Token × layer maps", "Logit lens", "Redundancy"];
        assert_eq!(traces.map(|title| there(&record, title)), [false; 3]);
        assert_eq!(
            ["Editing", "Side effects", "Tracing and edits"].map(|title| there(&record, title)),
            [true, true, false]
        );
        assert!(!sources(&record).contains(&HASE) && sources(&sample::swept("a")).contains(&HASE));
        record.edits = None;
        sample::each(&mut record, |traced| {
            traced.maps = Some(Maps { window: 3, ..Maps::default() });
            traced.lens = Some(Lens::default());
            traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve::default());
        });
        assert_eq!(traces.map(|title| there(&record, title)), [true; 3]);
        assert_eq!(["Editing", "Side effects"].map(|title| there(&record, title)), [false; 2]);
        assert!(sources(&record).contains(&LENS) && !sources(&record).contains(&SPALL));
    }

    #[test]
    fn positions_and_views_are_told() {
        let view = MetricConvention {
            necessity_at: NecessityAt::PerFact,
            mlp_ratio: MlpRatio::RatioOfMeans,
            ..Default::default()
        };
        let of = |record: &Record, view: &MetricConvention, title: &str| {
            said(std::slice::from_ref(record), view, title).unwrap_or_default()
        };
        let mut record = sample::record();
        assert!(of(&record, &view, "Necessity").contains("each fact's own dominant layer"));
        assert!(of(&record, &view, "Attention against MLP").contains("the ratio of the mean losses"));
        let always = MetricConvention { argmax_always: true, ..view };
        assert!(of(&record, &always, "Sufficiency and dominant layers").contains("argmax-always"));
        record.settings.positions = vec![PatchPosition::LastToken];
        let told = of(&record, &view.with_position(PatchPosition::LastToken), "Sufficiency and dominant layers");
        assert!(!told.contains("subject-last") && told.contains("s_L = p_clean − p_corrupt"), "{told}");
    }
}
