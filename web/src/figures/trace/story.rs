//! What the maps say: which tokens carry the answer through which layers, and where attention moves it.

use super::sites::{alone, caveat, placed, quoted};
use super::{Peak, Standing, TraceMaps, Tracks, weakly_known};
use crate::words;
use engram_core::protocol::MapSite;
use engram_core::record::FactRecord;

/// Recovery from which on a state counts as carrying the answer; of a lower peak, this share.
pub const CARRIES: f64 = 0.7;

/// Layers through which a token carries the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carries {
    /// Its row.
    pub row: usize,
    /// The first layer.
    pub from: usize,
    /// The last layer.
    pub to: usize,
    /// The lowest recovery among them.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// A piece of a sentence, by what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Plain words.
    Text(String),
    /// The subject, or a token of it.
    Subject(String),
    /// The answer.
    Answer(String),
    /// Another token or answer.
    Token(String),
    /// The letter of a bracket above the map.
    Letter(char),
}

/// The finding of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Story {
    /// What is to be noticed before the sentence: `Not known`, `Not sensitive`, `Weakly known`, `No peak`.
    pub warning: Option<&'static str>,
    /// The finding, one sentence.
    pub head: Vec<Piece>,
    /// With which numbers.
    pub more: String,
    /// Bracket A: the subject's last token.
    pub subject: Option<Carries>,
    /// Bracket B: the prompt's last token, to the last layer.
    pub last: Option<Carries>,
    /// The tokens of both.
    pub names: [String; 2],
    /// The layer at which attention moves the answer from A's row to B's.
    pub moved: Option<usize>,
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn two(value: f64) -> String {
    words::fixed(value, 2)
}

/// The recoveries of a run of layers.
fn span(carries: &Carries) -> String {
    let [low, high] = [carries.low, carries.high].map(two);
    if low == high { high } else { format!("{low} to {high}") }
}

/// “Putting back the state of” a row; `place` among the subject's tokens always, else where its token comes twice.
fn state_of(maps: &TraceMaps, row: usize, place: bool) -> Vec<Piece> {
    let token = Piece::Subject(quoted(maps, row));
    vec![text("Putting back the state of "), token, text(placed(maps, row, place))]
}

