//! UltraEdit (Gu et al. 2025): all facts at once without a search. Each fact's loss has one gradient `g` on the layer's values;
//! with the keys `h` at every token of prompt and answer, `v = -lr ‖ĥ‖² ĝ` says where the values shall go, and a ridge
//! regression of `v` on `h` gives the change of the matrix.

use super::taught::{Taught, evidence, groups, size};
use crate::edit::editor::{EditBatch, Editor, OnStep, Solved, Step};
use crate::error::{Error, Result};
use crate::record::{Settings, UltraEdit};
use crate::second_moment::ridge_inverse;
use crate::tensor::{Matrix, Overlay, Term};

/// Least standard deviation that a column is divided by.
const LEAST: f64 = 1e-8;

impl Editor for UltraEdit {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let model = batch.model;
        let layer = batch.targets[0].layer;
        if batch.targets.iter().any(|target| target.layer != layer) {
            return Err(Error::input("many facts are edited at once, and their layers differ")
                .hint("choose one for all with --edit-layers")
                .in_page("choose a layer"));
        }
        let (mut keys, mut slopes, mut losses, mut subjects) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for group in groups(batch, 0) {
            let taught = Taught::capture(batch, &batch.targets[group.clone()], true).await?;
            let some: Vec<usize> = (0..taught.count()).collect();
            let first = keys.len();
            for &at in &some {
                keys.push(taught.keys(at).await?);
                subjects.push(taught.subject(at).await?);
            }
            let zeros = |keys: &Matrix| vec![0.0; keys.rows() * model.net.shape.width];
            let added: Vec<Vec<f32>> = keys[first..].iter().map(zeros).collect();
            for one in taught.slopes(&some, &added, model.plan).await?.0 {
                let (loss, slope) = one?;
                losses.push(loss);
                slopes.push(slope);
            }
            told(Step { done: group.end, of: batch.targets.len(), losses: &losses })?;
        }
        let overlay = Overlay { terms: vec![self.term(&model.net.down(layer).tensor, &keys, &slopes)?] };
        let size = size(model, &overlay).await?;
        let found = subjects.iter().zip(losses);
        let evidence = found.map(|(subject, loss)| evidence(subject, (&overlay, size), vec![loss], settings.seed));
        let (targets, evidence) = ((0..batch.targets.len()).collect(), evidence.collect());
        Ok(vec![Solved { targets, overlay, evidence, ..Solved::default() }])
    }
}

impl UltraEdit {
    /// `ΔWᵀ = (HᵀH + I)⁻¹ HᵀV`, by way of `Hᵀ (HHᵀ + I)⁻¹ V`: there are mostly fewer tokens than a key has numbers.
    fn term(self, tensor: &str, keys: &[Matrix], slopes: &[Matrix]) -> Result<Term> {
        let wide = |all: &[Matrix]| -> Vec<Vec<f64>> {
            let rows = all.iter().flat_map(|one| one.values.chunks_exact(one.width));
            rows.map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
        };
        let (h, mut v) = (wide(keys), wide(slopes));
        let mut normal = h.clone();
        normalise(&mut normal);
        normalise(&mut v);
        for (h, v) in normal.iter().zip(&mut v) {
            let scale = -f64::from(self.lr) * h.iter().map(|x| x * x).sum::<f64>();
            v.iter_mut().for_each(|x| *x *= scale);
        }
        let along = ridge_inverse(&h, &h, 1.0, h.len())?;
        let narrow = |row: &Vec<f64>| row.iter().map(|&x| x as f32).collect();
        let (u, v): (Vec<Vec<f32>>, Vec<Vec<f32>>) =
            (v.iter().map(narrow).collect(), along.iter().map(narrow).collect());
        let outs = u.first().map_or(0, Vec::len);
        let term = Term { tensor: tensor.to_owned(), u, v };
        if term.u.len() <= outs {
            return Ok(term);
        }
        // With more tokens than outputs the matrix itself is smaller.
        let rows = (0..outs).map(|out| term.row(out).into_iter().map(|x| x as f32).collect());
        Ok(Term::dense(tensor, rows.collect()))
    }
}

/// Takes the mean of each column off, and divides by its standard deviation.
fn normalise(rows: &mut [Vec<f64>]) {
    let count = rows.len().max(1) as f64;
    for column in 0..rows.first().map_or(0, Vec::len) {
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        let square = rows.iter().map(|row| (row[column] - mean) * (row[column] - mean)).sum::<f64>() / count;
        let scale = square.sqrt().max(LEAST);
        rows.iter_mut().for_each(|row| row[column] = (row[column] - mean) / scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, width: usize, seed: usize) -> Matrix {
        Matrix::new((0..rows * width).map(|i| ((i * 37 + seed) % 23) as f32 / 11.0 - 1.0).collect(), width)
    }

    /// `(HᵀH + I) ΔWᵀ = HᵀV`, with few tokens and with many.
    #[test]
    fn the_term_solves_the_regression() {
        for tokens in [3, 9] {
            let (d, f) = (4, 6);
            let (keys, slopes) = ([matrix(tokens, f, 1)], [matrix(tokens, d, 5)]);
            let ultra = UltraEdit { lr: 0.5 };
            let term = ultra.term("w", &keys, &slopes).expect("it is regular");
            assert_eq!(term.u.len(), tokens.min(d));
            let wide = |m: &Matrix| -> Vec<Vec<f64>> {
                (0..m.rows()).map(|at| m.row(at).iter().map(|&x| f64::from(x)).collect()).collect()
            };
            let (h, mut normal, mut v) = (wide(&keys[0]), wide(&keys[0]), wide(&slopes[0]));
            normalise(&mut normal);
            normalise(&mut v);
            for n in 0..tokens {
                let scale = -0.5 * normal[n].iter().map(|x| x * x).sum::<f64>();
                v[n].iter_mut().for_each(|x| *x *= scale);
            }
            for out in 0..d {
                let row = term.row(out);
                let dot = |h: &Vec<f64>| h.iter().zip(&row).map(|(h, w)| h * w).sum::<f64>();
                for (i, w) in row.iter().enumerate() {
                    let left: f64 = h.iter().map(|h| h[i] * dot(h)).sum();
                    let right: f64 = h.iter().zip(&v).map(|(h, v)| h[i] * v[out]).sum();
                    assert!((left + w - right).abs() < 1e-5, "{left} {} {right}", w);
                }
            }
        }
    }
}
