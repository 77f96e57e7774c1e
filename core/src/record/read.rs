//! Reading of records. What serde's flattened and tagged types would first gather as a tree of values, an object of every
//! value in a file, is read into plain fields here; and a list ends where no study's goes on.

use super::{
    Corruption, Dropped, FactRecord, Lens, Maps, NotValidated, Outcome, PatchPosition, Reason, RedundancyCurve, Traced,
    UnitEffects,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Most entries of a per-layer list, and most layers of a model: far more than any has, and still little memory.
pub(crate) const MOST_LAYERS: usize = 10_000;
/// Most tokens of a prompt, and so rows of a map.
pub(crate) const MOST_TOKENS: usize = 100_000;
/// Most steps of an edit, prompts around it, or facts beside it.
pub(crate) const MOST_STEPS: usize = 10_000_000;

/// A list of at most so many entries; what is longer is an error before it is kept.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    List::<T, MOST>::deserialize(deserializer).map(|list| list.0)
}

/// The rows of a map.
pub(crate) fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<f32>>, D::Error> {
    let rows = List::<List<f32, MOST_LAYERS>, MOST_TOKENS>::deserialize(deserializer)?;
    Ok(rows.0.into_iter().map(|row| row.0).collect())
}

/// Layers of some units each.
pub(crate) fn layers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<f32>>, D::Error> {
    let rows = List::<List<f32, MOST_STEPS>, MOST_LAYERS>::deserialize(deserializer)?;
    Ok(rows.0.into_iter().map(|row| row.0).collect())
}

struct List<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
            type Value = List<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    if list.len() == MOST {
                        return Err(A::Error::custom(format_args!("a list of more than {MOST} entries")));
                    }
                    list.push(entry);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

/// A per-layer curve.
type Curve = List<f32, MOST_LAYERS>;

/// A curve for each patch position.
pub(super) fn curves<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<PatchPosition, Vec<f32>>, D::Error> {
    let curves = BTreeMap::<PatchPosition, Curve>::deserialize(deserializer)?;
    Ok(curves.into_iter().map(|(position, curve)| (position, curve.0)).collect())
}

/// A fact as it is written: all fields of all outcomes side by side.
#[derive(Deserialize)]
pub(super) struct Flat {
    order: usize,
    id: String,
    relation: String,
    prompt: String,
    subject: String,
    target_true: String,
    target_new: String,
    #[serde(default)]
    answer_ids: [List<u32, MOST_TOKENS>; 2],
    outcome: Which,
    reason: Option<Reason>,
    #[serde(default)]
    detail: String,
    // Absent and null are the same where a fact was dropped; where it was traced null is an error.
    #[serde(default, deserialize_with = "present")]
    p_clean: Option<Option<f32>>,
    #[serde(default, deserialize_with = "present")]
    p_corrupt: Option<Option<f32>>,
    p_false: Option<f32>,
    tokens: Option<List<String, MOST_TOKENS>>,
    subject_span: Option<[usize; 2]>,
    corrupt_tokens: Option<List<String, MOST_TOKENS>>,
    corrupt_span: Option<[usize; 2]>,
    patched: Option<BTreeMap<PatchPosition, Curve>>,
    without_block: Option<Curve>,
    without_attention: Option<Curve>,
    without_mlp: Option<Curve>,
    #[serde(default)]
    redundancy: BTreeMap<PatchPosition, RedundancyCurve>,
    #[serde(default)]
    patched_mlp: BTreeMap<PatchPosition, Curve>,
    #[serde(default)]
    maps: Option<Maps>,
    #[serde(default)]
    lens: Option<Lens>,
    #[serde(default)]
    units: List<UnitEffects, MOST_LAYERS>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Which {
    Validated,
    NotValidated,
    Dropped,
}

/// A field that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The error for a field that an outcome needs, in serde's words.
fn missing(field: &str) -> String {
    format!("missing field `{field}`")
}

impl TryFrom<Flat> for FactRecord {
    type Error = String;

