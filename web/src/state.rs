//! What a person has chosen: with a record it decides the whole page. It travels in the address, so a link reproduces
//! a view.

use crate::figures::trace::{Pin, Scale};
use crate::wish::EditWish;
use engram_core::metrics::MetricConvention;
use engram_core::names::HubId;
use engram_core::protocol::{MapSite, ModelRef};
use engram_core::record::PatchPosition;

/// Everything that is chosen on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewState {
    /// Which of the open records is shown, from 0.
    pub record: usize,
    /// Patched position.
    pub position: PatchPosition,
    /// Count facts whose patches only hurt at the last layer, as the paper does.
    pub argmax_always: bool,
    /// `order` of the fact that is looked at.
    pub fact: Option<usize>,
    /// The record that Table 3's ratios are against, from 0.
    pub baseline: Option<usize>,
}

impl Default for ViewState {
    fn default() -> Self {
        let view = MetricConvention::default();
        Self { record: 0, position: view.position, argmax_always: view.argmax_always, fact: None, baseline: None }
    }
}

/// A part of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Trace one prompt.
    #[default]
    Trace,
    /// Follow the answer through the layers.
    Forward,
    /// Rewrite one fact.
    Edit,
    /// Run studies, and look at their records.
    Study,
    /// Load, preflight, list and delete models; the device.
    Models,
    /// Lessons: predict, then see it measured.
    Lessons,
}

impl Tab {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Forward, Self::Edit, Self::Study, Self::Models, Self::Lessons];

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Forward => "forward",
            Self::Edit => "edit",
            Self::Study => "study",
            Self::Models => "models",
            Self::Lessons => "lessons",
        }
    }
}

/// How the maps of a trace are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapView {
    /// Which map.
    pub site: MapSite,
    /// A row that is looked at, from 0.
    pub row: Option<usize>,
    /// Rows of a role are averaged.
    pub roles: bool,
    /// How cells become colours.
    pub scale: Scale,
}

impl Default for MapView {
    fn default() -> Self {
        Self { site: MapSite::Residual, row: None, roles: false, scale: Scale::Linear }
    }
}

/// Names of the maps in the address.
const MAPS: [(MapSite, &str); 3] =
    [(MapSite::Residual, "state"), (MapSite::Mlp, "mlp"), (MapSite::Attention, "attention")];

/// What the live lab shows: the tab, and the question that is asked of the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabState {
    /// The tab.
    pub tab: Tab,
    /// The model: a bundled one's name, a hub id, or an address (see [`model_of`]).
    pub model: String,
    /// The prompt.
    pub prompt: String,
    /// Its subject.
    pub subject: String,
    /// True answer; empty for the model's own.
    pub target: String,
    /// The answer to hold it against; empty for the model's own second.
    pub new: String,
    /// Corruption by noise of so many σ instead of a replacement.
    pub noise: bool,
    /// What the subject is replaced by; empty for a name with as many tokens.
    pub instead: String,
    /// Layers of a window of the MLP and attention maps; 0 for what suits the model's depth.
    pub window: usize,
    /// A layer that is looked at, from 1.
    pub layer: Option<usize>,
    /// How the maps are looked at.
    pub map: MapView,
    /// The pinned trace.
    pub pin: Option<Pin>,
    /// Differences from the pinned trace are shown.
    pub compare: bool,
    /// How an edit shall be made.
    pub edit: EditWish,
    /// The open lesson and its step.
    pub lesson: LessonPlace,
}

/// Where a reader of lessons is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LessonPlace {
    /// The lesson, from 1; none where all are listed.
    pub lesson: Option<usize>,
    /// Its step, from 1; the first when absent.
    pub step: Option<usize>,
    /// The step asks the question of the address (model, prompt, subject) in place of its own.
    pub own: bool,
}

/// Longest text that an address may bring.
const LONGEST: usize = 2000;

impl LabState {
    /// Names of an address that it reads, beside those of an edit.
    pub const NAMES: [&str; 19] = [
        // A link to a lesson needs no `tab`; one that is there counts.
        "lesson", "step", "own", "tab", "model", "prompt", "subject", "target", "new", "noise", "instead", "window",
        "map", "row", "layer", "rows", "scale", "pin", "compare",
    ];

