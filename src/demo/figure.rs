//! Textured shapes, and the palettes that they are painted with.

use std::ops::Range;

use super::draw::{
    Picture, Point, Rgb, Rng, dot, floor, length, lerp, mix, on_circle, rgb, sin_cos, smooth, turned_point,
};

/// Colours that go together: any two inks differ from each other and from the ground.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) ground: [Rgb; 2],
    inks: [Rgb; 4],
    edge: Rgb,
}

impl Palette {
    const fn new(ground: [u32; 2], inks: [u32; 4], edge: u32) -> Palette {
        Palette {
            ground: [rgb(ground[0]), rgb(ground[1])],
            inks: [rgb(inks[0]), rgb(inks[1]), rgb(inks[2]), rgb(inks[3])],
            edge: rgb(edge),
        }
    }
}

pub(super) const PALETTES: [Palette; 10] = [
    Palette::new([0x1b2440, 0x2a3866], [0xffc145, 0xe8503f, 0x3f9fa8, 0xf7f4e6], 0x0b0f20),
    Palette::new([0xe0cda8, 0xf0e5cf], [0x1d3844, 0x2a9d8f, 0xf0764f, 0x962b37], 0x1a2429),
    Palette::new([0xa5d4c0, 0xc9e8db], [0xef476f, 0x3b93cf, 0xffe08a, 0x073b4c], 0x062b37),
    Palette::new([0x371c46, 0x512d66], [0xf7b801, 0xef5da8, 0x7bdff2, 0xfdf0d5], 0x1d0d27),
    Palette::new([0x8fc1e3, 0xb3d8f0], [0xd02030, 0xff9a1f, 0x003049, 0xffffff], 0x06202e),
    Palette::new([0x1d382a, 0x2e5440], [0xffc233, 0xe8553e, 0xfdfaf0, 0x5aa9e6], 0x0d1c15),
    Palette::new([0x2b2f40, 0x40475e], [0xe76a48, 0xf6f6f2, 0x45b4f0, 0xffd23f], 0x14161f),
    Palette::new([0xeba6b8, 0xf5c6d1], [0x6a0572, 0xff8c42, 0x218380, 0xfffbf0], 0x35093a),
    Palette::new([0x222529, 0x373b42], [0xff5964, 0xffe74c, 0x35a7ff, 0x6bf178], 0x0d0f11),
    Palette::new([0xb04530, 0xcb5a41], [0x2b2d42, 0xfdf0d5, 0x7fd1cf, 0xf9c74f], 0x2a110c),
];

/// Where a figure is, how large, and which way its own x axis points (sine, cosine).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    pub(super) centre: Point,
    pub(super) radius: f32,
    pub(super) facing: [f32; 2],
}

impl Pose {
    /// The figure's own coordinates, in which its radius is 1.
    pub(super) fn local(&self, [x, y]: Point) -> Point {
        let (dx, dy) = ((x - self.centre[0]) / self.radius, (y - self.centre[1]) / self.radius);
        let [sin, cos] = self.facing;
        [dx * cos + dy * sin, dy * cos - dx * sin]
    }

    /// The point of the picture whose own coordinates are these.
    pub(super) fn global(&self, local: Point) -> Point {
        let [x, y] = turned_point(local, self.facing);
        [self.centre[0] + self.radius * x, self.centre[1] + self.radius * y]
    }
}

/// The contour of a figure around the origin, of radius about 1.
#[derive(Debug, Clone)]
enum Outline {
    Disc,
    Ring,
    Polygon(Vec<Point>),
}

/// No outline reaches farther from the origin.
const REACH: f32 = 1.25;

impl Outline {
    fn random(rng: &mut Rng) -> Outline {
        match rng.below(8) {
            0 => Outline::Disc,
            1 => Outline::Ring,
            2 => Outline::regular(3, 1.25),
            3 => Outline::regular(4, 1.2),
            4 => Outline::regular(5, 1.1),
            5 => Outline::regular(6, 1.05),
            6 => Outline::star(5, 1.25, 0.58),
            _ => Outline::cross(1.1, 0.4),
        }
    }

