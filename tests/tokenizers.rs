//! Real tokenizer.json files, both merge formats: ids, BOS once or never, subject spans, answers in context. Needs the
//! files beside the checkout; the fixtures' own tokenizers are checked in parity.rs.

use engram_core::tokens::Tokens;
use engram_tests::fixtures::shared;

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
