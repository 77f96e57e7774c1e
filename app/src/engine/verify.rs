//! A record held against its facts and its model, where these are at hand.

use super::lab;
use super::load::{self, Opened};
use super::study::read_facts;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Proof, Source};
use crate::{bundled, hub};
use anyhow::Result;
use engram_core::facts::FactFile;
use engram_core::lab::AGAIN;
use engram_core::model;
use engram_core::model::spec::Spec;
use engram_core::record::{ModelInfo, Record};
use engram_core::verify::{self, Check, State};
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
            None => checks.push(Check::new(AGAIN, State::NotChecked, "the record's own model is needed for it")),
        }
    }
    Ok(checks)
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

fn rerun(record: &Record, wanted: &Model, proof: &Proof, progress: &Progress) -> Result<Vec<Check>> {
    let mut lab = lab(load::load(wanted, progress)?.model)?;
    let mut tell = |done: usize, of: usize| {
        if done == 0 {
            progress.start("computing again", "facts", Some(of as u64), 0);
        }
        progress.set(done as u64);
    };
    let checks = block_on(lab.recompute(record, proof.rerun, proof.tolerance, &mut tell))?;
    progress.finish();
    Ok(checks)
}
