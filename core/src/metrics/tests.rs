use super::*;
use crate::record::*;
use std::collections::{BTreeMap, BTreeSet};

const SUBJECT: PatchPosition = PatchPosition::SubjectLast;
const LAST: PatchPosition = PatchPosition::LastToken;

/// A fact with `p_corrupt = 0` (so that `s_l` is the patched value) and ablations around `p_clean`.
fn traced(p_clean: f32, subject: &[f32], last: &[f32]) -> Traced {
    let layers = subject.len();
    Traced {
        p_clean,
        patched: BTreeMap::from([(SUBJECT, subject.to_vec()), (LAST, last.to_vec())]),
        without_block: vec![p_clean; layers],
        without_attention: vec![p_clean; layers],
        without_mlp: vec![p_clean; layers],
        ..Traced::default()
    }
}

fn fact(id: &str, relation: &str, outcome: Outcome) -> FactRecord {
    FactRecord {
        order: id.parse().unwrap_or(0),
        id: id.into(),
        relation: relation.into(),
        prompt: format!("prompt {id}"),
        subject: "s".into(),
        target_true: "t".into(),
        target_new: "n".into(),
        answer_ids: Default::default(),
        outcome,
    }
}

fn record(layers: usize, facts: Vec<FactRecord>) -> Record {
    Record {
        engram: VERSION,
        program: "test".into(),
        settings: Settings::default(),
        model: ModelInfo { name: "m".into(), layers, parameters: 500_000_000, ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource::default(),
        facts,
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}

fn validated(id: &str, relation: &str, traced: Traced) -> FactRecord {
    fact(id, relation, Outcome::Validated(Box::new(traced)))
}

fn dropped(id: &str, reason: Reason) -> FactRecord {
    fact(id, "", Outcome::Dropped(Dropped { reason, detail: String::new(), p_clean: None, p_corrupt: None }))
}

fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-7, "{found} is not {wanted}");
}

#[test]
fn means() {
    assert_eq!(Mean::of([]), None);
    assert_eq!(Mean::of([0.5]), Some(Mean { mean: 0.5, sem: None, n: 1 }));
    // 1, 2, 3, 6: mean 3, squares 4 + 1 + 0 + 9 = 14, variance 14/3, error sqrt(14/12).
    let mean = Mean::of([1.0, 2.0, 3.0, 6.0]).expect("four values");
    close(mean.mean, 3.0);
    close(mean.sem.expect("n > 1"), 1.080_123_449_7);
    assert_eq!(Share::new(0, 0), None);
}

#[test]
fn sufficiency_is_the_gain_over_the_corrupted_run() {
    let mut fact = traced(0.9, &[0.25, 0.5], &[0.125, 0.875]);
    fact.p_corrupt = 0.125;
    assert_eq!(sufficiency(&fact, SUBJECT), Some(vec![0.125, 0.375]));
    assert_eq!(sufficiency(&fact, LAST), Some(vec![0.0, 0.75]));
    assert_eq!(sufficiency(&fact, PatchPosition::SameIndex), None);
    let other = traced(0.9, &[0.5, 0.0], &[0.0, 0.0]);
    let means = mean_sufficiency(&[&fact, &other], 2, SUBJECT);
    close(means[0].mean, 0.3125);
    close(means[1].mean, 0.1875);
    assert_eq!(means[0].n, 2);
    assert!(mean_sufficiency(&[], 2, SUBJECT).is_empty());
    assert!(mean_sufficiency(&[&fact], 2, PatchPosition::SameIndex).is_empty());
}

