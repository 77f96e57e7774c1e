//! From a checkpoint's tensors to a family's layers: shapes checked, names accounted for, one tensor in memory at a time.

use super::blocks::{Linear, Norm, Table, Weight};
use super::rope::Rope;
use super::rope_spec::RopeSpec;
use crate::error::{Error, Result};
use crate::names;
use crate::weights::{Checkpoint, TensorInfo};
use burn::tensor::{Device, Tensor, TensorData};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// Where tensors come from.
enum Origin<'a> {
    Files(&'a Checkpoint),
    /// Nowhere: names and shapes are held against the files, where there are some, and counted.
    Nowhere(Option<&'a Checkpoint>, &'a Tally),
    #[cfg(feature = "train")]
    Training(&'a super::Parameters),
}

/// What a model would take.
#[derive(Default)]
pub(super) struct Tally {
    /// Bytes of all tensors and position tables, as f32.
    pub(super) bytes: Cell<u64>,
    /// Bytes of the largest tensor.
    pub(super) largest: Cell<u64>,
}

impl Tally {
    fn add(&self, shape: &[usize]) {
        let bytes = shape.iter().fold(4u64, |bytes, &n| bytes.saturating_mul(n as u64));
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.largest.set(self.largest.get().max(bytes));
    }
}

/// Reads a checkpoint's tensors onto a device and remembers which ones were used.
pub struct Loader<'a> {
    origin: Origin<'a>,
    device: &'a Device,
    /// Rows of a table that one buffer may hold.
    binding_bytes: usize,
    used: RefCell<BTreeSet<String>>,
    progress: &'a dyn Fn(usize, usize),
}

impl<'a> Loader<'a> {
    /// A loader. `binding_bytes` is the largest buffer that the device binds; `progress(done, all)` counts tensors.
    pub fn new(
        checkpoint: &'a Checkpoint,
        device: &'a Device,
        binding_bytes: usize,
        progress: &'a dyn Fn(usize, usize),
    ) -> Self {
        Self { origin: Origin::Files(checkpoint), device, binding_bytes, used: RefCell::default(), progress }
    }

    /// A loader that hands out the parameters of a model in training.
    #[cfg(feature = "train")]
    pub fn training(parameters: &'a super::Parameters, device: &'a Device) -> Self {
        let progress = &|_, _| {};
        let origin = Origin::Training(parameters);
        Self { origin, device, binding_bytes: usize::MAX, used: RefCell::default(), progress }
    }

    /// A loader that loads nothing: every tensor is one number, whatever shape was asked for.
    pub(super) fn nowhere(
        checkpoint: Option<&'a Checkpoint>,
        tally: &'a Tally,
        device: &'a Device,
        progress: &'a dyn Fn(usize, usize),
    ) -> Self {
        let origin = Origin::Nowhere(checkpoint, tally);
        Self { origin, device, binding_bytes: usize::MAX, used: RefCell::default(), progress }
    }

