//! How a method of editing is written in records, journals and requests.

use super::{AlphaEdit, EditKey, EditMethod, FineTuning, Lora, Memit, Rome, SearchStart, Spsa, UltraEdit, ValueSearch};
use serde::Deserialize;

/// A method as it is written, all methods' settings side by side: a tagged type would be read by way of a tree of values.
#[derive(Deserialize)]
pub(super) struct Written {
    kind: Kind,
    steps: Option<usize>,
    epsilon: Option<f32>,
    eta: Option<f32>,
    key: Option<EditKey>,
    covariance: Option<bool>,
    #[serde(default)]
    start: SearchStart,
    lr: Option<f32>,
    decay: Option<f32>,
    kl: Option<f32>,
    clamp: Option<f32>,
    stop: Option<f32>,
    layers: Option<usize>,
    lambda: Option<f32>,
    batch: Option<usize>,
    threshold: Option<f32>,
    l2: Option<f32>,
    rank: Option<usize>,
    alpha: Option<f32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Spsa,
    Rome,
    Memit,
    AlphaEdit,
    FtM,
    Lora,
    UltraEdit,
}

impl TryFrom<Written> for EditMethod {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        fn given<T>(value: Option<T>, what: &str) -> Result<T, String> {
            value.ok_or_else(|| format!("edit.method has no {what}"))
        }
        let Written { kind, steps, epsilon, eta, key, covariance, start, lr, decay, kl, clamp, stop, .. } = written;
        let Written { layers, lambda, batch, threshold, l2, rank, alpha, .. } = written;
        let steps = || given(steps, "steps");
        let search = || -> Result<ValueSearch, String> {
            Ok(ValueSearch {
                steps: steps()?,
                lr: given(lr, "lr")?,
                decay: given(decay, "decay")?,
                kl: given(kl, "kl")?,
                clamp: given(clamp, "clamp")?,
                stop: given(stop, "stop")?,
            })
        };
        let tuning = || -> Result<FineTuning, String> {
            Ok(FineTuning { steps: steps()?, lr: given(lr, "lr")?, stop: given(stop, "stop")? })
        };
        Ok(match kind {
            Kind::Spsa => Spsa { steps: steps()?, epsilon: given(epsilon, "epsilon")?, eta: given(eta, "eta")? }.into(),
            Kind::Rome => {
                Rome { key: given(key, "key")?, covariance: given(covariance, "covariance")?, start, search: search()? }
                    .into()
            }
            Kind::Memit => {
                Memit { layers: given(layers, "layers")?, lambda: given(lambda, "lambda")?, search: search()? }.into()
            }
            Kind::AlphaEdit => AlphaEdit {
                layers: given(layers, "layers")?,
                batch: given(batch, "batch")?,
                threshold: given(threshold, "threshold")?,
                l2: given(l2, "l2")?,
                search: search()?,
            }
            .into(),
            Kind::FtM => tuning()?.into(),
            Kind::Lora => Lora { rank: given(rank, "rank")?, alpha: given(alpha, "alpha")?, tuning: tuning()? }.into(),
            Kind::UltraEdit => UltraEdit { lr: given(lr, "lr")? }.into(),
        })
    }
}
