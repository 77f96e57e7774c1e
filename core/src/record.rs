//! The record of a study: settings, identities and **raw** probabilities. Every index on a screen is recomputed from
//! these by [`crate::metrics`]. Layers are numbered `1..=L` for people; a per-layer vector holds layer `l` at `l - 1`.

mod edit_layers;
mod edit_method;
mod edit_record;
mod edit_settings;
mod edit_written;
mod editors;
mod limits;
pub(crate) mod outcome;
pub(crate) mod read;
mod retrace;
#[cfg(not(target_family = "wasm"))]
mod schema;
mod sequence;
mod settings;

pub use edit_layers::EditLayers;
pub use edit_method::EditMethod;
pub use edit_record::{Answers, EditRecord, Generation, ImpliedAnswer, Search, Shift, Unrelated};
pub use edit_settings::{EditSettings, SecondMomentSettings};
pub use editors::{AlphaEdit, EditKey, FineTuning, Lora, Memit, Rome, SearchStart, Spsa, UltraEdit, ValueSearch};
pub use outcome::{Dropped, NotValidated, Outcome, Reason};
pub use retrace::{Retrace, Retraced};
#[cfg(not(target_family = "wasm"))]
pub use schema::schema;
pub use sequence::{Checkpoint, Sequence, SequenceEdit, SequenceStep};
pub use settings::{Answer, Corruption, Settings};

use read::{MOST_LAYERS, MOST_TOKENS};
use sequence::MOST_SEQUENCES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The record format that this program writes.
pub const VERSION: u32 = 1;

/// One study of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Record {
    /// Format version, see [`VERSION`].
    pub engram: u32,
    /// Program version that wrote the record.
    pub program: String,
    /// Everything that decides the numbers.
    pub settings: Settings,
    /// Which model.
    pub model: ModelInfo,
    /// Where it ran.
    pub device: DeviceInfo,
    /// Which facts were asked for.
    pub source: FactSource,
    /// Facts in study order, excluded ones too, each with its reason.
    pub facts: Vec<FactRecord>,
    /// Stage 3, when it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<Vec<EditRecord>>,
    /// Where Stage 3 edits facts one after the other: a sequence for each method and layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_SEQUENCES>")]
    pub sequences: Vec<Sequence>,
    /// Of a record that was merged from shards: who computed what. Nothing else in it tells that it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_RUNS>")]
    pub runs: Vec<ShardRun>,
}

/// Most runs of a record: a hundred thousand shards, each of which was started some times.
const MOST_RUNS: usize = 1_000_000;

/// What one process has computed of a record that was merged from shards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct ShardRun {
    /// Which shard: `K/N`.
    pub shard: String,
    /// Name of the machine.
    pub host: String,
    /// What it computed with.
    pub device: DeviceInfo,
    /// Program version.
    pub program: String,
    /// Units of work.
    pub units: usize,
    /// Seconds that they took.
    pub seconds: f64,
}

/// Which position is patched (METHODS, Stage 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PatchPosition {
    /// Clean subject-last into corrupted subject-last.
    SubjectLast,
    /// Clean last token into corrupted last token.
    LastToken,
    /// Clean subject-last into the corrupted run's same index.
    SameIndex,
}

impl PatchPosition {
    /// The name used in records, flags and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::SubjectLast => "subject-last",
            Self::LastToken => "last-token",
            Self::SameIndex => "same-index",
        }
    }
}

/// Identity of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct ModelInfo {
    /// Name for people: Hub id, folder or file name.
    pub name: String,
    /// `model_type` of its config.
    pub family: String,
    /// Blocks.
    pub layers: usize,
    /// Residual width d.
    pub width: usize,
    /// Parameters, counted from the weights (a tied head counts once).
    pub parameters: u64,
    /// Dtype of the stored weights, for example `bf16` or `q4_1`.
    pub dtype: String,
    /// SHA-256 of the config.
    pub config_sha256: String,
    /// SHA-256 of the weights (of the files' digests in name order when sharded).
    pub weights_sha256: String,
    /// SHA-256 of tokenizer.json.
    pub tokenizer_sha256: String,
}