    /// Takes over one `name=value` of an address. Unknown names and values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        let text = || (value.len() <= LONGEST).then(|| value.to_owned());
        match name {
            // Its name in older links.
            "tab" if value == "explore" => self.tab = Tab::Trace,
            "tab" => self.tab = Tab::ALL.into_iter().find(|tab| tab.name() == value).unwrap_or(self.tab),
            "lesson" => {
                self.lesson.lesson = value.parse().ok().filter(|&lesson| lesson > 0);
                self.tab = if self.lesson.lesson.is_some() { Tab::Lessons } else { self.tab };
            }
            "step" => self.lesson.step = value.parse().ok().filter(|&step| step > 0),
            "own" => self.lesson.own = matches!(value, "" | "1" | "true"),
            "model" => self.model = text().unwrap_or_default(),
            "prompt" => self.prompt = text().unwrap_or_default(),
            "subject" => self.subject = text().unwrap_or_default(),
            "target" => self.target = text().unwrap_or_default(),
            "new" => self.new = text().unwrap_or_default(),
            "noise" => self.noise = matches!(value, "" | "1" | "true"),
            "window" => self.window = value.parse().unwrap_or(self.window),
            "instead" => self.instead = text().unwrap_or_default(),
            "map" => {
                self.map.site = MAPS.into_iter().find(|(_, name)| *name == value).map_or(self.map.site, |map| map.0)
            }
            "row" => self.map.row = from_one(value).or(self.map.row),
            "pin" => self.pin = text().and_then(|text| Pin::read(&text)),
            "compare" => self.compare = matches!(value, "" | "1" | "true"),
            "rows" => self.map.roles = value == "roles",
            "scale" => {
                let named = Scale::ALL.into_iter().find(|(scale, _)| scale.name() == value);
                self.map.scale = named.map_or(self.map.scale, |named| named.0);
            }
            "layer" => self.layer = value.parse().ok().filter(|&layer| layer > 0).or(self.layer),
            _ => self.edit.read(name, value),
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if self.tab != Tab::default() {
            pairs.push(("tab", self.tab.name().to_owned()));
        }
        // Beside another screen a lesson would be taken for what is asked for.
        let LessonPlace { lesson, step, own } = if self.tab == Tab::Lessons { self.lesson } else { Default::default() };
        pairs.extend(lesson.map(|lesson| ("lesson", lesson.to_string())));
        pairs.extend(step.filter(|step| *step > 1).map(|step| ("step", step.to_string())));
        pairs.extend(own.then(|| ("own", "1".to_owned())));
        let texts = [
            ("model", &self.model),
            ("prompt", &self.prompt),
            ("subject", &self.subject),
            ("target", &self.target),
            ("new", &self.new),
            ("instead", &self.instead),
        ];
        pairs.extend(texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())));
        if self.noise {
            pairs.push(("noise", "1".to_owned()));
        }
        pairs.extend((self.window > 0).then(|| ("window", self.window.to_string())));
        let map = MAPS.into_iter().find(|(site, _)| *site == self.map.site && *site != MapSite::Residual);
        pairs.extend(map.map(|(_, name)| ("map", name.to_owned())));
        pairs.extend(self.map.row.map(|row| ("row", (row + 1).to_string())));
        pairs.extend(self.layer.map(|layer| ("layer", layer.to_string())));
        pairs.extend(self.map.roles.then(|| ("rows", "roles".to_owned())));
        let scale = self.map.scale;
        pairs.extend((scale != Scale::default()).then(|| ("scale", scale.name().to_owned())));
        pairs.extend(self.pin.as_ref().map(|pin| ("pin", pin.written())));
        pairs.extend((self.compare && self.pin.is_some()).then(|| ("compare", "1".to_owned())));
        pairs.extend(self.edit.written());
        pairs
    }
}

/// The models that come with the page, in the order in which they are offered.
pub const BUNDLED: [&str; 6] =
    ["engram-relay", "engram-llama", "engram-qwen2", "engram-gemma2", "engram-phi", "engram-llama-large"];

/// The model that a text names: a bundled one, an address, or a hub id with an optional `@revision`. `None` for
/// anything else.
pub fn model_of(text: &str) -> Option<ModelRef> {
    let text = text.trim();
    if BUNDLED.contains(&text) {
        return Some(ModelRef::Bundled { name: text.into() });
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(ModelRef::Url { url: text.into() });
    }
    let HubId { name, revision, file } = HubId::parse(text).filter(|id| id.name.contains('/'))?;
    Some(ModelRef::Hub { id: name.into(), revision: revision.map(Into::into), file: file.map(Into::into) })
}

/// All patch positions, in the order in which they are offered.
pub const POSITIONS: [PatchPosition; 3] =
    [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];

/// The patch position with this name.
pub fn position(name: &str) -> Option<PatchPosition> {
    POSITIONS.into_iter().find(|position| position.name() == name)
}

impl ViewState {
    /// Names of an address that it reads.
    pub const NAMES: [&str; 5] = ["show", "reading", "argmax-always", "fact", "baseline"];

    /// The view that the metrics take.
    pub fn view(&self) -> MetricConvention {
        MetricConvention { position: self.position, argmax_always: self.argmax_always, ..MetricConvention::default() }
    }