impl Story {
    /// The story of a traced fact. `said` is the answer that the model gives where it gives another one, `corrupted` the first choice of
    /// the corrupted run where it is known; `instead` what the subject was replaced by (`None` for noise); `running` whether rows that
    /// are missing will come.
    pub fn of(
        maps: &TraceMaps,
        fact: &FactRecord,
        [said, corrupted]: [Option<&str>; 2],
        instead: Option<&str>,
        running: bool,
    ) -> Self {
        let nothing = |warning, head, more| Self { warning, head, more, ..Self::default() };
        let answer = || Piece::Answer(maps.answer.clone());
        let [clean, corrupt] = [maps.p_clean, maps.p_corrupt].map(words::percent_of);
        let subject = words::visible(&fact.subject);
        let with = match instead {
            Some(instead) => format!("with “{}” in place of {subject}", words::visible(instead)),
            None => format!("with noise on {subject}"),
        };
        // Rows without values are hatched; a fact without maps has none.
        let no_map = if maps.any() { "the maps stay empty" } else { "no map is drawn" };
        match maps.standing {
            Standing::NotKnown => {
                let head = match said {
                    Some(said) => vec![
                        text("The model says "),
                        Piece::Token(words::visible(said.trim())),
                        text(", not "),
                        answer(),
                        text(": there is no such fact to find."),
                    ],
                    None => vec![text("The model does not say "), answer(), text(": there is no such fact to find.")],
                };
                let more = format!(
                    "{} has {clean}. A trace of it would show noise, so {no_map}. Trace what the model says instead, or try \
                     another model.",
                    maps.answer
                );
                return nothing(Some("Not known"), head, more);
            }
            Standing::NotSensitive => {
                let still =
                    corrupted.map(str::trim).is_some_and(|word| !word.is_empty() && maps.answer.starts_with(word));
                let what = if instead.is_some() { "Replacing the subject" } else { "Noise on the subject" };
                let change = words::points(maps.p_corrupt - maps.p_clean).replace(" pt", " points");
                let head = match still {
                    true => vec![text(format!(
                        "The answer does not depend on the subject here: the model may not know {subject}, or the prompt may not \
                         ask about it."
                    ))],
                    // A little is taken from the answer, or it rises; it is not said to be the first choice.
                    false => vec![text(format!("{what} changes ")), answer(), text(format!(" by only {change}."))],
                };
                let more = format!(
                    "{} has {clean} in the clean run and {corrupt} {with}. {what} changes it by {change}; a map needs a loss of at \
                     least 5, so {no_map} and no layer is named. Ask for something that follows from the subject, and end the prompt \
                     where the answer must follow.",
                    maps.answer
                );
                return nothing(Some("Not sensitive"), head, more);
            }
            Standing::Effect => {}
        }
        let gives = format!("The model gives {} {clean}; {with}, {corrupt}.", maps.answer);
        let weak = weakly_known(maps.p_clean).map(|_| "Weakly known");
        if !maps.any() {
            const OFFER: &str = "This fact has no maps here; Trace makes them.";
            let tracks = Tracks::of(fact, maps).filter(|tracks| !tracks.restoration[0].is_empty());
            let (Some(tracks), Some(row)) = (tracks, maps.subject_last()) else {
                return nothing(weak, vec![text(OFFER)], gives);
            };
            let best = match tracks.peak() {
                Some((layer, value)) => format!(" best at layer {layer}: recovery {}.", two(value)),
                None => " at no layer.".to_owned(),
            };
            let mut head = state_of(maps, row, false);
            head.extend([text(" restores "), answer(), text(best)]);
            let offer = if running { String::new() } else { format!(" {OFFER}") };
            return nothing(weak, head, format!("{gives}{offer}"));
        }
        if let Some((done, of)) = maps.waiting() {
            let (head, more) = match running {
                true => (
                    format!("Tracing: row {done} of {of} is done."),
                    format!("{gives} Rows appear as they are computed."),
                ),
                false => (format!("Stopped: {done} of {of} rows are there."), gives),
            };
            return nothing(None, vec![text(head)], more);
        }
        if weak.is_some() {
            let head = vec![
                text("The model’s first choice, "),
                Piece::Answer(format!("“{}”", maps.answer)),
                text(format!(", has only {clean}: read no place from this map.")),
            ];
            return nothing(weak, head, gives);
        }
        let row = maps.subject_last();
        let own = row.and_then(|row| around_peak(maps, row));
        let last = Some(maps.last()).filter(|last| Some(*last) != row).and_then(|row| to_the_end(maps, row));
        let attention = last.and_then(|last| holds(maps, MapSite::Attention, last.row));
        let moved = last.map(|last| last.from).filter(|from| attention == Some(*from));
        let mut head = Vec::new();
        let peak = maps.peak(MapSite::Residual);
        let late = last.map(|last| {
            // Averaged rows have no token of their own.
            let the = if maps.rows[last.row].averaged { ", the " } else { ", the last token " };
            [
                text(format!("from layer {} on ", last.from)),
                Piece::Letter('B'),
                text(the),
                Piece::Token(quoted(maps, last.row)),
                text(" carries it."),
            ]
        });
        match (own, peak) {
            // Another token of the subject restores more than its last one.
            (_, Some(Peak { at, value })) if Some(at.row) != row => {
                head = state_of(maps, at.row, true);
                let layer = at.layer;
                head.extend(match value >= CARRIES {
                    true => {
                        [text(format!(" at layer {layer} restores ")), answer(), text(format!(" ({})", two(value)))]
                    }
                    false => [text(format!(" at layer {layer} restores {} of ", two(value))), answer(), text("")],
                });
                match own {
                    Some(own) => {
                        let layers = match own.from == own.to {
                            true => format!(" restores {} at layer {} ", two(own.high), own.from),
                            false => format!(" restores up to {} at layers {}–{} ", two(own.high), own.from, own.to),
                        };
                        head.push(text("; the last subject token "));
                        head.push(Piece::Subject(quoted(maps, own.row)));
                        head.extend([text(layers), Piece::Letter('A')]);
                    }
                    None => {
                        let most = row.and_then(|row| highest(maps, row)).map(|most| format!(" ({})", two(most.1)));
                        let most = most.unwrap_or_default();
                        head.push(text(format!("; the last subject token restores little{most}")));
                    }
                }
            }
            (Some(own), _) => {
                let layers = match own.from == own.to {
                    true => format!(" at layer {} ", own.from),
                    false => format!(" at any layer from {} to {} ", own.from, own.to),
                };
                let restores = match own.high >= CARRIES {
                    true => " restores ".to_owned(),
                    false => format!(" restores {} of ", span(&own)),
                };
                head = state_of(maps, own.row, false);
                head.extend([text(layers), Piece::Letter('A'), text(restores), answer()]);
            }
            (None, _) => {
                head.extend([text("No single state of "), Piece::Subject(subject), text(" restores "), answer()]);
            }
        }
        match late {
            Some(late) => {
                head.push(text("; "));
                head.extend(late);
            }
            None => head.push(text(".")),
        }
        let mut more = vec![gives];
        if let Some(own) = own {
            more.push(format!("At A recovery is {} of 1.", span(&own)));
        }
        more.extend(alone(maps, moved));
        more.extend(caveat(maps, fact, instead, last.is_some()));
        let warning = (own.is_none() && peak.is_none()).then_some("No peak");
        let names = [row, Some(maps.last())].map(|row| row.map(|row| maps.token(row)).unwrap_or_default());
        Self { warning, head, more: more.join(" "), subject: own, last, moved, names }
    }

