//! Lines in two panels, one above the other, over layers or over the number of edits in force.

use crate::words;
use engram_core::metrics::Mean;

/// Two panels over the same columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// Whose.
    pub title: String,
    /// What the columns are.
    pub along: Along,
    /// Outcomes above, what they are held against below.
    pub panels: [Panel; 2],
}

/// What the columns are.
#[derive(Debug, Clone, PartialEq)]
pub enum Along {
    /// Layers of a model.
    Layers {
        /// Blocks of the model.
        count: usize,
        /// Those that have values, ascending.
        own: Vec<usize>,
    },
    /// Checkpoints of a sequence, as numbers of edits in force.
    Edits(Vec<usize>),
}

impl Along {
    /// Columns of the plot.
    pub fn count(&self) -> usize {
        match self {
            Self::Layers { count, .. } => *count,
            Self::Edits(edits) => edits.len(),
        }
    }

    /// The columns that have values, from 1.
    pub fn columns(&self) -> Vec<usize> {
        match self {
            Self::Layers { own, .. } => own.clone(),
            Self::Edits(edits) => (1..=edits.len()).collect(),
        }
    }

    /// What the axis is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Layers { .. } => "layer",
            Self::Edits(_) => "edits in force",
        }
    }

    /// The number of a place among those that have values.
    fn number(&self, at: usize) -> usize {
        match self {
            Self::Layers { own: all, .. } | Self::Edits(all) => all.get(at).copied().unwrap_or_default(),
        }
    }

    /// A place within a sentence: `at layer 3`, `after 10 edits`.
    fn place(&self, at: usize) -> String {
        let number = self.number(at);
        match self {
            Self::Layers { .. } => format!("at layer {number}"),
            Self::Edits(_) => format!("after {}", words::count(number, "edit")),
        }
    }
}

/// Lines on one value axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What is measured.
    pub name: &'static str,
    /// Means over facts; the first one is drawn with its standard error.
    pub lines: Vec<Line>,
}

/// Means of one quantity, an entry for each edited layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The quantity.
    pub name: String,
    /// Its means.
    pub values: Vec<Option<Mean>>,
}

impl Line {
    /// Places of its lowest and its highest mean.
    fn ends(&self) -> Option<[(usize, &Mean); 2]> {
        let all = || self.values.iter().enumerate().filter_map(|(at, mean)| Some((at, mean.as_ref()?)));
        let low = all().reduce(|best, next| if next.1.mean < best.1.mean { next } else { best })?;
        let high = all().reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })?;
        Some([low, high])
    }
}

impl Panel {
    pub(super) fn new(name: &'static str, lines: impl Iterator<Item = Line>) -> Self {
        // A record may lack paraphrases, neighbours or a position.
        Self { name, lines: lines.filter(|line| line.values.iter().any(Option::is_some)).collect() }
    }

    /// Everything that its axis has to hold.
    pub fn values(&self) -> Vec<f64> {
        let means = self.lines.iter().flat_map(|line| &line.values).flatten().map(|mean| mean.mean);
        let band = self.lines.iter().take(1).flat_map(|line| &line.values).flatten();
        let ends = band.flat_map(|mean| mean.sem.map_or([mean.mean; 2], |sem| [mean.mean - sem, mean.mean + sem]));
        seen(means.chain(ends).collect())
    }
}

impl Lines {
    /// All lines, those above first.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.panels.iter().flat_map(|panel| &panel.lines)
    }

    /// What one column says; `at` is its place among those that have values.
    pub fn column(&self, at: usize) -> String {
        let value = |line: &Line| {
            let mean = (*line.values.get(at)?)?;
            Some(format!("{} {}", line.name, short(&mean)))
        };
        let told: Vec<String> = self.lines().filter_map(value).collect();
        let place = self.along.place(at);
        format!("{}: {}", place[..1].to_uppercase() + &place[1..], told.join("; "))
    }

    /// The figure for those who do not see it.
    pub fn sentence(&self) -> String {
        let told = self.lines().filter_map(|line| {
            let [low, high] = line.ends()?;
            let place = |(at, mean): (usize, &Mean)| format!("{} {}", words::fixed(mean.mean, 3), self.along.place(at));
            Some(format!("{} from {} to {}", line.name, place(low), place(high)))
        });
        format!("{}: {}.", self.title, told.collect::<Vec<_>>().join("; "))
    }

    /// The numbers as a table.
    pub fn numbers(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let head =
            [self.along.name().to_owned()].into_iter().chain(self.lines().map(|line| line.name.clone())).collect();
        let cell = |at: usize| move |line: &Line| line.values[at].map_or("–".into(), |mean| short(&mean));
        let row = |at: usize| {
            [self.along.number(at).to_string()].into_iter().chain(self.lines().map(cell(at))).collect::<Vec<_>>()
        };
        (head, (0..self.along.columns().len()).map(row).collect())
    }
}

/// Values that an axis has to hold: what lies below zero by a hair is drawn at zero, or the axis would have a step for it.
pub(super) fn seen(mut values: Vec<f64>) -> Vec<f64> {
    let highest = values.iter().copied().fold(0.0, f64::max);
    values.retain(|value| *value >= 0.0 || *value < -0.02 * highest);
    values
}

/// `0.612 ± 0.031`.
pub(super) fn short(mean: &Mean) -> String {
    let sem = mean.sem.map(|sem| format!(" ± {}", words::fixed(sem, 3)));
    format!("{}{}", words::fixed(mean.mean, 3), sem.unwrap_or_default())
}
