//! The method text of the page, after METHODS: short sections with formulas. Numbers in it come from the records'
//! settings; sections of what was not done are left out.

pub mod formulas;
mod stages;

use super::{Article, say};
use crate::figures::prediction::is_swept;
use crate::figures::sequence::is_sequence;
use crate::words;
use engram_core::metrics::{MlpRatio, NecessityAt, RedundancyAggregate};
use engram_core::record::{Answer, Corruption, PatchPosition, Record, Settings};

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
    used_for: "the three stages, the corruption by another text, equations 1 to 4, C, and the levels of success",
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
    used_for: "the question whether tracing predicts edits, the rewrite score, and what tracing adds to the layer",
};
const LENS: Reference =
    Reference { text: "nostalgebraist 2020, “interpreting GPT: the logit lens”", used_for: "the logit lens" };

/// The sources of what was done.
pub fn references(article: &Article<'_>) -> Vec<Reference> {
    let mut found = vec![PAPER, MENG];
    found.extend(has_edits(article).then_some(SPALL));
    found.extend(has_lens(article).then_some(LENS));
    found.extend(article.records.iter().any(is_swept).then_some(HASE));
    found
}

/// The sections of what was done.
pub fn sections(article: &Article<'_>) -> Vec<Section> {
    if article.studies.is_empty() {
        return Vec::new();
    }
    let mut found = vec![facts(article), corruption(article), sufficiency(article)];
    found.push(stages::necessity(article));
    found.push(stages::mlp(article));
    found.extend(stages::redundancy(article));
    found.push(stages::concentration());
    found.extend(stages::maps(article));
    found.extend(stages::lens(article));
    found.extend(stages::compression(article));
    found.extend(stages::editing(article));
    found.extend(stages::side_effects(article));
    found.extend(stages::prediction(article));
    found.extend(stages::sequences(article));
    found.push(stages::savings());
    found
}

fn has_edits(article: &Article<'_>) -> bool {
    has_single_edits(article) || article.records.iter().any(is_sequence)
}

fn has_single_edits(article: &Article<'_>) -> bool {
    article.records.iter().any(|record| record.edits.as_ref().is_some_and(|edits| !edits.is_empty()))
}

