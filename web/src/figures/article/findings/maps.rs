//! Token × layer maps: at which token and layer a clean state helps most.

use super::super::{Article, say};
use super::joined;
use crate::words;
use engram_core::record::{FactRecord, Traced};

/// The part that a position of the corrupted prompt plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Before the subject.
    Before,
    /// The subject is one token.
    Only,
    /// First token of the subject.
    First,
    /// Between its first and last.
    Middle,
    /// Last token of the subject.
    Last,
    /// First token after the subject.
    After,
    /// Later, but not the last.
    Later,
    /// The prompt's last token.
    End,
}

impl Role {
    /// The role of a position, from 0, in the corrupted prompt.
    pub fn of(traced: &Traced, position: usize) -> Self {
        let [start, end] = traced.corrupt_span;
        match position {
            at if (start..end).contains(&at) => match at {
                at if at == start && at + 1 == end => Self::Only,
                at if at == start => Self::First,
                at if at + 1 == end => Self::Last,
                _ => Self::Middle,
            },
            at if at + 1 == traced.corrupt_tokens.len() => Self::End,
            at if at < start => Self::Before,
            at if at == end => Self::After,
            _ => Self::Later,
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "a token before the subject",
            Self::Only => "the subject's only token",
            Self::First => "the subject's first token",
            Self::Middle => "a middle token of the subject",
            Self::Last => "the subject's last token",
            Self::After => "the first token after the subject",
            Self::Later => "a later token",
            Self::End => "the prompt's last token",
        }
    }
}

/// The cell that helps most: role, position, layer from 1, probability gained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Part of its token.
    pub role: Role,
    /// Position in the corrupted prompt, from 0.
    pub position: usize,
    /// Layer, from 1.
    pub layer: usize,
    /// `p_patch - p_corrupt`.
    pub gain: f64,
}

/// Gains up to this are float noise (the metrics' own bound for what is 0 in real arithmetic).
const NOISE: f64 = engram_core::metrics::SNAP;

/// The highest cell of a map among those that count; the first one on a tie, `None` where no cell helps.
fn peak(traced: &Traced, map: &[Vec<f32>], counts: impl Fn(Role) -> bool) -> Option<Peak> {
    let from = f64::from(traced.p_corrupt);
    let cells = map.iter().enumerate().flat_map(|(position, row)| {
        let role = Role::of(traced, position);
        (1..).zip(row).map(move |(layer, p)| Peak { role, position, layer, gain: f64::from(*p) - from })
    });
    let helps = cells.filter(|cell| counts(cell.role) && cell.gain > NOISE);
    helps.reduce(|best, next| if next.gain > best.gain { next } else { best })
}

/// The residual stream's peak before the prompt's last token, where the end of the map is the clean answer by
/// definition.
fn early(traced: &Traced) -> Option<Peak> {
    peak(traced, &traced.maps.as_ref()?.residual, |role| role != Role::End)
}

/// From which layer on the last token's residual stream keeps half of the effect.
fn late(traced: &Traced) -> Option<usize> {
    let row = traced.maps.as_ref()?.residual.get(traced.corrupt_tokens.len().checked_sub(1)?)?;
    let half = (f64::from(traced.p_clean) + f64::from(traced.p_corrupt)) / 2.0;
    let below = row.iter().rposition(|p| f64::from(*p) < half).map_or(0, |at| at + 1);
    (below < row.len()).then_some(below + 1)
}

/// What the maps of one fact show; `None` where it has none.
pub fn fact(fact: &FactRecord) -> Option<String> {
    let traced = fact.traced()?;
    let maps = traced.maps.as_ref()?;
    let cell = |peak: &Peak| {
        let token = traced
            .corrupt_tokens
            .get(peak.position)
            .map_or_else(String::new, |text| format!(" “{}”", words::short(&words::token(text), 24)));
        format!("{}{token}, layer {} ({})", peak.role.name(), peak.layer, words::signed(peak.gain))
    };
    let stream = match early(traced) {
        Some(peak) => format!("Before the prompt's last token the residual stream helps most at {}.", cell(&peak)),
        None => "Before the prompt's last token no state of the residual stream helps.".into(),
    };
    let late = late(traced).map(|layer| format!("At the last token half of the effect is back from layer {layer} on."));
    let parts = [("the MLPs'", &maps.mlp), ("attention's", &maps.attention)];
    let told = parts.iter().map(|(name, map)| match peak(traced, map, |_| true) {
        Some(peak) => format!("{name} contributions help most at {}", cell(&peak)),
        None => format!("{name} contributions help nowhere"),
    });
    let told: Vec<String> = told.collect();
    let of = if maps.window > 1 { format!("In windows of {} layers ", maps.window) } else { "Layer by layer ".into() };
    Some(joined([
        Some(stream),
        late,
        Some(format!("{of}{}.", told.join("; "))),
        wide(maps.window, traced.without_block.len()),
    ]))
}

/// A window as wide as the model shows no layer.
fn wide(window: usize, layers: usize) -> Option<String> {
    (window * 3 >= layers * 2 && window > 1).then(|| {
        format!(
            "A window of {window} layers covers most or all of the {layers}, so these two maps show tokens and \
                 hardly layers."
        )
    })
}

