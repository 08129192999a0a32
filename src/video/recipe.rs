//! Preprocessing as published networks were trained with it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::resize::{Filter, resize};
use super::{Corner, Crops, Frame, MAX_PIXELS, RECIPES, Video, sample};
use crate::error::{At, Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a length that falls between integers is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the integer below.
    Down,
    /// To the nearest integer, halves to the even one.
    Nearest,
    /// To the integer above.
    Up,
}

impl Rounding {
    /// `numerator / denominator`, rounded.
    pub(crate) fn divide(self, numerator: usize, denominator: usize) -> usize {
        let (whole, rest) = (numerator / denominator, numerator % denominator);
        let up = match (self, (rest * 2).cmp(&denominator)) {
            (Rounding::Down, _) | (Rounding::Nearest, Ordering::Less) => false,
            (Rounding::Nearest, Ordering::Equal) => whole % 2 == 1,
            (Rounding::Nearest, Ordering::Greater) => true,
            (Rounding::Up, _) => rest > 0,
        };
        whole + usize::from(up)
    }
}

/// The size of a picture before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This height and width, whatever the shape of the picture.
    Exact {
        /// Rows.
        height: usize,
        /// Pixels in a row.
        width: usize,
    },
    /// The shorter edge gets this length; the longer one keeps the proportion and is rounded.
    ShortEdge(usize, Rounding),
}

impl Size {
    /// Height and width, for a picture of this size.
    pub(crate) fn of(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Size::Exact { height, width } => (height, width),
            Size::ShortEdge(edge, rounding) => {
                let edge = edge.min(MAX_PIXELS);
                let long = rounding.divide(edge * width.max(height), width.min(height));
                if height <= width { (edge, long) } else { (long, edge) }
            }
        }
    }
}

/// A crop from the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Which way the crop moves when the margin is odd.
    pub rounding: Rounding,
}

/// The order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV reads pictures.
    Bgr,
}

/// How far the frames of a clip lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// In frames of the video.
    Stride(usize),
    /// The video is first resampled to so many frames a second; a source without a rate stays as it is.
    Fps(f64),
    /// Spread over the whole video: one in the middle of each of as many equal parts. Several clips divide the parts.
    Segments,
}

/// How a video becomes the input of a network.
///
/// Each frame is resized, perhaps rounded to whole levels, cropped at the centre, put in channel order,
/// divided by [`divisor`](Recipe::divisor), and normalised: `(x - mean) / std`.
///
/// ```no_run
/// use kinetograph::video::{self, Recipe};
/// let mut video = video::open("clip.mp4")?;
/// let clips = Recipe::by_name("kinetics-112")?.apply(&mut video, 3)?;
/// assert_eq!(&clips.shape()[..], [3, 16, 112, 112, 3]);
/// # Ok::<(), kinetograph::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// Where it comes from and what it is for.
    pub about: &'static str,
    /// The size before the crop.
    pub size: Size,
    /// The filter that scales to it.
    pub filter: Filter,
    /// Whether levels are rounded to bytes after scaling, as where the original scales bytes.
    pub bytes: bool,
    /// The crop.
    pub crop: Crop,
    /// The order of the channels.
    pub channels: Channels,
    /// What levels from 0 to 255 are divided by: 255 or 1.
    pub divisor: f32,
    /// Subtracted after the division, in channel order.
    pub mean: [f32; 3],
    /// Divided by at the end, in channel order.
    pub std: [f32; 3],
    /// Frames in a clip.
    pub frames: usize,
    /// How far they lie apart.
    pub rate: Rate,
    /// The clips of one video over which the published evaluation averages.
    pub clips: usize,
    /// The crops of each clip over which it averages.
    pub crops: Crops,
    /// Frames in a clip of that evaluation, where it takes more than in training; a shorter video gives fewer.
    pub test_frames: Option<usize>,
}

impl Recipe {
    /// The recipe of this name in [`RECIPES`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown name; the text gives the nearest ones.
    pub fn by_name(name: &str) -> Result<Recipe> {
        if let Some(recipe) = RECIPES.iter().find(|r| r.name == name) {
            return Ok(recipe.clone());
        }
        let mut names: Vec<&str> = RECIPES.iter().map(|r| r.name).collect();
        names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
        names.truncate(3);
        Err(Error::usage(format!("there is no recipe `{name}`; the nearest are {}", names.join(", "))))
    }

