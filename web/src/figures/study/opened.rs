//! One fact of a study in full: its peak in a sentence, its map, and what its edit did.

use super::line::recovery;
use super::told::no_state;
use super::{Ending, Line, Place, lines, small_map};
use crate::figures::edit::{CHANGE, NEIGHBOURS, PARAPHRASES, UNRELATED};
use crate::figures::small_map::SmallMap;
use crate::figures::trace::carried_from;
use crate::sample;
use crate::words;
use engram_core::metrics::{Check, MetricConvention, OwnLayer, judge, shown_edits};
use engram_core::record::{EditRecord, FactRecord, PatchPosition, Reason, Record};

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Its line in the table.
    pub line: Line,
    /// Which one of how many it is.
    pub title: String,
    /// Its peak, or why it has none.
    pub sentence: String,
    /// It is excluded.
    pub warns: bool,
    /// Its map.
    pub map: Option<SmallMap>,
    /// What its edit did.
    pub marks: Option<Marks>,
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// Where it was made, and for which answer.
    pub title: String,
    /// How it ended.
    pub ending: Ending,
    /// What was measured.
    pub marks: Vec<Mark>,
}

/// One thing that was measured of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What.
    pub name: String,
    /// How much.
    pub value: String,
    /// What it means, as a clause.
    pub about: &'static str,
    /// It is not as it should be.
    pub bad: bool,
}

impl Opened {
    /// The fact of this `order`.
    pub fn of(record: &Record, order: usize, view: &MetricConvention) -> Option<Self> {
        let fact = record.facts.iter().find(|fact| fact.order == order)?;
        let edit = shown_edits(record).into_iter().find(|edit| edit.fact == order);
        let alone = Record { edits: edit.map(|edit| vec![edit.clone()]), ..sample::only(record, order)? };
        let line = lines(&alone, view).pop()?;
        let count = record.facts.len();
        let title = match line.number <= count {
            true => format!("Fact {} of {count}", line.number),
            false => format!("Fact {}", line.number),
        };
        Some(Self {
            title,
            sentence: sentence(fact, &line, view),
            warns: matches!(line.place, Place::Excluded { .. }),
            map: small_map(fact, view),
            marks: edit.map(|edit| marks(fact, edit)),
            line,
        })
    }
}

/// The token whose state is put back, without the space before it.
fn token(fact: &FactRecord, position: PatchPosition) -> Option<String> {
    let traced = fact.traced()?;
    let token = match position {
        PatchPosition::SubjectLast => traced.tokens.get(traced.subject_span[1].checked_sub(1)?)?,
        PatchPosition::LastToken => traced.tokens.last()?,
        PatchPosition::SameIndex => return None,
    };
    let token = words::token(token);
    Some(token.trim_start_matches('·')).filter(|token| !token.is_empty()).map(|token| format!("“{token}”"))
}

fn sentence(fact: &FactRecord, line: &Line, view: &MetricConvention) -> String {
    let two = |value: f64| words::fixed(value, 2);
    match &line.place {
        Place::Peak { layer, value } => {
            let at =
                token(fact, view.position).unwrap_or_else(|| format!("the {}", words::patch_position(view.position)));
            format!("Peak at {at}, layer {layer}: recovery {}. {}", two(*value), late(fact, view)).trim_end().to_owned()
        }
        Place::NoPeak(highest) => {
            let state = no_state(view.position);
            let said = format!("No peak: {state} restores a tenth of the answer (highest {}).", two(*highest));
            format!("{said} {}", late(fact, view)).trim_end().to_owned()
        }
        Place::Untraced => format!("The state was not restored at the {}.", words::patch_position(view.position)),
        Place::Excluded { reason: Reason::NotKnown, says: Some(says) } => {
            format!("Not known: the model says {says}, not {}. There is no fact to trace.", line.answer)
        }
        Place::Excluded { reason, .. } => {
            let detail = fact.outcome.why().map(|why| words::visible(why.1)).filter(|detail| !detail.is_empty());
            let detail = detail.map(|detail| format!(" {}", words::sentence(&detail))).unwrap_or_default();
            format!("{}{detail}", words::sentence(words::reason(*reason)))
        }
    }
}

/// From where on the prompt's last token carries the answer.
fn late(fact: &FactRecord, view: &MetricConvention) -> String {
    if view.position == PatchPosition::LastToken {
        return String::new();
    }
    let curve = recovery(fact, &view.with_position(PatchPosition::LastToken)).unwrap_or_default();
    let curve: Vec<Option<f64>> = curve.into_iter().map(Some).collect();
    carried_from(&curve).map(|from| format!("The last token carries it from layer {from} on.")).unwrap_or_default()
}