#[test]
fn dominant_layers() {
    use Dominant::{Layer, NotLocalized};
    let (same, none) = (PatchPosition::SameIndex, NotLocalized);
    let cases: [(&[f64], PatchPosition, Dominant, Dominant); 14] = [
        // curve, reading, default, argmax_always
        (&[0.1, 0.3, 0.2, 0.0], SUBJECT, Layer(2), Layer(2)),
        (&[0.3, 0.1, 0.3, 0.0], SUBJECT, Layer(1), Layer(1)), // lowest on a tie
        (&[-0.1, -0.2, -0.3, 0.0], SUBJECT, none, Layer(4)),
        (&[-0.1, -0.2, -0.3, 1e-7], SUBJECT, none, Layer(4)),
        (&[-0.1, -0.2, -0.3, -1e-7], SUBJECT, none, Layer(4)),
        (&[-0.1, -5e-8, -0.3, -1e-7], SUBJECT, none, Layer(4)), // noise at L must not win for layer 2
        (&[-0.1, 5e-8, -0.3, 4e-7], SUBJECT, Layer(2), Layer(2)), // nor may it lose against noise at L
        (&[-0.1, 0.0, -0.3, 0.0], SUBJECT, Layer(2), Layer(2)), // not all s_l < 0
        (&[-0.1, -0.2, -0.3, 0.0], same, none, Layer(4)),
        (&[-0.1, 0.2, -0.3, 0.4], SUBJECT, Layer(4), Layer(4)), // the subject ends the prompt
        (&[-0.1, -0.2, -0.3, -0.05], SUBJECT, Layer(4), Layer(4)), // no identity here, plain argmax
        (&[-0.1, -0.2, -0.3, 0.0], LAST, Layer(4), Layer(4)),
        (&[-0.1, 0.2, 0.3, 0.9], LAST, Layer(4), Layer(4)),
        (&[0.4], LAST, Layer(1), Layer(1)),
    ];
    for (curve, position, default, always) in cases {
        assert_eq!(dominant_layer(curve, position, false), Some(default), "{curve:?} {position:?}");
        assert_eq!(dominant_layer(curve, position, true), Some(always), "{curve:?} {position:?}");
    }
    assert_eq!(dominant_layer(&[], SUBJECT, false), None);
}

fn of_counts(counts: &[usize], not_localized: usize) -> Distribution {
    Distribution { counts: counts.to_vec(), not_localized }
}

#[test]
fn distributions() {
    // counts, l*, K
    let cases: [(&[usize], Option<usize>, Option<usize>); 8] = [
        (&[0, 0, 0], None, None),
        (&[], None, None),
        (&[0, 5, 0, 0], Some(2), Some(1)),
        (&[4, 1, 0, 0], Some(1), Some(2)), // 4 of 5 is 80 %, which does not exceed 80 %
        (&[81, 19], Some(1), Some(1)),
        (&[80, 20], Some(1), Some(2)),
        (&[2, 3, 3, 2], Some(2), Some(4)), // tie: the lower one; 8 of 10 is not enough
        (&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1], Some(1), Some(9)),
    ];
    for (counts, l_star, k) in cases {
        let distribution = of_counts(counts, 3);
        assert_eq!(distribution.l_star(), l_star, "{counts:?}");
        let concentration = distribution.concentration();
        assert_eq!(concentration.map(|found| found.layers), k, "{counts:?}");
        if let (Some(found), Some(k)) = (concentration, k) {
            close(found.c, k as f64 / counts.len() as f64);
        }
    }
    let distribution = of_counts(&[1, 6, 0, 3], 2);
    assert_eq!(distribution.share_at(2), Share::new(6, 10));
    assert_eq!(distribution.share_at_last(), Share::new(3, 10));
    assert_eq!(distribution.share_not_localized(), Share::new(2, 12));
    assert_eq!((distribution.share_at(0), distribution.share_at(5)), (None, None));
}

#[test]
fn concentration_properties() {
    // Small numbers from a fixed linear congruence: many shapes, the same on every run.
    let mut state = 1_u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as usize
    };
    for _ in 0..2_000 {
        let layers = 1 + draw(40);
        let facts: Vec<Dominant> = (0..draw(60))
            .map(|_| if draw(5) == 0 { Dominant::NotLocalized } else { Dominant::Layer(1 + draw(layers as u64)) })
            .collect();
        let localized = facts.iter().filter(|fact| fact.layer().is_some()).count();
        let distribution = Distribution::of(layers, facts.iter().copied());
        assert_eq!(distribution.localized(), localized);
        assert_eq!(localized + distribution.not_localized, facts.len());
        match distribution.concentration() {
            None => assert_eq!(localized, 0),
            Some(found) => {
                assert!(found.c > 0.0 && found.c <= 1.0);
                let mut falling = distribution.counts.clone();
                falling.sort_unstable_by(|a, b| b.cmp(a));
                let top = |k: usize| falling[..k].iter().sum::<usize>() as f64 / localized as f64;
                assert!(top(found.layers) > 0.8, "K layers exceed 80 %");
                assert!(top(found.layers - 1) <= 0.8 + 1e-12, "fewer layers do not");
            }
        }
    }
}

