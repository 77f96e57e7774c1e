//! Devices and models, as a page asks for them and hears of them.

use crate::error::Trouble;
use crate::record::{DeviceInfo, ModelInfo, Precision};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which device is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// A real GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU, even a software one.
    Gpu,
    /// One of several GPUs.
    GpuAt(GpuPlace),
    /// The CPU.
    Cpu,
}

/// Which of several GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuPlace {
    /// The one of this number, from 0, in the order of their PCI addresses.
    Number(usize),
    /// The one that a batch system has given to this process.
    Slot,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = |text: &str| match text {
            "slot" => Some(GpuPlace::Slot),
            number => number.parse().ok().map(GpuPlace::Number),
        };
        let numbered = || text.strip_prefix("gpu:").and_then(place).map(Self::GpuAt);
        match text {
            "auto" => Ok(Self::Auto),
            "gpu" => Ok(Self::Gpu),
            "cpu" => Ok(Self::Cpu),
            _ => numbered().ok_or_else(|| "it is none of auto, gpu, cpu, gpu:NUMBER, gpu:slot".into()),
        }
    }
}

/// A graphics adapter's identity and limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapter {
    /// Name.
    pub name: String,
    /// Graphics API.
    pub backend: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `Cpu` (software) and so on.
    pub kind: String,
    /// Driver and its version.
    pub driver: String,
    /// Its PCI address, such as `0000:3b:00.0`, where the driver tells it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pci: String,
    /// Largest storage buffer that a shader can bind, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Shaders may use f16.
    pub shader_f16: bool,
    /// Shaders may use subgroups.
    pub subgroups: bool,
}

/// The device that an engine uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// For records.
    pub info: DeviceInfo,
    /// Why this one, one line for people.
    pub why: String,
    /// The adapter, when it is a GPU.
    pub adapter: Option<Adapter>,
    /// Largest difference of the self-test to the CPU.
    pub self_test: f32,
    /// Why it is not the GPU, when it is the CPU that nobody asked for.
    pub trouble: Option<Trouble>,
    /// Matrix products per second, measured on this device, in GFLOP/s.
    pub gflops: f64,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum ModelRef {
    /// One that comes with the page.
    Bundled {
        /// Its name.
        name: String,
    },
    /// Files that were dropped or chosen; they travel beside the message.
    Files {
        /// A name for people: the folder's or the file's.
        name: String,
    },
    /// A Hugging Face id.
    Hub {
        /// `owner/name`.
        id: String,
        /// Branch, tag or commit; `main` when absent.
        #[serde(default)]
        revision: Option<String>,
        /// One GGUF file of the repository.
        #[serde(default)]
        file: Option<String>,
    },
    /// A .gguf file's address, or that of a folder with config.json, tokenizer.json and model.safetensors.
    Url {
        /// The address.
        url: String,
    },
    /// One that is kept in the browser.
    Cached {
        /// Its key.
        key: String,
    },
}

impl ModelRef {
    /// A name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Bundled { name } | Self::Files { name } => name,
            Self::Hub { id, .. } => id,
            Self::Url { url } => url,
            Self::Cached { key } => key,
        }
    }
}

/// Whether a model fits, before its weights are fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preflight {
    /// A name for people.
    pub name: String,
    /// `model_type` of its config.
    pub family: String,
    /// Blocks.
    pub layers: usize,
    /// Residual width.
    pub width: usize,
    /// Parameters, from the tensors' shapes.
    pub parameters: u64,
    /// How the weights are stored.
    pub dtype: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Of these, bytes that are still to be downloaded.
    pub download: u64,
    /// The licence that the hub names.
    pub licence: Option<String>,
    /// What its matrices will be held in.
    pub precision: Precision,
    /// Why in this, where nobody chose it and it is not f32.
    pub precision_why: Option<String>,
    /// Bytes that the weights take on the device, held in this.
    pub device_bytes: u64,
    /// Bytes of this tab's own memory that loading takes at its peak.
    pub heap_bytes: u64,
    /// Bytes that the browser may still store; unknown in some.
    pub storage_left: Option<u64>,
    /// It will be kept in the browser.
    pub kept: bool,
    /// Why it cannot run here; empty when it can.
    pub problems: Vec<String>,
    /// What is worth knowing first, for example that the server cannot resume.
    pub remarks: Vec<String>,
    /// Seconds that one forward pass of a ten-token prompt will take, estimated from the measured speed.
    pub seconds_per_pass: Option<f64>,
}

/// How far loading is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Bytes arrive and go to the device, tensor by tensor.
    Weights {
        /// Tensors on the device.
        tensors: usize,
        /// Of how many.
        of: usize,
        /// Bytes that came over the network or from disk, those of earlier attempts included.
        bytes: u64,
        /// Bytes of all files.
        all: u64,
        /// The file at hand.
        file: String,
    },
    /// A transfer broke off and is tried again.
    Retry {
        /// Which attempt, from 1.
        attempt: usize,
        /// What happened.
        why: String,
    },
    /// The files' digests are computed.
    Hashing {
        /// Bytes done.
        bytes: u64,
        /// Of how many.
        all: u64,
    },
}

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Where it came from.
    pub model: ModelRef,
    /// Identity.
    pub info: ModelInfo,
    /// What its matrices are held in.
    pub precision: Precision,
    /// Why in this, where nobody chose it and it is not f32.
    pub precision_why: Option<String>,
    /// Longest prompt in tokens.
    pub positions: usize,
    /// Entries of the vocabulary.
    pub vocabulary: usize,
    /// Seconds that loading took.
    pub seconds: f64,
    /// Bytes of this tab's own memory before loading, at the peak, and after; it never shrinks.
    pub heap: [u64; 3],
    /// The digests agree with those that the source names.
    pub verified: Option<bool>,
    /// How the files were understood: names and values, to hold against config.json.
    pub understood: Vec<(String, String)>,
    /// What a user should know of the files before believing a number.
    pub notes: Vec<String>,
}

/// A model that is kept in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cached {
    /// Its key.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// Where it came from.
    pub model: ModelRef,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes of all its files.
    pub all: u64,
    /// Its digests were checked against those that the source names.
    pub verified: Option<bool>,
    /// When it was last used, in milliseconds since 1970.
    pub used_ms: f64,
}
