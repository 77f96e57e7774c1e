//! Linear maps, and those that read the same rows as one.

use super::{Loader, Origin, Stored};
use crate::error::Result;
use crate::tensor::linear::Weight;
use crate::tensor::product::Panels;
use crate::tensor::{Joined, LinearMap, Vector, alignment, contiguous};
use burn::Tensor;

impl Loader<'_> {
    /// A linear map stored `[out, in]` as `name.weight`, with `name.bias` where asked for.
    pub(crate) async fn linear(&self, name: &str, out: usize, input: usize, bias: bool) -> Result<LinearMap> {
        let tensor = format!("{name}.weight");
        let weight = match self.matrix(&tensor, out, input).await? {
            Stored::Nothing => Weight::Host(Panels::default()),
            Stored::Values(values) => Weight::Host(Panels::from_out_in(&values, out, input)),
            Stored::Tensor(x) => Weight::Device(x),
        };
        let bias = if bias { Some(self.vector(&format!("{name}.bias"), out).await?) } else { None };
        Ok(LinearMap { tensor, rows: 0..out, input, transposed: false, weight, bias })
    }

    /// Maps that read the same rows, each with its name and outputs. On a device their matrices are one, where one buffer
    /// holds it.
    pub(crate) async fn linears<const N: usize>(
        &self,
        maps: [(&str, usize); N],
        input: usize,
        bias: bool,
    ) -> Result<([LinearMap; N], Option<Joined>)> {
        let (checkpoint, device) = match (&self.origin, self.device) {
            (Origin::Files(checkpoint), Some(device)) if self.joins(&maps.map(|(_, out)| out), input) => {
                (checkpoint, device)
            }
            _ => {
                let mut all = Vec::with_capacity(N);
                for (name, out) in maps {
                    all.push(self.linear(name, out, input, bias).await?);
                }
                let mut all: [LinearMap; N] = all.try_into().expect("as many as there are names");
                let mut joined = None;
                if matches!(self.origin, Origin::Drawn(_)) && self.joins(&maps.map(|(_, out)| out), input) {
                    joined = Joined::new(Tensor::cat(all.iter().filter_map(device_matrix).collect(), 0), &mut all);
                }
                return Ok((all, joined));
            }
        };
        let tensors = maps.map(|(name, _)| format!("{name}.weight"));
        let parts: Vec<(&str, [usize; 2])> =
            tensors.iter().zip(maps).map(|(name, (_, out))| (name.as_str(), [out, input])).collect();
        let all = self.put((checkpoint, device), &parts).await?;
        let mut biases = Vec::with_capacity(N);
        for (name, out) in maps {
            biases.push(if bias { Some(self.vector(&format!("{name}.bias"), out).await?) } else { None });
        }
        let mut biases = biases.into_iter();
        let mut outs = maps.into_iter();
        let mut all_maps = tensors.map(|tensor| {
            let (_, out) = outs.next().expect("as many as there are tensors");
            let bias = biases.next().flatten();
            let weight = Weight::Host(Panels::default());
            LinearMap { tensor, rows: 0..out, input, transposed: false, weight, bias }
        });
        let joined = Joined::new(all, &mut all_maps);
        Ok((all_maps, joined))
    }

    /// Matrices of so many outputs can be views of one that a buffer holds.
    fn joins(&self, outs: &[usize], input: usize) -> bool {
        let bytes = |outs: usize| outs * input * self.precision.bytes();
        let aligned = |device| {
            let alignment = alignment(device);
            outs.iter().all(|&out| bytes(out).is_multiple_of(alignment))
        };
        !self.trains && bytes(outs.iter().sum()) <= self.binding_bytes && self.device.is_some_and(aligned)
    }

    /// A linear map stored `[in, out]` (GPT-2's Conv1D).
    pub(crate) async fn conv1d(&self, name: &str, out: usize, input: usize) -> Result<LinearMap> {
        let ([one], _) = self.conv1d_parts(name, out, input).await?;
        Ok(one)
    }

    /// Several maps of `out` outputs each that are stored in one, side by side.
    pub(crate) async fn conv1d_parts<const N: usize>(
        &self,
        name: &str,
        out: usize,
        input: usize,
    ) -> Result<([LinearMap; N], Option<Joined>)> {
        let (tensor, all) = (format!("{name}.weight"), N * out);
        let bias = self.vector(&format!("{name}.bias"), all).await?;
        let columns = |part: usize| part * out..(part + 1) * out;
        let stored = self.matrix(&tensor, input, all).await?;
        // A device's matrices are all `[out, in]`.
        let turned = match &stored {
            Stored::Tensor(x) if self.trains => Some(x.clone().transpose()),
            Stored::Tensor(x) => Some(contiguous(x.clone().transpose())),
            _ => None,
        };
        let mut maps = std::array::from_fn(|part| {
            let rows = columns(part);
            let weight = match (&stored, &turned) {
                (_, Some(x)) if N == 1 => Weight::Device(Box::new(x.clone())),
                (_, Some(x)) => Weight::Device(Box::new(x.clone().narrow(0, rows.start, out))),
                (Stored::Values(values), _) => Weight::Host(Panels::from_in_out(values, all, rows.clone(), input)),
                _ => Weight::Host(Panels::default()),
            };
            let bias = match &bias {
                Vector::Host(values) => Vector::Host(values.get(rows.clone()).unwrap_or_default().to_vec()),
                Vector::Device(x) => Vector::Device(Box::new((**x).clone().narrow(0, rows.start, out))),
            };
            LinearMap { tensor: tensor.clone(), rows, input, transposed: true, weight, bias: Some(bias) }
        });
        let joined = turned.filter(|_| N > 1 && self.joins(&[out; N], input));
        let joined = joined.and_then(|all| Joined::new(all, &mut maps));
        Ok((maps, joined))
    }
}

fn device_matrix(map: &LinearMap) -> Option<Tensor<2>> {
    match &map.weight {
        Weight::Host(_) => None,
        Weight::Device(x) => Some((**x).clone()),
    }
}