fn has_lens(article: &Article<'_>) -> bool {
    article.records.iter().any(|record| record.validated().any(|(_, traced)| traced.lens.is_some()))
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

/// A setting's value, or all values where the records differ: `60`, `60 or 100`.
fn over(article: &Article<'_>, value: impl Fn(&Settings) -> String) -> String {
    over_records(article, |record| value(&record.settings))
}

fn over_records(article: &Article<'_>, value: impl Fn(&Record) -> String) -> String {
    let mut values: Vec<String> = Vec::new();
    for record in article.records.iter() {
        let value = value(record);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    match values.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => values.concat(),
    }
}

fn facts(article: &Article<'_>) -> Section {
    let n = over(article, |settings| settings.n.to_string());
    let seed = over(article, |settings| settings.seed.to_string());
    let effect = over(article, |settings| settings.min_effect.to_string());
    let longest = over(article, |settings| settings.max_tokens.to_string());
    let answer = over(article, |settings| {
        match settings.answer {
            Answer::FirstToken => "the probability of the answer's first token",
            Answer::Sequence => "the geometric mean of the answer's token probabilities, each after the ones before it",
        }
        .to_owned()
    });
    let shared = article.records.iter().any(|record| record.settings.answer == Answer::FirstToken);
    let shared = if shared { ", answers that begin with the same token" } else { "" };
    Section {
        title: "Facts and filters",
        paragraphs: vec![
            text(format!(
                "A fact is a prompt about a subject with a true answer and a counterfactual one. Facts are taken in an \
                 order shuffled with seed {seed} until {n} are validated or the file ends. p(y) is {answer}."
            )),
            text(format!(
                "A fact is validated if greedy decoding continues the prompt with the true answer, all its tokens, and \
                 if corrupting the subject lowers the answer's probability, p_clean − p_corrupt, by at least {effect}. \
                 Prompts of more than {longest} tokens, subjects without tokens of their own, answers that merge with \
                 the prompt{shared} and empty fields are excluded. Excluded facts stay in the record with their reason."
            )),
        ],
    }
}

fn corruption(article: &Article<'_>) -> Section {
    let way = |corruption: &Corruption| match corruption {
        Corruption::Replace { with } => format!(
            "The subject's characters are replaced with “{}”; the prompt is then tokenized again, and the \
             replacement has a span of its own.",
            words::short(&words::visible(with), 60)
        ),
        Corruption::Noise { sigmas, draws, .. } => format!(
            "The subject is corrupted by Gaussian noise of {sigmas} σ on the embeddings of its tokens, the mean over \
             {} that every cell of a fact shares. σ is the standard deviation over all scalars of the subject \
             embeddings of the fact list, measured as {}.",
            words::count(*draws, "draw"),
            over_records(article, |record| match &record.settings.corruption {
                Corruption::Noise { sigma, .. } => sigma.to_string(),
                Corruption::Replace { .. } => "–".into(),
            })
        ),
    };
    let mut ways: Vec<String> = Vec::new();
    for record in article.records.iter() {
        let told = way(&record.settings.corruption);
        if !ways.contains(&told) {
            ways.push(told);
        }
    }
    Section { title: "Corruption", paragraphs: ways.into_iter().map(Piece::Text).collect() }
}

fn sufficiency(article: &Article<'_>) -> Section {
    let mut positions: Vec<PatchPosition> = Vec::new();
    for position in article.records.iter().flat_map(|record| &record.settings.positions) {
        if !positions.contains(position) {
            positions.push(*position);
        }
    }
    let told = |position: &PatchPosition| match position {
        PatchPosition::SubjectLast => {
            "subject-last puts the clean state of the subject's last token at the subject's last token"
        }
        PatchPosition::LastToken => {
            "last-token puts the clean state of the prompt's last token at the prompt's last token"
        }
        PatchPosition::SameIndex => "same-index puts the clean state of the subject's last token at the same index",
    };
    let told: Vec<&str> = positions.iter().map(told).collect();
    let mut paragraphs = vec![
        text(format!(
            "In the corrupted run the residual stream after one block, at one position, is replaced by the \
             clean run's. The answer's probability that this gives back is the layer's sufficiency (equation 1). {}",
            if told.is_empty() { String::new() } else { format!("{}.", say::capital(&told.join("; "))) }
        )),
        formulas::SUFFICIENCY,
        text("A fact's dominant layer is the one that gives back most, the lowest on a tie:"),
        formulas::DOMINANT,
        text(
            "l* is the most frequent dominant layer over the localized facts, again the lowest on a tie. Means over \
             facts have a standard error, sqrt(Σ (x − mean)² / (n − 1)) / sqrt(n); two means are called different \
             where they lie further apart than both errors together.",
        ),
    ];
    let subject = positions.iter().any(|position| *position != PatchPosition::LastToken);
    let mut identities = Vec::new();
    if subject {
        identities.push(
            "Under subject-last a patch after the last block changes nothing, unless the subject ends the prompt, so \
             s_L = 0.",
        );
    }
    if positions.contains(&PatchPosition::LastToken) {
        identities.push("Under last-token it gives the clean answer back completely, so s_L = p_clean − p_corrupt.");
    }
    if !identities.is_empty() {
        paragraphs.push(text(format!("{} This holds by definition and is no finding.", identities.join(" "))));
    }
    if subject {
        paragraphs.push(text(if article.view.argmax_always {
            "A fact whose patches only hurt has its largest value, 0, at the last layer. Here it is counted there, \
             as a layer is always assigned (argmax-always, the paper's convention), though that is an artefact."
        } else {
            "A fact whose patches only hurt would have its largest value, 0, at the last layer. Such a fact is not \
             localized: it is counted apart and left out of l*, of C and of the distribution."
        }));
    }
    Section { title: "Sufficiency and dominant layers", paragraphs }
}

/// Where ablations are read, in words.
fn place(article: &Article<'_>) -> &'static str {
    match article.view.necessity_at {
        NecessityAt::LStar => "at l*, over all validated facts",
        NecessityAt::PerFact => "at each fact's own dominant layer, over the localized facts",
    }
}

/// How r_MLP is averaged, in words.
fn ratio(article: &Article<'_>) -> &'static str {
    match article.view.mlp_ratio {
        MlpRatio::MeanOfRatios => "the mean of the facts' ratios",
        MlpRatio::RatioOfMeans => "the ratio of the mean drops, without a standard error",
    }
}

/// How R is averaged, in words.
fn aggregate(article: &Article<'_>) -> &'static str {
    match article.view.redundancy {
        RedundancyAggregate::RatioOfMeans => {
            "the mean numerator over the mean Δ_nec (plus ε), clipped to [0, 1], without a standard error"
        }
        RedundancyAggregate::MeanOfClipped => "the mean of the facts' values, each clipped to [0, 1]",
    }
}

#[cfg(test)]
mod tests;
