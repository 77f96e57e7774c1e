//! Records with every field of the format, written out field by field.

use engram_core::record::*;

/// Every patch position.
pub const POSITIONS: [PatchPosition; 3] =
    [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];

/// Every reason to drop a fact.
pub const REASONS: [Reason; 8] = [
    Reason::NotKnown,
    Reason::NotSensitive,
    Reason::SubjectNotFound,
    Reason::SharedFirstToken,
    Reason::TooLong,
    Reason::AnswerMerges,
    Reason::Empty,
    Reason::UnknownToken,
];

/// A second pass.
pub fn curve() -> RedundancyCurve {
    RedundancyCurve { ablated: 1, patched: vec![None, Some(0.5)] }
}

/// Written out field by field, without `..`: a new field of the format does not compile here until it has a value.
fn traced() -> Traced {
    Traced {
        tokens: vec!["a".into(), "b".into()],
        subject_span: [0, 1],
        corrupt_tokens: vec!["c".into(), "d".into()],
        corrupt_span: [0, 1],
        p_clean: 0.75,
        p_corrupt: 0.25,
        p_false: 0.125,
        patched: POSITIONS.map(|position| (position, vec![0.5, 0.25])).into(),
        without_block: vec![0.5, 0.5],
        without_attention: vec![0.5, 0.5],
        without_mlp: vec![0.5, 0.5],
        redundancy: POSITIONS.map(|position| (position, curve())).into(),
        patched_mlp: POSITIONS.map(|position| (position, vec![0.5, 0.25])).into(),
        maps: Some(Maps {
            window: 10,
            residual: vec![vec![0.5, 0.5]],
            mlp: vec![vec![0.5, 0.5]],
            attention: vec![vec![0.5, 0.5]],
        }),
        units: vec![UnitEffects {
            unit: Unit::Head,
            position: PatchPosition::SubjectLast,
            first: 0,
            patched: vec![vec![0.25, 0.5], vec![0.5, 0.25]],
        }],
        lens: Some(Lens {
            p_true: vec![0.5, 0.5],
            p_false: vec![0.5, 0.5],
            rank_true: vec![1, 1],
            rank_false: vec![2, 2],
            top: vec!["a".into(), "b".into()],
        }),
    }
}

/// An edit.
pub fn edit() -> EditRecord {
    let answers = Some(Answers {
        nll_true: [0.5, 1.0],
        nll_new: [1.0, 0.5],
        argmax_true: [1, 0],
        argmax_new: [0, 2],
        tokens: [1, 2],
        kept: 0,
    });
    let shift = || Shift { prompt: "p".into(), p_true: [0.5, 0.25], p_false: [0.25, 0.5], answers };
    EditRecord {
        fact: 0,
        layer: 1,
        seed: 1,
        p_true: 0.5,
        p_false: 0.25,
        p_true_after: 0.25,
        p_false_after: 0.5,
        loss: vec![1.0, -1.0],
        relative_change: 0.5,
        residual: 0.0,
        restored: true,
        paraphrases: vec![shift()],
        neighbourhood: vec![shift()],
        neighbourhood_plus: vec![shift()],
        generations: vec![Generation { prompt: "p".into(), texts: ["p a".into(), "p b".into()] }],
        target_new_id: "Q1".into(),
        portability: vec![ImpliedAnswer { prompt: "p".into(), answer: "a".into(), argmax: [0, 1], tokens: 1 }],
        unrelated: vec![Unrelated { fact: 1, p_true: [0.5, 0.25], flipped: true }],
        method: 1,
        answers,
        relative_norm: Some(0.25),
        retrace: Some(Box::new(Retrace { new_before: traced(), old_after: traced(), new_after: traced() })),
        search: Some(Search {
            value_norm: 2.0,
            delta_norm: 1.0,
            neighbour: Some(2),
            clamped: 1,
            division: Some(0.5),
            update_norm: Some(2.0),
            missing: vec![0.5],
            nll: vec![0.5, 0.25],
            kl: vec![0.0, 0.125],
        }),
        without_losses: true,
        failed: Some("why".into()),
    }
}