fn marks(fact: &FactRecord, edit: &EditRecord) -> Marks {
    let judged = judge(edit);
    let [old, new] = [&fact.target_true, &fact.target_new].map(|text| words::visible(text.trim()));
    let new = if new.is_empty() { "new answer".to_owned() } else { new };
    let pair = |name: &str, about, p: [f32; 2], bad: bool| {
        let [before, after] = p.map(|p| words::percent_of(p.into()));
        Mark { name: name.into(), value: format!("{before} → {after}"), about, bad }
    };
    let check = |name: &str, about, check: Option<Check>| match check {
        Some(Check { share, holds }) => {
            Mark { name: name.into(), value: format!("{} of {}", share.count, share.of), about, bad: !holds }
        }
        None => Mark { name: name.into(), value: "not measured".into(), about, bad: false },
    };
    let ending = Ending::of(edit);
    let peak = fact.traced().and_then(OwnLayer::of).is_none_or(|own| own.peak || own.layer != edit.layer);
    let rose = edit.p_false_after > edit.p_true_after;
    Marks {
        title: format!(
            "Edited at layer {}{}, new answer {new}",
            edit.layer,
            if peak { "" } else { " (no peak there)" }
        ),
        ending,
        marks: vec![
            pair(&new, "the new answer’s probability before and after", [edit.p_false, edit.p_false_after], !rose),
            pair(&old, "the true answer’s probability before and after", [edit.p_true, edit.p_true_after], false),
            check("Paraphrases follow", PARAPHRASES, judged.paraphrases),
            check("Neighbours kept", NEIGHBOURS, judged.neighbours),
            check("Unrelated kept", UNRELATED, judged.unrelated),
            Mark {
                name: "‖Δv‖/‖v‖".into(),
                value: words::fixed(edit.relative_change.into(), 2),
                about: CHANGE,
                bad: false,
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::super::trace::machu;
    use super::*;
    use engram_core::record::Outcome;

    fn opened(record: &Record, order: usize) -> Opened {
        Opened::of(record, order, &MetricConvention::default()).expect("it is there")
    }

    #[test]
    fn a_fact_is_told_with_its_edit() {
        let record = sample::record();
        let found = opened(&record, 0);
        assert_eq!((found.title.as_str(), found.warns), ("Fact 1 of 3", false));
        assert_eq!(found.sentence, "Peak at “France”, layer 2: recovery 0.63.");
        let marks = found.marks.expect("it was edited");
        assert_eq!((marks.title.as_str(), marks.ending), ("Edited at layer 2, new answer Rome", Ending::Unchecked));
        let said: Vec<String> = marks.marks.iter().map(|mark| format!("{}: {}", mark.name, mark.value)).collect();
        assert_eq!(
            said,
            [
                "Rome: 1.0 % → 50.0 %",
                "Paris: 90.0 % → 20.0 %",
                "Paraphrases follow: 1 of 1",
                "Neighbours kept: not measured",
                "Unrelated kept: 1 of 1",
                "‖Δv‖/‖v‖: 0.80",
            ]
        );
        assert!(marks.marks.iter().all(|mark| !mark.bad));
        assert!(Opened::of(&record, 77, &MetricConvention::default()).is_none());
    }

    #[test]
    fn the_last_token_is_told_where_it_carries_the_answer() {
        let mut record = sample::record();
        record.facts = vec![machu::fact(machu::traced())];
        record.edits = None;
        let order = record.facts[0].order;
        let found = opened(&record, order);
        assert_eq!(
            found.sentence,
            "Peak at “Picchu”, layer 2: recovery 1.00. The last token carries it from layer 5 on."
        );
        let last = MetricConvention::default().with_position(PatchPosition::LastToken);
        let found = Opened::of(&record, order, &last).expect("it is there");
        assert_eq!(found.sentence, "Peak at “of”, layer 6: recovery 1.00.");
    }

    #[test]
    fn an_excluded_fact_says_why() {
        let mut record = sample::record();
        assert!(opened(&record, 1).sentence.starts_with("Not known: "), "{}", opened(&record, 1).sentence);
        assert!(opened(&record, 2).sentence.starts_with("No peak: "), "{}", opened(&record, 2).sentence);
        if let Outcome::Dropped(dropped) = &mut record.facts[1].outcome {
            dropped.detail = "greedy decoding gives \" Abuja\" where \" N\" is wanted".into();
        }
        let found = opened(&record, 1);
        assert!(found.warns && found.map.is_none());
        assert_eq!(found.sentence, "Not known: the model says Abuja, not N'Djamena. There is no fact to trace.");
    }
}
