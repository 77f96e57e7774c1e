//! From a checkpoint's tensors to a family's layers: shapes checked, names accounted for, one tensor in memory at a time.

mod maps;

use crate::error::{Error, Result};
use crate::memory::grow;
use crate::names;
use crate::record::Precision;
use crate::rope::RopeSpec;
use crate::tensor::Vector;
use crate::tensor::norm::Norm;
use crate::tensor::product::Panels;
use crate::tensor::rotate::Rope;
use crate::tensor::vocabulary::Vocabulary;
use crate::weights::{Checkpoint, Element, TensorInfo};
use burn::{Device, Tensor, TensorData};
use half::f16;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

/// Where tensors come from.
enum Origin<'a> {
    Files(&'a Checkpoint),
    /// Nowhere: names and shapes are held against the files, where there are some, and counted.
    Nowhere(Option<&'a Checkpoint>, &'a Tally),
    Drawn(&'a super::Parameters),
}

/// A matrix as it was stored.
enum Stored {
    /// On the host, still to be packed.
    Values(Vec<f32>),
    /// On a device.
    Tensor(Box<Tensor<2>>),
    /// It was looked at only.
    Nothing,
}

/// Rows of a table that are read and packed at a time.
const TABLE_ROWS: usize = 4096;

/// What a model would take.
#[derive(Default)]
pub(super) struct Tally {
    /// Bytes of all tensors and position tables, as f32.
    pub(super) bytes: Cell<u64>,
    /// Of these, bytes of matrices, which a device may hold in f16.
    pub(super) matrices: Cell<u64>,
    /// Bytes of the largest tensor.
    pub(super) largest: Cell<u64>,
    /// Bytes of the largest matrix that is no vocabulary table: those are split where they have to be.
    pub(super) whole: Cell<u64>,
}

/// What a tensor is to a device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// f32 in every precision.
    Plain,
    Matrix,
    /// A matrix that is split by rows where one buffer cannot hold it.
    Table,
}

impl Tally {
    fn add(&self, shape: &[usize], kind: Kind) {
        let bytes = shape.iter().fold(4u64, |bytes, &n| bytes.saturating_mul(n as u64));
        let sum = |count: &Cell<u64>| count.set(count.get().saturating_add(bytes));
        let most = |count: &Cell<u64>| count.set(count.get().max(bytes));
        sum(&self.bytes);
        most(&self.largest);
        if kind != Kind::Plain {
            sum(&self.matrices);
        }
        if kind == Kind::Matrix {
            most(&self.whole);
        }
    }
}

/// Reads a checkpoint's tensors to where they are computed with and remembers which ones were used.
pub struct Loader<'a> {
    origin: Origin<'a>,
    /// The host where there is none.
    device: Option<&'a Device>,
    /// What matrices are held in there.
    precision: Precision,
    /// Rows of a table that one buffer may hold.
    binding_bytes: usize,
    /// The weights will change: each map keeps a matrix of its own, as it was drawn.
    trains: bool,
    used: RefCell<BTreeSet<String>>,
    progress: &'a dyn Fn(usize, usize),
}

impl<'a> Loader<'a> {
    /// A loader. `binding_bytes` is the largest buffer that the device binds; `progress(done, all)` counts tensors.
    pub fn new(
        checkpoint: &'a Checkpoint,
        device: Option<&'a Device>,
        precision: Precision,
        binding_bytes: usize,
        progress: &'a dyn Fn(usize, usize),
    ) -> Self {
        let origin = Origin::Files(checkpoint);
        Self { origin, device, precision, binding_bytes, trains: false, used: RefCell::default(), progress }
    }

    /// A loader that hands out the parameters of a model in training, where these are.
    pub fn training(parameters: &'a super::Parameters) -> Self {
        Self { trains: true, ..Self::drawn(parameters, usize::MAX) }
    }

    /// The same for parameters that stay as they are.
    pub(crate) fn drawn(parameters: &'a super::Parameters, binding_bytes: usize) -> Self {
        Self {
            origin: Origin::Drawn(parameters),
            device: parameters.device(),
            precision: Precision::F32,
            binding_bytes,
            trains: false,
            used: RefCell::default(),
            progress: &|_, _| {},
        }
    }

