//! Finding a command by what is typed.

/// Whether a name is meant: it has each word of the query, the last one perhaps unfinished, in any order.
pub fn found(query: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| name.contains(word))
}

/// Places that are shown for a query: those that are meant, `most` of each group at most. `names` are groups and names.
pub fn shown(query: &str, names: &[(&str, &str)], most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for (at, (group, name)) in names.iter().enumerate() {
        let full = places.iter().filter(|place| names[**place].0 == *group).count() >= most;
        if !full && (found(query, name) || found(query, &format!("{group} {name}"))) {
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
        let names = [("Go to", "Study"), ("Facts", "one"), ("Facts", "two"), ("Facts", "three")];
        assert_eq!(shown("", &names, 2), [0, 1, 2]);
        assert_eq!(shown("facts three", &names, 2), [3]);
    }
}
