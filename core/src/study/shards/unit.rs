//! What a shard computes at a time, by name.

use crate::error::{Error, Result};
use crate::journal::{MlpLine, RedundancyLine, SequenceLine};
use crate::record::{EditRecord, FactRecord, Lens, Maps};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A piece of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// `s/C`: a chunk of facts is screened.
    Screened(usize),
    /// `t/C/G`: a group of a chunk's facts is traced.
    Traced(usize, usize),
    /// `m/O`: maps and lens of the fact of this order.
    Maps(usize),
    /// `r/G`: second passes of a group of traced facts.
    Redundancy(usize),
    /// `w/G`: what MLPs restore of a group of edited facts.
    Mlp(usize),
    /// `c/LAYER`: the second moment of a layer's keys, a file beside the segments.
    SecondMoment(usize),
    /// `a/P`: a part of the edits.
    Edits(usize),
    /// `q/S/I`: step or checkpoint I of a sequence of edits.
    Sequence(usize, usize),
}

impl Unit {
    /// The number by which a shard owns it. All of a sequence belongs together.
    fn place(self) -> usize {
        match self {
            Self::Screened(at) | Self::Maps(at) | Self::Redundancy(at) | Self::Mlp(at) => at,
            Self::SecondMoment(at) | Self::Edits(at) | Self::Sequence(at, _) | Self::Traced(at, _) => at,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Screened(at) => write!(f, "s/{at}"),
            Self::Traced(at, group) => write!(f, "t/{at}/{group}"),
            Self::Maps(at) => write!(f, "m/{at}"),
            Self::Redundancy(at) => write!(f, "r/{at}"),
            Self::Mlp(at) => write!(f, "w/{at}"),
            Self::SecondMoment(at) => write!(f, "c/{at}"),
            Self::Edits(at) => write!(f, "a/{at}"),
            Self::Sequence(at, step) => write!(f, "q/{at}/{step}"),
        }
    }
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::input(format!("there is no unit \"{}\"", crate::text::told(text)));
        let (kind, rest) = text.split_once('/').ok_or_else(wrong)?;
        let numbers: Result<Vec<usize>> = rest.split('/').map(|number| number.parse().map_err(|_| wrong())).collect();
        Ok(match (kind, numbers?.as_slice()) {
            ("s", &[at]) => Self::Screened(at),
            ("t", &[at, group]) => Self::Traced(at, group),
            ("m", &[at]) => Self::Maps(at),
            ("r", &[at]) => Self::Redundancy(at),
            ("w", &[at]) => Self::Mlp(at),
            ("c", &[at]) => Self::SecondMoment(at),
            ("a", &[at]) => Self::Edits(at),
            ("q", &[at, step]) => Self::Sequence(at, step),
            _ => return Err(wrong()),
        })
    }
}

/// What comes of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Body {
    /// Facts that do not pass, and the orders of those that do.
    Screened {
        dropped: Vec<FactRecord>,
        passed: Vec<usize>,
    },
    Traced(Vec<FactRecord>),
    Maps {
        maps: Box<Maps>,
        lens: Box<Lens>,
    },
    Redundancy(Vec<RedundancyLine>),
    Mlp(Vec<MlpLine>),
    SecondMoment,
    Edits(Vec<EditRecord>),
    Sequence(Box<SequenceLine>),
}

/// Which part of a study's units somebody computes: `K/N`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// K.
    pub number: usize,
    /// N.
    pub of: usize,
}

impl Shard {
    /// The shard of a number that owns a unit.
    pub fn owner(unit: Unit, of: usize) -> Self {
        Self { number: unit.place() % of.max(1), of }
    }

    pub(super) fn owns(self, unit: Unit) -> bool {
        Self::owner(unit, self.of) == self
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::input("it is not K/N with K below N").hint("the first of 16 shards is 0/16, the last 15/16");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        match (number.parse(), of.parse()) {
            (Ok(number), Ok(of)) if number < of && of <= 100_000 => Ok(Self { number, of }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let units = [
            Unit::Screened(0),
            Unit::Traced(3, 1),
            Unit::Maps(17),
            Unit::Redundancy(2),
            Unit::Mlp(4),
            Unit::SecondMoment(9),
            Unit::Edits(7),
            Unit::Sequence(1, 22),
        ];
        for unit in units {
            assert_eq!(unit.to_string().parse::<Unit>().ok(), Some(unit));
        }
        for wrong in ["", "s", "s/", "s/a", "t/1", "q/1/2/3", "x/1", "s/-1"] {
            assert!(wrong.parse::<Unit>().is_err(), "{wrong}");
        }
        assert_eq!("2/16".parse::<Shard>().ok(), Some(Shard { number: 2, of: 16 }));
        for wrong in ["", "1", "1/1", "2/1", "0/0", "-1/2", "a/2", "0/1000000"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        // A chunk is traced by whoever screens it.
        assert_eq!(Shard::owner(Unit::Traced(5, 3), 4), Shard::owner(Unit::Screened(5), 4));
    }
}
