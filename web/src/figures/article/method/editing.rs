//! The method text of edits.

use super::super::Article;
use super::{Piece, Section, formulas, once, section, set, text};
use crate::figures::sequence::is_sequence;
use crate::words;
use engram_core::metrics::{Level, RULES};
use engram_core::record::{EditLayers, EditMethod, FineTuning, Lora, Rome, UltraEdit};

/// Whether edits were made that start from the unedited model.
fn single(article: &Article<'_>) -> bool {
    article.records.iter().any(|record| record.edits.as_ref().is_some_and(|edits| !edits.is_empty()))
}

/// Whether any edit was made.
pub(super) fn any(article: &Article<'_>) -> bool {
    single(article) || article.records.iter().any(is_sequence)
}

/// Editing, and side effects where edits start from the unedited model.
pub(super) fn sections(article: &Article<'_>) -> Vec<Section> {
    let effects = || {
        section(
            "Side effects",
            [text(format!(
                "Each edit is measured on {} unrelated facts, of another relation and another subject: mean and largest |Δp| of their true \
             answers, and how many change their most probable token. Both answers are measured before and after the edit on the \
             fact's paraphrases and neighbourhood prompts, where it has some.",
                set(article, |settings| settings.edit.unrelated.to_string())
            ))],
        )
    };
    [any(article).then(|| editing(article)), single(article).then(effects)].into_iter().flatten().collect()
}

fn editing(article: &Article<'_>) -> Section {
    let layer = set(article, |settings| match (settings.edit.layers.only(), &settings.edit.layers) {
        (Some(layer), _) => format!("block {layer}"),
        (None, EditLayers::Dominant) => format!("its dominant layer under {}", settings.edit.position.name()),
        (None, fixed) => format!("each of the blocks {fixed}"),
    });
    let how = set(article, |settings| if settings.edit.sequence > 0 { "in sequence" } else { "one at a time" }.into());
    let levels = Level::ALL.map(|level| format!("{}: {}", level.name(), words::level(level))).join("; ");
    let mut paragraphs = vec![
        text(format!(
            "Up to {} facts of a study are edited, {how}, each at {layer}. W is the MLP's down-projection of that block, k its input at \
             the subject's last token in the clean run, v its output there, and v* a wanted output (equation 4):",
            set(article, |settings| settings.edit.facts.to_string())
        )),
        formulas::RANK_ONE,
    ];
    let all = article.records.iter().filter(|record| record.has_edits());
    let methods = once(all.flat_map(|record| record.settings.edit.methods.iter().cloned()));
    paragraphs.extend(spsa(&methods));
    // Methods with the same text share it.
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for (title, said) in methods.iter().filter_map(|one| Some((one.title(), method(one)?))) {
        match told.iter_mut().find(|other| other.1 == said) {
            Some(other) => other.0.push(title),
            None => told.push((vec![title], said)),
        }
    }
    paragraphs.extend(told.into_iter().map(|(titles, said)| text(format!("{} {said}", titles.join(", ")))));
    paragraphs.push(text(format!(
        "{}. An edit succeeds if it reaches one of three levels, and is named by the first. \
         {levels}. This success is the paper's and is read on the prompt alone. The verdict uses all measures. {}",
        set(article, |settings| match settings.edit.min_p_false {
            0.0 => "Every edit counts".into(),
            least => format!("An edit counts if p(new answer) was above {least} before"),
        }),
        RULES.join(" ")
    )));
    section("Editing", paragraphs)
}

/// The paper's search.
fn spsa(methods: &[EditMethod]) -> Vec<Piece> {
    let all: Vec<_> =
        methods.iter().filter_map(|one| if let EditMethod::Spsa(spsa) = one { Some(spsa) } else { None }).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let [epsilon, eta] =
        [once(all.iter().map(|spsa| spsa.epsilon.to_string())), once(all.iter().map(|spsa| spsa.eta.to_string()))];
    let steps = once(all.iter().map(|spsa| spsa.steps.to_string()));
    vec![
        text("SPSA searches v* by simultaneous perturbation. With the MLP output replaced by v, it minimises"),
        formulas::OBJECTIVE,
        text("Each step draws a direction δ with entries ±1 from the seed and moves"),
        formulas::STEP,
        text(format!(
            "with ε = {}, η = {} and {} steps. SPSA reads the answers' first tokens.",
            epsilon.join(" or "),
            eta.join(" or "),
            steps.join(" or ")
        )),
    ]
}

/// Any other method, after its name.
fn method(method: &EditMethod) -> Option<String> {
    Some(match method {
        EditMethod::Spsa(_) => return None,
        EditMethod::Rome(Rome { search, .. }) => format!(
            "(Meng et al. 2022; Gupta et al. 2024): Adam searches a vector δ that is added to v, for at most {} steps with \
             learning rate {}. The loss is the new answer's mean -log p over its tokens, the prompt and the contexts of the record, plus \
             {} times the divergence of what follows the subject in “… is a”, plus {} · ‖δ‖ / ‖v‖². ‖δ‖ is at most {} ‖v‖. The update \
             goes along C⁻¹k, with C the second moment of the layer's keys over a text, or along k where C = I.",
            search.steps, search.lr, search.kl, search.decay, search.clamp
        ),
        EditMethod::Memit(_) | EditMethod::AlphaEdit(_) => format!(
            "(MEMIT: Meng et al. 2023; AlphaEdit: Fang et al. 2025): all facts of a study are edited together in {} layers, \
             the named block the last of them. The search finds for each fact what to add to the residual stream after that block (in Gemma, to \
             the MLP output before its norm). Then each layer takes an equal share of what is missing, with keys measured on the model \
             as it is by then. MEMIT weighs the facts' keys against C; AlphaEdit projects the update on directions in which the model's \
             keys hardly lie.",
            method.layers()
        ),
        EditMethod::FtM(FineTuning { steps, lr, .. }) => format!(
            "trains all weights of the layer's down_proj on the new answer (Adam, at most {steps} steps, learning rate {lr})."
        ),
        EditMethod::Lora(Lora { rank, alpha, tuning: FineTuning { steps, lr, .. } }) => format!(
            "(Hu et al. 2022) trains a change of down_proj of rank {rank}, scaled by {alpha} / {rank} (Adam, at most {steps} steps, \
             learning rate {lr})."
        ),
        EditMethod::UltraEdit(UltraEdit { lr }) => format!(
            "(Gu et al. 2025) edits all facts of a study at once without a search: one gradient of each, and a ridge \
             regression (step {lr})."
        ),
    })
}
