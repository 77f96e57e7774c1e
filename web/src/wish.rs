//! How an edit shall be made: the layer, the method and its settings (METHODS, section 4).

use engram_core::protocol::EditCommand;
use engram_core::record::{EditMethod, Settings, Spsa};

/// The choices of the edit tab beside its question. They travel in the address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EditWish {
    /// Block to edit, from 1; the fact's dominant layer when absent.
    pub layer: Option<usize>,
    /// The method, with its settings.
    pub method: EditMethod,
    /// Seed of its draws.
    pub seed: u64,
}

impl Default for EditWish {
    fn default() -> Self {
        let method = EditMethod::named(Self::USUAL).expect("the usual method has a name");
        Self { layer: None, method, seed: Settings::default().seed }
    }
}

/// Most steps that a page asks for: more than this is a matter for the command line.
const MOST_STEPS: usize = 5000;
/// Most layers, facts of a batch, rank.
const MOST_COUNT: usize = 10_000;

impl EditWish {
    /// The method that a form starts with.
    const USUAL: &'static str = "r-rome";

    /// The names that [`EditWish::read`] knows; the method stands before its settings.
    pub const NAMES: [&'static str; 19] = [
        "at",
        "method",
        "c",
        "steps",
        "layers",
        "batch",
        "rank",
        "epsilon",
        "eta",
        "lr",
        "decay",
        "kl",
        "clamp",
        "stop",
        "lambda",
        "threshold",
        "l2",
        "alpha",
        "seed",
    ];

    /// Takes over one `name=value`. Values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        let value = value.trim();
        let positive = |most: f32| value.parse().ok().filter(|&x: &f32| x > 0.0 && x <= most);
        match name {
            "at" if value.is_empty() => self.layer = None,
            "at" => self.layer = value.parse().ok().filter(|&layer| layer > 0).or(self.layer),
            "method" => {
                let other = EditMethod::named(value).filter(|other| other.name() != self.method.name());
                self.method = other.unwrap_or(self.method);
            }
            "c" => self.method.set_covariance(value != "identity"),
            "steps" => {
                let steps = value.parse().ok().filter(|steps| (1..=MOST_STEPS).contains(steps));
                self.method.set_count(name, steps.unwrap_or(self.method.steps()));
            }
            "layers" | "batch" | "rank" => {
                if let Some(count) = value.parse().ok().filter(|count| (1..=MOST_COUNT).contains(count)) {
                    self.method.set_count(name, count);
                }
            }
            "seed" => self.seed = value.parse().unwrap_or(self.seed),
            _ => {
                // Links from before there were methods name these alone.
                if matches!(name, "epsilon" | "eta") && self.method.name() != "spsa" {
                    let usual = Self::default().method.steps();
                    let steps = Some(self.method.steps()).filter(|steps| *steps != usual);
                    let spsa = Spsa::default();
                    self.method = Spsa { steps: steps.unwrap_or(spsa.steps), ..spsa }.into();
                }
                let most = if name == "epsilon" { 1.0 } else { 1e6 };
                let zero =
                    matches!(name, "decay" | "kl" | "stop" | "lambda" | "threshold") && value.parse() == Ok(0.0f32);
                if let Some(number) = positive(most).or(zero.then_some(0.0)).filter(|_| Self::NAMES.contains(&name)) {
                    self.method.set(name, number);
                }
            }
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        let usual = EditMethod::named(self.method.name()).unwrap_or(default.method);
        let mut pairs = Vec::new();
        pairs.extend(self.layer.map(|layer| ("at", layer.to_string())));
        let mut differs = |name, now: String, usual: String| {
            if now != usual {
                pairs.push((name, now));
            }
        };
        differs("method", self.method.name().into(), default.method.name().into());
        let c = |method: &EditMethod| if method.needs_second_moment() { "text" } else { "identity" }.to_owned();
        differs("c", c(&self.method), c(&usual));
        for ((name, now), (_, usual)) in self.method.counts().into_iter().zip(usual.counts()) {
            differs(name, now.to_string(), usual.to_string());
        }
        for ((name, now), (_, usual)) in self.method.numbers().into_iter().zip(usual.numbers()) {
            differs(name, now.to_string(), usual.to_string());
        }
        differs("seed", self.seed.to_string(), default.seed.to_string());
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
            method: self.method,
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::{EditKey, Rome, ValueSearch};

    #[test]
    fn a_wish_survives_its_address() {
        let spsa = Spsa { steps: 400, epsilon: 0.01, eta: 2.5 }.into();
        let search = ValueSearch { steps: 9, lr: 0.1, decay: 0.01, kl: 0.5, clamp: 2.0, stop: 0.01 };
        let rome = Rome { key: EditKey::Published, covariance: false, search, ..Rome::default() }.into();
        let mut read = EditWish::default();
        for method in [rome, spsa] {
            let wish = EditWish { layer: Some(5), method, seed: 7 };
            for (name, value) in wish.written() {
                assert!(EditWish::NAMES.contains(&name));
                read.read(name, &value);
            }
            assert_eq!(read, wish);
        }
        let wish = read;
        let mut old = EditWish::default();
        old.read("steps", "400");
        old.read("eta", "2.5");
        assert_eq!(old.method, Spsa { steps: 400, eta: 2.5, ..Spsa::default() }.into(), "a link of before");
        assert!(EditWish::default().written().is_empty());
        for (name, value) in [
            ("at", "0"),
            ("steps", "0"),
            ("steps", "1e9"),
            ("epsilon", "NaN"),
            ("eta", "-1"),
            ("lr", "3"),
            ("lambda", "3"),
        ] {
            read.read(name, value);
        }
        assert_eq!(read, wish);
        read.read("at", "");
        assert_eq!(read.layer, None);
    }

    #[test]
    fn the_request_is_trimmed() {
        let ask = EditWish::default().ask("The capital of France is", "France", " Paris", "Rome ");
        assert_eq!((ask.target.as_str(), ask.target_new.as_str(), ask.method.steps()), ("Paris", "Rome", 20));
    }
}
