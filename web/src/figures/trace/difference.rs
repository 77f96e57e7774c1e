//! Two traces cell by cell: this one minus the pinned one.

use super::sites::quoted;
use super::{Cursor, Peak, Piece, Standing, Story, TraceMaps};
use crate::words;
use engram_core::protocol::MapSite;

/// Differences that are smaller are none.
const LEAST: f64 = 0.05;

/// Why two traces cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlike {
    /// One of them is not whole, or has no effect.
    NoEffect,
    /// Their prompts have different tokens; their roles may be the same.
    Tokens,
    /// Not even their roles are the same.
    Roles,
}

impl Unlike {
    /// It in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoEffect => "Only whole traces with an effect can be compared.",
            Self::Tokens => "The two prompts have different tokens: their rows are averaged by role.",
            Self::Roles => "The two prompts have tokens of different roles, so no rows of theirs belong together.",
        }
    }
}

impl TraceMaps {
    /// The same maps as differences: recovery here minus recovery there. Rows are compared in their order.
    ///
    /// # Errors
    /// Why the two cannot be compared.
    pub fn minus(self, other: &Self) -> Result<Self, Unlike> {
        let there = |maps: &Self| maps.any() && maps.waiting().is_none() && maps.standing == Standing::Effect;
        if !there(&self) || !there(other) {
            return Err(Unlike::NoEffect);
        }
        let roles = |maps: &Self| maps.rows.iter().map(|row| row.role).collect::<Vec<_>>();
        if roles(&self) != roles(other) {
            let averaged = self.rows.iter().any(|row| row.averaged);
            return Err(if averaged { Unlike::Roles } else { Unlike::Tokens });
        }
        Ok(Self { against: Some(Box::new(other.clone())), ..self })
    }

    /// The recovery of the pinned trace's cell; of a model of another depth, of its layer at the same relative depth.
    pub fn pinned(&self, site: MapSite, at: Cursor) -> Option<f64> {
        let other = self.against.as_ref()?;
        other.value(site, Cursor { layer: self.pinned_layer(at.layer), ..at })
    }

    /// The pinned trace's layer at the relative depth of a layer.
    pub fn pinned_layer(&self, layer: usize) -> usize {
        let depth = self.against.as_ref().map_or(self.layers, |other| other.layers);
        (layer * depth).div_ceil(self.layers.max(1)).clamp(1, depth.max(1))
    }

    /// The cell that differs most, if it differs at all.
    pub fn widest(&self, site: MapSite) -> Option<Peak> {
        let cells = (0..self.rows.len()).flat_map(|row| (1..=self.layers).map(move |layer| Cursor { row, layer }));
        let known = cells.filter_map(|at| Some(Peak { at, value: self.value(site, at)? }));
        let widest = known.reduce(|best, next| if next.value.abs() > best.value.abs() { next } else { best })?;
        (widest.value.abs() >= LEAST).then_some(widest)
    }
}

/// What the difference of two traces says; `names` are those of the shown one and of the pinned one.
pub fn told(maps: &TraceMaps, names: &[String; 2]) -> Story {
    let text = |text: String| Piece::Text(text);
    let [this, pinned] = names;
    let deep = maps.against.as_ref().map_or(maps.layers, |other| other.layers);
    let depth = match deep == maps.layers {
        true => String::new(),
        false => format!(" Of the pinned model’s {deep} layers those at the same relative depth are taken."),
    };
    let more = "Difference of recovery: this trace minus the pinned one. Blue is more here, red is less here, grey is no difference.";
    let head = match maps.widest(MapSite::Residual) {
        None => vec![text(format!("With {this} and with {pinned}, no state’s recovery differs by 0.05 or more."))],
        Some(Peak { at, value }) => {
            let token = if maps.rows[at.row].role.is_subject() { Piece::Subject } else { Piece::Token };
            let (from, to) = around(maps, at, value);
            let layers = if from == to { format!("layer {from}") } else { format!("layers {from}–{to}") };
            let how = if value > 0.0 { "more" } else { "less" };
            vec![
                text(format!("With {this}, ")),
                token(both(maps, at.row)),
                text(format!(" restores up to {} {how} at {layers} than with {pinned}.", words::fixed(value.abs(), 2))),
            ]
        }
    };
    Story { head, more: format!("{more}{depth}"), ..Story::default() }
}

/// A row's token; where the pinned trace has another one there, both.
fn both(maps: &TraceMaps, row: usize) -> String {
    let (here, there) = (quoted(maps, row), maps.against.as_ref().map(|other| quoted(other, row)));
    let first = maps.rows.iter().position(|row| row.role.is_subject());
    match (there.filter(|there| *there != here), first.filter(|_| maps.rows[row].role.is_subject())) {
        (None, _) => here,
        (Some(there), Some(first)) => {
            format!("the {} subject token ({here}; {there} there)", words::ordinal(row - first + 1))
        }
        (Some(there), None) => format!("{here} ({there} there)"),
    }
}

