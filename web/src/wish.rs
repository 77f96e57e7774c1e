//! How an edit shall be made: the layer, and the settings of the search for v* (METHODS, section 4).

use engram_core::protocol::EditCommand;
use engram_core::record::{Settings, Spsa};

/// The choices of the edit tab beside its question. They travel in the address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EditWish {
    /// Block to edit, from 1; the fact's dominant layer when absent.
    pub layer: Option<usize>,
    /// Settings of the search.
    pub spsa: Spsa,
    /// Seed of its directions.
    pub seed: u64,
}

impl Default for EditWish {
    fn default() -> Self {
        Self { layer: None, spsa: Spsa::default(), seed: Settings::default().seed }
    }
}

/// Most steps that a page asks for: more than this is a matter for the command line.
const MOST_STEPS: usize = 5000;

impl EditWish {
    /// The names that [`EditWish::read`] knows.
    pub const NAMES: [&'static str; 5] = ["at", "steps", "epsilon", "eta", "seed"];

    /// Takes over one `name=value`. Values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        let positive = |most: f32| value.trim().parse().ok().filter(|&x: &f32| x > 0.0 && x <= most);
        match name {
            "at" if value.is_empty() => self.layer = None,
            "at" => self.layer = value.parse().ok().filter(|&layer| layer > 0).or(self.layer),
            "steps" => {
                let steps = value.trim().parse().ok().filter(|steps| (1..=MOST_STEPS).contains(steps));
                self.spsa.steps = steps.unwrap_or(self.spsa.steps);
            }
            "epsilon" => self.spsa.epsilon = positive(1.0).unwrap_or(self.spsa.epsilon),
            "eta" => self.spsa.eta = positive(1000.0).unwrap_or(self.spsa.eta),
            "seed" => self.seed = value.trim().parse().unwrap_or(self.seed),
            _ => {}
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        let mut pairs = Vec::new();
        pairs.extend(self.layer.map(|layer| ("at", layer.to_string())));
        let numbers = [
            ("steps", self.spsa.steps.to_string(), default.spsa.steps.to_string()),
            ("epsilon", self.spsa.epsilon.to_string(), default.spsa.epsilon.to_string()),
            ("eta", self.spsa.eta.to_string(), default.spsa.eta.to_string()),
            ("seed", self.seed.to_string(), default.seed.to_string()),
        ];
        pairs.extend(numbers.into_iter().filter(|(_, now, usual)| now != usual).map(|(name, now, _)| (name, now)));
        pairs
    }

    /// The request for an edit of this fact.
    pub fn ask(&self, prompt: &str, subject: &str, target: &str, target_new: &str) -> EditCommand {
        EditCommand {
            prompt: prompt.into(),
            subject: subject.into(),
            target: target.trim().into(),
            target_new: target_new.trim().into(),
            layer: self.layer,
            method: self.spsa.into(),
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_survives_its_address() {
        let wish = EditWish { layer: Some(5), spsa: Spsa { steps: 400, epsilon: 0.01, eta: 2.5 }, seed: 7 };
        let mut read = EditWish::default();
        for (name, value) in wish.written() {
            assert!(EditWish::NAMES.contains(&name));
            read.read(name, &value);
        }
        assert_eq!(read, wish);
        assert!(EditWish::default().written().is_empty());
        for (name, value) in [("at", "0"), ("steps", "0"), ("steps", "1e9"), ("epsilon", "NaN"), ("eta", "-1")] {
            read.read(name, value);
        }
        assert_eq!(read, wish);
        read.read("at", "");
        assert_eq!(read.layer, None);
    }

    #[test]
    fn the_request_is_trimmed() {
        let ask = EditWish::default().ask("The capital of France is", "France", " Paris", "Rome ");
        assert_eq!((ask.target.as_str(), ask.target_new.as_str(), ask.method.steps()), ("Paris", "Rome", 250));
    }
}
