//! From values to pixels: value axes with round ticks, and the places of layers along a chart.

/// Where a value lies on an axis that always contains zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Value at the lower end, at most 0.
    pub low: f64,
    /// Value at the upper end, at least 0.
    pub high: f64,
    /// Distance of two ticks.
    pub step: f64,
    /// Length of the axis.
    pub pixels: f64,
}

/// Distances of two ticks that the values take at most.
const TICKS: f64 = 6.0;
/// From so many decimals on, ticks are written with a power of ten.
const MOST_DECIMALS: usize = 5;
/// Width of a digit, in pixels.
const DIGIT: f64 = 7.0;

impl Scale {
    /// The smallest axis with round ends that holds all values that are numbers.
    pub fn around_zero(values: impl IntoIterator<Item = f64>, pixels: f64) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low == high {
            high = 1.0;
        }
        let step = round_step((high - low) / TICKS);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, pixels }
    }

    /// Distance of a value from the upper end, within the axis.
    pub fn down(&self, value: f64) -> f64 {
        (self.high - value.clamp(self.low, self.high)) / (self.high - self.low) * self.pixels
    }

    /// Distance of a value from the lower end, within the axis.
    pub fn along(&self, value: f64) -> f64 {
        self.pixels - self.down(value)
    }

    /// The round values between both ends, lowest first.
    pub fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step).round();
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|index| (first + index as f64) * self.step).collect()
    }

    /// A tick's value with just the decimals that its distance to the next one needs.
    pub fn label(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        if decimals < MOST_DECIMALS {
            return crate::words::fixed(tick, decimals);
        }
        // Ticks are multiples of the step, so a power of ten below it shows them exactly.
        let size = tick.abs();
        if size < self.step / 1e6 {
            return "0".into();
        }
        let power = (size.log10() + 1e-9).floor();
        let figures = (power - self.step.log10().floor()).max(0.0) as usize;
        let sign = if tick < 0.0 { "−" } else { "" };
        format!("{sign}{:.figures$}e−{}", size / 10_f64.powf(power), -power)
    }

    /// Room at the left for the labels of all ticks, at least this.
    pub fn margin(&self, least: f64) -> f64 {
        margin(self.ticks().into_iter().map(|tick| self.label(tick)), least)
    }
}

/// Room for labels of this length, at least `least`; a digit of the small print takes no more than this.
pub fn margin(labels: impl IntoIterator<Item = String>, least: f64) -> f64 {
    let longest = labels.into_iter().map(|label| label.chars().count()).max().unwrap_or(0);
    least.max(longest as f64 * DIGIT + 12.0)
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least this.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    // A hair of slack, because 0.2 / 0.1 is not always 2 in floating point.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// Places of layers `1..=count` along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layers {
    /// Number of layers.
    pub count: usize,
    /// Where layer 1 begins.
    pub left: f64,
    /// Width of a layer.
    pub step: f64,
}

/// Width that a chart aims at; it is drawn at its own size, and scrolls where the screen is narrower.
const WIDTH: f64 = 660.0;

impl Layers {
    /// Layers of one width, between 8 and 24 pixels.
    pub fn new(count: usize, left: f64) -> Self {
        Self { count, left, step: (WIDTH / count.max(1) as f64).floor().clamp(8.0, 24.0) }
    }

    /// The same with no layer wider than this.
    #[must_use]
    pub fn at_most(self, step: f64) -> Self {
        Self { step: self.step.min(step), ..self }
    }

    /// Left edge of a layer.
    pub fn x(&self, layer: usize) -> f64 {
        self.left + (layer as f64 - 1.0) * self.step
    }

    /// Centre of a layer.
    pub fn centre(&self, layer: usize) -> f64 {
        self.x(layer) + self.step / 2.0
    }

    /// Right edge of the last layer.
    pub fn right(&self) -> f64 {
        self.left + self.count as f64 * self.step
    }

