//! Token × layer maps of one fact: what one clean state, put back, changes. The three maps share one scale. Rows may
//! still be missing: a map is drawn while it is computed.

use super::finding;
use crate::words;
use engram_core::record::FactRecord;

/// The maps of one fact.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// Why no cell is an effect, in a sentence: the maps are grey then, and have no peaks.
    pub nothing: Option<String>,
    /// What a cell's number is.
    pub cells: Cells,
}

/// What the numbers of maps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// The answer's probability with one clean state put back.
    #[default]
    Probability,
    /// What that is above the corrupted run's: maps of two models, whose corrupted runs differ, on one scale.
    Effect,
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
    /// `p_patch`, `[token][layer]`; a row that is not computed yet is empty.
    pub values: Vec<Vec<f64>>,
    /// Row and layer (from 1) of the highest value, where one is above the baseline.
    pub peak: Option<(usize, usize)>,
    /// What the map shows, in a sentence.
    pub sentence: String,
}

/// What a map's frame is made of; it stays while the values come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Rows.
    pub tokens: Vec<Token>,
    /// Columns.
    pub layers: usize,
    /// Names of the maps.
    pub names: Vec<String>,
}

/// How a cell is coloured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shade {
    /// It is not computed yet.
    Waiting,
    /// Above the baseline, so strongly (0 to 1).
    Up(f64),
    /// Below it.
    Down(f64),
}

/// The name of a map whose patches span a window of layers.
pub fn windowed(name: &str, window: usize) -> String {
    format!("{name}, window of {}", words::count(window, "layer"))
}

impl MapSet {
    /// The maps of a fact that has them.
    pub fn of(fact: &FactRecord) -> Option<Self> {
        let traced = fact.traced()?;
        let maps = traced.maps.as_ref()?;
        let rows = maps.residual.len().max(maps.mlp.len()).max(maps.attention.len());
        let longest = [&maps.residual, &maps.mlp, &maps.attention].into_iter().flatten().map(Vec::len).max()?;
        let layers = longest.max(traced.without_block.len());
        let [start, end] = traced.corrupt_span;
        let token = |row: usize| Token {
            text: traced.corrupt_tokens.get(row).map_or_else(|| format!("#{}", row + 1), |text| words::token(text)),
            subject: (start..end).contains(&row),
        };
        let tokens: Vec<Token> = (0..rows).map(token).collect();
        let baseline = f64::from(traced.p_corrupt);
        let window = |name: &str| windowed(name, maps.window);
        let kinds = [
            ("Residual stream".to_owned(), &maps.residual),
            (window("MLP"), &maps.mlp),
            (window("Attention"), &maps.attention),
        ];
        let nothing = finding::nothing(fact);
        let one = |(name, map): (String, &Vec<Vec<f32>>)| heat(name, map, &tokens, baseline, nothing.as_deref());
        let maps: Vec<Heat> = kinds.into_iter().map(one).collect();
        let cells = maps.iter().flat_map(|map| map.values.iter().flatten());
        let span = cells.map(|value| (value - baseline).abs()).fold(0.0, f64::max);
        let nothing = nothing.map(|why| {
            format!(
                "Grey because nothing here is an effect. {why} The values differ from the baseline by {} at most.",
                words::number(span)
            )
        });
        Some(Self { maps, tokens, layers, baseline, span, nothing, cells: Cells::Probability })
    }

    /// What stays while values come in.
    pub fn frame(&self) -> Frame {
        let names = self.maps.iter().map(|map| map.name.clone()).collect();
        Frame { tokens: self.tokens.clone(), layers: self.layers, names }
    }

    /// How strong a cell's colour is, 0 to 1, and whether the value is above the baseline.
    pub fn shade(&self, value: f64) -> (f64, bool) {
        let distance = value - self.baseline;
        let share = if self.span > 0.0 { (distance.abs() / self.span).min(1.0) } else { 0.0 };
        (share, distance >= 0.0)
    }

    /// The colours of a row.
    pub fn shades(&self, map: usize, row: usize) -> Vec<Shade> {
        let shade = |layer| match self.value(map, row, layer).map(|value| self.shade(value)) {
            None => Shade::Waiting,
            Some((share, true)) => Shade::Up(share),
            Some((share, false)) => Shade::Down(share),
        };
        (1..=self.layers).map(shade).collect()
    }

    /// A cell's value, once it is computed.
    pub fn value(&self, map: usize, row: usize, layer: usize) -> Option<f64> {
        self.maps.get(map)?.values.get(row)?.get(layer.checked_sub(1)?).copied()
    }

    /// A cell in words.
    pub fn cell(&self, map: usize, row: usize, layer: usize) -> String {
        let token = self.tokens.get(row).map_or("", |token| token.text.as_str());
        let role = if self.tokens.get(row).is_some_and(|token| token.subject) { " (subject)" } else { "" };
        let name = self.maps.get(map).map_or("", |map| map.name.as_str());
        let place = format!("{name}: {token}{role}, layer {layer}");
        match self.value(map, row, layer) {
            None => format!("{place}: not computed yet"),
            Some(value) => {
                let change = words::signed(value - self.baseline);
                match self.cells {
                    Cells::Probability => {
                        format!("{place}: p {}, {change} against the corrupted run", words::number(value))
                    }
                    Cells::Effect => format!("{place}: {change}"),
                }
            }
        }
    }

