//! Every kind of operation that a model needs, forward and backward, on a device and on the host: some software drivers
//! compute nothing, silently.

use super::activation::Activation;
use super::attend::{Heads, KeyLists};
use super::norm::Norm;
use super::product::Panels;
use super::rotate::Rope;
use super::vocabulary::{Finish, Vocabulary};
use super::{Joined, LinearMap, Parts, Rows, Term, Vector};
use crate::error::{Error, Result, Trouble};
use crate::rope::RopeSpec;
use burn::{DType, Device, Tensor, TensorData};
use half::f16;

/// Largest difference to the host that is accepted.
pub const TOLERANCE: f32 = 1e-4;

/// The largest difference between a device and the host.
///
/// # Errors
/// When it is too large, or the device fails.
pub async fn self_test(device: &Device) -> Result<f32> {
    let mut pairs = Vec::new();
    let all = |device| probe(device).into_iter().chain(at_once(device));
    for (got, want) in all(Some(device)).zip(all(None)) {
        let want = want.values().await?;
        // Gradients are of another size than logits.
        let size = want.iter().fold(1.0f32, |most, x| most.max(x.abs()));
        pairs.extend(got.values().await?.into_iter().zip(want).map(|(got, want)| (got / size, want / size)));
    }
    let mut worst = 0.0f32;
    for (got, want) in pairs {
        let difference = (got - want).abs();
        if !difference.is_finite() || difference > TOLERANCE {
            return Err(Error::device(format!(
                "self-test failed: the device computes {got} where the CPU computes {want}"
            ))
            .because(Trouble::SelfTest)
            .hint("update the graphics driver, or use --device cpu")
            .in_page("update the browser or the graphics driver, or switch the device to CPU"));
        }
        worst = worst.max(difference);
    }
    // Tiles of many rows and of few, and sums that cubes share.
    for sizes in [[17, 48, 512], [65, 40, 512]] {
        let difference = product_apart(device, DType::F32, sizes).await? as f32;
        if !difference.is_finite() || difference > TOLERANCE {
            return Err(Error::device(format!("self-test failed: a product is off by {difference:.1e}"))
                .because(Trouble::SelfTest)
                .hint("update the graphics driver, or use --device cpu")
                .in_page("update the browser or the graphics driver, or switch the device to CPU"));
        }
        worst = worst.max(difference);
    }
    Ok(worst)
}

/// Products in f16 against f64, from the same rounded numbers: all tiles, ragged rows, shared sums. Where they are wrong the
/// matrix units are left alone, and the products are computed in f32.
///
/// # Errors
/// When the device fails.
pub async fn test_halves(device: &Device) -> Result<()> {
    for [m, n, k] in [[1, 48, 64], [17, 64, 576], [65, 1024, 1152], [200, 320, 4224], [256, 8192, 64]] {
        let worst = product_apart(device, DType::F16, [m, n, k]).await?;
        // Sums of k products in f32, in an order of their own.
        if worst.is_nan() || worst > 3e-5 {
            log::warn!("this device's matrix units compute wrong numbers (off by {worst:.1e}): f16 is computed in f32");
            super::kernels::give_up_matrix_units();
            return Ok(());
        }
    }
    Ok(())
}

/// The largest difference of a product to f64, of numbers that f16 holds, in units of their usual size.
async fn product_apart(device: &Device, dtype: DType, [m, n, k]: [usize; 3]) -> Result<f64> {
    let rounded = |values: Vec<f32>| values.into_iter().map(|x| f16::from_f32(x).to_f32()).collect::<Vec<f32>>();
    let (x, w) = (rounded(noise(m * k, 21)), rounded(noise(n * k, 22)));
    let held = Tensor::<2>::from_data(TensorData::new(w.clone(), [n, k]), device).cast(dtype);
    let got = Rows::on_device(Rows::new(x.clone(), k, Some(device)).times(&held, None)).values().await?;
    let dot = |row: usize, column: usize| -> f64 {
        let (x, w) = (&x[row * k..][..k], &w[column * k..][..k]);
        x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    };
    // Corners of tiles, and a walk through the rest.
    let some = (0..256).map(|at| (at * 7919 % m, at * 104_729 % n));
    let all = some.chain([(0, 0), (m - 1, 0), (0, n - 1), (m - 1, n - 1)]);
    let apart = all.map(|(row, column)| (f64::from(got[row * n + column]) - dot(row, column)).abs());
    Ok(apart.fold(0.0, |most, x| if x <= most { most } else { x }) * 12.0 / (k as f64).sqrt())
}

/// Numbers between -½ and ½.
fn noise(n: usize, mut state: u32) -> Vec<f32> {
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(next).collect()
}