/// The layers around a cell that differ at least half as much in the same direction.
fn around(maps: &TraceMaps, at: Cursor, value: f64) -> (usize, usize) {
    let line = maps.line(MapSite::Residual, at.row);
    let like = |layer: &usize| line[layer - 1].is_some_and(|one| one * value.signum() >= value.abs() / 2.0);
    let from = (1..=at.layer).rev().take_while(like).last().unwrap_or(at.layer);
    let to = (at.layer..=maps.layers).take_while(like).last().unwrap_or(at.layer);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;

    fn maps(scale: f32) -> TraceMaps {
        let mut traced = machu::traced();
        let maps = traced.maps.as_mut().expect("maps");
        maps.residual[2].iter_mut().for_each(|p| *p = 0.1 + (*p - 0.1) * scale);
        TraceMaps::of(&machu::fact(traced), false).expect("it is traced")
    }

    #[test]
    fn two_traces_differ_cell_by_cell() {
        let found = maps(0.5).minus(&maps(1.0)).expect("they can be compared");
        let at = Cursor { row: 2, layer: 2 };
        assert!((found.value(MapSite::Residual, at).expect("a value") + 0.5).abs() < 1e-6);
        assert!((found.pinned(MapSite::Residual, at).expect("a value") - 1.0).abs() < 1e-6);
        assert_eq!(found.value(MapSite::Residual, Cursor { row: 4, layer: 6 }), Some(0.0));
        assert_eq!(found.widest(MapSite::Residual).map(|peak| peak.at), Some(at));
        let said = told(&found, &["“A”".into(), "“B”".into()]);
        assert_eq!(said.text(), "With “A”, “Picchu” restores up to 0.50 less at layers 1–3 than with “B”.");
        let mut other = maps(1.0);
        other.rows[2].text = "eder".into();
        let said = told(&maps(0.5).minus(&other).expect("they can be compared"), &["“A”".into(), "“B”".into()]);
        assert!(said.text().contains("the 3rd subject token (“Picchu”; “eder” there) restores"), "{}", said.text());
        let same = maps(1.0).minus(&maps(1.0)).expect("they can be compared");
        assert!(told(&same, &["x".into(), "y".into()]).text().ends_with("differs by 0.05 or more."));
    }

    #[test]
    fn models_of_other_depths_are_compared_at_the_same_relative_depth() {
        let (mut shallow, mut traced) = (maps(1.0), machu::traced());
        shallow.against = Some(Box::new(TraceMaps { layers: 12, ..shallow.clone() }));
        assert_eq!([1, 2, 6].map(|layer| shallow.pinned_layer(layer)), [2, 4, 12]);
        shallow.against = Some(Box::new(TraceMaps { layers: 3, ..shallow.clone() }));
        assert_eq!([1, 2, 3, 6].map(|layer| shallow.pinned_layer(layer)), [1, 1, 2, 3]);
        // A model of three layers: what it restores at its last is held against the last of six.
        traced.without_block.truncate(3);
        let there = traced.maps.as_mut().expect("maps");
        [&mut there.residual, &mut there.mlp, &mut there.attention]
            .into_iter()
            .flatten()
            .for_each(|row| row.truncate(3));
        let small = TraceMaps::of(&machu::fact(traced), false).expect("it is traced");
        let found = maps(1.0).minus(&small).expect("they can be compared");
        let at = Cursor { row: 2, layer: 6 };
        assert!((found.pinned(MapSite::Residual, at).expect("a value") - 0.9).abs() < 1e-6);
        assert!((found.value(MapSite::Residual, at).expect("a value") + 0.9).abs() < 1e-6);
        assert!(told(&found, &["a".into(), "b".into()]).more.ends_with("at the same relative depth are taken."));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let fact = machu::fact(machu::traced());
        let roles = TraceMaps::of(&fact, true).expect("it is traced");
        assert!(roles.minus(&maps(1.0)).is_ok(), "one token a role");
        let mut traced = machu::traced();
        traced.tokens.insert(3, " now".into());
        traced.corrupt_tokens.insert(3, " now".into());
        let maps_ = traced.maps.as_mut().expect("maps");
        for map in [&mut maps_.residual, &mut maps_.mlp, &mut maps_.attention] {
            map.insert(3, map[3].clone());
        }
        let longer = machu::fact(traced);
        let tokens = TraceMaps::of(&longer, false).expect("it is traced");
        assert_eq!(tokens.minus(&maps(1.0)).err(), Some(Unlike::Tokens));
        let roles = TraceMaps::of(&longer, true).expect("it is traced");
        let others = TraceMaps::of(&fact, true).expect("it is traced");
        assert!(roles.clone().minus(&others).is_ok());
        // Without a role of the other's, averaging again would help nobody.
        let mut fewer = roles;
        fewer.rows.remove(0);
        assert_eq!(fewer.minus(&others).err(), Some(Unlike::Roles));
    }
}
