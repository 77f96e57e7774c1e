//! The method text of tracing: facts, patches, ablations, and what they say of edits.

use super::super::Article;
use super::{Piece, Section, formulas, once, section, set, text};
use crate::words;
use engram_core::metrics::{MlpRatio, NecessityAt, RedundancyAggregate, SHUFFLES};
use engram_core::record::{Answer, Corruption, PatchPosition, Record};

pub(super) fn facts(article: &Article<'_>) -> Section {
    let answer = set(article, |settings| {
        match settings.answer {
            Answer::FirstToken => "the probability of the answer's first token",
            Answer::Sequence => "the geometric mean of the answer's token probabilities under teacher forcing",
        }
        .to_owned()
    });
    let shared = article.records.iter().any(|record| record.settings.answer == Answer::FirstToken);
    let shared = if shared { ", answers with the same first token" } else { "" };
    section(
        "Facts and filters",
        [
            text(format!(
                "A fact is a prompt about a subject with a true answer and a counterfactual answer. Facts are taken in an order shuffled \
             with seed {} until {} are validated or the file ends. p(y) is {answer}. Probabilities are given from 0 to 1, shares of \
             facts in per cent.",
                set(article, |settings| settings.seed.to_string()),
                set(article, |settings| settings.n.to_string())
            )),
            text(format!(
                "A fact is validated if greedy decoding continues the prompt with the whole true answer, and if corrupting the subject \
             lowers p(true answer), p_clean − p_corrupt, by {} or more. Excluded are also prompts of more than {} tokens, subjects \
             without tokens of their own, answers that merge with the prompt{shared}, and empty fields. Excluded facts stay in the \
             record with their reason.",
                set(article, |settings| settings.min_effect.to_string()),
                set(article, |settings| settings.max_tokens.to_string())
            )),
        ],
    )
}

pub(super) fn corruption(article: &Article<'_>) -> Section {
    let way = |record: &Record| match &record.settings.corruption {
        Corruption::Replace { with } => format!(
            "The subject's characters are replaced with “{}” and the prompt is tokenized again. The replacement has a token span of \
             its own.",
            words::short(&words::visible(with), 60)
        ),
        Corruption::Noise { sigmas, draws, sigma } => format!(
            "Gaussian noise of {sigmas} σ is added to the embeddings of the subject's tokens. Values are means over {}, the same for \
             every cell of a fact. σ is the standard deviation over all scalars of the subject embeddings of the fact list, here {sigma}.",
            words::count(*draws, "draw")
        ),
    };
    section("Corruption", once(article.records.iter().map(way)).into_iter().map(Piece::Text))
}

pub(super) fn sufficiency(article: &Article<'_>) -> Section {
    let positions = once(article.records.iter().flat_map(|record| record.settings.positions.iter().copied()));
    let told = positions.iter().map(|position| match position {
        PatchPosition::SubjectLast => {
            "subject-last restores the state of the subject's last token at the subject's last token. By definition a patch after the \
             last block changes nothing, s_L = 0, unless the subject ends the prompt."
        }
        PatchPosition::LastToken => {
            "last-token restores the state of the prompt's last token at the prompt's last token. By definition a patch after the last \
             block restores the clean answer, s_L = p_clean − p_corrupt."
        }
        PatchPosition::SameIndex => "same-index restores the state of the subject's last token at the same index.",
    });
    let mut paragraphs = vec![
        text(
            "In the corrupted run, the residual stream after one block at one position is replaced by the clean run's. The gain of \
             p(true answer) is the layer's sufficiency (equation 1):",
        ),
        formulas::SUFFICIENCY,
        text("A fact's dominant layer has the largest sufficiency, the lowest layer on a tie:"),
        formulas::DOMINANT,
        text(
            "l* is the most frequent dominant layer of the localized facts, the lowest on a tie. ± is the standard error of a mean over \
             facts, sqrt(Σ (x − mean)² / (n − 1)) / sqrt(n). Two means are called different where they lie further apart than both \
             errors together.",
        ),
    ];
    paragraphs.splice(2..2, told.map(text));
    if positions.iter().any(|position| *position != PatchPosition::LastToken) {
        paragraphs.push(text(if article.view.argmax_always {
            "The largest value of a fact whose patches only hurt is s_L = 0. It is counted at the last layer, since a layer is always \
             assigned (argmax-always, the paper's convention). This is an artefact."
        } else {
            "The largest value of a fact whose patches only hurt is s_L = 0, an artefact. Such a fact is not localized: it is counted \
             apart and excluded from l*, C and the distribution."
        }));
    }
    section("Sufficiency and dominant layers", paragraphs)
}

