//! Frequencies of rotary position embeddings (Su et al. 2021). Follows transformers' `modeling_rope_utils.py`.

use std::f64::consts::PI;
use std::fmt;

/// Rotary position embedding of a layer kind.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Base θ.
    pub theta: f64,
    /// Rotated dimensions of a head (all of them unless the family is partial).
    pub dims: usize,
    /// What is done to the frequencies.
    pub scaling: RopeScaling,
    /// Factor on cosines and sines; 1 but for `yarn` and `longrope`.
    pub attention_factor: f64,
    /// Tokens up to which these frequencies hold; `dynamic` and `longrope` have others for longer prompts.
    pub longest: Option<usize>,
}

/// Frequency scaling of a [`RopeSpec`].
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None. Also `dynamic`, as long as the prompt is not longer than the model was trained for.
    Plain,
    /// All frequencies divided by the factor.
    Linear(f64),
    /// Llama 3.1's: long wavelengths divided by `factor`, smooth in between.
    Llama3 {
        /// Division of the long wavelengths.
        factor: f64,
        /// `low_freq_factor`.
        low: f64,
        /// `high_freq_factor`.
        high: f64,
        /// `original_max_position_embeddings`.
        original: f64,
    },
    /// YaRN (Peng et al. 2023): between frequencies `first` and `last` (counted from the highest) the division by `factor`
    /// sets in.
    Yarn {
        /// Division of the long wavelengths.
        factor: f64,
        /// Where the division begins.
        first: f64,
        /// Where it is complete.
        last: f64,
    },
    /// A divisor for each frequency (`longrope`'s `short_factor`).
    Divisors(Vec<f32>),
}

impl RopeSpec {
    /// Unscaled frequencies.
    pub(crate) fn plain(dims: usize, theta: f64) -> Self {
        Self { theta, dims, scaling: RopeScaling::Plain, attention_factor: 1.0, longest: None }
    }

    /// The angle per position of each pair of dimensions. In f32, as transformers computes them.
    pub fn frequencies(&self) -> Vec<f32> {
        let half = self.dims / 2;
        let one = |i: usize| {
            let exponent = (2 * i) as f32 / self.dims as f32;
            let wave = (self.theta as f32).powf(exponent);
            self.scaled(i, wave)
        };
        (0..half).map(one).collect()
    }

    fn scaled(&self, at: usize, wave: f32) -> f32 {
        let plain = 1.0 / wave;
        match &self.scaling {
            RopeScaling::Plain => plain,
            RopeScaling::Linear(factor) => plain / *factor as f32,
            RopeScaling::Divisors(divisors) => 1.0 / (divisors[at] * wave),
            RopeScaling::Yarn { factor, first, last } => {
                let divided = ((at as f32 - *first as f32) / (last - first) as f32).clamp(0.0, 1.0);
                1.0 / (*factor as f32 * wave) * divided + plain * (1.0 - divided)
            }
            &RopeScaling::Llama3 { factor, low, high, original } => {
                let wavelength = 2.0 * PI / f64::from(plain);
                if wavelength > original / low {
                    plain / factor as f32
                } else if wavelength < original / high {
                    plain
                } else {
                    let smooth = ((original / wavelength - low) / (high - low)) as f32;
                    (1.0 - smooth) * plain / factor as f32 + smooth * plain
                }
            }
        }
    }
}

impl fmt::Display for RopeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "θ = {}", self.theta)?;
        match &self.scaling {
            RopeScaling::Plain => {}
            RopeScaling::Linear(factor) => write!(f, ", linear scaling by {factor}")?,
            RopeScaling::Llama3 { factor, low, high, original } => {
                write!(f, ", llama3 scaling by {factor} (low {low}, high {high}, original length {original})")?;
            }
            RopeScaling::Yarn { factor, .. } => write!(f, ", yarn scaling by {factor}")?,
            RopeScaling::Divisors(divisors) => {
                let most = divisors.iter().copied().fold(0.0, f32::max);
                write!(f, ", longrope with short factors up to {most}")?;
            }
        }
        if self.attention_factor != 1.0 {
            write!(f, ", cosines and sines times {:.4}", self.attention_factor)?;
        }
        match self.longest {
            Some(longest) => write!(f, ", for prompts of up to {longest} tokens"),
            None => Ok(()),
        }
    }
}
