//! How varied a text is (Zhang et al. 2018; Meng et al. 2022, "GE"): an edit that ruins a model makes it repeat itself.

use std::collections::HashMap;

/// The weighted mean of a text's entropies of pairs and triples of words, in bits: `(2/3 H₂ + 4/3 H₃) / 2`. Words are runs of letters, digits and
/// the apostrophes and hyphens within them; every other mark is a word of its own. `None` for a text of fewer than three words.
pub fn ngram_entropy(text: &str) -> Option<f64> {
    let words = words(text);
    let entropy = |n: usize| -> Option<f64> {
        let mut counts: HashMap<&[&str], usize> = HashMap::new();
        words.windows(n).for_each(|gram| *counts.entry(gram).or_default() += 1);
        let all = words.len().checked_sub(n - 1).filter(|all| *all > 0)? as f64;
        // In a fixed order, so that rounding is the same everywhere.
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        let bits = |count: usize| {
            let share = count as f64 / all;
            -share * libm::log2(share)
        };
        Some(counts.into_iter().map(bits).sum())
    };
    Some((2.0 / 3.0 * entropy(2)? + 4.0 / 3.0 * entropy(3)?) / 2.0)
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            c if c.is_alphanumeric() => word(rest),
            c => c.len_utf8(),
        };
        let (one, others) = rest.split_at(len);
        if !first.is_whitespace() {
            words.push(one);
        }
        rest = others;
    }
    words
}

/// Bytes of the word that a text begins with.
fn word(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inner = matches!(c, '\'' | '’' | '-') && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if !c.is_alphanumeric() && !inner {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_words_and_marks() {
        assert_eq!(
            words("It's well-known: «Ça va», 3.5 -"),
            ["It's", "well-known", ":", "«", "Ça", "va", "»", ",", "3", ".", "5", "-"]
        );
        assert!(words(" \n").is_empty());
    }

    #[test]
    fn repetition_has_no_entropy() {
        assert_eq!(ngram_entropy("a a a a a a"), Some(0.0));
        assert_eq!(ngram_entropy("a b"), None);
        // Four pairs and three triples, all different.
        let all = ngram_entropy("a b c d e").expect("enough words");
        assert!((all - (2.0 / 3.0 * 2.0 + 4.0 / 3.0 * 3f64.log2()) / 2.0).abs() < 1e-12);
        // Pairs ab ba ab ba; triples aba bab aba.
        let turns = ngram_entropy("a b a b a").expect("enough words");
        let triples = -(2.0 / 3.0 * (2f64 / 3.0).log2() + 1.0 / 3.0 * (1f64 / 3.0).log2());
        assert!((turns - (2.0 / 3.0 * 1.0 + 4.0 / 3.0 * triples) / 2.0).abs() < 1e-12);
    }
}