    fn try_from(flat: Flat) -> Result<Self, String> {
        let outcome = match flat.outcome {
            Which::Dropped => Outcome::Dropped(Dropped {
                reason: flat.reason.ok_or_else(|| missing("reason"))?,
                detail: flat.detail,
                p_clean: flat.p_clean.flatten(),
                p_corrupt: flat.p_corrupt.flatten(),
            }),
            which @ (Which::Validated | Which::NotValidated) => {
                let number = |found: Option<Option<f32>>, field: &str| match found {
                    Some(Some(value)) => Ok(value),
                    Some(None) => Err(format!("invalid type: null, expected f32 in `{field}`")),
                    None => Err(missing(field)),
                };
                let curve = |found: Option<Curve>, field| found.map(|curve| curve.0).ok_or_else(|| missing(field));
                let texts = |found: Option<List<String, MOST_TOKENS>>, field| {
                    found.map(|list| list.0).ok_or_else(|| missing(field))
                };
                let patched = flat.patched.ok_or_else(|| missing("patched"))?;
                let traced = Traced {
                    tokens: texts(flat.tokens, "tokens")?,
                    subject_span: flat.subject_span.ok_or_else(|| missing("subject_span"))?,
                    corrupt_tokens: texts(flat.corrupt_tokens, "corrupt_tokens")?,
                    corrupt_span: flat.corrupt_span.ok_or_else(|| missing("corrupt_span"))?,
                    p_clean: number(flat.p_clean, "p_clean")?,
                    p_corrupt: number(flat.p_corrupt, "p_corrupt")?,
                    p_false: flat.p_false.ok_or_else(|| missing("p_false"))?,
                    patched: patched.into_iter().map(|(position, curve)| (position, curve.0)).collect(),
                    without_block: curve(flat.without_block, "without_block")?,
                    without_attention: curve(flat.without_attention, "without_attention")?,
                    without_mlp: curve(flat.without_mlp, "without_mlp")?,
                    redundancy: flat.redundancy,
                    patched_mlp: flat.patched_mlp.into_iter().map(|(position, curve)| (position, curve.0)).collect(),
                    maps: flat.maps,
                    lens: flat.lens,
                    units: flat.units.0,
                };
                match which {
                    Which::NotValidated => {
                        let reason = flat.reason.ok_or_else(|| missing("reason"))?;
                        if !matches!(reason, Reason::NotKnown | Reason::NotSensitive) {
                            let name = reason.name();
                            return Err(format!(
                                "invalid reason `{name}`: a traced fact is `not-known` or `not-sensitive`"
                            ));
                        }
                        Outcome::NotValidated(Box::new(NotValidated { reason, detail: flat.detail, traced }))
                    }
                    _ => Outcome::Validated(Box::new(traced)),
                }
            }
        };
        Ok(Self {
            order: flat.order,
            id: flat.id,
            relation: flat.relation,
            prompt: flat.prompt,
            subject: flat.subject,
            target_true: flat.target_true,
            target_new: flat.target_new,
            answer_ids: flat.answer_ids.map(|ids| ids.0),
            outcome,
        })
    }
}

/// A corruption as it is written.
#[derive(Deserialize)]
pub(super) struct FlatCorruption {
    kind: Kind,
    with: Option<String>,
    sigmas: Option<f32>,
    draws: Option<usize>,
    #[serde(default)]
    sigma: f32,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Replace,
    Noise,
}

impl TryFrom<FlatCorruption> for Corruption {
    type Error = String;

    fn try_from(flat: FlatCorruption) -> Result<Self, String> {
        Ok(match flat.kind {
            Kind::Replace => Self::Replace { with: flat.with.ok_or_else(|| missing("with"))? },
            Kind::Noise => Self::Noise {
                sigmas: flat.sigmas.ok_or_else(|| missing("sigmas"))?,
                draws: flat.draws.ok_or_else(|| missing("draws"))?,
                sigma: flat.sigma,
            },
        })
    }
}