    /// Takes over one `name=value` of an address. Unknown names and values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        match name {
            "reading" => self.position = position(value).unwrap_or(self.position),
            "argmax-always" => self.argmax_always = matches!(value, "" | "1" | "true"),
            "show" => self.record = from_one(value).unwrap_or(self.record),
            "baseline" => self.baseline = from_one(value).or(self.baseline),
            "fact" => self.fact = from_one(value).or(self.fact),
            _ => {}
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        let mut pairs = Vec::new();
        if self.record != default.record {
            pairs.push(("show", (self.record + 1).to_string()));
        }
        if self.position != default.position {
            pairs.push(("reading", self.position.name().to_owned()));
        }
        if self.argmax_always {
            pairs.push(("argmax-always", "1".to_owned()));
        }
        pairs.extend(self.fact.map(|order| ("fact", order.saturating_add(1).to_string())));
        pairs.extend(self.baseline.map(|record| ("baseline", (record + 1).to_string())));
        pairs
    }
}

/// A count from 1, as people write it, to an index from 0.
fn from_one(value: &str) -> Option<usize> {
    value.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::Spsa;

    #[test]
    fn a_view_survives_its_address() {
        let state = ViewState {
            record: 2,
            position: PatchPosition::LastToken,
            argmax_always: true,
            fact: Some(0),
            baseline: Some(1),
        };
        let mut read = ViewState::default();
        for (name, value) in state.written() {
            read.read(name, &value);
        }
        assert_eq!(read, state);
        assert!(state.written().contains(&("fact", "1".into())), "facts are counted from 1, as the page shows them");
        assert!(ViewState::default().written().is_empty());
    }

    #[test]
    fn the_lab_survives_its_address_too() {
        let state = LabState {
            tab: Tab::Edit,
            model: "HuggingFaceTB/SmolLM2-135M".into(),
            prompt: "The capital of France is".into(),
            subject: "France".into(),
            target: "Paris".into(),
            new: "Rome".into(),
            noise: true,
            instead: "A Random Person".into(),
            window: 5,
            layer: Some(3),
            map: MapView { site: MapSite::Attention, row: Some(2), roles: true, scale: Scale::Root },
            pin: Pin::read("engram-phi|The capital of France is|France"),
            compare: true,
            edit: EditWish { method: Spsa { steps: 9, ..Spsa::default() }.into(), ..EditWish::default() },
            lesson: LessonPlace::default(),
        };
        let mut read = LabState::default();
        for (name, value) in state.written() {
            assert!(LabState::NAMES.contains(&name) || EditWish::NAMES.contains(&name), "{name} is never read");
            read.read(name, &value);
        }
        assert_eq!(read, state);
        let mut older = LabState { tab: Tab::Edit, ..LabState::default() };
        older.read("tab", "explore");
        assert_eq!(older.tab, Tab::Trace);
        read.read("tab", "moon");
        read.read("row", "0");
        read.read("layer", "0");
        assert_eq!(read, state);
        assert!(LabState::default().written().is_empty());
    }

    #[test]
    fn a_lesson_is_in_the_address_of_its_own_screen_only() {
        let place = LessonPlace { lesson: Some(3), step: Some(2), own: true };
        let state = LabState { tab: Tab::Lessons, lesson: place, prompt: "A b is".into(), ..LabState::default() };
        let mut read = LabState::default();
        state.written().into_iter().for_each(|(name, value)| read.read(name, &value));
        assert_eq!(read, state);
        assert!(LabState { tab: Tab::Trace, ..state }.written().iter().all(|(name, _)| *name == "prompt"));
        let mut short = LabState::default();
        short.read("lesson", "3");
        assert_eq!((short.tab, short.lesson.lesson), (Tab::Lessons, Some(3)));
        short.read("lesson", "0");
        assert_eq!(short.lesson.lesson, None);
    }

    #[test]
    fn a_text_names_a_model() {
        let hub = |id: &str, revision: Option<&str>| ModelRef::Hub {
            id: id.into(),
            revision: revision.map(Into::into),
            file: None,
        };
        assert_eq!(model_of(" engram-phi "), Some(ModelRef::Bundled { name: "engram-phi".into() }));
        assert_eq!(model_of("a/b-1.5"), Some(hub("a/b-1.5", None)));
        assert_eq!(model_of("a/b@refs/pr/1"), Some(hub("a/b", Some("refs/pr/1"))));
        let file = Some("q/c.gguf".into());
        assert_eq!(model_of("a/b:q/c.gguf"), Some(ModelRef::Hub { id: "a/b".into(), revision: None, file }));
        assert!(matches!(model_of("https://x.org/m.gguf"), Some(ModelRef::Url { .. })));
        for wrong in ["", "gpt2", "a/b/c", "../../etc", "a/..", "javascript:alert(1)", "a/b@", "a/b:c.bin"] {
            assert_eq!(model_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut state = ViewState::default();
        let pairs = [
            ("reading", "<script>"),
            ("show", "0"),
            ("show", "-1"),
            ("fact", "1e9"),
            ("fact", "0"),
            ("at-layer", "0"),
            ("colour", "red"),
        ];
        for (name, value) in pairs {
            state.read(name, value);
        }
        assert_eq!(state, ViewState::default());
    }
}
