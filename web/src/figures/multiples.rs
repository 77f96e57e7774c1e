//! Small multiples: studies beside each other, a panel for each thing that is measured, under shared headers and on shared
//! axes.

use super::bars::Bars;
use crate::scale::Scale;
use crate::words;
use engram_core::metrics::Mean;

/// Means by row and layer.
pub type Cells = Vec<Vec<Option<Mean>>>;

/// A figure of panels.
#[derive(Debug, Clone, PartialEq)]
pub struct Multiples {
    /// Names of the studies.
    pub studies: Vec<String>,
    /// What is measured, and how, in a few words.
    pub sites: Vec<(String, String)>,
    /// Rows of the maps, and whether they belong to the subject; none where panels are bars.
    pub names: Vec<(String, bool)>,
    /// By study, then by what is measured.
    pub panels: Vec<Vec<Panel>>,
    /// The value axis of all bars.
    pub scale: Option<Scale>,
    /// What a number is.
    pub what: &'static str,
}

/// One panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its columns.
    pub layers: usize,
    /// What is drawn.
    pub what: What,
    /// The layer that is pointed at, from 1.
    pub mark: Option<usize>,
    /// What is said beneath it.
    pub words: String,
}

/// What a panel draws.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A map: a colour a cell.
    Map(Cells),
    /// A bar a layer.
    Bars(Bars),
}

impl Panel {
    /// A panel of nothing, and why.
    pub fn nothing(why: &str) -> Self {
        Self { layers: 0, what: What::Map(Vec::new()), mark: None, words: why.to_owned() }
    }

    /// Rows that can be looked at.
    pub fn rows(&self) -> usize {
        match &self.what {
            What::Map(cells) => cells.len(),
            What::Bars(_) => 1,
        }
    }

    /// What a cell says.
    fn value(&self, row: usize, layer: usize) -> Option<String> {
        let at = layer.checked_sub(1)?;
        match &self.what {
            What::Map(cells) => cells.get(row)?.get(at)?.as_ref().map(words::mean),
            What::Bars(bars) => Some(bars.bars.get(at)?.words()),
        }
    }
}

/// A figure of bars, on one value axis of a height. A panel is bars and what is said beneath them; one without bars says that
/// nothing was traced.
pub fn of_bars(
    studies: Vec<String>,
    sites: Vec<(String, String)>,
    panels: Vec<Vec<(Bars, String)>>,
    height: f64,
    what: &'static str,
) -> Multiples {
    let values: Vec<f64> = panels.iter().flatten().flat_map(|(bars, _)| bars.values()).collect();
    let panel = |(bars, words): (Bars, String)| match bars.bars.len() {
        0 => Panel::nothing("nothing was traced"),
        layers => Panel { layers, mark: bars.mark.as_ref().map(|mark| mark.0), what: What::Bars(bars), words },
    };
    let panels = panels.into_iter().map(|row| row.into_iter().map(panel).collect()).collect();
    let scale = Scale::around_zero(values, height);
    Multiples { studies, sites, names: Vec::new(), panels, scale: Some(scale), what }
}

/// A cell of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The study, from 0.
    pub study: usize,
    /// What is measured, from 0.
    pub site: usize,
    /// The row, from 0.
    pub row: usize,
    /// The layer, from 1.
    pub layer: usize,
}

impl Multiples {
    /// A panel.
    pub fn panel(&self, at: Cursor) -> Option<&Panel> {
        self.panels.get(at.study)?.get(at.site)
    }

    /// A cell in words.
    pub fn said(&self, at: Cursor) -> String {
        let study = Some(&self.studies[at.study]).filter(|_| self.studies.len() > 1);
        let site = Some(&self.sites[at.site].0);
        let row = self.names.get(at.row).map(|name| &name.0);
        let parts: Vec<&str> = [study, site, row].into_iter().flatten().map(String::as_str).collect();
        let value = self.panel(at).and_then(|panel| panel.value(at.row, at.layer)).unwrap_or_else(|| "–".into());
        format!("{}, layer {}: {} {value}", parts.join(", "), at.layer, self.what)
    }

