//! The three maps of a trace in units of recovery: 0 is the corrupted run, 1 the clean run.

use super::{Role, Row, rows};
use crate::words;
use engram_core::protocol::MapSite;
use engram_core::record::{FactRecord, Reason};

/// The maps, in the order in which they are offered.
pub const SITES: [MapSite; 3] = [MapSite::Residual, MapSite::Mlp, MapSite::Attention];

/// Below this a cell is worse than the corrupted run, not just as good.
const WORSE: f64 = -0.02;

/// Whether there is anything to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The model knows the answer, and loses it with the subject.
    Effect,
    /// It gives another answer.
    NotKnown,
    /// It gives the answer without the subject, too.
    NotSensitive,
}

/// How cells become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// As they are.
    #[default]
    Linear,
    /// By their square roots: small recoveries are seen, too.
    Root,
    /// As shares of the map's own highest cell.
    Own,
}

impl Scale {
    /// All of them with their names, in the order in which they are offered.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Linear, "linear"), (Self::Root, "√"), (Self::Own, "own")];

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Root => "root",
            Self::Own => "own",
        }
    }
}

/// A row and a layer of the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The row, from 0.
    pub row: usize,
    /// The layer, from 1.
    pub layer: usize,
}

/// The highest cell of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Where.
    pub at: Cursor,
    /// Its recovery.
    pub value: f64,
}

/// The maps of one trace.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceMaps {
    /// Their rows.
    pub rows: Vec<Row>,
    /// Their columns.
    pub layers: usize,
    /// Layers that a cell of the MLP and attention maps puts back.
    pub window: usize,
    /// The true answer.
    pub answer: String,
    /// Its probability in the clean run.
    pub p_clean: f64,
    /// Its probability in the corrupted run.
    pub p_corrupt: f64,
    /// Whether there is an effect.
    pub standing: Standing,
    /// The pinned trace, where values are differences from it.
    pub(super) against: Option<Box<TraceMaps>>,
    /// `p_patch` by map, corrupted position and layer; a row that is not computed yet is empty.
    pub(super) p: [Vec<Vec<f64>>; 3],
}

impl TraceMaps {
    /// The maps of a traced fact; those without maps of their own have rows and no cells.
    pub fn of(fact: &FactRecord, by_role: bool) -> Option<Self> {
        // A damaged record may have no tokens or no layers; there is nothing to draw then.
        let traced = fact.traced().filter(|traced| !traced.tokens.is_empty() && !traced.without_block.is_empty())?;
        let standing = match fact.outcome.why() {
            Some((Reason::NotKnown, _)) => Standing::NotKnown,
            Some((Reason::NotSensitive, _)) => Standing::NotSensitive,
            _ => Standing::Effect,
        };
        let wide = |map: &Vec<Vec<f32>>| -> Vec<Vec<f64>> {
            map.iter().map(|row| row.iter().copied().map(f64::from).collect()).collect()
        };
        let p = match &traced.maps {
            Some(maps) => [wide(&maps.residual), wide(&maps.mlp), wide(&maps.attention)],
            None => Default::default(),
        };
        Some(Self {
            rows: rows(traced, by_role),
            layers: traced.without_block.len(),
            window: traced.maps.as_ref().map_or(0, |maps| maps.window),
            answer: words::visible(fact.target_true.trim()),
            p_clean: traced.p_clean.into(),
            p_corrupt: traced.p_corrupt.into(),
            standing,
            against: None,
            p,
        })
    }

    /// The first layer and the last one that a cell of a map puts back.
    pub fn put_back(&self, site: MapSite, layer: usize) -> (usize, usize) {
        match site {
            MapSite::Residual => (layer, layer),
            _ => {
                let first = layer.saturating_sub(self.window / 2).max(1);
                (first, (layer + self.window.div_ceil(2)).saturating_sub(1).min(self.layers).max(first))
            }
        }
    }

    /// A probability as recovery.
    pub fn recovery(&self, p: f64) -> f64 {
        (p - self.p_corrupt) / (self.p_clean - self.p_corrupt)
    }

    /// `p_patch` of a cell, over several positions their mean; `None` where there is none, or none yet.
    pub fn p(&self, site: MapSite, at: Cursor) -> Option<f64> {
        let map = &self.p[place(site)];
        let row = self.rows.get(at.row)?;
        let cell = |position: &usize| map.get(*position)?.get(at.layer.checked_sub(1)?).copied();
        let found: Option<Vec<f64>> = row.at.iter().map(cell).collect();
        let found = found.filter(|found| !found.is_empty())?;
        Some(found.iter().sum::<f64>() / found.len() as f64)
    }

