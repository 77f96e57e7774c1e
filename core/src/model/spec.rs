//! A configuration as it is understood: everything in it that decides the numbers, with the family's own defaults.

use super::config::Config;
use super::{Heads, MAX_POSITIONS, Shape, family, unsupported};
use crate::error::{Error, Result};
use crate::rope::RopeSpec;
use crate::tensor::activation::Activation;
use serde_json::Value;
use std::fmt::Write as _;

/// What a family makes of its `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// `model_type`.
    pub family: &'static str,
    /// Sizes; prompts no longer than position tables are built for.
    pub shape: Shape,
    /// Longest prompt in tokens by the configuration itself.
    pub longest: usize,
    /// Attention of each layer.
    pub heads: Vec<Heads>,
    /// Rotary embeddings by the kinds of layers that have them: full attention, then sliding windows. One for all where
    /// the family does not tell them apart, none where positions are learned.
    pub ropes: Vec<RopeSpec>,
    /// What the norms are.
    pub norm: NormKind,
    /// ε of the norms.
    pub eps: f64,
    /// Nonlinearity of the MLP.
    pub act: Activation,
    /// The MLP has a gate beside its up projection.
    pub gated: bool,
    /// Which linear maps add a bias.
    pub biases: Biases,
    /// Factor on the token embeddings.
    pub embed_scale: Option<f64>,
    /// Soft-cap on the logits.
    pub logit_cap: Option<f64>,
    /// The head is the embedding. Where the files have a head of their own all the same, it is that one, as in transformers 5
    /// ([`super::own_head`]).
    pub tied: bool,
}

/// Norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// RMSNorm with weight w.
    Rms,
    /// RMSNorm with weight 1 + w (Gemma).
    RmsPlusOne,
    /// LayerNorm.
    Layer,
}

/// Linear maps with a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// Attention's output.
    pub o: bool,
    /// The MLP.
    pub mlp: bool,
    /// The head.
    pub head: bool,
}

impl Spec {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// Naming the key: a family that is not supported, a value that cannot be, or one that asks for a computation that
    /// is not built here.
    pub fn read(config: &Value) -> Result<Self> {
        let top = Config(config);
        quantised(top)?;
        let name = top.model_type()?;
        let family = family(name).ok_or_else(|| unsupported(name))?;
        (family.spec)(top)
    }

    /// Longest prompt for which tables are built, where the configuration allows `longest` tokens.
    pub(super) fn positions(longest: usize, ropes: &[RopeSpec]) -> usize {
        let by_rope = ropes.iter().filter_map(|rope| rope.longest).min().unwrap_or(longest);
        longest.min(by_rope).min(MAX_POSITIONS)
    }

