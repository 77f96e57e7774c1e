//! Edits one after the other: what is left of them and of everything else, over the number of edits in force.

use super::lines::{Along, Line, Lines, Panel};
use engram_core::metrics::{Mean, Measure, SequencePoint, SequenceSummary};
use engram_core::record::Record;

/// Measures of the edits in force that are drawn.
const DRAWN: [Measure; 3] = [Measure::Es, Measure::Ps, Measure::Ns];

/// A sequence's checkpoints.
pub fn over_edits(name: &str, sequence: &SequenceSummary) -> Lines {
    let points = &sequence.points;
    let line = |name: &str, value: &dyn Fn(&SequencePoint) -> Option<Mean>| Line {
        name: name.to_owned(),
        values: points.iter().map(value).collect(),
    };
    let measure = |one: Measure| {
        line(one.name(), &|point| {
            let (_, [_, after]) = point.scores.measures.iter().find(|(measure, _)| *measure == one)?;
            *after
        })
    };
    let kept = |point: &SequencePoint| {
        let kept = point.untouched?;
        Some(Mean { mean: kept.share, sem: None, n: kept.of })
    };
    let text = |point: &SequencePoint| {
        let [before, now] = point.perplexity?;
        (before > 0.0).then_some(Mean { mean: now / before, sem: None, n: 1 })
    };
    let above = DRAWN.map(measure).into_iter().chain([line("untouched facts kept", &kept)]);
    let below = [line("perplexity / unedited perplexity", &text)].into_iter();
    Lines {
        title: titled(name, sequence),
        along: Along::Edits(points.iter().map(|point| point.edits).collect()),
        panels: [
            Panel::new("all edits in force, and facts that nobody edited", above),
            Panel::new("the model's language", below),
        ],
    }
}

/// The study, the method, and the layer where all facts have the same.
pub fn titled(name: &str, sequence: &SequenceSummary) -> String {
    let layer = sequence.layer.map(|layer| format!(", layer {layer}"));
    format!("{name}, {}{}", sequence.method, layer.unwrap_or_default())
}

/// Whether facts of this record were edited one after the other.
pub fn is_sequence(record: &Record) -> bool {
    !record.sequences.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::sequence_summaries;

    #[test]
    fn checkpoints_are_columns() {
        let record = sample::edited_in_turn("tiny");
        let all = sequence_summaries(&record);
        let figure = over_edits("tiny", &all[0]);
        assert_eq!((figure.title.as_str(), figure.along.clone()), ("tiny, ROME, layer 2", Along::Edits(vec![1, 3, 4])));
        let names: Vec<&str> = figure.lines().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["untouched facts kept", "perplexity / unedited perplexity"], "no whole answers");
        assert_eq!(
            figure.column(1),
            "After 3 edits: untouched facts kept 0.500; perplexity / unedited perplexity 1.500"
        );
        let said = figure.sentence();
        assert!(
            said.ends_with("perplexity / unedited perplexity from 1.000 after 1 edit to 3.000 after 4 edits."),
            "{said}"
        );
        let (head, rows) = figure.numbers();
        assert_eq!((head[0].as_str(), rows[2][0].as_str(), rows.len()), ("edits in force", "4", 3));
    }
}
