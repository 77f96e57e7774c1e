//! Settings of Stage 3: which facts are edited, where, and by which method.

use super::PatchPosition;
use serde::{Deserialize, Serialize};

/// Settings of Stage 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct EditSettings {
    /// Test facts.
    pub facts: usize,
    /// Unrelated facts whose true answers are watched.
    pub unrelated: usize,
    /// The patch position whose dominant layer is edited.
    pub position: PatchPosition,
    /// A fixed layer instead, `1..=L`.
    pub layer: Option<usize>,
    /// Smallest `p_false` of an editable fact.
    pub min_p_false: f32,
    /// How the edit is found.
    pub method: EditMethod,
}

impl Default for EditSettings {
    fn default() -> Self {
        Self {
            facts: 15,
            unrelated: 20,
            position: PatchPosition::SubjectLast,
            layer: None,
            min_p_false: 5e-4,
            method: EditMethod::default(),
        }
    }
}

/// How an edit is found, with the method's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "WrittenMethod")]
pub enum EditMethod {
    /// ROME's rank-one update towards a value that SPSA has found.
    Spsa(Spsa),
}

impl Default for EditMethod {
    fn default() -> Self {
        Self::Spsa(Spsa::default())
    }
}

impl From<Spsa> for EditMethod {
    fn from(spsa: Spsa) -> Self {
        Self::Spsa(spsa)
    }
}

impl EditMethod {
    /// Steps of its search.
    pub fn steps(&self) -> usize {
        match self {
            Self::Spsa(spsa) => spsa.steps,
        }
    }
}

/// Simultaneous perturbation (Spall 1992): steps along random directions, sized by two evaluations of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spsa {
    /// Steps.
    pub steps: usize,
    /// Perturbation ε, in the units of the MLP's value.
    pub epsilon: f32,
    /// Step size η.
    pub eta: f32,
}

impl Default for Spsa {
    fn default() -> Self {
        Self { steps: 250, epsilon: 5e-3, eta: 5.0 }
    }
}

/// The settings as they are written. Programs that knew no other method have SPSA's settings beside the rest; they still
/// stand there for such readers.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Written {
    facts: usize,
    unrelated: usize,
    #[serde(rename = "reading")]
    position: PatchPosition,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<f32>,
    min_p_false: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<EditMethod>,
}

impl Default for Written {
    fn default() -> Self {
        let mut usual = Self::from(EditSettings::default());
        (usual.steps, usual.epsilon, usual.eta, usual.method) = (None, None, None, None);
        usual
    }
}

impl From<EditSettings> for Written {
    fn from(settings: EditSettings) -> Self {
        let EditSettings { facts, unrelated, position, layer, min_p_false, method } = settings;
        let EditMethod::Spsa(Spsa { steps, epsilon, eta }) = method;
        let (steps, epsilon, eta) = (Some(steps), Some(epsilon), Some(eta));
        Self { facts, unrelated, position, layer, steps, epsilon, eta, min_p_false, method: Some(method) }
    }
}

impl TryFrom<Written> for EditSettings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { facts, unrelated, position, layer, steps, epsilon, eta, min_p_false, method } = written;
        let EditMethod::Spsa(named) = method.unwrap_or_default();
        let spsa = Spsa {
            steps: steps.unwrap_or(named.steps),
            epsilon: epsilon.unwrap_or(named.epsilon),
            eta: eta.unwrap_or(named.eta),
        };
        if method.is_some() && spsa != named {
            return Err("edit.method has other steps, epsilon or eta than stand beside it".into());
        }
        Ok(Self { facts, unrelated, position, layer, min_p_false, method: EditMethod::Spsa(spsa) })
    }
}

/// A method as it is written, all methods' settings side by side: a tagged type would be read by way of a tree of values.
#[derive(Deserialize)]
struct WrittenMethod {
    kind: Kind,
    steps: Option<usize>,
    epsilon: Option<f32>,
    eta: Option<f32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Spsa,
}

impl TryFrom<WrittenMethod> for EditMethod {
    type Error = String;

    fn try_from(written: WrittenMethod) -> Result<Self, String> {
        let WrittenMethod { kind, steps, epsilon, eta } = written;
        let missing = |what: &str| format!("edit.method has no {what}");
        Ok(match kind {
            Kind::Spsa => Self::Spsa(Spsa {
                steps: steps.ok_or_else(|| missing("steps"))?,
                epsilon: epsilon.ok_or_else(|| missing("epsilon"))?,
                eta: eta.ok_or_else(|| missing("eta"))?,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json, to_value};

    #[test]
    fn settings_of_programs_without_methods_are_spsas() {
        let old = json!({"facts": 3, "unrelated": 4, "reading": "last-token", "layer": 7, "steps": 9, "epsilon": 0.5,
            "eta": 0.25, "min_p_false": 0.125});
        let read: EditSettings = from_value(old.clone()).expect("settings");
        let want = EditSettings {
            facts: 3,
            unrelated: 4,
            position: PatchPosition::LastToken,
            layer: Some(7),
            min_p_false: 0.125,
            method: EditMethod::Spsa(Spsa { steps: 9, epsilon: 0.5, eta: 0.25 }),
        };
        assert_eq!(read, want);
        // What they read in a record of today is what they wrote.
        let written = to_value(&read).expect("a tree");
        assert_eq!(written["method"], json!({"kind": "spsa", "steps": 9, "epsilon": 0.5, "eta": 0.25}));
        let flat: serde_json::Map<String, Value> =
            written.as_object().expect("an object").clone().into_iter().filter(|(key, _)| key != "method").collect();
        assert_eq!(Value::Object(flat), old);
        assert_eq!(from_value::<EditSettings>(json!({})).expect("defaults"), EditSettings::default());
        assert_eq!(from_value::<EditSettings>(written).expect("again"), want);
    }

    #[test]
    fn methods_that_contradict_themselves_or_are_unknown_are_refused() {
        let said = |value: Value| from_value::<EditSettings>(value).expect_err("wrong").to_string();
        let method = json!({"kind": "spsa", "steps": 9, "epsilon": 0.5, "eta": 0.25});
        assert!(said(json!({"steps": 8, "method": method})).contains("beside it"));
        assert!(said(json!({"method": {"kind": "spsa", "steps": 9, "eta": 1.0}})).contains("no epsilon"));
        assert!(said(json!({"method": {"kind": "memit"}})).contains("memit"));
    }
}
