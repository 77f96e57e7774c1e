//! Which frequencies a rotary position embedding has, by config.json. Follows transformers' `modeling_rope_utils.py` and
//! what `configuration_*.py` make of older spellings.

use super::config::{Config, FULL, SLIDING};
use crate::error::{Error, Result};
use crate::rope::{RopeScaling, RopeSpec};
use serde_json::{Value, json};
use std::f64::consts::PI;

/// What a family's configuration does not say of its rotary embedding, or says elsewhere.
pub(super) struct RopeDefaults {
    /// Base where the config has none.
    pub(super) theta: f64,
    /// Rotated part of a head where the config has none; `None` where the family rotates all of it.
    pub(super) partial: Option<f64>,
    /// `max_position_embeddings`.
    pub(super) positions: usize,
    pub(super) head_dim: usize,
}

/// The one embedding of a model whose layers do not differ in it. `rope_scaling` goes before `rope_parameters`, and what
/// stands in either before `rope_theta` beside it.
pub(super) fn uniform(config: Config<'_>, family: &RopeDefaults) -> Result<RopeSpec> {
    let scaling = config.value("rope_scaling").filter(|value| value.as_object().is_none_or(|map| !map.is_empty()));
    let parameters = object(scaling.or(config.value("rope_parameters")))?;
    let theta = config.number("rope_theta", family.theta)?;
    let partial = match family.partial {
        Some(partial) => Some(config.number("partial_rotary_factor", partial)?),
        None => None,
    };
    if [FULL, SLIDING].iter().any(|kind| parameters.value(kind).is_some()) {
        return Err(Error::input("config.json: `rope_parameters` by kind of layer, which this family does not have")
            .hint("take config.json from the model's own repository"));
    }
    read(config, parameters, theta, partial, family)
}

