//! Which facts the table lists, and in which order.

use super::{Ending, Line, Place};
use engram_core::record::Reason;
use std::cmp::Ordering;

/// A group of facts: one chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Group {
    /// All.
    #[default]
    All,
    /// Those that the model knows.
    Known,
    /// Those that it does not.
    NotKnown,
    /// Known ones whose answer does not need the subject.
    NotSensitive,
    /// Those that cannot be traced.
    Other,
    /// Traced ones that no single state restores.
    NoPeak,
    /// Edited ones.
    Edited,
    /// Edited ones that ended so.
    Ended(Ending),
}

impl Group {
    /// All groups, in the order of their chips.
    pub fn all() -> Vec<Self> {
        let ended = [Ending::Held, Ending::Harm, Ending::Silenced].into_iter().chain([
            Ending::Unchecked,
            Ending::OneWording,
            Ending::Partly,
            Ending::NoChange,
        ]);
        let first =
            [Self::All, Self::Known, Self::NotKnown, Self::NotSensitive, Self::Other, Self::NoPeak, Self::Edited];
        first.into_iter().chain(ended.map(Self::Ended)).collect()
    }

    /// Its name.
    pub fn name(self) -> String {
        match self {
            Self::All => "All".into(),
            Self::Known => "Known".into(),
            Self::NotKnown => "Not known".into(),
            Self::NotSensitive => "Not sensitive".into(),
            Self::Other => "Cannot be traced".into(),
            Self::NoPeak => "No peak".into(),
            Self::Edited => "Edited".into(),
            Self::Ended(ending) => crate::words::capital(ending.word()),
        }
    }

    fn holds(self, line: &Line) -> bool {
        let reason = match line.place {
            Place::Excluded { reason, .. } => Some(reason),
            _ => None,
        };
        match self {
            Self::All => true,
            Self::Known => matches!(reason, None | Some(Reason::NotSensitive)),
            Self::NotKnown => reason == Some(Reason::NotKnown),
            Self::NotSensitive => reason == Some(Reason::NotSensitive),
            Self::Other => !matches!(reason, None | Some(Reason::NotKnown | Reason::NotSensitive)),
            Self::NoPeak => matches!(line.place, Place::NoPeak(_)),
            Self::Edited => line.ending.is_some(),
            Self::Ended(ending) => line.ending == Some(ending),
        }
    }
}

/// The groups that have facts, each with how many.
pub fn counts(lines: &[Line]) -> Vec<(Group, usize)> {
    let count = |group: Group| (group, lines.iter().filter(|line| group.holds(line)).count());
    let edited = lines.iter().any(|line| line.ending.is_some());
    // Of an edited study it is worth knowing that nothing held, was harmed or silenced.
    let kept = |(group, count): &(Group, usize)| match group {
        Group::All | Group::Known => true,
        Group::Ended(Ending::Held | Ending::Harm | Ending::Silenced) => edited,
        _ => *count > 0,
    };
    Group::all().into_iter().map(count).filter(kept).collect()
}

/// Bars that are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Layers from the first to the last one.
    Layers(usize, usize),
    /// The paper's argmax layer, with a peak or without.
    Argmax(usize),
    /// Those without a peak.
    Nowhere,
}

impl At {
    /// Whether a layer's bar is chosen.
    pub fn has(self, layer: usize) -> bool {
        matches!(self, Self::Layers(from, to) if (from..=to).contains(&layer))
    }

    fn holds(self, line: &Line) -> bool {
        match (self, &line.place) {
            (Self::Nowhere, place) => matches!(place, Place::NoPeak(_)),
            (Self::Argmax(layer), _) => line.argmax == Some(layer),
            (at, Place::Peak { layer, .. }) => at.has(*layer),
            _ => false,
        }
    }

    /// It in words.
    pub fn words(self) -> String {
        match self {
            Self::Nowhere => "without a peak".into(),
            Self::Argmax(layer) => format!("that layer {layer} restores most of"),
            Self::Layers(from, to) if from == to => format!("with the peak at layer {from}"),
            Self::Layers(from, to) => format!("with the peak at layers {from}–{to}"),
        }
    }
}

/// A column that is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// The fact's number.
    #[default]
    Number,
    /// Prompt and answer.
    Fact,
    /// The answer's probability in the clean run.
    Clean,
    /// The peak's layer, then its recovery.
    Peak,
    /// How its edit ended.
    Edit,
}

/// Which facts are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The group.
    pub group: Group,
    /// Bars that are chosen.
    pub at: Option<At>,
    /// Words that they contain.
    pub text: String,
    /// The column that is sorted by.
    pub sort: SortBy,
    /// From high to low.
    pub falling: bool,
}

impl Filter {
    /// Sorts by a column; by the same one the other way round.
    pub fn sort_by(&mut self, column: SortBy) {
        self.falling = self.sort == column && !self.falling;
        self.sort = column;
    }

