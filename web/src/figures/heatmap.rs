//! Token × layer maps of one fact: what one clean state, put back, changes. The three maps share one scale.

use crate::words;
use engram_core::record::Traced;

/// The maps of one fact.
#[derive(Debug, Clone, PartialEq)]
pub struct MapSet {
    /// Residual stream, MLP, attention.
    pub maps: Vec<Heat>,
    /// The corrupted prompt's tokens, a row each.
    pub tokens: Vec<Token>,
    /// Layers, a column each.
    pub layers: usize,
    /// `p(true)` on the corrupted prompt: what a cell of no effect leaves.
    pub baseline: f64,
    /// Largest distance of any cell of any map from the baseline: full colour.
    pub span: f64,
}

/// A row's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its text, spaces visible.
    pub text: String,
    /// It belongs to the subject.
    pub subject: bool,
}

/// One map.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Which state is put back.
    pub name: String,
    /// `p_patch`, `[token][layer]`.
    pub values: Vec<Vec<f64>>,
    /// Row and layer (from 1) of the highest value, where one is above the baseline.
    pub peak: Option<(usize, usize)>,
    /// What the map shows, in a sentence.
    pub sentence: String,
}

impl MapSet {
    /// The maps of a fact that has them.
    pub fn of(traced: &Traced) -> Option<Self> {
        let maps = traced.maps.as_ref()?;
        let rows = maps.residual.len().max(maps.mlp.len()).max(maps.attention.len());
        let layers = [&maps.residual, &maps.mlp, &maps.attention].into_iter().flatten().map(Vec::len).max()?;
        let [start, end] = traced.corrupt_span;
        let token = |row: usize| Token {
            text: traced.corrupt_tokens.get(row).map_or_else(|| format!("#{}", row + 1), |text| words::token(text)),
            subject: (start..end).contains(&row),
        };
        let tokens: Vec<Token> = (0..rows).map(token).collect();
        let baseline = f64::from(traced.p_corrupt);
        let window = |name: &str| match maps.window {
            0 | 1 => format!("{name} of one layer"),
            window => format!("{name}, {window} layers around"),
        };
        let kinds = [
            ("Residual stream".to_owned(), &maps.residual),
            (window("MLP"), &maps.mlp),
            (window("Attention"), &maps.attention),
        ];
        let maps: Vec<Heat> = kinds.into_iter().map(|(name, map)| heat(name, map, &tokens, baseline)).collect();
        let cells = maps.iter().flat_map(|map| map.values.iter().flatten());
        let span = cells.map(|value| (value - baseline).abs()).fold(0.0, f64::max);
        Some(Self { maps, tokens, layers, baseline, span })
    }

    /// How strong a cell's colour is, 0 to 1, and whether the value is above the baseline.
    pub fn shade(&self, value: f64) -> (f64, bool) {
        let distance = value - self.baseline;
        let share = if self.span > 0.0 { (distance.abs() / self.span).min(1.0) } else { 0.0 };
        (share, distance >= 0.0)
    }

    /// A cell in words.
    pub fn cell(&self, row: usize, layer: usize, value: f64) -> String {
        let token = self.tokens.get(row).map_or("", |token| token.text.as_str());
        let change = words::signed(value - self.baseline);
        format!("{token}, layer {layer}: p {} ({change})", words::number(value))
    }
}

fn heat(name: String, map: &[Vec<f32>], tokens: &[Token], baseline: f64) -> Heat {
    let values: Vec<Vec<f64>> = map.iter().map(|row| row.iter().copied().map(f64::from).collect()).collect();
    let cells =
        values.iter().enumerate().flat_map(|(row, line)| (1..).zip(line).map(move |(layer, v)| (row, layer, *v)));
    let peak = cells.reduce(|best, next| if next.2 > best.2 { next } else { best }).filter(|peak| peak.2 > baseline);
    let sentence = match peak {
        None => format!("{name}: no cell brings the answer back."),
        Some((row, layer, value)) => {
            let token = tokens.get(row).map_or("", |token| token.text.as_str());
            let role = if tokens.get(row).is_some_and(|token| token.subject) { ", a token of the subject" } else { "" };
            let (p, from) = (words::number(value), words::number(baseline));
            format!("{name}: the answer's probability rises most, from {from} to {p}, at {token}{role}, layer {layer}.")
        }
    };
    Heat { name, values, peak: peak.map(|(row, layer, _)| (row, layer)), sentence }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::record::Maps;

    fn mapped() -> Traced {
        let record = sample::record();
        let mut traced = record.facts[0].traced().cloned().unwrap_or_default();
        traced.maps = Some(Maps {
            window: 3,
            residual: vec![vec![0.1, 0.1, 0.1, 0.1], vec![0.2, 0.9, 0.0, 0.1]],
            mlp: vec![vec![0.1; 4], vec![0.05; 4]],
            attention: vec![],
        });
        traced
    }

    #[test]
    fn three_maps_on_one_scale() {
        let set = MapSet::of(&mapped());
        let Some(set) = set else { panic!("there are maps") };
        assert_eq!((set.layers, set.tokens.len()), (4, 2));
        assert!((set.span - 0.8).abs() < 1e-6);
        assert_eq!(set.maps[0].peak, Some((1, 2)));
        assert_eq!(set.maps[1].peak, None);
        assert_eq!(set.maps[1].name, "MLP, 3 layers around");
        assert!(set.maps[0].sentence.contains("from 0.1000 to 0.9000"), "{}", set.maps[0].sentence);
        assert_eq!(set.cell(1, 2, 0.9), "·Person, layer 2: p 0.9000 (+0.8000)");
        let (share, up) = set.shade(0.0);
        assert!((share - 0.125).abs() < 1e-6 && !up);
    }

    #[test]
    fn maps_may_be_missing_or_flat() {
        assert!(MapSet::of(&Traced::default()).is_none());
        let mut traced = mapped();
        traced.maps = Some(Maps { residual: vec![vec![0.1; 4]; 9], ..Maps::default() });
        traced.p_corrupt = 0.1;
        let Some(set) = MapSet::of(&traced) else { panic!("there are maps") };
        assert_eq!(set.shade(0.1_f32.into()), (0.0, true));
        assert_eq!(set.tokens[8].text, "#9");
    }
}
