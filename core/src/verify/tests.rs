use super::*;
use crate::facts::{FactFile, parse, shuffled};
use crate::record::*;
use std::collections::BTreeMap;

const L: usize = 3;

const FACTS: &str = "id,relation,prompt,subject,target_true,target_new\n\
    7,P36,The capital of {} is,France,Paris,Rome\n\
    8,P27,{} was born in,Marie,Poland,Spain\n\
    9,P19,Home of {} is,Ann,Rome,Oslo\n";

fn file() -> FactFile {
    parse("facts.csv", FACTS.as_bytes()).expect("facts")
}

fn steps(steps: usize) -> EditMethod {
    Spsa { steps, ..Spsa::default() }.into()
}

fn words(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("t{at}")).collect()
}

fn traced(p_clean: f32, p_corrupt: f32, p_false: f32) -> Traced {
    // Layer 2 is dominant under subject-last, layer 3 under last-token.
    let subject = vec![p_corrupt + 0.01, p_corrupt + 0.2, p_corrupt];
    let last = vec![p_corrupt, p_corrupt + 0.1, p_clean];
    let curve = |ablated: usize| RedundancyCurve {
        ablated,
        patched: (1..=L).map(|layer| (layer != ablated).then_some(0.25)).collect(),
    };
    let flat = vec![p_corrupt; L];
    Traced {
        tokens: words(4),
        subject_span: [2, 3],
        corrupt_tokens: words(5),
        corrupt_span: [2, 4],
        p_clean,
        p_corrupt,
        p_false,
        patched: [(PatchPosition::SubjectLast, subject.clone()), (PatchPosition::LastToken, last.clone())].into(),
        without_block: vec![0.3; L],
        without_attention: vec![0.4; L],
        without_mlp: vec![0.35; L],
        patched_mlp: BTreeMap::new(),
        redundancy: [(PatchPosition::SubjectLast, curve(2)), (PatchPosition::LastToken, curve(3))].into(),
        maps: Some(Maps {
            window: 10,
            residual: vec![flat.clone(), flat.clone(), flat.clone(), subject, last],
            mlp: vec![flat.clone(); 5],
            attention: vec![flat; 5],
        }),
        units: Vec::new(),
        lens: Some(Lens {
            p_true: vec![0.0, 0.1, p_clean],
            p_false: vec![0.0, 0.1, p_false],
            rank_true: vec![9, 2, 1],
            rank_false: vec![9, 3, 2],
            top: words(L),
        }),
    }
}

fn edit(fact: usize, other: (usize, f32), own: &Traced) -> EditRecord {
    EditRecord {
        fact,
        layer: 2,
        seed: 1,
        p_true: own.p_clean,
        p_false: own.p_false,
        p_true_after: 0.1,
        p_false_after: 0.8,
        loss: vec![(f64::from(own.p_clean) / f64::from(own.p_false)).ln() as f32, -1.0],
        relative_change: 0.5,
        residual: 1e-7,
        restored: true,
        paraphrases: vec![Shift { prompt: "q".into(), p_true: [0.5, 0.25], p_false: [0.1, 0.2], answers: None }],
        neighbourhood: vec![],
        neighbourhood_plus: vec![],
        generations: vec![],
        unrelated: vec![Unrelated { fact: other.0, p_true: [other.1, 0.5], flipped: false }],
        retrace: Some(Box::new(Retrace {
            new_before: traced(own.p_false, 0.0625, own.p_clean),
            old_after: traced(0.1, 0.0625, 0.8),
            new_after: traced(0.8, 0.0625, 0.1),
        })),
        ..EditRecord::default()
    }
}

