//! The sections after localization: ablations, redundancy, maps, compression, editing, exact savings.

use super::super::{Article, say};
use super::{Piece, Section, aggregate, formulas, has_edits, has_lens, has_single_edits, over, place, ratio, text};
use crate::figures::prediction::is_swept;
use crate::figures::sequence::is_sequence;
use crate::words;
use engram_core::metrics::{BROKEN_FACTS, BROKEN_TEXT, Level, RULES, SHUFFLES};
use engram_core::record::{EditLayers, EditMethod, FineTuning, Lora, Rome, Spsa, UltraEdit, ValueSearch};

/// Necessity.
pub(super) fn necessity(article: &Article<'_>) -> Section {
    Section {
        title: "Necessity",
        paragraphs: vec![
            text(format!(
                "On the clean prompt attention's and the MLP's contribution of one block are set to zero at all \
                 positions, so that the block is the identity. What the answer loses is read {}:",
                place(article)
            )),
            formulas::NECESSITY,
        ],
    }
}

/// Attention against MLP.
pub(super) fn mlp(article: &Article<'_>) -> Section {
    Section {
        title: "Attention against MLP",
        paragraphs: vec![
            text(
                "The same with one sublayer at a time gives Δ_attn and Δ_MLP (equation 2), with ε = 1e-8. What is set \
                 to zero is what a sublayer adds to the stream.",
            ),
            formulas::MLP_RATIO,
            text(format!("The value of a study is {}, read {}.", ratio(article), place(article))),
        ],
    }
}

/// Redundancy, where a study has a second pass.
pub(super) fn redundancy(article: &Article<'_>) -> Option<Section> {
    let run = article.records.iter().any(|record| record.validated().any(|(_, traced)| !traced.redundancy.is_empty()));
    run.then(|| Section {
        title: "Redundancy",
        paragraphs: vec![
            text(
                "A second pass runs the corrupted prompt with block l* ablated and puts the clean state back after one \
                 other layer, at the patch position (equation 3).",
            ),
            formulas::REDUNDANCY,
            text(format!(
                "The value of a study is {}. A patch above l* overwrites what the ablation did at that position; under \
                 last-token this is total, so the curve per layer is shown too, not only its maximum.",
                aggregate(article)
            )),
        ],
    })
}

/// Concentration.
pub(super) fn concentration() -> Section {
    Section {
        title: "Concentration",
        paragraphs: vec![
            formulas::CONCENTRATION,
            text(
                "K is the fewest layers whose facts together exceed 80 % of the localized facts, L the number of \
                 layers.",
            ),
        ],
    }
}

/// Token × layer maps, where some facts have them.
pub(super) fn maps(article: &Article<'_>) -> Option<Section> {
    let windows = |record: &engram_core::record::Record| {
        record.validated().find_map(|(_, traced)| traced.maps.as_ref().map(|maps| maps.window))
    };
    article.records.iter().find_map(windows)?;
    let mut all: Vec<usize> = article.records.iter().filter_map(windows).collect();
    all.sort_unstable();
    all.dedup();
    let told: Vec<String> = all.iter().map(|window| words::count(*window, "layer")).collect();
    Some(Section {
        title: "Token × layer maps",
        paragraphs: vec![text(format!(
            "For some facts the patch is made at every position and layer, for the residual stream after the block and \
             for the contributions of the MLPs and of attention, these two in a window of {} around the layer. A \
             position that the corruption left alone, or that has no clean counterpart, keeps p_corrupt. Where both \
             prompts differ in length, positions outside the subject are aligned from the nearer end of the prompt, \
             the subject's from its end.",
            say::list(&told)
        ))],
    })
}

/// The logit lens, where some facts have it.
pub(super) fn lens(article: &Article<'_>) -> Option<Section> {
    has_lens(article).then(|| Section {
        title: "Logit lens",
        paragraphs: vec![text(
            "What the model's own final norm and head read from the clean prompt's residual stream after each block, \
             at the last token. After the last block it is the model's own prediction.",
        )],
    })
}

/// Compression, where models are compared.
pub(super) fn compression(article: &Article<'_>) -> Option<Section> {
    (article.studies.len() > 1).then(|| Section {
        title: "Compression",
        paragraphs: vec![text(
            "Studies are held side by side by knowledge density, C, R, r_MLP, Δ_nec and the last layer's share. \
             Density is validated facts per 10⁹ parameters, which are counted from the weights, a tied head once. \
             Facts that every study validated are also reported as a matched subset; there l* and all that follows are \
             computed on the subset, and R keeps the block that was ablated in each study.",
        )],
    })
}

