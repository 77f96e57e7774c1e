//! A trace that arrives piece by piece: the record so far, and how far it is.

use crate::words;
use engram_core::protocol::{Cost, Event, Failure, MapSite, ModelRef, Question, Word};
use engram_core::record::{FactRecord, Maps, Record, Traced};

/// How far a trace is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Stage {
    /// It waits for its turn.
    #[default]
    Waiting,
    /// It is computed.
    Begun,
    /// Everything is there.
    Done,
    /// It was cancelled, or failed.
    Stopped(Failure),
}

/// A trace so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Partial {
    /// How far it is.
    pub stage: Stage,
    /// What there is of the record.
    pub record: Option<Record>,
    /// What the model itself says next.
    pub greedy: Option<String>,
    /// The most probable next tokens of the clean and of the corrupted run.
    pub runs: Option<[Vec<Word>; 2]>,
    /// What was asked.
    pub question: Option<Question>,
    /// What it cost.
    pub cost: Option<Cost>,
    /// Window of the MLP and attention maps.
    pub window: usize,
    /// The model that is asked.
    pub model: Option<ModelRef>,
    /// Edits that are in force: their numbers, and seconds that they took, because every loaded model counts from 1.
    pub edits: Vec<(u32, f64)>,
}

impl Partial {
    /// A trace that was just asked for.
    pub fn new(window: usize, model: ModelRef, edits: Vec<(u32, f64)>) -> Self {
        Self { window, model: Some(model), edits, ..Self::default() }
    }

    /// Takes in what the engine tells.
    pub fn take(&mut self, news: Event) {
        match news {
            Event::Begun => self.stage = Stage::Begun,
            Event::Traced(record) => {
                self.stage = Stage::Begun;
                self.record = Some(*record);
                let window = self.window;
                if let Some(traced) = self.traced_mut() {
                    let empty = || vec![Vec::new(); traced.corrupt_tokens.len()];
                    let maps = Maps { window, residual: empty(), mlp: empty(), attention: empty() };
                    traced.maps.get_or_insert(maps);
                }
            }
            Event::MapRow { site, position, values } => {
                let maps = self.traced_mut().and_then(|traced| traced.maps.as_mut());
                let map = maps.map(|maps| match site {
                    MapSite::Residual => &mut maps.residual,
                    MapSite::Mlp => &mut maps.mlp,
                    MapSite::Attention => &mut maps.attention,
                });
                if let Some(row) = map.and_then(|map| map.get_mut(position)) {
                    *row = values;
                }
            }
            Event::Runs { clean, corrupt } => self.runs = Some([clean, corrupt]),
            Event::Lens(lens) => {
                if let Some(traced) = self.traced_mut() {
                    traced.lens = Some(lens);
                }
            }
            Event::Redundancy { position, curve } => {
                if let Some(traced) = self.traced_mut() {
                    traced.redundancy.insert(position, curve);
                }
            }
            Event::Trace { record, greedy, cost } => {
                self.record = Some(*record);
                self.greedy = Some(greedy);
                self.cost = Some(cost);
                self.stage = Stage::Done;
            }
            Event::Failed(failure) => self.stage = Stage::Stopped(failure),
            _ => {}
        }
    }

    fn traced_mut(&mut self) -> Option<&mut Traced> {
        self.record.as_mut()?.facts.first_mut()?.traced_mut()
    }

    /// Its one fact, once there is something of it.
    pub fn fact(&self) -> Option<&FactRecord> {
        self.record.as_ref()?.facts.first()
    }

    /// Rows of the maps that are there, and how many there will be.
    pub fn rows(&self) -> (usize, usize) {
        let maps = self.fact().and_then(FactRecord::traced).and_then(|traced| traced.maps.as_ref());
        let Some(maps) = maps else { return (0, 0) };
        let rows = || [&maps.residual, &maps.mlp, &maps.attention].into_iter().flatten();
        (rows().filter(|row| !row.is_empty()).count(), rows().count())
    }