    /// Lines for a person who holds them against config.json: a name, and what it is.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let (shape, heads) = (&self.shape, &self.heads[0]);
        let norm = match self.norm {
            NormKind::Rms => "RMSNorm",
            NormKind::RmsPlusOne => "RMSNorm with weights 1 + w",
            NormKind::Layer => "LayerNorm",
        };
        let act = match self.act {
            Activation::Silu => "SiLU",
            Activation::GeluTanh => "GELU (tanh)",
        };
        let act = format!("{act}{}", if self.gated { ", gated" } else { "" });
        let with = [
            (self.biases.qkv, "queries, keys, values"),
            (self.biases.o, "attention's output"),
            (self.biases.mlp, "MLP"),
            (self.biases.head, "head"),
        ];
        let with: Vec<&str> = with.iter().filter(|(there, _)| *there).map(|(_, name)| *name).collect();
        let mut lines = vec![
            ("family", self.family.to_owned()),
            ("layers", format!("{}, width {}, MLP width {}", shape.layers, shape.width, shape.ff)),
            ("vocabulary", format!("{} tokens", shape.vocab)),
            ("heads", format!("{} of {} dimensions, {} for keys and values", heads.count, heads.dim, heads.kv)),
            ("scores", {
                let cap = heads.soft_cap.map_or_else(String::new, |cap| format!(", soft-capped at {cap}"));
                let squared = (1e4 / f64::from(heads.scale).powi(2)).round() / 1e4;
                format!("times {:.6} (1 / √{squared}){cap}", heads.scale)
            }),
            ("windows", self.windows()),
        ];
        match self.ropes.as_slice() {
            [] => lines.push(("positions", format!("learned, {} of them", self.longest))),
            [one] => lines.push(("RoPE", self.rope(one))),
            [full, sliding, ..] => {
                lines.push(("RoPE, full layers", self.rope(full)));
                lines.push(("RoPE, sliding layers", self.rope(sliding)));
            }
        }
        lines.extend([
            ("norms", format!("{norm}, ε = {}", self.eps)),
            ("MLP", if shape.parallel { format!("{act}; reads the same input as attention") } else { act }),
            ("biases", if with.is_empty() { "none".to_owned() } else { with.join(", ") }),
        ]);
        if let Some(scale) = self.embed_scale {
            lines.push(("embeddings", format!("times {scale:.4} (√width)")));
        }
        if let Some(cap) = self.logit_cap {
            lines.push(("logits", format!("soft-capped at {cap}")));
        }
        let longest = match (self.longest, shape.positions) {
            (all, here) if all == here => format!("{all} tokens"),
            (all, here) => format!("{here} tokens here, {all} by config.json"),
        };
        lines.push(("longest prompt", longest));
        lines
    }

    fn rope(&self, rope: &RopeSpec) -> String {
        let whole = self.heads[0].dim;
        match rope.dims == whole {
            true => rope.to_string(),
            false => format!("{rope}, on {} of {whole} dimensions", rope.dims),
        }
    }

    /// Which layers slide, as ranges of layers from 1.
    fn windows(&self) -> String {
        let mut runs: Vec<(Option<usize>, usize, usize)> = Vec::new();
        for (layer, heads) in (1..).zip(&self.heads) {
            match runs.last_mut() {
                Some((window, _, last)) if *window == heads.window => *last = layer,
                _ => runs.push((heads.window, layer, layer)),
            }
        }
        if let [(window, ..)] = runs.as_slice() {
            return window.map_or_else(|| "none".into(), |window| format!("{window} tokens in every layer"));
        }
        let mut kinds: Vec<(Option<usize>, String)> = Vec::new();
        for (window, first, last) in runs {
            let at = kinds.iter().position(|(kind, _)| *kind == window).unwrap_or_else(|| {
                kinds.push((window, String::new()));
                kinds.len() - 1
            });
            let text = &mut kinds[at].1;
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = match first == last {
                true => write!(text, "{comma}{first}"),
                false => write!(text, "{comma}{first}-{last}"),
            };
        }
        let one = |(window, layers): &(Option<usize>, String)| match window {
            Some(window) => format!("{window} tokens in layers {layers}"),
            None => format!("none in layers {layers}"),
        };
        kinds.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

/// Names of quantisation methods as people know them, by `quant_method`.
const METHODS: [(&str, &str); 12] = [
    ("fp8", "FP8"),
    ("fbgemm_fp8", "FP8 (FBGEMM)"),
    ("gptq", "GPTQ"),
    ("awq", "AWQ"),
    ("bitsandbytes", "bitsandbytes"),
    ("compressed-tensors", "compressed-tensors"),
    ("mxfp4", "MXFP4"),
    ("quanto", "quanto"),
    ("hqq", "HQQ"),
    ("aqlm", "AQLM"),
    ("torchao", "torchao"),
    ("eetq", "EETQ"),
];

/// Refuses a checkpoint whose weights are quantised in a way that only its own kernels read.
fn quantised(config: Config<'_>) -> Result<()> {
    let text = config.0.get("text_config").map(Config);
    let find = |key: &str| config.value(key).or_else(|| text.and_then(|text| text.value(key)));
    // MLX writes `quantization`.
    let Some(found) = find("quantization_config").or_else(|| find("quantization")) else { return Ok(()) };
    let bits = |key: &str| found.get(key).and_then(Value::as_bool) == Some(true);
    let method = match found.get("quant_method").and_then(Value::as_str) {
        Some(method) => {
            let known = METHODS.iter().find(|(name, _)| *name == method);
            known.map_or_else(|| crate::text::told(method), |(_, name)| (*name).to_owned())
        }
        None if bits("load_in_4bit") || bits("load_in_8bit") => "bitsandbytes".to_owned(),
        None if found.get("group_size").is_some() => "MLX".to_owned(),
        None => "an unnamed method".to_owned(),
    };
    Err(Error::input(format!("the weights are quantised with {method}, which is not read here")).hint(
        "load the model that it was made from (its page on the hub names it as the base model), or a .gguf file of it",
    ))
}