pub(super) fn ablations(article: &Article<'_>) -> [Section; 2] {
    let place = match article.view.necessity_at {
        NecessityAt::LStar => "l*, over all validated facts",
        NecessityAt::PerFact => "each fact's own dominant layer, over the localized facts",
    };
    let ratio = match article.view.mlp_ratio {
        MlpRatio::MeanOfRatios => "the mean of the facts' ratios",
        MlpRatio::RatioOfMeans => "the ratio of the mean losses, without a standard error",
    };
    [
        section(
            "Necessity",
            [
                text(format!(
                    "In the clean run, the attention output and the MLP output of one block are set to zero at all positions, so that the \
                 block is the identity. The loss of p(true answer) is read at {place}:"
                )),
                formulas::NECESSITY,
            ],
        ),
        section(
            "Attention against MLP",
            [
                text(
                    "Ablating one sublayer at a time gives Δ_attn and Δ_MLP (equation 2), with ε = 1e-8. What a sublayer adds to the \
                 residual stream is set to zero.",
                ),
                formulas::MLP_RATIO,
                text(format!("The value of a study is {ratio}, read at {place}.")),
            ],
        ),
    ]
}

pub(super) fn redundancy(article: &Article<'_>) -> Section {
    let aggregate = match article.view.redundancy {
        RedundancyAggregate::RatioOfMeans => {
            "the mean numerator over the mean Δ_nec (plus ε), clipped to [0, 1], without a standard error"
        }
        RedundancyAggregate::MeanOfClipped => "the mean of the facts' values, each clipped to [0, 1]",
    };
    section(
        "Redundancy",
        [
            text(
                "A second pass runs the corrupted prompt with block l* ablated, and restores the clean state after one other layer at the \
             patch position (equation 3).",
            ),
            formulas::REDUNDANCY,
            text(format!(
                "The value of a study is {aggregate}. A patch above l* overwrites what the ablation did at that position, under last-token \
             completely. So the curve per layer is shown too, not only its maximum."
            )),
        ],
    )
}

pub(super) fn maps(article: &Article<'_>) -> Section {
    let window = |record: &Record| {
        let window = record.validated().find_map(|(_, traced)| traced.maps.as_ref().map(|maps| maps.window));
        window.map(|window| words::count(window, "layer"))
    };
    let windows = once(article.records.iter().filter_map(window)).join(" or ");
    section(
        "Token × layer maps",
        [text(format!(
            "For some facts the patch is made at every position and layer, for the residual stream after the block, and for MLP output and \
         attention output in a window of {windows} around the layer. A position that the corruption did not change, or that has no clean \
         counterpart, keeps p_corrupt. Where the two prompts differ in length, positions outside the subject are aligned from the nearer \
         end of the prompt, the subject's from its end."
        ))],
    )
}

pub(super) fn prediction() -> Section {
    section(
        "Tracing and edits",
        [
            text(
                "Each edit is compared with its fact's tracing effect at the same layer, p_patch − p_corrupt: of the residual stream after \
             the layer, and of the MLP outputs in a window around it. The rewrite score is the share of the new answer's missing \
             probability that the edit gains, (p' − p) / (1 − p).",
            ),
            text(format!(
                "Some layers are easier to edit whatever the fact is. So R² of layer means alone is compared with R² of layer means and one \
             slope on the effect. The difference is what tracing adds, (1 − R²) r², with r the correlation about layer means. p is the \
             share of {SHUFFLES} shuffles of the effects over facts in which r is at least as strong, this one counted."
            )),
        ],
    )
}
