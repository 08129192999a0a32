//! A clip played faster where it does not show.
//!
//! Paper: Benaim et al., "SpeedNet: Learning the Speediness in Videos", CVPR 2020, arXiv:2004.06130. Each moment has the
//! fastest rate at which the network still takes the clip for one of natural speed; the rates that are played lie near
//! these, change smoothly and give the whole clip the rate asked for. The paper weighs these three against each other; here
//! the last holds exactly, and no moment becomes slower than it was.

use crate::error::{Error, Result};

/// What a network says of a clip that is played at one rate.
#[derive(Debug, Clone, PartialEq)]
pub struct RateCurve {
    /// How many times as fast as recorded.
    pub rate: f64,
    /// Middles of the windows that were looked at, in frames of the clip, in their order.
    pub places: Vec<f64>,
    /// The probability that each is of natural speed.
    pub natural: Vec<f64>,
}

impl RateCurve {
    /// The probability at a frame, between the nearest windows' in proportion.
    fn at(&self, frame: f64) -> f64 {
        let next = self.places.partition_point(|p| *p < frame);
        match (next.checked_sub(1).map(|i| (self.places[i], self.natural[i])), self.places.get(next)) {
            (None, Some(_)) => self.natural[0],
            (Some((_, value)), None) => value,
            (Some((place, value)), Some(after)) => {
                value + (self.natural[next] - value) * (frame - place) / (after - place)
            }
            (None, None) => 0.0,
        }
    }
}

/// The fastest rate at each of `frames` frames at which the clip seems natural: of those whose probability reaches the
/// threshold there; 1 where none does.
pub fn natural_rates(curves: &[RateCurve], frames: usize, threshold: f64) -> Vec<f64> {
    let seems = |curve: &&RateCurve, frame: usize| curve.at(frame as f64) >= threshold;
    let fastest = |frame| curves.iter().filter(|c| seems(c, frame)).map(|c| c.rate).fold(1.0, f64::max);
    (0..frames).map(fastest).collect()
}

/// How a clip's rates are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speedup {
    /// How many times as fast the whole clip shall be: 1 or more.
    pub rate: f64,
    /// What a change of the rate from one frame to the next costs, against a distance from what seems natural. Rates even
    /// out over about its root in frames.
    pub smoothness: f64,
}

impl Speedup {
    /// The rate at each frame: of all with the mean that makes the clip as long as it shall be, those for which
    /// `Σ (rate − natural)² + smoothness · Σ (rate − next rate)²` is least, but never below 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for rates that are no numbers of 1 or more, or a smoothness below 0.
    pub fn rates(&self, natural: &[f64]) -> Result<Vec<f64>> {
        let sound = |rate: f64| rate.is_finite() && rate >= 1.0;
        if let Some(bad) = natural.iter().chain([&self.rate]).find(|r| !sound(**r)) {
            return Err(Error::bad_input(format!("a rate of {bad}: rates are numbers of 1 or more")));
        }
        if !(self.smoothness.is_finite() && self.smoothness >= 0.0) {
            let text = format!("a smoothness of {}: it is a number of 0 or more", self.smoothness);
            return Err(Error::bad_input(text));
        }
        // Smoothing leaves the mean alone, so another mean moves all rates alike.
        let smooth = smoothed(natural, self.smoothness);
        let shifted = |by: f64| smooth.iter().map(move |s| (s + by).max(1.0));
        let largest = smooth.iter().copied().fold(1.0, f64::max);
        let (mut low, mut high) = (1.0 - largest, self.rate);
        for _ in 0..64 {
            let middle = 0.5 * (low + high);
            let length: f64 = shifted(middle).map(f64::recip).sum();
            if length * self.rate > natural.len() as f64 { low = middle } else { high = middle }
        }
        Ok(shifted(high).collect())
    }
}

