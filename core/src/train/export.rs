//! The trained model as the files of a Hugging Face folder.

use super::Plan;
use crate::error::{Error, Result};
use crate::model::Parameters;
use half::f16;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// File names and contents: config.json, tokenizer.json, tokenizer_config.json, model.safetensors (f16).
pub(super) async fn folder(plan: &Plan, parameters: &Parameters) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let failed = |error: safetensors::SafeTensorError| Error::io(format!("cannot write safetensors: {error}"));
    let mut tensors = BTreeMap::new();
    for (name, parameter) in parameters.all() {
        let values = parameter.values.values().await?;
        if let Some(value) = values.iter().find(|value| !f16::from_f32(**value).is_finite()) {
            return Err(Error::numeric(format!("`{name}` holds {value}, which f16 cannot"))
                .hint("lower `learning_rate` or raise `weight_decay` in the recipe"));
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        tensors.insert(name, (parameter.shape, bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| Ok((name.as_str(), TensorView::new(Dtype::F16, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(failed)?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let weights = safetensors::serialize(views, Some(metadata)).map_err(failed)?;

    let mut config = plan.recipe.config.clone();
    let family = config["model_type"].as_str().and_then(crate::model::family);
    let class = family.expect("a model that was trained has a family").architecture;
    if let Some(config) = config.as_object_mut() {
        config.insert("architectures".into(), json!([class]));
        config.insert("dtype".into(), json!("float16"));
        for token in ["bos_token_id", "eos_token_id", "pad_token_id"] {
            config.entry(token).or_insert(json!(0));
        }
    }
    Ok(vec![
        ("config.json", format!("{config:#}\n").into_bytes()),
        ("tokenizer.json", plan.tokenizer_json.clone().into_bytes()),
        ("tokenizer_config.json", plan.tokenizer_config.clone().into_bytes()),
        ("model.safetensors", weights),
    ])
}
