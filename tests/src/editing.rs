//! What the independent PyTorch program of edits (tests/reference/editing.py) found, and how far other numbers are from it.

use crate::fixtures::fixture;
use engram_core::facts::{Fact, parse};
use engram_core::second_moment::StatsText;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Relative; the reference's own f32 and f64 differ by up to 6e-5 in a fact's value.
pub const TOLERANCE: f64 = 1e-4;

/// A bundled file or folder.
pub fn bundled(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled").join(path)
}

/// What PyTorch found.
pub struct Reference {
    /// Numbers.
    pub json: Value,
    bytes: Vec<u8>,
    /// All bundled facts.
    pub facts: Vec<Fact>,
}

impl Reference {
    /// Reads the fixture.
    pub fn read() -> Self {
        let read = |path: &Path| std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let json = serde_json::from_slice(&read(&fixture("editing.json"))).expect("JSON");
        let facts = parse("facts.json", &read(&bundled("facts.json"))).expect("facts").facts;
        Self { json, bytes: read(&fixture("editing.safetensors")), facts }
    }

    /// A tensor by its name.
    pub fn tensor(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("safetensors");
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("no {name}"));
        tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// The facts of a section.
    pub fn facts(&self, section: &str) -> Vec<Fact> {
        let places = self.json["facts"][section].as_array().expect("facts");
        places.iter().map(|place| self.facts[place.as_u64().expect("a place") as usize].clone()).collect()
    }

    /// The contexts but for the bare prompt.
    pub fn contexts(&self, section: &str) -> Vec<String> {
        let all = self.json["contexts"][section].as_array().expect("contexts");
        assert_eq!(all[0], "{}");
        all[1..].iter().map(|one| one.as_str().expect("a context").to_owned()).collect()
    }

    /// Names of the models.
    pub fn models(&self) -> Vec<String> {
        self.json["models"].as_object().expect("models").keys().cloned().collect()
    }

    /// The text that it took the second moments over.
    pub fn text(&self) -> StatsText {
        let lines: Vec<String> =
            self.facts.iter().map(|fact| format!("{} {}.", fact.prompt(), fact.target_true)).collect();
        let text = StatsText::new("facts", lines.join("\n"));
        assert_eq!(text.sha256, self.json["text_sha256"], "the text is not what the reference read");
        text
    }
}

/// A number of an object.
pub fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// `‖a - b‖ / ‖b‖`.
pub fn apart(found: &[f32], want: &[f32]) -> f64 {
    assert_eq!(found.len(), want.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = square(&mut found.iter().zip(want).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / square(&mut want.iter().map(|x| f64::from(*x)))
}

/// The largest error that was seen of each quantity.
pub struct Worst {
    seen: Vec<(&'static str, f64)>,
    /// Largest error that passes.
    pub allowed: f64,
}

impl Default for Worst {
    fn default() -> Self {
        Self { seen: Vec::new(), allowed: TOLERANCE }
    }
}

impl Worst {
    /// Takes in an error.
    pub fn see(&mut self, what: &'static str, error: f64, place: &str) {
        assert!(error <= self.allowed, "{place}: {what} is off by {error:.1e}");
        match self.seen.iter_mut().find(|(name, _)| *name == what) {
            Some((_, worst)) => *worst = worst.max(error),
            None => self.seen.push((what, error)),
        }
    }

    /// Takes in a difference, relative to what it should be.
    pub fn relative(&mut self, what: &'static str, found: f64, want: f64, place: &str) {
        self.see(what, (found - want).abs() / want.abs().max(1e-2), place);
    }

    /// All errors, as a line.
    pub fn told(&self) -> String {
        self.seen.iter().map(|(what, worst)| format!("{what} {worst:.1e}")).collect::<Vec<_>>().join(", ")
    }
}