    /// The same recipe with a crop of `size` by `size` pixels; the size before the crop keeps its
    /// proportion to it.
    #[must_use]
    pub fn with_size(mut self, size: usize) -> Recipe {
        let scale = |length: usize, crop: usize| {
            Rounding::Nearest.divide(length.saturating_mul(size), crop.max(1)).max(size)
        };
        let Crop { height, width, rounding } = self.crop;
        self.size = match self.size {
            Size::Exact { height: h, width: w } => {
                Size::Exact { height: scale(h, height), width: scale(w, width) }
            }
            Size::ShortEdge(edge, rounding) => Size::ShortEdge(scale(edge, height.min(width)), rounding),
        };
        self.crop = Crop { height: size, width: size, rounding };
        self
    }

    /// The same recipe for pictures of this size, without its crop: the whole of the resized frame.
    #[must_use]
    pub fn whole(mut self, width: usize, height: usize) -> Recipe {
        (self.crop.height, self.crop.width) = self.size.of(width, height);
        self
    }

    /// The same recipe with `frames` frames in a clip.
    #[must_use]
    pub fn with_frames(mut self, frames: usize) -> Recipe {
        self.frames = frames;
        self
    }

    /// The shape of the result: `[clips, T, H, W, 3]`.
    pub fn shape(&self, clips: usize) -> [usize; 5] {
        [clips, self.frames, self.crop.height, self.crop.width, 3]
    }

    /// How many frames of a video of `fps` frames a second one clip spans; a shorter video repeats its last frame. One where a
    /// clip is spread over the video, however short.
    pub fn span(&self, fps: Option<f64>) -> usize {
        match (self.rate, fps) {
            (Rate::Segments, _) => 1,
            (Rate::Stride(stride), _) => {
                self.frames.saturating_sub(1).saturating_mul(stride.max(1)).saturating_add(1)
            }
            // `sample::by_fps` has a frame for each whole step.
            (Rate::Fps(target), Some(fps)) if fps > 0.0 && target > 0.0 => {
                (self.frames as f64 * fps / target - 1e-9).ceil() as usize
            }
            (Rate::Fps(_), _) => self.frames,
        }
    }

    /// The frames of each clip, as indices into a video of `frames` frames at `fps` frames a second.
    /// Windows are spread as in [`sample::clips`]; the last frame repeats where the video is too short.
    pub fn indices(&self, frames: usize, fps: Option<f64>, clips: usize) -> Vec<Vec<usize>> {
        let (timeline, stride) = match (self.rate, fps) {
            (Rate::Stride(stride), _) => return sample::clips(frames, clips, self.frames, stride),
            (Rate::Fps(target), Some(fps)) => (sample::by_fps(frames, fps, target), 1),
            (Rate::Fps(_), None) => ((0..frames).collect(), 1),
            (Rate::Segments, _) => {
                let all = sample::by_count(frames, self.frames * clips);
                return (0..clips).map(|c| all.iter().skip(c).step_by(clips).copied().collect()).collect();
            }
        };
        let mut windows = sample::clips(timeline.len(), clips, self.frames, stride);
        windows.iter_mut().flatten().for_each(|i| *i = timeline[*i]);
        windows
    }

    /// Reads `clips` clips of a video, from its start: f32 `[clips, T, H, W, 3]`, normalised. Frames that
    /// no clip holds are decoded but not converted, and decoding stops after the last one needed. Where
    /// the file does not tell its number of frames, it is decoded once more to count them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the recipe makes no sense (no frames, a crop larger than the
    /// picture) or the video cannot be read; [`crate::ErrorKind::OutOfMemory`] when the result does not
    /// fit.
    pub fn apply(&self, video: &mut Video, clips: usize) -> Result<Tensor> {
        let windows = self.indices(video.count()?, video.fps(), clips);
        self.cut(video, &windows, Crops::One)
    }

