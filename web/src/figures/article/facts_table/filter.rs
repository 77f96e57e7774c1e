//! Filters and orders of the facts table; they travel in the address. Fast for 20,000 facts: what is searched and
//! sorted by is computed once a row.

use super::{Row, State};
use crate::words;
use engram_core::facts::RelationKind;

/// What the rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Study order.
    #[default]
    Order,
    /// Prompt, ignoring case, as all texts.
    Prompt,
    /// Answer.
    Answer,
    /// Kind, then relation.
    Kind,
    /// What became of it.
    Outcome,
    /// `p_clean`.
    Clean,
    /// `p_corrupt`.
    Corrupt,
    /// `p_clean - p_corrupt`.
    Effect,
    /// The paper's argmax layer.
    Layer,
    /// Largest sufficiency.
    Largest,
    /// How its edit ended.
    Edited,
}

/// The table's columns in their order: name in the address, and head.
const COLUMNS: [(SortBy, &str, &str); 11] = [
    (SortBy::Order, "order", "order"),
    (SortBy::Prompt, "prompt", "prompt"),
    (SortBy::Answer, "answer", "answer"),
    (SortBy::Kind, "kind", "relation"),
    (SortBy::Outcome, "outcome", "outcome"),
    (SortBy::Clean, "clean", "p(true)"),
    (SortBy::Corrupt, "corrupt", "p(true), corrupted"),
    (SortBy::Effect, "effect", "effect"),
    (SortBy::Layer, "layer", "argmax layer (paper)"),
    (SortBy::Largest, "largest", "largest sufficiency"),
    (SortBy::Edited, "edited", "edit"),
];

impl SortBy {
    /// All, in the order of the table's columns.
    pub fn all() -> impl Iterator<Item = Self> {
        COLUMNS.iter().map(|column| column.0)
    }

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        COLUMNS.iter().find(|column| column.0 == self).map_or("", |column| column.1)
    }

    /// The column's head.
    pub fn title(self) -> &'static str {
        COLUMNS.iter().find(|column| column.0 == self).map_or("", |column| column.2)
    }

    /// What a row is sorted by, a number before a text; `None` where it has no value.
    fn key(self, row: &Row) -> Option<(f64, String)> {
        let number = |value: Option<f64>| Some((value.filter(|value| value.is_finite())?, String::new()));
        let text = |text: &str| Some((0.0, text.to_lowercase()));
        match self {
            Self::Order => number(Some(row.order as f64)),
            Self::Prompt => text(&row.prompt),
            Self::Answer => text(&row.answer),
            Self::Kind => text(&format!("{} {}", row.kind.name(), row.relation)),
            // Facts of one state by their layer.
            Self::Outcome => {
                Some((row.state as usize as f64 * 1e6 + row.layer.unwrap_or(0) as f64, row.outcome.clone()))
            }
            Self::Clean => number(row.p_clean),
            Self::Corrupt => number(row.p_corrupt),
            Self::Effect => number(row.effect),
            Self::Layer => number(row.layer.map(|layer| layer as f64)),
            Self::Largest => number(row.largest),
            Self::Edited => row.edited.as_deref().and_then(text),
        }
    }
}

/// Which rows are shown, and in which order. It travels in the address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Words that all must occur, ignoring case.
    pub text: String,
    /// Only facts of which this became.
    pub state: Option<State>,
    /// Only facts of this kind.
    pub kind: Option<RelationKind>,
    /// Only facts whose argmax layer is this or above.
    pub from: Option<usize>,
    /// Only facts whose argmax layer is this or below.
    pub to: Option<usize>,
    /// Only facts that were edited.
    pub edited: bool,
    /// What is sorted by.
    pub sort: SortBy,
    /// The largest first.
    pub descending: bool,
}

/// Longest search that an address may bring, in bytes.
const LONGEST: usize = 200;

impl Filter {
    /// Names of an address that it reads.
    pub const NAMES: [&str; 7] = ["find", "state", "kind", "from", "to", "edited", "sort"];

