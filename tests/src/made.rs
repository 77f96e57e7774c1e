//! A study of a fixture model: facts that it seems to know, and settings.

use engram_core::facts::{Fact, FactFile, Implied};
use engram_core::generate::ranked;
use engram_core::load::Model;
use engram_core::record::{EditSettings, Settings, Spsa};
use pollster::block_on;

/// Facts of a random model: prompts after which its most probable token is one that the tokenizer would also make of
/// the token's text. Every third has another answer, so that the filters have something to drop.
pub fn facts(model: &Model) -> FactFile {
    let words =
        ["France", "Italy", "Rome", "Random", "Person", "Paris", "capital", "the city", "Zoë", "of", "born", "is"];
    let mut facts: Vec<Fact> = Vec::new();
    for (relation, template) in [("P36", "The capital of {} is"), ("P19", "{} was born in"), ("P103", "I think {} is")]
    {
        for subject in words.iter().flat_map(|a| words.iter().map(move |b| format!("{a} {b}"))) {
            let prompt = template.replacen("{}", &subject, 1);
            let ids = model.tokens.encode(&prompt).expect("tokens").ids;
            let top = block_on(ranked(model, &ids)).expect("a prediction")[0];
            let answer = model.tokens.decode(&[top]).expect("text").trim().to_string();
            if model.tokens.answer(&prompt, &answer).expect("tokens") != Ok(vec![top]) {
                continue;
            }
            let wrong = facts.len() % 3 == 2;
            let generation = vec![format!("{subject} is")];
            facts.push(Fact {
                id: facts.len().to_string(),
                relation: relation.into(),
                template: template.into(),
                subject,
                target_true: if wrong { "7".into() } else { answer },
                target_new: "8".into(),
                paraphrases: vec!["Zoë of".into()],
                neighbourhood: vec!["The capital of Italy is".into()],
                generation,
                portability: vec![
                    Implied { prompt: prompt.clone(), answer: "8".into() },
                    Implied { prompt: "The capital of Italy is".into(), answer: "Rome".into() },
                ],
                ..Fact::default()
            });
        }
    }
    FactFile::of("made", facts)
}

/// The search of these studies.
pub fn spsa() -> Spsa {
    Spsa { steps: 20, ..Spsa::default() }
}

/// A study of a few of them with all stages, so small that it can be run many times.
pub fn settings() -> Settings {
    let edit = EditSettings {
        facts: 3,
        unrelated: 4,
        min_p_false: 0.0,
        methods: vec![spsa().into()],
        ..EditSettings::default()
    };
    Settings {
        n: 7,
        min_effect: -1.0,
        maps: 1,
        screen_batch: 5,
        trace_batch: 2,
        rows: 300,
        edit,
        ..Settings::default()
    }
}