/// A record in which everything holds: two validated facts and a dropped one, in the seeded order of [`FACTS`].
fn sound() -> Record {
    let file = file();
    let order = shuffled(file.facts.len(), 42);
    let [one, two] = [traced(0.75, 0.25, 0.125), traced(0.5, 0.0625, 0.25)];
    let edits = vec![edit(0, (1, two.p_clean), &one), edit(1, (0, one.p_clean), &two)];
    let sequence = Sequence {
        steps: vec![SequenceStep {
            edits: vec![SequenceEdit { fact: 0, layer: 2, ..SequenceEdit::default() }],
            ..SequenceStep::default()
        }],
        checkpoints: vec![Checkpoint {
            edits: 1,
            edited: vec![edit(0, (1, two.p_clean), &one)],
            untouched: vec![Unrelated { fact: 1, p_true: [two.p_clean, 0.25], flipped: true }],
            ..Checkpoint::default()
        }],
        ..Sequence::default()
    };
    let dropped = Dropped {
        reason: Reason::NotSensitive,
        detail: "p falls by 0.0312 only".into(),
        p_clean: Some(0.5),
        p_corrupt: Some(0.46875),
    };
    let outcomes = [Outcome::Validated(Box::new(one)), Outcome::Validated(Box::new(two)), Outcome::Dropped(dropped)];
    let facts = outcomes.into_iter().enumerate().map(|(at, outcome)| file.facts[order[at]].record(at, outcome));
    Record {
        engram: VERSION,
        program: "test".into(),
        settings: Settings {
            window: 10,
            edit: EditSettings { methods: vec![steps(1)], retrace: true, ..EditSettings::default() },
            ..Settings::default()
        },
        model: ModelInfo { name: "m".into(), layers: L, weights_sha256: "abc".into(), ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: file.source(),
        facts: facts.collect(),
        edits: Some(edits),
        sequences: vec![sequence],
        runs: Vec::new(),
    }
}

fn failed(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| check.state == State::Failed).map(|check| check.name.as_str()).collect()
}

#[test]
fn a_sound_record_passes_every_check() {
    let record = sound();
    crate::journal::from_bytes("sound", &crate::journal::to_json(&record).expect("json")).expect("it reads");
    let mut checks = super::record(&record);
    checks.extend(source(&record, &file()));
    checks.push(model(&record, &record.model));
    for check in &checks {
        assert_eq!(check.state, State::Ok, "{check:?}");
    }
    assert_eq!(checks.len(), 27);
    assert_eq!(digest(&record).expect("digest").len(), 64);
    let indices = indices(&record);
    assert_eq!(indices.iter().map(|one| one.l_star).collect::<Vec<_>>(), [Some(2), Some(3)]);
    // As the tables have them.
    for one in &indices {
        let view = crate::metrics::MetricConvention::default().with_position(one.position);
        let whole = crate::metrics::summarize(&record, &view);
        assert_eq!(
            (one.necessity, one.mlp_ratio, one.redundancy),
            (whole.necessity, whole.mlp_ratio, whole.redundancy)
        );
        assert_eq!((one.concentration, one.at_l_star), (whole.concentration, whole.at_l_star));
    }
}

