//! The clips of the demos: one textured shape that moves before a background.
//!
//! A [`Scene`] is made from a seed alone and renders at any size. Nothing but the motion of its shape tells its
//! class: outline, texture, colours, place and size are drawn alike for all eight motions.
//!
//! The network of the demo is trained on these very pictures, so they must be the same on every machine. All
//! arithmetic is therefore made of operations that IEEE 754 rounds correctly (`+ - * /`, square root, conversions);
//! sines come from `draw::sin_cos`, since those of the platform differ in their last bits.

use std::fmt;

use super::draw::{Picture, Point, Rgb, Rng, lerp, mix, sin_cos, turned};
use super::figure::{Figure, PALETTES, Pattern, Pose, Texture};
use crate::error::Result;
use crate::tensor::Tensor;

/// The number of frames of every clip.
pub const FRAMES: usize = 16;

/// The longest step of a background that moves, against the side of the unit square: less than that of any shape.
const MOST_DRIFT: f32 = 0.012;

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

/// One clip: a shape in [`Motion`] before a background, with up to three small shapes that belong to it.
///
/// The scene lives in the unit square, x to the right and y down. A picture shows that square as large as it fits,
/// in the middle; a picture that is not square shows more of the background.
#[derive(Debug, Clone)]
pub struct Scene {
    motion: Motion,
    pace: f32,
    figure: Figure,
    middle: Pose,
    still: Vec<(Figure, Pose)>,
    ground: Texture,
    ground_inks: [Rgb; 2],
    /// How far the background moves from frame to frame.
    drift: Point,
}

