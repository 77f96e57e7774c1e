//! After edits: is the old answer still carried where it was, does redundancy fall, and which layers carry the new answer?
//! Facts' own traces beside those of the edited model (METHODS, section 4).

use super::{Dominant, Mean, MetricConvention, Redundancy, Share, dominant, mean_sufficiency, redundancy};
use crate::record::{EditRecord, Record, Retrace, Traced};
use serde::Serialize;
use std::collections::BTreeMap;

/// Which answer is traced, and in which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The old answer in the unedited model.
    OldBefore,
    /// The old answer in the edited one.
    OldAfter,
    /// The new answer in the unedited model.
    NewBefore,
    /// The new answer in the edited one.
    NewAfter,
}

impl When {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OldBefore, Self::OldAfter, Self::NewBefore, Self::NewAfter];

    /// The answer and the model, as in tables.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::OldBefore => ["old", "before"],
            Self::OldAfter => ["old", "after"],
            Self::NewBefore => ["new", "before"],
            Self::NewAfter => ["new", "after"],
        }
    }

    /// Its trace.
    pub fn of<'a>(self, own: &'a Traced, again: &'a Retrace) -> &'a Traced {
        match self {
            Self::OldBefore => own,
            Self::OldAfter => &again.old_after,
            Self::NewBefore => &again.new_before,
            Self::NewAfter => &again.new_after,
        }
    }
}

/// One of the four over all edits that were traced again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Again {
    /// Which.
    pub when: When,
    /// Mean probability of the answer on the clean prompt.
    pub p_clean: Mean,
    /// Mean sufficiency per layer.
    pub curve: Vec<Mean>,
    /// R, where the study has second passes.
    pub redundancy: Option<Redundancy>,
}

impl Again {
    /// The layer whose clean state restores most in the mean, from 1, and how much.
    pub fn peak(&self) -> Option<(usize, Mean)> {
        let all = self.curve.iter().copied().enumerate();
        let best = all.reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })?;
        Some((best.0 + 1, best.1))
    }
}

/// What edits by one method did to the traces.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetraceSummary {
    /// The method, for people.
    pub method: String,
    /// Edits that were traced again.
    pub edits: usize,
    /// In the order of [`When::ALL`].
    pub again: [Again; 4],
    /// Facts whose old answer has another dominant layer after the edit, or none any more, out of those that had one.
    pub moved: Option<Share>,
    /// Dominant layer of the new answer after the edit less the edited layer; facts that have one.
    pub behind: Option<Mean>,
}

impl RetraceSummary {
    /// What became of the old answer and where the new one is, in two sentences.
    pub fn sentence(&self) -> Option<String> {
        let [old_before, old_after, _, new_after] = &self.again;
        let peak = |again: &Again| {
            let (layer, mean) = again.peak()?;
            Some(if mean.mean.abs() < 0.0005 { "0".to_owned() } else { format!("{:+.3} (layer {layer})", mean.mean) })
        };
        let moved =
            self.moved.map(|moved| format!("; another dominant layer or none for {} of {}", moved.count, moved.of));
        let r = |again: &Again| again.redundancy.map(|found| found.r.mean);
        let r =
            r(old_before).zip(r(old_after)).map(|(before, after)| format!("; R {before:.3} before, {after:.3} after"));
        let behind = self.behind.map(|mean| format!(", {}", after_edited(mean.mean)));
        Some(format!(
            "{}, {} edits: largest mean sufficiency for the old answer {} before, {} after{}{}. For the new answer {} after{}.",
            self.method,
            self.edits,
            peak(old_before)?,
            peak(old_after)?,
            moved.unwrap_or_default(),
            r.unwrap_or_default(),
            peak(new_after)?,
            behind.unwrap_or_default(),
        ))
    }
}

/// Where a layer is that lies so many layers after the edited one.
fn after_edited(layers: f64) -> String {
    match layers {
        near if near.abs() < 0.05 => "at the edited layer".into(),
        before if before < 0.0 => format!("{:.1} layers before the edited one", -before),
        after => format!("{after:.1} layers after the edited one"),
    }
}

