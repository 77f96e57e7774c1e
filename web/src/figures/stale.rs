//! Whether a result still belongs to what the form says, and how that is told.

use super::question::Asked;
use crate::wish::EditWish;
use crate::words;
use engram_core::facts::template_of;
use engram_core::protocol::EditCommand;

/// What in the form differs from a result, in words: "prompt", "model". `same_model` says whether the form's model is
/// the one that the result is of. An answer that the form leaves to the model is no difference.
pub fn of_question(shown: &Asked, form: &Asked, same_model: bool) -> Vec<&'static str> {
    let place = |asked: &Asked| template_of(&asked.prompt, &asked.subject).unwrap_or_else(|_| asked.prompt.clone());
    let other = |form: &str, shown: &str| !form.trim().is_empty() && form.trim() != shown.trim();
    let mut found = Vec::new();
    let prompt = shown.filled() != form.filled();
    found.extend(prompt.then_some("prompt"));
    let subject = shown.subject != form.subject || (!prompt && place(shown) != place(form));
    found.extend(subject.then_some("subject"));
    let answer = other(&form.target, &shown.target) || other(&form.new, &shown.new);
    found.extend(answer.then_some("answer"));
    found.extend((shown.noise != form.noise).then_some("corruption"));
    // A replacement that the form leaves to the engine is no difference.
    let instead = !form.noise && !shown.noise && other(&form.instead, &shown.instead);
    found.extend(instead.then_some("replacement of the subject"));
    found.extend((shown.window != form.window).then_some("window"));
    found.extend((!same_model).then_some("model"));
    found
}

/// The same of an edit: its request, with the layer that it took, against the form of the edit tab.
pub fn of_edit(
    shown: &EditCommand,
    layer: usize,
    form: &Asked,
    wish: &EditWish,
    same_model: bool,
) -> Vec<&'static str> {
    let asked = asked(shown, form);
    let mut found = of_question(&asked, form, same_model);
    found.extend((wish.layer != shown.layer && wish.layer != Some(layer)).then_some("layer"));
    let search = (wish.method, wish.seed) != (shown.method, shown.seed);
    found.extend(search.then_some("setting of the search"));
    found
}

/// The question of an edit; how a trace of it would be made is the form's.
pub fn asked(edit: &EditCommand, form: &Asked) -> Asked {
    Asked {
        prompt: edit.prompt.clone(),
        subject: edit.subject.clone(),
        target: edit.target.clone(),
        new: edit.target_new.clone(),
        noise: form.noise,
        instead: form.instead.clone(),
        window: form.window,
    }
}

/// The search of an edit, as choices of the form.
pub fn search_of(edit: &EditCommand) -> EditWish {
    EditWish { layer: None, method: edit.method, seed: edit.seed }
}

/// How it is told; nothing where the result belongs to the form.
pub fn note(differs: &[&str], shown: &Asked, model: &str) -> Option<String> {
    let list = match differs {
        [] => return None,
        [one] => format!("another {one}"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|one| format!("another {one}")).collect();
            format!("{} and another {last}", rest.join(", "))
        }
    };
    let (prompt, subject) = (words::visible(&shown.filled()), words::visible(&shown.subject));
    let model = words::visible(model);
    Some(format!(
        "Stale: the form now has {list}. The results shown are for “{prompt}”, about {subject}, from {model}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::Spsa;

    fn france() -> Asked {
        Asked {
            prompt: "The capital of France is".into(),
            subject: "France".into(),
            target: "Paris".into(),
            new: "Rome".into(),
            ..Asked::default()
        }
    }

    #[test]
    fn whatever_the_numbers_depend_on_makes_a_result_stale() {
        let shown = france();
        let differs = |change: fn(&mut Asked)| {
            let mut form = france();
            change(&mut form);
            of_question(&shown, &form, true)
        };
        assert!(differs(|_| {}).is_empty());
        assert!(differs(|form| form.prompt = "The capital of {} is".into()).is_empty(), "the same, written otherwise");
        assert!(differs(|form| (form.target, form.new) = (" Paris ".into(), String::new())).is_empty());
        assert_eq!(differs(|form| form.prompt = "The capital of Peru is".into()), ["prompt"]);
        assert_eq!(differs(|form| form.subject = "capital".into()), ["subject"]);
        assert_eq!(differs(|form| form.new = "Oslo".into()), ["answer"]);
        assert_eq!(differs(|form| form.noise = true), ["corruption"]);
        let instead = |name: &str| Asked { instead: name.into(), ..france() };
        assert_eq!(of_question(&instead("Someone"), &instead("Nobody"), true), ["replacement of the subject"]);
        assert!(of_question(&instead("Someone"), &instead(""), true).is_empty(), "left to the engine");
        assert_eq!(differs(|form| form.window = 3), ["window"]);
        assert_eq!(of_question(&shown, &shown, false), ["model"]);
        let twice = Asked { prompt: "Rome, {}: Rome".into(), subject: "Rome".into(), ..Asked::default() };
        let other = Asked { prompt: "{}, Rome: Rome".into(), ..twice.clone() };
        assert_eq!(of_question(&twice, &other, true), ["subject"], "the same text at another place");
    }

    #[test]
    fn an_edit_is_also_its_layer_and_its_search() {
        let wish = EditWish::default();
        let ask = wish.ask("The capital of {} is", "France", "Paris", "Rome");
        let differs = |wish: EditWish| of_edit(&ask, 3, &france(), &wish, true);
        assert!(differs(wish).is_empty());
        assert!(differs(EditWish { layer: Some(3), ..wish }).is_empty(), "the layer that it took by itself");
        assert_eq!(differs(EditWish { layer: Some(4), ..wish }), ["layer"]);
        assert_eq!(differs(EditWish { method: Spsa::default().into(), seed: 1, ..wish }), ["setting of the search"]);
    }

    #[test]
    fn it_is_told_in_a_sentence() {
        let told = |differs: &[&str]| note(differs, &france(), "engram-llama");
        assert_eq!(told(&[]), None);
        let said = told(&["prompt", "answer", "model"]).unwrap_or_default();
        assert!(
            said.starts_with("Stale: the form now has another prompt, another answer and another model."),
            "{said}"
        );
        assert!(said.ends_with("for “The capital of France is”, about France, from engram-llama."), "{said}");
        assert!(told(&["model"]).is_some_and(|said| said.contains("has another model.")));
    }
}
