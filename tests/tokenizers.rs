//! Real tokenizer.json files, both merge formats: ids, BOS once or never, subject spans, answers in context. Needs the
//! files beside the checkout; the fixtures' own tokenizers are checked in parity.rs.

use engram_core::tokens::{Special, Tokens};
use engram_core::weights::Checkpoint;
use engram_tests::fixtures::{fixture, shared};
use serde_json::{Value, json};
use std::path::Path;

const PROMPT: &str = "The capital of France is";

#[test]
fn real_tokenizers_give_their_published_ids() {
    let known: [(&str, &[u32], [u32; 5]); 6] = [
        ("tokenizers/llama3_2", &[128_000], [791, 6864, 315, 9822, 374]),
        ("tokenizers/qwen2_5", &[], [785, 6722, 315, 9625, 374]),
        ("tokenizers/gemma2", &[2], [651, 6037, 576, 6081, 603]),
        ("tokenizers/gpt2", &[], [464, 3139, 286, 4881, 318]),
        ("tokenizers/phi2_reconstructed", &[], [464, 3139, 286, 4881, 318]),
        ("models/smollm2-135m-instruct", &[], [504, 3575, 282, 4649, 314]),
    ];
    for (folder, special, ids) in known {
        let Some(path) = shared(&format!("{folder}/tokenizer.json")) else { return };
        let tokens = Tokens::new(&std::fs::read(path).expect("a file")).expect(folder);
        let encoded = tokens.encode(PROMPT).expect("tokens");
        let found = encoded.ids.len().checked_sub(5).expect("five words");
        assert!(found <= 1 && special.get(..found) == Some(&encoded.ids[..found]), "{folder}: {:?}", encoded.ids);
        assert_eq!(encoded.ids[found..], ids, "{folder}");

        let at = PROMPT.find("France").expect("the subject");
        assert_eq!(encoded.span(&(at..at + 6)), Some(found + 3..found + 4), "{folder}");
        let answer = tokens.answer(PROMPT, "Paris").expect("tokens").expect("no merge");
        assert_eq!(answer.len(), 1, "{folder}");
        assert_eq!(tokens.show(answer[0]).trim_start(), "Paris", "{folder}");
        assert_eq!(tokens.answer(PROMPT, " Paris ").expect("tokens"), Ok(answer), "{folder}: spaces do not matter");
        assert!(tokens.answer(&format!("{PROMPT} Par"), "is").is_ok(), "{folder}");

        // Characters of several bytes, a subject at the start, one that is cut into many tokens.
        let text = "Zoë Kravitz, 北京 and Gjøa Haven are";
        for subject in ["Zoë Kravitz", "北京", "Gjøa Haven"] {
            let at = text.find(subject).expect("the subject");
            let encoded = tokens.encode(text).expect("tokens");
            let span = encoded.span(&(at..at + subject.len())).expect("a span");
            let said = tokens.decode(&encoded.ids[span.clone()]).expect("text");
            assert!(said.contains(subject), "{folder}: {subject} is not in {said:?}");
            let inner = tokens.decode(&encoded.ids[span.start + 1..span.end]).expect("text");
            assert!(!inner.contains(subject), "{folder}: the span of {subject} begins too early");
        }
    }
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

fn ids(list: &Value) -> Vec<u32> {
    list.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// 200 prompts with quotes, accents, Chinese, Thai, Arabic, emoji and subjects everywhere: ids and spans of transformers'
/// AutoTokenizer (tests/reference/golden_ids.py), for the tokenizers of all six families.
#[test]
fn ids_and_spans_equal_transformers() {
    let golden = read(&fixture("golden_ids.json"));
    let prompts = golden["prompts"].as_array().expect("prompts");
    assert_eq!(prompts.len(), 200);
    for (name, theirs) in golden["tokenizers"].as_object().expect("tokenizers") {
        let folder =
            if name == "smollm2" { "models/smollm2-135m-instruct".into() } else { format!("tokenizers/{name}") };
        let Some(folder) = shared(&folder) else { return };
        let config = folder.join("tokenizer_config.json");
        let said =
            if config.exists() { Special::of_config(&read(&config)).expect("a config") } else { Special::default() };
        let json = std::fs::read(folder.join("tokenizer.json")).expect("a tokenizer");
        let tokens = Tokens::with(&json, &said).expect(name);
        let mut doubled = 0;
        for (at, prompt) in prompts.iter().enumerate() {
            let text = prompt["text"].as_str().expect("text");
            let encoded = tokens.encode(text).expect("tokens");
            let (mut want, mut span) = (ids(&theirs["ids"][at]), ids(&theirs["spans"][at]));
            // transformers doubles a BOS that is typed.
            if tokens.doubled(text).expect("tokens").is_some() {
                doubled += 1;
                want.remove(0);
                span.iter_mut().for_each(|at| *at -= 1);
            }
            assert_eq!(encoded.ids, want, "{name}: {text:?}");
            let (start, subject) = (prompt["start"].as_u64().expect("start") as usize, prompt["subject"].as_str());
            let found = encoded.span(&(start..start + subject.expect("subject").len())).expect("a span");
            assert_eq!([found.start as u32, found.end as u32], span[..], "{name}: {text:?}");
        }
        assert!(doubled <= 3, "{name}: {doubled}");
    }
}

/// Who decides about BOS and EOS, in every combination of post-processor, flags and classes. transformers 5 listens to the
/// post-processor alone; where 4 listened to the flags, they add what the post-processor leaves out.
#[test]
fn bos_and_eos_as_the_files_say() {
    let cases = read(&fixture("odd_tokenizers.json"));
    let (mut as_five, mut added, mut skipped) = (0, 0, 0);
    for case in cases["folders"].as_array().expect("folders") {
        let name = format!("{} {}", case["model"], case["name"]);
        let config = &case["tokenizer_config"];
        let class = case["class"].as_str().unwrap_or_default();
        // Splitting and normalizer of another class than the file's; special tokens that are split.
        if case.get("ids").is_none() || config["split_special_tokens"] == true || config["add_prefix_space"] == true {
            skipped += 1;
            continue;
        }
        let folder = fixture("models").join(case["model"].as_str().expect("model"));
        let mut file = read(&folder.join("tokenizer.json"));
        match &case["post_processor"] {
            Value::String(same) if same == "as it is" => {}
            Value::String(number) => file["post_processor"] = cases["post_processors"][number].clone(),
            other => file["post_processor"] = other.clone(),
        }
        let said = match config {
            Value::Null => Special::default(),
            config => Special::of_config(config).unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        let Ok(tokens) = Tokens::with(file.to_string().as_bytes(), &said) else {
            // A token that the vocabulary does not have.
            skipped += 1;
            continue;
        };
        for (text, five) in case["texts"].as_array().expect("texts").iter().zip(case["ids"].as_array().expect("ids")) {
            let ours = tokens.encode(text.as_str().expect("text")).expect("tokens").ids;
            let plain = |list: Vec<u32>| strip(list, &file);
            let five = ids(five);
            if plain(ours.clone()) != plain(five.clone()) {
                assert!(class != "TokenizersBackend", "{name}: {ours:?} here, {five:?} there");
                skipped += 1;
                continue;
            }
            let begins = |list: &[u32]| list.first().is_some_and(|&first| strip(vec![first], &file).is_empty());
            let flagged = config["add_bos_token"] == true && said.bos.is_some();
            assert_eq!(begins(&ours), begins(&five) || flagged, "{name}: {text}: {ours:?} here, {five:?} there");
            if begins(&ours) == begins(&five) { as_five += 1 } else { added += 1 }
        }
    }
    assert!(as_five > 300 && added > 20, "{as_five} as in transformers 5, {added} with BOS added, {skipped} skipped");
}

/// Without the special tokens at both ends.
fn strip(mut list: Vec<u32>, file: &Value) -> Vec<u32> {
    let special = |id: &u32| {
        let added = file["added_tokens"].as_array().expect("added tokens");
        added.iter().any(|token| token["special"] == true && token["id"] == *id)
    };
    while list.last().is_some_and(special) {
        list.pop();
    }
    let leading = list.iter().take_while(|id| special(id)).count();
    list.drain(..leading);
    list
}

/// A tokenizer.json that needs another file for its BOS, written so that it does not.
#[test]
fn a_saved_tokenizer_needs_no_other_file() {
    let mut file = read(&fixture("models/llama/tokenizer.json"));
    for own in
        [Value::Null, json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true})]
    {
        file["post_processor"] = own;
        let bytes = file.to_string().into_bytes();
        let said =
            Special::of_config(&json!({"add_bos_token": true, "bos_token": "<|begin_of_text|>"})).expect("a config");
        let (bare, with) = (Tokens::new(&bytes).expect("bare"), Tokens::with(&bytes, &said).expect("with"));
        assert_eq!(with.encode(PROMPT).expect("ids").ids[1..], bare.encode(PROMPT).expect("ids").ids);
        assert!(with.rule().contains("tokenizer_config.json"), "{}", with.rule());
        let saved = Tokens::new(&with.complete_json(&bytes).expect("JSON").expect("another file")).expect("saved");
        assert_eq!(saved.encode(PROMPT).expect("ids"), with.encode(PROMPT).expect("ids"));
        assert_eq!(bare.complete_json(&bytes).expect("JSON"), None);
    }
}

/// A post-processor that ends every text with EOS; a BOS that is typed.
#[test]
fn eos_is_left_off_and_bos_is_there_once() {
    let mut file = read(&fixture("models/llama/tokenizer.json"));
    let plain = Tokens::new(file.to_string().as_bytes()).expect("a tokenizer");
    let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let (a, b) = (json!({"Sequence": {"id": "A", "type_id": 0}}), json!({"Sequence": {"id": "B", "type_id": 1}}));
    let token = |id: &str, number: u32| json!({"id": id, "ids": [number], "tokens": [id]});
    file["post_processor"] = json!({
        "type": "TemplateProcessing", "single": [special("<|begin_of_text|>"), a, special("<|end_of_text|>")],
        "pair": [a, b],
        "special_tokens": {"<|begin_of_text|>": token("<|begin_of_text|>", 318), "<|end_of_text|>": token("<|end_of_text|>", 319)},
    });
    let tokens = Tokens::new(file.to_string().as_bytes()).expect("a tokenizer");
    assert_eq!(tokens.encode(PROMPT).expect("ids"), plain.encode(PROMPT).expect("ids"));
    assert!(tokens.notes().iter().any(|note| note.contains("<|end_of_text|>")) && plain.notes().is_empty());
    assert_eq!(tokens.answer(PROMPT, "Paris").expect("tokens"), plain.answer(PROMPT, "Paris").expect("tokens"));
    assert!(tokens.answer(PROMPT, "Paris").expect("tokens").is_ok());

    let typed = format!("<|begin_of_text|>{PROMPT}");
    let (once, said) = (tokens.encode(&typed).expect("ids"), tokens.doubled(&typed).expect("ids"));
    assert_eq!(once.ids, tokens.encode(PROMPT).expect("ids").ids);
    assert!(said.is_some_and(|said| said.contains("once")) && tokens.doubled(PROMPT).expect("ids").is_none());
    let at = typed.find("France").expect("the subject");
    let here = PROMPT.find("France").expect("the subject");
    assert_eq!(once.span(&(at..at + 6)), tokens.encode(PROMPT).expect("ids").span(&(here..here + 6)));
}

/// `--tokenizer FILE`: what lies beside that file belongs to it, and not what lies beside the weights.
#[test]
fn a_named_tokenizer_brings_its_own_config() {
    let place = tempfile::tempdir().expect("a folder");
    let [weights, other] = ["weights", "other"].map(|name| place.path().join(name));
    [&weights, &other].into_iter().for_each(|folder| std::fs::create_dir(folder).expect("a folder"));
    std::fs::copy(fixture("gguf/qwen2.gguf"), weights.join("model.gguf")).expect("copied");
    let tokenizer = other.join("tokenizer.json");
    std::fs::copy(fixture("models/qwen2/tokenizer.json"), &tokenizer).expect("copied");
    let write = |folder: &Path, flag: bool| {
        std::fs::write(folder.join("tokenizer_config.json"), json!({"add_bos_token": flag}).to_string())
            .expect("written");
    };
    write(&weights, false);
    write(&other, true);
    let open =
        || pollster::block_on(Checkpoint::open(&weights.join("model.gguf"), Some(&tokenizer))).expect("a checkpoint");
    assert_eq!(open().special().add_bos, Some(true));
    std::fs::remove_file(other.join("tokenizer_config.json")).expect("removed");
    assert_ne!(open().special().from, "tokenizer_config.json");
}
