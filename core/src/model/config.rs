//! Typed access to a model's own `config.json`, in the spellings of transformers 4 and 5.

use super::bounds;
use crate::error::{Error, Result};
use serde_json::Value;

/// A `config.json` (or the text part of a multimodal one).
#[derive(Clone, Copy)]
pub struct Config<'a>(pub &'a Value);

/// Rotary position embedding of a layer kind.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Base θ.
    pub theta: f64,
    /// Rotated dimensions of a head (all of them unless the family is partial).
    pub dims: usize,
    /// What is done to the frequencies.
    pub scaling: RopeScaling,
}

/// Frequency scaling of a [`RopeSpec`].
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    Plain,
    /// All frequencies divided by the factor.
    Linear(f64),
    /// Llama 3.1's: long wavelengths divided by `factor`, smooth in between.
    Llama3 {
        /// Division of the long wavelengths.
        factor: f64,
        /// `low_freq_factor`.
        low: f64,
        /// `high_freq_factor`.
        high: f64,
        /// `original_max_position_embeddings`.
        original: f64,
    },
    /// Divisors stored as tensor `rope_freqs.weight` (GGUF).
    Stored,
}

impl<'a> Config<'a> {
    /// `model_type`.
    pub fn model_type(&self) -> Result<&'a str> {
        self.0.get("model_type").and_then(Value::as_str).ok_or_else(|| {
            Error::input("config.json has no `model_type`")
                .hint("this is not a transformers model folder, or its config.json is damaged")
        })
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn wrong(key: &str, wanted: &str, value: &Value) -> Error {
        let found = match value {
            Value::Array(list) => format!("a list of {}", list.len()),
            Value::Object(_) => "an object".into(),
            other => other.to_string().chars().take(100).collect(),
        };
        Error::input(format!("config.json: `{key}` should be {wanted}, found {found}"))
            .hint("take config.json from the model's own repository")
    }

    /// A positive whole number that must be there, and within [`bounds`].
    pub fn size(&self, key: &str) -> Result<usize> {
        self.size_or(key, None)
    }

    /// A positive whole number with a default.
    pub fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize> {
        match (self.value(key), default) {
            (Some(value), _) => match value.as_u64() {
                Some(n) if n > 0 && n <= bounds::most(key) as u64 => Ok(n as usize),
                _ => Err(Self::wrong(key, &format!("a whole number from 1 to {}", bounds::most(key)), value)),
            },
            (None, Some(default)) => Ok(default),
            (None, None) => Err(Error::input(format!("config.json has no `{key}`"))
                .hint("take config.json from the model's own repository")),
        }
    }