/// Editing, where a fact was edited.
pub(super) fn editing(article: &Article<'_>) -> Option<Section> {
    if !has_edits(article) {
        return None;
    }
    let edit =
        |value: fn(&engram_core::record::EditSettings) -> String| over(article, |settings| value(&settings.edit));
    let layer = edit(|edit| match (edit.layers.only(), &edit.layers) {
        (Some(layer), _) => format!("block {layer}"),
        (None, EditLayers::Dominant) => format!("its dominant layer under {}", edit.position.name()),
        (None, fixed) => format!("each of the blocks {fixed}"),
    });
    let facts = edit(|edit| edit.facts.to_string());
    let how = edit(|edit| if edit.sequence > 0 { "one after the other".into() } else { "one at a time".into() });
    let levels: Vec<String> =
        Level::ALL.iter().map(|level| format!("{}: {}", level.name(), words::level(*level))).collect();
    let mut paragraphs = vec![
        text(format!(
            "Up to {facts} facts of a study are rewritten, {how}, each at {layer}. W is the MLP's \
             down-projection of that block, k its input at the subject's last token on the clean prompt, v its output \
             there, and v* a wanted output (equation 4):"
        )),
        formulas::RANK_ONE,
    ];
    paragraphs.extend(by_spsa(article));
    paragraphs.extend(by_rome(article));
    paragraphs.extend(by_many(article));
    paragraphs.extend(by_tuning(article));
    paragraphs.extend([
        text(format!(
            "An edit counts if p(false) was above {} before. It succeeds if one of three levels is reached, and is \
             named by the first. {}.",
            edit(|edit| edit.min_p_false.to_string()),
            levels.join("; ")
        )),
        text(format!(
            "This success is the paper's and looks at the prompt alone. The verdict looks at everything that was \
                 measured. {}",
            RULES.join(" ")
        )),
    ]);
    Some(Section { title: "Editing", paragraphs })
}

/// What tracing says of edits, where facts are edited at several layers.
pub(super) fn prediction(article: &Article<'_>) -> Option<Section> {
    article.records.iter().any(is_swept).then(|| Section {
        title: "Tracing and edits",
        paragraphs: vec![
            text(
                "Each edit is held against its fact's tracing effect at the same layer, p_patch − p_corrupt: of the residual \
                 stream after the layer, and of the MLPs in a window of layers around it. The rewrite score is the share of the \
                 new answer's missing probability that the edit brought, (p' − p) / (1 − p).",
            ),
            text(format!(
                "Layers differ in how well they can be edited whatever the fact is. So what counts is what tracing adds: \
                 beside R² of layer means alone, R² of layer means and one slope on the effect. The difference is \
                 (1 − R²) r², r the correlation about layer means. p is the share of {SHUFFLES} shuffles, in which facts \
                 have each other's effects, with an r as strong, this one counted."
            )),
        ],
    })
}

/// Edits one after the other, where there are any.
pub(super) fn sequences(article: &Article<'_>) -> Option<Section> {
    let any = article.records.iter().any(is_sequence);
    any.then(|| Section {
        title: "Edits one after the other",
        paragraphs: vec![text(format!(
            "Facts are edited in study order, nothing is undone: each edit is searched on the model that those before it left. \
             After 1, 3, 10, 30 and so on edits, and after the last, all edits so far are measured again, from the unedited \
             model to this one; so are the validated facts that the sequence does not edit, and the perplexity on the end of \
             the text that second moments are taken from. A model counts as collapsed where perplexity is above {BROKEN_TEXT} \
             times the unedited one, or fewer than {BROKEN_FACTS} of the untouched facts are kept."
        ))],
    })
}

/// A value of the methods of one kind, over all records that have such a method.
fn of_methods(article: &Article<'_>, value: impl Fn(&EditMethod) -> Option<String>) -> Option<String> {
    let all = article.studies.iter().filter(|study| study.record.has_edits());
    let mut found: Vec<String> =
        all.flat_map(|study| study.record.settings.edit.methods.iter().filter_map(&value)).collect();
    let mut seen = Vec::new();
    found.retain(|value| {
        !seen.contains(value) && {
            seen.push(value.clone());
            true
        }
    });
    (!found.is_empty()).then(|| found.join(" or "))
}

/// The paper's search.
fn by_spsa(article: &Article<'_>) -> Vec<Piece> {
    let spsa = |value: fn(&Spsa) -> String| {
        let of = |method: &EditMethod| if let EditMethod::Spsa(spsa) = method { Some(value(spsa)) } else { None };
        of_methods(article, of)
    };
    let (Some(epsilon), Some(eta), Some(steps)) =
        (spsa(|spsa| spsa.epsilon.to_string()), spsa(|spsa| spsa.eta.to_string()), spsa(|spsa| spsa.steps.to_string()))
    else {
        return Vec::new();
    };
    vec![
        text("SPSA searches for v* by simultaneous perturbation. With the MLP's output replaced by v, it minimises"),
        formulas::OBJECTIVE,
        text("Each step draws a direction δ with entries ±1 from the seed and moves"),
        formulas::STEP,
        text(format!(
            "with ε = {epsilon}, η = {eta} and {steps} steps. SPSA reads the answers' first tokens. The weights are \
             restored after each edit."
        )),
    ]
}

