//! The clips of the demo: one textured shape that moves over a still picture.
//!
//! A [`Scene`] is made from a seed alone and renders at any size. Nothing but the motion of its shape tells its
//! class: outline, texture, colours, place and size are drawn alike for all eight motions.
//!
//! The network of the demo is trained on these very pictures, so they must be the same on every machine. All
//! arithmetic is therefore made of operations that IEEE 754 rounds correctly (`+ - * /`, square root, conversions);
//! sines come from `sin_cos`, since those of the platform differ in their last bits.

use std::fmt;
use std::ops::Range;

/// The number of frames of every clip.
pub const FRAMES: usize = 16;

/// How the shape of a [`Scene`] moves: the classes of the demo's network, in the order of its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Motion {
    /// Towards the left edge of the picture.
    Left,
    /// Towards the right edge.
    Right,
    /// Towards the upper edge.
    Up,
    /// Towards the lower edge.
    Down,
    /// Turning on the spot like the hands of a clock.
    Clockwise,
    /// Turning on the spot against the hands of a clock.
    CounterClockwise,
    /// Coming nearer: growing.
    Approaching,
    /// Going away: shrinking.
    Receding,
}

impl Motion {
    /// Every motion, each at the index of its class.
    pub const ALL: [Motion; 8] = [
        Motion::Left,
        Motion::Right,
        Motion::Up,
        Motion::Down,
        Motion::Clockwise,
        Motion::CounterClockwise,
        Motion::Approaching,
        Motion::Receding,
    ];

    /// The index of the class in [`Motion::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name of the class, such as `counter-clockwise`.
    pub fn label(self) -> &'static str {
        match self {
            Motion::Left => "left",
            Motion::Right => "right",
            Motion::Up => "up",
            Motion::Down => "down",
            Motion::Clockwise => "clockwise",
            Motion::CounterClockwise => "counter-clockwise",
            Motion::Approaching => "approaching",
            Motion::Receding => "receding",
        }
    }
}

impl fmt::Display for Motion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// One clip: a shape in [`Motion`] before a background, with up to three small shapes that stand still.
///
/// The scene lives in the unit square, x to the right and y down. A picture shows that square as large as it fits,
/// in the middle; a picture that is not square shows more of the background.
#[derive(Debug, Clone)]
pub struct Scene {
    motion: Motion,
    speed: f32,
    figure: Figure,
    middle: Pose,
    still: Vec<(Figure, Pose)>,
    ground: Texture,
    ground_inks: [Rgb; 2],
}

impl Scene {
    /// The scene of a seed: always the same one, motion included.
    pub fn from_seed(seed: u64) -> Scene {
        let mut rng = Rng(seed);
        let motion = *rng.pick(&Motion::ALL);
        let pace = rng.unit();
        let palette = *rng.pick(&PALETTES);
        let ground = Texture::random(&mut rng, &Pattern::ALL, 0.12..0.3);
        let figure = Figure::random(&mut rng, &palette);
        let middle = Pose {
            centre: [rng.within(0.38..0.62), rng.within(0.38..0.62)],
            radius: rng.within(0.17..0.27),
            facing: sin_cos(rng.unit().into()),
        };
        let still = (0..rng.below(4))
            .map(|_| {
                let pose = Pose {
                    centre: [rng.within(0.06..0.94), rng.within(0.06..0.94)],
                    radius: rng.within(0.04..0.08),
                    facing: sin_cos(rng.unit().into()),
                };
                (Figure::random(&mut rng, &palette), pose)
            })
            .collect();
        // A step between two frames stays below half a period of the finest texture, so that no motion can be
        // taken for its opposite.
        let speed = match motion {
            Motion::Left | Motion::Right | Motion::Up | Motion::Down => lerp(0.014, 0.03, pace),
            Motion::Clockwise | Motion::CounterClockwise => lerp(0.016, 0.033, pace),
            Motion::Approaching | Motion::Receding => lerp(0.035, 0.06, pace),
        };
        Scene { motion, speed, figure, middle, still, ground, ground_inks: palette.ground }
    }

    /// How the shape moves: the class that a network should tell.
    pub fn motion(&self) -> Motion {
        self.motion
    }

    /// All frames as RGB bytes `[T, H, W, 3]`, T being [`FRAMES`].
    pub fn render(&self, width: usize, height: usize) -> Vec<u8> {
        let backdrop = self.backdrop(width, height);
        (0..FRAMES).flat_map(|t| self.draw(t, backdrop.clone()).bytes).collect()
    }

    /// Frame `t` of [`Scene::render`] alone: RGB bytes `[H, W, 3]`. The motion goes on beyond the last frame.
    pub fn frame(&self, t: usize, width: usize, height: usize) -> Vec<u8> {
        self.draw(t, self.backdrop(width, height)).bytes
    }