impl Scene {
    /// The scene of a seed: always the same one, motion included. Its background stands still.
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
        Scene { motion, pace, figure, middle, still, ground, ground_inks: palette.ground, drift: [0.0; 2] }
    }

    /// The same scene before a background that moves slowly in a direction that the seed gives, whatever the shape does:
    /// as where a camera is moved.
    #[must_use]
    pub fn with_drift(mut self, seed: u64) -> Scene {
        let mut rng = Rng(!seed);
        let [sin, cos] = sin_cos(rng.unit().into());
        let step = rng.within(0.0..MOST_DRIFT);
        self.drift = [step * cos, step * sin];
        self
    }

    /// The same scene with another motion of its shape. In the middle of the clip ([`Scene::at`] time 0) nothing is
    /// different.
    #[must_use]
    pub fn with_motion(mut self, motion: Motion) -> Scene {
        self.motion = motion;
        self
    }

    /// How the shape moves: the class that a network should tell.
    pub fn motion(&self) -> Motion {
        self.motion
    }

    /// All frames as RGB bytes `[T, H, W, 3]`, T being [`FRAMES`].
    pub fn render(&self, width: usize, height: usize) -> Vec<u8> {
        let backdrop = self.backdrop(0.0, width, height);
        let draw = |t| {
            if self.drift == [0.0; 2] {
                self.draw(time_of(t), backdrop.clone())
            } else {
                self.picture(time_of(t), width, height)
            }
        };
        (0..FRAMES).flat_map(|t| draw(t).bytes).collect()
    }

    /// Frame `t` of [`Scene::render`] alone: RGB bytes `[H, W, 3]`. The motion goes on beyond the last frame.
    pub fn frame(&self, t: usize, width: usize, height: usize) -> Vec<u8> {
        self.at(time_of(t), width, height)
    }

    /// The scene at `time`, in frames from the middle of the clip: RGB bytes `[H, W, 3]`.
    pub fn at(&self, time: f32, width: usize, height: usize) -> Vec<u8> {
        self.picture(time, width, height).bytes
    }

    /// Whether the moving shape covers each pixel, `[H, W]`, at `time` as in [`Scene::at`].
    pub fn mask(&self, time: f32, width: usize, height: usize) -> Vec<bool> {
        let picture = Picture::new(width, height);
        let pose = self.pose(time);
        let covered = |i: usize| {
            let p = [picture.coordinate(i % width, width), picture.coordinate(i / width, height)];
            self.figure.covers(pose.local(p))
        };
        (0..width * height).map(covered).collect()
    }

    /// The true flow from `time` to one frame later: `[H, W, 2]` pixels along x and y.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a side is zero.
    pub fn flow(&self, time: f32, width: usize, height: usize) -> Result<Tensor> {
        let picture = Picture::new(width, height);
        let (from, to) = (self.pose(time), self.pose(time + 1.0));
        Tensor::from_fn(&[height, width, 2], |i| {
            let (column, row) = (i / 2 % width, i / 2 / width);
            let p = [picture.coordinate(column, width), picture.coordinate(row, height)];
            let local = from.local(p);
            let moved = if self.figure.covers(local) {
                to.global(local)[i % 2] - p[i % 2]
            } else {
                self.drift[i % 2]
            };
            moved * picture.side()
        })
    }

    fn picture(&self, time: f32, width: usize, height: usize) -> Picture {
        self.draw(time, self.backdrop(time, width, height))
    }

    fn draw(&self, time: f32, mut picture: Picture) -> Picture {
        self.figure.paint(&self.pose(time), &mut picture);
        picture
    }

    /// All but the moving shape: the background and the small shapes.
    fn backdrop(&self, time: f32, width: usize, height: usize) -> Picture {
        let mut picture = Picture::new(width, height);
        let [dark, light] = self.ground_inks;
        let [right, down] = self.drift.map(|d| d * time);
        picture.shade(0..width, 0..height, |[x, y], pixel, _| {
            let (dx, dy) = (x - 0.5, y - 0.5);
            let vignette = (1.0 - 0.35 * (dx * dx + dy * dy)).max(0.5);
            let share = self.ground.mean([x, y], pixel, |p| [p[0] - right, p[1] - down]);
            mix(dark, light, share).map(|c| c * vignette)
        });
        for (figure, pose) in &self.still {
            let [x, y] = pose.centre;
            figure.paint(&Pose { centre: [x + right, y + down], ..*pose }, &mut picture);
        }
        picture
    }

    /// Where the shape is at `time`.
    fn pose(&self, time: f32) -> Pose {
        // A step between two frames stays below half a period of the finest texture, so that no motion can be
        // taken for its opposite.
        let speed = match self.motion {
            Motion::Left | Motion::Right | Motion::Up | Motion::Down => lerp(0.014, 0.03, self.pace),
            Motion::Clockwise | Motion::CounterClockwise => lerp(0.016, 0.033, self.pace),
            Motion::Approaching | Motion::Receding => lerp(0.035, 0.06, self.pace),
        };
        let way = speed * time;
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

/// The time of frame `t`, from the middle of the clip.
fn time_of(t: usize) -> f32 {
    t as f32 - (FRAMES - 1) as f32 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::draw::length;

    const SIDE: usize = 64;
    const FINE: usize = 128;

    /// The area and the centroid, in pixels, of what differs from the backdrop in each frame.
    fn moments(scene: &Scene) -> Vec<(f32, Point)> {
        let backdrop = scene.backdrop(0.0, SIDE, SIDE).bytes;
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

    /// Nothing in the middle of a clip tells its motion: a network that sees it alone can only guess.
    #[test]
    fn the_middle_tells_nothing() {
        for seed in 0..20 {
            let scene = Scene::from_seed(seed).with_drift(seed);
            let middle = scene.at(0.0, 40, 32);
            for motion in Motion::ALL {
                let other = scene.clone().with_motion(motion);
                assert_eq!(other.at(0.0, 40, 32), middle, "seed {seed}, {motion}");
                assert_eq!(other.at(1.0, 40, 32) == scene.at(1.0, 40, 32), motion == scene.motion());
            }
        }
    }

    /// The true flow takes each frame to the next, but for what is covered, its shadow and what its edges mix.
    #[test]
    fn true_flows_are_true() {
        for seed in 0..32 {
            let scene = Scene::from_seed(seed).with_drift(seed);
            let (first, second) = (scene.at(0.0, FINE, FINE), scene.at(1.0, FINE, FINE));
            let flow = scene.flow(0.0, FINE, FINE).unwrap();
            let flow = flow.f32s().unwrap();
            let off = |moved: bool| {
                let far = (8 * FINE..(FINE - 8) * FINE).filter(|i| {
                    let (x, y) = (i % FINE, i / FINE);
                    let [u, v] = [flow[2 * i], flow[2 * i + 1]].map(|c| if moved { c } else { 0.0 });
                    let at =
                        |c: usize, by: f32| (c as f32 + by).round().clamp(0.0, FINE as f32 - 1.0) as usize;
                    let to = at(y, v) * FINE + at(x, u);
                    (0..3).any(|c| first[3 * i + c].abs_diff(second[3 * to + c]) > 40)
                });
                far.count() as f32 / (FINE * FINE) as f32
            };
            assert!(off(true) < 0.03 + 0.5 * off(false), "seed {seed}: {} {}", off(true), off(false));
        }
        let still = Scene::from_seed(3).with_motion(Motion::Left).flow(0.0, 64, 64).unwrap();
        let values = still.f32s().unwrap();
        let (figure, ground): (Vec<_>, Vec<_>) = values.chunks(2).partition(|p| p[0] != 0.0);
        assert!(figure.iter().all(|p| (-1.93..-0.89).contains(&p[0]) && p[1].abs() < 1e-4), "{figure:?}");
        assert!(figure.len() > 300 && ground.len() > 2000);
    }
}
