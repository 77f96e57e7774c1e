//! The layers at which facts are edited.

use super::read::MOST_LAYERS;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The layers at which a fact is edited, one edit for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EditLayers {
    /// Its dominant one.
    #[default]
    Dominant,
    /// These, `1..=L`, in ascending order.
    Fixed(Vec<usize>),
    /// Every one; a study's header names them.
    All,
}

impl EditLayers {
    /// These layers, in ascending order and once each; none for each fact's dominant one.
    pub fn of(layers: impl IntoIterator<Item = usize>) -> Self {
        let layers: BTreeSet<usize> = layers.into_iter().collect();
        if layers.is_empty() { Self::Dominant } else { Self::Fixed(layers.into_iter().collect()) }
    }

    /// The fixed layer, where there is a single one.
    pub fn only(&self) -> Option<usize> {
        match self {
            Self::Fixed(layers) => <[usize; 1]>::try_from(layers.as_slice()).ok().map(|[layer]| layer),
            Self::Dominant | Self::All => None,
        }
    }

    /// Each fact is edited at several layers.
    pub fn is_sweep(&self) -> bool {
        match self {
            Self::Dominant => false,
            Self::Fixed(layers) => layers.len() > 1,
            Self::All => true,
        }
    }

    /// The same with names for the layers of a model with so many.
    pub fn named(&self, layers: usize) -> Self {
        match self {
            Self::All => Self::of(1..=layers),
            other => other.clone(),
        }
    }
}

/// As `--edit-layers` takes them: `dominant`, `all`, or numbers with ranges such as `1-3,7`.
impl fmt::Display for EditLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = match self {
            Self::Dominant => return f.write_str("dominant"),
            Self::All => return f.write_str("all"),
            Self::Fixed(layers) => layers,
        };
        let runs: Vec<&[usize]> = layers.chunk_by(|before, after| before + 1 == *after).collect();
        for (at, run) in runs.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl FromStr for EditLayers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            |what: String| Error::input(what).hint("write dominant, all, or numbers from 1 such as 3 or 1-6,12");
        let number = |text: &str| match text.trim().parse::<usize>() {
            Ok(layer) if (1..=MOST_LAYERS).contains(&layer) => Ok(layer),
            Ok(0) => Err(wrong("layers are numbered from 1".into())),
            Ok(layer) => Err(wrong(format!("no model has a layer {layer}"))),
            Err(_) => Err(wrong(format!("`{}` is not a layer", text.trim()))),
        };
        match text.trim() {
            "dominant" => return Ok(Self::Dominant),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let mut layers = BTreeSet::new();
        for part in text.split(',') {
            match part.split_once('-') {
                None => drop(layers.insert(number(part)?)),
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return Err(wrong(format!("{first}-{last} runs backwards")));
                    }
                    layers.extend(first..=last);
                }
            }
        }
        Ok(Self::of(layers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_as_they_are_written() {
        for text in ["dominant", "all", "3", "1-3,7", "2-3,5-9,30"] {
            assert_eq!(text.parse::<EditLayers>().expect(text).to_string(), text);
        }
        assert_eq!("7, 1-3,2".parse::<EditLayers>().expect("layers"), EditLayers::of([1, 2, 3, 7]));
        for wrong in ["", "0", "3-1", "1-", "a", "1,,2", "-3", "1-99999999999"] {
            assert!(wrong.parse::<EditLayers>().is_err(), "{wrong:?}");
        }
    }
}