/// The answer for each method of a record; nothing where no edit was traced again.
pub fn retrace_summaries(record: &Record, view: &MetricConvention) -> Vec<RetraceSummary> {
    let traced: BTreeMap<usize, &Traced> = record.validated().map(|(fact, traced)| (fact.order, traced)).collect();
    let methods = record.settings.edit.methods.iter().enumerate();
    let one = |(place, method): (usize, &crate::record::EditMethod)| {
        let edits = record.edits.iter().flatten().filter(|edit| edit.method == place);
        let all: Vec<(&EditRecord, &Traced, &Retrace)> =
            edits.filter_map(|edit| Some((edit, *traced.get(&edit.fact)?, edit.retrace.as_deref()?))).collect();
        summary(method.title(), &all, record.model.layers, view)
    };
    methods.filter_map(one).collect()
}

fn summary(
    method: String,
    all: &[(&EditRecord, &Traced, &Retrace)],
    layers: usize,
    view: &MetricConvention,
) -> Option<RetraceSummary> {
    let of = |when: When| all.iter().map(|(_, own, again)| when.of(own, again)).collect::<Vec<&Traced>>();
    let again = |when: When| {
        let traces = of(when);
        Some(Again {
            when,
            p_clean: Mean::of(traces.iter().map(|traced| f64::from(traced.p_clean)))?,
            curve: mean_sufficiency(&traces, layers, view.position),
            redundancy: redundancy(&traces, view),
        })
    };
    let [Some(old_before), Some(old_after), Some(new_before), Some(new_after)] = When::ALL.map(again) else {
        return None;
    };
    let layer = |traced: &Traced| dominant(traced, view.position, false).and_then(Dominant::layer);
    let had: Vec<_> = all.iter().filter_map(|(_, own, again)| Some((layer(own)?, layer(&again.old_after)))).collect();
    let moved = had.iter().filter(|(before, after)| Some(*before) != *after).count();
    let behind = all.iter().filter_map(|(edit, _, again)| Some(layer(&again.new_after)? as f64 - edit.layer as f64));
    Some(RetraceSummary {
        method,
        edits: all.len(),
        moved: Share::new(moved, had.len()),
        behind: Mean::of(behind),
        again: [old_before, old_after, new_before, new_after],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PatchPosition;

    fn traced(p_clean: f32, curve: &[f32]) -> Traced {
        Traced {
            p_clean,
            p_corrupt: 0.125,
            patched: [(PatchPosition::SubjectLast, curve.to_vec())].into(),
            ..Traced::default()
        }
    }

    #[test]
    fn peaks_move_and_the_new_answer_has_its_layer() {
        let own = traced(0.875, &[0.625, 0.25, 0.125]);
        let kept = Retrace {
            new_before: traced(0.125, &[0.125; 3]),
            old_after: traced(0.25, &[0.25, 0.1875, 0.125]),
            new_after: traced(0.75, &[0.125, 0.125, 0.625]),
        };
        let moved = Retrace { old_after: traced(0.25, &[0.125, 0.25, 0.125]), ..kept.clone() };
        let edit = EditRecord { layer: 1, ..EditRecord::default() };
        let all = [(&edit, &own, &kept), (&edit, &own, &moved)];
        let view = MetricConvention::default();
        let found = summary("ROME".into(), &all, 3, &view).expect("edits");
        let peaks = found.again.each_ref().map(|again| again.peak().map(|(layer, mean)| (layer, mean.mean)));
        assert_eq!(peaks, [Some((1, 0.5)), Some((2, 0.09375)), Some((1, 0.0)), Some((3, 0.5))]);
        assert_eq!(found.moved, Share::new(1, 2));
        assert_eq!(found.behind.map(|mean| (mean.mean, mean.n)), Some((2.0, 2)));
        let said = found.sentence().expect("a sentence");
        assert!(
            said.contains("+0.500 (layer 1) before, +0.094 (layer 2) after; another dominant layer or none for 1 of 2"),
            "{said}"
        );
        assert!(
            said.ends_with("For the new answer +0.500 (layer 3) after, 2.0 layers after the edited one."),
            "{said}"
        );
        assert!(summary("ROME".into(), &[], 3, &view).is_none());
    }
}
