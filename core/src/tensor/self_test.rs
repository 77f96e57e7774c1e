//! Every kind of operation that a model needs, on a device and on the host: some software drivers compute nothing,
//! silently.

use super::activation::Activation;
use super::attend::KeyLists;
use super::norm::Norm;
use super::product::Panels;
use super::rotate::Rope;
use super::vocabulary::{Finish, Vocabulary};
use super::{LinearMap, Rows, Term, Vector};
use crate::error::{Error, Result};
use crate::model::Heads;
use crate::model::rope_spec::RopeSpec;
use burn::tensor::{Device, Tensor, TensorData};

/// Largest difference to the host that is accepted.
pub const TOLERANCE: f32 = 1e-4;

/// The largest difference between a device and the host.
///
/// # Errors
/// When it is too large, or the device fails.
pub async fn self_test(device: &Device) -> Result<f32> {
    let (got, want) = (probe(Some(device)).values().await?, probe(None).values().await?);
    let mut worst = 0.0f32;
    for (got, want) in got.iter().zip(&want) {
        let difference = (got - want).abs();
        if !difference.is_finite() || difference > TOLERANCE {
            return Err(Error::device(format!(
                "self-test failed: the device computes {got} where the CPU computes {want}"
            ))
            .hint("update the graphics driver, or use --device cpu")
            .in_page("update the browser or the graphics driver, or switch the device to CPU"));
        }
        worst = worst.max(difference);
    }
    Ok(worst)
}

/// Numbers between -½ and ½.
fn noise(n: usize, mut state: u32) -> Vec<f32> {
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(next).collect()
}

/// Norms, linear maps with a term, rotation, attention, gates, gathers, joins and a head: `[rows, vocab]`.
fn probe(device: Option<&Device>) -> Rows {
    let (rows, width, dim, vocab) = (21, 40, 10, 50);
    let heads = Heads { count: 4, kv: 2, dim, scale: 0.7, soft_cap: Some(3.0), window: Some(7) };
    let map = |out: usize, input: usize, seed| {
        LinearMap::from_out_in(&noise(out * input, seed), [out, input], Some(noise(out, seed + 50)), device)
    };
    let weight = |seed| Vector::new(noise(width, seed), device);
    let x = Rows::new(noise(rows * width, 1), width, device);
    let x = Norm::rms("", weight(2), 1e-6).forward(&x).plus(&Norm::layer("", weight(3), weight(4), 1e-6).forward(&x));
    let positions: Vec<u32> = (0..rows as u32).map(|at| at % 13).collect();
    let rope = Rope::new(&RopeSpec::plain(6, 100.0), 13, device);
    let turns = rope.turns(&positions);
    let q = turns.rotate(map(width, width, 5).forward(&x), dim);
    let k = turns.rotate(map(2 * dim, width, 6).forward(&x), dim);
    let v = map(2 * dim, width, 7).forward(&x);
    // Two runs, the second one shorter.
    let keys = vec![(0..13).collect(), (13..21).collect()];
    let queries = (0..21u32).map(|at| (at / 13, at % 13)).collect();
    let lists = KeyLists::new(0, keys, queries, &[heads.window], device);
    let mixed = lists.attend(&heads, 2, q, None, [&k, &v]);
    let x = x.plus(&map(width, width, 8).forward(&mixed));
    let term = Term { tensor: String::new(), u: vec![noise(width, 9)], v: vec![noise(width, 10)] };
    let up = map(width, width, 11);
    let gate = up.add_term(&x, up.forward(&x), &term, None);
    let up = up.add_term(&x, up.forward(&x), &term, Some(&[3, 17]));
    let y = Activation::Silu.gated(gate.clone(), &up).plus(&Activation::GeluTanh.gated(up, &gate));
    let y = Activation::GeluTanh.plain(y);
    let turned: Vec<u32> = (0..rows as u32).rev().collect();
    let y = y.gather(&turned[..9]).join(y.gather(&turned[9..])).first(rows - 2);
    let table = noise(vocab * width, 12);
    let table = match device {
        None => Vocabulary::on_host("", Panels::from_out_in(&table, vocab, width)),
        Some(device) => {
            let half = vocab / 2;
            let shard = |at: usize| {
                let values = table[at * half * width..][..half * width].to_vec();
                Tensor::from_data(TensorData::new(values, [half, width]), device)
            };
            Vocabulary::on_device("", vec![shard(0), shard(1)], width)
        }
    };
    let y = y.join(table.lookup(&[30, 2]));
    table.logits(&y, Finish { bias: Some(&Vector::new(noise(vocab, 13), device)), cap: Some(5.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_not_trivial() {
        let values = probe(None);
        assert!(values.host().iter().all(|x| x.is_finite()));
        let spread = values.host().iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(spread > 0.5, "a device that returns zeros would pass");
    }
}