/// What the maps of all facts that have them show together, over all studies.
pub fn maps(article: &Article<'_>) -> String {
    let all = article.records.iter().flat_map(|record| record.validated()).map(|(_, traced)| traced);
    let mapped: Vec<&Traced> = all.filter(|traced| traced.maps.is_some()).collect();
    if mapped.is_empty() {
        return "No fact has token × layer maps.".into();
    }
    let count = mapped.len();
    let told = |what: &str, peaks: Vec<Peak>| {
        let none = count - peaks.len();
        let groups = say::groups(peaks.iter().map(|peak| (peak.role, peak.layer)));
        let one = |(role, layers): &(Role, Vec<usize>)| {
            let range = say::range(layers.iter().map(|layer| *layer as f64), |layer| words::fixed(layer, 0));
            let noun = if range.contains(' ') { "layers" } else { "layer" };
            format!("{} in {} ({noun} {range})", role.name(), layers.len())
        };
        let mut places: Vec<String> = groups.iter().take(3).map(one).collect();
        let rest: usize = groups.iter().skip(3).map(|group| group.1.len()).sum();
        if rest > 0 {
            places.push(format!("elsewhere in {rest}"));
        }
        if none > 0 {
            places.push(format!("nowhere in {none}"));
        }
        if peaks.is_empty() {
            return format!("{what} nowhere.");
        }
        format!("{what} most at {}.", say::list(&places))
    };
    let of = |map: fn(&engram_core::record::Maps) -> &Vec<Vec<f32>>| -> Vec<Peak> {
        mapped.iter().filter_map(|traced| peak(traced, map(traced.maps.as_ref()?), |_| true)).collect()
    };
    let windows: Vec<String> = {
        let mut pairs: Vec<(usize, usize)> = mapped
            .iter()
            .filter_map(|traced| Some((traced.maps.as_ref()?.window, traced.without_block.len())))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs.into_iter().filter_map(|(window, layers)| wide(window, layers)).collect()
    };
    joined([
        Some(told(
            &format!(
                "In the {} with maps, before the prompt's last token the residual stream helps",
                words::count(count, "fact")
            ),
            mapped.iter().filter_map(|traced| early(traced)).collect(),
        )),
        Some(told("The MLPs' contributions help", of(|maps| &maps.mlp))),
        Some(told("Attention's help", of(|maps| &maps.attention))),
        match windows.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(
                "The windows cover most or all of the layers, so these two maps show tokens and hardly layers.".into(),
            ),
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Maps, PatchPosition, Record};

    /// Five tokens; the subject is the second and third; a map with one cell above the baseline.
    fn map(position: usize, layer: usize, p: f32) -> Vec<Vec<f32>> {
        let mut map = vec![vec![0.1; 3]; 5];
        map[position][layer - 1] = p;
        map
    }

    fn record(residual: Vec<Vec<f32>>, mlp: Vec<Vec<f32>>, window: usize) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1]]);
        sample::each(&mut record, |traced| {
            traced.corrupt_tokens = ["The", " a", " b", " is", " in"].map(String::from).to_vec();
            traced.corrupt_span = [1, 3];
            traced.maps =
                Some(Maps { window, residual: residual.clone(), mlp: mlp.clone(), attention: vec![vec![0.1; 3]; 5] });
        });
        record
    }

    #[test]
    fn roles_are_told_apart() {
        let record = record(map(0, 1, 0.1), map(0, 1, 0.1), 1);
        let Some(traced) = record.facts[0].traced() else { panic!("it is traced") };
        let roles: Vec<Role> = (0..5).map(|at| Role::of(traced, at)).collect();
        assert_eq!(roles, [Role::Before, Role::First, Role::Last, Role::After, Role::End]);
        let one = Traced { corrupt_span: [1, 2], ..traced.clone() };
        assert_eq!([Role::of(&one, 1), Role::of(&one, 3)], [Role::Only, Role::Later]);
        let long = Traced { corrupt_span: [0, 5], ..traced.clone() };
        assert_eq!([Role::of(&long, 2), Role::of(&long, 4)], [Role::Middle, Role::Last]);
    }

    #[test]
    fn the_peak_is_named_by_its_role() {
        let mut residual = map(2, 1, 0.4);
        residual[4] = vec![0.1, 0.6, 0.9];
        let said = |record: &Record| fact(&record.facts[0]).unwrap_or_default();
        let told = said(&record(residual.clone(), map(3, 2, 0.3), 1));
        assert!(
            told.starts_with(
                "Before the prompt's last token the residual stream helps most at the subject's last \
                                  token “·b”, layer 1 (+0.3000)."
            ),
            "{told}"
        );
        assert!(told.contains("half of the effect is back from layer 2 on"), "{told}");
        assert!(
            told.contains("Layer by layer the MLPs' contributions help most at the first token after the subject"),
            "{told}"
        );
        assert!(told.contains("attention's contributions help nowhere") && !told.contains("covers"), "{told}");
        residual[2] = vec![0.1; 3];
        let told = said(&record(residual, map(3, 2, 0.3), 3));
        assert!(told.starts_with("Before the prompt's last token no state of the residual stream helps."), "{told}");
        assert!(told.contains("A window of 3 layers covers most or all of the 3"), "{told}");
        assert_eq!(fact(&sample::record().facts[0]), None);
    }

    #[test]
    fn all_maps_are_counted() {
        let records = [record(map(2, 1, 0.4), map(3, 2, 0.3), 1), record(map(1, 3, 0.4), map(3, 1, 0.3), 1)];
        let told = maps(&Article::new(&records, &MetricConvention::default()));
        assert!(told.contains("In the 2 facts with maps"), "{told}");
        assert!(
            told.contains("the subject's last token in 1 (layer 1) and the subject's first token in 1 (layer 3)"),
            "{told}"
        );
        assert!(told.contains("the first token after the subject in 2 (layers 1 to 2)"), "{told}");
        assert!(told.contains("Attention's help nowhere."), "{told}");
        assert_eq!(
            maps(&Article::new(&[sample::record()], &MetricConvention::default())),
            "No fact has token × layer maps."
        );
    }
}
