//! A training that was stopped: parameters and moments, exactly as they were at the end of an epoch.

use super::optimize::{Moments, Optimize};
use super::{Epoch, Plan};
use crate::error::{Error, Result};
use crate::model::{Parameter, Parameters};
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::Device;
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
    let mut put = async |name: String, parameter: &Parameter| -> Result<()> {
        let bytes = parameter.values().await?.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.insert(name, (parameter.shape(), bytes));
        Ok(())
    };
    for (name, parameter) in parameters.all() {
        put(format!("p.{name}"), &parameter).await?;
    }
    for (name, moments) in &optimize.moments {
        let (time, first, second) = match moments {
            Moments::Vector(state) => {
                let AdaptiveMomentumState { time, moment_1, moment_2, .. } = state.momentum.clone();
                (time, Parameter::Vector(moment_1), Parameter::Vector(moment_2))
            }
            Moments::Matrix(state) => {
                let AdaptiveMomentumState { time, moment_1, moment_2, .. } = state.momentum.clone();
                (time, Parameter::Matrix(moment_1), Parameter::Matrix(moment_2))
            }
        };
        times.insert(name.clone(), time);
        put(format!("1.{name}"), &first).await?;
        put(format!("2.{name}"), &second).await?;
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
    device: &Device,
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
    let read = |name: &str, device: &Device| {
        let view = file.tensor(name).map_err(|error| damaged(error.to_string()))?;
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        match view.shape().len() {
            1 | 2 if values.iter().all(|value| value.is_finite()) => {
                Ok(Parameter::from_values(values, view.shape(), device))
            }
            _ => Err(damaged(format!("tensor `{name}`"))),
        }
    };
    let plain = device.clone().inner();
    for name in file.names() {
        if let Some(name) = name.strip_prefix("p.") {
            parameters.set(name, read(&format!("p.{name}"), device)?.tracked());
        }
    }
    for (name, time) in about.times {
        let moments = (read(&format!("1.{name}"), &plain)?, read(&format!("2.{name}"), &plain)?);
        let moments = match moments {
            (Parameter::Vector(first), Parameter::Vector(second)) => {
                Moments::Vector(AdamWState { momentum: AdaptiveMomentumState::new(time, first, second) })
            }
            (Parameter::Matrix(first), Parameter::Matrix(second)) => {
                Moments::Matrix(AdamWState { momentum: AdaptiveMomentumState::new(time, first, second) })
            }
            _ => return Err(damaged(format!("the moments of `{name}`"))),
        };
        optimize.moments.insert(name, moments);
    }
    Ok(about.epochs)
}
