//! What a person has chosen: with a record it decides the whole page. It travels in the address, so a link reproduces
//! a view.

use engram_core::metrics::View;
use engram_core::record::Reading;

/// Everything that is chosen on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewState {
    /// Which of the open records is shown, from 0.
    pub record: usize,
    /// Patched position.
    pub reading: Reading,
    /// Count facts whose patches only hurt at the last layer, as the paper does.
    pub argmax_always: bool,
    /// `order` of the fact that is looked at.
    pub fact: Option<usize>,
    /// The record that Table 3's ratios are against, from 0.
    pub baseline: Option<usize>,
}

impl Default for ViewState {
    fn default() -> Self {
        let view = View::default();
        Self { record: 0, reading: view.reading, argmax_always: view.argmax_always, fact: None, baseline: None }
    }
}

/// All readings, in the order in which they are offered.
pub const READINGS: [Reading; 3] = [Reading::SubjectLast, Reading::LastToken, Reading::SameIndex];

/// The reading with this name.
pub fn reading(name: &str) -> Option<Reading> {
    READINGS.into_iter().find(|reading| reading.name() == name)
}

impl ViewState {
    /// The view that the metrics take.
    pub fn view(&self) -> View {
        View { reading: self.reading, argmax_always: self.argmax_always, ..View::default() }
    }

    /// Takes over one `name=value` of an address. Unknown names and values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        match name {
            "reading" => self.reading = reading(value).unwrap_or(self.reading),
            "argmax-always" => self.argmax_always = matches!(value, "" | "1" | "true"),
            "show" => self.record = from_one(value).unwrap_or(self.record),
            "baseline" => self.baseline = from_one(value).or(self.baseline),
            "fact" => self.fact = value.parse().ok().or(self.fact),
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
        if self.reading != default.reading {
            pairs.push(("reading", self.reading.name().to_owned()));
        }
        if self.argmax_always {
            pairs.push(("argmax-always", "1".to_owned()));
        }
        pairs.extend(self.fact.map(|order| ("fact", order.to_string())));
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

    #[test]
    fn a_view_survives_its_address() {
        let state =
            ViewState { record: 2, reading: Reading::LastToken, argmax_always: true, fact: Some(0), baseline: Some(1) };
        let mut read = ViewState::default();
        for (name, value) in state.written() {
            read.read(name, &value);
        }
        assert_eq!(read, state);
        assert!(ViewState::default().written().is_empty());
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut state = ViewState::default();
        let pairs = [("reading", "<script>"), ("show", "0"), ("show", "-1"), ("fact", "1e9"), ("colour", "red")];
        for (name, value) in pairs {
            state.read(name, value);
        }
        assert_eq!(state, ViewState::default());
    }
}