    fn draw(&self, t: usize, mut picture: Picture) -> Picture {
        self.figure.paint(&self.pose(t), &mut picture);
        picture
    }

    /// All that stands still: the background and the small shapes.
    fn backdrop(&self, width: usize, height: usize) -> Picture {
        let mut picture = Picture::new(width, height);
        let [dark, light] = self.ground_inks;
        picture.shade(0..width, 0..height, |[x, y], pixel, _| {
            let (dx, dy) = (x - 0.5, y - 0.5);
            let vignette = (1.0 - 0.35 * (dx * dx + dy * dy)).max(0.5);
            mix(dark, light, self.ground.mean([x, y], pixel, |p| p)).map(|c| c * vignette)
        });
        for (figure, pose) in &self.still {
            figure.paint(pose, &mut picture);
        }
        picture
    }

    /// Where the shape is in frame `t`.
    fn pose(&self, t: usize) -> Pose {
        let time = t as f32 - (FRAMES - 1) as f32 / 2.0;
        let way = self.speed * time;
        let mut pose = self.middle;
        match self.motion {
            Motion::Left => pose.centre[0] -= way,
            Motion::Right => pose.centre[0] += way,
            Motion::Up => pose.centre[1] -= way,
            Motion::Down => pose.centre[1] += way,
            Motion::Clockwise => pose.facing = turned(pose.facing, sin_cos(way.into())),
            Motion::CounterClockwise => pose.facing = turned(pose.facing, sin_cos((-way).into())),
            Motion::Approaching => pose.radius /= (1.0 - way).max(0.1),
            Motion::Receding => pose.radius /= (1.0 + way).max(0.1),
        }
        pose
    }
}

/// A colour: red, green, blue, each 0 to 255.
type Rgb = [f32; 3];

/// A point or a direction: x, y.
type Point = [f32; 2];

const fn rgb(hex: u32) -> Rgb {
    [(hex >> 16) as f32, (hex >> 8 & 255) as f32, (hex & 255) as f32]
}