    /// Reads clips of the frames with these indices, each in all `crops`: f32 `[clips·crops, T, H, W, 3]`, the crops of a
    /// clip one after the other. Decoding begins anew only where the video has passed the first frame needed.
    ///
    /// # Errors
    /// As [`Recipe::apply`], and [`crate::ErrorKind::BadInput`] when a clip has not the recipe's number of frames.
    pub fn cut(&self, video: &mut Video, windows: &[Vec<usize>], crops: Crops) -> Result<Tensor> {
        if let Some(window) = windows.iter().find(|w| w.len() != self.frames) {
            let text = format!("a clip of {} frames, the recipe takes {}", window.len(), self.frames);
            return Err(Error::bad_input(text));
        }
        let count = crops.count();
        let shape = self.shape(windows.len() * count);
        let elements = Shape::new(&shape)?.elements();
        let mut slots: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (clip, window) in windows.iter().enumerate() {
            for (t, &index) in window.iter().enumerate() {
                // Of its first crop; those of the next ones lie a clip further each.
                slots.entry(index).or_default().push(clip * count * self.frames + t);
            }
        }
        if slots.first_key_value().is_some_and(|(first, _)| *first < video.position()) {
            video.rewind()?;
        }

        let mut out: Vec<f32> = Vec::new();
        out.try_reserve_exact(elements)
            .map_err(|_| Error::out_of_memory(format!("clips of {shape:?} need {} bytes", elements * 4)))?;
        out.resize(elements, 0.0);
        let one = self.crop.height * self.crop.width * 3;
        for (index, slots) in slots {
            while video.position() < index && video.skip_frame()? {}
            let frame = video.next_frame()?.ok_or_else(|| {
                Error::bad_input(format!("{}: there is no frame {index}", video.path().display()))
            })?;
            let views = self.views(&frame, crops).at(video.path().display())?;
            for slot in slots {
                for (i, pixels) in views.iter().enumerate() {
                    out[(slot + i * self.frames) * one..][..one].copy_from_slice(pixels);
                }
            }
        }
        Tensor::new(&shape, out)
    }

    /// Prepares one frame: `[H, W, 3]` floats, normalised.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the crop is larger than the resized frame or the size absurd.
    pub fn frame(&self, frame: &Frame) -> Result<Vec<f32>> {
        Ok(self.views(frame, Crops::One)?.swap_remove(0))
    }

