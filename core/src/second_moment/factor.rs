//! The Cholesky factor of a second moment with a ridge, in f64: it serves every editor that needs `C⁻¹`.

use super::SecondMoment;
use crate::error::{Error, Result};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

/// `C + ridge · tr(C)/f · I`, factored.
pub struct Factor {
    llt: Llt<f64>,
}

impl Factor {
    /// Factors a second moment.
    ///
    /// # Errors
    /// When it is not positive definite.
    pub fn of(moment: &SecondMoment, ridge: f32) -> Result<Self> {
        let f = moment.width;
        let add = f64::from(ridge) * moment.trace() / f.max(1) as f64;
        let entry = |i: usize, j: usize| moment.entry(i, j) + if i == j { add } else { 0.0 };
        let matrix = Mat::from_fn(f, f, entry);
        let llt = Llt::new(matrix.as_ref(), Side::Lower).map_err(|_| {
            Error::numeric("the second moment of the keys cannot be inverted: it is not positive definite")
                .hint("take more keys (--stats-keys) or a larger ridge (--ridge)")
                .in_page("take more keys, or a larger ridge")
        })?;
        Ok(Self { llt })
    }

    /// `C⁻¹ k`.
    pub fn solve(&self, key: &[f64]) -> Vec<f64> {
        let rhs = Mat::from_fn(key.len(), 1, |i, _| key[i]);
        let found = self.llt.solve(&rhs);
        (0..key.len()).map(|i| found[(i, 0)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solving_undoes_the_matrix() {
        let f = 40;
        let raw: Vec<f64> = (0..2 * f * f).map(|i| ((i * 31) % 97) as f64 / 48.0 - 1.0).collect();
        let entry = |i: usize, j: usize| (0..2 * f).map(|n| raw[n * f + i] * raw[n * f + j]).sum::<f64>();
        let values: Vec<f64> = (0..f).flat_map(|column| (column..f).map(move |row| entry(row, column))).collect();
        let moment = SecondMoment { width: f, count: 2 * f, values };
        let key: Vec<f64> = (0..f).map(|i| (i as f64).sin()).collect();
        let ridge = 1e-3;
        let found = Factor::of(&moment, ridge).expect("it is positive definite").solve(&key);
        assert_eq!(moment.entry(3, 17), entry(17, 3));
        for i in 0..f {
            let row: f64 = (0..f).map(|j| moment.entry(i, j) * found[j]).sum();
            let back = row + f64::from(ridge) * moment.trace() / f as f64 * found[i];
            assert!((back - key[i]).abs() < 1e-9, "{i}: {back} {}", key[i]);
        }
        let zeros = SecondMoment { width: f, count: 1, values: vec![0.0; f * (f + 1) / 2] };
        assert!(Factor::of(&zeros, ridge).is_err());
    }
}
