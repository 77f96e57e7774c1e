//! Finding a command by what is typed.

/// Whether a name is meant: it has each word of the query, the last one perhaps unfinished, in any order.
pub fn found(query: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| name.contains(word))
}

/// What is searched for, where only commands with a key are: `?`, or a word for it.
fn of_keys(query: &str) -> Option<&str> {
    let words = ["help", "key", "keys", "keyboard", "shortcuts"];
    let asks = words.iter().any(|word| query.trim().eq_ignore_ascii_case(word)).then_some("");
    query.trim_start().strip_prefix('?').or(asks)
}

/// Places that are shown for a query: those that are meant, `most` of each group at most. Each has its group, the words by which it
/// is found, and whether it has a key.
pub fn shown(query: &str, all: &[(&str, &str, bool)], most: usize) -> Vec<usize> {
    let (query, keys) = of_keys(query).map_or((query, false), |rest| (rest, true));
    let mut places: Vec<usize> = Vec::new();
    for (at, (group, words, key)) in all.iter().enumerate() {
        let full = places.iter().filter(|place| all[**place].0 == *group).count() >= most;
        if !full && (*key || !keys) && found(query, &format!("{group} {words}")) {
            places.push(at);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_order() {
        assert!(found("", "Pin as reference") && found("ref pin", "Pin as reference"));
        assert!(!found("pin x", "Pin as reference"));
    }

    #[test]
    fn a_group_has_a_most_and_its_name_counts() {
        let all =
            [("Go to", "Study", true), ("Facts", "one", false), ("Facts", "two", false), ("Facts", "three", false)];
        assert_eq!(shown("", &all, 2), [0, 1, 2]);
        assert_eq!(shown("facts three", &all, 2), [3]);
        for keys in ["?", "help", "Keys", "? st"] {
            assert_eq!(shown(keys, &all, 2), [0], "{keys}");
        }
        assert!(shown("?x", &all, 2).is_empty());
    }
}
