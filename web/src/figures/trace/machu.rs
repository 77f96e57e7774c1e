//! A traced prompt for tests, with an early site at the subject's last token and a late one at the prompt's last token.

use engram_core::record::{FactRecord, Lens, Maps, Outcome, PatchPosition, Reason, Record, Traced};
use std::collections::BTreeMap;

/// Layers of the model.
pub(crate) const LAYERS: usize = 6;

/// The trace: `p` is 0.9 clean and 0.1 corrupted, so recovery `r` is `0.1 + 0.8 r`.
pub(crate) fn traced() -> Traced {
    let p = |recovery: [f32; LAYERS]| recovery.map(|r| 0.1 + 0.8 * r).to_vec();
    let nothing = || p([0.0; LAYERS]);
    let early = p([0.8, 1.0, 0.9, 0.4, 0.0, 0.0]);
    let late = p([0.0, 0.0, 0.0, 0.5, 0.9, 1.0]);
    let tokens = ["Mach", "u", " Picchu", " is", " of"].map(String::from).to_vec();
    let corrupt_tokens = ["A", " Random", " Person", " is", " of"].map(String::from).to_vec();
    Traced {
        tokens,
        subject_span: [0, 3],
        corrupt_tokens,
        corrupt_span: [0, 3],
        p_clean: 0.9,
        p_corrupt: 0.1,
        p_false: 0.01,
        patched: BTreeMap::from([
            (PatchPosition::SubjectLast, early.clone()),
            (PatchPosition::LastToken, late.clone()),
        ]),
        without_block: vec![0.2, 0.5, 0.6, 0.8, 0.8, 0.9],
        without_attention: vec![0.9, 0.8, 0.7, 0.3, 0.8, 0.9],
        without_mlp: vec![0.1, 0.95, 0.9, 0.9, 0.9, 0.9],
        maps: Some(Maps {
            window: 3,
            residual: vec![nothing(), p([0.0, 0.0, 0.0, 0.0, 0.0, -0.25]), early, nothing(), late],
            mlp: vec![nothing(), nothing(), p([0.9, 0.9, 0.0, 0.0, 0.0, 0.0]), nothing(), nothing()],
            attention: vec![nothing(), nothing(), nothing(), nothing(), p([0.0, 0.0, 0.0, 0.9, 0.8, 0.9])],
        }),
        lens: Some(Lens {
            p_true: vec![0.0, 0.0, 0.0, 0.1, 0.5, 0.9],
            p_false: vec![0.0; LAYERS],
            rank_true: vec![900, 500, 20, 2, 1, 1],
            rank_false: vec![9; LAYERS],
            top: ["the", " the", " a", " the", " Peru", " Peru"].map(String::from).to_vec(),
        }),
        ..Traced::default()
    }
}

/// It as a fact.
pub(crate) fn fact(traced: Traced) -> FactRecord {
    let record: Record = super::super::sample::record();
    FactRecord {
        prompt: "Machu Picchu is of".into(),
        subject: "Machu Picchu".into(),
        target_true: "Peru".into(),
        target_new: "Chile".into(),
        outcome: Outcome::Validated(Box::new(traced)),
        ..record.facts[0].clone()
    }
}

/// It as a fact that a filter drops.
pub(crate) fn dropped(traced: Traced, reason: Reason) -> FactRecord {
    super::super::sample::not_validated(&fact(traced), reason)
}