/// Where a study ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct DeviceInfo {
    /// `gpu` or `cpu`.
    pub kind: String,
    /// Adapter or backend name.
    pub name: String,
    /// Graphics API, or `native` on the CPU; records of earlier programs say `flex` there.
    pub backend: String,
    /// What matrices are held in; records of earlier programs do not say it, and f32 was all that there was.
    #[serde(default)]
    pub precision: Precision,
}

impl DeviceInfo {
    /// In a line for people.
    pub fn told(&self) -> String {
        format!("{} ({}, {}, {})", self.kind, self.name, self.backend, self.precision.name())
    }
}

/// What a model's matrices are held in on the device. Products accumulate in f32, and everything that is no matrix is f32
/// in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 5 of them the exponent; what a matrix is multiplied with is rounded to them too.
    F16,
}

impl Precision {
    /// Its name in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Where the facts came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct FactSource {
    /// File name.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Facts in it.
    pub count: usize,
}

/// One fact of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema), schemars(!try_from))]
#[serde(try_from = "read::Flat")]
pub struct FactRecord {
    /// Place in the shuffled order.
    pub order: usize,
    /// Id in the source file.
    pub id: String,
    /// Wikidata relation, `P36` and so on; empty when unknown.
    pub relation: String,
    /// Prompt with the subject filled in.
    pub prompt: String,
    /// Subject.
    pub subject: String,
    /// True answer.
    pub target_true: String,
    /// Counterfactual answer.
    pub target_new: String,
    /// Tokens of both answers where the model gave them itself, see [`crate::facts::Fact::answer_ids`].
    #[serde(skip_serializing_if = "no_ids")]
    pub answer_ids: [Vec<u32>; 2],
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Raw values of a traced fact. Per-layer vectors have L entries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Traced {
    /// Clean prompt's tokens as text, special tokens included.
    #[serde(deserialize_with = "read::list::<_, _, MOST_TOKENS>")]
    pub tokens: Vec<String>,
    /// Subject span `[b, e)` in the clean prompt.
    pub subject_span: [usize; 2],
    /// Corrupted prompt's tokens as text.
    #[serde(deserialize_with = "read::list::<_, _, MOST_TOKENS>")]
    pub corrupt_tokens: Vec<String>,
    /// Subject span `[b', e')` in the corrupted prompt.
    pub corrupt_span: [usize; 2],
    /// `p(true)` on the clean prompt.
    pub p_clean: f32,
    /// `p(true)` on the corrupted prompt.
    pub p_corrupt: f32,
    /// `p(false)` on the clean prompt.
    pub p_false: f32,
    /// `p_patch(l)` per patch position: corrupted run, clean residual after block `l` at that position.
    #[serde(deserialize_with = "read::curves")]
    pub patched: BTreeMap<PatchPosition, Vec<f32>>,
    /// Clean prompt, block `l` the identity.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub without_block: Vec<f32>,
    /// Clean prompt, attention contribution of block `l` zero.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub without_attention: Vec<f32>,
    /// Clean prompt, MLP contribution of block `l` zero.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub without_mlp: Vec<f32>,
    /// Second pass (eq. 3) per patch position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redundancy: BTreeMap<PatchPosition, RedundancyCurve>,
    /// `p_patch` per patch position with clean MLP outputs put back in a window of layers around each, as in
    /// [`Maps::mlp`]; for facts that are edited at several layers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "read::curves")]
    pub patched_mlp: BTreeMap<PatchPosition, Vec<f32>>,
    /// Token × layer maps, for the facts that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maps: Option<Maps>,
    /// Logit lens, for the facts that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<Lens>,
    /// Single heads or neurons, for the facts of which these were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub units: Vec<UnitEffects>,
}

/// What is patched one at a time within a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// An attention head: its columns of `o_proj`'s input.
    Head,
    /// A neuron: a column of `down_proj`'s input.
    Neuron,
}

impl Unit {
    /// As in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Neuron => "neuron",
        }
    }
}

