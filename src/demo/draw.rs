//! What the scenes of the demos are drawn with: pictures, random numbers, and arithmetic that is the same on every
//! machine.

use std::ops::Range;

/// A colour: red, green, blue, each 0 to 255.
pub(super) type Rgb = [f32; 3];

/// A point or a direction: x, y.
pub(super) type Point = [f32; 2];

pub(super) const fn rgb(hex: u32) -> Rgb {
    [(hex >> 16) as f32, (hex >> 8 & 255) as f32, (hex & 255) as f32]
}

/// RGB bytes `[H, W, 3]` and how the unit square lies on them.
#[derive(Clone)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bytes: Vec<u8>,
}

impl Picture {
    pub(super) fn new(width: usize, height: usize) -> Picture {
        Picture { width, height, bytes: vec![0; width * height * 3] }
    }

    /// Pixels along a side of the unit square.
    pub(super) fn side(&self) -> f32 {
        self.width.min(self.height) as f32
    }

    /// The coordinate of the middle of pixel `i` of `length`.
    pub(super) fn coordinate(&self, i: usize, length: usize) -> f32 {
        (i as f32 + 0.5 - 0.5 * length as f32) / self.side() + 0.5
    }

    /// The pixels of a row or column of `length` whose coordinates may lie within `reach` of `centre`.
    pub(super) fn pixels(&self, centre: f32, reach: f32, length: usize) -> Range<usize> {
        let index = |x: f32| (x - 0.5) * self.side() + 0.5 * length as f32;
        let end = (index(centre + reach).max(0.0) as usize + 1).min(length);
        (index(centre - reach).max(0.0) as usize).min(end)..end
    }

    /// Replaces each pixel by `colour(its middle, its side, its colour)`.
    pub(super) fn shade(
        &mut self,
        columns: Range<usize>,
        rows: Range<usize>,
        colour: impl Fn(Point, f32, Rgb) -> Rgb,
    ) {
        let pixel = 1.0 / self.side();
        for row in rows {
            let y = self.coordinate(row, self.height);
            for column in columns.clone() {
                let x = self.coordinate(column, self.width);
                let at = (row * self.width + column) * 3;
                let old = [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]].map(f32::from);
                let new = colour([x, y], pixel, old).map(|c| (c + 0.5) as u8);
                self.bytes[at..at + 3].copy_from_slice(&new);
            }
        }
    }
}

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// At least 0 and below 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    pub(super) fn within(&mut self, range: Range<f32>) -> f32 {
        lerp(range.start, range.end, self.unit())
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Sine and cosine of an angle in turns, the same bits on every platform.
pub(super) fn sin_cos(turns: f64) -> [f32; 2] {
    let quarters = (turns * 4.0).round();
    let x = (turns - quarters / 4.0) * std::f64::consts::TAU;
    let x2 = x * x;
    let series = |terms: [f64; 7]| terms.iter().rev().fold(1.0, |sum, n| 1.0 - x2 / n * sum);
    let sin = (x * series([6.0, 20.0, 42.0, 72.0, 110.0, 156.0, 210.0])) as f32;
    let cos = series([2.0, 12.0, 30.0, 56.0, 90.0, 132.0, 182.0]) as f32;
    match quarters.rem_euclid(4.0) as u8 {
        0 => [sin, cos],
        1 => [cos, -sin],
        2 => [-sin, -cos],
        _ => [-cos, sin],
    }
}

/// The direction `facing` (sine, cosine) turned by `by`.
pub(super) fn turned(facing: [f32; 2], by: [f32; 2]) -> [f32; 2] {
    let ([s, c], [bs, bc]) = (facing, by);
    [s * bc + c * bs, c * bc - s * bs]
}

pub(super) fn turned_point([x, y]: Point, [sin, cos]: [f32; 2]) -> Point {
    [x * cos - y * sin, x * sin + y * cos]
}

pub(super) fn on_circle(i: u32, of: u32, radius: f32) -> Point {
    turned_point([radius, 0.0], sin_cos(f64::from(i) / f64::from(of)))
}

/// `f32::floor` is a call into the C library on plain x86-64; this is a few instructions.
pub(super) fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    whole - f32::from(x < whole)
}

pub(super) fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

pub(super) fn length(p: Point) -> f32 {
    dot(p, p).sqrt()
}

pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// The smooth step of `t` within 0 to 1.
pub(super) fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_are_right() {
        for i in -1000..1000 {
            let turns = f64::from(i) / 300.0;
            let (sin, cos) = (turns * std::f64::consts::TAU).sin_cos();
            let [s, c] = sin_cos(turns);
            assert!((f64::from(s) - sin).abs() < 1e-6 && (f64::from(c) - cos).abs() < 1e-6, "{turns}");
        }
    }
}
