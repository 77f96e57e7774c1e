//! A small record for tests: two traced facts, an excluded one, one edit.

use engram_core::record::{
    Checkpoint, DeviceInfo, Dropped, EditLayers, EditMethod, EditRecord, EditSettings, FactRecord, FactSource,
    ModelInfo, Outcome, PatchPosition, Reason, Record, Retrace, Sequence, SequenceEdit, SequenceStep, Settings, Shift,
    Traced, Unrelated, VERSION,
};
use std::collections::BTreeMap;

fn fact(order: usize, prompt: &str, subject: &str, answers: [&str; 2], outcome: Outcome) -> FactRecord {
    FactRecord {
        order,
        id: order.to_string(),
        relation: "P36".into(),
        prompt: prompt.into(),
        subject: subject.into(),
        target_true: answers[0].into(),
        target_new: answers[1].into(),
        answer_ids: Default::default(),
        outcome,
    }
}

fn traced(patched: &[f32]) -> Outcome {
    Outcome::Validated(Box::new(Traced {
        tokens: vec!["France".into(), " is".into()],
        subject_span: [0, 1],
        corrupt_tokens: vec!["Random".into(), " Person".into(), " is".into()],
        corrupt_span: [0, 2],
        p_clean: 0.9,
        p_corrupt: 0.1,
        p_false: 0.01,
        patched: BTreeMap::from([(PatchPosition::SubjectLast, patched.to_vec())]),
        without_block: vec![0.2, 0.5, 0.6, 0.8],
        without_attention: vec![0.9, 0.8, 0.7, 0.8],
        without_mlp: vec![1.0, 0.95, 0.9, 0.9],
        ..Traced::default()
    }))
}

