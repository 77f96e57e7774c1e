//! How near a text is to reference texts (Meng et al. 2022, "RS"): the cosine of their TF-IDF vectors. Weights are scikit-learn's
//! defaults, which the published figures were taken with; crates for this weigh otherwise.

use std::collections::{BTreeMap, HashMap};

/// Inverse document frequencies of words.
#[derive(Debug, Clone, Default)]
pub struct Tfidf {
    idf: HashMap<String, f64>,
}

impl Tfidf {
    /// Over documents: `ln((1 + n) / (1 + df)) + 1` for each word.
    pub fn over<'a>(documents: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut found, mut n) = (HashMap::<String, usize>::new(), 0_usize);
        for document in documents {
            n += 1;
            for word in counts(document).into_keys() {
                *found.entry(word).or_default() += 1;
            }
        }
        let idf = |df: usize| libm::log((1 + n) as f64 / (1 + df) as f64) + 1.0;
        Self { idf: found.into_iter().map(|(word, df)| (word, idf(df))).collect() }
    }

    /// The cosine of two texts' vectors, each word counted as often as it occurs; words of no document do not count. 0 where one of them
    /// has no word.
    pub fn similarity(&self, one: &str, other: &str) -> f64 {
        // In the words' order, so that rounding is the same everywhere.
        let vector = |text: &str| -> BTreeMap<String, f64> {
            let weight = |word: &str, tf: usize| self.idf.get(word).map(|idf| idf * tf as f64);
            counts(text)
                .into_iter()
                .filter_map(|(word, tf)| Some((weight(&word, tf)?, word)))
                .map(|(w, word)| (word, w))
                .collect()
        };
        let (one, other) = (vector(one), vector(other));
        let norm = |vector: &BTreeMap<String, f64>| vector.values().map(|x| x * x).sum::<f64>().sqrt();
        let dot: f64 = one.iter().filter_map(|(word, x)| Some(x * other.get(word)?)).sum();
        let norms = norm(&one) * norm(&other);
        if norms > 0.0 { dot / norms } else { 0.0 }
    }
}

/// Words of two letters, digits and underscores or more, in lower case.
fn counts(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let text = text.to_lowercase();
    for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| word.chars().nth(1).is_some()) {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scikit_learns() {
        let found = Tfidf::over(["The cat sat.", "the dog sat, the dog!", "A bird"]);
        // "the" and "sat" are in two of three documents, "a" is too short.
        let (often, once) = ((4f64 / 3.0).ln() + 1.0, 2f64.ln() + 1.0);
        assert!((found.idf["the"] - often).abs() < 1e-12);
        assert!((found.idf["bird"] - once).abs() < 1e-12);
        assert!(!found.idf.contains_key("a"));
        // cat: (the, cat); dog twice: (the, dog, dog). The unknown word counts nowhere.
        let want = often * often / ((often * often + once * once).sqrt() * (often * often + 4.0 * once * once).sqrt());
        assert!((found.similarity("The cat, unseen", "dog the dog") - want).abs() < 1e-12);
        assert!((found.similarity("cat sat", "sat cat") - 1.0).abs() < 1e-12);
        assert_eq!(found.similarity("nothing known", "cat"), 0.0);
    }
}
