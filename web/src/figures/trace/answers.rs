//! What is to be known of the answers beside their probabilities: how sure the model is of its own, what the replacement says by
//! itself, and what an edit has made of it.

use crate::words;

/// Probability from which on the model is sure of an answer.
const SURE: f64 = 0.3;

/// What it means for the maps that an answer is weakly known.
pub const WEAKLY: &str = "The answer is the model’s first choice, but an unsure one: corrupting the subject has little to take from it, so \
                          the map’s recoveries rest on a small difference.";

/// The badge of an answer that the model gives without being sure of it.
pub fn weakly_known(p_clean: f64) -> Option<String> {
    (p_clean < SURE).then(|| format!("weakly known ({})", words::percent_of(p_clean)))
}

/// That the corrupted run is sure of another answer: it asks about the replacement, and the model knows something about that, too.
pub fn own_answer(word: &str, p: f64) -> Option<String> {
    (p >= SURE).then(|| format!("The replacement has its own answer: “{word}” {}", words::percent_of(p)))
}

/// What the edited model says to the prompt; `None` where that is the answer that is asked for.
pub fn edited(edits: usize, says: &str, answer: &str) -> Option<String> {
    let (says, answer) = (says.trim(), answer.trim());
    let same = says.is_empty() || answer.starts_with(says) || says.starts_with(answer) && !answer.is_empty();
    let force = if edits == 1 { "An edit is in force".to_owned() } else { format!("{edits} edits are in force") };
    (!same).then(|| format!("{force}: the model now says “{}”", words::short(&words::visible(says), 24)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unsure_answer_has_a_badge() {
        assert_eq!(weakly_known(0.25).as_deref(), Some("weakly known (25.0 %)"));
        assert_eq!(weakly_known(0.3), None);
    }

    #[test]
    fn a_replacement_may_have_an_answer_of_its_own() {
        let said = own_answer("Spain", 0.451);
        assert_eq!(said.as_deref(), Some("The replacement has its own answer: “Spain” 45.1 %"));
        assert_eq!(own_answer("a", 0.08), None);
    }

    #[test]
    fn the_edited_models_answer_is_told_where_it_is_another() {
        let said = edited(1, "Rome", " Paris");
        assert_eq!(said.as_deref(), Some("An edit is in force: the model now says “Rome”"));
        assert_eq!(edited(2, "Rome", "").as_deref(), Some("2 edits are in force: the model now says “Rome”"));
        for same in ["Paris", "Par", "", "Parisian"] {
            assert_eq!(edited(1, same, "Paris"), None, "{same}");
        }
    }
}