    /// A number, when it is there and not null.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => {
                let (least, most) = bounds::range(key);
                match value.as_f64() {
                    Some(n) if (least..=most).contains(&n) => Ok(Some(n)),
                    _ => Err(Self::wrong(key, &format!("a number from {least:e} to {most:e}"), value)),
                }
            }
        }
    }

    /// A number with a default.
    pub fn number_or(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    /// A truth value with a default.
    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| Self::wrong(key, "true or false", value)),
        }
    }

    /// A text, when it is there.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| Self::wrong(key, "a text", value)),
        }
    }

    /// Fails unless a text field, where present, is one of the supported ones.
    pub fn expect_text(&self, key: &str, supported: &[&str]) -> Result<()> {
        match self.text(key)? {
            Some(found) if !supported.contains(&found) => {
                Err(Error::input(format!("config.json: `{key}` is \"{found}\", which is not supported"))
                    .hint(format!("supported here: {}", supported.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// Per layer: does it slide? From `layer_types` where the config has them, else from `rule(layer_index)`.
    pub fn sliding_layers(&self, layers: usize, rule: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
        let Some(value) = self.value("layer_types") else {
            return Ok((0..layers).map(rule).collect());
        };
        let kinds: Option<Vec<bool>> = value.as_array().and_then(|kinds| {
            kinds
                .iter()
                .map(|kind| match kind.as_str() {
                    Some("sliding_attention") => Some(true),
                    Some("full_attention") => Some(false),
                    _ => None,
                })
                .collect()
        });
        match kinds {
            Some(kinds) if kinds.len() == layers => Ok(kinds),
            _ => Err(Self::wrong(
                "layer_types",
                "one of \"sliding_attention\", \"full_attention\" for each layer",
                value,
            )),
        }
    }

    /// The rotary embedding. `kind` names the layer kind where a config tells them apart (`full_attention`,
    /// `sliding_attention`); `theta` is the family's default base.
    pub fn rope(&self, head_dim: usize, kind: Option<&str>, theta: f64) -> Result<RopeSpec> {
        // transformers 5 has `rope_parameters`, once or per layer kind; before, `rope_theta` and `rope_scaling`.
        let parameters = self.value("rope_parameters").map(|all| match kind {
            Some(kind) => all.get(kind).unwrap_or(all),
            None => all,
        });
        let scaling = Config(parameters.or(self.value("rope_scaling")).unwrap_or(&Value::Null));
        let base = match parameters {
            Some(_) => scaling.number_or("rope_theta", theta)?,
            None => theta,
        };
        let partial = match scaling.number("partial_rotary_factor")? {
            Some(partial) => partial,
            None => self.number_or("partial_rotary_factor", 1.0)?,
        };
        let dims = (head_dim as f64 * partial) as usize;
        if dims == 0 || dims % 2 == 1 || dims > head_dim || base <= 0.0 {
            return Err(Error::input(format!(
                "config.json: cannot rotate {dims} of {head_dim} head dimensions with base {base}"
            ))
            .hint("check head_dim, partial_rotary_factor and rope_theta"));
        }
        let kind = scaling.text("rope_type")?.or(scaling.text("type")?).unwrap_or("default");
        let factor = scaling.number_or("factor", 1.0)?;
        let scaling = match kind {
            "default" => RopeScaling::Plain,
            "linear" => RopeScaling::Linear(factor),
            "llama3" => RopeScaling::Llama3 {
                factor,
                low: scaling.number_or("low_freq_factor", 1.0)?,
                high: scaling.number_or("high_freq_factor", 4.0)?,
                original: scaling.number_or("original_max_position_embeddings", 8192.0)?,
            },
            "llama3-freqs" => RopeScaling::Stored,
            other => {
                return Err(Error::input(format!("RoPE scaling \"{other}\" is not supported"))
                    .hint("supported: default, linear, llama3"));
            }
        };
        Ok(RopeSpec { theta: base, dims, scaling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rope_in_both_spellings() {
        let old = json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let new = json!({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let old = Config(&old).rope(64, None, 5e5).expect("old spelling");
        assert_eq!(old, Config(&new).rope(64, None, 1e4).expect("new spelling"));
        assert!(matches!(old.scaling, RopeScaling::Llama3 { original: 8192.0, .. }));
        let yarn = json!({"rope_scaling": {"type": "yarn", "factor": 2.0}});
        assert!(Config(&yarn).rope(64, None, 1e4).is_err());
    }

    #[test]
    fn wrong_fields_are_named() {
        let config = json!({"hidden_size": -3, "hidden_act": "relu", "layer_types": ["full_attention"]});
        let config = Config(&config);
        assert!(config.size("hidden_size").unwrap_err().to_string().contains("hidden_size"));
        assert!(config.size("vocab_size").unwrap_err().to_string().contains("vocab_size"));
        assert!(config.expect_text("hidden_act", &["silu"]).is_err());
        assert!(config.sliding_layers(2, |_| false).is_err());
    }

    #[test]
    fn sizes_and_numbers_have_bounds() {
        for (key, value) in [
            ("num_hidden_layers", json!(2_147_483_647)),
            ("n_layer", json!(4097)),
            ("hidden_size", json!(1_u64 << 40)),
            ("vocab_size", json!(-1)),
            ("intermediate_size", json!(2.5)),
            ("num_attention_heads", json!(0)),
            ("head_dim", json!(1e308)),
            ("head_dim", json!("64")),
            ("max_position_embeddings", json!([1])),
            ("anything_else", json!(u64::MAX)),
        ] {
            let config = json!({key: value});
            let said = Config(&config).size(key).map_err(|error| error.to_string());
            assert!(said.as_ref().is_err_and(|said| said.contains(key) && said.contains("from 1 to")), "{said:?}");
        }
        for (key, value) in [("rms_norm_eps", -1e-6), ("rope_theta", 0.0), ("rope_theta", 1e308), ("other", -1e308)] {
            let config = json!({key: value});
            assert!(Config(&config).number(key).is_err_and(|error| error.to_string().contains(key)));
        }
        let config = json!({"rope_scaling": {"rope_type": "linear", "factor": 0.0}});
        assert!(Config(&config).rope(64, None, 1e4).is_err());
        let config = json!({"num_hidden_layers": 4096, "rms_norm_eps": 0.0});
        assert_eq!(Config(&config).size("num_hidden_layers").ok(), Some(4096));
        assert_eq!(Config(&config).number("rms_norm_eps").ok(), Some(Some(0.0)));
    }
}