    /// The sentence as plain text.
    pub fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Subject(text) | Piece::Answer(text) | Piece::Token(text) => text.clone(),
            Piece::Letter(letter) => format!("({letter})"),
        };
        self.head.iter().map(piece).collect()
    }
}

/// Layers of a row that show something: where the subject ends the prompt, its last state is the answer by definition.
fn known(maps: &TraceMaps, row: usize) -> usize {
    if row == maps.last() { maps.layers.saturating_sub(1) } else { maps.layers }
}

/// A row's highest state: its layer, from 0, and what it restores.
fn highest(maps: &TraceMaps, row: usize) -> Option<(usize, f64)> {
    let line = maps.line(MapSite::Residual, row).into_iter().take(known(maps, row)).enumerate();
    line.filter_map(|(at, value)| Some((at, value?))).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The layers around a row's highest state that carry the answer; `None` where the highest one regains less than a tenth.
fn around_peak(maps: &TraceMaps, row: usize) -> Option<Carries> {
    let (peak, high) = highest(maps, row)?;
    if high < engram_core::metrics::PEAK {
        return None;
    }
    let line = maps.line(MapSite::Residual, row);
    let end = known(maps, row);
    let carries = |at: &usize| line.get(*at).copied().flatten().is_some_and(|value| value >= CARRIES * high.min(1.0));
    let from = (0..=peak).rev().take_while(carries).last()?;
    let to = (peak..end).take_while(carries).last()?;
    Some(range(&line, row, from, to))
}

/// The layers from which on a row carries the answer to the end.
fn to_the_end(maps: &TraceMaps, row: usize) -> Option<Carries> {
    let line = maps.line(MapSite::Residual, row);
    carried_from(&line).map(|from| range(&line, row, from - 1, line.len() - 1))
}

/// The layer, from 1, from which on recoveries stay so high that the answer is carried to the end.
pub fn carried_from(line: &[Option<f64>]) -> Option<usize> {
    let carries = |at: &usize| line.get(*at).copied().flatten().is_some_and(|value| value >= CARRIES);
    let from = (0..line.len()).rev().take_while(carries).last()?;
    // The last layer alone restores everything by definition.
    (from + 1 < line.len()).then_some(from + 1)
}

fn range(line: &[Option<f64>], row: usize, from: usize, to: usize) -> Carries {
    let values = || line[from..=to].iter().copied().flatten();
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    Carries { row, from: from + 1, to: to + 1, low, high }
}

/// The one layer without which no window of a map's row restores the answer and with which every one does.
fn holds(maps: &TraceMaps, site: MapSite, row: usize) -> Option<usize> {
    let line = maps.line(site, row);
    let restores: Vec<bool> = line.iter().map(|value| value.is_some_and(|value| value >= CARRIES)).collect();
    if !restores.contains(&true) {
        return None;
    }
    let has = |centre: usize, layer: usize| {
        let (first, last) = maps.put_back(site, centre);
        (first..=last).contains(&layer)
    };
    let decides = |layer: &usize| (1..=maps.layers).all(|centre| restores[centre - 1] == has(centre, *layer));
    let mut found = (1..=maps.layers).filter(decides);
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;
    use engram_core::record::{Reason, Traced};

    fn story(traced: Traced) -> Story {
        let fact = machu::fact(traced);
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        Story::of(&maps, &fact, [None, None], Some("A Random Person"), true)
    }

    #[test]
    fn the_way_of_a_fact_is_told() {
        let story = story(machu::traced());
        assert_eq!(
            story.text(),
            "Putting back the state of “Picchu” at any layer from 1 to 3 (A) restores Peru; from layer 5 on (B), the last token \
             “of” carries it."
        );
        assert_eq!(
            story.more,
            "The model gives Peru 90.0 %; with “A Random Person” in place of Machu Picchu, 10.0 %. At A recovery is 0.80 to \
             1.00 of 1. MLP alone restores 0.90 at “Picchu”, layers 1–2; attention alone 0.90 at “of”, layers 3–5."
        );
        let spans = [story.subject, story.last].map(|span| span.map(|span| (span.row, span.from, span.to)));
        assert_eq!(spans, [Some((2, 1, 3)), Some((4, 5, 6))]);
        assert_eq!((story.moved, story.warning), (Some(5), None));
    }

    #[test]
    fn a_weak_peak_says_how_weak_and_none_says_so() {
        let with = |scale: f32| {
            let mut traced = machu::traced();
            let maps = traced.maps.as_mut().expect("maps");
            maps.residual[2].iter_mut().for_each(|p| *p = 0.1 + (*p - 0.1) * scale);
            story(traced)
        };
        assert!(with(0.5).text().contains("A) restores 0.40 to 0.50 of Peru;"), "{}", with(0.5).text());
        let none = with(0.05);
        assert_eq!(none.warning, Some("No peak"));
        assert!(none.text().starts_with("No single state of Machu Picchu restores Peru"), "{}", none.text());
        assert_eq!(none.subject, None);
    }

    #[test]
    fn the_token_that_restores_most_is_named_first() {
        let with = |scale: f32| {
            let mut traced = machu::traced();
            let maps = traced.maps.as_mut().expect("maps");
            maps.residual[1][0] = 0.98;
            maps.residual[2].iter_mut().for_each(|p| *p = 0.1 + (*p - 0.1) * scale);
            story(traced).text()
        };
        let first = "Putting back the state of “u” (2nd of the 3 subject tokens) at layer 1 restores Peru (1.10); the last subject token";
        let late = "from layer 5 on (B), the last token “of” carries it.";
        assert_eq!(with(1.0), format!("{first} “Picchu” restores up to 1.00 at layers 1–3 (A); {late}"));
        assert_eq!(with(0.05), format!("{first} restores little (0.05); {late}"));
    }

    #[test]
    fn of_a_weakly_known_answer_no_place_is_named() {
        let mut traced = machu::traced();
        traced.p_clean = 0.2;
        let story = story(traced);
        assert_eq!(story.text(), "The model’s first choice, “Peru”, has only 20.0 %: read no place from this map.");
        assert_eq!((story.warning, story.subject, story.moved), (Some("Weakly known"), None, None));
    }

    #[test]
    fn without_an_effect_nothing_is_named() {
        for (reason, words) in
            [(Reason::NotKnown, "The model says Chile, not Peru"), (Reason::NotSensitive, "may not know Machu Picchu")]
        {
            let fact = machu::dropped(machu::traced(), reason);
            let maps = TraceMaps::of(&fact, false).expect("it is traced");
            let story = Story::of(&maps, &fact, [Some(" Chile"), Some(" Peru")], None, false);
            assert!(story.text().contains(words), "{}", story.text());
            assert!(story.warning.is_some() && story.subject.is_none() && story.last.is_none());
        }
        let fact = machu::dropped(machu::traced(), Reason::NotSensitive);
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        for corrupted in [None, Some(" Chile")] {
            let story = Story::of(&maps, &fact, [None, corrupted], Some("Uyuni"), false);
            assert_eq!(story.text(), "Replacing the subject changes Peru by only −80.0 points.");
        }
    }

    #[test]
    fn a_trace_that_is_not_whole_says_how_far_it_is() {
        let mut traced = machu::traced();
        let there = traced.maps.as_mut().expect("maps");
        [&mut there.residual, &mut there.mlp, &mut there.attention].into_iter().for_each(|map| map[2].clear());
        assert_eq!(story(traced).text(), "Tracing: row 4 of 5 is done.");
        let mut traced = machu::traced();
        traced.maps = None;
        let fact = machu::fact(traced.clone());
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let of = |running| Story::of(&maps, &fact, [None, None], None, running);
        assert_eq!(
            of(false).text(),
            "Putting back the state of “Picchu” restores Peru best at layer 2: recovery 1.00."
        );
        assert!(of(false).more.ends_with(" This fact has no maps here; Trace makes them."), "{}", of(false).more);
        assert!(!of(true).more.contains("no maps"), "they are on their way");
        traced.patched.clear();
        assert_eq!(story(traced).text(), "This fact has no maps here; Trace makes them.");
    }
}