    /// Where a key leads; `None` for keys that lead nowhere. Beyond a panel's end begins its neighbour.
    pub fn walked(&self, key: &str, now: Option<Cursor>) -> Option<Cursor> {
        let all = (0..self.studies.len()).flat_map(|study| (0..self.sites.len()).map(move |site| (study, site)));
        let drawn = |(study, site): &(usize, usize)| self.panels[*study][*site].layers > 0;
        let panels: Vec<(usize, usize)> = all.filter(drawn).collect();
        let first = panels.first().map(|(study, site)| Cursor { study: *study, site: *site, row: 0, layer: 1 })?;
        let known = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
        let (key, now) = (known.into_iter().find(|known| *known == key)?, now.unwrap_or(first));
        let panel = self.panel(now)?;
        let (row, layer) = (now.row, now.layer);
        let place = panels.iter().position(|panel| *panel == (now.study, now.site))?;
        let other = |by: isize, end: bool| {
            let (study, site) = *panels.get(place.checked_add_signed(by)?)?;
            let layers = self.panels[study][site].layers;
            Some(Cursor { study, site, row, layer: if end { layers } else { layer.min(layers) } })
        };
        let at = |row: usize, layer: usize| Some(Cursor { row, layer, ..now });
        match key {
            "ArrowLeft" if layer > 1 => at(row, layer - 1),
            "ArrowLeft" => other(-1, true),
            "ArrowRight" if layer < panel.layers => at(row, layer + 1),
            "ArrowRight" => other(1, false).map(|next| Cursor { layer: 1, ..next }),
            "ArrowUp" if row > 0 => at(row - 1, layer),
            "ArrowDown" if row + 1 < panel.rows() => at(row + 1, layer),
            "Home" => at(row, 1),
            "End" => at(row, panel.layers),
            "PageUp" => other(-1, false),
            "PageDown" => other(1, false),
            _ => None,
        }
        .or(Some(now))
    }

    /// Column names and rows of the figure's table.
    pub fn numbers(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut head = vec!["model".to_owned(), "part".to_owned()];
        if !self.names.is_empty() {
            head.push("token".into());
        }
        head.extend(["layer".to_owned(), self.what.to_owned()]);
        let mut rows = Vec::new();
        for (study, panels) in self.studies.iter().zip(&self.panels) {
            for (panel, site) in panels.iter().zip(&self.sites) {
                for (row, layer) in (0..panel.rows()).flat_map(|row| (1..=panel.layers).map(move |layer| (row, layer)))
                {
                    let Some(value) = panel.value(row, layer) else { continue };
                    let name = self.names.get(row).map(|name| name.0.clone());
                    let cells = [Some(study.clone()), Some(site.0.clone()), name, Some(layer.to_string()), Some(value)];
                    rows.push(cells.into_iter().flatten().collect());
                }
            }
        }
        (head, rows)
    }
}

/// The class of a cell's colour: nine steps of recovery, three of harm.
pub fn step(value: f64) -> &'static str {
    const STEPS: [&str; 9] = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];
    match value {
        v if v < -0.5 => "h3",
        v if v < -0.2 => "h2",
        v if v < -0.06 => "h1",
        v => STEPS[((v.clamp(0.0, 1.0) * 8.0).round() as usize).min(8)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> Multiples {
        let panel = |layers: usize| {
            let cells = vec![vec![Mean::of([0.25]); layers]; 2];
            Panel { layers, what: What::Map(cells), mark: None, words: String::new() }
        };
        Multiples {
            studies: vec!["a".into(), "b".into()],
            sites: vec![("State".into(), String::new()), ("MLP".into(), String::new())],
            names: vec![("last subject token".into(), true), ("last token".into(), false)],
            panels: vec![vec![panel(2), panel(2)], vec![Panel::nothing("no maps"), panel(3)]],
            scale: None,
            what: "recovery",
        }
    }

    #[test]
    fn keys_walk_through_all_panels() {
        let figure = figure();
        let mut at = figure.walked("Home", None);
        let mut walk = |key: &str| {
            at = figure.walked(key, at);
            at.map(|at| (at.study, at.site, at.row, at.layer))
        };
        assert_eq!(walk("ArrowRight"), Some((0, 0, 0, 2)));
        assert_eq!(walk("ArrowRight"), Some((0, 1, 0, 1)), "into the next panel");
        assert_eq!(walk("ArrowDown"), Some((0, 1, 1, 1)));
        assert_eq!(walk("ArrowDown"), Some((0, 1, 1, 1)), "it stays at an end");
        assert_eq!(walk("PageDown"), Some((1, 1, 1, 1)), "a panel of nothing is passed over");
        assert_eq!(walk("End"), Some((1, 1, 1, 3)));
        assert_eq!(walk("ArrowRight"), Some((1, 1, 1, 3)));
        assert_eq!(figure.walked("a", at), None);
        assert_eq!(
            at.map(|at| figure.said(at)).as_deref(),
            Some("b, MLP, last token, layer 3: recovery 0.2500 (n = 1)")
        );
    }

    #[test]
    fn every_cell_is_a_row_of_the_table() {
        let (head, rows) = figure().numbers();
        assert_eq!(head, ["model", "part", "token", "layer", "recovery"]);
        assert_eq!((rows.len(), rows[0].len()), (2 * (2 + 2 + 3), 5));
    }

    #[test]
    fn colours_are_steps() {
        let found = [-0.9, -0.3, -0.1, -0.01, 0.0, 0.5, 1.0, 3.0].map(step);
        assert_eq!(found, ["h3", "h2", "h1", "m0", "m0", "m4", "m8", "m8"]);
    }
}
