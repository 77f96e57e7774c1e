//! Bytes, durations and speeds for people.

use crate::words::fixed;

/// Bytes: `3.7 MB`, powers of 1000 as download pages have them.
pub fn bytes(count: u64) -> String {
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", fixed(value / 1e3, if value < 9_950.0 { 1 } else { 0 })),
        1_000_000..1_000_000_000 => format!("{} MB", fixed(value / 1e6, if value < 9.95e6 { 1 } else { 0 })),
        _ => format!("{} GB", fixed(value / 1e9, 2)),
    }
}

/// So many bytes of so many: `1.2 of 3.7 MB`, in the unit of the whole.
pub fn of(done: u64, all: u64) -> String {
    let (unit, name) = match all {
        0..1_000 => (1.0, "B"),
        1_000..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    let whole = all as f64 / unit;
    let decimals = if unit == 1.0 || whole >= 100.0 { 0 } else { 1 };
    format!("{} of {} {name}", fixed(done as f64 / unit, decimals), fixed(whole, decimals))
}

/// A duration: `0.4 s`, `12 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".into();
    }
    if seconds < 0.0995 {
        return format!("{} ms", fixed(seconds * 1e3, 0));
    }
    if seconds < 9.95 {
        return format!("{} s", fixed(seconds, 1));
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A clock that runs: like [`duration`], in whole seconds.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).floor();
    if whole < 10.0 { format!("{} s", fixed(whole, 0)) } else { duration(whole) }
}

/// What is left, rounded as an estimate deserves: `a few seconds`, `about 40 s`, `about 3 min`.
pub fn about(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".into();
    }
    match seconds {
        s if s < 5.0 => "a few seconds".into(),
        s if s < 55.0 => format!("about {} s", fixed((s / 5.0).ceil() * 5.0, 0)),
        s if s < 3300.0 => format!("about {} min", fixed((s / 60.0).round().max(1.0), 0)),
        s => format!("about {} h", fixed(s / 3600.0, 1)),
    }
}

/// When something was, seen from now: `just now`, `5 min ago`, `3 days ago`.
pub fn ago(then_ms: f64, now_ms: f64) -> String {
    let seconds = (now_ms - then_ms) / 1e3;
    let count = |value: f64, noun: &str| format!("{} ago", crate::words::count(value.floor() as usize, noun));
    match seconds {
        s if s.is_nan() || s < 60.0 => "just now".into(),
        s if s < 3600.0 => format!("{} min ago", fixed((s / 60.0).floor(), 0)),
        s if s < 86_400.0 => count(s / 3600.0, "hour"),
        s => count(s / 86_400.0, "day"),
    }
}

/// A speed that does not jump: a mean over the last few seconds in which new measurements weigh more.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Speed {
    last: Option<(f64, f64)>,
    per_second: Option<f64>,
}

/// Seconds after which a measurement weighs a third.
const MEMORY: f64 = 4.0;
/// Measurements closer than this say more about the clock than about the work.
const LEAST: f64 = 0.2;

impl Speed {
    /// Takes a measurement: so much was done by this second. An amount that falls starts again.
    pub fn measure(&mut self, amount: f64, second: f64) {
        let Some((before, then)) = self.last else {
            self.last = Some((amount, second));
            return;
        };
        if amount < before {
            *self = Self { last: Some((amount, second)), per_second: None };
            return;
        }
        let passed = second - then;
        if passed < LEAST {
            return;
        }
        let now = (amount - before) / passed;
        let keep = (-passed / MEMORY).exp();
        self.per_second = Some(self.per_second.map_or(now, |old| old * keep + now * (1.0 - keep)));
        self.last = Some((amount, second));
    }

    /// Amount per second, once two measurements are there.
    pub fn per_second(&self) -> Option<f64> {
        self.per_second.filter(|speed| *speed > 0.0)
    }

    /// Seconds until the rest is done at this speed.
    pub fn left(&self, rest: f64) -> Option<f64> {
        self.per_second().map(|speed| rest.max(0.0) / speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!([bytes(999), bytes(1_500), bytes(51_000)], ["999 B", "1.5 kB", "51 kB"]);
        assert_eq!([bytes(3_682_224), bytes(269_060_552)], ["3.7 MB", "269 MB"]);
        assert_eq!(bytes(2_471_645_608), "2.47 GB");
        assert_eq!(of(1_200_000, 3_682_224), "1.2 of 3.7 MB");
        assert_eq!(of(26_000_000, 269_060_552), "26 of 269 MB");
    }

    #[test]
    fn times_read_well() {
        assert_eq!([duration(0.004), duration(0.44), duration(12.4)], ["4 ms", "0.4 s", "12 s"]);
        assert_eq!([duration(125.0), duration(12_000.0)], ["2 min 5 s", "3 h 20 min"]);
        assert_eq!(duration(f64::NAN), "unknown");
        assert_eq!([clock(3.9), clock(-1.0), clock(61.2)], ["3 s", "0 s", "1 min 1 s"]);
        assert_eq!([about(2.0), about(37.0), about(170.0)], ["a few seconds", "about 40 s", "about 3 min"]);
        assert_eq!(about(5400.0), "about 1.5 h");
        assert_eq!(about(f64::INFINITY), "unknown");
        assert_eq!([ago(0.0, 1e4), ago(0.0, 3e5), ago(0.0, 3.7e6)], ["just now", "5 min ago", "1 hour ago"]);
        assert_eq!(ago(0.0, 3.0 * 86_400e3), "3 days ago");
    }

    #[test]
    fn a_speed_is_steady_and_starts_again() {
        let mut speed = Speed::default();
        assert_eq!(speed.left(10.0), None);
        for second in 0..20 {
            speed.measure(f64::from(second) * 5.0, f64::from(second));
        }
        assert!(speed.per_second().is_some_and(|found| (found - 5.0).abs() < 1e-9));
        assert!(speed.left(50.0).is_some_and(|left| (left - 10.0).abs() < 1e-9));
        // One burst moves it a little only.
        speed.measure(95.0 + 50.0, 20.0);
        assert!(speed.per_second().is_some_and(|found| (5.0..20.0).contains(&found)), "{speed:?}");
        speed.measure(3.0, 21.0);
        assert_eq!(speed.per_second(), None);
    }
}