/// Changes one thing in a sound record and says which checks fail then.
type Damage = (&'static str, fn(&mut Record), &'static [&'static str]);

fn first(record: &mut Record) -> &mut Traced {
    record.facts[0].traced_mut().expect("validated")
}

fn again(record: &mut Record) -> &mut Retrace {
    first_edit(record).retrace.as_mut().expect("a retrace")
}

fn first_edit(record: &mut Record) -> &mut EditRecord {
    &mut record.edits.as_mut().expect("edits")[0]
}

const DAMAGES: &[Damage] = &[
    ("version", |r| r.engram = 0, &["format"]),
    ("a probability above 1", |r| first(r).without_mlp[1] = 1.5, &["probabilities within 0 to 1"]),
    (
        "a probability below 0",
        |r| first(r).maps.as_mut().expect("maps").mlp[0][0] = -0.1,
        &["probabilities within 0 to 1"],
    ),
    ("an edit's probability", |r| first_edit(r).paraphrases[0].p_true[0] = 1.1, &["probabilities within 0 to 1"]),
    ("a retrace's probability", |r| again(r).new_after.without_mlp[0] = -0.5, &["probabilities within 0 to 1"]),
    ("a retrace of another edit", |r| again(r).old_after.p_clean = 0.5, &[RETRACED]),
    ("a retrace of another fact", |r| again(r).new_before.p_clean = 0.5, &[RETRACED]),
    ("a retrace that nobody asked for", |r| r.settings.edit.retrace = false, &[RETRACED]),
    ("the threshold", |r| r.settings.min_effect = 0.47, &["validated facts pass the filter"]),
    ("the threshold, downwards", |r| r.settings.min_effect = 0.01, &["other facts fail the filter"]),
    (
        "a drop without numbers",
        |r| {
            let Outcome::Dropped(dropped) = &mut r.facts[2].outcome else { panic!("dropped") };
            dropped.p_corrupt = None;
        },
        &["other facts fail the filter"],
    ),
    (
        "another answer than the model's own",
        |r| {
            let lens = first(r).lens.as_mut().expect("lens");
            (lens.rank_true[2], lens.rank_false[2]) = (5, 1);
        },
        &["validated facts pass the filter"],
    ),
    (
        "a fact that a study drops and traces",
        |r| {
            let mut traced = traced(0.5, 0.46875, 0.125);
            traced.redundancy.clear();
            let dropped =
                Dropped { reason: Reason::NotSensitive, detail: String::new(), p_clean: None, p_corrupt: None };
            r.facts[2].outcome = Outcome::of(traced, Some(&dropped));
        },
        &["other facts fail the filter"],
    ),
    ("too many facts", |r| r.settings.n = 1, &["number of facts"]),
    ("an order", |r| r.facts[2].order = 7, &["orders without a gap"]),
    ("a prompt", |r| r.facts[0].prompt = "Something else".into(), &["prompts contain their subjects"]),
    ("a span", |r| first(r).subject_span = [3, 3], &["subject spans within the tokens"]),
    ("a missing curve", |r| first(r).without_block.clear(), &["a value per layer"]),
    ("a missing patch position", |r| r.settings.positions.push(PatchPosition::SameIndex), &["a value per layer"]),
    (
        "another removed block",
        |r| {
            let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.5), Some(0.5)] };
            first(r).redundancy.insert(PatchPosition::SubjectLast, curve);
        },
        &["the removed block is l*"],
    ),
    (
        "a value at the removed block",
        |r| first(r).redundancy.get_mut(&PatchPosition::SubjectLast).expect("curve").patched[1] = Some(0.1),
        &["no value at the removed block"],
    ),
    (
        "last-token at L",
        |r| {
            first(r).patched.get_mut(&PatchPosition::LastToken).expect("curve")[2] += 2e-4;
            first(r).maps.as_mut().expect("maps").residual[4][2] += 2e-4;
        },
        &["last-token at the last layer is p_clean"],
    ),
    (
        "subject-last at L",
        |r| {
            first(r).patched.get_mut(&PatchPosition::SubjectLast).expect("curve")[2] -= 2e-4;
            first(r).maps.as_mut().expect("maps").residual[3][2] -= 2e-4;
        },
        &["subject-last at the last layer is p_corrupt"],
    ),
    ("a map's row", |r| first(r).maps.as_mut().expect("maps").residual[3][0] += 1e-3, &["maps agree with the curves"]),
    (
        "a map's size",
        |r| drop(first(r).maps.as_mut().expect("maps").mlp.pop()),
        &["maps have a cell per token and layer"],
    ),
    ("the lens", |r| first(r).lens.as_mut().expect("lens").p_false[2] = 0.5, &["the lens ends at the prediction"]),
    (
        "an edit of a dropped fact",
        |r| first_edit(r).fact = 2,
        &[
            "edited facts are validated, editable, once each",
            "edits are at the layer that the settings ask for",
            "unrelated facts are other facts, as they were traced",
        ],
    ),
    ("an edit's layer", |r| first_edit(r).layer = 1, &["edits are at the layer that the settings ask for"]),
    (
        "a fixed layer",
        |r| r.settings.edit.layers = EditLayers::of([3]),
        &["edits are at the layer that the settings ask for"],
    ),
    ("an edit's loss", |r| first_edit(r).loss.truncate(1), &["a loss per step, from the traced probabilities"]),
    ("its sign", |r| first_edit(r).loss[0] *= -1.0, &["a loss per step, from the traced probabilities"]),
    ("weights that stayed", |r| first_edit(r).restored = false, &["weights were restored bit for bit"]),
    (
        "an edit's beginning",
        |r| {
            first_edit(r).p_true += 1e-3;
        },
        &["edits start from the traced probabilities"],
    ),
    (
        "the edited fact as unrelated",
        |r| first_edit(r).unrelated[0].fact = 0,
        &["unrelated facts are other facts, as they were traced"],
    ),
    (
        "an unrelated fact's beginning",
        |r| first_edit(r).unrelated[0].p_true[0] = 0.6,
        &["unrelated facts are other facts, as they were traced"],
    ),
    ("a checkpoint of other facts", |r| r.sequences[0].checkpoints[0].edits = 0, &[SEQUENCES]),
    ("a checkpoint's beginning", |r| r.sequences[0].checkpoints[0].edited[0].p_true = 0.1, &[SEQUENCES]),
    ("a fact that is edited twice", |r| r.sequences[0].steps.extend_from_within(..), &[SEQUENCES]),
    ("an edited fact as untouched", |r| r.sequences[0].checkpoints[0].untouched[0].fact = 0, &[SEQUENCES]),
    ("an uneditable fact", |r| r.settings.edit.min_p_false = 0.2, &["edited facts are validated, editable, once each"]),
];