    /// Takes over one `name=value` of an address. Unknown names and values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        let layer = || value.parse::<usize>().ok().filter(|layer| *layer > 0);
        match name {
            "find" if value.len() <= LONGEST => self.text = value.to_owned(),
            "state" => self.state = State::ALL.into_iter().find(|state| state.name() == value).or(self.state),
            "kind" => self.kind = RelationKind::ALL.into_iter().find(|kind| kind.name() == value).or(self.kind),
            "from" => self.from = layer().or(self.from),
            "to" => self.to = layer().or(self.to),
            "edited" => self.edited = matches!(value, "" | "1" | "true"),
            "sort" => {
                let (column, down) = value.strip_prefix('-').map_or((value, false), |column| (column, true));
                if let Some(sort) = SortBy::all().find(|sort| sort.name() == column) {
                    (self.sort, self.descending) = (sort, down);
                }
            }
            _ => {}
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if !self.text.trim().is_empty() && self.text.len() <= LONGEST {
            pairs.push(("find", self.text.clone()));
        }
        pairs.extend(self.state.map(|state| ("state", state.name().to_owned())));
        pairs.extend(self.kind.map(|kind| ("kind", kind.name().to_owned())));
        pairs.extend(self.from.map(|layer| ("from", layer.to_string())));
        pairs.extend(self.to.map(|layer| ("to", layer.to_string())));
        if self.edited {
            pairs.push(("edited", "1".to_owned()));
        }
        if (self.sort, self.descending) != (SortBy::default(), false) {
            pairs.push(("sort", format!("{}{}", if self.descending { "-" } else { "" }, self.sort.name())));
        }
        pairs
    }

    /// What a click on a column's head does: sorts by it, or turns the order round.
    #[must_use]
    pub fn sorted(self, sort: SortBy) -> Self {
        let descending = self.sort == sort && !self.descending;
        Self { sort, descending, ..self }
    }

    /// How many rows are shown, in words.
    pub fn sentence(&self, shown: usize, all: usize) -> String {
        let turned = if self.descending { "largest first" } else { "smallest first" };
        let sorted = match (self.sort, self.descending) {
            (SortBy::Order, false) => "in study order".to_owned(),
            (sort, _) => format!("by {}, {turned}", sort.title()),
        };
        if shown == all {
            return format!("{}, {sorted}.", words::count(all, "fact"));
        }
        format!("{shown} of {}, {sorted}.", words::count(all, "fact"))
    }

    fn holds(&self, row: &Row, wanted: &[String]) -> bool {
        let within = |layer: usize| self.from.is_none_or(|from| layer >= from) && self.to.is_none_or(|to| layer <= to);
        let layers = (self.from.is_none() && self.to.is_none()) || row.layer.is_some_and(within);
        layers
            && self.state.is_none_or(|state| row.state == state)
            && self.kind.is_none_or(|kind| row.kind == kind)
            && (!self.edited || row.edited.is_some())
            && wanted.iter().all(|word| row.text.contains(word.as_str()))
    }
}

/// Indices of the rows that a filter shows, in its order. Equal rows stay in study order.
pub fn apply(rows: &[Row], filter: &Filter) -> Vec<usize> {
    let wanted: Vec<String> = filter.text.split_whitespace().map(str::to_lowercase).collect();
    let held = rows.iter().enumerate().filter(|(_, row)| filter.holds(row, &wanted));
    let mut keyed: Vec<(Option<(f64, String)>, usize)> = held.map(|(at, row)| (filter.sort.key(row), at)).collect();
    keyed.sort_by(|(a, x), (b, y)| {
        let order = match (a, b) {
            (Some(a), Some(b)) => {
                let order = a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1));
                if filter.descending { order.reverse() } else { order }
            }
            // Missing values are last, whichever way the rest runs.
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        order.then(x.cmp(y))
    });
    keyed.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests;