    /// Recovery of a cell, or how much more it is than the pinned trace's; `None` without an effect, too.
    pub fn value(&self, site: MapSite, at: Cursor) -> Option<f64> {
        let own = self.p(site, at).filter(|_| self.standing == Standing::Effect).map(|p| self.recovery(p))?;
        match self.differs() {
            false => Some(own),
            true => Some(own - self.pinned(site, at)?),
        }
    }

    /// Its values are differences from a pinned trace.
    pub fn differs(&self) -> bool {
        self.against.is_some()
    }

    /// A row, layer by layer.
    pub fn line(&self, site: MapSite, row: usize) -> Vec<Option<f64>> {
        (1..=self.layers).map(|layer| self.value(site, Cursor { row, layer })).collect()
    }

    /// The value that is darkest on a scale: 1, or the farthest of a map's own.
    pub fn top(&self, site: MapSite, scale: Scale) -> f64 {
        if scale != Scale::Own {
            return 1.0;
        }
        let rows = (0..self.rows.len()).flat_map(|row| self.line(site, row)).flatten();
        // A map of nothing stays pale.
        rows.map(f64::abs).fold(0.05, f64::max)
    }

    /// A row's token within a sentence: without the space before it, unless another row has the same letters.
    pub fn token(&self, row: usize) -> String {
        let Some(Row { text, role, averaged, .. }) = self.rows.get(row) else { return String::new() };
        if *averaged {
            return role.full().to_owned();
        }
        let bare = text.trim_start_matches('·');
        let twin = |other: &Row| other.text != *text && other.text.trim_start_matches('·') == bare;
        if self.rows.iter().any(twin) { text.clone() } else { bare.to_owned() }
    }

    /// The row of the subject's last token.
    pub fn subject_last(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.role == Role::Last)
    }

    /// The row that is looked at when a layer is stepped to: the one there is, unless that is one of the two that the answer goes
    /// through; then the one of these whose state restores more there.
    pub fn row_at(&self, layer: usize, now: Option<usize>) -> usize {
        let both = [self.subject_last().unwrap_or(self.last()), self.last()];
        match now.filter(|row| !both.contains(row) && *row < self.rows.len()) {
            Some(row) => row,
            None => {
                let [subject, last] =
                    both.map(|row| self.value(MapSite::Residual, Cursor { row, layer }).unwrap_or(0.0));
                if last > subject { both[1] } else { both[0] }
            }
        }
    }

    /// The prompt's last row.
    pub fn last(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }

    /// The highest cell, if it regains a tenth; of differences the widest one. In the map of states only the subject's count: the last
    /// token's state after the last layer restores everything by definition, and those before it nearly so.
    pub fn peak(&self, site: MapSite) -> Option<Peak> {
        if self.differs() {
            return self.widest(site);
        }
        let by_definition = |at: Cursor| at.row == self.last() && at.layer == self.layers;
        let highest = |of: &dyn Fn(&Row) -> bool| {
            let rows = self.rows.iter().enumerate().filter(|(_, row)| of(row)).map(|(row, _)| row);
            let cells = rows.flat_map(|row| (1..=self.layers).map(move |layer| Cursor { row, layer }));
            let known = cells.filter(|at| !by_definition(*at)).filter_map(|at| Some((at, self.value(site, at)?)));
            let best = known.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
            Some(Peak { at: best.0, value: best.1 })
        };
        if site == MapSite::Residual {
            return highest(&|row| row.role.is_subject()).filter(|peak| peak.value >= engram_core::metrics::PEAK);
        }
        highest(&|_| true).filter(|peak| peak.value >= engram_core::metrics::PEAK)
    }

    /// What the peak is called: in the map of states it is the subject's, which is said where another row restores more.
    pub fn peak_name(&self, site: MapSite) -> &'static str {
        let Some(peak) = self.peak(site).filter(|_| site == MapSite::Residual) else { return "peak" };
        // The last row's last cell restores everything by definition.
        let cells = |row: usize| if row == self.last() { self.layers.saturating_sub(1) } else { self.layers };
        let more = |row: usize| self.line(site, row).into_iter().take(cells(row)).flatten().any(|one| one > peak.value);
        if (0..self.rows.len()).any(more) { "subject peak" } else { "peak" }
    }

    /// Rows of the maps that are computed, and how many there will be; `None` where all are.
    pub fn waiting(&self) -> Option<(usize, usize)> {
        let rows = || self.p.iter().flatten();
        let (done, of) = (rows().filter(|row| !row.is_empty()).count(), rows().count());
        (done < of).then(|| (done / SITES.len(), of / SITES.len()))
    }

    /// Any of its rows is computed.
    fn has(&self, site: MapSite) -> bool {
        self.p[place(site)].iter().any(|row| !row.is_empty())
    }

    /// It has maps, or will have them.
    pub fn any(&self) -> bool {
        self.p.iter().any(|map| !map.is_empty())
    }

    /// A cell in a few words, for a map that is not spoken of.
    pub fn tip(&self, site: MapSite, at: Cursor) -> Option<String> {
        let value = self.value(site, at)?;
        Some(format!("{}, {}, layer {}: {}", site_name(site), self.token(at.row), at.layer, words::fixed(value, 2)))
    }

    /// One of the maps has a cell that is worse than the corrupted run.
    pub fn worse(&self) -> bool {
        let lines = SITES.into_iter().flat_map(|site| (0..self.rows.len()).map(move |row| self.line(site, row)));
        lines.flatten().flatten().any(|value| value < WORSE)
    }

    /// Column names and rows of a map's table.
    pub fn table(&self, site: MapSite) -> (Vec<String>, Vec<Vec<String>>) {
        let head = std::iter::once("token".to_owned()).chain((1..=self.layers).map(|layer| layer.to_string()));
        let row = |(at, row): (usize, &Row)| {
            let star = if row.role.is_subject() { " *" } else { "" };
            let value = |value: Option<f64>| value.map_or("–".into(), |value| words::fixed(value, 3));
            let values = self.line(site, at).into_iter().map(value);
            std::iter::once(format!("{}{star}", row.text)).chain(values).collect()
        };
        (head.collect(), self.rows.iter().enumerate().map(row).collect())
    }

    /// What a map shows, in a sentence for those who do not see it.
    pub fn sentence(&self, site: MapSite) -> String {
        let name = site_name(site);
        match self.peak(site) {
            _ if self.standing != Standing::Effect => format!("{name}: nothing to show."),
            _ if !self.any() => "This result has no maps.".to_owned(),
            _ if !self.has(site) => format!("{name}: not computed yet."),
            None if self.differs() => format!("{name}: no cell differs by 0.05 or more from the pinned trace."),
            None => format!("{name}: no cell restores a tenth of {}.", self.answer),
            Some(Peak { at, value }) if self.differs() => {
                let row = &self.rows[at.row];
                format!(
                    "{name}: the difference is widest, {}, at {}, layer {}.",
                    words::fixed(value, 2),
                    row.text,
                    at.layer
                )
            }
            Some(Peak { at, value }) => {
                let row = &self.rows[at.row];
                let of = if self.peak_name(site) == "peak" { "" } else { " of the subject’s tokens" };
                format!(
                    "{name}: recovery{of} is highest, {}, at {} ({}), layer {}.",
                    words::fixed(value, 2),
                    row.text,
                    row.role.full(),
                    at.layer
                )
            }
        }
    }
}

