//! A record held against its facts and its model, and facts of it computed again.

use super::load::{self, Opened};
use super::study::read_facts;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Proof, Source};
use crate::{bundled, hub};
use anyhow::Result;
use engram_core::Error;
use engram_core::facts::{Fact, FactFile, SLOT};
use engram_core::load::Model as LoadedModel;
use engram_core::model;
use engram_core::model::spec::Spec;
use engram_core::record::{Corruption, FactRecord, ModelInfo, Record, Settings, Traced, Unit, UnitEffects};
use engram_core::run::Sites;
use engram_core::trace::{self, Extras, OneFact, SecondPass, TokenizedFact, Units};
use engram_core::verify::{self, Again, Check, State};
use pollster::block_on;

/// See [`super::verify`].
pub(super) fn run(record: &Record, proof: &Proof, progress: &Progress) -> Result<Vec<Check>> {
    let mut checks = source(record, proof, progress)?;
    let wanted = model_of(record, proof);
    let same = match &wanted {
        Some(wanted) => identity(record, wanted, progress)?,
        None => Check::new("model", State::NotChecked, "it is not at hand")
            .hint("name it with --model: a folder, a .gguf file or a Hub id"),
    };
    let state = same.state;
    checks.push(same);
    if proof.rerun > 0 {
        match wanted.filter(|_| state == State::Ok) {
            Some(wanted) => checks.extend(rerun(record, &wanted, proof, progress)?),
            None => checks.push(not_again("the record's own model is needed for it")),
        }
    }
    Ok(checks)
}

const AGAIN: &str = "computed again";

fn not_again(why: &str) -> Check {
    Check::new(AGAIN, State::NotChecked, why)
}

/// The checks against the fact source: the named file, else the bundled facts where the record was made from them.
fn source(record: &Record, proof: &Proof, progress: &Progress) -> Result<Vec<Check>> {
    if record.source.sha256.is_empty() {
        return Ok(vec![Check::new("fact source", State::NotApplicable, "a single question, not a file")]);
    }
    let file: FactFile = match &proof.facts {
        Some(named) => read_facts(named, progress)?,
        None => {
            let file = read_facts(&Facts::Bundled, progress)?;
            if file.sha256 != record.source.sha256 {
                return Ok(vec![
                    Check::new("fact source", State::NotChecked, "the file is not at hand")
                        .hint("name it with --facts"),
                ]);
            }
            file
        }
    };
    Ok(verify::source(record, &file))
}

/// The record's model: the one named for it, a bundled one, or one in the cache. Nothing is downloaded for a name that
/// only a record says.
fn model_of(record: &Record, proof: &Proof) -> Option<Model> {
    let name = &record.model.name;
    if let Some(named) = proof.models.iter().find(|model| load::record_name(&model.source) == *name) {
        return Some(named.clone());
    }
    if let [only] = proof.models.as_slice() {
        return Some(only.clone());
    }
    let found = match bundled::find(name) {
        Some(model) => Source::Bundled(model),
        None => match Source::parse(name) {
            Ok(Source::Hub(id)) if hub::is_at_hand(&id) => Source::Hub(id),
            _ => return None,
        },
    };
    Some(Model { source: found, tokenizer: None, device: proof.device, precision: proof.precision, stats_text: None })
}

/// The digests of the model's files against the record's.
fn identity(record: &Record, wanted: &Model, progress: &Progress) -> Result<Check> {
    let Opened { checkpoint, name, .. } = load::open(wanted, progress)?;
    let spec = Spec::read(checkpoint.config())?;
    let own_head = block_on(model::own_head(&spec, &checkpoint))?;
    let here = ModelInfo {
        name,
        parameters: checkpoint.parameters(spec.tied && !own_head),
        config_sha256: checkpoint.config_sha256().to_owned(),
        weights_sha256: block_on(checkpoint.weights_sha256())?,
        tokenizer_sha256: checkpoint.tokens()?.sha256().to_owned(),
        ..ModelInfo::default()
    };
    Ok(verify::model(record, &here))
}

/// Most draws, and longest prompt in bytes, that are computed again: a damaged record may ask for any number.
const MOST_DRAWS: usize = 1000;
const LONGEST: usize = 1 << 16;

fn rerun(record: &Record, wanted: &Model, proof: &Proof, progress: &Progress) -> Result<Vec<Check>> {
    let all: Vec<(&FactRecord, &Traced)> = record.traced().collect();
    let chosen: Vec<(&FactRecord, &Traced)> =
        verify::spread(all.len(), proof.rerun).into_iter().map(|at| all[at]).collect();
    if chosen.is_empty() {
        return Ok(vec![not_again("no fact is traced")]);
    }
    if matches!(record.settings.corruption, Corruption::Noise { draws, .. } if !(1..=MOST_DRAWS).contains(&draws)) {
        return Ok(vec![Check::new(AGAIN, State::Failed, format!("not 1 to {MOST_DRAWS} draws of noise"))]);
    }
    let mut loaded = load::load(wanted, progress)?;
    let same = verify::model(record, &loaded.model.info);
    if same.state != State::Ok {
        return Ok(vec![same]);
    }
    let settings = settings(record, &loaded.model);
    loaded.model.plan.rows = settings.rows;
    progress.start("computing again", "facts", Some(chosen.len() as u64), 0);
    let (mut again, mut other) = (Vec::new(), Vec::new());
    for (at, (fact, traced)) in chosen.iter().enumerate() {
        if progress.is_cancelled() {
            return Err(Error::cancelled().into());
        }
        match prepared(&loaded.model, fact, traced, &settings)? {
            Ok(prepared) => {
                again.push((*fact, *traced, block_on(trace_again(&loaded.model, &prepared, traced, &settings))?))
            }
            Err(why) => other.push(format!("fact {} (order {}): {why}", fact.id, fact.order)),
        }
        progress.set(at as u64 + 1);
    }
    progress.finish();
    let pairs: Vec<Again<'_>> = again.iter().map(|(fact, recorded, again)| Again { fact, recorded, again }).collect();
    let mut checks = vec![chosen_check(&chosen, all.len(), &other, &loaded.model)];
    checks.push(tokens(&pairs));
    checks.extend(verify::rerun(&pairs, proof.tolerance));
    if record.edits.as_ref().is_some_and(|edits| !edits.is_empty()) {
        let why = "edits are not computed again: the steps of their optimisation amplify last bits";
        checks.push(Check::new("again: edits", State::NotChecked, why));
    }
    Ok(checks)
}

/// Which facts are computed again, and where.
fn chosen_check(chosen: &[(&FactRecord, &Traced)], of: usize, other: &[String], model: &LoadedModel) -> Check {
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
fn settings(record: &Record, model: &LoadedModel) -> Settings {
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
    model: &LoadedModel,
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
async fn trace_again(
    model: &LoadedModel,
    fact: &TokenizedFact,
    recorded: &Traced,
    settings: &Settings,
) -> engram_core::Result<Traced> {
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
fn units_of(model: &LoadedModel, found: &UnitEffects) -> Option<Units> {
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
