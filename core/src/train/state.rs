//! A training that was stopped: parameters and moments, exactly as they were at the end of an epoch.

use super::optimize::{Moments, Optimize};
use super::{Epoch, Plan};
use crate::error::{Error, Result};
use crate::model::{Parameter, Parameters};
use crate::tensor::Vector;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

const HINT: &str = "remove the file to train from the beginning";

/// What the tensors do not say.
#[derive(Serialize, Deserialize)]
struct About {
    /// Digest of everything that determines the run.
    plan: String,
    epochs: Vec<Epoch>,
    /// Steps of each parameter's optimizer.
    times: BTreeMap<String, usize>,
}

/// One safetensors file.
pub(super) async fn save(
    plan: &Plan,
    parameters: &Parameters,
    optimize: &Optimize,
    epochs: &[Epoch],
) -> Result<Vec<u8>> {
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    let mut times = BTreeMap::new();
    let mut put = async |name: String, shape: &[usize], values: &Vector| -> Result<()> {
        let bytes = values.values().await?.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.insert(name, (shape.to_vec(), bytes));
        Ok(())
    };
    let all = parameters.all();
    for (name, Parameter { shape, values }) in &all {
        put(format!("p.{name}"), shape, values).await?;
    }
    for (name, Moments { time, first, second }) in &optimize.moments {
        let shape = &all[name].shape;
        times.insert(name.clone(), *time);
        put(format!("1.{name}"), shape, first).await?;
        put(format!("2.{name}"), shape, second).await?;
    }
    let about = About { plan: plan.digest().to_string(), epochs: epochs.to_vec(), times };
    let about = serde_json::to_string(&about).map_err(|error| Error::io(error.to_string()))?;
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|error| Error::io(error.to_string()))?;
    safetensors::serialize(views, Some(HashMap::from([("engram-training".to_string(), about)])))
        .map_err(|error| Error::io(error.to_string()))
}

/// Puts a saved state back. Gives the finished epochs.
pub(super) fn restore(
    bytes: &[u8],
    plan: &Plan,
    parameters: &Parameters,
    optimize: &mut Optimize,
) -> Result<Vec<Epoch>> {
    let damaged = |what: String| Error::input(format!("the saved training is damaged: {what}")).hint(HINT);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let about = header.metadata().as_ref().and_then(|all| all.get("engram-training"));
    let about = about.ok_or_else(|| damaged("it says nothing about the run".into()))?;
    let about: About = serde_json::from_str(about).map_err(|error| damaged(error.to_string()))?;
    if about.plan != plan.digest() {
        return Err(Error::input("the saved training belongs to another recipe, other facts or other text").hint(HINT));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |name: &str| {
        let view = file.tensor(name).map_err(|error| damaged(error.to_string()))?;
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match view.shape().len() {
            1 | 2 if view.dtype() == Dtype::F32 && values.iter().all(|value| value.is_finite()) => {
                Ok(Parameter { shape: view.shape().to_vec(), values: Vector::new(values, parameters.device()) })
            }
            _ => Err(damaged(format!("tensor `{name}`"))),
        }
    };
    let known = parameters.all();
    // What does not fit the recipe would be met in the middle of a step.
    let fits = |name: &str, found: &Parameter| match known.get(name).is_some_and(|known| known.shape == found.shape) {
        true => Ok(()),
        false => Err(damaged(format!("parameter `{name}` is not the recipe's"))),
    };
    for name in file.names() {
        if let Some(name) = name.strip_prefix("p.") {
            let parameter = read(&format!("p.{name}"))?;
            fits(name, &parameter)?;
            parameters.set(name, parameter);
        }
    }
    for (name, time) in about.times {
        let [first, second] = [read(&format!("1.{name}"))?, read(&format!("2.{name}"))?];
        fits(&name, &first)?;
        fits(&name, &second)?;
        optimize.moments.insert(name, Moments { time, first: first.values, second: second.values });
    }
    Ok(about.epochs)
}
