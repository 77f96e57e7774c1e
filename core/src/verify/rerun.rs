//! Holding a record's numbers against the same ones computed again.

use super::{Check, State, clip};
use crate::record::{FactRecord, Traced, UnitEffects};
use serde::Serialize;
use std::collections::BTreeMap;

/// The largest difference of one quantity, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// `p_clean`, `patched subject-last`, `without_mlp` and so on.
    pub quantity: String,
    /// Values compared.
    pub values: usize,
    /// Largest `|recorded - again|`, in probability; `None` where both do not have the same values.
    pub largest: Option<f64>,
    /// `order` of the fact with the largest difference.
    pub fact: usize,
    /// Its layer, `1..=L`, where the quantity has one.
    pub layer: Option<usize>,
    /// The two values there.
    pub pair: Option<[f32; 2]>,
}

/// A fact of a record, and the same computed again.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    /// The record's fact.
    pub fact: &'a FactRecord,
    /// Its raw values.
    pub recorded: &'a Traced,
    /// The raw values of now.
    pub again: &'a Traced,
}

/// Which of `count` things to compute again when `wanted` are asked for: spread evenly, the first and the last among
/// them.
pub fn spread(count: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(count);
    match wanted {
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..wanted).map(|at| at * (count - 1) / (wanted - 1)).collect(),
    }
}

/// The largest difference of every quantity over some facts, in the order in which a record has them.
pub fn differences(pairs: &[Again<'_>]) -> Vec<Difference> {
    let mut found = Found::default();
    for Again { fact, recorded: one, again: two } in pairs {
        let order = fact.order;
        found.values("p_clean", order, false, &[one.p_clean], &[two.p_clean]);
        found.values("p_corrupt", order, false, &[one.p_corrupt], &[two.p_corrupt]);
        found.values("p_false", order, false, &[one.p_false], &[two.p_false]);
        for (name, curves, again) in
            [("patched", &one.patched, &two.patched), ("patched_mlp", &one.patched_mlp, &two.patched_mlp)]
        {
            for (position, curve) in curves {
                let again = again.get(position).map_or(&[][..], Vec::as_slice);
                found.values(&format!("{name} {}", position.name()), order, true, curve, again);
            }
        }
        found.values("without_block", order, true, &one.without_block, &two.without_block);
        found.values("without_attention", order, true, &one.without_attention, &two.without_attention);
        found.values("without_mlp", order, true, &one.without_mlp, &two.without_mlp);
        if let Some(maps) = &one.maps {
            let again = two.maps.as_ref();
            let maps = [
                ("maps residual", &maps.residual, again.map(|maps| &maps.residual)),
                ("maps mlp", &maps.mlp, again.map(|maps| &maps.mlp)),
                ("maps attention", &maps.attention, again.map(|maps| &maps.attention)),
            ];
            for (name, rows, again) in maps {
                for (position, row) in rows.iter().enumerate() {
                    let again = again.and_then(|rows| rows.get(position)).map_or(&[][..], Vec::as_slice);
                    found.values(name, order, true, row, again);
                }
            }
        }
        if let Some(lens) = &one.lens {
            let again = two.lens.as_ref();
            let [p_true, p_false] = [again.map(|lens| &lens.p_true), again.map(|lens| &lens.p_false)];
            found.values("lens p_true", order, true, &lens.p_true, p_true.map_or(&[][..], Vec::as_slice));
            found.values("lens p_false", order, true, &lens.p_false, p_false.map_or(&[][..], Vec::as_slice));
        }
        for (position, curve) in &one.redundancy {
            // A hole is a value that no probability is, so that a hole on one side alone is seen.
            let filled = |curve: &[Option<f32>]| curve.iter().map(|p| p.unwrap_or(-1.0)).collect::<Vec<_>>();
            let again = two.redundancy.get(position).map(|curve| filled(&curve.patched)).unwrap_or_default();
            found.values(&format!("redundancy {}", position.name()), order, true, &filled(&curve.patched), &again);
        }
        for units in &one.units {
            let same = |other: &&UnitEffects| {
                (other.unit, other.position, other.first) == (units.unit, units.position, units.first)
            };
            let again = two.units.iter().find(same);
            let name = format!("{}s {}", units.unit.name(), units.position.name());
            for (at, row) in units.patched.iter().enumerate() {
                let again = again.and_then(|again| again.patched.get(at)).map_or(&[][..], Vec::as_slice);
                found.values(&name, order, false, row, again);
            }
        }
    }
    found.order.into_iter().filter_map(|name| found.by_name.remove(&name)).collect()
}

#[derive(Default)]
struct Found {
    order: Vec<String>,
    by_name: BTreeMap<String, Difference>,
}

impl Found {
    fn values(&mut self, quantity: &str, fact: usize, per_layer: bool, one: &[f32], two: &[f32]) {
        let entry = self.by_name.entry(quantity.to_owned()).or_insert_with(|| {
            self.order.push(quantity.to_owned());
            let quantity = quantity.to_owned();
            Difference { quantity, values: 0, largest: Some(0.0), fact, layer: None, pair: None }
        });
        if one.len() != two.len() {
            (entry.largest, entry.fact, entry.layer, entry.pair) = (None, fact, None, None);
            return;
        }
        entry.values += one.len();
        for (at, (one, two)) in one.iter().zip(two).enumerate() {
            let apart = (f64::from(*one) - f64::from(*two)).abs();
            // Not a number is the largest of all: nothing compares with it.
            if entry.largest.is_some_and(|most| apart > most || apart.is_nan() || entry.pair.is_none()) {
                entry.largest = if apart.is_nan() { None } else { Some(apart) };
                (entry.fact, entry.layer, entry.pair) = (fact, per_layer.then_some(at + 1), Some([*one, *two]));
            }
        }
    }
}

/// A check per quantity.
pub fn rerun(pairs: &[Again<'_>], tolerance: f64) -> Vec<Check> {
    let id = |order: usize| {
        let fact = pairs.iter().find(|pair| pair.fact.order == order);
        fact.map(|pair| clip(&pair.fact.id)).unwrap_or_default()
    };
    let check = |found: Difference| {
        let Difference { quantity, values, largest, fact, layer, pair } = found;
        let name = format!("again: {quantity}");
        let layer = layer.map(|layer| format!(", layer {layer}")).unwrap_or_default();
        let place = format!("fact {} (order {fact}){layer}", id(fact));
        let Some(largest) = largest else {
            return Check::new(&name, State::Failed, format!("{place}: not the same values"));
        };
        let state = if largest <= tolerance { State::Ok } else { State::Failed };
        let detail = match pair {
            Some([one, two]) if largest > 0.0 => {
                format!("{values} values, largest difference {largest:.1e} ({place}: {one} recorded, {two} now)")
            }
            _ => format!("{values} values, all equal to the last bit"),
        };
        Check::new(&name, state, detail)
    };
    differences(pairs).into_iter().map(check).collect()
}