fn fact(order: usize, outcome: Outcome) -> FactRecord {
    FactRecord {
        order,
        id: order.to_string(),
        relation: "P36".into(),
        prompt: "p".into(),
        subject: "s".into(),
        target_true: "t".into(),
        target_new: "n".into(),
        answer_ids: [vec![1, 2], vec![3]],
        outcome,
    }
}

/// A record with every option filled and every reason; two of them have both kinds of corruption and of answer.
fn full(corruption: Corruption, answer: Answer) -> Record {
    let drop = |reason| Dropped { reason, detail: "d".into(), p_clean: Some(0.5), p_corrupt: Some(0.5) };
    let dropped = REASONS.iter().enumerate().map(|(at, &reason)| fact(at + 1, Outcome::Dropped(drop(reason))));
    Record {
        engram: VERSION,
        program: "test".into(),
        settings: Settings {
            n: 1,
            seed: 42,
            corruption,
            answer,
            min_effect: 0.05,
            max_tokens: 128,
            positions: POSITIONS.to_vec(),
            stages: vec![1, 2, 3],
            maps: 1,
            window: 10,
            screen_batch: 32,
            trace_batch: 4,
            rows: 2048,
            edit: EditSettings {
                facts: 1,
                unrelated: 1,
                position: PatchPosition::SubjectLast,
                layers: if answer == Answer::Sequence { EditLayers::of([1, 2]) } else { EditLayers::of([1]) },
                batch: 1,
                sequence: 1,
                retrace: true,
                min_p_false: 0.1,
                fluency: 100,
                methods: vec![
                    Spsa { steps: 1, epsilon: 0.5, eta: 0.5 }.into(),
                    Rome { start: SearchStart::Neighbour, ..Rome::default() }.into(),
                    Memit::default().into(),
                    AlphaEdit::default().into(),
                    FineTuning::default().into(),
                    Lora::default().into(),
                    UltraEdit::default().into(),
                ],
                contexts: vec!["One. {}".into()],
                second_moment: SecondMomentSettings {
                    keys: 10,
                    window: 4,
                    first: false,
                    ridge: 0.5,
                    text: "t".into(),
                    sha256: "a".into(),
                },
            },
        },
        model: ModelInfo {
            name: "m".into(),
            family: "llama".into(),
            layers: 2,
            width: 4,
            parameters: 100,
            dtype: "f32".into(),
            config_sha256: "c".into(),
            weights_sha256: "w".into(),
            tokenizer_sha256: "t".into(),
        },
        device: DeviceInfo {
            kind: "cpu".into(),
            name: "1 thread".into(),
            backend: "flex".into(),
            precision: Precision::F32,
        },
        source: FactSource { name: "f".into(), sha256: "s".into(), count: 8 },
        facts: std::iter::once(fact(0, Outcome::Validated(Box::new(traced())))).chain(dropped).collect(),
        edits: Some(vec![edit()]),
        sequences: vec![sequence()],
        runs: vec![ShardRun {
            shard: "0/2".into(),
            host: "h".into(),
            device: DeviceInfo { kind: "cpu".into(), ..DeviceInfo::default() },
            program: "test".into(),
            units: 3,
            seconds: 0.5,
        }],
    }
}

/// Edits one after the other, as a journal has them.
fn sequence() -> Sequence {
    let edit = SequenceEdit {
        fact: 0,
        layer: 1,
        loss: vec![1.0, 0.5],
        relative_change: 0.5,
        residual: 0.0,
        relative_norm: 0.25,
        search: edit().search,
        failed: Some("why".into()),
    };
    Sequence {
        method: 1,
        layer: Some(1),
        steps: vec![SequenceStep { edits: vec![edit], change: "{}".into(), keys: [(1, vec!["AA==".into()])].into() }],
        checkpoints: vec![Checkpoint {
            edits: 1,
            broken: Some("why".into()),
            relative_norm: 0.25,
            perplexity: Some([20.0, 21.5]),
            edited: vec![EditRecord { layer: 1, ..EditRecord::default() }],
            untouched: vec![Unrelated { fact: 1, p_true: [0.5, 0.25], flipped: true }],
        }],
    }
}

/// One with each kind of corruption and of answer.
pub fn records() -> [Record; 2] {
    [
        full(Corruption::Replace { with: "x".into() }, Answer::FirstToken),
        full(Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.5 }, Answer::Sequence),
    ]
}
