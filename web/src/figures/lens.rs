//! The logit lens of one fact: what the model would answer if it stopped after a layer.

use engram_core::record::Lens;

/// From which layer on the true answer is the most probable one, to the end.
pub fn settled(lens: &Lens) -> Option<usize> {
    let wrong = lens.rank_true.iter().rposition(|rank| *rank != 1).map_or(0, |at| at + 1);
    (wrong < lens.rank_true.len()).then_some(wrong + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_settles_where_it_stays_first() {
        let at = |ranks: &[u32]| settled(&Lens { rank_true: ranks.to_vec(), ..Lens::default() });
        assert_eq!(at(&[120, 2, 1, 1]), Some(3));
        assert_eq!(at(&[1, 2, 1, 1]), Some(3));
        assert_eq!(at(&[1, 1]), Some(1));
        assert_eq!(at(&[120, 1, 1, 2]), None);
        assert_eq!(at(&[]), None);
    }
}
