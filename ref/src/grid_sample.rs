//! Sampling at places that a grid names.

/// What is taken from around a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// A straight line between two elements, along each axis.
    Linear,
    /// The nearest element; of two as near the one with the even index.
    Nearest,
    /// Keys' cubic with this a between four elements, along each axis.
    Cubic(f64),
}

/// What lies outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Zeros.
    Zeros,
    /// The outermost elements, again and again.
    Border,
    /// The mirror image about the outermost centres.
    ReflectCentres,
    /// The mirror image about the outermost edges.
    ReflectEdges,
}

/// How a grid's number becomes a place: index `number·scale + offset`, the output's own index added if `displacement`.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Elements of the input.
    pub length: usize,
    /// Elements a unit.
    pub scale: f64,
    /// The index at zero.
    pub offset: f64,
    /// Whether the numbers count from the output's own index.
    pub displacement: bool,
}

impl Axis {
    /// The place, for the output of index `own`.
    pub fn place(&self, number: f32, own: usize) -> f64 {
        let own = if self.displacement { own as f64 } else { 0.0 };
        f64::from(number) * self.scale + self.offset + own
    }
}

/// The element that stands at an index, if any does.
pub fn element(index: i64, length: usize, padding: Padding) -> Option<usize> {
    let (inside, last) = (0..length as i64, length as i64 - 1);
    let mirrored = |period: i64, other: i64| {
        let at = index.rem_euclid(period);
        at.min(other - at)
    };
    let at = match padding {
        Padding::Zeros if !inside.contains(&index) => return None,
        Padding::Zeros => index,
        Padding::Border => index.clamp(0, last),
        Padding::ReflectCentres if length == 1 => 0,
        Padding::ReflectCentres => mirrored(2 * last, 2 * last),
        Padding::ReflectEdges => mirrored(2 * last + 2, 2 * last + 1),
    };
    Some(at as usize)
}

/// A place that is a number: NaN, and infinity for a reflection, stand for the first element, or for zeros outside.
pub fn defined(place: f64, padding: Padding) -> f64 {
    let reflects = matches!(padding, Padding::ReflectCentres | Padding::ReflectEdges);
    match padding {
        Padding::Zeros if place.is_nan() => -8.0,
        _ if place.is_nan() || (reflects && place.is_infinite()) => 0.0,
        _ => place.clamp(-1e15, 1e15),
    }
}

/// Where in the input a place lies once it is mirrored into it.
fn mirrored(place: f64, length: usize, padding: Padding) -> f64 {
    let length = length as f64;
    let (low, span) = match padding {
        Padding::ReflectCentres => (0.0, length - 1.0),
        Padding::ReflectEdges => (-0.5, length),
        Padding::Zeros | Padding::Border => return place,
    };
    if span == 0.0 {
        return low;
    }
    let away = (place - low).rem_euclid(2.0 * span);
    low + away.min(2.0 * span - away)
}

/// The elements and weights that a place is made of.
pub fn taps(place: f64, length: usize, mode: Mode, padding: Padding) -> Vec<(usize, f64)> {
    let x = defined(place, padding);
    let all: Vec<(i64, f64)> = match mode {
        Mode::Nearest => vec![(mirrored(x, length, padding).round_ties_even() as i64, 1.0)],
        Mode::Linear => {
            let t = x - x.floor();
            vec![(x.floor() as i64, 1.0 - t), (x.floor() as i64 + 1, t)]
        }
        Mode::Cubic(a) => (-1..=2)
            .map(|k| {
                let index = x.floor() + f64::from(k);
                let d = (x - index).abs();
                let inner = (a + 2.0) * d.powi(3) - (a + 3.0) * d * d + 1.0;
                let outer = a * (d.powi(3) - 5.0 * d * d + 8.0 * d - 4.0);
                (index as i64, if d < 1.0 { inner } else { outer })
            })
            .collect(),
    };
    let kept = all.into_iter().filter(|(_, w)| *w != 0.0);
    kept.filter_map(|(i, w)| Some((element(i, length, padding)?, w))).collect()
}

