//! The second moment of a layer's keys, `C = (1/N) Σ k kᵀ` over the tokens of a text (METHODS, section 4): computed once for a
//! model, a layer and a text, kept where the caller keeps it, and inverted with a ridge on its diagonal.

mod compute;
mod factor;
mod file;
mod many;

pub use compute::keys_of;
pub use factor::Factor;
pub use many::{NullSpace, ridge_inverse};

use crate::error::{Error, Result};
use crate::record::SecondMomentSettings;
use crate::run::Edited;
use crate::tokens::Tokens;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// A text whose tokens stand for what a model usually reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsText {
    /// Its name, for people.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
    /// Its SHA-256.
    pub sha256: String,
}

impl StatsText {
    /// A text with its digest.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { name: name.into(), sha256: crate::hex(&Sha256::digest(text.as_bytes())), text }
    }
}

/// `C` of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondMoment {
    /// Width of a key, f.
    pub width: usize,
    /// Keys that it is taken over.
    pub count: usize,
    /// The lower half, column after column: f32 would move the answer where the matrix is nearly singular.
    pub values: Vec<f64>,
}

impl SecondMoment {
    /// One entry of `[f, f]`.
    pub fn entry(&self, row: usize, column: usize) -> f64 {
        let (row, column) = (row.max(column), row.min(column));
        // Columns before this one have f, f - 1, … entries.
        let before = column * self.width - column * column.saturating_sub(1) / 2;
        self.values[before + row - column]
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.width).map(|i| self.entry(i, i)).sum()
    }
}

/// What a store gives in time: a browser's files are opened asynchronously.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Where second moments are kept between runs of the program: files by name.
pub trait Store: Send + Sync {
    /// The file, if it is there.
    fn read<'a>(&'a self, name: &'a str) -> Later<'a, Option<Vec<u8>>>;
    /// Keeps a file; where that fails it is computed again the next time.
    fn write<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> Later<'a, ()>;
}

/// What was made of a moment, and the moment's name.
type Named<T> = (String, Arc<T>);

/// What second moments are computed from, and those that are known of a model.
#[derive(Default)]
pub struct SecondMoments {
    /// The text.
    pub text: Option<StatsText>,
    /// Where they are kept.
    pub store: Option<Arc<dyn Store>>,
    /// Of each layer: the name that tells from what it was computed, the moment, and its factor with a ridge.
    known: BTreeMap<usize, (String, Arc<SecondMoment>)>,
    factors: BTreeMap<usize, (String, u32, Arc<Factor>)>,
    /// Null spaces by layer and threshold, with the name of the moment that they are of.
    spaces: Mutex<BTreeMap<(usize, u32), Named<NullSpace>>>,
}

/// How far the computation is: tokens done, of how many.
pub type OnTokens<'a> = &'a mut dyn FnMut(usize, usize) -> Result<()>;

impl SecondMoments {
    /// The same text and store, and all that is known, for another handle of the model.
    #[must_use]
    pub fn share(&self) -> Self {
        let spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self {
            text: self.text.clone(),
            store: self.store.clone(),
            known: self.known.clone(),
            factors: self.factors.clone(),
            spaces: Mutex::new(spaces),
        }
    }

    /// The text that settings want, or why there is none.
    ///
    /// # Errors
    /// When there is none, or another one than the settings name.
    pub fn text_for(&self, settings: &SecondMomentSettings) -> Result<&StatsText> {
        let text = self.text.as_ref().ok_or_else(|| {
            Error::input("this method needs a text that the second moment of keys is taken over")
                .hint("give one with --stats-text FILE; ROME can take the identity instead with --c identity")
                .in_page("take the identity for C")
        })?;
        match settings.sha256.is_empty() || settings.sha256 == text.sha256 {
            true => Ok(text),
            false => Err(Error::input(format!(
                "the second moment was taken over another text ({}, SHA-256 {}) than {}",
                settings.text, settings.sha256, text.name
            ))
            .hint("give the same text with --stats-text FILE")),
        }
    }