    /// Chooses a group, or all again where it is the chosen one.
    pub fn choose(&mut self, group: Group) {
        self.group = if self.group == group { Group::All } else { group };
    }

    /// Chooses bars, or none again where they are the chosen ones.
    pub fn choose_at(&mut self, at: At) {
        self.at = if self.at == Some(at) { None } else { Some(at) };
    }
}

/// The places of the lines that a filter finds, in its order.
pub fn apply(lines: &[Line], filter: &Filter) -> Vec<usize> {
    let wanted: Vec<String> = filter.text.split_whitespace().map(str::to_lowercase).collect();
    let holds = |line: &Line| {
        filter.group.holds(line)
            && filter.at.is_none_or(|at| at.holds(line))
            && wanted.iter().all(|word| line.text.contains(word))
    };
    let mut found: Vec<usize> = (0..lines.len()).filter(|at| holds(&lines[*at])).collect();
    // The sort is stable: equal facts stay in study order.
    found.sort_by(|a, b| compare(&lines[*a], &lines[*b], filter));
    found
}

/// What is not there comes last, whichever way the rest runs.
fn compare(a: &Line, b: &Line, filter: &Filter) -> Ordering {
    let turned = |order: Ordering| if filter.falling { order.reverse() } else { order };
    fn last<T>(a: Option<T>, b: Option<T>, compare: impl FnOnce(&T, &T) -> Ordering) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => compare(&a, &b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
    let peak = |line: &Line| match line.place {
        Place::Peak { layer, value } => Some((layer, value)),
        _ => None,
    };
    match filter.sort {
        SortBy::Number => turned(a.number.cmp(&b.number)),
        SortBy::Fact => turned(a.text.cmp(&b.text)),
        SortBy::Clean => last(a.p[0], b.p[0], |a, b| turned(a.total_cmp(b))),
        SortBy::Peak => last(peak(a), peak(b), |a, b| turned(a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))),
        SortBy::Edit => last(a.ending, b.ending, |a, b| turned(a.cmp(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::lines;
    use super::*;
    use engram_core::metrics::MetricConvention;

    fn all() -> Vec<Line> {
        lines(&sample::record(), &MetricConvention::default())
    }

    fn found(filter: &Filter) -> Vec<usize> {
        apply(&all(), filter)
    }

    #[test]
    fn chips_have_counts() {
        let counts = counts(&all());
        let named: Vec<(String, usize)> = counts.into_iter().map(|(group, count)| (group.name(), count)).collect();
        let wanted = [
            ("All", 3),
            ("Known", 2),
            ("Not known", 1),
            ("No peak", 1),
            ("Edited", 1),
            ("Held", 0),
            ("Harm", 0),
            ("Silenced", 0),
            ("Unchecked", 1),
        ];
        assert_eq!(named, wanted.map(|(name, count)| (name.to_owned(), count)));
    }

    #[test]
    fn groups_bars_and_words_go_together() {
        let of = |group, at, text: &str| found(&Filter { group, at, text: text.into(), ..Filter::default() });
        assert_eq!(of(Group::All, None, ""), [0, 1, 2]);
        assert_eq!(of(Group::Known, None, ""), [0, 2]);
        assert_eq!(of(Group::All, Some(At::Layers(1, 2)), ""), [0]);
        assert_eq!(of(Group::All, Some(At::Layers(3, 4)), ""), [0; 0]);
        assert_eq!(of(Group::All, Some(At::Nowhere), ""), [2]);
        assert_eq!(of(Group::NotKnown, None, ""), [1]);
        assert_eq!(of(Group::All, None, "CAPITAL peru"), [2]);
        assert_eq!(of(Group::Ended(Ending::Unchecked), None, ""), [0]);
        assert_eq!(At::Layers(8, 12).words(), "with the peak at layers 8–12");
    }

    #[test]
    fn what_is_chosen_again_is_let_go() {
        let mut filter = Filter::default();
        filter.choose(Group::NoPeak);
        filter.choose_at(At::Layers(2, 2));
        assert_eq!((filter.group, filter.at), (Group::NoPeak, Some(At::Layers(2, 2))));
        filter.choose(Group::NoPeak);
        filter.choose_at(At::Layers(2, 2));
        assert_eq!(filter, Filter::default());
    }

    #[test]
    fn columns_sort_both_ways() {
        let mut filter = Filter::default();
        filter.sort_by(SortBy::Peak);
        assert_eq!(found(&filter), [0, 1, 2]);
        filter.sort_by(SortBy::Peak);
        assert_eq!((found(&filter), filter.falling), (vec![0, 1, 2], true), "those without a peak stay last");
        filter.sort_by(SortBy::Fact);
        assert_eq!((found(&filter), filter.falling), (vec![1, 0, 2], false));
        filter.sort_by(SortBy::Number);
        filter.sort_by(SortBy::Number);
        assert_eq!(found(&filter), [2, 1, 0]);
    }
}