/// A map's name.
pub(super) fn site_name(site: MapSite) -> &'static str {
    match site {
        MapSite::Residual => "State",
        MapSite::Mlp => "MLP",
        MapSite::Attention => "Attention",
    }
}

fn place(site: MapSite) -> usize {
    SITES.iter().position(|one| *one == site).unwrap_or(0)
}

/// A recovery as a colour of the style sheet: nine steps of the map's ramp, mixed evenly; below the corrupted run those of harm.
pub fn ramp(value: f64, scale: Scale) -> String {
    let between = |names: &[&str], x: f64| {
        let at = (x.floor() as usize).min(names.len() - 2);
        match ((x - at as f64) * 100.0).round() as usize {
            0 => format!("var(--{})", names[at]),
            share => format!("color-mix(in oklab,var(--{}) {share}%,var(--{}))", names[at + 1], names[at]),
        }
    };
    let shaped = |x: f64| if scale == Scale::Root { x.sqrt() } else { x };
    if value < WORSE {
        return between(&["map-0", "harm-1", "harm-2", "harm-3"], shaped((-value).min(1.0)) * 3.0);
    }
    let steps = ["map-0", "map-1", "map-2", "map-3", "map-4", "map-5", "map-6", "map-7", "map-8"];
    between(&steps, shaped(value.clamp(0.0, 1.0)) * 8.0)
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;

    fn maps() -> TraceMaps {
        TraceMaps::of(&machu::fact(machu::traced()), false).expect("it is traced")
    }

    fn at(row: usize, layer: usize) -> Cursor {
        Cursor { row, layer }
    }

    #[test]
    fn values_are_recovery() {
        let maps = maps();
        assert!((maps.value(MapSite::Residual, at(2, 2)).expect("a cell") - 1.0).abs() < 1e-6);
        assert!((maps.value(MapSite::Residual, at(1, 6)).expect("a cell") + 0.25).abs() < 1e-6);
        assert_eq!(maps.value(MapSite::Residual, at(2, 7)), None);
        assert_eq!(maps.value(MapSite::Residual, at(9, 1)), None);
        let peak = maps.peak(MapSite::Residual).expect("a peak");
        assert_eq!(peak.at, at(2, 2));
        assert_eq!(maps.peak(MapSite::Attention).expect("a peak").at, at(4, 4));
        let mut traced = machu::traced();
        traced.maps.as_mut().expect("maps").residual[2].fill(0.5);
        let lower = TraceMaps::of(&machu::fact(traced), false).expect("it is traced");
        assert_eq!([maps.peak_name(MapSite::Residual), lower.peak_name(MapSite::Residual)], ["peak", "subject peak"]);
        assert_eq!(maps.tip(MapSite::Mlp, at(2, 1)).as_deref(), Some("MLP, Picchu, layer 1: 0.90"));
        assert!(maps.worse());
        assert_eq!(maps.put_back(MapSite::Mlp, 1), (1, 2));
        assert_eq!(maps.put_back(MapSite::Mlp, 3), (2, 4));
        assert_eq!(maps.put_back(MapSite::Residual, 3), (3, 3));
        assert_eq!(maps.waiting(), None);
        let top = |site, scale| maps.top(site, scale);
        assert_eq!(top(MapSite::Mlp, Scale::Linear), 1.0);
        assert!((top(MapSite::Mlp, Scale::Own) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn without_an_effect_there_are_no_values() {
        let fact = machu::dropped(machu::traced(), Reason::NotSensitive);
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        assert_eq!(maps.standing, Standing::NotSensitive);
        assert_eq!(maps.value(MapSite::Residual, at(2, 2)), None);
        assert!(maps.p(MapSite::Residual, at(2, 2)).is_some());
        assert_eq!(maps.peak(MapSite::Residual), None);
    }

    #[test]
    fn a_row_that_is_not_computed_waits() {
        let mut traced = machu::traced();
        let there = traced.maps.as_mut().expect("maps");
        for map in [&mut there.residual, &mut there.mlp, &mut there.attention] {
            map[2].clear();
        }
        let maps = TraceMaps::of(&machu::fact(traced), false).expect("it is traced");
        assert_eq!(maps.waiting(), Some((4, 5)));
        assert_eq!(maps.line(MapSite::Residual, 2), vec![None; machu::LAYERS]);
    }

    #[test]
    fn a_trace_without_tokens_or_layers_has_no_maps() {
        let mut traced = machu::traced();
        traced.without_block.clear();
        assert_eq!(TraceMaps::of(&machu::fact(traced), false), None);
        let mut traced = machu::traced();
        traced.tokens.clear();
        assert_eq!(TraceMaps::of(&machu::fact(traced), false), None);
    }

    #[test]
    fn averages_are_over_the_positions_of_a_role() {
        let maps = TraceMaps::of(&machu::fact(machu::traced()), true).expect("it is traced");
        let whole = self::maps();
        assert_eq!(maps.value(MapSite::Residual, at(2, 2)), whole.value(MapSite::Residual, at(2, 2)));
        assert_eq!(maps.rows.len(), 5);
    }

    #[test]
    fn colours_run_from_the_corrupted_to_the_clean_run() {
        assert_eq!(ramp(0.0, Scale::Linear), "var(--map-0)");
        assert_eq!(ramp(1.0, Scale::Linear), "color-mix(in oklab,var(--map-8) 100%,var(--map-7))");
        assert_eq!(ramp(0.5, Scale::Linear), "var(--map-4)");
        assert_eq!(ramp(0.25, Scale::Root), "var(--map-4)");
        assert_eq!(ramp(-0.01, Scale::Linear), "var(--map-0)");
        assert!(ramp(-0.5, Scale::Linear).contains("--harm-2"));
        assert!(ramp(2.0, Scale::Linear).contains("--map-8"));
    }

    #[test]
    fn a_step_goes_where_the_answer_is() {
        let maps = TraceMaps::of(&machu::fact(machu::traced()), false).expect("it is traced");
        assert_eq!([2, 6].map(|layer| maps.row_at(layer, Some(2))), [2, 4]);
        assert_eq!((maps.row_at(6, None), maps.row_at(6, Some(1))), (4, 1), "a row of one's own stays");
    }

    #[test]
    fn tokens_of_the_same_letters_are_told_apart() {
        let mut traced = machu::traced();
        assert_eq!(TraceMaps::of(&machu::fact(traced.clone()), false).expect("it is traced").token(4), "of");
        traced.tokens[1] = "of".into();
        let maps = TraceMaps::of(&machu::fact(traced), false).expect("it is traced");
        assert_eq!([1, 4].map(|row| maps.token(row)), ["of", "·of"]);
    }
}