/// The embedding of one of several kinds of layers (Gemma-3): `rope_parameters` has an entry for each kind;
/// `rope_scaling`, where the kind listens to it, goes on top of that.
pub(super) fn of_kind(
    config: Config<'_>,
    kind: &str,
    scaled: bool,
    theta: f64,
    family: &RopeDefaults,
) -> Result<RopeSpec> {
    let own = config.value("rope_parameters").and_then(|all| all.get(kind)).filter(|value| !value.is_null());
    // Its type is there from the start: the older key `type` in `rope_scaling` changes nothing.
    let mut own = own.cloned().unwrap_or_else(|| json!({"rope_type": "default"}));
    if let (true, Some(scaling)) = (scaled, config.value("rope_scaling"))
        && let (Some(own), Some(scaling)) = (own.as_object_mut(), scaling.as_object())
    {
        own.extend(scaling.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    read(config, object(Some(&own))?, theta, None, family)
}

fn object(value: Option<&Value>) -> Result<Config<'_>> {
    match value {
        None => Ok(Config(&Value::Null)),
        Some(value) if value.is_object() => Ok(Config(value)),
        Some(_) => Err(Error::input("config.json: the RoPE parameters are no object")
            .hint("take config.json from the model's own repository")),
    }
}

fn missing(kind: &str, key: &str) -> Error {
    Error::input(format!("config.json: RoPE of type \"{kind}\" without `{key}`"))
        .hint("take config.json from the model's own repository")
}

fn read(
    config: Config<'_>,
    parameters: Config<'_>,
    theta: f64,
    partial: Option<f64>,
    family: &RopeDefaults,
) -> Result<RopeSpec> {
    let theta = parameters.number("rope_theta", theta)?;
    let kind = parameters.text("rope_type")?.or(parameters.text("type")?).unwrap_or("default");
    // Unscaled embeddings of most families turn whole heads, whatever stands here.
    let partial = match (partial, kind) {
        (Some(partial), _) => parameters.number("partial_rotary_factor", partial)?,
        (None, "default") => 1.0,
        (None, _) => parameters.number("partial_rotary_factor", config.number("partial_rotary_factor", 1.0)?)?,
    };
    let head_dim = family.head_dim;
    let dims = (head_dim as f64 * partial) as usize;
    if dims == 0 || dims % 2 == 1 || dims > head_dim || (family.partial.is_none() && dims != head_dim) {
        return Err(Error::input(format!("config.json: cannot rotate {dims} of {head_dim} head dimensions"))
            .hint("check head_dim and partial_rotary_factor"));
    }
    let need = |key: &str| match parameters.value(key) {
        Some(_) => parameters.number(key, 1.0),
        None => Err(missing(kind, key)),
    };
    let length = "original_max_position_embeddings";
    let original = config.size(length, parameters.size(length, family.positions)?)?;
    let plain = RopeSpec { theta, dims, scaling: RopeScaling::Plain, attention_factor: 1.0, longest: None };
    match kind {
        "default" => Ok(plain),
        "linear" => Ok(RopeSpec { scaling: RopeScaling::Linear(need("factor")?), ..plain }),
        "dynamic" => {
            need("factor")?;
            Ok(RopeSpec { longest: Some(family.positions), ..plain })
        }
        "llama3" => {
            let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
            let scaling = RopeScaling::Llama3 { factor: need("factor")?, low, high, original: original as f64 };
            Ok(RopeSpec { scaling, ..plain })
        }
        "yarn" => {
            let by_length = family.positions as f64 / original as f64;
            let factor = if parameters.0.get("factor") == Some(&Value::Null) { by_length } else { need("factor")? };
            yarn(parameters, factor, original as f64, plain)
        }
        "longrope" => {
            let short = parameters.numbers("short_factor", dims / 2)?.ok_or_else(|| missing(kind, "short_factor"))?;
            parameters.numbers("long_factor", dims / 2)?.ok_or_else(|| missing(kind, "long_factor"))?;
            let factor = parameters.number_or_null("factor", None)?;
            let factor = factor.unwrap_or(family.positions as f64 / original as f64);
            let scaled = if factor > 1.0 { (1.0 + factor.ln() / (original as f64).ln()).sqrt() } else { 1.0 };
            Ok(RopeSpec {
                scaling: RopeScaling::Divisors(short.into_iter().map(|n| n as f32).collect()),
                attention_factor: parameters.number_or_null("attention_factor", None)?.unwrap_or(scaled),
                longest: Some(original),
                ..plain
            })
        }
        other => Err(Error::input(format!("RoPE scaling \"{other}\" is not supported"))
            .hint("supported: default, linear, dynamic, llama3, yarn, longrope")),
    }
}

/// `_compute_yarn_parameters`.
fn yarn(parameters: Config<'_>, factor: f64, original: f64, plain: RopeSpec) -> Result<RopeSpec> {
    let grown = |scale: f64, by: f64| if scale <= 1.0 { 1.0 } else { 0.1 * by * scale.ln() + 1.0 };
    let given = |key: &str| Ok::<_, Error>(parameters.number_or_null(key, None)?.filter(|n| *n != 0.0));
    let by_scales = match (given("mscale")?, given("mscale_all_dim")?) {
        (Some(one), Some(all)) => grown(factor, one) / grown(factor, all),
        _ => grown(factor, 1.0),
    };
    let dims = plain.dims as f64;
    let turns = |n: f64| dims * (original / (n * 2.0 * PI)).ln() / (2.0 * plain.theta.ln());
    let (fast, slow) = (given("beta_fast")?.unwrap_or(32.0), given("beta_slow")?.unwrap_or(1.0));
    let (mut first, mut last) = (turns(fast), turns(slow));
    if parameters.flag("truncate", true)? {
        (first, last) = (first.floor(), last.ceil());
    }
    let (first, mut last) = (first.max(0.0), last.min(dims - 1.0));
    if first == last {
        last += 0.001;
    }
    Ok(RopeSpec {
        scaling: RopeScaling::Yarn { factor, first, last },
        attention_factor: parameters.number_or_null("attention_factor", None)?.unwrap_or(by_scales),
        ..plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> RopeDefaults {
        RopeDefaults { theta: 1e4, partial: None, positions: 4096, head_dim: 64 }
    }

    #[test]
    fn both_spellings() {
        let old = json!({"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let new = json!({"rope_parameters": {"type": "llama3", "rope_theta": 5e5, "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let old = uniform(Config(&old), &family()).expect("old spelling");
        assert_eq!(old, uniform(Config(&new), &family()).expect("new spelling"));
        assert!(matches!(old.scaling, RopeScaling::Llama3 { original: 8192.0, .. }));
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        for wrong in [
            json!({"rope_scaling": {"type": "proportional", "factor": 2.0}}),
            json!({"rope_scaling": {"type": "linear"}}),
            json!({"rope_scaling": {"type": "linear", "factor": 0.0}}),
            json!({"rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}}),
            json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0]}}),
            json!({"rope_scaling": 3}),
            json!({"rope_theta": 0.0}),
        ] {
            assert!(uniform(Config(&wrong), &family()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dynamic_is_plain_as_far_as_it_goes() {
        let config = json!({"rope_scaling": {"type": "dynamic", "factor": 4.0}});
        let spec = uniform(Config(&config), &family()).expect("dynamic");
        assert_eq!((spec.scaling, spec.longest), (RopeScaling::Plain, Some(4096)));
    }
}