/// `x` is `[N, T, H, W, C]` and `grid` `[N, T', H', W', 2 or 3]` with the places along W, H and, if there are three,
/// T; `axes` are T, H, W, `out` are T', H', W'. `weight` makes of a weight what it is to be.
pub fn grid_sample(
    (x, dims): (&[f32], [usize; 5]),
    (grid, out): (&[f32], [usize; 3]),
    axes: &[Axis; 3],
    mode: Mode,
    padding: Padding,
    weight: fn(f64) -> f64,
) -> Vec<f32> {
    let [n, t, h, w, c] = dims;
    let positions: usize = out.iter().product();
    let numbers = grid.len() / (n * positions);
    let mut y = Vec::new();
    for position in 0..n * positions {
        let own = [position / (out[1] * out[2]) % out[0], position / out[2] % out[1], position % out[2]];
        let of_axis = |a: usize| match (2 - a) < numbers {
            true => {
                let place = axes[a].place(grid[position * numbers + 2 - a], own[a]);
                taps(place, axes[a].length, mode, padding)
            }
            false => vec![(0, 1.0)],
        };
        let (of_t, of_h, of_w) = (of_axis(0), of_axis(1), of_axis(2));
        for channel in 0..c {
            let mut sum = 0.0;
            for (a, u) in &of_t {
                for (b, v) in &of_h {
                    for (d, z) in &of_w {
                        let at = (((position / positions * t + a) * h + b) * w + d) * c + channel;
                        sum += weight(u * v * z) * f64::from(x[at]);
                    }
                }
            }
            y.push(sum as f32);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(places: &[f32], mode: Mode, padding: Padding) -> Vec<f32> {
        let axis = |length| Axis { length, scale: 1.0, offset: 0.0, displacement: false };
        let grid: Vec<f32> = places.iter().flat_map(|x| [*x, 0.0]).collect();
        let x = [8.0, 4.0, 6.0];
        let axes = [axis(1), axis(1), axis(3)];
        grid_sample((&x, [1, 1, 1, 3, 1]), (&grid, [1, 1, places.len()]), &axes, mode, padding, |w| w)
    }

    #[test]
    fn inside_and_outside() {
        let places = [0.25, 2.0, -0.5, 2.75, -3.5, 4.5];
        assert_eq!(row(&places, Mode::Linear, Padding::Zeros), [7.0, 6.0, 4.0, 1.5, 0.0, 0.0]);
        assert_eq!(row(&places, Mode::Linear, Padding::Border), [7.0, 6.0, 8.0, 6.0, 8.0, 6.0]);
        // 8 4 6 4 8 4 6 …, and 8 4 6 6 4 8 8 4 6 ….
        assert_eq!(row(&places, Mode::Linear, Padding::ReflectCentres), [7.0, 6.0, 6.0, 4.5, 6.0, 6.0]);
        assert_eq!(row(&places, Mode::Linear, Padding::ReflectEdges), [7.0, 6.0, 8.0, 6.0, 6.0, 6.0]);
        assert_eq!(row(&places, Mode::Nearest, Padding::Border), [8.0, 6.0, 8.0, 6.0, 8.0, 6.0]);
        assert_eq!(row(&[0.5, 1.5, 2.5], Mode::Nearest, Padding::Border), [8.0, 6.0, 6.0]);
        assert_eq!(row(&[0.5, 1.0], Mode::Cubic(-0.75), Padding::Border), [5.8125, 4.0]);
        assert_eq!(row(&[0.5, 1.0], Mode::Cubic(0.0), Padding::Border), [6.0, 4.0]);
        // −1.5 is mirrored to 0.5.
        assert_eq!(row(&[-1.5, 3.5, -0.5], Mode::Nearest, Padding::ReflectEdges), [8.0, 6.0, 8.0]);
    }

    #[test]
    fn places_that_are_no_numbers() {
        let places = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38];
        assert_eq!(row(&places, Mode::Linear, Padding::Zeros), [0.0; 4]);
        assert_eq!(row(&places, Mode::Cubic(-0.75), Padding::Border), [8.0, 6.0, 8.0, 6.0]);
        assert_eq!(row(&places[..3], Mode::Nearest, Padding::ReflectEdges), [8.0; 3]);
    }
}
