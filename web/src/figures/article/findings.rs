//! The finding of each figure and table in a sentence or two, computed from the records: what is said changes with the
//! numbers, and what follows from a definition is told as that.

pub mod ablations;
pub mod edits;
pub mod headline;
pub mod layers;
pub mod lens;
pub mod maps;
pub mod panels;
pub mod prediction;
pub mod redundancy;
pub mod retrace;
pub mod sequence;
pub mod tables;

use super::{Article, Study, say};
use crate::words;
use engram_core::metrics::Mean;

/// A layer in a sentence about several models.
fn place(layer: usize, layers: usize) -> String {
    match layer {
        _ if layer == layers => "the last layer".into(),
        1 => "the first layer".into(),
        layer => format!("layer {layer} of {layers}"),
    }
}

/// One model's layer of so many.
#[derive(Debug, Clone)]
struct At<'a> {
    name: &'a str,
    layer: usize,
    layers: usize,
}

impl At<'_> {
    /// Share of the way through the model.
    fn depth(&self) -> f64 {
        self.layer as f64 / self.layers.max(1) as f64
    }
}

/// `layer 1 of 8` of one model, `the first layer in a and b, layer 3 of 8 in c` of several.
fn places(article: &Article<'_>, found: &[At<'_>]) -> String {
    if let ([one], 1) = (found, article.studies.len()) {
        return format!("layer {} of {}", one.layer, one.layers);
    }
    let groups = say::groups(found.iter().map(|at| (place(at.layer, at.layers), at.name)));
    let told: Vec<String> = groups.iter().map(|(place, names)| format!("{place} in {}", article.who(names))).collect();
    say::parts(&told)
}

/// How far apart layers are: agreement or the range of depths. Nothing about one model.
fn agreement(found: &[At<'_>]) -> Option<String> {
    let (first, rest) = found.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let same = |at: &At<'_>| at.layer == first.layer && at.layers == first.layers;
    let ends = |end: &dyn Fn(&At<'_>) -> bool| found.iter().all(end);
    if rest.iter().all(same) || ends(&|at| at.layer == 1) || ends(&|at| at.layer == at.layers) {
        return None;
    }
    let (low, high) = found
        .iter()
        .map(At::depth)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), depth| (low.min(depth), high.max(depth)));
    let range = format!("{} to {}", percent(low), percent(high));
    Some(match high - low {
        // A convention: models whose layers lie within a quarter of the depth are said to agree.
        width if width <= 0.25 => format!("In depth they agree: {range} of the way through the model."),
        _ => format!("They do not agree in depth: {range} of the way through the model."),
    })
}

/// The highest mean, the lowest layer on a tie; layer from 1.
fn peak(means: &[Mean]) -> Option<(usize, &Mean)> {
    (1..).zip(means).reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })
}

/// A share in whole percent.
fn percent(share: f64) -> String {
    format!("{} %", words::fixed(share * 100.0, 0))
}

/// Names of the studies that something holds of.
pub(super) fn those<'a>(studies: &'a [Study<'_>], holds: impl Fn(&Study<'_>) -> bool) -> Vec<&'a str> {
    studies.iter().filter(|study| holds(study)).map(|study| study.name.as_str()).collect()
}

/// A value of one study, where it is defined, with its study.
fn defined<'a, 'r>(studies: &'a [Study<'r>], value: impl Fn(&Study<'_>) -> Option<Mean>) -> Vec<(&'a Study<'r>, Mean)> {
    studies.iter().filter_map(|study| Some((study, value(study)?))).collect()
}

/// The value of one study, or the range of several with the names of both ends.
fn told(found: &[(&Study<'_>, Mean)]) -> String {
    match found {
        [] => String::new(),
        [one] => format!("{} (n = {})", say::value(&one.1), one.1.n),
        [first, ..] => {
            let low = found.iter().fold(first, |low, one| if one.1.mean < low.1.mean { one } else { low });
            let high = found.iter().fold(first, |high, one| if one.1.mean > high.1.mean { one } else { high });
            let (from, to) = (say::value(&low.1), say::value(&high.1));
            if from == to {
                return format!("{from} in all of them");
            }
            format!("{from} ({}) to {to} ({})", low.0.name, high.0.name)
        }
    }
}

/// Sentences with a space between; empty ones left out.
fn joined(sentences: impl IntoIterator<Item = Option<String>>) -> String {
    let all: Vec<String> = sentences.into_iter().flatten().filter(|one| !one.is_empty()).collect();
    all.join(" ")
}