/// Two facts over three layers, drops chosen so that the two aggregates of r_MLP differ.
fn two_facts() -> (Traced, Traced) {
    let mut a = traced(0.75, &[0.5, 0.25, 0.0], &[0.0, 0.5, 0.75]);
    a.without_block = vec![0.25, 0.5, 0.75]; // drops 0.5 0.25 0
    a.without_attention = vec![0.25, 0.5, 0.75]; // drops 0.5 0.25 0
    a.without_mlp = vec![0.625, 1.0, 0.75]; // drops 0.125 -0.25 0
    let mut b = traced(0.5, &[0.25, 0.5, 0.0], &[0.0, 0.0, 0.5]);
    b.without_block = vec![0.25, 0.0, 0.5]; // drops 0.25 0.5 0
    b.without_attention = vec![0.5, 0.5, 0.5]; // drops 0 0 0
    b.without_mlp = vec![0.375, 0.0, 0.5]; // drops 0.125 0.5 0
    (a, b)
}

#[test]
fn necessity_and_mlp_ratio() {
    let (a, b) = two_facts();
    let facts = [&a, &b];
    let view = MetricConvention::default();
    let per_fact = MetricConvention { necessity_at: NecessityAt::PerFact, ..view };
    let means = MetricConvention { mlp_ratio: MlpRatio::RatioOfMeans, ..view };
    let mean = |found: Option<Mean>| found.expect("two facts").mean;
    close(mean(mean_drop(&facts, Some(1), &view, Part::Block)), 0.375);
    close(mean(mean_drop(&facts, Some(1), &view, Part::Attention)), 0.25);
    close(mean(mean_drop(&facts, Some(1), &view, Part::Mlp)), 0.125);
    close(mean(mean_drop(&facts, Some(1), &per_fact, Part::Block)), 0.5); // layer 1 of a, 2 of b
    close(mean(mlp_ratio(&facts, Some(1), &view)), (0.2 + 1.0) / 2.0);
    close(mean(mlp_ratio(&facts, Some(1), &means)), 0.125 / 0.375);
    assert_eq!(mlp_ratio(&facts, Some(1), &means).and_then(|found| found.sem), None);
    close(mean(mlp_ratio(&facts, Some(2), &view)), (0.5 + 1.0) / 2.0); // a drop below 0 counts by its size
    close(mean(mlp_ratio(&facts, Some(3), &view)), 0.0); // 0 / (0 + 0 + ε)
    close(mean(mlp_ratio(&facts, Some(1), &per_fact)), (0.2 + 1.0) / 2.0);
    assert_eq!(mean_drop(&facts, None, &view, Part::Block), None);
    assert_eq!(mean_drop(&facts, Some(4), &view, Part::Block), None);
    let maps = layer_maps(&facts, 3);
    assert_eq!(maps.block.iter().map(|mean| mean.mean).collect::<Vec<_>>(), [0.375, 0.375, 0.0]);
    assert_eq!(maps.mlp.iter().map(|mean| mean.mean).collect::<Vec<_>>(), [0.125, 0.125, 0.0]);
}

#[test]
fn per_fact_necessity_leaves_out_facts_without_a_layer() {
    let (a, _) = two_facts();
    let hurt = traced(0.5, &[-0.1, -0.2, 0.0], &[0.0, 0.0, 0.5]);
    let view = MetricConvention { necessity_at: NecessityAt::PerFact, ..MetricConvention::default() };
    let always = MetricConvention { argmax_always: true, ..view };
    assert_eq!(mean_drop(&[&a, &hurt], Some(1), &view, Part::Block).map(|mean| mean.n), Some(1));
    assert_eq!(mean_drop(&[&a, &hurt], Some(1), &always, Part::Block).map(|mean| mean.n), Some(2));
    assert_eq!(mean_drop(&[&hurt], Some(1), &view, Part::Block), None);
}