const RETRACED: &str = "edits are traced again with the probabilities that they were measured with";
const SEQUENCES: &str = "sequences edit validated facts once each, and measure all that came before";

#[test]
fn each_damage_is_found_and_nothing_else() {
    for (what, damage, wanted) in DAMAGES {
        let mut record = sound();
        damage(&mut record);
        let checks = super::record(&record);
        assert_eq!(failed(&checks), *wanted, "{what}: {checks:#?}");
    }
    let tried: std::collections::BTreeSet<&str> =
        DAMAGES.iter().flat_map(|(_, _, names)| names.iter().copied()).collect();
    assert_eq!(tried.len(), super::record(&sound()).len(), "every check can fail");
}

#[test]
fn an_extract_is_no_damage_and_half_of_one_is() {
    let mut record = sound();
    first_edit(&mut record).loss.clear();
    assert_eq!(failed(&super::record(&record)), ["a loss per step, from the traced probabilities"]);
    first_edit(&mut record).without_losses = true;
    assert!(failed(&super::record(&record)).is_empty(), "it says that they are left out");
    first_edit(&mut record).loss = vec![0.5];
    assert_eq!(failed(&super::record(&record)), ["a loss per step, from the traced probabilities"]);
}

#[test]
fn a_failure_names_the_fact() {
    let mut record = sound();
    record.facts[0].traced_mut().expect("validated").without_mlp[1] = 1.5;
    let id = record.facts[0].id.clone();
    let checks = super::record(&record);
    let detail = &checks.iter().find(|check| check.state == State::Failed).expect("one fails").detail;
    assert!(detail.contains(&format!("fact {id} (order 0): without_mlp: 1.5")), "{detail}");
}

#[test]
fn facts_and_models_are_those_that_the_record_names() {
    let file = file();
    let mut record = sound();
    record.facts[1].target_new = "elsewhere".into();
    assert_eq!(failed(&source(&record, &file)), ["facts are the source's in its seeded order"]);
    let mut record = sound();
    record.settings.seed = 1;
    assert_ne!(shuffled(3, 1), shuffled(3, 42));
    assert_eq!(failed(&source(&record, &file)), ["facts are the source's in its seeded order"]);
    let mut record = sound();
    record.source.sha256 = "0".repeat(64);
    assert_eq!(failed(&source(&record, &file)), ["fact source"]);

    let record = sound();
    let other = ModelInfo { weights_sha256: "abd".into(), ..record.model.clone() };
    let check = model(&record, &other);
    assert!(check.state == State::Failed && check.detail.contains("weights abc there, abd here"), "{check:?}");
    let deeper = ModelInfo { layers: 4, ..record.model.clone() };
    assert_eq!(model(&record, &deeper).state, State::Failed);
}

#[test]
fn what_is_computed_again_is_compared_value_by_value() {
    let record = sound();
    let (fact, recorded) = record.validated().next().expect("a fact");
    let checks = rerun(&[Again { fact, recorded, again: recorded }], 0.0);
    assert!(failed(&checks).is_empty(), "{checks:?}");
    assert_eq!(checks.len(), 15);

    let mut again = recorded.clone();
    again.without_mlp[1] = 0.85;
    again.lens = None;
    again.redundancy.get_mut(&PatchPosition::LastToken).expect("curve").patched[2] = Some(0.5);
    let checks = rerun(&[Again { fact, recorded, again: &again }], TOLERANCE);
    assert_eq!(
        failed(&checks),
        ["again: without_mlp", "again: lens p_true", "again: lens p_false", "again: redundancy last-token"]
    );
    let found = differences(&[Again { fact, recorded, again: &again }]);
    let mlp = found.iter().find(|one| one.quantity == "without_mlp").expect("without_mlp");
    assert!(mlp.largest.is_some_and(|most| (most - 0.5).abs() < 1e-6), "{mlp:?}");
    assert_eq!((mlp.layer, mlp.values), (Some(2), L));

    assert_eq!(spread(60, 5), [0, 14, 29, 44, 59]);
    assert_eq!((spread(3, 9), spread(3, 1), spread(0, 4)), (vec![0, 1, 2], vec![0], vec![]));
}