    /// The checkpoint; a model in training has none.
    fn files(&self) -> Option<&'a Checkpoint> {
        match self.origin {
            Origin::Files(checkpoint) => Some(checkpoint),
            Origin::Nowhere(checkpoint, _) => checkpoint,
            #[cfg(feature = "train")]
            Origin::Training(_) => None,
        }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        self.device
    }

    /// Is there a tensor of this name?
    pub fn has(&self, name: &str) -> bool {
        self.files().is_some_and(|checkpoint| checkpoint.has(name))
    }

    /// The first of these names that the checkpoint has; prefixes differ between exports of the same family.
    pub fn prefix(&self, candidates: &[&str], probe: &str) -> String {
        let found = candidates.iter().find(|prefix| self.has(&format!("{prefix}{probe}")));
        (*found.unwrap_or(&candidates[0])).to_string()
    }

    /// The file's own tensor of this name and shape.
    fn stored(checkpoint: &'a Checkpoint, name: &str, shape: &[usize]) -> Result<&'a TensorInfo> {
        let info = checkpoint.tensors().get(name).ok_or_else(|| checkpoint.absent(name))?;
        match info.shape == shape {
            true => Ok(info),
            false => Err(Error::input(format!(
                "{}: tensor {} has shape {:?}, config.json asks for {shape:?}",
                info.file,
                names::tensor(name),
                info.shape
            ))
            .hint("config.json and the weights belong to different models")),
        }
    }

    async fn values(&self, checkpoint: &'a Checkpoint, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = Self::stored(checkpoint, name, shape)?;
        crate::pause::point().await?;
        let values = checkpoint.read_f32(name).await?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::numeric(format!(
                "{}: tensor {} holds {} at element {at}",
                info.file,
                names::tensor(name),
                values[at]
            ))
            .hint("the file is damaged; download it again"));
        }
        self.mark(checkpoint, name);
        Ok(values)
    }

    /// One number in place of a tensor that is looked at only.
    fn looked<const D: usize>(
        &self,
        (checkpoint, tally): (Option<&'a Checkpoint>, &Tally),
        name: &str,
        shape: &[usize],
    ) -> Result<Tensor<D>> {
        if let Some(checkpoint) = checkpoint {
            Self::stored(checkpoint, name, shape)?;
            self.mark(checkpoint, name);
        }
        tally.add(shape);
        Ok(Tensor::zeros([1; D], self.device))
    }

    fn mark(&self, checkpoint: &Checkpoint, name: &str) {
        let mut used = self.used.borrow_mut();
        used.insert(name.to_string());
        (self.progress)(used.len(), checkpoint.tensors().len());
    }

    /// A vector `[n]`.
    pub async fn vector(&self, name: &str, n: usize) -> Result<Tensor<1>> {
        self.vector_from(name, n, 0.0).await
    }

    /// A vector `[n]` that is `start` where a training begins.
    async fn vector_from(&self, name: &str, n: usize, start: f32) -> Result<Tensor<1>> {
        let _ = start;
        match self.origin {
            Origin::Files(checkpoint) => {
                let values = self.values(checkpoint, name, &[n]).await?;
                Ok(Tensor::from_data(TensorData::new(values, [n]), self.device))
            }
            Origin::Nowhere(checkpoint, tally) => self.looked((checkpoint, tally), name, &[n]),
            #[cfg(feature = "train")]
            Origin::Training(parameters) => parameters.vector(name, n, start),
        }
    }

    async fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor<2>> {
        match self.origin {
            Origin::Files(checkpoint) => {
                let values = self.values(checkpoint, name, &[rows, columns]).await?;
                settled(Tensor::from_data(TensorData::new(values, [rows, columns]), self.device)).await
            }
            Origin::Nowhere(checkpoint, tally) => self.looked((checkpoint, tally), name, &[rows, columns]),
            #[cfg(feature = "train")]
            Origin::Training(parameters) => parameters.matrix(name, rows, columns),
        }
    }

    /// A linear map stored `[out, in]` as `name.weight`, with `name.bias` where asked for.
    pub async fn linear(&self, name: &str, out: usize, input: usize, bias: bool) -> Result<Linear> {
        let weight = Weight::OutIn(self.matrix(&format!("{name}.weight"), out, input).await?);
        Ok(Linear { weight, bias: self.bias(name, out, bias).await? })
    }

    /// A linear map stored `[in, out]` (GPT-2's Conv1D).
    pub async fn conv1d(&self, name: &str, out: usize, input: usize) -> Result<Linear> {
        let weight = Weight::InOut(self.matrix(&format!("{name}.weight"), input, out).await?);
        Ok(Linear { weight, bias: self.bias(name, out, true).await? })
    }

    async fn bias(&self, name: &str, out: usize, wanted: bool) -> Result<Option<Tensor<1>>> {
        match wanted {
            true => Ok(Some(self.vector(&format!("{name}.bias"), out).await?)),
            false => Ok(None),
        }
    }

    /// RMSNorm; `plus_one` for Gemma's `(1 + w)`.
    pub async fn rms_norm(&self, name: &str, n: usize, eps: f64, plus_one: bool) -> Result<Norm> {
        let start = if plus_one { 0.0 } else { 1.0 };
        let weight = self.vector_from(&format!("{name}.weight"), n, start).await?;
        Ok(Norm::rms(if plus_one { weight + 1.0 } else { weight }, eps))
    }

    /// LayerNorm with bias.
    pub async fn layer_norm(&self, name: &str, n: usize, eps: f64) -> Result<Norm> {
        let weight = self.vector_from(&format!("{name}.weight"), n, 1.0).await?;
        let bias = self.vector(&format!("{name}.bias"), n).await?;
        Ok(Norm::layer(weight, bias, eps))
    }

    /// A vocabulary table `[vocab, d]`, split by rows where one buffer cannot hold it.
    pub async fn table(&self, name: &str, vocab: usize, d: usize) -> Result<Table> {
        let per_shard = (self.binding_bytes / (d * 4)).clamp(1, vocab);
        let checkpoint = match self.origin {
            Origin::Files(checkpoint) if per_shard < vocab => checkpoint,
            _ => return Ok(Table::new(vec![self.matrix(name, vocab, d).await?], d)),
        };
        Self::stored(checkpoint, name, &[vocab, d])?;
        let mut shards = Vec::new();
        for start in (0..vocab).step_by(per_shard) {
            let rows = start..(start + per_shard).min(vocab);
            let n = rows.len();
            crate::pause::point().await?;
            let values = checkpoint.read_rows_f32(name, rows).await?;
            shards.push(settled(Tensor::from_data(TensorData::new(values, [n, d]), self.device)).await?);
        }
        self.mark(checkpoint, name);
        Ok(Table::new(shards, d))
    }

    /// The token embedding `name`. Of a tied pair a file may hold the `head` only.
    pub async fn embedding(&self, tied: bool, name: &str, head: &str, vocab: usize, d: usize) -> Result<Table> {
        let only_head = tied && !self.has(name) && self.has(head);
        self.table(if only_head { head } else { name }, vocab, d).await
    }

    /// The output head `name`, or `None` where it is the embedding, which files may hold twice.
    pub async fn head(&self, tied: bool, name: &str, vocab: usize, d: usize) -> Result<Option<Table>> {
        if !tied {
            return Ok(Some(self.table(name, vocab, d).await?));
        }
        if let Some(checkpoint) = self.files().filter(|checkpoint| checkpoint.has(name)) {
            self.mark(checkpoint, name);
        }
        Ok(None)
    }

    /// Cosines and sines for positions `0..positions`.
    pub fn rope(&self, spec: &RopeSpec, positions: usize) -> Result<Rope> {
        if let Origin::Nowhere(_, tally) = self.origin {
            // Cosines and sines.
            tally.add(&[positions, spec.dims]);
            return Ok(Rope::new(spec, 1, self.device));
        }
        Ok(Rope::new(spec, positions, self.device))
    }

    /// Fails on tensors that no layer used, unless `ignorable` says that their kind carries no weights.
    pub fn finish(&self, ignorable: impl Fn(&str) -> bool) -> Result<()> {
        let Some(checkpoint) = self.files() else { return Ok(()) };
        let used = self.used.borrow();
        let surplus: Vec<_> =
            checkpoint.tensors().values().filter(|info| !used.contains(&info.name) && !ignorable(&info.name)).collect();
        let Some(first) = surplus.first() else { return Ok(()) };
        Err(Error::input(format!(
            "{}: tensor {} ({} in all) belongs to no layer of this model",
            first.file,
            names::tensor(&first.name),
            surplus.len()
        ))
        .hint("config.json describes a smaller or another model than the weights"))
    }
}

/// In a browser an upload keeps its bytes in the tab's small memory until the queue is looked at: reading one number of
/// a large tensor lets go of them.
async fn settled(tensor: Tensor<2>) -> Result<Tensor<2>> {
    if cfg!(target_family = "wasm") && tensor.shape().num_elements() > 1 << 18 {
        crate::run::heard(tensor.clone().slice([0..1, 0..1]).into_data_async()).await?;
    }
    Ok(tensor)
}