    fn regular(corners: u32, radius: f32) -> Outline {
        Outline::Polygon((0..corners).map(|i| on_circle(i, corners, radius)).collect())
    }

    fn star(rays: u32, outer: f32, inner: f32) -> Outline {
        let radius = |i| if i % 2 == 0 { outer } else { inner };
        Outline::Polygon((0..2 * rays).map(|i| on_circle(i, 2 * rays, radius(i))).collect())
    }

    fn cross(a: f32, b: f32) -> Outline {
        let quarter = [[a, -b], [a, b], [b, b]];
        let turns = [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]];
        Outline::Polygon(turns.iter().flat_map(|&by| quarter.map(|p| turned_point(p, by))).collect())
    }

    /// The distance of a point from the contour, negative inside.
    fn distance(&self, p: Point) -> f32 {
        match self {
            Outline::Disc => length(p) - 1.0,
            Outline::Ring => (length(p) - 0.74).abs() - 0.28,
            Outline::Polygon(corners) => {
                let mut nearest = f32::MAX;
                let mut inside = false;
                let mut a = corners[corners.len() - 1];
                for &b in corners {
                    let edge = [b[0] - a[0], b[1] - a[1]];
                    let from = [p[0] - a[0], p[1] - a[1]];
                    let along = (dot(from, edge) / dot(edge, edge)).clamp(0.0, 1.0);
                    let off = [from[0] - along * edge[0], from[1] - along * edge[1]];
                    nearest = nearest.min(dot(off, off));
                    let above = from[0] * edge[1] < from[1] * edge[0];
                    inside ^= (a[1] <= p[1]) != (b[1] <= p[1]) && above == (edge[1] > 0.0);
                    a = b;
                }
                if inside { -nearest.sqrt() } else { nearest.sqrt() }
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern {
    Stripes,
    Checks,
    Dots,
    Noise,
    Waves,
}

impl Pattern {
    pub(super) const ALL: [Pattern; 5] =
        [Pattern::Dots, Pattern::Waves, Pattern::Stripes, Pattern::Checks, Pattern::Noise];
}

/// A pattern in two inks that fills the plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texture {
    pattern: Pattern,
    period: f32,
    origin: Point,
    facing: [f32; 2],
    grain: u32,
}

impl Texture {
    /// A texture of one of the patterns that repeats after a length within `periods`.
    pub(super) fn random(rng: &mut Rng, patterns: &[Pattern], periods: Range<f32>) -> Texture {
        Texture {
            pattern: *rng.pick(patterns),
            period: rng.within(periods),
            origin: [rng.unit(), rng.unit()],
            facing: sin_cos(rng.unit().into()),
            grain: rng.next() as u32,
        }
    }

    /// How much of the second ink there is at a point: 0 to 1.
    fn at(&self, p: Point) -> f32 {
        let [sin, cos] = self.facing;
        let u = (p[0] * cos + p[1] * sin) / self.period + self.origin[0];
        let v = (p[1] * cos - p[0] * sin) / self.period + self.origin[1];
        match self.pattern {
            Pattern::Stripes => f32::from(u - floor(u) < 0.5),
            Pattern::Checks => f32::from((floor(u + u) + floor(v + v)) as i32 & 1 == 0),
            Pattern::Dots => {
                let row = floor(v);
                let u = u + 0.5 * (row as i32 & 1) as f32;
                let off = [u - floor(u) - 0.5, v - row - 0.5];
                f32::from(dot(off, off) < 0.1)
            }
            Pattern::Noise => {
                // The second octave is turned, which hides the grid of the first.
                let mean =
                    0.6 * self.noise(u + u, v + v) + 0.4 * self.noise(2.4 * u + 3.2 * v, 2.4 * v - 3.2 * u);
                smooth((2.5 * (mean - 0.5) + 0.5).clamp(0.0, 1.0))
            }
            Pattern::Waves => {
                let slow = u / 2.5;
                smooth((2.0 * (slow - floor(slow)) - 1.0).abs())
            }
        }
    }

    /// The mean over a pixel of the given size around `p`, each of its samples taken to the texture by `local`.
    pub(super) fn mean(&self, p: Point, pixel: f32, local: impl Fn(Point) -> Point) -> f32 {
        const OFFSETS: [f32; 3] = [-1.0 / 3.0, 0.0, 1.0 / 3.0];
        let mut sum = 0.0;
        for dy in OFFSETS {
            for dx in OFFSETS {
                sum += self.at(local([p[0] + dx * pixel, p[1] + dy * pixel]));
            }
        }
        sum / 9.0
    }

    /// Smoothly interpolated random values at whole coordinates.
    fn noise(&self, u: f32, v: f32) -> f32 {
        let (i, j) = (floor(u), floor(v));
        let (a, b) = (smooth(u - i), smooth(v - j));
        let value = |di: i32, dj: i32| {
            let (x, y) = ((i as i32).wrapping_add(di) as u32, (j as i32).wrapping_add(dj) as u32);
            let mut h = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ self.grain;
            h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
            h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
            ((h ^ h >> 15) >> 8) as f32 / (1 << 24) as f32
        };
        lerp(lerp(value(0, 0), value(1, 0), a), lerp(value(0, 1), value(1, 1), a), b)
    }
}

/// A textured shape.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    outline: Outline,
    texture: Texture,
    inks: [Rgb; 2],
    edge: Rgb,
}

impl Figure {
    pub(super) fn random(rng: &mut Rng, palette: &Palette) -> Figure {
        let first = rng.below(4);
        let second = (first + 1 + rng.below(3)) % 4;
        let outline = Outline::random(rng);
        // What is round must be seen to turn: dots may lie evenly around its middle or miss a ring altogether,
        // and too little of a slow wave may be on a ring.
        let patterns = match outline {
            Outline::Polygon(_) => &Pattern::ALL[..],
            Outline::Disc => &Pattern::ALL[1..],
            Outline::Ring => &Pattern::ALL[2..],
        };
        Figure {
            outline,
            texture: Texture::random(rng, patterns, 0.62..1.0),
            inks: [palette.inks[first], palette.inks[second]],
            edge: palette.edge,
        }
    }

    /// Whether a point in the figure's own coordinates lies in it.
    pub(super) fn covers(&self, local: Point) -> bool {
        self.outline.distance(local) < 0.0
    }

    /// Paints the figure with a dark edge and a soft shadow to its lower right.
    pub(super) fn paint(&self, pose: &Pose, picture: &mut Picture) {
        let [shift_x, shift_y] = [0.06 * pose.radius, 0.1 * pose.radius];
        let blur = 0.12 * pose.radius;
        let edge = 0.07 * pose.radius;
        let reach = REACH * pose.radius + blur + shift_y;
        let columns = picture.pixels(pose.centre[0], reach, picture.width);
        let rows = picture.pixels(pose.centre[1], reach, picture.height);
        picture.shade(columns, rows, |p, pixel, below| {
            let away = |p| self.outline.distance(pose.local(p)) * pose.radius;
            let shadow = smooth((0.5 - 0.5 * away([p[0] - shift_x, p[1] - shift_y]) / blur).clamp(0.0, 1.0));
            let below = below.map(|c| c * (1.0 - 0.45 * shadow));
            let d = away(p);
            let cover = (0.5 - d / pixel).clamp(0.0, 1.0);
            if cover == 0.0 {
                return below;
            }
            let [first, second] = self.inks;
            let fill = mix(first, second, self.texture.mean(p, pixel, |p| pose.local(p)));
            let inner = (0.5 - (d + edge) / pixel).clamp(0.0, 1.0);
            mix(below, mix(self.edge, fill, inner), cover)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any two inks of a palette can be told apart, or a turning disc would seem to stand still.
    #[test]
    fn inks_differ() {
        for palette in &PALETTES {
            for i in 0..4 {
                for j in 0..i {
                    let [r, g, b] = [0, 1, 2].map(|c| palette.inks[i][c] - palette.inks[j][c]);
                    let difference = (0.3 * r * r + 0.5 * g * g + 0.2 * b * b).sqrt();
                    assert!(difference > 60.0, "{palette:?}: inks {i} and {j}");
                }
            }
        }
    }
}