/// Editors of many facts.
fn by_many(article: &Article<'_>) -> Vec<Piece> {
    let spread = |method: &EditMethod| matches!(method, EditMethod::Memit(_) | EditMethod::AlphaEdit(_));
    let titles = of_methods(article, |method| spread(method).then(|| method.title()));
    let layers = of_methods(article, |method| spread(method).then(|| method.layers().to_string()));
    let (Some(titles), Some(layers)) = (titles, layers) else { return Vec::new() };
    vec![text(format!(
        "{titles} (Meng et al. 2023; Fang et al. 2025) edit all facts of a study together, in {layers} layers, the named \
         block the last of them. The same search finds for each fact what to add to the stream after that block (in Gemma, \
         to the MLP's output before its norm); then each layer takes an equal share of what is still missing, with keys \
         measured on the model as it is by then. MEMIT weighs the facts' keys against C, AlphaEdit keeps to directions in \
         which the model's keys hardly lie."
    ))]
}

/// Editors that train weights on the answer.
fn by_tuning(article: &Article<'_>) -> Vec<Piece> {
    let told: [fn(&EditMethod) -> Option<String>; 3] = [
        |method| {
            let EditMethod::FtM(FineTuning { steps, lr, .. }) = method else { return None };
            Some(format!(
                "FT-M trains every weight of the layer's down_proj on the new answer alone (Adam, at most {steps} steps, \
                 learning rate {lr})."
            ))
        },
        |method| {
            let EditMethod::Lora(Lora { rank, alpha, tuning: FineTuning { steps, lr, .. } }) = method else {
                return None;
            };
            Some(format!(
                "LoRA (Hu et al. 2022) trains a change of rank {rank} of it, scaled by {alpha} / {rank} (Adam, at most \
                 {steps} steps, learning rate {lr})."
            ))
        },
        |method| {
            let EditMethod::UltraEdit(UltraEdit { lr }) = method else { return None };
            Some(format!(
                "UltraEdit (Gu et al. 2025) edits all facts of a study at once without a search: one gradient of each, \
                 and a ridge regression (step {lr})."
            ))
        },
    ];
    told.into_iter().filter_map(|told| of_methods(article, told)).map(text).collect()
}

/// ROME and its variants.
fn by_rome(article: &Article<'_>) -> Vec<Piece> {
    let rome = |value: &dyn Fn(&Rome) -> String| {
        of_methods(article, |method| if let EditMethod::Rome(rome) = method { Some(value(rome)) } else { None })
    };
    let search = |value: fn(&ValueSearch) -> String| rome(&|rome| value(&rome.search)).unwrap_or_default();
    let Some(kinds) = rome(&|rome| EditMethod::Rome(*rome).title()) else { return Vec::new() };
    vec![text(format!(
        "{kinds} (Meng et al. 2022; Gupta et al. 2024): a vector δ that is added to v is searched by Adam for at most {} \
         steps, learning rate {}. It lowers the new answer's mean -log p over its tokens, the prompt and the contexts of \
         the record, plus {} times the divergence of what follows the subject in “… is a”, plus {} · ‖δ‖ / ‖v‖²; ‖δ‖ is at \
         most {} ‖v‖. The update goes along C⁻¹k, C being the second moment of the layer's keys over a text, or along k \
         where C = I.",
        search(|search| search.steps.to_string()),
        search(|search| search.lr.to_string()),
        search(|search| search.kl.to_string()),
        search(|search| search.decay.to_string()),
        search(|search| search.clamp.to_string()),
    ))]
}

/// Side effects, where edits were watched.
pub(super) fn side_effects(article: &Article<'_>) -> Option<Section> {
    has_single_edits(article).then(|| Section {
        title: "Side effects",
        paragraphs: vec![text(format!(
            "{} facts of another relation and another subject are watched with each edit: the mean and the worst |Δp| \
             of their true answers, and how many change their most probable token. Both answers are also measured \
             before and after on the fact's paraphrases and neighbourhood prompts, where it has some.",
            over(article, |settings| settings.edit.unrelated.to_string())
        ))],
    })
}

/// Exact savings.
pub(super) fn savings() -> Section {
    Section {
        title: "Exact savings",
        paragraphs: vec![text(
            "Nothing is approximated. A patch after block l at position i changes nothing at blocks up to l nor at \
             positions before i, so only later blocks and positions run again, many in one batch, and only positions \
             whose prediction is read go through the head. The result equals the naive full pass to float rounding.",
        )],
    }
}