    /// How far it is, in words; `None` once everything is there.
    pub fn progress(&self) -> Option<String> {
        let (done, of) = self.rows();
        match &self.stage {
            Stage::Done => None,
            Stage::Waiting => Some("waiting for the engine…".into()),
            Stage::Begun if of == 0 => Some("computing the values of each layer…".into()),
            Stage::Begun if done == of => Some("putting it together…".into()),
            Stage::Begun => Some(format!("row {} of {of} of the maps…", done + 1)),
            Stage::Stopped(failure) => {
                let why = if failure.cancelled() { "cancelled" } else { "broken off" };
                Some(format!("{why} after {done} of {of} rows; what was computed stays"))
            }
        }
    }
}

/// What the model says by itself, when that is not the answer that was traced.
pub fn by_itself(greedy: &str, answer: &str) -> Option<String> {
    let (greedy, answer) = (greedy.trim(), answer.trim());
    let same = greedy.is_empty() || answer.starts_with(greedy) || greedy.starts_with(answer);
    (!same).then(|| format!("By itself the model says “{}”.", words::visible(greedy)))
}

/// What a finished trace cost, in words.
pub fn cost(cost: &Cost) -> String {
    let seconds = match cost.seconds {
        seconds if seconds < 10.0 => format!("{seconds:.2} s"),
        seconds => format!("{seconds:.0} s"),
    };
    if cost.cached { format!("{seconds}, from the activations of the first run") } else { seconds }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn begun() -> Partial {
        let mut record = sample::record();
        record.facts.truncate(1);
        record.edits = None;
        let mut partial = Partial::new(3, ModelRef::Bundled { name: "engram-llama".into() }, Vec::new());
        assert_eq!(partial.progress().as_deref(), Some("waiting for the engine…"));
        partial.take(Event::Begun);
        assert!(partial.progress().is_some_and(|said| said.starts_with("computing")));
        partial.take(Event::Traced(Box::new(record)));
        partial
    }

    #[test]
    fn rows_fill_in() {
        let mut partial = begun();
        assert_eq!(partial.rows(), (0, 9));
        partial.take(Event::MapRow { site: MapSite::Mlp, position: 1, values: vec![0.1; 4] });
        partial.take(Event::MapRow { site: MapSite::Mlp, position: 99, values: vec![0.1; 4] });
        assert_eq!(partial.rows(), (1, 9));
        assert_eq!(partial.progress().as_deref(), Some("row 2 of 9 of the maps…"));
        let maps = partial.fact().and_then(FactRecord::traced).and_then(|traced| traced.maps.clone());
        assert!(maps.is_some_and(|maps| maps.window == 3 && maps.mlp[1].len() == 4 && maps.residual[1].is_empty()));
    }

    #[test]
    fn the_final_record_is_taken_whole() {
        let mut partial = begun();
        let record = Box::new(sample::record());
        let answer = Cost { seconds: 0.123, cached: true };
        partial.take(Event::Trace { record, greedy: " Paris".into(), cost: answer });
        assert_eq!((partial.progress(), partial.stage.clone()), (None, Stage::Done));
        assert_eq!(partial.cost.as_ref().map(cost).as_deref(), Some("0.12 s, from the activations of the first run"));
        assert_eq!(cost(&Cost { seconds: 12.3, cached: false }), "12 s");
        assert_eq!(by_itself(" Paris", "Paris"), None);
        assert_eq!(by_itself("the", "Paris").as_deref(), Some("By itself the model says “the”."));
    }

    #[test]
    fn what_was_computed_survives_a_cancellation() {
        let mut partial = begun();
        partial.take(Event::MapRow { site: MapSite::Residual, position: 0, values: vec![0.1; 4] });
        let failure =
            Failure { kind: engram_core::protocol::FailureKind::Cancelled, message: "cancelled".into(), hint: None };
        partial.take(Event::Failed(failure));
        assert!(partial.progress().is_some_and(|said| said.starts_with("cancelled after 1 of 9 rows")));
        assert!(partial.fact().is_some());
    }
}
