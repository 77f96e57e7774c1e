//! Vocabulary tables: the embedding, and the output head with what is read from it.

mod readout;

pub use readout::Readout;

use super::product::{Panels, outer};
use super::{Buffer, MIXED, Rows, Vector, kernels, rows::indices, simd};
use burn::Tensor;

/// A table `[vocab, width]`.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// The checkpoint's tensor that it is.
    pub tensor: String,
    width: usize,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Host(Panels),
    /// Split by rows where one buffer cannot hold it.
    Device(Vec<Tensor<2>>),
}

/// What becomes of products with the table before they are logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) bias: Option<&'a Vector>,
    pub(crate) cap: Option<f64>,
}

impl Finish<'_> {
    /// On the host, of the tokens from `first` on.
    #[inline(always)]
    fn apply(&self, first: usize, logits: &mut [f32]) {
        if let Some(bias) = self.bias {
            simd::add(logits, &bias.host()[first..]);
        }
        if let Some(cap) = self.cap {
            let cap = cap as f32;
            logits.iter_mut().for_each(|x| *x = simd::tanh(*x / cap) * cap);
        }
    }
}

impl Vocabulary {
    /// On the host.
    pub(crate) fn on_host(tensor: &str, table: Panels) -> Self {
        Self { tensor: tensor.to_owned(), width: table.input(), data: Data::Host(table) }
    }

    /// On a device, from its shards.
    pub(crate) fn on_device(tensor: &str, shards: Vec<Tensor<2>>, width: usize) -> Self {
        Self { tensor: tensor.to_owned(), width, data: Data::Device(shards) }
    }

    /// Tokens.
    pub fn vocab(&self) -> usize {
        match &self.data {
            Data::Host(table) => table.out(),
            Data::Device(shards) => shards.iter().map(|shard| shard.dims()[0]).sum(),
        }
    }

    /// The table, on the host.
    ///
    /// # Panics
    /// Where it is on a device.
    pub fn values(&self) -> Vec<f32> {
        match &self.data {
            Data::Host(table) => table.out_in(),
            Data::Device(_) => panic!("{MIXED}"),
        }
    }

    /// The rows of these ids: `[ids, width]`.
    pub(crate) fn lookup(&self, ids: &[u32]) -> Rows {
        let shards = match &self.data {
            _ if ids.is_empty() => return Rows::empty(self.width),
            Data::Host(table) => {
                let mut out = Buffer::scratch(ids.len() * self.width);
                for (row, &id) in out.chunks_exact_mut(self.width).zip(ids) {
                    table.row(id as usize, row);
                }
                return Rows::on_host(out, self.width);
            }
            Data::Device(shards) => shards,
        };
        let device = shards[0].device();
        if let [table] = shards.as_slice() {
            return Rows::on_device(kernels::wide(&table.clone().select(0, indices(ids, &device))));
        }
        // Each shard gives its own ids' rows; `place` puts them in the asked order.
        let (mut start, mut found) = (0, 0);
        let mut place = vec![0u32; ids.len()];
        let mut pieces = Vec::new();
        for shard in shards {
            let rows = shard.dims()[0] as u32;
            let mut local = Vec::new();
            for (slot, &id) in ids.iter().enumerate() {
                if (start..start + rows).contains(&id) {
                    place[slot] = found;
                    found += 1;
                    local.push(id - start);
                }
            }
            if !local.is_empty() {
                pieces.push(kernels::wide(&shard.clone().select(0, indices(&local, &device))));
            }
            start += rows;
        }
        Rows::on_device(Tensor::cat(pieces, 0).select(0, indices(&place, &device)))
    }

    /// As an output head: normed rows `[rows, width]` to logits `[rows, vocab]`.
    pub(crate) fn logits(&self, x: &Rows, finish: Finish<'_>) -> Rows {
        let vocab = self.vocab();
        match &self.data {
            _ if x.count() == 0 => Rows::empty(vocab),
            Data::Host(table) => {
                let mut y = Buffer::scratch(x.count() * vocab);
                table.forward(x.host(), 0..table.count(), &mut y);
                simd::vectorized(
                    #[inline(always)]
                    || y.chunks_exact_mut(vocab).for_each(|row| finish.apply(0, row)),
                );
                Rows::on_host(y, vocab)
            }
            Data::Device(shards) => {
                let bias = finish.bias.map(Vector::device);
                let mut y = match shards.as_slice() {
                    [table] => x.times(table, bias),
                    _ => {
                        let parts = Tensor::cat(shards.iter().map(|shard| x.times(shard, None)).collect(), 1);
                        bias.into_iter().fold(parts, |y, bias| y + bias.unsqueeze::<2>())
                    }
                };
                if let Some(cap) = finish.cap {
                    y = (y / cap).tanh() * cap;
                }
                Rows::on_device(y)
            }
        }
    }

    /// Gradients on normed rows from those on products with the table: `[rows, vocab]` to `[rows, width]`.
    pub(crate) fn backward(&self, g: &Rows) -> Rows {
        match &self.data {
            _ if g.count() == 0 => Rows::empty(self.width),
            Data::Host(table) => {
                let mut y = Buffer::scratch(g.count() * self.width);
                table.backward(g.host(), &mut y);
                Rows::on_host(y, self.width)
            }
            Data::Device(shards) => {
                let g = g.device().expect(MIXED);
                let mut first = 0;
                let parts = shards.iter().map(|shard| {
                    let tokens = shard.dims()[0];
                    first += tokens;
                    g.clone().narrow(1, first - tokens, tokens).matmul(kernels::wide(shard))
                });
                Rows::on_device(parts.reduce(|a, b| a + b).expect("a table has a shard"))
            }
        }
    }

    /// The table's gradient as an output head, from those on products with it and the normed rows.
    pub(crate) fn gradient(&self, g: &Rows, x: &Rows) -> Vector {
        match (g.device(), x.device()) {
            (Some(g), Some(x)) => Vector::Device(Box::new(g.clone().transpose().matmul(x.clone()).flatten(0, 1))),
            _ => Vector::Host(outer(g.host(), g.width(), x.host(), self.width)),
        }
    }

    /// The table's gradient as an embedding, from those on the rows of these ids.
    pub(crate) fn lookup_gradient(&self, ids: &[u32], g: &Rows) -> Vector {
        let vocab = self.vocab();
        let Some(g) = g.device() else {
            let mut table = vec![0.0; vocab * self.width];
            for (row, &id) in g.host().chunks_exact(self.width).zip(ids) {
                simd::add(&mut table[id as usize * self.width..][..self.width], row);
            }
            return Vector::Host(table);
        };
        // A product with ones where a row is a token: additions of equal rows at once would race.
        let device = g.device();
        let ids = indices(ids, &device).unsqueeze_dim::<2>(0);
        let all: Vec<u32> = (0..vocab as u32).collect();
        let ones = indices(&all, &device).unsqueeze_dim::<2>(1).equal(ids).float();
        Vector::Device(Box::new(ones.matmul(g.clone()).flatten(0, 1)))
    }
}
