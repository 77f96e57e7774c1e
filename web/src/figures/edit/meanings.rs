//! What checks and numbers of an edit mean, as clauses for those who point at them.

use engram_core::metrics::MOVED;

/// The new answer's check.
pub(super) const NEW: &str = "it should rise by 0.05 or more, above the old answer";
/// The old answer's check.
pub(super) const OLD: &str = "it should lose half of its probability or more";
/// Paraphrases.
pub const PARAPHRASES: &str = "the same fact in other words: the new answer should lead in more than half of them";
/// Neighbours.
pub const NEIGHBOURS: &str = "other subjects with the same true answer: at most a tenth of them may be hurt";
/// Unrelated facts.
pub const UNRELATED: &str = "facts of other kinds: at most a tenth of them may be hurt";
/// When a prompt counts as hurt, and how many may be.
pub fn limits() -> String {
    format!(
        "Hurt: the prompt’s own answer lost half of its probability or more, and at least {:.0} points, or another answer took its place. \
         Up to a tenth may be hurt.",
        100.0 * MOVED
    )
}

/// `‖Δv‖ / ‖v‖`.
pub const CHANGE: &str = "length of the change of the MLP’s output at the subject, against that of the output before";

/// What a line of the edit itself means, by its name; `None` where the name says it.
pub fn meaning(name: &str) -> Option<&'static str> {
    Some(match name {
        "Layer" => "the edited layer, from 1; a tensor’s own name counts from 0",
        "Method" => "how the new output of the MLP was searched for",
        "‖Δv‖ / ‖v‖" => CHANGE,
        "Change of the matrix" => "Frobenius norm of the change, against that of the matrix",
        "Residual" => "how far the edited matrix misses the output that was searched for",
        "Seed" => "start of the random numbers: the same seed makes the same edit",
        "Weights after undo" => "whether Undo brings every weight back as it was",
        _ => return None,
    })
}