#[test]
fn redundancy_by_hand() {
    let (mut a, mut b) = two_facts();
    a.p_corrupt = 0.125;
    b.p_corrupt = 0.0625;
    let mut none = a.clone();
    let curve = |patched: [Option<f32>; 3]| {
        BTreeMap::from([(SUBJECT, RedundancyCurve { ablated: 1, patched: patched.to_vec() })])
    };
    a.redundancy = curve([None, Some(0.25), Some(0.1875)]); // best 0.25 - 0.125 = 0.125 over 0.5
    b.redundancy = curve([None, Some(0.0), Some(0.5625)]); // best 0.5625 - 0.0625 = 0.5 over 0.25: clipped
    none.redundancy.clear();
    let facts = [&a, &b, &none];
    let view = MetricConvention::default();
    let found = redundancy(&facts, &view).expect("two curves");
    assert_eq!((found.ablated, found.r.n, found.r.sem), (1, 2, None));
    close(found.restored.mean, 0.3125);
    close(found.necessity.mean, 0.375);
    assert!((found.r.mean - 0.3125 / 0.375).abs() < 1e-6);
    let clipped = MetricConvention { redundancy: RedundancyAggregate::MeanOfClipped, ..view };
    let found = redundancy(&facts, &clipped).expect("two curves").r;
    assert!((found.mean - (0.25 + 1.0) / 2.0).abs() < 1e-6);
    assert!(found.sem.is_some());
    assert_eq!(redundancy(&facts, &view.with_position(LAST)), None);
    let curve = redundancy_curve(&facts, 3, SUBJECT);
    assert_eq!(curve.len(), 3);
    assert_eq!(curve[0], None);
    close(curve[1].expect("layer 2").mean, (0.125 - 0.0625) / 2.0);
    // Harm on average: below 0 is clipped, as is nothing left to restore.
    a.without_block = vec![1.0; 3];
    assert_eq!(redundancy(&[&a], &view).map(|found| found.r.mean), Some(0.0));
    a.without_block = vec![a.p_clean; 3];
    assert_eq!(redundancy(&[&a], &view).map(|found| found.r.mean), Some(1.0));
}

fn edit(p: [f32; 4]) -> EditRecord {
    EditRecord {
        fact: 0,
        layer: 2,
        seed: 0,
        p_true: p[0],
        p_false: p[1],
        p_true_after: p[2],
        p_false_after: p[3],
        loss: vec![],
        relative_change: 0.0,
        residual: 0.0,
        restored: true,
        paraphrases: vec![],
        neighbourhood: vec![],
        neighbourhood_plus: vec![],
        generations: vec![],
        unrelated: vec![],
        ..EditRecord::default()
    }
}

#[test]
fn success_levels() {
    use Level::{L1, L2, L3};
    let cases: [([f32; 4], &[Level], bool); 8] = [
        // p_true, p_false, p_true', p_false'; levels; success
        ([0.5, 0.01, 0.1, 0.2], &[L1, L2, L3], true),
        ([0.5, 0.2, 0.21, 0.22], &[L1], true),
        ([0.5, 0.1, 0.4, 0.2], &[L2], true),
        ([0.5, 0.002, 0.5, 0.0061], &[L3], true),
        ([0.5, 0.001, 0.5, 0.0045], &[], false), // tripled, but below 0.005
        ([0.5, 0.1, 0.48, 0.2], &[], false),     // p_true fell by 0.02 only
        ([0.5, 0.1, 0.5, 0.1], &[], false),
        ([0.5, 0.0005, 0.1, 0.2], &[L1, L2, L3], false), // not editable
    ];
    for (p, levels, success) in cases {
        let outcome = edit_outcome(&edit(p), 5e-4);
        assert_eq!(outcome.levels, levels, "{p:?}");
        assert_eq!(outcome.success, success, "{p:?}");
        assert_eq!(outcome.level(), levels.first().copied());
        assert_eq!(outcome.side_effects, None);
    }
    let mut record = record(3, vec![]);
    assert_eq!(edit_summary(&record), None);
    record.edits = Some(vec![]);
    let empty = edit_summary(&record).expect("stage 3 ran");
    assert_eq!((empty.tried, empty.success, empty.p_false, empty.side_effects), (0, None, None, None));
    record.edits = Some(cases.iter().map(|(p, _, _)| edit(*p)).collect());
    let unrelated = |p: [f32; 2], flipped| Unrelated { fact: 1, p_true: p, flipped };
    if let Some(edits) = &mut record.edits {
        edits[0].unrelated = vec![unrelated([0.5, 0.25], true), unrelated([0.25, 0.25], false)];
        edits[1].unrelated = vec![unrelated([0.25, 0.75], true), unrelated([0.25, 0.5], false)];
        edits[7].unrelated = vec![unrelated([0.0, 1.0], true)]; // not editable: does not count
        edits[3].restored = false;
    }
    let found = edit_summary(&record).expect("edits");
    assert_eq!((found.tried, found.editable, found.success), (8, 7, Share::new(4, 7)));
    assert_eq!(found.by_level, BTreeMap::from([(L1, 2), (L2, 2), (L3, 2)]));
    assert_eq!(found.by_first_level, BTreeMap::from([(L1, 2), (L2, 1), (L3, 1)]));
    assert_eq!(found.layers, BTreeMap::from([(2, 7)]));
    let side = found.side_effects.expect("unrelated facts");
    assert_eq!((side.mean, side.worst, side.flips), (0.25, 0.5, Share { count: 2, of: 4, share: 0.5 }));
    assert!(!found.all_restored);
}

