//! Means with their error, and shares with their counts.

use serde::{Deserialize, Serialize};

/// A mean over facts with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean, or a ratio of two means.
    pub mean: f64,
    /// Standard error `sqrt(Σ (x - mean)² / (n - 1)) / sqrt(n)`; none for one value and for a ratio of means.
    pub sem: Option<f64>,
    /// How many values.
    pub n: usize,
}

impl Mean {
    /// Mean and standard error of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        let sem = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
        Some(Self { mean, sem, n })
    }
}

/// A count out of a total.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Out of how many; at least 1.
    pub of: usize,
    /// `count / of`.
    pub share: f64,
}

impl Share {
    /// `count / of`; `None` of nothing.
    pub fn new(count: usize, of: usize) -> Option<Self> {
        (of > 0).then(|| Self { count, of, share: count as f64 / of as f64 })
    }
}