    /// Prepares one frame in all `crops`: `[H, W, 3]` floats each, normalised.
    ///
    /// # Errors
    /// As [`Recipe::frame`].
    pub fn views(&self, frame: &Frame, crops: Crops) -> Result<Vec<Vec<f32>>> {
        let (height, width) = self.size.of(frame.width(), frame.height());
        let Crop { height: ch, width: cw, rounding } = self.crop;
        if ch > height || cw > width || ch * cw == 0 {
            return Err(Error::bad_input(format!(
                "a crop of {cw}x{ch} cannot be taken from a picture of {width}x{height}"
            )));
        }
        let mut levels = resize(frame, height, width, self.filter)?;
        if self.bytes {
            levels.iter_mut().for_each(|x| *x = x.round_ties_even().clamp(0.0, 255.0));
        }
        let view = |corner: Corner| {
            let mut out = Vec::with_capacity(ch * cw * 3);
            for row in levels.chunks_exact(width * 3).skip(corner.top).take(ch) {
                for x in 0..cw {
                    let column = corner.left + if corner.mirrored { cw - 1 - x } else { x };
                    let pixel = &row[column * 3..][..3];
                    for c in 0..3 {
                        let x = pixel[if self.channels == Channels::Bgr { 2 - c } else { c }];
                        out.push((x / self.divisor - self.mean[c]) / self.std[c]);
                    }
                }
            }
            out
        };
        Ok(crops.corners([height - ch, width - cw], rounding).into_iter().map(view).collect())
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::ErrorKind;
    use crate::video::{open, write};

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/video/recipes.safetensors");

    /// Compares with a golden tensor: `range` is what the values span; `flips` how many may differ by one
    /// level, where torch rounds a level that lies on the edge the other way.
    fn agrees(golden: &SafeTensors, name: &str, got: &[f32], range: f32, flips: usize) {
        let want = golden.tensor(name).unwrap();
        let want = want.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        assert_eq!(want.len(), got.len(), "{name}");
        let far = want.zip(got).map(|(want, &got)| (want - got).abs() / range);
        let far: Vec<f32> = far.filter(|d| d.is_nan() || *d > 1e-4).collect();
        assert!(far.len() <= flips && far.iter().all(|d| *d < 1.01 / 255.0), "{name}: {far:?}");
    }

    #[test]
    fn frames_agree_with_torch() {
        let bytes = std::fs::read(GOLDEN).unwrap();
        let golden = SafeTensors::deserialize(&bytes).unwrap();
        let picture = golden.tensor("picture").unwrap();
        let frame = Frame::new(picture.shape()[1], picture.shape()[0], picture.data().to_vec()).unwrap();

        for (name, filter, height, width) in [
            ("bilinear", Filter::Bilinear, 45, 61),
            ("bilinear_up", Filter::Bilinear, 170, 230),
            ("bilinear_antialias", Filter::BilinearAntialias, 45, 61),
            ("bicubic_antialias", Filter::BicubicAntialias, 45, 61),
        ] {
            let all = resize(&frame, height, width, filter).unwrap();
            let corner: Vec<f32> =
                all.chunks_exact(width * 3).take(45).flat_map(|row| row[..61 * 3].to_vec()).collect();
            agrees(&golden, &format!("resize/{name}"), &corner, 255.0, 0);
        }
        for (name, size, range, flips) in [
            ("kinetics-112", 56, 1.0 / 0.216989, 3),
            ("c3d-mmaction", 56, 255.0, 3),
            ("plain-64", 64, 2.0, 0),
        ] {
            let got = Recipe::by_name(name).unwrap().with_size(size).frame(&frame).unwrap();
            agrees(&golden, &format!("recipe/{name}"), &got, range, flips);
        }
    }

    #[test]
    fn clips_hold_the_frames_they_name() {
        let dir = tempfile::tempdir().unwrap();
        let frames = (0..20u8).map(|i| Frame::new(80, 70, [i, 100, 200].repeat(5600)).unwrap());
        write::pngs(dir.path(), frames).unwrap();
        let mut video = open(dir.path()).unwrap();
        let recipe = Recipe { rate: Rate::Stride(3), ..Recipe::by_name("c3d-jfzhang").unwrap() };
        let recipe = recipe.with_size(28).with_frames(4);
        for _ in 0..2 {
            let clips = recipe.apply(&mut video, 2).unwrap();
            assert_eq!(clips.shape()[..], [2, 4, 28, 28, 3]);
            let v = clips.f32s().unwrap();
            for (slot, index) in [2, 5, 8, 11, 8, 11, 14, 17].into_iter().enumerate() {
                assert_eq!(v[slot * 28 * 28 * 3..][..3], [110.0, 2.0, index as f32 - 102.0]);
            }
        }
        let long = recipe.clone().with_frames(9).apply(&mut video, 1).unwrap();
        assert_eq!(long.f32s().unwrap()[8 * 28 * 28 * 3 + 2], 19.0 - 102.0);
    }

    #[test]
    fn names_and_sizes() {
        let e = Recipe::by_name("kinetics112").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Usage);
        assert!(e.to_string().contains("the nearest are kinetics-112"), "{e}");
        for recipe in RECIPES {
            assert_eq!(recipe.clone().with_size(recipe.crop.width), *recipe);
        }
        let segments = Recipe::by_name("tsn").unwrap().with_frames(3);
        assert_eq!(segments.indices(30, None, 1), [[5, 15, 25]]);
        assert_eq!(segments.indices(30, None, 2), [[2, 12, 22], [7, 17, 27]]);
        assert_eq!(segments.indices(1, None, 1), [[0, 0, 0]]);
        assert_eq!(segments.span(Some(30.0)), 1);
        let spans = ["vivit", "kinetics-112", "c3d-davidea"].map(|name| Recipe::by_name(name).unwrap());
        for (recipe, frames) in spans.iter().zip([63, 32, 16]) {
            assert_eq!(recipe.span(Some(30.0)), frames);
            // One frame less, and the last step is cut short.
            let even = |count| {
                let indices = recipe.indices(count, Some(30.0), 1).swap_remove(0);
                indices.windows(3).all(|w| w[2] - w[1] == w[1] - w[0])
            };
            assert!(even(frames) && !even(frames - 1), "{}", recipe.name);
        }
        let half = Recipe::by_name("kinetics-112").unwrap().with_size(56);
        assert_eq!(half.size, Size::Exact { height: 64, width: 86 });
        assert_eq!(Rounding::Nearest.divide(59, 2), 30);
        assert_eq!(Rounding::Nearest.divide(57, 2), 28);
        assert_eq!(Rounding::Down.divide(59, 2), 29);
        assert_eq!([59, 60].map(|n| Rounding::Up.divide(n, 2)), [30, 30]);
    }