/// Norms, linear maps with a term, rotation, attention, gates, gathers, joins and a head: `[rows, vocab]`; and back through
/// all of them to the rows at the start, `[rows, width]`.
fn probe(device: Option<&Device>) -> [Rows; 2] {
    let (rows, width, dim, vocab) = (21, 48, 12, 56);
    let heads = Heads { count: 4, kv: 2, dim, scale: 0.7, soft_cap: Some(3.0), window: Some(7) };
    let map = |out: usize, input: usize, seed| {
        LinearMap::from_out_in(&noise(out * input, seed), [out, input], Some(noise(out, seed + 50)), device)
    };
    let weight = |seed| Vector::new(noise(width, seed), device);
    let start = Rows::new(noise(rows * width, 1), width, device);
    let norms = [Norm::rms("", weight(2), 1e-6), Norm::layer("", weight(3), weight(4), 1e-6)];
    let x = norms[0].forward(&start).plus(&norms[1].forward(&start));
    let positions: Vec<u32> = (0..rows as u32).map(|at| at % 13).collect();
    let rope = Rope::new(&RopeSpec::plain(6, 100.0), 13, device);
    let turns = rope.turns(&positions);
    let maps = [map(width, width, 5), map(2 * dim, width, 6), map(2 * dim, width, 7), map(width, width, 8)];
    let q = turns.rotate(maps[0].forward(&x), dim);
    let k = turns.rotate(maps[1].forward(&x), dim);
    let v = maps[2].forward(&x);
    // Two runs, the second one shorter.
    let keys = vec![(0..13).collect(), (13..21).collect()];
    let queries = (0..21u32).map(|at| (at / 13, at % 13)).collect();
    let lists = KeyLists::new(0, keys, queries, &[heads.window], device);
    let mixed = lists.attend(&heads, 2, q.clone(), None, [&k, &v]);
    let x = x.plus(&maps[3].forward(&mixed));
    let term = Term { tensor: String::new(), u: vec![noise(width, 9)], v: vec![noise(width, 10)] };
    let map = map(width, width, 11);
    let gate = map.add_term(&x, map.forward(&x), &term, None);
    let up = map.add_term(&x, map.forward(&x), &term, Some(&[3, 17]));
    let gated = Activation::Silu.gated(gate.clone(), &up).plus(&Activation::GeluTanh.gated(up.clone(), &gate));
    let y = Activation::GeluTanh.plain(gated.clone());
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
    let logits = table.logits(&y, Finish { bias: Some(&Vector::new(noise(vocab, 13), device)), cap: Some(5.0) });

    let g = table.backward(&Rows::new(noise(rows * vocab, 14), vocab, device));
    let g = Activation::GeluTanh.plain_backward(&gated, g);
    let [on_gate, on_up] = Activation::Silu.gated_backward(&gate, &up, g.clone());
    let [more_up, more_gate] = Activation::GeluTanh.gated_backward(&up, &gate, g);
    let (on_gate, on_up) = (on_gate.plus(&more_gate), on_up.plus(&more_up));
    let g = map.add_term_backward(&on_gate, map.backward(&on_gate), &term, None);
    let g = g.plus(&map.add_term_backward(&on_up, map.backward(&on_up), &term, Some(&[3, 17])));
    let [on_q, on_k, on_v] = lists.backward(&heads, 2, &q, None, [&k, &v], maps[3].backward(&g));
    let g = g.plus(&maps[0].backward(&turns.backward(on_q, dim)));
    let g = g.plus(&maps[1].backward(&turns.backward(on_k, dim))).plus(&maps[2].backward(&on_v));
    let back = norms[0].backward(&start, g.clone()).plus(&norms[1].backward(&start, g));
    [logits, back]
}

/// What a device computes in one go where the host takes steps: sums and their norms, queries and keys (rotated) and
/// values, and a gated product.
fn at_once(device: Option<&Device>) -> Vec<Rows> {
    let (rows, width, dim) = (21, 48, 12);
    let (outs, gates) = ([(width, 31), (2 * dim, 32), (2 * dim, 33)], [(width, 34), (width, 35)]);
    let map = |(out, seed): (usize, u32)| {
        let bias = Some(noise(out, seed + 50));
        LinearMap::from_out_in(&noise(out * width, seed), [out, width], bias, device)
    };
    let (mut maps, mut pair) = (outs.map(map), gates.map(map));
    let x = Rows::new(noise(rows * width, 30), width, device);
    let more = Rows::new(noise(rows * width, 36), width, device);
    let weight = |seed| Vector::new(noise(width, seed), device);
    let norms = [Norm::rms("", weight(37), 1e-6), Norm::layer("", weight(38), weight(39), 1e-6)];
    let positions: Vec<u32> = (0..rows as u32).map(|at| at % 13).collect();
    // Heads that are rotated in part.
    let rope = Rope::new(&RopeSpec::plain(8, 100.0), 13, device);
    let turns = rope.turns(&positions);
    let mut all: Vec<Rows> = norms.iter().flat_map(|norm| norm.of_sum(x.clone(), &more)).collect();
    let Some(device) = device else {
        let [q, k, v] = maps.map(|map| map.forward(&x));
        all.extend([q.clone(), turns.rotate(q, dim), turns.rotate(k, dim), v]);
        let [gate, up] = pair.map(|map| map.forward(&x));
        all.push(Activation::GeluTanh.gated(gate, &up));
        return all;
    };
    let matrix = |maps: &[(usize, u32)]| {
        let values: Vec<f32> = maps.iter().flat_map(|&(out, seed)| noise(out * width, seed)).collect();
        let outs = values.len() / width;
        Tensor::<2>::from_data(TensorData::new(values, [outs, width]), device)
    };
    let (qkv, both) = (Joined::new(matrix(&outs), &mut maps), Joined::new(matrix(&gates), &mut pair));
    let (qkv, both) = (qkv.expect("all have a bias"), both.expect("all have a bias"));
    let parts = Parts { q: width, kv: 2 * dim, dim };
    let [q, ..] = qkv.attention(&x, None, parts);
    all.push(q);
    all.extend(qkv.attention(&x, Some(turns.tables()), parts));
    all.push(both.gated(Activation::GeluTanh, &x));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_not_trivial() {
        for values in probe(None).into_iter().chain(at_once(None)) {
            assert!(values.host().iter().all(|x| x.is_finite()));
            let spread = values.host().iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(spread > 0.5, "a device that returns zeros would pass");
        }
    }
}
