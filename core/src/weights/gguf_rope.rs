//! Llama 3's frequency divisors, as a GGUF file stores them, back to the `rope_scaling` that they were computed from.

use std::f64::consts::PI;

use serde_json::{Value, json};

use crate::rope::{RopeScaling, RopeSpec};

/// Llama 3.1 and later have these; converters write neither.
const LOW: f64 = 1.0;
const HIGH: f64 = 4.0;
/// Llama 3's own length.
const ORIGINAL: u64 = 8192;
/// How well a rule must give the divisors back: they are stored as f32.
const CLOSE: f64 = 2e-6;

/// `{"rope_type": "llama3", …}` where its formula gives these divisors; else `longrope`, which takes any. Its lists are used
/// for all prompts, short and long.
pub(super) fn scaling(divisors: &[f32], theta: f64, context: u64) -> Result<Value, String> {
    if divisors.is_empty() || divisors.iter().any(|n| !n.is_finite() || *n <= 0.0) {
        return Err("the divisors of the rotary frequencies are not all positive numbers".into());
    }
    if let Some((factor, original)) = llama3(divisors, theta) {
        return Ok(json!({
            "factor": factor, "high_freq_factor": HIGH, "low_freq_factor": LOW,
            "original_max_position_embeddings": original, "rope_type": "llama3",
        }));
    }
    Ok(json!({
        "attention_factor": 1.0, "factor": 1.0, "long_factor": divisors, "original_max_position_embeddings": context,
        "rope_type": "longrope", "short_factor": divisors,
    }))
}

/// The factor and the original length of Llama 3's formula, if there are some.
fn llama3(divisors: &[f32], theta: f64) -> Option<(f64, u64)> {
    let dims = 2 * divisors.len();
    let factor = divisors.iter().map(|&n| f64::from(n)).fold(1.0, f64::max);
    let wavelength = |at: usize| 2.0 * PI * theta.powf((2 * at) as f64 / dims as f64);
    // A divisor between 1 and the factor gives the length away: 1/d = (1 - s)/factor + s, s = (length/λ - low)/(high - low).
    let between = divisors.iter().enumerate().filter(|(_, n)| **n > 1.001 && f64::from(**n) < factor * 0.999);
    let lengths = between.map(|(at, &n)| {
        let smooth = (1.0 / f64::from(n) - 1.0 / factor) / (1.0 - 1.0 / factor);
        (wavelength(at) * (LOW + smooth * (HIGH - LOW))).round() as u64
    });
    // Without one, any length between the last whole wavelength and the first divided one gives the same.
    let last =
        (0..divisors.len()).filter(|&at| divisors[at] <= 1.001).map(|at| HIGH * wavelength(at)).fold(0.0, f64::max);
    let guesses = lengths.chain([ORIGINAL]).chain((2..18).map(|power| 1 << power)).chain([last.ceil() as u64 + 1]);
    guesses.filter(|&length| length > 0).map(|length| (factor, length)).find(|&(factor, length)| {
        let scaling = RopeScaling::Llama3 { factor, low: LOW, high: HIGH, original: length as f64 };
        let spec = |scaling| RopeSpec { theta, dims, scaling, attention_factor: 1.0, longest: None };
        let (scaled, plain) = (spec(scaling).frequencies(), spec(RopeScaling::Plain).frequencies());
        let fits = |((&scaled, &plain), &divisor): ((&f32, &f32), &f32)| {
            let wanted = f64::from(plain) / f64::from(divisor);
            (f64::from(scaled) - wanted).abs() <= CLOSE * wanted
        };
        scaled.iter().zip(&plain).zip(divisors).all(fits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What llama.cpp's converter computes, in f32.
    fn converted(dims: usize, theta: f64, factor: f64, original: f64) -> Vec<f32> {
        let one = |at: usize| {
            let frequency = 1.0 / theta.powf((2 * at) as f64 / dims as f64);
            let wavelength = 2.0 * PI / frequency;
            if wavelength < original / HIGH {
                1.0
            } else if wavelength > original / LOW {
                factor
            } else {
                let smooth = (original / wavelength - LOW) / (HIGH - LOW);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        (0..dims / 2).map(|at| one(at) as f32).collect()
    }

    #[test]
    fn published_models_come_back() {
        for (dims, theta, factor, original) in
            [(128, 5e5, 8.0, 8192.0), (64, 5e5, 32.0, 8192.0), (10, 1e4, 4.0, 32.0), (128, 5e5, 16.0, 4000.0)]
        {
            let found = scaling(&converted(dims, theta, factor, original), theta, 131_072).expect("divisors");
            assert_eq!(found["rope_type"], "llama3", "{found}");
            assert_eq!(found["factor"].as_f64(), Some(factor));
            assert_eq!(found["original_max_position_embeddings"].as_f64(), Some(original));
        }
    }

    #[test]
    fn others_are_kept_as_they_are() {
        let found = scaling(&[1.0, 1.5, 1.2, 3.0], 1e4, 4096).expect("divisors");
        assert_eq!((found["rope_type"].as_str(), &found["short_factor"]), (Some("longrope"), &found["long_factor"]));
        assert!(scaling(&[1.0, 0.0], 1e4, 4096).is_err() && scaling(&[], 1e4, 4096).is_err());
    }
}
