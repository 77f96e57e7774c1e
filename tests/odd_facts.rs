//! Facts that do not fit: each is dropped with its reason and ends no study; the subject is where it was put; the model's own
//! answer is what it generated.

use engram_core::device::Compute;
use engram_core::facts::{Fact, FactFile};
use engram_core::load::Model;
use engram_core::question::{Question, fact_of};
use engram_core::record::{Corruption, EditSettings, FactRecord, Outcome, Reason, Record, Settings};
use engram_core::study::{Event, Observer, header, run};
use engram_core::trace::{capture_facts, lens, tokenize};
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use engram_core::{Result, facts};
use engram_tests::fixtures::{MODELS, fixture, model};
use engram_tests::made;
use pollster::block_on;
use serde_json::Value;

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: Event<'_>) -> Result<()> {
        Ok(())
    }
}

/// A fixture whose tokenizer has one token more than the weights have embeddings.
fn with_a_token_too_many(name: &str) -> Model {
    let folder = fixture("models").join(name);
    let mut sources: Vec<Box<dyn ByteSource>> = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut bytes = std::fs::read(&path).expect("a file");
        if file == "tokenizer.json" {
            let mut json: Value = serde_json::from_slice(&bytes).expect("JSON");
            let token = serde_json::json!({"id": 5000, "content": "<far>", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": false});
            // An id that follows the last one, as the library wants it; the weights end before.
            let next =
                json["added_tokens"].as_array().expect("tokens").iter().filter_map(|token| token["id"].as_u64()).max();
            let mut token = token;
            token["id"] = (next.expect("an id") + 1).into();
            json["added_tokens"].as_array_mut().expect("tokens").push(token);
            bytes = json.to_string().into_bytes();
        }
        let wanted = ["config.json", "tokenizer.json", "model.safetensors.index.json"].contains(&file.as_str());
        if wanted || (file.starts_with("model") && file.ends_with(".safetensors")) {
            sources.push(Box::new(MemoryFile::new(bytes, file)));
        }
    }
    let checkpoint = block_on(Checkpoint::from_sources(sources)).expect("a checkpoint");
    block_on(Model::load(&checkpoint, name, Compute::cpu("tests"), &|_, _| {})).expect("a model")
}

fn fact(id: &str, template: &str, subject: &str, target: &str) -> Fact {
    Fact {
        id: id.into(),
        relation: "P36".into(),
        template: template.into(),
        subject: subject.into(),
        target_true: target.into(),
        target_new: "8".into(),
        ..Fact::default()
    }
}

fn study(model: &mut Model, file: &FactFile, settings: Settings) -> Record {
    let start = block_on(header(model, file, settings, "test")).expect("header");
    block_on(run(model, file, start, &mut Silent)).expect("a study")
}

fn reason(fact: &FactRecord) -> Option<(Reason, &str)> {
    match &fact.outcome {
        Outcome::Dropped(dropped) => Some((dropped.reason, dropped.detail.as_str())),
        Outcome::Validated(_) | Outcome::NotValidated(_) => None,
    }
}

#[test]
fn a_bad_fact_is_dropped_with_its_reason() {
    // Its tokenizer's last token has no embedding, and it takes 128 tokens.
    let mut model = with_a_token_too_many("qwen2");
    let positions = model.net.shape.positions;
    let made = made::facts(&model);
    let usual = Settings { n: 4, edit: EditSettings { facts: 2, ..made::settings().edit }, ..made::settings() };
    let good: Vec<Fact> = made.facts.iter().take(30).cloned().collect();
    let alone = study(&mut model, &FactFile::of("good", good.clone()), usual.clone());
    assert_eq!(alone.validated().count(), 4);

    // As many tokens as fit, so that a longer subject does not.
    let words = |count: usize| format!("{} {{}} is", vec!["of"; count].join(" "));
    let tokens = |count: usize| model.tokens.encode(&words(count).replace("{}", "of")).expect("tokens").ids.len();
    let full = (1..200).rev().find(|&count| tokens(count) <= positions).expect("a length");
    let bad = [
        (fact("far subject", "The capital of {} is", "<far>", "7"), Reason::UnknownToken, "vocabulary ends"),
        (fact("far prompt", "The <far> of {} is", "France", "7"), Reason::UnknownToken, "<far>"),
        (fact("far answer", "The capital of {} is", "France", "<far>"), Reason::UnknownToken, "<far>"),
        (fact("long", &words(full), "of", "7"), Reason::TooLong, "as its subject"),
        (fact("longer", &words(full + 40), "of", "7"), Reason::TooLong, "the prompt has"),
        (fact("elsewhere", "The capital of France is", "Italy", "7"), Reason::SubjectNotFound, "not in the prompt"),
        (fact("twice", "The {} of {} is", "Italy", "7"), Reason::SubjectNotFound, "2 places"),
        (fact("empty", "The capital of {} is", "", "7"), Reason::Empty, "empty"),
    ];
    let mut mixed: Vec<Fact> = bad.iter().map(|(fact, ..)| fact.clone()).collect();
    mixed.extend(good);
    // A prompt of the tests after an edit is bad as well.
    let prompts = vec![words(full + 40), "The <far> is".to_owned(), "Zoë of".to_owned()];
    mixed.iter_mut().for_each(|fact| fact.paraphrases.clone_from(&prompts));
    let corruptions =
        [Corruption::Replace { with: "Random Person".into() }, Corruption::Noise { sigmas: 3.0, draws: 2, sigma: 0.0 }];
    for corruption in corruptions {
        let noise = matches!(corruption, Corruption::Noise { .. });
        let settings = Settings { n: 30, max_tokens: 400, corruption, ..usual.clone() };
        let record = study(&mut model, &FactFile::of("mixed", mixed.clone()), settings);
        for (fact, wanted, words) in &bad {
            let found = record.facts.iter().find(|one| one.id == fact.id).expect("it was looked at");
            match reason(found) {
                Some((reason, detail)) if reason == *wanted => assert!(detail.contains(words), "{}: {detail}", fact.id),
                // Under noise the prompt stays as it is.
                other if noise && fact.id == "long" => {
                    assert_ne!(other.map(|(reason, _)| reason), Some(Reason::TooLong))
                }
                other => panic!("{}: {other:?}", fact.id),
            }
            assert_eq!(wanted.is_defect(), found.traced().is_none(), "{}", fact.id);
        }
        assert!(record.validated().count() > 3);
        let edits = record.edits.expect("edits");
        assert!(
            !edits.is_empty() && edits.iter().all(|edit| edit.paraphrases.len() == 1),
            "one paraphrase of three fits"
        );
    }
}

#[test]
fn the_subject_is_where_it_was_put() {
    let place = |prompt: &str, subject: &str| {
        let fact = Fact::asked(prompt, subject, "a", "b").expect("a fact");
        (fact.prompt(), fact.subject_chars())
    };
    // The slot's place counts, though the same letters come before it.
    let (prompt, chars) = place("The Parisian paper of {} is", "Paris");
    assert_eq!((&prompt[..], chars), ("The Parisian paper of Paris is", 22..27));
    // Without a slot: the first whole word, not the first letters.
    assert_eq!(place("The Parisian paper of Paris is", "Paris").1, 22..27);
    assert_eq!(place("Romeo of Rome is in Rome", "Rome").1, 9..13);
    assert_eq!(place("Romeo is in", "Rome").1, 0..4);
    assert!(Fact::asked("The capital is", "Rome", "a", "b").is_err());
    assert!(Fact::asked("{} and {} is", "Rome", "a", "b").is_err_and(|error| error.message().contains("2 places")));

    let model = model("llama", &Compute::cpu("tests"));
    let ask =
        Question { prompt: "Parisian of {} is", subject: "Paris", target: Some("Rome"), target_new: Some("born") };
    let (fact, _) = block_on(fact_of(&model, ask)).expect("a fact");
    let prepared = tokenize(&model, &fact, &Settings::default()).expect("tokens").expect("a fact");
    let encoded = model.tokens.encode("Parisian of Paris is").expect("tokens");
    assert_eq!(Some(prepared.span), encoded.span(&(12..17)));
}

/// After half a word, a quotation mark, in Chinese, Japanese and Thai: the answer that nobody named is what the model says,
/// so its first token ranks first.
#[test]
fn the_models_own_answer_is_what_it_generated() {
    let compute = Compute::cpu("tests");
    let prompts = [
        ("The capi", "capi"),
        ("The capital of France is \"", "France"),
        ("The capital of France (", "France"),
        ("法国的首都是", "法国"),
        ("フランスの首都は「", "フランス"),
        ("เมืองหลวงของฝรั่งเศสคือ", "ฝรั่งเศส"),
        ("The capital of France is", "France"),
    ];
    let (mut kept, mut silent) = (0, 0);
    for name in MODELS {
        let model = model(name, &compute);
        for (prompt, subject) in prompts {
            let question = Question { prompt, subject, target: None, target_new: None };
            let (fact, own) = match block_on(fact_of(&model, question)) {
                Ok(found) => found,
                Err(error) => {
                    // Random models may continue with marks, or half of a character.
                    assert!(error.next_step().is_some(), "{name}: {prompt}: {error}");
                    silent += 1;
                    continue;
                }
            };
            kept += usize::from(!fact.answer_ids[0].is_empty());
            assert_eq!(fact.target_true, own.text);
            let settings = Settings { max_tokens: 400, ..Settings::default() };
            let one = tokenize(&model, &fact, &settings)
                .expect("tokens")
                .unwrap_or_else(|d| panic!("{name} {prompt}: {d:?}"));
            assert_eq!(one.answer, own.ids, "{name}: {prompt}");
            let group = block_on(capture_facts(&model, &[&one], &settings)).expect("a run");
            let seen = block_on(lens(&model, &one, &group, 0)).expect("a lens");
            assert_eq!(seen.rank_true.last(), Some(&1), "{name}: {prompt}");
            // Named again, it is the same; so an edit after a trace is about the same tokens.
            let again = Question { target: Some(&fact.target_true), target_new: Some(&fact.target_new), ..question };
            let (named, _) = block_on(fact_of(&model, again)).expect("the same fact");
            assert_eq!(named.answer_ids[0], fact.answer_ids[0], "{name}: {prompt}");
        }
    }
    assert!(kept >= 7 && silent <= 30, "{kept} kept their own tokens, {silent} had no word");
}

#[test]
fn lengths_are_told_for_what_they_are() {
    let compute = Compute::cpu("tests");
    let mut traced = 0;
    for name in MODELS {
        let model = model(name, &compute);
        let positions = model.net.shape.positions;
        let ask = |prompt: &str, target: Option<&'static str>| {
            let question = Question { prompt, subject: "France", target, target_new: target.map(|_| "8") };
            block_on(fact_of(&model, question)).map(|(fact, _)| fact)
        };
        for word in ["of ", "The ", "is in "] {
            let prompt = |count: usize| format!("{}France is", word.repeat(count));
            let tokens = |count: usize| model.tokens.encode(&prompt(count)).expect("tokens").ids.len();
            let Some(full) = (1..400).find(|&count| tokens(count) == positions) else { continue };
            // Too long, with and without an answer.
            for target in [None, Some("7")] {
                let error = ask(&prompt(full + 1), target).expect_err("too long");
                let words = format!("has {} tokens, the model takes {positions}", tokens(full + 1));
                assert!(error.message().contains(&words), "{name}: {error}");
            }
            // Exactly as long as the model takes: there is a next token, and under noise a trace of it.
            let Ok(fact) = ask(&prompt(full), None) else { continue };
            traced += 1;
            let one_token = fact.answer_ids.clone().map(|ids| ids.into_iter().take(1).collect());
            let first = Fact { answer_ids: one_token, ..fact.clone() };
            let noise = Corruption::Noise { sigmas: 3.0, draws: 2, sigma: 0.1 };
            let settings = Settings { max_tokens: 400, corruption: noise, ..Settings::default() };
            match tokenize(&model, &first, &settings).expect("tokens") {
                Ok(one) => {
                    assert_eq!(one.clean.len(), positions);
                    assert!(block_on(capture_facts(&model, &[&one], &settings)).is_ok(), "{name}");
                }
                Err(dropped) => assert_ne!(dropped.reason, Reason::UnknownToken, "{name}: {dropped:?}"),
            }
            // With a longer text in the subject's place it is that prompt that is too long, and not the user's own.
            let settings = Settings { max_tokens: 400, ..Settings::default() };
            let dropped = tokenize(&model, &fact, &settings).expect("tokens").expect_err("too long");
            assert_eq!(dropped.reason, Reason::TooLong);
            assert!(dropped.detail.contains("with \"Random Person\" as its subject"), "{}", dropped.detail);
            assert!(dropped.refusal("traced").next_step().is_some_and(|hint| hint.contains("shorten")));
        }
    }
    assert!(traced >= 3, "{traced}");
}

#[test]
fn a_fact_file_with_a_bad_row_is_read() {
    let text = "prompt,subject,target_true\nThe capital of {} is,France,Paris\nThe capital of Italy is,Spain,Rome\n";
    let file = facts::parse("f.csv", text.as_bytes()).expect("facts");
    assert_eq!((file.facts.len(), file.defects.len()), (2, 1));
    assert!(file.strict().is_err_and(|error| error.to_string().contains("Spain")), "{:?}", file.defects);
}