/// The record.
pub(crate) fn record() -> Record {
    let dropped = Dropped { reason: Reason::NotKnown, detail: String::new(), p_clean: None, p_corrupt: None };
    Record {
        engram: VERSION,
        program: "engram test".into(),
        settings: Settings::default(),
        model: ModelInfo { name: "tiny".into(), layers: 4, ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource::default(),
        facts: vec![
            fact(0, "The capital of France is", "France", ["Paris", "Rome"], traced(&[0.2, 0.6, 0.3, 0.1])),
            fact(1, "The capital of Chad is", "Chad", ["N'Djamena", "Oslo"], Outcome::Dropped(dropped)),
            fact(2, "The capital of Peru is", "Peru", ["Lima", "Cairo"], traced(&[0.05, 0.0, 0.09, 0.1])),
        ],
        sequences: Vec::new(),
        runs: Vec::new(),
        edits: Some(vec![EditRecord {
            fact: 0,
            layer: 2,
            seed: 1,
            p_true: 0.9,
            p_false: 0.01,
            p_true_after: 0.2,
            p_false_after: 0.5,
            loss: vec![4.0, 1.0, -1.0],
            relative_change: 0.8,
            residual: 1e-6,
            restored: true,
            paraphrases: vec![Shift {
                prompt: "France's capital is".into(),
                p_true: [0.8, 0.3],
                p_false: [0.02, 0.4],
                answers: None,
            }],
            neighbourhood: vec![],
            neighbourhood_plus: vec![],
            generations: vec![],
            unrelated: vec![Unrelated { fact: 2, p_true: [0.9, 0.88], flipped: false }],
            ..EditRecord::default()
        }]),
    }
}

/// A record with a fact a curve: `p_patch` per layer at a patch position, where corrupting the subject takes the answer
/// from 0.9 to 0.1. Every ablation leaves 0.6. Nothing is excluded, nothing is edited.
pub(crate) fn study(name: &str, position: PatchPosition, curves: &[&[f32]]) -> Record {
    let layers = curves.first().map_or(0, |curve| curve.len());
    let one = |(order, curve): (usize, &&[f32])| {
        let mut outcome = traced(&[]);
        if let Outcome::Validated(traced) = &mut outcome {
            traced.patched = BTreeMap::from([(position, curve.to_vec())]);
            traced.without_block = vec![0.6; layers];
            traced.without_attention = vec![0.6; layers];
            traced.without_mlp = vec![0.6; layers];
        }
        fact(order, &format!("The capital of land {order} is"), "land", ["Paris", "Rome"], outcome)
    };
    let mut found = record();
    found.model = ModelInfo { name: name.into(), layers, parameters: 1_000_000, ..ModelInfo::default() };
    found.settings.positions = vec![position];
    found.facts = curves.iter().enumerate().map(one).collect();
    found.edits = None;
    found
}

/// A study of eight facts, of which four are edited one after the other by ROME at layer 2: in the end three of the other
/// four are lost, and perplexity is three times what it was.
pub(crate) fn edited_in_turn(name: &str) -> Record {
    let curve: &[f32] = &[0.2, 0.7, 0.1];
    let mut found = study(name, PatchPosition::SubjectLast, &[curve; 8]);
    found.settings.edit = EditSettings {
        layers: EditLayers::of([2]),
        facts: 4,
        sequence: 4,
        ..EditSettings::of(EditMethod::named("rome").unwrap_or_default())
    };
    let template = self::record().edits.and_then(|edits| edits.into_iter().next()).unwrap_or_default();
    let step = |fact: usize| SequenceStep {
        edits: vec![SequenceEdit { fact, layer: 2, loss: vec![1.0], ..SequenceEdit::default() }],
        ..SequenceStep::default()
    };
    let checkpoint = |edits: usize, kept: usize, text: f32| Checkpoint {
        edits,
        relative_norm: edits as f32 / 10.0,
        perplexity: Some([20.0, text]),
        edited: (0..edits).map(|fact| EditRecord { fact, layer: 2, ..template.clone() }).collect(),
        untouched: (4..8).map(|fact| Unrelated { fact, p_true: [0.9, 0.5], flipped: fact >= 4 + kept }).collect(),
        ..Checkpoint::default()
    };
    found.sequences = vec![Sequence {
        layer: Some(2),
        steps: (0..4).map(step).collect(),
        checkpoints: vec![checkpoint(1, 4, 20.0), checkpoint(3, 2, 30.0), checkpoint(4, 1, 60.0)],
        ..Sequence::default()
    }];
    found
}

/// A study of four facts with both answers traced again after each edit, by ROME at layer 1: the old answer's peak falls from
/// layer 1 to nothing, the new one's is at layer 3.
pub(crate) fn retraced(name: &str) -> Record {
    let curve = |values: &[f32]| study(name, PatchPosition::SubjectLast, &[values; 4]);
    let mut found = curve(&[0.8, 0.3, 0.1]);
    found.settings.edit = EditSettings {
        layers: EditLayers::of([1]),
        retrace: true,
        ..EditSettings::of(EditMethod::named("rome").unwrap_or_default())
    };
    let part = |values: &[f32]| curve(values).facts[0].traced().cloned().unwrap_or_default();
    let again = Retrace {
        new_before: part(&[0.1, 0.1, 0.1]),
        old_after: part(&[0.1, 0.2, 0.1]),
        new_after: part(&[0.1, 0.1, 0.8]),
    };
    edited(&mut found, 1, &[[0.2, 0.7]; 4]);
    found.edits.iter_mut().flatten().for_each(|edit| edit.retrace = Some(Box::new(again.clone())));
    found
}

/// Changes every traced fact of a record.
pub(crate) fn each(record: &mut Record, mut change: impl FnMut(&mut Traced)) {
    record.facts.iter_mut().filter_map(FactRecord::traced_mut).for_each(&mut change);
}

/// The sample's edit of so many facts, with both answers after it; from facts 0 on, at this layer.
pub(crate) fn edited(record: &mut Record, layer: usize, after: &[[f32; 2]]) {
    let template = self::record().edits.and_then(|edits| edits.into_iter().next());
    let Some(template) = template else { return };
    let first = record.edits.as_ref().map_or(0, Vec::len);
    let one = |(at, [p_true_after, p_false_after]): (usize, &[f32; 2])| EditRecord {
        fact: first + at,
        layer,
        p_true_after: *p_true_after,
        p_false_after: *p_false_after,
        ..template.clone()
    };
    record.edits.get_or_insert_default().extend(after.iter().enumerate().map(one));
}

/// The same fact, traced although a filter drops it.
pub(crate) fn not_validated(fact: &FactRecord, reason: Reason) -> FactRecord {
    let dropped = Dropped { reason, detail: String::new(), p_clean: None, p_corrupt: None };
    let outcome = Outcome::of(fact.traced().cloned().unwrap_or_default(), Some(&dropped));
    FactRecord { outcome, ..fact.clone() }
}

/// A study of four facts, each edited at all three layers: tracing names layer 1 for three of them, edits work best at
/// layer 2 for three of them.
pub(crate) fn swept(name: &str) -> Record {
    let early: &[f32] = &[0.8, 0.3, 0.1];
    let mut found = study(name, PatchPosition::SubjectLast, &[&[0.2, 0.7, 0.1], early, early, early]);
    found.settings.edit = EditSettings {
        layers: EditLayers::All.named(3),
        ..EditSettings::of(EditMethod::named("rome").unwrap_or_default())
    };
    let template = self::record().edits.and_then(|edits| edits.into_iter().next()).unwrap_or_default();
    let after = |fact: usize, layer: usize| match (fact, layer) {
        (3, 1) => 0.9,
        (3, 2) => 0.5,
        (_, 2) => 0.875,
        (fact, layer) => 0.25 + 0.0625 * (fact + layer) as f32,
    };
    let one = |at: usize| EditRecord {
        fact: at / 3,
        layer: at % 3 + 1,
        p_false: 0.25,
        p_false_after: after(at / 3, at % 3 + 1),
        ..template.clone()
    };
    found.edits = Some((0..12).map(one).collect());
    found
}