/// `x` with `Σ (x − values)² + smoothness · Σ (x − next x)²` least: a tridiagonal system, solved by elimination.
fn smoothed(values: &[f64], smoothness: f64) -> Vec<f64> {
    let last = values.len().saturating_sub(1);
    let mut x: Vec<f64> = values.to_vec();
    // What is left of the next unknown in each row.
    let mut above = vec![0.0; values.len()];
    for i in 0..values.len() {
        let neighbours = usize::from(i > 0) + usize::from(i < last);
        let mut diagonal = 1.0 + smoothness * neighbours as f64;
        if i > 0 {
            diagonal -= smoothness * above[i - 1];
            x[i] += smoothness * x[i - 1];
        }
        above[i] = smoothness / diagonal;
        x[i] /= diagonal;
    }
    for i in (0..last).rev() {
        x[i] += above[i] * x[i + 1];
    }
    x
}

/// The frames that are shown when each lasts as many times shorter as its rate says.
///
/// ```
/// # use kinetograph::correspondence::picked;
/// assert_eq!(picked(&[1.0, 1.0, 2.0, 2.0, 2.0, 2.0]), [0, 1, 2, 4]);
/// ```
pub fn picked(rates: &[f64]) -> Vec<usize> {
    let (mut time, mut frames) = (0.0, Vec::new());
    for (i, rate) in rates.iter().enumerate() {
        // A sum of thirds may miss a whole number by its last bit.
        if time + 1e-9 >= frames.len() as f64 {
            frames.push(i);
        }
        time += rate.recip();
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradient of the smoothing's sum is zero, and the clip gets the length asked for.
    #[test]
    fn rates_are_the_least() {
        let natural: Vec<f64> = (0..40).map(|i| if (10..22).contains(&i) { 4.0 } else { 1.5 }).collect();
        let (smoothness, n) = (6.0, natural.len());
        let x = smoothed(&natural, smoothness);
        for i in 0..n {
            let mut slope = x[i] - natural[i];
            slope += if i > 0 { smoothness * (x[i] - x[i - 1]) } else { 0.0 };
            slope += if i + 1 < n { smoothness * (x[i] - x[i + 1]) } else { 0.0 };
            assert!(slope.abs() < 1e-12, "{i}: {slope}");
        }
        approx::assert_relative_eq!(x.iter().sum::<f64>(), natural.iter().sum(), max_relative = 1e-12);
        for rate in [1.0, 1.3, 2.0, 7.0] {
            let rates = Speedup { rate, smoothness }.rates(&natural).unwrap();
            let length: f64 = rates.iter().map(|r| r.recip()).sum();
            approx::assert_relative_eq!(length * rate, n as f64, max_relative = 1e-9);
            assert!(rates.iter().all(|r| *r >= 1.0));
            // What may go fast goes faster.
            assert!(rate == 1.0 || rates[15] > rates[0] + 0.4, "{rates:?}");
            let shown = picked(&rates);
            assert!(shown.windows(2).all(|f| f[0] < f[1]), "{shown:?}");
            assert!((shown.len() as f64 - n as f64 / rate).abs() <= 1.0, "{shown:?}");
        }
    }

    #[test]
    fn the_fastest_natural_rate() {
        let curve =
            |rate, natural: [f64; 2]| RateCurve { rate, places: vec![2.0, 6.0], natural: natural.into() };
        let curves = [curve(1.0, [1.0, 1.0]), curve(2.0, [1.0, 0.0]), curve(4.0, [0.6, 0.4])];
        assert_eq!(natural_rates(&curves, 8, 0.5), [4.0, 4.0, 4.0, 4.0, 4.0, 1.0, 1.0, 1.0]);
        assert_eq!(natural_rates(&curves[1..2], 8, 0.75), [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(natural_rates(&[], 2, 0.5), [1.0; 2]);
    }

    #[test]
    fn rates_that_are_none() {
        let speedup = Speedup { rate: 2.0, smoothness: 1.0 };
        for (speedup, natural) in [
            (Speedup { rate: 0.5, ..speedup }, 1.0),
            (Speedup { rate: f64::NAN, ..speedup }, 1.0),
            (Speedup { smoothness: -1.0, ..speedup }, 1.0),
            (speedup, 0.0),
        ] {
            assert!(speedup.rates(&[natural]).is_err());
        }
        assert!(speedup.rates(&[]).unwrap().is_empty());
        assert!(picked(&[]).is_empty());
    }
}