#[test]
fn a_whole_summary() {
    let (a, b) = two_facts();
    let hurt = traced(0.5, &[-0.1, -0.2, 0.0], &[0.0, 0.0, 0.5]);
    let facts = vec![
        validated("1", "P27", a.clone()),
        dropped("2", Reason::NotKnown),
        validated("3", "P36", b),
        validated("4", "", hurt),
        dropped("5", Reason::NotKnown),
        dropped("6", Reason::TooLong),
        validated("7", "P103", a),
    ];
    let record = record(3, facts);
    let found = summarize(&record, &MetricConvention::default());
    assert_eq!((found.screened, found.validated), (7, 4));
    assert_eq!(found.dropped, BTreeMap::from([(Reason::NotKnown, 2), (Reason::TooLong, 1)]));
    assert_eq!(found.density, Some(8.0));
    assert_eq!(found.kinds.values().copied().collect::<Vec<_>>(), [2, 1, 1]);
    assert_eq!(found.distribution, of_counts(&[2, 1, 0], 1));
    assert_eq!(found.by_kind[&crate::facts::RelationKind::Relation], of_counts(&[0, 1, 0], 0));
    assert_eq!(found.by_kind[&crate::facts::RelationKind::Other], of_counts(&[0, 0, 0], 1));
    assert_eq!((found.l_star, found.at_l_star, found.not_localized), (Some(1), Share::new(2, 3), Share::new(1, 4)));
    assert_eq!(found.at_last, Share::new(0, 3));
    assert_eq!(found.necessity.map(|mean| mean.n), Some(4), "Δ_nec at l* is over all validated facts");
    let always = summarize(&record, &MetricConvention { argmax_always: true, ..MetricConvention::default() });
    assert_eq!(always.distribution, of_counts(&[2, 1, 1], 0));
    let last = summarize(&record, &MetricConvention::default().with_position(LAST));
    assert_eq!((last.l_star, last.at_last), (Some(3), Share::new(4, 4)));
    let json = serde_json::to_string(&found).expect("serializes");
    assert!(!json.contains("NaN") && json.contains("\"not-known\":2"));
}

#[test]
fn nothing_is_none_and_never_nan() {
    for layers in [0, 3] {
        let mut empty = record(layers, vec![dropped("1", Reason::NotKnown)]);
        empty.model.parameters = 0;
        let found = summarize(&empty, &MetricConvention::default());
        assert_eq!((found.density, found.l_star, found.at_l_star), (None, None, None));
        assert_eq!((found.concentration, found.at_last, found.not_localized), (None, None, None));
        assert_eq!((found.necessity, found.mlp_ratio, found.redundancy), (None, None, None));
        assert!(found.sufficiency.is_empty() && found.maps.block.is_empty() && found.redundancy_curve.is_empty());
    }
}

#[test]
fn matched_facts() {
    let (a, _) = two_facts();
    let make = |ids: &[&str]| record(3, ids.iter().map(|id| validated(id, "P27", a.clone())).collect());
    let mut one = make(&["1", "2", "3"]);
    one.facts.push(dropped("4", Reason::NotKnown));
    one.edits = Some(vec![edit([0.5; 4]), EditRecord { fact: 2, ..edit([0.5; 4]) }]);
    let mut two = make(&["2", "3", "4"]);
    two.facts[1].prompt = "another file's fact 3".into();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let records = [one, two];
    assert_eq!(matched(&records), ids(&["2"]));
    assert_eq!(matched(&records[..1]), ids(&["1", "2", "3"]));
    assert_eq!(matched(&[]), ids(&[]));
    let subset = restrict(&records[0], &ids(&["2", "4"]));
    assert_eq!(subset.facts.len(), 1);
    assert_eq!(subset.edits.map(|edits| edits.len()), Some(1));
}
