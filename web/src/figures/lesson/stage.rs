//! What is drawn beside a step: bars from 0 to 1, empty until a prediction is made.

use super::ask::{Ask, Show};
use super::values::{Curve, Kind, Measured, written};
use crate::figures::{pieces::places, trace};
use crate::words;
use engram_core::metrics::{follows, harms_neighbour, harms_unrelated};
use engram_core::record::{Record, Traced};

/// A bar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// What the replacement has in the token's place, where that is another one.
    pub from: String,
    /// Its length; nothing where there is no value.
    pub value: Option<f64>,
    /// Its value in words.
    pub said: String,
    /// It is of the subject.
    pub subject: bool,
    /// It is of the new answer, or of harm.
    pub other: bool,
}

/// Bars with one meaning.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// What they show.
    pub title: String,
    /// Of which model, where there are two, and what else is to be known.
    pub note: String,
    /// What the ends of the scale are.
    pub ends: [&'static str; 2],
    /// The bars.
    pub bars: Vec<Bar>,
    /// What one would expect of each; nothing where there is no such thing.
    pub expect: Vec<f64>,
}

const RECOVERY: [&str; 2] = ["0 corrupted run", "1 clean run"];
const PERCENT: [&str; 2] = ["0 %", "100 %"];
const POINTS: [&str; 2] = ["0 points", "100 points"];

/// All that is drawn of what was measured.
pub fn stage(ask: &Ask, measured: &Measured) -> Vec<Group> {
    let expect = ask.expect.as_ref().and_then(|expect| expect.of(measured));
    let mut groups: Vec<Group> =
        ask.show.iter().flat_map(|show| of(*show, ask, &measured.record, measured, "")).collect();
    if let Some(beside) = &measured.beside {
        for group in &mut groups {
            group.note = words::visible(&measured.record.model.name);
        }
        groups.extend(ask.show.iter().flat_map(|show| of(*show, ask, beside, measured, &beside.model.name)));
    }
    for (group, expect) in groups.iter_mut().filter_map(|group| Some((group, expect?))) {
        let times = |at: usize| if ask.rising { (at + 1) as f64 } else { 1.0 };
        group.expect = (0..group.bars.len()).map(|at| expect * times(at)).collect();
    }
    groups
}

/// What one part of it is; `name` is the second model's where it is of that.
fn of(show: Show, ask: &Ask, record: &Record, measured: &Measured, name: &str) -> Option<Group> {
    let fact = record.facts.first()?;
    let traced = fact.traced()?;
    let answer = words::visible(fact.target_true.trim());
    let mut group = match show {
        Show::Runs | Show::Clean => return None,
        Show::Layers(curve) => layers(curve, traced, &answer),
        Show::Mean(curve) => {
            let group = layers(curve, traced, &answer);
            let values: Vec<f64> = group.bars.iter().filter_map(|bar| bar.value).collect();
            let value = Some(values.iter().sum::<f64>() / values.len() as f64).filter(|mean| mean.is_finite());
            let said = value.map(|value| bare(written(value, curve.kind()))).unwrap_or_default();
            let other = curve.kind() == Kind::Points;
            let bar = Bar { label: "mean of layers".into(), value, said, other, ..Bar::default() };
            Group { bars: vec![bar], ..group }
        }
        Show::Tokens(layer) => tokens(layer, traced, ask, &answer, record.model.layers),
        Show::Edit => edit(measured, &answer)?,
        Show::Price => price(measured)?,
    };
    if !name.is_empty() {
        group.note = words::visible(name);
    }
    Some(group)
}

fn layers(curve: Curve, traced: &Traced, answer: &str) -> Group {
    let kind = curve.kind();
    let ends = match kind {
        Kind::Recovery => RECOVERY,
        Kind::Points => POINTS,
        _ => PERCENT,
    };
    let bar = |(at, value): (usize, Option<f64>)| Bar {
        label: format!("layer {}", at + 1),
        said: value.map_or("removed".into(), |value| bare(written(value, kind))),
        value,
        other: kind == Kind::Points,
        ..Bar::default()
    };
    let bars = curve.of(traced).into_iter().enumerate().map(bar).collect();
    Group { title: curve.title(answer), ends, bars, ..Group::default() }
}