/// `p(true)` with one unit's clean output put back into the corrupted run, for every layer and some units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct UnitEffects {
    /// What the units are.
    pub unit: Unit,
    /// Where it is put back.
    pub position: PatchPosition,
    /// Number of the first unit, from 0.
    pub first: usize,
    /// `[layer][unit]`.
    #[serde(deserialize_with = "read::layers")]
    pub patched: Vec<Vec<f32>>,
}

/// Logit lens (nostalgebraist 2020): the final norm and the head on the clean prompt's residual stream after each block,
/// at the last token. Per-layer vectors have L entries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Lens {
    /// Probability of the true answer's first token.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub p_true: Vec<f32>,
    /// Probability of the counterfactual answer's first token.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub p_false: Vec<f32>,
    /// Rank of the true answer's first token, from 1.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub rank_true: Vec<u32>,
    /// Rank of the counterfactual answer's first token.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub rank_false: Vec<u32>,
    /// The most probable token, as text.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub top: Vec<String>,
}

/// `p_{ablated+patch(l)}`: corrupted prompt, block `ablated` removed, clean residual patched after block `l`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct RedundancyCurve {
    /// The removed block `l*`, `1..=L`.
    pub ablated: usize,
    /// Per layer; the entry of `ablated` itself is `None`.
    #[serde(deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    pub patched: Vec<Option<f32>>,
}

/// Token × layer maps of `p_patch`, `[position][layer]` over the corrupted prompt's positions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Maps {
    /// Window in layers of `mlp` and `attention`.
    pub window: usize,
    /// Residual stream after the block.
    #[serde(deserialize_with = "read::rows")]
    pub residual: Vec<Vec<f32>>,
    /// MLP contributions.
    #[serde(deserialize_with = "read::rows")]
    pub mlp: Vec<Vec<f32>>,
    /// Attention contributions.
    #[serde(deserialize_with = "read::rows")]
    pub attention: Vec<Vec<f32>>,
}

/// A count that is not written.
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// No answer was given in tokens.
pub(crate) fn no_ids(ids: &[Vec<u32>; 2]) -> bool {
    ids.iter().all(Vec::is_empty)
}

impl FactRecord {
    /// Raw values, when the fact was traced.
    pub fn traced(&self) -> Option<&Traced> {
        match &self.outcome {
            Outcome::Validated(traced) => Some(traced),
            Outcome::NotValidated(fact) => Some(&fact.traced),
            Outcome::Dropped(_) => None,
        }
    }

    /// [`FactRecord::traced`], to fill in.
    pub fn traced_mut(&mut self) -> Option<&mut Traced> {
        match &mut self.outcome {
            Outcome::Validated(traced) => Some(traced),
            Outcome::NotValidated(fact) => Some(&mut fact.traced),
            Outcome::Dropped(_) => None,
        }
    }

    /// Raw values, when the fact passed both filters.
    pub fn validated(&self) -> Option<&Traced> {
        match &self.outcome {
            Outcome::Validated(traced) => Some(traced),
            Outcome::NotValidated(_) | Outcome::Dropped(_) => None,
        }
    }
}

impl Record {
    /// The validated facts with their raw values, in study order.
    pub fn validated(&self) -> impl Iterator<Item = (&FactRecord, &Traced)> {
        self.facts.iter().filter_map(|fact| fact.validated().map(|traced| (fact, traced)))
    }

    /// All facts that have raw values: beside the validated ones that of a single question which a filter would drop.
    pub fn traced(&self) -> impl Iterator<Item = (&FactRecord, &Traced)> {
        self.facts.iter().filter_map(|fact| fact.traced().map(|traced| (fact, traced)))
    }

    /// Lets go of what sequences changed: what a study that goes on needs, and nobody else.
    pub fn forget_changes(&mut self) {
        self.sequences.iter_mut().flat_map(|sequence| &mut sequence.steps).for_each(SequenceStep::forget);
    }

    /// Facts were edited: each from the unedited model, or one after the other.
    pub fn has_edits(&self) -> bool {
        self.edits.is_some() || !self.sequences.is_empty()
    }

    /// A single question, not a study: it is traced whatever the filters say.
    pub fn is_question(&self) -> bool {
        self.source.sha256.is_empty()
    }
}
