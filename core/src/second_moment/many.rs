//! Solutions for many keys at once, on top of what is known of `C`: systems of as many rows as there are keys.

use super::SecondMoment;
use crate::error::{Error, Result};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

/// The last `wanted` columns of `B (AᵀB + ridge · I)⁻¹`, where `B` and `A` have a column a key and `AᵀB` is symmetric: with
/// `B = M A` they solve `(M A Aᵀ + ridge) X = M A`.
///
/// # Errors
/// When the matrix is not positive definite.
pub fn ridge_inverse(b: &[Vec<f64>], a: &[Vec<f64>], ridge: f64, wanted: usize) -> Result<Vec<Vec<f64>>> {
    let n = b.len();
    let width = b.first().map_or(0, Vec::len);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let gram = Mat::from_fn(n, n, |i, j| {
        // Both halves alike, whatever rounding does.
        let (i, j) = (i.max(j), i.min(j));
        dot(&a[i], &b[j]) + if i == j { ridge } else { 0.0 }
    });
    let llt = Llt::new(gram.as_ref(), Side::Lower).map_err(|_| {
        Error::numeric("the keys of the facts cannot be told apart: their system is singular")
            .hint("edit fewer facts at once, or leave out those about the same subject")
    })?;
    let columns = Mat::from_fn(n, wanted, |i, j| if i == n - wanted + j { 1.0 } else { 0.0 });
    let factors = llt.solve(&columns);
    let one = |column: usize| {
        let mut sum = vec![0.0; width];
        for (i, b) in b.iter().enumerate() {
            let factor = factors[(i, column)];
            sum.iter_mut().zip(b).for_each(|(sum, x)| *sum += factor * x);
        }
        sum
    };
    Ok((0..wanted).map(one).collect())
}

/// The directions in which a model's keys hardly lie: eigenvectors of `C` with small eigenvalues.
pub struct NullSpace {
    /// Those above the threshold, a column each: there are mostly fewer of them.
    others: Mat<f64>,
    /// Whether `others` are the null space itself.
    direct: bool,
}

impl NullSpace {
    /// Of eigenvalues below a threshold, in the units of squared activations; with 0, of the lower three quarters of them.
    ///
    /// # Errors
    /// When the eigenvalues cannot be found, or none or all are below.
    pub fn of(moment: &SecondMoment, threshold: f64) -> Result<Self> {
        let f = moment.width;
        let matrix = Mat::from_fn(f, f, |i, j| moment.entry(i, j));
        let eigen = matrix
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Error::numeric("the eigenvalues of the second moment of the keys cannot be found"))?;
        let values: Vec<f64> = (0..f).map(|i| eigen.S()[i]).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let threshold = if threshold > 0.0 { threshold } else { sorted.get(3 * f / 4).copied().unwrap_or_default() };
        let below: Vec<usize> = (0..f).filter(|&i| values[i] < threshold).collect();
        if below.is_empty() || below.len() == f {
            let [least, most] =
                [f64::min as fn(f64, f64) -> f64, f64::max].map(|of| values.iter().copied().fold(values[0], of));
            let (what, place) = if below.is_empty() { ("no", "above") } else { ("every", "below") };
            return Err(Error::input(format!(
                "{what} eigenvalue of the second moment of the keys is below {threshold}: they are {least:.2e} to {most:.2e}"
            ))
            .hint(format!("--threshold is absolute and depends on the model: not all may be {place} it")));
        }
        let direct = below.len() * 2 <= f;
        let kept: Vec<usize> = if direct { below } else { (0..f).filter(|&i| values[i] >= threshold).collect() };
        let u = eigen.U();
        Ok(Self { others: Mat::from_fn(f, kept.len(), |i, j| u[(i, kept[j])]), direct })
    }

    /// The part of a key that lies in it.
    pub fn project(&self, key: &[f64]) -> Vec<f64> {
        let key = Mat::from_fn(key.len(), 1, |i, _| key[i]);
        let part = &self.others * (self.others.transpose() * &key);
        (0..key.nrows()).map(|i| if self.direct { part[(i, 0)] } else { key[(i, 0)] - part[(i, 0)] }).collect()
    }

    /// How many directions it has.
    pub fn rank(&self) -> usize {
        if self.direct { self.others.ncols() } else { self.others.nrows() - self.others.ncols() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(f: usize, seed: usize) -> Vec<f64> {
        (0..f).map(|i| ((i * 31 + seed * 17) % 97) as f64 / 48.0 - 1.0).collect()
    }

    #[test]
    fn the_small_system_solves_the_large_one() {
        // (M A Aᵀ + r) X = M A with M = I: X = A (AᵀA + r)⁻¹.
        let (f, r) = (12, 0.5);
        let a: Vec<Vec<f64>> = (0..4).map(|seed| column(f, seed)).collect();
        let x = ridge_inverse(&a, &a, r, 2).expect("it is regular");
        for (j, x) in x.iter().enumerate() {
            for i in 0..f {
                let product: f64 = a.iter().map(|a| a[i] * a.iter().zip(x).map(|(a, x)| a * x).sum::<f64>()).sum();
                assert!((product + r * x[i] - a[2 + j][i]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_null_space_is_what_keys_leave_out() {
        let (f, keys) = (10, 3);
        let all: Vec<Vec<f64>> = (0..keys).map(|seed| column(f, seed)).collect();
        let entry = |i: usize, j: usize| all.iter().map(|key| key[i] * key[j]).sum::<f64>();
        let values = (0..f).flat_map(|j| (j..f).map(move |i| (i, j))).map(|(i, j)| entry(i, j)).collect();
        let moment = SecondMoment { width: f, count: keys, values };
        assert_eq!(NullSpace::of(&moment, 0.0).expect("three quarters").rank(), 7);
        let space = NullSpace::of(&moment, 1e-9).expect("both parts");
        assert_eq!(space.rank(), f - keys);
        for key in &all {
            assert!(space.project(key).iter().all(|x| x.abs() < 1e-9));
        }
        let other = column(f, 9);
        let once = space.project(&other);
        let twice = space.project(&once);
        assert!(once.iter().zip(&twice).all(|(a, b)| (a - b).abs() < 1e-9), "a projection");
    }
}