    /// The layers whose numbers are written below the axis: all of a few, otherwise the first and every 5th (10th, …),
    /// so that no two touch.
    pub fn labelled(&self) -> Vec<usize> {
        let fits = |every: &usize| *every as f64 * self.step >= 28.0;
        let few = if self.count <= 16 && self.step >= 20.0 { Some(1) } else { None };
        let every = few.or_else(|| [5, 10, 20, 50].into_iter().find(fits)).unwrap_or(100);
        (1..=self.count).filter(|layer| *layer == 1 || layer % every == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ends_and_hold_zero() {
        let scale = Scale::around_zero([0.013, 0.37], 100.0);
        assert_eq!((scale.low, scale.step), (0.0, 0.1));
        assert_eq!(scale.label(scale.high), "0.4");
        assert_eq!(scale.ticks().len(), 5);
        let below = Scale::around_zero([-0.3, 0.9, f64::NAN, f64::INFINITY], 120.0);
        assert!(below.low <= -0.3 && below.high >= 0.9);
        assert!((below.down(0.0) + below.along(0.0) - 120.0).abs() < 1e-9);
        assert!(below.ticks().iter().any(|tick| tick.abs() < 1e-12), "{:?}", below.ticks());
        assert_eq!(below.down(7.0), 0.0);
    }

    #[test]
    fn labels_of_small_values_are_short_and_have_their_room() {
        let labels = |values: [f64; 2]| {
            let scale = Scale::around_zero(values, 100.0);
            (scale.ticks().into_iter().map(|tick| scale.label(tick)).collect::<Vec<_>>(), scale.margin(46.0))
        };
        let (plain, room) = labels([0.0, 0.37]);
        assert_eq!((plain[0].as_str(), room), ("0.0", 46.0));
        let (small, room) = labels([-0.0003, 0.0011]);
        assert!(small.contains(&"−0.0005".to_owned()), "{small:?}");
        assert!(room >= 7.0 * 7.0 + 12.0, "seven digits do not fit into 46 pixels: {room}");
        let (tiny, _) = labels([0.0, 0.000_06]);
        assert_eq!(tiny, ["0", "1e−5", "2e−5", "3e−5", "4e−5", "5e−5", "6e−5"]);
        let (mixed, _) = labels([-2e-5, 1.1e-4]);
        assert!(mixed[0].starts_with('−') && mixed[0].ends_with("e−5"), "{mixed:?}");
        assert!(mixed.iter().any(|label| label.ends_with("e−4")), "{mixed:?}");
        let (least, room) = labels([0.0, 1e-30]);
        assert!(least.iter().all(|label| label.len() < 12) && room < 90.0, "{least:?}");
    }

    #[test]
    fn no_values_still_make_an_axis() {
        for values in [vec![], vec![0.0], vec![f64::NAN]] {
            let scale = Scale::around_zero(values, 80.0);
            assert!(scale.high > scale.low && scale.ticks().len() > 2);
            assert!((scale.down(0.0) - 80.0).abs() < 1e-9);
        }
        let tiny = Scale::around_zero([1e-30], 80.0);
        assert!(tiny.ticks().len() < 20 && tiny.down(1e-30).is_finite());
    }

    #[test]
    fn ticks_are_few() {
        for high in [0.011, 0.02, 0.049, 0.1, 0.5, 0.99, 1.0, 3.0, 42.0, 60.0, 250.0] {
            let ticks = Scale::around_zero([high], 100.0).ticks();
            assert!((4..=7).contains(&ticks.len()), "{high}: {ticks:?}");
        }
    }

    #[test]
    fn layer_numbers_do_not_touch() {
        for count in [0, 1, 2, 12, 30, 48, 80, 200] {
            let layers = Layers::new(count, 40.0);
            let labelled = layers.labelled();
            assert!(labelled.windows(2).all(|two| layers.x(two[1]) - layers.x(two[0]) >= 20.0), "{count} {labelled:?}");
            assert_eq!(labelled.first().copied(), (count > 0).then_some(1));
        }
        assert_eq!(Layers::new(30, 0.0).labelled()[..3], [1, 5, 10]);
    }
}
