//! Small parts of sentences: lists, counts, shares, and who shares a finding.

use crate::words;
use engram_core::metrics::{Mean, Share};

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// Parts of a sentence: with commas and `and`, or with semicolons where a part has these itself.
pub fn parts<T: AsRef<str>>(items: &[T]) -> String {
    let has = |text: &T| text.as_ref().contains(" and ") || text.as_ref().contains(", ");
    if items.iter().any(has) {
        let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
        return items.join("; ");
    }
    list(items)
}

/// A count in words up to twelve, in digits beyond.
pub fn small(count: usize) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

/// A sentence's beginning: its first letter large. Names stay as they are, so only words of ours go through this.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `57.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", words::fixed(share * 100.0, 1))
}

/// `284 of 495 (57.4 %)`.
pub fn share(share: &Share) -> String {
    format!("{} of {} ({})", share.count, share.of, percent(share.share))
}

/// `0.127 ± 0.010`, three decimals; without an error the value alone.
pub fn value(mean: &Mean) -> String {
    match mean.sem {
        Some(sem) => format!("{} ± {}", words::fixed(mean.mean, 3), words::fixed(sem, 3)),
        None => words::fixed(mean.mean, 3),
    }
}

/// Most names in a list; more become a count.
const NAMED: usize = 3;

/// Whose finding it is, out of so many: `tiny`, `both models`, `all five models`, `a and b`, `four of the six models`.
/// `noun` is the plural of what is counted.
pub fn who<T: AsRef<str>>(names: &[T], of: usize, noun: &str) -> String {
    match (names.len(), of) {
        (1, _) => list(names),
        (2, 2) => format!("both {noun}"),
        (some, of) if some == of => format!("all {} {noun}", small(of)),
        (some, _) if some <= NAMED => list(names),
        (some, of) => format!("{} of the {} {noun}", small(some), small(of)),
    }
}

/// Whether two means differ by more than their standard errors together: their intervals of one standard error do not
/// overlap. A mean without an error (one value, a ratio of means) has an interval of no width.
pub fn apart(a: &Mean, b: &Mean) -> bool {
    (a.mean - b.mean).abs() > a.sem.unwrap_or(0.0) + b.sem.unwrap_or(0.0)
}

/// Groups in order of their first member, the largest first.
pub fn groups<K: PartialEq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut found: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        match found.iter_mut().find(|group| group.0 == key) {
            Some(group) => group.1.push(value),
            None => found.push((key, vec![value])),
        }
    }
    found.sort_by_key(|group| std::cmp::Reverse(group.1.len()));
    found
}

/// `0.2` of one value, `0.2 to 0.4` of several, each told by `word`; nothing of none.
pub fn range(values: impl IntoIterator<Item = f64>, word: impl Fn(f64) -> String) -> String {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return String::new() };
    let (low, high) = values.fold((first, first), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (word(low), word(high));
    if low == high { low } else { format!("{low} to {high}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_sentences() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!([parts(&["a", "b"]), parts(&["a and b", "c"])], ["a and b", "a and b; c"]);
        assert_eq!([small(0), small(5), small(13)], ["no", "five", "13"]);
        assert_eq!(capital("both"), "Both");
        assert_eq!(Share::new(284, 495).as_ref().map(share).as_deref(), Some("284 of 495 (57.4 %)"));
        assert_eq!(range([0.2, 0.1], |v| words::fixed(v, 1)), "0.1 to 0.2");
        assert_eq!(range([0.12, 0.11], |v| words::fixed(v, 1)), "0.1");
    }

    #[test]
    fn who_is_named_or_counted() {
        assert_eq!(who(&["a"], 1, "models"), "a");
        assert_eq!(who(&["a", "b"], 2, "models"), "both models");
        assert_eq!(who(&["a", "b", "c"], 3, "models"), "all three models");
        assert_eq!(who(&["a", "b"], 5, "models"), "a and b");
        assert_eq!(who(&["a", "b", "c", "d"], 6, "studies"), "four of the six studies");
        assert_eq!(groups([(1, "a"), (2, "b"), (2, "c")]), [(2, vec!["b", "c"]), (1, vec!["a"])]);
    }

    #[test]
    fn errors_decide() {
        let mean = |mean, sem| Mean { mean, sem, n: 9 };
        assert!(!apart(&mean(0.5, Some(0.1)), &mean(0.65, Some(0.1))));
        assert!(apart(&mean(0.5, Some(0.05)), &mean(0.65, Some(0.05))));
        assert!(apart(&mean(0.5, None), &mean(0.51, None)));
    }
}
