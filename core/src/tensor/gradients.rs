//! Gradients of a model's tensors by their names in the checkpoint.

use super::Vector;
use burn::Tensor;
use std::collections::BTreeMap;

/// Gradients of parameters, part by part: GPT-2 keeps three maps in one tensor.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    /// By name and first output.
    parts: BTreeMap<(String, usize), Part>,
}

#[derive(Debug)]
struct Part {
    values: Vector,
    /// Outputs of a matrix that is stored `[in, out]`; 0 of everything else.
    columns: usize,
}

impl Gradients {
    /// Adds to what there is of a tensor, from an output on.
    pub(crate) fn add(&mut self, name: &str, first: usize, columns: usize, values: Vector) {
        match self.parts.get_mut(&(name.to_owned(), first)) {
            Some(part) => part.values.add(&values),
            None => {
                self.parts.insert((name.to_owned(), first), Part { values, columns });
            }
        }
    }

    /// Whole tensors, as the checkpoint stores them: of each the sum of what passes found, in their order.
    pub(crate) fn whole(passes: impl IntoIterator<Item = Self>) -> BTreeMap<String, Vector> {
        let mut tensors: BTreeMap<String, BTreeMap<usize, Vec<Part>>> = BTreeMap::new();
        for ((name, first), part) in passes.into_iter().flat_map(|pass| pass.parts) {
            tensors.entry(name).or_default().entry(first).or_default().push(part);
        }
        let sum = |parts: Vec<Part>| {
            let added = |mut sum: Part, part: Part| {
                sum.values.add(&part.values);
                sum
            };
            parts.into_iter().reduce(added)
        };
        let one = |(name, parts): (String, BTreeMap<usize, Vec<Part>>)| {
            (name, joined(parts.into_values().filter_map(sum).collect()))
        };
        // A device hears one thread only.
        #[cfg(not(target_family = "wasm"))]
        if tensors.values().flat_map(BTreeMap::values).flatten().all(|part| matches!(part.values, Vector::Host(_))) {
            use rayon::prelude::*;
            return tensors.into_par_iter().map(one).collect();
        }
        tensors.into_iter().map(one).collect()
    }
}

/// Parts side by side: columns of a matrix, or stretches of a vector.
fn joined(mut parts: Vec<Part>) -> Vector {
    if parts.len() == 1 {
        return parts.remove(0).values;
    }
    let all: usize = parts.iter().map(|part| part.columns).sum();
    if let Vector::Device(_) = parts[0].values {
        let one = |part: &Part| match part.columns {
            0 => part.values.device().unsqueeze_dim::<2>(0),
            columns => part.values.device().reshape([-1, columns as i32]),
        };
        return Vector::Device(Box::new(Tensor::cat(parts.iter().map(one).collect(), 1).flatten(0, 1)));
    }
    if all == 0 {
        return Vector::Host(parts.iter().flat_map(|part| part.values.host()).copied().collect());
    }
    let rows = parts[0].values.host().len() / parts[0].columns.max(1);
    let row = |at: usize| {
        parts.iter().flat_map(move |part| &part.values.host()[at * part.columns..][..part.columns]).copied()
    };
    Vector::Host((0..rows).flat_map(row).collect())
}

/// The name of the bias beside a weight.
pub(crate) fn bias_of(weight: &str) -> String {
    format!("{}.bias", weight.strip_suffix(".weight").unwrap_or(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_side_by_side() {
        let mut all = Gradients::default();
        all.add("w", 2, 1, Vector::Host(vec![3.0, 6.0]));
        all.add("w", 0, 2, Vector::Host(vec![1.0, 2.0, 4.0, 5.0]));
        all.add("b", 0, 0, Vector::Host(vec![1.0, 2.0]));
        all.add("b", 2, 0, Vector::Host(vec![3.0]));
        let mut more = Gradients::default();
        more.add("w", 2, 1, Vector::Host(vec![0.5, 0.5]));
        let whole = Gradients::whole([all, more]);
        assert_eq!(whole["w"].host(), [1.0, 2.0, 3.5, 4.0, 5.0, 6.5]);
        assert_eq!(whole["b"].host(), [1.0, 2.0, 3.0]);
        assert_eq!(bias_of("a.weight"), "a.bias");
    }
}