    /// Refuses a text that has too few tokens, or tokens that the model has no embedding for, before anything is computed.
    ///
    /// # Errors
    /// Saying what is wrong with it.
    pub fn check(&self, edited: Edited<'_>, tokens: &Tokens, settings: &SecondMomentSettings) -> Result<()> {
        let keys = keys_of(settings, edited.net.shape.ff);
        let windows = compute::windows(tokens, self.text_for(settings)?, settings, keys)?;
        compute::fits(edited, &windows)
    }

    /// Makes the factors of some layers of the unedited model ready; what is known or kept is not computed again.
    ///
    /// # Errors
    /// When there is no text or too little of it, a matrix cannot be inverted, or the device fails.
    pub async fn prepare(
        &mut self,
        edited: Edited<'_>,
        (tokens, weights): (&Tokens, &str),
        settings: &SecondMomentSettings,
        layers: &BTreeSet<usize>,
        told: OnTokens<'_>,
    ) -> Result<()> {
        let text = self.text_for(settings)?.clone();
        let keys = keys_of(settings, edited.net.shape.ff);
        let device = if edited.device.is_none() { "cpu" } else { "device" };
        let name = |layer: usize| file::name(&text, (weights, tokens.sha256(), device), settings, keys, layer);
        let mut missing = BTreeSet::new();
        for &layer in layers {
            let name = name(layer);
            if self.known.get(&layer).is_some_and(|(known, _)| *known == name) {
                continue;
            }
            let kept = match &self.store {
                Some(store) => store.read(&name).await,
                None => None,
            };
            match kept.and_then(|bytes| file::read(&bytes, edited.net.shape.ff)) {
                Some(moment) => drop(self.known.insert(layer, (name, Arc::new(moment)))),
                None => drop(missing.insert(layer)),
            }
        }
        if !missing.is_empty() {
            let windows = compute::windows(tokens, &text, settings, keys)?;
            for (layer, moment) in compute::second_moments(edited, &windows, settings, &missing, told).await? {
                let name = name(layer);
                if let Some(store) = &self.store {
                    store.write(&name, &file::bytes(&moment, &text, settings, layer)?).await;
                }
                self.known.insert(layer, (name, Arc::new(moment)));
            }
        }
        for &layer in layers {
            let (name, moment) = &self.known[&layer];
            let ridge = settings.ridge.to_bits();
            if self.factors.get(&layer).is_some_and(|(of, with, _)| of == name && *with == ridge) {
                continue;
            }
            let factor = Factor::of(moment, settings.ridge).map_err(|error| error.at(format!("layer {layer}")))?;
            self.factors.insert(layer, (name.clone(), ridge, Arc::new(factor)));
        }
        Ok(())
    }

    /// The factor of a layer that was made ready.
    ///
    /// # Panics
    /// Where it was not.
    pub fn factor(&self, layer: usize) -> &Factor {
        &self.factors[&layer].2
    }

    /// The directions in which the keys of a layer that was made ready hardly lie, see [`NullSpace::of`]; found once.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// Where the layer was not made ready.
    pub fn null_space(&self, layer: usize, threshold: f32) -> Result<Arc<NullSpace>> {
        let (name, moment) = &self.known[&layer];
        let key = (layer, threshold.to_bits());
        let spaces = || self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, space)) = spaces().get(&key)
            && of == name
        {
            return Ok(Arc::clone(space));
        }
        let space = Arc::new(NullSpace::of(moment, f64::from(threshold))?);
        spaces().insert(key, (name.clone(), Arc::clone(&space)));
        Ok(space)
    }

    /// The second moment of a layer that was made ready.
    pub fn moment(&self, layer: usize) -> Option<&SecondMoment> {
        self.known.get(&layer).map(|(_, moment)| moment.as_ref())
    }
}
