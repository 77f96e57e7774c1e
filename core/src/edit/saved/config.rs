//! `adapter_config.json` of PEFT, as far as it decides what an adapter computes. A key that is not known to be harmless and
//! is set is named: a new option of PEFT must not be taken for none.

use super::Problems;
use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// Keys that change nothing of what a trained adapter computes, or that its tensors say anyway: which modules were chosen, how
/// it was trained.
const HARMLESS: [&str; 24] = [
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
    "velora_config",
];

/// Ways to begin that leave the model's own weights as they are.
const BEGINNINGS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// What decides an adapter's numbers beside its tensors.
#[derive(Debug, PartialEq)]
pub(super) struct LoraConfig {
    alpha: f64,
    /// By names of modules, of which the last parts may be enough.
    alphas: Vec<(String, f64)>,
    /// Scaled by `alpha / √r`.
    rooted: bool,
    /// The model that it is for.
    pub(super) base: Option<String>,
}

impl LoraConfig {
    /// Reads it; what cannot be applied goes to `problems`.
    ///
    /// # Errors
    /// When it is not JSON, or of no LoRA.
    pub(super) fn read(bytes: &[u8], problems: &mut Problems) -> Result<Self> {
        let damaged = |what: String| {
            Error::input(format!("adapter_config.json: {what}"))
                .hint("save the adapter again with PEFT's save_pretrained")
        };
        let config: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        match text("peft_type") {
            Some("LORA") => {}
            Some(other) => {
                return Err(Error::input(format!("the adapter is of kind {other}"))
                    .hint("LoRA adapters (peft_type LORA) can be applied"));
            }
            None => return Err(damaged("it has no `peft_type`".into())),
        }
        for (key, value) in config.iter().filter(|(key, value)| is_set(value) && !HARMLESS.contains(&key.as_str())) {
            match (key.as_str(), value) {
                ("alpha_pattern", Value::Object(_)) => {}
                ("bias", Value::String(bias)) if bias == "none" => {}
                ("init_lora_weights", Value::Bool(_)) => {}
                ("init_lora_weights", Value::String(how)) if BEGINNINGS.contains(&how.as_str()) => {}
                ("init_lora_weights", how) => {
                    problems.add(format!(
                        "init_lora_weights = {how}, which begins with a change of the model's own weights"
                    ));
                }
                ("use_dora", _) => problems.add("DoRA (use_dora), which is no low-rank change".into()),
                (_, value) => problems.add(format!("{key} = {}", short(value))),
            }
        }
        let alpha = config.get("lora_alpha").and_then(Value::as_f64).filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| damaged("it has no number `lora_alpha`".into()))?;
        let mut alphas = Vec::new();
        for (pattern, value) in config.get("alpha_pattern").and_then(Value::as_object).into_iter().flatten() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
            match value.as_f64().filter(|alpha| alpha.is_finite()) {
                Some(alpha) if pattern.trim_start_matches('^').chars().all(plain) => {
                    alphas.push((pattern.clone(), alpha));
                }
                _ => problems
                    .add(format!("alpha_pattern: {pattern:?} = {}, a pattern that is not followed", short(value))),
            }
        }
        let rooted = config.get("use_rslora").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { alpha, alphas, rooted, base: text("base_model_name_or_path").map(str::to_owned) })
    }

    /// What the product `B A` of a module is multiplied with; `None` where two patterns say different things.
    pub(super) fn scaling(&self, module: &str, rank: usize) -> Option<f64> {
        let matches = |pattern: &str| match pattern.strip_prefix('^') {
            Some(whole) => whole == module,
            None => module.strip_suffix(pattern).is_some_and(|before| before.is_empty() || before.ends_with('.')),
        };
        let mut found = self.alphas.iter().filter(|(pattern, _)| matches(pattern)).map(|(_, alpha)| *alpha);
        let alpha = found.next().unwrap_or(self.alpha);
        if found.any(|other| other != alpha) {
            return None;
        }
        let rank = rank as f64;
        Some(alpha / if self.rooted { rank.sqrt() } else { rank })
    }
}

/// Neither absent nor a way to say so.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// A value in a few words.
fn short(value: &Value) -> String {
    let text = value.to_string();
    crate::text::clipped(&text, 60).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(config: &Value) -> (LoraConfig, Vec<String>) {
        let mut problems = Problems::default();
        let found = LoraConfig::read(config.to_string().as_bytes(), &mut problems).expect("a configuration");
        (found, problems.0)
    }

    #[test]
    fn scalings_are_pefts() {
        let config = json!({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "alpha_pattern": {
            "down_proj": 2, "^model.layers.0.mlp.up_proj": 3, "layers.1.mlp.down_proj": 6}});
        let (found, problems) = read(&config);
        assert_eq!(problems, [""; 0]);
        assert_eq!(found.scaling("model.layers.0.self_attn.q_proj", 4), Some(2.0));
        assert_eq!(found.scaling("model.layers.0.mlp.down_proj", 4), Some(0.5));
        assert_eq!(found.scaling("model.layers.0.mlp.up_proj", 1), Some(3.0));
        assert_eq!(found.scaling("model.layers.1.mlp.up_proj", 1), Some(8.0), "the pattern names another layer");
        assert_eq!(found.scaling("model.layers.1.mlp.down_proj", 4), None, "two patterns");
        assert_eq!(found.scaling("model.layers.11.mlp.down_proj", 4), Some(0.5), "layer 11 is not layer 1");
        let rooted = json!({"peft_type": "LORA", "lora_alpha": 8, "use_rslora": true});
        assert_eq!(read(&rooted).0.scaling("m", 4), Some(4.0));
    }

    #[test]
    fn what_cannot_be_applied_is_named() {
        for (key, value, word) in [
            ("use_dora", json!(true), "DoRA"),
            ("modules_to_save", json!(["lm_head"]), "modules_to_save = [\"lm_head\"]"),
            ("bias", json!("all"), "bias = \"all\""),
            ("init_lora_weights", json!("pissa_niter_4"), "init_lora_weights"),
            ("lora_bias", json!(true), "lora_bias"),
            ("layer_replication", json!([[0, 2]]), "layer_replication"),
            ("trainable_token_indices", json!([1]), "trainable_token_indices"),
            ("an_option_of_tomorrow", json!(0.5), "an_option_of_tomorrow = 0.5"),
            ("alpha_pattern", json!({".*down": 3}), "alpha_pattern"),
        ] {
            let (_, problems) = read(&json!({"peft_type": "LORA", "lora_alpha": 1, key: value}));
            assert!(problems.len() == 1 && problems[0].contains(word), "{key}: {problems:?}");
            let (_, problems) = read(&json!({"peft_type": "LORA", "lora_alpha": 1, key: null}));
            assert_eq!(problems, [""; 0], "{key} is not set");
        }
    }

    #[test]
    fn other_adapters_are_refused() {
        let mut problems = Problems::default();
        let mut refused = |text: &str| {
            let error = LoraConfig::read(text.as_bytes(), &mut problems).expect_err("refused");
            assert!(error.next_step().is_some());
            error.message().to_owned()
        };
        assert!(refused(r#"{"peft_type": "IA3"}"#).contains("IA3"));
        assert!(refused("{").contains("adapter_config.json"));
        assert!(refused("[]").contains("adapter_config.json"));
        assert!(refused(r#"{"peft_type": "LORA"}"#).contains("lora_alpha"));
        assert!(refused("{}").contains("peft_type"));
    }
}