    /// A loader that loads nothing: every tensor is empty, whatever shape was asked for.
    pub(super) fn nowhere(
        checkpoint: Option<&'a Checkpoint>,
        tally: &'a Tally,
        progress: &'a dyn Fn(usize, usize),
    ) -> Self {
        let origin = Origin::Nowhere(checkpoint, tally);
        let (precision, binding_bytes) = (Precision::F32, usize::MAX);
        Self { origin, device: None, precision, binding_bytes, trains: false, used: RefCell::default(), progress }
    }

    /// The checkpoint; a model in training has none.
    fn files(&self) -> Option<&'a Checkpoint> {
        match self.origin {
            Origin::Files(checkpoint) => Some(checkpoint),
            Origin::Nowhere(checkpoint, _) => checkpoint,
            Origin::Drawn(_) => None,
        }
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
        let mut values = Vec::new();
        self.append(checkpoint, name, shape, &mut values).await?;
        Ok(values)
    }

    /// Reads a tensor behind what is there.
    async fn append<T: Element>(
        &self,
        checkpoint: &'a Checkpoint,
        name: &str,
        shape: &[usize],
        out: &mut Vec<T>,
    ) -> Result<()> {
        let info = Self::stored(checkpoint, name, shape)?;
        crate::pause::point().await?;
        let first = out.len();
        checkpoint.append(name, out).await?;
        Self::check(checkpoint, info, &out[first..], 0).await?;
        self.mark(checkpoint, name);
        Ok(())
    }

    /// Refuses numbers that are none; `first` is where these begin in their tensor.
    async fn check<T: Element>(checkpoint: &Checkpoint, info: &TensorInfo, values: &[T], first: usize) -> Result<()> {
        let Some(at) = values.iter().position(|value| !value.wide().is_finite()) else { return Ok(()) };
        let (tensor, at) = (names::tensor(&info.name), first + at);
        // A number that f16 cannot hold may be a sound one.
        let stored = checkpoint.read_f32(&info.name).await?[at];
        Err(match stored.is_finite() {
            true => Error::numeric(format!(
                "{}: tensor {tensor} holds {stored} at element {at}, more than f16 can hold",
                info.file
            ))
            .hint("use --precision f32")
            .in_page("choose the precision f32"),
            false => Error::numeric(format!("{}: tensor {tensor} holds {stored} at element {at}", info.file))
                .hint("the file is damaged; download it again"),
        })
    }

    /// Holds a name and a shape against the files, and counts.
    fn looked(
        &self,
        (checkpoint, tally): (Option<&'a Checkpoint>, &Tally),
        name: &str,
        shape: &[usize],
        kind: Kind,
    ) -> Result<()> {
        if let Some(checkpoint) = checkpoint {
            Self::stored(checkpoint, name, shape)?;
            self.mark(checkpoint, name);
        }
        tally.add(shape, kind);
        Ok(())
    }

    fn mark(&self, checkpoint: &Checkpoint, name: &str) {
        let mut used = self.used.borrow_mut();
        used.insert(name.to_string());
        (self.progress)(used.len(), checkpoint.tensors().len());
    }

    /// A vector `[n]`.
    pub(crate) async fn vector(&self, name: &str, n: usize) -> Result<Vector> {
        self.vector_from(name, n, 0.0).await
    }

    /// A vector `[n]` that is `start` where a training begins.
    async fn vector_from(&self, name: &str, n: usize, start: f32) -> Result<Vector> {
        let _ = start;
        match self.origin {
            Origin::Files(checkpoint) => Ok(Vector::new(self.values(checkpoint, name, &[n]).await?, self.device)),
            Origin::Nowhere(checkpoint, tally) => {
                self.looked((checkpoint, tally), name, &[n], Kind::Plain)?;
                Ok(Vector::Host(Vec::new()))
            }
            Origin::Drawn(parameters) => parameters.vector(name, n, start),
        }
    }

    /// A matrix of files that stays on the host, one of a model in training, or none.
    async fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Stored> {
        match (&self.origin, self.device) {
            (Origin::Files(checkpoint), None) => {
                Ok(Stored::Values(self.values(checkpoint, name, &[rows, columns]).await?))
            }
            (Origin::Files(checkpoint), Some(device)) => {
                let x = self.put((checkpoint, device), &[(name, [rows, columns])]).await?;
                Ok(Stored::Tensor(Box::new(x)))
            }
            (Origin::Nowhere(checkpoint, tally), _) => {
                self.looked((*checkpoint, tally), name, &[rows, columns], Kind::Matrix)?;
                Ok(Stored::Nothing)
            }
            (Origin::Drawn(parameters), _) => Ok(match parameters.matrix(name, [rows, columns])? {
                Vector::Host(values) => Stored::Values(values),
                Vector::Device(x) => Stored::Tensor(Box::new(x.reshape([rows, columns]))),
            }),
        }
    }

    /// Tensors as wide as each other on a device, one behind the other in one matrix.
    async fn put(&self, to: (&'a Checkpoint, &Device), parts: &[(&str, [usize; 2])]) -> Result<Tensor<2>> {
        match self.precision {
            Precision::F32 => self.put_as::<f32>(to, parts).await,
            Precision::F16 => self.put_as::<f16>(to, parts).await,
        }
    }

    async fn put_as<T: Element + burn::Element>(
        &self,
        (checkpoint, device): (&'a Checkpoint, &Device),
        parts: &[(&str, [usize; 2])],
    ) -> Result<Tensor<2>> {
        let mut values = Vec::<T>::new();
        let all = parts.iter().map(|(_, [rows, columns])| rows * columns).sum();
        grow(&mut values, all, parts.first().map_or("", |(name, _)| name))?;
        for (name, shape) in parts {
            self.append(checkpoint, name, shape, &mut values).await?;
        }
        let rows = parts.iter().map(|(_, [rows, _])| rows).sum();
        let columns = parts.first().map_or(0, |(_, [_, columns])| *columns);
        upload(values, [rows, columns], device).await
    }

    /// Some rows of a table on a device.
    async fn put_rows<T: Element + burn::Element>(
        &self,
        (checkpoint, device): (&'a Checkpoint, &Device),
        info: &TensorInfo,
        rows: Range<usize>,
        columns: usize,
    ) -> Result<Tensor<2>> {
        let (first, count) = (rows.start * columns, rows.len());
        let values = checkpoint.read_rows::<T>(&info.name, rows).await?;
        Self::check(checkpoint, info, &values, first).await?;
        upload(values, [count, columns], device).await
    }

    /// RMSNorm; `plus_one` for Gemma's `(1 + w)`.
    pub(crate) async fn rms_norm(&self, name: &str, n: usize, eps: f64, plus_one: bool) -> Result<Norm> {
        let start = if plus_one { 0.0 } else { 1.0 };
        let tensor = format!("{name}.weight");
        let weight = match self.vector_from(&tensor, n, start).await? {
            weight if !plus_one => weight,
            Vector::Host(mut values) => {
                values.iter_mut().for_each(|x| *x += 1.0);
                Vector::Host(values)
            }
            Vector::Device(x) => Vector::Device(Box::new(*x + 1.0)),
        };
        Ok(Norm::rms(&tensor, weight, eps))
    }

    /// LayerNorm with bias.
    pub(crate) async fn layer_norm(&self, name: &str, n: usize, eps: f64) -> Result<Norm> {
        let tensor = format!("{name}.weight");
        let weight = self.vector_from(&tensor, n, 1.0).await?;
        let bias = self.vector(&format!("{name}.bias"), n).await?;
        Ok(Norm::layer(&tensor, weight, bias, eps))
    }

    /// A vocabulary table `[vocab, d]`, on a device split by rows where one buffer cannot hold it.
    pub(crate) async fn table(&self, name: &str, vocab: usize, d: usize) -> Result<Vocabulary> {
        if let Origin::Nowhere(checkpoint, tally) = self.origin {
            self.looked((checkpoint, tally), name, &[vocab, d], Kind::Table)?;
            return Ok(Vocabulary::on_host(name, Panels::default()));
        }
        let per_shard = match self.device {
            None => TABLE_ROWS,
            Some(_) => (self.binding_bytes / (d * self.precision.bytes())).clamp(1, vocab),
        };
        let checkpoint = match self.origin {
            Origin::Files(checkpoint) if per_shard < vocab => checkpoint,
            _ => {
                return Ok(match self.matrix(name, vocab, d).await? {
                    Stored::Nothing => Vocabulary::on_host(name, Panels::default()),
                    Stored::Values(values) => Vocabulary::on_host(name, Panels::from_out_in(&values, vocab, d)),
                    Stored::Tensor(x) => Vocabulary::on_device(name, vec![*x], d),
                });
            }
        };
        let info = Self::stored(checkpoint, name, &[vocab, d])?;
        let mut packed = Panels::default();
        if self.device.is_none() {
            packed = Panels::zeros(vocab, d);
        }
        let mut shards = Vec::new();
        for start in (0..vocab).step_by(per_shard) {
            let rows = start..(start + per_shard).min(vocab);
            crate::pause::point().await?;
            match (self.device, self.precision) {
                (None, _) => {
                    let values = checkpoint.read_rows_f32(name, rows).await?;
                    Self::check(checkpoint, info, &values, start * d).await?;
                    packed.fill(start, &values);
                }
                (Some(device), Precision::F32) => {
                    shards.push(self.put_rows::<f32>((checkpoint, device), info, rows, d).await?);
                }
                (Some(device), Precision::F16) => {
                    shards.push(self.put_rows::<f16>((checkpoint, device), info, rows, d).await?);
                }
            }
        }
        self.mark(checkpoint, name);
        Ok(match self.device {
            None => Vocabulary::on_host(name, packed),
            Some(_) => Vocabulary::on_device(name, shards, d),
        })
    }

    /// The token embedding `name`. Of a tied pair a file may hold the `head` only.
    pub(crate) async fn embedding(
        &self,
        tied: bool,
        name: &str,
        head: &str,
        vocab: usize,
        d: usize,
    ) -> Result<Vocabulary> {
        let only_head = tied && !self.has(name) && self.has(head);
        self.table(if only_head { head } else { name }, vocab, d).await
    }

    /// The output head `name`, or `None` where it is the embedding, which files may hold twice.
    pub(crate) async fn head(&self, tied: bool, name: &str, vocab: usize, d: usize) -> Result<Option<Vocabulary>> {
        if !tied {
            return Ok(Some(self.table(name, vocab, d).await?));
        }
        if let Some(checkpoint) = self.files().filter(|checkpoint| checkpoint.has(name)) {
            self.mark(checkpoint, name);
        }
        Ok(None)
    }

    /// Cosines and sines for positions `0..positions`.
    pub(crate) fn rope(&self, spec: &RopeSpec, positions: usize) -> Result<Rope> {
        if let Origin::Nowhere(_, tally) = self.origin {
            // Cosines and sines.
            tally.add(&[positions, spec.dims], Kind::Plain);
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

/// Rows of numbers as they are, on a device.
async fn upload<T: burn::Element>(values: Vec<T>, shape: [usize; 2], device: &Device) -> Result<Tensor<2>> {
    settled(Tensor::from_data(TensorData::new(values, shape), (device, T::dtype()))).await
}

/// In a browser an upload keeps its bytes in the tab's small memory until the queue is looked at: reading one number of
/// a large tensor lets go of them.
async fn settled(tensor: Tensor<2>) -> Result<Tensor<2>> {
    if cfg!(target_family = "wasm") && tensor.shape().num_elements() > 1 << 18 {
        crate::device::heard(tensor.clone().slice([0..1, 0..1]).into_data_async()).await?;
    }
    Ok(tensor)
}
