//! Preprocessing as published networks were trained with it.

use std::collections::BTreeMap;

use super::resize::{Filter, resize};
use super::{Frame, MAX_PIXELS, Video, sample};
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
}

impl Rounding {
    /// `numerator / denominator`, rounded.
    fn divide(self, numerator: usize, denominator: usize) -> usize {
        let (whole, rest) = (numerator / denominator, numerator % denominator);
        let up = match (rest * 2).cmp(&denominator) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => whole % 2 == 1,
            std::cmp::Ordering::Greater => true,
        };
        whole + usize::from(self == Rounding::Nearest && up)
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
}

/// The recipes known by name.
///
/// | name | size, filter | crop | levels | mean, std | clips |
/// |---|---|---|---|---|---|
/// | `c3d-mmaction` | short edge 128, bilinear | 112 | 0–255 RGB | 104, 117, 128; 1 | 10 × 16 frames |
/// | `c3d-jfzhang` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 1 × 16 |
/// | `c3d-davidea` | 112×200, bilinear | 112 | 0–255 RGB | none | 1 × 16 |
/// | `c3d-caffe` | 128×171, bilinear | 112 | 0–255 BGR | 90, 98, 102; 1 | 1 × 16 |
/// | `kinetics-112` | 128×171, bilinear | 112 | 0–1 RGB | of Kinetics | 5 × 16 at 15 fps |
/// | `plain-64` | short edge 64, bilinear with antialias | 64 | 0–1 RGB | 0.5; 0.5 | 1 × 16 |
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "c3d-mmaction",
        about: "C3D of MMAction2 (configs/recognition/c3d, configs/_base_/models/c3d_sports1m_pretrained.py): \
                frames decoded to RGB and scaled as bytes",
        size: Size::ShortEdge(128, Rounding::Nearest),
        crop: Crop { height: 112, width: 112, rounding: Rounding::Down },
        mean: [104.0, 117.0, 128.0],
        clips: 10,
        ..C3D
    },
    Recipe {
        name: "c3d-jfzhang",
        about: "C3D of jfzhang95/pytorch-video-recognition (inference.py): frames as OpenCV reads them, in BGR",
        mean: [90.0, 98.0, 102.0],
        channels: Channels::Bgr,
        ..C3D
    },
    Recipe {
        name: "c3d-davidea",
        about: "C3D of DavideA/c3d-pytorch (predict.py): scikit-image scales in floats, nothing is subtracted",
        size: Size::Exact { height: 112, width: 200 },
        bytes: false,
        ..C3D
    },
    Recipe {
        name: "c3d-caffe",
        about: "the original C3D (facebookarchive/C3D, C3D-v1.0, video_data_layer.cpp): frames as OpenCV reads \
                them, in BGR. The original subtracts the mean of every voxel of the training clips \
                (sport1m_train16_128_mean.binaryproto); means of the channels stand in for it here",
        crop: Crop { height: 112, width: 112, rounding: Rounding::Down },
        mean: [90.0, 98.0, 102.0],
        channels: Channels::Bgr,
        ..C3D
    },
    Recipe {
        name: "kinetics-112",
        about: "R3D-18, MC3-18 and R(2+1)D-18 of torchvision (models/video/resnet.py, \
                transforms/_presets.py VideoClassification): scaled as bytes without antialias",
        divisor: 255.0,
        mean: [0.43216, 0.394666, 0.37645],
        std: [0.22803, 0.22145, 0.216989],
        rate: Rate::Fps(15.0),
        clips: 5,
        ..C3D
    },
    Recipe {
        name: "plain-64",
        about: "the small networks of this crate's own demonstrations",
        size: Size::ShortEdge(64, Rounding::Down),
        filter: Filter::BilinearAntialias,
        bytes: false,
        crop: Crop { height: 64, width: 64, rounding: Rounding::Nearest },
        divisor: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        ..C3D
    },
];

/// What the recipes above have in common with C3D.
const C3D: Recipe = Recipe {
    name: "",
    about: "",
    size: Size::Exact { height: 128, width: 171 },
    filter: Filter::Bilinear,
    bytes: true,
    crop: Crop { height: 112, width: 112, rounding: Rounding::Nearest },
    channels: Channels::Rgb,
    divisor: 1.0,
    mean: [0.0; 3],
    std: [1.0; 3],
    frames: 16,
    rate: Rate::Stride(1),
    clips: 1,
};

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

    /// The frames of each clip, as indices into a video of `frames` frames at `fps` frames a second.
    /// Windows are spread as in [`sample::clips`]; the last frame repeats where the video is too short.
    pub fn indices(&self, frames: usize, fps: Option<f64>, clips: usize) -> Vec<Vec<usize>> {
        let (timeline, stride) = match (self.rate, fps) {
            (Rate::Stride(stride), _) => return sample::clips(frames, clips, self.frames, stride),
            (Rate::Fps(target), Some(fps)) => (sample::by_fps(frames, fps, target), 1),
            (Rate::Fps(_), None) => ((0..frames).collect(), 1),
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
        let shape = self.shape(clips);
        let elements = Shape::new(&shape)?.elements();
        video.rewind()?;
        let windows = self.indices(video.count()?, video.fps(), clips);
        let mut slots: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (slot, index) in windows.into_iter().flatten().enumerate() {
            slots.entry(index).or_default().push(slot);
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
            let pixels = self.frame(&frame).at(video.path().display())?;
            for slot in slots {
                out[slot * one..][..one].copy_from_slice(&pixels);
            }
        }
        Tensor::new(&shape, out)
    }

    /// Prepares one frame: `[H, W, 3]` floats, normalised.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the crop is larger than the resized frame or the size absurd.
    pub fn frame(&self, frame: &Frame) -> Result<Vec<f32>> {
        let (height, width) = self.resized(frame.width(), frame.height());
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
        let (top, left) = (rounding.divide(height - ch, 2), rounding.divide(width - cw, 2));
        let mut out = Vec::with_capacity(ch * cw * 3);
        for row in levels.chunks_exact(width * 3).skip(top).take(ch) {
            for pixel in row[left * 3..][..cw * 3].chunks_exact(3) {
                for c in 0..3 {
                    let x = pixel[if self.channels == Channels::Bgr { 2 - c } else { c }];
                    out.push((x / self.divisor - self.mean[c]) / self.std[c]);
                }
            }
        }
        Ok(out)
    }

    /// Height and width before the crop, for a picture of this size.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        match self.size {
            Size::Exact { height, width } => (height, width),
            Size::ShortEdge(edge, rounding) => {
                let edge = edge.min(MAX_PIXELS);
                let long = rounding.divide(edge * width.max(height), width.min(height));
                if height <= width { (edge, long) } else { (long, edge) }
            }
        }
    }
}