    /// What is neutral, in a word or two.
    pub fn neutral(&self) -> String {
        match self.cells {
            Cells::Probability => format!("{}, corrupted run", words::number(self.baseline)),
            Cells::Effect => "no effect".into(),
        }
    }

    /// What the colours mean, in a sentence.
    pub fn colours(&self) -> String {
        let (low, high) = self.range();
        match self.cells {
            Cells::Probability => format!(
                "Colours from p {} to {}; neutral is {}, the probability of the corrupted run.",
                words::number(low),
                words::number(high),
                words::number(self.baseline)
            ),
            Cells::Effect => {
                format!("Colours from {} to {}; neutral is no effect.", words::signed(low), words::signed(high))
            }
        }
    }

    /// What a cell is, in a sentence or two.
    pub fn note(&self) -> &'static str {
        match self.cells {
            Cells::Probability => {
                "Probability of the answer when one clean state is put back into the corrupted run. Rows are the corrupted \
                 prompt's tokens, the subject's with a *; the highest cell has a ring. The last layer at the last token gives \
                 the clean answer back by definition."
            }
            Cells::Effect => {
                "What one clean state of the residual stream restores of the answer, p_patch − p_corrupt. Rows are the \
                 corrupted prompt's tokens, the subject's with a *."
            }
        }
    }

    /// The lowest and the highest value, the baseline among them.
    pub fn range(&self) -> (f64, f64) {
        let cells = || self.maps.iter().flat_map(|map| map.values.iter().flatten()).copied();
        (cells().fold(self.baseline, f64::min), cells().fold(self.baseline, f64::max))
    }

    /// Rows of a map's table.
    pub fn table(&self, map: usize) -> Vec<Vec<String>> {
        let row = |(row, token): (usize, &Token)| {
            let star = if token.subject { " *" } else { "" };
            let value = |layer| self.value(map, row, layer).map_or("–".into(), words::number);
            std::iter::once(format!("{}{star}", token.text)).chain((1..=self.layers).map(value)).collect()
        };
        self.tokens.iter().enumerate().map(row).collect()
    }
}

/// `nothing`: why no cell is an effect.
fn heat(name: String, map: &[Vec<f32>], tokens: &[Token], baseline: f64, nothing: Option<&str>) -> Heat {
    let values: Vec<Vec<f64>> = map.iter().map(|row| row.iter().copied().map(f64::from).collect()).collect();
    let cells =
        values.iter().enumerate().flat_map(|(row, line)| (1..).zip(line).map(move |(layer, v)| (row, layer, *v)));
    let peak = cells
        .reduce(|best, next| if next.2 > best.2 { next } else { best })
        .filter(|peak| peak.2 > baseline && nothing.is_none());
    let missing = values.iter().filter(|row| row.is_empty()).count();
    let so_far = if missing > 0 { " so far" } else { "" };
    let sentence = match peak {
        _ if missing == values.len() => format!("{name}: not computed yet."),
        None if nothing.is_some() => format!("{name}: no effect. {}", nothing.unwrap_or_default()),
        None => format!("{name}: no cell restores the answer{so_far}."),
        Some((row, layer, value)) => {
            let token = tokens.get(row).map_or("", |token| token.text.as_str());
            let role = if tokens.get(row).is_some_and(|token| token.subject) { ", a token of the subject" } else { "" };
            let (p, from) = (words::number(value), words::number(baseline));
            format!(
                "{name}: the answer's probability rises most{so_far}, from {from} to {p}, at {token}{role}, layer {layer}."
            )
        }
    };
    Heat { name, values, peak: peak.map(|(row, layer, _)| (row, layer)), sentence }
}

/// A cell of one of the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which map.
    pub map: usize,
    /// Row.
    pub row: usize,
    /// Layer, from 1.
    pub layer: usize,
}

