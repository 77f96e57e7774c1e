//! Settings of Stage 3: which facts are edited, where, and by which methods.

use super::read::{self, MOST_LAYERS};
use super::{EditLayers, EditMethod, PatchPosition, Spsa, is_zero};
use serde::{Deserialize, Serialize};

/// Most methods of one study.
const MOST_METHODS: usize = 100;
/// Most context prefixes.
pub(super) const MOST_CONTEXTS: usize = 1000;

/// Settings of Stage 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub struct EditSettings {
    /// Test facts.
    pub facts: usize,
    /// Unrelated facts whose true answers are watched.
    pub unrelated: usize,
    /// The patch position whose dominant layer is edited.
    pub position: PatchPosition,
    /// Where each fact is edited.
    pub layers: EditLayers,
    /// Facts that are edited at once by methods that edit many; 0 for all of them.
    pub batch: usize,
    /// So many facts are edited one after the other, and nothing is undone; 0 where every edit starts from the unedited model.
    pub sequence: usize,
    /// Both answers are traced again with an edit in force.
    pub retrace: bool,
    /// `p_false` above which a fact is editable (the paper's filter, for SPSA); 0 for every fact.
    pub min_p_false: f32,
    /// Tokens of the texts that a model writes about an edited subject, from its generation prompts; 0 for none.
    pub fluency: usize,
    /// How edits are found; each fact is edited by each of them, starting from the unedited model.
    pub methods: Vec<EditMethod>,
    /// Texts before the prompt that gradient editors average over; filled when the study starts.
    pub contexts: Vec<String>,
    /// The second moment of keys.
    pub second_moment: SecondMomentSettings,
}

impl Default for EditSettings {
    fn default() -> Self {
        Self {
            facts: 15,
            unrelated: 20,
            position: PatchPosition::SubjectLast,
            layers: EditLayers::Dominant,
            batch: 0,
            sequence: 0,
            retrace: false,
            min_p_false: 5e-4,
            fluency: 0,
            methods: vec![EditMethod::default()],
            contexts: Vec::new(),
            second_moment: SecondMomentSettings::default(),
        }
    }
}

impl EditSettings {
    /// Settings of one method.
    pub fn of(method: EditMethod) -> Self {
        let usual = Self::default();
        let min_p_false = if method.has_gradients() { 0.0 } else { usual.min_p_false };
        Self { methods: vec![method], min_p_false, ..usual }
    }

    /// The only method, or the first one.
    pub fn method(&self) -> EditMethod {
        self.methods.first().copied().unwrap_or_default()
    }

    /// Whether a fact may be edited whose new answer has this probability.
    pub fn editable(&self, p_false: f32) -> bool {
        self.min_p_false == 0.0 || p_false > self.min_p_false
    }

    /// Some method needs the second moment of keys.
    pub fn needs_second_moment(&self) -> bool {
        self.methods.iter().any(EditMethod::needs_second_moment)
    }

    /// Some method averages over contexts.
    pub fn needs_contexts(&self) -> bool {
        self.methods.iter().any(EditMethod::needs_contexts)
    }
}

/// The second moment `C` of a layer's keys, the inputs of its `down_proj`: `(1/N) Σ k kᵀ` over the tokens of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SecondMomentSettings {
    /// Keys that it is taken over; 0 for ten times their width.
    pub keys: usize,
    /// Tokens of the windows that the text is cut into.
    pub window: usize,
    /// Keys of a window's first position count.
    pub first: bool,
    /// `ridge · tr(C)/f` is added to its diagonal before it is inverted.
    pub ridge: f32,
    /// The text's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// SHA-256 of the text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

impl Default for SecondMomentSettings {
    fn default() -> Self {
        Self { keys: 0, window: 256, first: true, ridge: 1e-4, text: String::new(), sha256: String::new() }
    }
}