/// Colours that go together: any two inks differ from each other and from the ground.
#[derive(Debug, Clone, Copy)]
struct Palette {
    ground: [Rgb; 2],
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

const PALETTES: [Palette; 10] = [
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
struct Pose {
    centre: Point,
    radius: f32,
    facing: [f32; 2],
}

impl Pose {
    /// The figure's own coordinates, in which its radius is 1.
    fn local(&self, [x, y]: Point) -> Point {
        let (dx, dy) = ((x - self.centre[0]) / self.radius, (y - self.centre[1]) / self.radius);
        let [sin, cos] = self.facing;
        [dx * cos + dy * sin, dy * cos - dx * sin]
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
enum Pattern {
    Stripes,
    Checks,
    Dots,
    Noise,
    Waves,
}

impl Pattern {
    const ALL: [Pattern; 5] =
        [Pattern::Dots, Pattern::Waves, Pattern::Stripes, Pattern::Checks, Pattern::Noise];
}

/// A pattern in two inks that fills the plane.
#[derive(Debug, Clone, Copy)]
struct Texture {
    pattern: Pattern,
    period: f32,
    origin: Point,
    facing: [f32; 2],
    grain: u32,
}

impl Texture {
    /// A texture of one of the patterns that repeats after a length within `periods`.
    fn random(rng: &mut Rng, patterns: &[Pattern], periods: Range<f32>) -> Texture {
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
    fn mean(&self, p: Point, pixel: f32, local: impl Fn(Point) -> Point) -> f32 {
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
struct Figure {
    outline: Outline,
    texture: Texture,
    inks: [Rgb; 2],
    edge: Rgb,
}

impl Figure {
    fn random(rng: &mut Rng, palette: &Palette) -> Figure {
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

    /// Paints the figure with a dark edge and a soft shadow to its lower right.
    fn paint(&self, pose: &Pose, picture: &mut Picture) {
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

/// RGB bytes `[H, W, 3]` and how the unit square lies on them.
#[derive(Clone)]
struct Picture {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn new(width: usize, height: usize) -> Picture {
        Picture { width, height, bytes: vec![0; width * height * 3] }
    }

    /// Pixels along a side of the unit square.
    fn side(&self) -> f32 {
        self.width.min(self.height) as f32
    }

    /// The coordinate of the middle of pixel `i` of `length`.
    fn coordinate(&self, i: usize, length: usize) -> f32 {
        (i as f32 + 0.5 - 0.5 * length as f32) / self.side() + 0.5
    }

    /// The pixels of a row or column of `length` whose coordinates may lie within `reach` of `centre`.
    fn pixels(&self, centre: f32, reach: f32, length: usize) -> Range<usize> {
        let index = |x: f32| (x - 0.5) * self.side() + 0.5 * length as f32;
        let end = (index(centre + reach).max(0.0) as usize + 1).min(length);
        (index(centre - reach).max(0.0) as usize).min(end)..end
    }

    /// Replaces each pixel by `colour(its middle, its side, its colour)`.
    fn shade(&mut self, columns: Range<usize>, rows: Range<usize>, colour: impl Fn(Point, f32, Rgb) -> Rgb) {
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
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// At least 0 and below 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn within(&mut self, range: Range<f32>) -> f32 {
        lerp(range.start, range.end, self.unit())
    }

    fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Sine and cosine of an angle in turns, the same bits on every platform.
fn sin_cos(turns: f64) -> [f32; 2] {
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
fn turned(facing: [f32; 2], by: [f32; 2]) -> [f32; 2] {
    let ([s, c], [bs, bc]) = (facing, by);
    [s * bc + c * bs, c * bc - s * bs]
}

fn turned_point([x, y]: Point, [sin, cos]: [f32; 2]) -> Point {
    [x * cos - y * sin, x * sin + y * cos]
}

fn on_circle(i: u32, of: u32, radius: f32) -> Point {
    turned_point([radius, 0.0], sin_cos(f64::from(i) / f64::from(of)))
}

/// `f32::floor` is a call into the C library on plain x86-64; this is a few instructions.
fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    whole - f32::from(x < whole)
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

fn length(p: Point) -> f32 {
    dot(p, p).sqrt()
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// The smooth step of `t` within 0 to 1.
fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 64;
    const FINE: usize = 128;

    /// The area and the centroid, in pixels, of what differs from the backdrop in each frame.
    fn moments(scene: &Scene) -> Vec<(f32, Point)> {
        let backdrop = scene.backdrop(SIDE, SIDE).bytes;
        let changed = |t| {
            let frame = scene.frame(t, SIDE, SIDE);
            let pixels = frame.chunks(3).zip(backdrop.chunks(3)).enumerate();
            let changed = pixels.filter(|(_, (a, b))| a != b).map(|(i, _)| [i % SIDE, i / SIDE]);
            let (n, [x, y]) = changed.fold((0, [0, 0]), |(n, [x, y]), [i, j]| (n + 1, [x + i, y + j]));
            (n as f32, [x as f32 / n as f32, y as f32 / n as f32])
        };
        (0..FRAMES).map(changed).collect()
    }

    /// The turn between two frames around `centre`, in degrees, that makes them most alike; positive is clockwise.
    fn turn(a: &[u8], b: &[u8], centre: Point, radius: f32) -> i32 {
        const DEGREES: i32 = 360;
        let sample = |frame: &[u8], degree: i32, r: f32| {
            let [sin, cos] = sin_cos(f64::from(degree) / f64::from(DEGREES));
            let at = |c: f32| ((c * FINE as f32).max(0.0) as usize).min(FINE - 1);
            let pixel = 3 * (at(centre[1] + r * sin) * FINE + at(centre[0] + r * cos));
            [frame[pixel], frame[pixel + 1], frame[pixel + 2]].map(i32::from)
        };
        let polar = |frame: &[u8]| -> Vec<[i32; 3]> {
            let rings = (11..19).map(|i| i as f32 / 20.0 * radius);
            rings.flat_map(|r| (0..DEGREES).map(move |d| (d, r))).map(|(d, r)| sample(frame, d, r)).collect()
        };
        let (a, b) = (polar(a), polar(b));
        let unlike = |by: i32| -> i32 {
            let size = DEGREES as usize;
            let rings = a.chunks(size).zip(b.chunks(size));
            let off = |p: [i32; 3], q: [i32; 3]| -> i32 { p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum() };
            let ring = |(a, b): (&[[i32; 3]], &[[i32; 3]])| -> i32 {
                (0..size).map(|i| off(a[i], b[(i as i32 + by).rem_euclid(DEGREES) as usize])).sum()
            };
            rings.map(ring).sum()
        };
        (-24..=24).min_by_key(|&by| unlike(by)).unwrap()
    }

    #[test]
    fn classes_are_in_order() {
        for (i, motion) in Motion::ALL.into_iter().enumerate() {
            assert_eq!(motion.index(), i);
        }
        let labels = Motion::ALL.map(Motion::label).join(",");
        assert_eq!(labels, "left,right,up,down,clockwise,counter-clockwise,approaching,receding");
    }

    #[test]
    fn classes_are_equally_frequent() {
        let mut counts = [0; 8];
        for seed in 0..8000 {
            counts[Scene::from_seed(seed).motion().index()] += 1;
        }
        assert!(counts.iter().all(|n| (900..1100).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_seed_gives_one_clip() {
        let clip = Scene::from_seed(3).render(48, 40);
        assert_eq!(clip.len(), FRAMES * 40 * 48 * 3);
        assert_eq!(clip, Scene::from_seed(3).render(48, 40));
        assert_ne!(clip, Scene::from_seed(4).render(48, 40));
        for (t, frame) in clip.chunks(40 * 48 * 3).enumerate() {
            assert_eq!(frame, Scene::from_seed(3).frame(t, 48, 40));
        }
    }

    /// Every size shows the same scene: a large picture shrunk is nearly the small one.
    #[test]
    fn sizes_agree() {
        for seed in 0..40 {
            let scene = Scene::from_seed(seed);
            let (small, large) = (scene.frame(5, 32, 32), scene.frame(5, 128, 128));
            let mut off = 0;
            for (i, &byte) in small.iter().enumerate() {
                let (x, y, c) = (i / 3 % 32, i / 96, i % 3);
                let block =
                    (0..16).map(|k| u32::from(large[((4 * y + k / 4) * 128 + 4 * x + k % 4) * 3 + c]));
                off += byte.abs_diff((block.sum::<u32>() / 16) as u8) as usize;
            }
            assert!(off < 5 * small.len(), "seed {seed}: {} levels off", off as f32 / small.len() as f32);
        }
    }

    #[test]
    fn a_wide_picture_has_the_square_in_its_middle() {
        let scene = Scene::from_seed(9);
        let (square, wide) = (scene.frame(7, 32, 32), scene.frame(7, 64, 32));
        for (square, wide) in square.chunks(96).zip(wide.chunks(192)) {
            assert_eq!(square, &wide[48..144]);
        }
        assert!(scene.frame(0, 0, 5).is_empty());
        assert_eq!(scene.render(1, 1).len(), FRAMES * 3);
    }

    /// What is seen in the pictures is the motion that the scene claims.
    #[test]
    fn motions_are_what_they_are_called() {
        for seed in 0..64 {
            let scene = Scene::from_seed(seed);
            let motion = scene.motion();
            let moments = moments(&scene);
            let steps = moments.windows(2).map(|w| {
                let ((area, [x, y]), (next_area, [next_x, next_y])) = (w[0], w[1]);
                [next_x - x, next_y - y, next_area - area]
            });
            let say = || format!("seed {seed}, {motion}: {moments:?}");
            let along = |axis: usize, sign: f32| {
                for step in steps.clone() {
                    assert!(step[axis] * sign > 0.3 && step[1 - axis].abs() < 0.6, "{}", say());
                }
            };
            let same_place = || {
                let [x, y] = moments[0].1;
                assert!(moments.iter().all(|(_, p)| length([p[0] - x, p[1] - y]) < 8.0), "{}", say());
            };
            match motion {
                Motion::Left => along(0, -1.0),
                Motion::Right => along(0, 1.0),
                Motion::Up => along(1, -1.0),
                Motion::Down => along(1, 1.0),
                Motion::Approaching | Motion::Receding => {
                    let sign = if motion == Motion::Approaching { 1.0 } else { -1.0 };
                    assert!(steps.clone().all(|step| step[2] * sign > 0.0), "{}", say());
                    same_place();
                }
                Motion::Clockwise | Motion::CounterClockwise => {
                    let sign = if motion == Motion::Clockwise { 1 } else { -1 };
                    let Pose { centre, radius, .. } = scene.middle;
                    let turns: Vec<i32> = (1..FRAMES)
                        .map(|t| {
                            turn(&scene.frame(t - 1, FINE, FINE), &scene.frame(t, FINE, FINE), centre, radius)
                        })
                        .collect();
                    assert!(turns.iter().all(|by| (3..=14).contains(&(by * sign))), "{} {turns:?}", say());
                    same_place();
                }
            }
        }
    }

    /// The weights of the demo are trained on these very bytes: whoever changes them must train anew.
    #[test]
    fn pictures_are_those_of_the_training() {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for seed in 0..32 {
            for byte in Scene::from_seed(seed).render(24, 24) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(hash, 0x66c5_93f7_4282_2e62, "{hash:#018x}");
    }

    #[test]
    fn sines_are_right() {
        for i in -1000..1000 {
            let turns = f64::from(i) / 300.0;
            let (sin, cos) = (turns * std::f64::consts::TAU).sin_cos();
            let [s, c] = sin_cos(turns);
            assert!((f64::from(s) - sin).abs() < 1e-6 && (f64::from(c) - cos).abs() < 1e-6, "{turns}");
        }
    }

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
