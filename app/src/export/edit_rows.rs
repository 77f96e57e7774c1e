//! Edits as rows: an edit, its steps, and the prompts that are watched around it.

use super::frame::Kind::{Bool, Float, Int, Text, Unsigned};
use super::frame::{Field, Frame, Value};
use super::rows::{Study, by_order};
use engram_core::Result;
use engram_core::record::Answers;

const EDITS: [Field; 20] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, true),
    ("layer", Int, false),
    ("seed", Unsigned, false),
    ("p_true", Float, false),
    ("p_false", Float, false),
    ("p_true_after", Float, false),
    ("p_false_after", Float, false),
    ("relative_change", Float, false),
    ("residual", Float, false),
    ("restored", Bool, false),
    ("method", Text, false),
    ("relative_norm", Float, true),
    ("nll_true", Float, true),
    ("nll_true_after", Float, true),
    ("nll_new", Float, true),
    ("nll_new_after", Float, true),
    ("exact", Bool, true),
    ("failed", Text, true),
];

const STEPS: [Field; 6] = [
    ("study", Text, false),
    ("order", Int, false),
    ("step", Int, false),
    ("loss", Float, false),
    ("method", Text, false),
    ("layer", Int, false),
];

const PROMPTS: [Field; 16] = [
    ("study", Text, false),
    ("order", Int, false),
    ("kind", Text, false),
    ("prompt", Text, true),
    ("other", Int, true),
    ("p_true", Float, false),
    ("p_true_after", Float, false),
    ("p_false", Float, true),
    ("p_false_after", Float, true),
    ("flipped", Bool, true),
    ("method", Text, false),
    ("nll_true", Float, true),
    ("nll_true_after", Float, true),
    ("nll_new", Float, true),
    ("nll_new_after", Float, true),
    ("layer", Int, false),
];

/// Three tables of Stage 3: a row per edit; per edit and step of its search; per edit and watched prompt.
pub fn edits(studies: &[Study<'_>], program: &str) -> Result<[Frame; 3]> {
    let mut edits = Frame::new(&EDITS, program)?;
    let (mut steps, mut prompts) = (Frame::new(&STEPS, program)?, Frame::new(&PROMPTS, program)?);
    for Study { name, record } in studies {
        let (study, known) = (Value::from(*name), by_order(record));
        for edit in record.edits.iter().flatten() {
            let order = Value::from(edit.fact);
            let method = record.settings.edit.methods.get(edit.method).map(|method| method.title());
            let method = Value::from(method.unwrap_or_default().as_str());
            let [nll_true, nll_true_after, nll_new, nll_new_after] = losses(edit.answers.as_ref());
            let exact = edit.answers.as_ref().map(|answers| answers.argmax_new[1] == answers.tokens[1]);
            let id = Value::from(known.get(&edit.fact).map(|fact| fact.id.as_str()));
            edits.row([
                study.clone(),
                order.clone(),
                id,
                edit.layer.into(),
                Value::Int(edit.seed as i64),
                edit.p_true.into(),
                edit.p_false.into(),
                edit.p_true_after.into(),
                edit.p_false_after.into(),
                edit.relative_change.into(),
                edit.residual.into(),
                edit.restored.into(),
                method.clone(),
                edit.relative_norm.into(),
                nll_true,
                nll_true_after,
                nll_new,
                nll_new_after,
                exact.into(),
                Value::from(edit.failed.as_deref()),
            ])?;
            for (step, loss) in edit.loss.iter().enumerate() {
                steps.row([
                    study.clone(),
                    order.clone(),
                    step.into(),
                    (*loss).into(),
                    method.clone(),
                    edit.layer.into(),
                ])?;
            }
            for (kind, shifts) in [
                ("paraphrase", &edit.paraphrases),
                ("neighbourhood", &edit.neighbourhood),
                ("neighbourhood+", &edit.neighbourhood_plus),
            ] {
                for shift in shifts {
                    let [nll_true, nll_true_after, nll_new, nll_new_after] = losses(shift.answers.as_ref());
                    prompts.row([
                        study.clone(),
                        order.clone(),
                        kind.into(),
                        shift.prompt.as_str().into(),
                        Value::Null,
                        shift.p_true[0].into(),
                        shift.p_true[1].into(),
                        shift.p_false[0].into(),
                        shift.p_false[1].into(),
                        Value::Null,
                        method.clone(),
                        nll_true,
                        nll_true_after,
                        nll_new,
                        nll_new_after,
                        edit.layer.into(),
                    ])?;
                }
            }
            for other in &edit.unrelated {
                let prompt = Value::from(known.get(&other.fact).map(|fact| fact.prompt.as_str()));
                prompts.row([
                    study.clone(),
                    order.clone(),
                    "unrelated".into(),
                    prompt,
                    other.fact.into(),
                    other.p_true[0].into(),
                    other.p_true[1].into(),
                    Value::Null,
                    Value::Null,
                    other.flipped.into(),
                    method.clone(),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    edit.layer.into(),
                ])?;
            }
        }
    }
    Ok([edits, steps, prompts])
}

/// Mean `-log p` of the true answer before and after, and of the new one.
fn losses(answers: Option<&Answers>) -> [Value; 4] {
    let all = answers.map(|answers| [answers.nll_true, answers.nll_new].concat());
    std::array::from_fn(|at| all.as_ref().map_or(Value::Null, |all| all[at].into()))
}
