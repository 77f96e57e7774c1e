//! Facts of a record computed again.

use super::Lab;
use crate::error::Result;
use crate::facts::{Fact, SLOT};
use crate::load::Model;
use crate::pause;
use crate::record::{Corruption, FactRecord, Record, Settings, Traced, Unit, UnitEffects};
use crate::run::Sites;
use crate::trace::{self, Extras, OneFact, SecondPass, TokenizedFact, Units};
use crate::verify::{self, Again, Check, State};

/// Name of the check that says which facts were computed again.
pub const AGAIN: &str = "computed again";

/// Most draws, and longest prompt in bytes, that are computed again: a damaged record may ask for any number.
const MOST_DRAWS: usize = 1000;
const LONGEST: usize = 1 << 16;

impl Lab {
    /// Computes facts of a record again, spread over it, and holds their numbers against it; edits in force are left out. `tell` hears
    /// how many of them are done, from 0.
    ///
    /// # Errors
    /// When the device fails, or the work was cancelled; what is wrong with the record is a check.
    pub async fn recompute(
        &mut self,
        record: &Record,
        facts: usize,
        tolerance: f64,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Check>> {
        let all: Vec<(&FactRecord, &Traced)> = record.traced().collect();
        let chosen: Vec<(&FactRecord, &Traced)> =
            verify::spread(all.len(), facts).into_iter().map(|at| all[at]).collect();
        if chosen.is_empty() {
            return Ok(vec![Check::new(AGAIN, State::NotChecked, "no fact is traced")]);
        }
        if matches!(record.settings.corruption, Corruption::Noise { draws, .. } if !(1..=MOST_DRAWS).contains(&draws)) {
            return Ok(vec![Check::new(AGAIN, State::Failed, format!("not 1 to {MOST_DRAWS} draws of noise"))]);
        }
        let mut model = self.model.share();
        let same = verify::model(record, &model.info);
        if same.state != State::Ok {
            return Ok(vec![same]);
        }
        let settings = settings(record, &model);
        model.plan.rows = settings.rows;
        let (mut again, mut other) = (Vec::new(), Vec::new());
        for (at, (fact, traced)) in chosen.iter().enumerate() {
            tell(at, chosen.len());
            pause::point().await?;
            match prepared(&model, fact, traced, &settings)? {
                Ok(prepared) => again.push((*fact, *traced, trace_again(&model, &prepared, traced, &settings).await?)),
                Err(why) => other.push(format!("fact {} (order {}): {why}", fact.id, fact.order)),
            }
        }
        tell(chosen.len(), chosen.len());
        let pairs: Vec<Again<'_>> =
            again.iter().map(|(fact, recorded, again)| Again { fact, recorded, again }).collect();
        let mut checks = vec![chosen_check(&chosen, all.len(), &other, &model)];
        checks.push(tokens(&pairs));
        checks.extend(verify::rerun(&pairs, tolerance));
        if record.edits.as_ref().is_some_and(|edits| !edits.is_empty()) {
            let why = "edits are not computed again: the steps of their optimisation amplify last bits";
            checks.push(Check::new("again: edits", State::NotChecked, why));
        }
        Ok(checks)
    }
}

/// Which facts are computed again, and where.
fn chosen_check(chosen: &[(&FactRecord, &Traced)], of: usize, other: &[String], model: &Model) -> Check {
    let device = &model.compute.info;
    let orders: Vec<String> = chosen.iter().take(20).map(|(fact, _)| fact.order.to_string()).collect();
    let more = if chosen.len() > orders.len() { ", …" } else { "" };
    let (count, list) = (chosen.len(), orders.join(", "));
    let which =
        format!("{count} of {of} traced facts, of the orders {list}{more}, on {} ({})", device.kind, device.name);
    match other.first() {
        None => Check::new(AGAIN, State::Ok, which),
        Some(first) => {
            Check::new(AGAIN, State::Failed, format!("{which}; {} cannot be computed, the first: {first}", other.len()))
        }
    }
}

/// The record's settings, with what a damaged record could stretch kept within what a study can have.
fn settings(record: &Record, model: &Model) -> Settings {
    let mut settings = record.settings.clone();
    settings.positions.sort_unstable();
    settings.positions.dedup();
    settings.rows = settings.rows.clamp(1, model.plan.rows.max(2048));
    // A window that covers the model is the same however large it is.
    settings.window = settings.window_of(model.layers()).min(4 * model.layers());
    settings.max_tokens = settings.max_tokens.min(model.net.shape.positions);
    settings
}

/// The fact's tokens. A record holds the prompt, not where in it the subject was put, so the place with the recorded
/// span is taken.
fn prepared(
    model: &Model,
    fact: &FactRecord,
    traced: &Traced,
    settings: &Settings,
) -> Result<Result<TokenizedFact, String>> {
    let with = match &settings.corruption {
        Corruption::Replace { with } => with.len(),
        Corruption::Noise { .. } => 0,
    };
    if fact.prompt.len() + with + fact.target_true.len() + fact.target_new.len() > LONGEST || fact.subject.is_empty() {
        return Ok(Err("its texts are empty or too long".into()));
    }
    let mut found = Err("its subject is not in its prompt".to_owned());
    // A subject such as `a` is in many places; the first ones decide.
    for (at, _) in fact.prompt.match_indices(&fact.subject).take(32) {
        let (before, after) = (&fact.prompt[..at], &fact.prompt[at + fact.subject.len()..]);
        if before.contains(SLOT) || after.contains(SLOT) {
            return Ok(Err(format!("its prompt has a {SLOT}")));
        }
        let fact = Fact {
            id: fact.id.clone(),
            relation: fact.relation.clone(),
            template: format!("{before}{SLOT}{after}"),
            subject: fact.subject.clone(),
            target_true: fact.target_true.clone(),
            target_new: fact.target_new.clone(),
            answer_ids: fact.answer_ids.clone(),
            ..Fact::default()
        };
        match trace::tokenize(model, &fact, settings)? {
            Ok(one) => {
                let here = [one.span.start, one.span.end] == traced.subject_span;
                if here || found.is_err() {
                    found = Ok(one);
                }
                if here {
                    break;
                }
            }
            Err(dropped) if found.is_err() => found = Err(dropped.detail),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Everything of a fact that its record has, but edits.
async fn trace_again(model: &Model, fact: &TokenizedFact, recorded: &Traced, settings: &Settings) -> Result<Traced> {
    let units = recorded.units.first().and_then(|units| units_of(model, units));
    let keep = units.as_ref().map_or_else(Sites::to_resume, |units| units.sites(model.layers()));
    let one = OneFact::capture(model, fact.clone(), settings, &keep).await?;
    let second = recorded.redundancy.iter().map(|(position, curve)| (*position, curve.ablated)).collect();
    let extras = Extras {
        lens: recorded.lens.is_some(),
        second: SecondPass::Of(second),
        maps: recorded.maps.is_some(),
        units: units.as_ref(),
    };
    let mut traced = trace::trace_one(model, &one, settings, &extras, &mut |_| {}).await?;
    if !recorded.patched_mlp.is_empty() {
        let windows = trace::mlp_windows(model, &[&one.tokens], &[traced.p_corrupt], settings, &one.group).await?;
        traced.patched_mlp = windows.into_iter().next().unwrap_or_default();
    }
    Ok(traced)
}

/// The units of a record, where the model has them.
fn units_of(model: &Model, found: &UnitEffects) -> Option<Units> {
    let count = found.patched.first().map_or(0, Vec::len);
    let (end, most) = (found.first.checked_add(count)?, model.net.shape.ff);
    match found.unit {
        Unit::Head => Some(Units::Heads),
        Unit::Neuron => (count > 0 && end <= most).then_some(Units::Neurons(found.first..end)),
    }
}

fn tokens(pairs: &[Again<'_>]) -> Check {
    const NAME: &str = "again: tokens and spans";
    let same = |pair: &&Again<'_>| {
        let (one, two) = (pair.recorded, pair.again);
        (&one.tokens, one.subject_span) == (&two.tokens, two.subject_span)
            && (&one.corrupt_tokens, one.corrupt_span) == (&two.corrupt_tokens, two.corrupt_span)
    };
    match pairs.iter().find(|pair| !same(pair)) {
        Some(pair) => {
            let FactRecord { id, order, .. } = pair.fact;
            Check::new(NAME, State::Failed, format!("fact {id} (order {order}): other tokens than recorded"))
        }
        None => Check::new(NAME, State::Ok, format!("{} facts", pairs.len())),
    }
}