    #[test]
    fn every_crop_is_where_it_should_be() {
        let dir = tempfile::tempdir().unwrap();
        // Red tells the column, green the row, blue the frame.
        let pixels = |t: u8| (0..70u8).flat_map(move |y| (0..81u8).flat_map(move |x| [x, y, t])).collect();
        write::pngs(dir.path(), (0..6).map(|t| Frame::new(81, 70, pixels(t)).unwrap())).unwrap();
        let mut video = open(dir.path()).unwrap();
        let recipe = Recipe {
            size: Size::Exact { height: 70, width: 81 },
            crop: Crop { height: 70, width: 70, rounding: Rounding::Up },
            frames: 2,
            ..Recipe::by_name("c3d-davidea").unwrap()
        };
        let first = |recipe: &Recipe, video: &mut Video, windows: &[Vec<usize>], crops| {
            let clips = recipe.cut(video, windows, crops).unwrap();
            let [n, t, h, w, 3] = clips.shape()[..] else { panic!() };
            let v = clips.f32s().unwrap().chunks_exact(h * w * 3);
            assert_eq!(n * t, v.len());
            v.map(|frame| [frame[0], frame[1], frame[2]]).collect::<Vec<_>>()
        };
        let windows = [vec![1, 2], vec![2, 5]];
        let three = first(&recipe, &mut video, &windows, Crops::Three);
        let want = |ts: [f32; 2]| [0.0, 6.0, 11.0].map(|x| ts.map(|t| [x, 0.0, t])).concat();
        assert_eq!(three, [want([1.0, 2.0]), want([2.0, 5.0])].concat());
        // Back to the start, for the video has passed it.
        let small = Recipe { crop: Crop { height: 66, ..recipe.crop }, ..recipe };
        let ten = first(&small, &mut video, &[vec![0, 1]], Crops::Ten);
        let of = |x: f32, y: f32| [[x, y, 0.0], [x, y, 1.0]];
        let [left, right, middle] = [0.0, 11.0, 6.0];
        let plain = [of(left, 0.0), of(right, 0.0), of(left, 4.0), of(right, 4.0), of(middle, 2.0)];
        assert_eq!(ten[..10], plain.concat());
        let mirrored = plain.map(|pair| pair.map(|[x, y, t]| [x + 69.0, y, t]));
        assert_eq!(ten[10..], mirrored.concat());
        assert!(small.cut(&mut video, &[vec![0]], Crops::One).is_err());
    }

    #[test]
    fn recipes_that_make_no_sense_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.png");
        write::png(&path, &Frame::new(9, 9, vec![0; 243]).unwrap()).unwrap();
        let mut video = open(&path).unwrap();
        let recipe = Recipe::by_name("plain-64").unwrap();
        let crop = Crop { height: 65, ..recipe.crop };
        assert!(Recipe { crop, ..recipe.clone() }.apply(&mut video, 1).is_err());
        assert!(recipe.clone().with_size(0).apply(&mut video, 1).is_err());
        assert!(recipe.clone().with_size(usize::MAX).apply(&mut video, 1).is_err());
        assert!(recipe.clone().with_size(100_000).frame(&Frame::new(1, 1, vec![0; 3]).unwrap()).is_err());
        assert!(recipe.clone().with_frames(0).apply(&mut video, 1).is_err());
        assert!(recipe.apply(&mut video, 0).is_err());
        assert!(recipe.apply(&mut video, 1).is_ok());
    }
}
