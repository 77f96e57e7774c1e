//! Logit lens (nostalgebraist 2020): what the head reads from the clean prompt's residual stream after each block.

use super::{Group, TokenizedFact};
use crate::error::Result;
use crate::load::Model;
use crate::record::Lens;

/// The lens of the fact that is number `at` of the group, at the clean prompt's last token, over the first tokens of both answers. At the last layer it is the model's
/// own prediction.
pub async fn lens(model: &Model, fact: &TokenizedFact, group: &Group, at: usize) -> Result<Lens> {
    let (last, wanted) = (fact.clean.len() - 1, [fact.answer[0], fact.answer_new[0]]);
    let mut lens = Lens::default();
    for readout in model.edited().lens(&group.cache, group.places[at].clean, last, &wanted).await? {
        lens.p_true.push(readout.p[0]);
        lens.p_false.push(readout.p[1]);
        lens.rank_true.push(readout.rank[0]);
        lens.rank_false.push(readout.rank[1]);
        lens.top.push(model.tokens.show(readout.top));
    }
    Ok(lens)
}