impl Place {
    /// Where a key of the keyboard leads in a map of so many rows and layers; `None` for a key that leads nowhere.
    pub fn moved(self, key: &str, with_control: bool, rows: usize, layers: usize) -> Option<Self> {
        let (mut row, mut layer) = (self.row, self.layer);
        match key {
            "ArrowLeft" => layer = layer.saturating_sub(1),
            "ArrowRight" => layer += 1,
            "ArrowUp" => row = row.saturating_sub(1),
            "ArrowDown" => row += 1,
            "PageUp" => row = 0,
            "PageDown" => row = rows,
            "Home" if with_control => (row, layer) = (0, 1),
            "End" if with_control => (row, layer) = (rows, layers),
            "Home" => layer = 1,
            "End" => layer = layers,
            _ => return None,
        }
        Some(Self { row: row.min(rows.saturating_sub(1)), layer: layer.clamp(1, layers.max(1)), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::record::{Maps, Reason};

    fn with(maps: Option<Maps>) -> FactRecord {
        let mut fact = sample::record().facts.swap_remove(0);
        fact.traced_mut().expect("the sample's first fact is traced").maps = maps;
        fact
    }

    fn mapped() -> FactRecord {
        with(Some(Maps {
            window: 3,
            residual: vec![vec![0.1, 0.1, 0.1, 0.1], vec![0.2, 0.9, 0.0, 0.1]],
            mlp: vec![vec![0.1; 4], vec![0.05; 4]],
            attention: vec![],
        }))
    }

    #[test]
    fn maps_without_an_effect_have_no_peak() {
        let mut fact = sample::not_validated(&mapped(), Reason::NotSensitive);
        let traced = fact.traced_mut().expect("it is traced");
        (traced.p_clean, traced.p_corrupt) = (0.1002, 0.1);
        let Some(set) = MapSet::of(&fact) else { panic!("there are maps") };
        assert!(set.nothing.as_ref().is_some_and(|why| why.contains("0.0002")), "{:?}", set.nothing);
        for map in set.maps.iter().filter(|map| !map.values.is_empty()) {
            assert_eq!(map.peak, None, "{}", map.name);
            assert!(map.sentence.contains("no effect") && !map.sentence.contains("layer 2"), "{}", map.sentence);
        }
        assert_eq!(MapSet::of(&mapped()).and_then(|set| set.nothing), None);
    }

    #[test]
    fn three_maps_on_one_scale() {
        let set = MapSet::of(&mapped());
        let Some(set) = set else { panic!("there are maps") };
        assert_eq!((set.layers, set.tokens.len()), (4, 2));
        assert!((set.span - 0.8).abs() < 1e-6);
        assert_eq!(set.maps[0].peak, Some((1, 2)));
        assert_eq!(set.maps[1].peak, None);
        assert_eq!(set.maps[1].name, "MLP, window of 3 layers");
        assert!(set.maps[0].sentence.contains("from 0.1000 to 0.9000"), "{}", set.maps[0].sentence);
        let said = "Residual stream: ·Person (subject), layer 2: p 0.9000, +0.8000 against the corrupted run";
        assert_eq!(set.cell(0, 1, 2), said);
        let (share, up) = set.shade(0.0);
        assert!((share - 0.125).abs() < 1e-6 && !up);
        assert!(matches!(set.shades(0, 1)[1], Shade::Up(share) if share > 0.99));
        assert_eq!(set.table(0)[1][..3], ["·Person *", "0.2000", "0.9000"]);
    }

    #[test]
    fn maps_may_be_missing_or_flat() {
        assert!(MapSet::of(&with(None)).is_none());
        let fact = with(Some(Maps { residual: vec![vec![0.1; 4]; 9], ..Maps::default() }));
        let Some(set) = MapSet::of(&fact) else { panic!("there are maps") };
        assert_eq!(set.shade(0.1_f32.into()), (0.0, true));
        assert_eq!(set.tokens[8].text, "#9");
    }

    #[test]
    fn maps_fill_in() {
        let empty = || vec![Vec::new(); 3];
        let mut fact = with(Some(Maps { window: 3, residual: empty(), mlp: empty(), attention: empty() }));
        let Some(set) = MapSet::of(&fact) else { panic!("there are maps") };
        assert_eq!((set.layers, set.span), (4, 0.0), "the model's layers are known before the first row");
        assert_eq!(set.shades(0, 0), [Shade::Waiting; 4]);
        assert_eq!(set.maps[0].sentence, "Residual stream: not computed yet.");
        assert!(set.cell(2, 1, 1).ends_with("layer 1: not computed yet"));
        let frame = set.frame();
        if let Some(maps) = fact.traced_mut().and_then(|traced| traced.maps.as_mut()) {
            maps.residual[1] = vec![0.1, 0.7, 0.1, 0.1];
        }
        let Some(set) = MapSet::of(&fact) else { panic!("there are maps") };
        assert_eq!(set.frame(), frame);
        assert!(set.maps[0].sentence.contains("rises most so far"), "{}", set.maps[0].sentence);
        assert_eq!(set.table(0)[0][1], "–");
    }

    #[test]
    fn keys_move_within_the_map() {
        let place = Place { map: 1, row: 0, layer: 1 };
        let to = |place: Place, key| place.moved(key, false, 3, 4).map(|place| (place.row, place.layer));
        assert_eq!(to(place, "ArrowLeft"), Some((0, 1)));
        assert_eq!(to(place, "ArrowRight"), Some((0, 2)));
        assert_eq!(to(place, "PageDown"), Some((2, 1)));
        assert_eq!(to(place, "End"), Some((0, 4)));
        assert_eq!(place.moved("End", true, 3, 4), Some(Place { map: 1, row: 2, layer: 4 }));
        assert_eq!(to(place, "x"), None);
    }
}
