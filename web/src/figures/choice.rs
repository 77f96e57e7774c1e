//! Which model answers: the one of the address, the loaded one, or the one that the stored study was made with.

use super::kinds::hub_id;
use crate::state::{BUNDLED, model_of};
use crate::words;
use engram_core::protocol::ModelRef;

/// How a model is written in the address and in the list of models.
pub fn text_of(model: &ModelRef) -> String {
    match model {
        ModelRef::Hub { id, revision, file } => hub_id(id, revision.as_deref(), file.as_deref()),
        _ => model.name().to_owned(),
    }
}

/// The model that a text of the address means. Without one it is the loaded model, or else the first bundled one.
pub fn wanted(text: &str, loaded: Option<&ModelRef>) -> ModelRef {
    let bundled = || ModelRef::Bundled { name: BUNDLED[0].into() };
    match loaded {
        Some(loaded) if text.is_empty() || text == text_of(loaded) => loaded.clone(),
        _ if text.is_empty() => bundled(),
        _ => model_of(text).unwrap_or_else(bundled),
    }
}

/// Which model answers, for the status line: the loaded one, and the chosen one as long as that is another.
pub fn told(wanted: &ModelRef, loaded: Option<(&ModelRef, &str)>) -> String {
    let short = |name: &str| words::short(&words::visible(name), 40);
    match loaded {
        None => "no model".into(),
        Some((model, name)) if model == wanted => words::visible(name),
        Some((_, name)) => format!("chosen: {}, loaded: {}", short(&text_of(wanted)), short(name)),
    }
}

/// The models that are offered, each as its text and its name: those that come with the page, then the loaded one, then
/// the one that the address names.
pub fn offered(text: &str, loaded: Option<&ModelRef>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |text: String, note: &str| {
        if !all.iter().any(|(known, _)| *known == text) {
            let name = words::visible(&text);
            all.push((text, format!("{name}{note}")));
        }
    };
    let is_loaded = |text: &str| loaded.is_some_and(|loaded| text_of(loaded) == text);
    for name in BUNDLED {
        add(name.into(), if is_loaded(name) { ", loaded" } else { "" });
    }
    if let Some(loaded) = loaded {
        add(text_of(loaded), ", loaded");
    }
    if let Some(model) = model_of(text) {
        add(text_of(&model), ", not loaded");
    }
    all
}

/// What pressing the button does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The model is loaded: it runs.
    Run,
    /// The model comes with the page: it is loaded and runs.
    Fetch,
    /// The model is somebody else's, and a reader must agree to the download first.
    Consent(String),
}

/// What pressing the button does for a model.
pub fn way(wanted: &ModelRef, loaded: Option<&ModelRef>) -> Way {
    match wanted {
        _ if loaded == Some(wanted) => Way::Run,
        ModelRef::Bundled { .. } => Way::Fetch,
        _ => Way::Consent(text_of(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(id: &str) -> ModelRef {
        ModelRef::Hub { id: id.into(), revision: None, file: None }
    }

    #[test]
    fn the_chosen_model_is_told_apart_from_the_loaded_one() {
        let [one, other] = [0, 1].map(|at| ModelRef::Bundled { name: BUNDLED[at].into() });
        assert_eq!(told(&one, None), "no model");
        assert_eq!(told(&one, Some((&one, "engram-relay"))), "engram-relay");
        assert_eq!(told(&other, Some((&one, "engram-relay"))), "chosen: engram-llama, loaded: engram-relay");
    }

    #[test]
    fn the_address_wins_over_what_is_loaded() {
        let file = ModelRef::Files { name: "my.gguf".into() };
        assert_eq!(wanted("", None), ModelRef::Bundled { name: BUNDLED[0].into() });
        assert_eq!(wanted("", Some(&file)), file);
        assert_eq!(wanted("my.gguf", Some(&file)), file);
        assert_eq!(wanted("a/b", Some(&file)), hub("a/b"));
        assert_eq!(wanted("nonsense", Some(&file)), ModelRef::Bundled { name: BUNDLED[0].into() });
        assert_eq!(way(&file, Some(&file)), Way::Run);
        assert_eq!(way(&wanted("", None), Some(&file)), Way::Fetch);
        assert_eq!(way(&hub("a/b"), None), Way::Consent("a/b".into()));
    }

    #[test]
    fn every_model_is_offered_once() {
        let loaded = ModelRef::Bundled { name: BUNDLED[1].into() };
        let all = offered("a/b", Some(&loaded));
        assert_eq!(all.len(), BUNDLED.len() + 1);
        assert_eq!(all[1].1, format!("{}, loaded", BUNDLED[1]));
        assert_eq!(all.last().map(|last| last.1.as_str()), Some("a/b, not loaded"));
        assert_eq!(offered("", None).len(), BUNDLED.len());
        let revised = ModelRef::Hub { id: "a/b".into(), revision: Some("v2".into()), file: None };
        assert_eq!(text_of(&revised), "a/b@v2");
    }
}