/// Points without their unit, which the title has.
fn bare(said: String) -> String {
    said.strip_suffix(" points").map_or(said.clone(), str::to_owned)
}

/// The prompt's own tokens: a special one in front is nothing to predict.
fn own(prompt: &str, tokens: &[String]) -> Vec<usize> {
    let special = places(prompt, tokens).into_iter().filter(|place| place.at.is_empty());
    let special: Vec<usize> = special.flat_map(|place| place.tokens).collect();
    (0..tokens.len()).filter(|at| !special.contains(at)).collect()
}

fn tokens(layer: usize, traced: &Traced, ask: &Ask, answer: &str, of: usize) -> Group {
    let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
    let rows = trace::rows(traced, false);
    let map = traced.maps.as_ref().map(|maps| &maps.residual);
    let bar = |at: usize| {
        let row = &rows[at];
        let p = row.at.first().and_then(|at| map?.get(*at)?.get(layer - 1).copied());
        let value = p.map(|p| (f64::from(p) - f64::from(traced.p_corrupt)) / effect);
        let from = row.instead.as_ref().map(|other| format!("replaces {}", other.trim_start_matches('·')));
        Bar {
            label: row.text.clone(),
            from: from.unwrap_or_default(),
            said: value.map_or("no match".into(), |value| written(value, Kind::Recovery)),
            value,
            subject: row.role.is_subject(),
            other: false,
        }
    };
    let prompt = ask.prompt.replacen("{}", &ask.subject, 1);
    let bars = own(&prompt, &traced.tokens).into_iter().map(bar).collect();
    let title = format!("Recovery of “{answer}”, by the token put back");
    Group { title, note: format!("after layer {layer} of {of}"), ends: RECOVERY, bars, ..Group::default() }
}

fn edit(measured: &Measured, answer: &str) -> Option<Group> {
    let edited = measured.edited.as_ref()?;
    let record = &edited.record;
    let bar = |label: &str, when: &str, p: f32, other: bool| Bar {
        label: words::visible(label.trim()),
        from: when.to_owned(),
        value: Some(p.into()),
        said: words::percent_of(p.into()),
        other,
        ..Bar::default()
    };
    let new = edited.target_new.as_str();
    let bars = vec![
        bar(answer, "before", record.p_true, false),
        bar(answer, "after", record.p_true_after, false),
        bar(new, "before", record.p_false, true),
        bar(new, "after", record.p_false_after, true),
    ];
    let note = format!("edit at layer {}", record.layer);
    Some(Group { title: "Probability before and after".into(), note, ends: PERCENT, bars, ..Group::default() })
}

fn price(measured: &Measured) -> Option<Group> {
    let record = &measured.edited.as_ref()?.record;
    let bar = |label: &str, count: usize, of: usize, other: bool| Bar {
        label: label.to_owned(),
        value: (of > 0).then(|| count as f64 / of as f64),
        said: format!("{count} of {of}"),
        other,
        ..Bar::default()
    };
    let follow = record.paraphrases.iter().filter(|shift| follows(shift)).count();
    let harmed = record.neighbourhood.iter().filter(|shift| harms_neighbour(shift)).count();
    let flipped = record.unrelated.iter().filter(|one| harms_unrelated(one)).count();
    let bars = vec![
        bar("wordings follow", follow, record.paraphrases.len(), false),
        bar("neighbours harmed", harmed, record.neighbourhood.len(), true),
        bar("unrelated harmed", flipped, record.unrelated.len(), true),
    ];
    let note = format!("edit at layer {}", record.layer);
    Some(Group { title: "What else the edit does".into(), note, ends: ["none", "all"], bars, ..Group::default() })
}

/// The labels of the bars that a reader chooses from, before anything is measured: the prompt's tokens or the layers.
pub fn waiting(ask: &Ask, tokens: &[String], layers: usize) -> Vec<String> {
    match ask.show.first() {
        Some(Show::Tokens(_)) => {
            let prompt = ask.prompt.replacen("{}", &ask.subject, 1);
            own(&prompt, tokens).into_iter().map(|at| words::token(&tokens[at])).collect()
        }
        _ => (1..=layers).map(|layer| format!("layer {layer}")).collect(),
    }
}