/// Whatever a record claims, the checks end, and soon.
#[test]
fn absurd_records_are_checked_too() {
    let mut record = sound();
    record.settings = Settings {
        n: usize::MAX,
        min_effect: f32::MAX,
        max_tokens: 0,
        positions: vec![PatchPosition::SameIndex; 100_000],
        maps: usize::MAX,
        window: usize::MAX,
        edit: EditSettings {
            facts: usize::MAX,
            layers: EditLayers::Fixed(vec![usize::MAX]),
            methods: vec![steps(usize::MAX)],
            ..EditSettings::default()
        },
        ..record.settings
    };
    record.model.layers = 10_000;
    let id = "<script>alert(1)</script>\u{202e}".repeat(10_000);
    record.facts[0].id = id;
    record.facts[0].order = usize::MAX;
    first_edit(&mut record).fact = usize::MAX;
    let checks = super::record(&record);
    assert!(checks.iter().all(|check| check.detail.len() < 2000), "{checks:#?}");
    assert!(!failed(&source(&record, &file())).is_empty());
    assert_eq!(indices(&record).len(), 1);

    let mut empty = sound();
    (empty.facts, empty.edits, empty.sequences, empty.model.layers) = (Vec::new(), None, Vec::new(), 0);
    empty.settings.positions.clear();
    assert_eq!(failed(&super::record(&empty)), [""; 0]);
    assert!(indices(&empty).is_empty());
}

#[test]
fn a_million_facts_take_seconds() {
    let start = std::time::Instant::now();
    let mut record = sound();
    let dropped = record.facts[2].clone();
    let bare = Traced { patched: BTreeMap::from([(PatchPosition::SubjectLast, Vec::new())]), ..Traced::default() };
    let bare = FactRecord { outcome: Outcome::Validated(Box::new(bare)), ..dropped.clone() };
    record.model.layers = 10_000;
    record.facts.extend((3..1_000_000).map(|order| {
        let mut fact = if order % 2 == 0 { bare.clone() } else { dropped.clone() };
        fact.order = order;
        fact
    }));
    let edit = record.edits.as_ref().expect("edits")[0].clone();
    record.edits = Some(vec![edit; 100_000]);
    let checks = super::record(&record);
    assert!(failed(&checks).contains(&"a value per layer"));
    assert_eq!(indices(&record).len(), 2);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

/// A single question is traced whatever the filters say, and its record says what they did say.
#[test]
fn a_question_is_held_to_its_outcome() {
    let mut record = sound();
    record.source = FactSource { name: "prompt".into(), sha256: String::new(), count: 1 };
    (record.settings.n, record.edits, record.sequences) = (1, None, Vec::new());
    record.facts.truncate(1);
    let ended = |record: &Record| failed(&super::record(record)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(ended(&record), Vec::<String>::new());
    let drop = |reason| Dropped { reason, detail: String::new(), p_clean: None, p_corrupt: None };
    let with = |p_corrupt, reason| {
        let mut traced = traced(0.5, p_corrupt, 0.125);
        traced.redundancy.clear();
        Record {
            facts: vec![FactRecord { outcome: Outcome::of(traced, Some(&drop(reason))), ..record.facts[0].clone() }],
            ..record.clone()
        }
    };
    assert_eq!(ended(&with(0.46875, Reason::NotSensitive)), Vec::<String>::new());
    assert_eq!(ended(&with(0.25, Reason::NotKnown)), Vec::<String>::new());
    assert_eq!(ended(&with(0.25, Reason::NotSensitive)), ["other facts fail the filter"]);
    let validated = |p_corrupt| {
        let mut record = record.clone();
        let mut traced = traced(0.5, p_corrupt, 0.125);
        traced.redundancy.clear();
        record.facts[0].outcome = Outcome::Validated(Box::new(traced));
        ended(&record)
    };
    assert_eq!(validated(0.25), Vec::<String>::new());
    assert_eq!(validated(0.46875), ["validated facts pass the filter"]);
    assert!(indices(&with(0.25, Reason::NotKnown)).iter().all(|one| one.l_star.is_none()), "no l* of an unknown fact");
}
