//! Texts about answers, to hold what an edited model writes against (METHODS, section 4, RS).

use crate::{Error, Result, gz};
use serde::Deserialize;
use std::collections::HashMap;

/// An entry of the file: texts about things of which `relation` and `target` hold.
#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "relation")]
    relation_id: String,
    #[serde(alias = "target")]
    target_id: String,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    text: String,
}

/// Reference texts by relation and answer.
#[derive(Debug, Default)]
pub struct ReferenceTexts {
    texts: HashMap<(String, String), Vec<String>>,
}

impl ReferenceTexts {
    /// Reads CounterFact's `attribute_snippets.json`: an array of `{relation_id, target_id, samples: [{text}]}`. A `target_id` may be an
    /// id such as `Q90` or the answer itself. gzip is unpacked.
    ///
    /// # Errors
    /// When it is something else, or has no text.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let hint = "reference texts are CounterFact's attribute_snippets.json: an array of objects with relation_id, \
                    target_id and samples, each with its text";
        let wrong = |why: String| Error::input(why).at(name).hint(hint);
        let entries: Vec<Entry> =
            gz::Source::new(bytes).json().map_err(|error| wrong(format!("not reference texts: {error}")))?;
        let mut texts: HashMap<_, Vec<String>> = HashMap::new();
        for Entry { relation_id, target_id, samples } in entries {
            texts.entry((relation_id, target_id)).or_default().extend(samples.into_iter().map(|sample| sample.text));
        }
        texts.retain(|_, list| !list.is_empty());
        if texts.is_empty() { Err(wrong("there is no text in it".into())) } else { Ok(Self { texts }) }
    }

    /// Texts about an answer, by its id or by itself.
    pub fn about(&self, relation: &str, id: &str, answer: &str) -> Option<&[String]> {
        let of = |target: &str| self.texts.get(&(relation.to_owned(), target.to_owned()));
        of(id).filter(|_| !id.is_empty()).or_else(|| of(answer)).map(Vec::as_slice)
    }

    /// All texts.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.texts.values().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_id_or_by_answer() {
        let file = r#"[{"relation_id": "P37", "target_id": "Q150", "samples": [{"name": "Mali", "text": "one", "target": "French"}]},
            {"relation_id": "P37", "target_id": "Latin", "samples": [{"text": "two"}, {"text": "three"}]},
            {"relation_id": "P37", "target_id": "Q9", "samples": []}]"#;
        let texts = ReferenceTexts::parse("f", file.as_bytes()).expect("texts");
        assert_eq!(texts.about("P37", "Q150", "French"), Some(&["one".to_owned()][..]));
        assert_eq!(texts.about("P37", "", "Latin").map(<[String]>::len), Some(2));
        assert_eq!(texts.about("P37", "Q9", "Greek"), None);
        assert_eq!(texts.about("P36", "Q150", "French"), None);
        assert_eq!(texts.all().count(), 3);
        for wrong in ["[]", "{}", "nothing", r#"[{"relation_id": "P1"}]"#] {
            let error = ReferenceTexts::parse("f", wrong.as_bytes()).expect_err(wrong);
            assert!(error.next_step().is_some_and(|hint| hint.contains("attribute_snippets")), "{error}");
        }
    }
}