/// The settings as they are written. Programs that knew no other method have SPSA's settings beside the rest; they still
/// stand there for such readers.
#[derive(Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(default)]
struct Written {
    facts: usize,
    unrelated: usize,
    #[serde(rename = "reading")]
    position: PatchPosition,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<usize>,
    /// The layers, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_LAYERS>")]
    layers: Vec<usize>,
    #[serde(skip_serializing_if = "is_zero")]
    batch: usize,
    #[serde(skip_serializing_if = "is_zero")]
    sequence: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retrace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<f32>,
    min_p_false: f32,
    #[serde(skip_serializing_if = "is_zero")]
    fluency: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<EditMethod>,
    /// All methods, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_METHODS>")]
    methods: Vec<EditMethod>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_CONTEXTS>")]
    contexts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_moment: Option<SecondMomentSettings>,
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
        let needs = settings.needs_second_moment() || settings.sequence > 0;
        let EditSettings { facts, unrelated, position, layers, batch, sequence, retrace, .. } = settings;
        let EditSettings { min_p_false, fluency, methods, contexts, second_moment, .. } = settings;
        let layer = layers.only();
        let layers = match (layer, layers) {
            (None, EditLayers::Fixed(layers)) => layers,
            _ => Vec::new(),
        };
        let first = methods.first().copied().unwrap_or_default();
        let spsa = if let EditMethod::Spsa(spsa) = first { Some(spsa) } else { None };
        Self {
            facts,
            unrelated,
            position,
            layer,
            layers,
            batch,
            sequence,
            retrace,
            steps: spsa.map(|spsa| spsa.steps),
            epsilon: spsa.map(|spsa| spsa.epsilon),
            eta: spsa.map(|spsa| spsa.eta),
            min_p_false,
            fluency,
            method: Some(first),
            methods: if methods.len() > 1 { methods } else { Vec::new() },
            contexts,
            second_moment: needs.then_some(second_moment),
        }
    }
}

impl TryFrom<Written> for EditSettings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { facts, unrelated, position, layer, layers, batch, sequence, retrace, .. } = written;
        let Written { steps, epsilon, eta, min_p_false, fluency, .. } = written;
        let Written { method, mut methods, contexts, second_moment, .. } = written;
        let first = match (method.unwrap_or_default(), steps.is_some() || epsilon.is_some() || eta.is_some()) {
            (EditMethod::Spsa(named), _) => {
                let spsa = Spsa {
                    steps: steps.unwrap_or(named.steps),
                    epsilon: epsilon.unwrap_or(named.epsilon),
                    eta: eta.unwrap_or(named.eta),
                };
                if method.is_some() && spsa != named {
                    return Err("edit.method has other steps, epsilon or eta than stand beside it".into());
                }
                spsa.into()
            }
            (_, true) => return Err("steps, epsilon or eta stand beside an edit.method that has none".into()),
            (other, false) => other,
        };
        match methods.first() {
            None => methods = vec![first],
            Some(&listed) if listed == first => {}
            Some(_) => return Err("edit.method is not the first of edit.methods".into()),
        }
        if layer.is_some() && !layers.is_empty() {
            return Err("edit.layer stands beside edit.layers".into());
        }
        Ok(Self {
            facts,
            unrelated,
            position,
            layers: EditLayers::of(layer.into_iter().chain(layers)),
            batch,
            sequence,
            retrace,
            min_p_false,
            fluency,
            methods,
            contexts,
            second_moment: second_moment.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Rome;
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
            layers: EditLayers::of([7]),
            min_p_false: 0.125,
            methods: vec![Spsa { steps: 9, epsilon: 0.5, eta: 0.25 }.into()],
            ..EditSettings::default()
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
        assert!(said(json!({"method": {"kind": "no-such"}})).contains("no-such"));
        let rome = to_value(EditMethod::from(Rome::default())).expect("a tree");
        assert!(said(json!({"method": rome, "eta": 0.5})).contains("has none"));
        assert!(said(json!({"method": rome, "methods": [method]})).contains("not the first"));
    }

    #[test]
    fn methods_are_read_as_they_were_written() {
        let named = |name: &&str| EditMethod::named(name).expect("a method");
        for name in EditMethod::NAMES {
            let settings = EditSettings { contexts: vec!["One. {}".into()], ..EditSettings::of(named(&name)) };
            assert_eq!(from_value::<EditSettings>(to_value(&settings).expect("a tree")).expect("settings"), settings);
            assert_eq!(settings.method().name(), name);
        }
        let settings =
            EditSettings { methods: EditMethod::NAMES.iter().map(named).collect(), ..EditSettings::default() };
        assert_eq!(from_value::<EditSettings>(to_value(&settings).expect("a tree")).expect("settings"), settings);
    }

    #[test]
    fn several_layers_are_a_list_and_one_is_a_number() {
        let written = |layers| to_value(EditSettings { layers, ..EditSettings::default() }).expect("a tree");
        assert_eq!(written(EditLayers::of([4]))["layer"], json!(4));
        let several = written(EditLayers::of([6, 2, 2]));
        assert_eq!((several.get("layer"), &several["layers"]), (None, &json!([2, 6])));
        assert_eq!(from_value::<EditSettings>(several).expect("settings").layers, EditLayers::Fixed(vec![2, 6]));
        assert!(from_value::<EditSettings>(json!({"layer": 1, "layers": [2, 3]})).is_err());
        assert_eq!(EditLayers::All.named(3), EditLayers::Fixed(vec![1, 2, 3]));
    }
}
