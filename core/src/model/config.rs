//! Typed access to a model's own `config.json`, in the spellings of transformers 4 and 5.

use crate::bounds;
use crate::error::{Error, Result};
use serde_json::Value;

/// The kinds of layers in `layer_types`, and in `rope_parameters` of the families that have both.
pub(super) const FULL: &str = "full_attention";
/// The other kind.
pub(super) const SLIDING: &str = "sliding_attention";

/// A `config.json` (or the text part of a multimodal one).
#[derive(Clone, Copy)]
pub struct Config<'a>(pub &'a Value);

impl<'a> Config<'a> {
    /// `model_type`.
    pub fn model_type(&self) -> Result<&'a str> {
        self.0.get("model_type").and_then(Value::as_str).ok_or_else(|| {
            Error::input("config.json has no `model_type`")
                .hint("this is not a transformers model folder, or its config.json is damaged")
        })
    }

    /// What stands there, when it is not null.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
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

    /// A positive whole number within [`bounds`]; `absent` where the config leaves it out.
    pub fn size(&self, key: &str, absent: usize) -> Result<usize> {
        match self.0.get(key) {
            None => Ok(absent),
            Some(value) => Self::as_size(key, value),
        }
    }

    /// The same, where null is a value of its own.
    pub fn size_or_null(&self, key: &str, absent: Option<usize>) -> Result<Option<usize>> {
        match self.0.get(key) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(value) => Self::as_size(key, value).map(Some),
        }
    }

    fn as_size(key: &str, value: &Value) -> Result<usize> {
        match value.as_u64() {
            Some(n) if n > 0 && n <= bounds::most(key) as u64 => Ok(n as usize),
            _ => Err(Self::wrong(key, &format!("a whole number from 1 to {}", bounds::most(key)), value)),
        }
    }

    /// A number; `absent` where the config leaves it out.
    pub fn number(&self, key: &str, absent: f64) -> Result<f64> {
        match self.0.get(key) {
            None => Ok(absent),
            Some(value) => Self::as_number(key, value),
        }
    }

    /// The same, where null is a value of its own.
    pub fn number_or_null(&self, key: &str, absent: Option<f64>) -> Result<Option<f64>> {
        match self.0.get(key) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(value) => Self::as_number(key, value).map(Some),
        }
    }

    fn as_number(key: &str, value: &Value) -> Result<f64> {
        let (least, most) = bounds::range(key);
        match value.as_f64() {
            Some(n) if (least..=most).contains(&n) => Ok(n),
            _ => Err(Self::wrong(key, &format!("a number from {least:e} to {most:e}"), value)),
        }
    }

    /// Numbers of a list, when it is there.
    pub fn numbers(&self, key: &str, count: usize) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let (least, most) = bounds::range(key);
        let all = |list: &Vec<Value>| list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
        match value.as_array().and_then(all) {
            Some(all) if all.len() == count && all.iter().all(|n| (least..=most).contains(n)) => Ok(Some(all)),
            _ => Err(Self::wrong(key, &format!("a list of {count} numbers from {least:e} to {most:e}"), value)),
        }
    }

    /// A truth value; null is false.
    pub fn flag(&self, key: &str, absent: bool) -> Result<bool> {
        match self.0.get(key) {
            None => Ok(absent),
            Some(Value::Null) => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| Self::wrong(key, "true or false", value)),
        }
    }

    /// Fails where a switch is on that changes what the model computes, and that is not built here.
    pub fn refuse_flag(&self, key: &str, family: &str) -> Result<()> {
        match self.flag(key, false)? {
            false => Ok(()),
            true => Err(Error::input(format!("config.json: `{key}` is not supported for {family}"))
                .hint("the published models of the family do not use it")),
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
        if let Some(null @ Value::Null) = self.0.get(key) {
            return Err(Self::wrong(key, "a text", null));
        }
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
                    Some(SLIDING) => Some(true),
                    Some(FULL) => Some(false),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_fields_are_named() {
        let config = json!({"hidden_size": -3, "hidden_act": "relu", "layer_types": ["full_attention"]});
        let config = Config(&config);
        assert!(config.size("hidden_size", 1).unwrap_err().to_string().contains("hidden_size"));
        assert_eq!(config.size("vocab_size", 7).ok(), Some(7));
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
            let said = Config(&config).size(key, 1).map_err(|error| error.to_string());
            assert!(said.as_ref().is_err_and(|said| said.contains(key) && said.contains("from 1 to")), "{said:?}");
        }
        for (key, value) in [("rms_norm_eps", -1e-6), ("rope_theta", 0.0), ("rope_theta", 1e308), ("other", -1e308)] {
            let config = json!({key: value});
            assert!(Config(&config).number(key, 1.0).is_err_and(|error| error.to_string().contains(key)));
        }
        let config = json!({"num_hidden_layers": 4096, "rms_norm_eps": 0.0});
        assert_eq!(Config(&config).size("num_hidden_layers", 1).ok(), Some(4096));
        assert_eq!(Config(&config).number("rms_norm_eps", 1.0).ok(), Some(0.0));
    }

    #[test]
    fn null_is_not_absent() {
        let config = json!({"num_key_value_heads": null, "final_logit_softcapping": null, "mlp_bias": null});
        let config = Config(&config);
        assert_eq!(config.size_or_null("num_key_value_heads", Some(32)).ok(), Some(None));
        assert_eq!(config.size_or_null("num_attention_heads", Some(32)).ok(), Some(Some(32)));
        assert_eq!(config.number_or_null("final_logit_softcapping", Some(30.0)).ok(), Some(None));
        assert_eq!(config.number_or_null("attn_logit_softcapping", Some(50.0)).ok(), Some(Some(50.0)));
        assert!(config.size("num_key_value_heads", 32).is_err_and(|error| error.to_string().contains("null")));
        assert_eq!(config.flag("mlp_bias", true).ok(), Some(false));
    }
}
