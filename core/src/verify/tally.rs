//! Counting what was looked at, what is wrong, where first, and how far apart at most.

use super::{Check, State, TOLERANCE};

/// A check in the making.
pub(super) struct Tally {
    name: &'static str,
    /// What is counted, in plural.
    what: &'static str,
    looked: usize,
    wrong: usize,
    first: Option<String>,
    largest: Option<(f64, String)>,
}

impl Tally {
    pub(super) fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, looked: 0, wrong: 0, first: None, largest: None }
    }

    /// Looked at one; `place` says where and what is wrong.
    pub(super) fn see(&mut self, holds: bool, place: impl FnOnce() -> String) {
        self.looked += 1;
        if !holds {
            self.wrong += 1;
            if self.first.is_none() {
                self.first = Some(place());
            }
        }
    }

    /// Two numbers that must agree to [`TOLERANCE`].
    pub(super) fn agree(&mut self, one: f32, other: f32, place: impl Fn() -> String) {
        let apart = (f64::from(one) - f64::from(other)).abs();
        if self.largest.as_ref().is_none_or(|(most, _)| apart > *most) {
            self.largest = Some((apart, place()));
        }
        self.see(apart <= TOLERANCE, || format!("{}: {one} and {other}", place()));
    }

    /// The check; `none` says why there was nothing to look at.
    pub(super) fn done(self, none: &str) -> Check {
        let Self { name, what, looked, wrong, first, largest } = self;
        let largest = match largest {
            Some((0.0, _)) => ", all equal to the last bit".to_owned(),
            Some((most, place)) => format!(", largest difference {most:.1e} ({place})"),
            None => String::new(),
        };
        match (looked, first) {
            (0, _) => Check::new(name, State::NotApplicable, none),
            (_, None) => Check::new(name, State::Ok, format!("{looked} {what}{largest}")),
            (_, Some(first)) => {
                Check::new(name, State::Failed, format!("{wrong} of {looked} {what}; the first: {first}{largest}"))
            }
        }
    }
}
