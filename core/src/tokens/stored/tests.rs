use super::*;

/// A byte-level vocabulary of two letters and what they make.
fn letters() -> Stored {
    Stored {
        model: "gpt2".into(),
        pre: Some("gpt-2".into()),
        tokens: ["a", "b", "ab", "<|endoftext|>", "[PAD4]"].map(String::from).to_vec(),
        kinds: vec![Kind::Normal, Kind::Normal, Kind::Normal, Kind::Control, Kind::Unused],
        scores: Vec::new(),
        merges: vec!["a b".into()],
        unknown: None,
        space_prefix: None,
        charsmap: None,
    }
}

/// SentencePiece's, with two ways to make the last piece.
fn pieces() -> Stored {
    let tokens = ["<unk>", "<s>", "a", "b", "c", "bc", "ab", "abc", "  "];
    let mut kinds = vec![Kind::Normal; tokens.len()];
    (kinds[0], kinds[1], kinds[8]) = (Kind::Unknown, Kind::Control, Kind::Declared);
    let scores = vec![0.0, -1000.0, -9.0, -10.0, -11.0, -0.0, -1.0, -2.0, -1000.0];
    let tokens = tokens.map(String::from).to_vec();
    Stored {
        model: "llama".into(),
        pre: Some("default".into()),
        tokens,
        kinds,
        scores,
        merges: Vec::new(),
        ..letters()
    }
}

fn built(stored: Stored) -> Value {
    serde_json::from_slice(&stored.tokenizer_json().expect("a tokenizer")).expect("JSON")
}

#[test]
fn a_vocabulary_is_written() {
    let file = built(letters());
    assert_eq!(file["model"]["vocab"], json!({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}), "what fills up is none");
    assert_eq!(file["model"]["merges"], json!([["a", "b"]]));
    assert_eq!((&file["added_tokens"][0]["id"], &file["added_tokens"][0]["special"]), (&json!(3), &json!(true)));
    assert_eq!(file["model"]["ignore_merges"], false);
    for llama in LLAMA3 {
        assert_eq!(built(Stored { pre: Some(llama.into()), ..letters() })["model"]["ignore_merges"], true);
    }
}

#[test]
fn scores_order_the_merges() {
    let file = built(pieces());
    // The best token first; of two ways to make it, that with the longer left part.
    assert_eq!(file["model"]["merges"], json!([["b", "c"], ["a", "b"], ["ab", "c"], ["a", "bc"]]));
    assert_eq!(file["model"]["unk_token"], "<unk>");
    assert_eq!(file["added_tokens"][2]["content"], "\u{2581}\u{2581}", "declared pieces are spelled like all others");
    assert_eq!(file["normalizer"]["normalizers"][0]["type"], "Prepend");
    let mut control = pieces();
    control.kinds[0] = Kind::Control;
    assert_eq!(built(control)["model"]["unk_token"], "<unk>");
    let gemma = built(Stored { space_prefix: Some(false), ..pieces() });
    assert_eq!(gemma["normalizer"]["type"], "Replace");
    let mut logarithms = pieces();
    logarithms.scores[5] = -1.25;
    assert_eq!(built(logarithms)["model"]["type"], "Unigram");
}

/// The digest of what is built names the tokenizer in records: it must not change with the program.
#[test]
fn the_text_stays_as_it_is() {
    use sha2::{Digest, Sha256};
    let digest = |stored: Stored| crate::hex(&Sha256::digest(stored.tokenizer_json().expect("a tokenizer")));
    assert_eq!(
        [digest(letters()), digest(pieces())].map(|digest| digest[..16].to_owned()),
        ["935e4cb0ca2963c3", "3538d91ea93f2f14"]
    );
}

#[test]
fn what_cannot_be_built_is_refused() {
    let same = |mut stored: Stored| {
        stored.scores[5..8].fill(0.0);
        stored
    };
    let mut twice = letters();
    twice.tokens[1] = "a".into();
    let cases: [(Stored, &str); 9] = [
        (Stored { model: "rwkv".into(), ..letters() }, "rwkv"),
        (Stored { pre: Some("tekken".into()), ..letters() }, "tekken"),
        (Stored { pre: None, ..letters() }, "old conversion"),
        (Stored { merges: Vec::new(), ..letters() }, "no merges"),
        (Stored { merges: vec!["ab".into()], ..letters() }, "not a pair"),
        (Stored { merges: vec!["a c".into()], ..letters() }, "not of this vocabulary"),
        (twice, "occurs twice"),
        (same(pieces()), "same score"),
        (Stored { scores: vec![0.0], ..pieces() }, "every token a score"),
    ];
    for (stored, what) in cases {
        let error = stored.tokenizer_json().expect_err(what);
        assert!(error.message().contains(what), "{error}");
        assert!(
            error.next_step().is_some_and(|hint| hint.contains("tokenizer.json") && !hint.contains("--")),
            "{error}"
        );
    }
}
