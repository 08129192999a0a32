//! Spatio-temporal action detection: what the persons in given boxes do, followed along a clip.
//!
//! Key frames have boxes; a network sees the window of frames around each ([`window`]), and [`link`] joins the boxes of
//! successive key frames to tubes. Boxes are x1, y1, x2, y2 in pixels of the video's frames.

mod bank;
mod boxes;
mod draw;
mod link;

pub use bank::FeatureBank;
pub use boxes::{KeyFrame, PersonBox, every, read, whole};
pub use draw::draw;
pub use link::{Linking, Moment, Tube, link};

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::graph::Plan;
use crate::tensor::Tensor;
use crate::video::{Recipe, Video};

/// The frames that a network sees around a key frame: from half of `length · stride` before it on, every `stride`-th, as
/// PySlowFast's `get_sequence` takes them. Where the clip ends before, its first or last frame repeats.
///
/// ```
/// # use kinetograph::detection::window;
/// assert_eq!(window(10, 20, 4, 2), [6, 8, 10, 12]);
/// assert_eq!(window(1, 4, 4, 2), [0, 0, 1, 3]);
/// ```
pub fn window(key: usize, frames: usize, length: usize, stride: usize) -> Vec<usize> {
    let half = length * stride / 2;
    let last = frames.saturating_sub(1);
    (0..length).map(|i| (key + i * stride).saturating_sub(half).min(last)).collect()
}

/// Frames a second where a video does not tell.
pub const RATE: f64 = 25.0;

/// A network that sees key frames.
pub struct Watcher<'a> {
    /// Takes `clip` `[1, T, H, W, 3]`, `boxes` `[B, 4]`, B being the most that a key frame has, and perhaps `bank`.
    pub plan: &'a Plan,
    /// What prepares frames; its crop must be the whole of a resized frame.
    pub recipe: &'a Recipe,
    /// Frames of the video from one of the network's to the next.
    pub stride: usize,
    /// For a network that takes a bank: seconds, and persons of a second.
    pub bank: Option<[usize; 2]>,
}

impl Watcher<'_> {
    /// The rows of an output `[B, C]` for every box of every key frame, which lie in the order of time. `progress` is told
    /// how many key frames are done.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the video cannot be read or the network has no such output, and what running the
    /// plan gives.
    pub fn rows(
        &self,
        output: &str,
        video: &mut Video,
        keys: &[KeyFrame],
        bank: &FeatureBank,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let Watcher { plan, recipe, stride, .. } = *self;
        let fps = video.fps().unwrap_or(RATE);
        let total = video.count()?;
        video.rewind()?;
        let scale = [
            recipe.crop.width as f32 / video.width() as f32,
            recipe.crop.height as f32 / video.height() as f32,
        ];
        let most = keys.iter().map(|k| k.boxes.len()).max().unwrap_or(0);
        let windows: Vec<Vec<usize>> =
            keys.iter().map(|k| window(k.frame, total, recipe.frames, stride)).collect();
        let mut ready: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        let mut all = Vec::new();
        for (key, window) in keys.iter().zip(&windows) {
            ready = ready.split_off(window.first().unwrap_or(&0));
            let mut clip = Vec::new();
            for &index in window {
                // Later windows may need frames between this one's.
                while video.position() <= index {
                    let at = video.position();
                    let missing =
                        Error::bad_input(format!("{}: there is no frame {at}", video.path().display()));
                    if windows.iter().any(|w| w.contains(&at)) {
                        let Some(frame) = video.next_frame()? else { return Err(missing) };
                        ready.insert(at, recipe.frame(&frame)?);
                    } else if !video.skip_frame()? {
                        return Err(missing);
                    }
                }
                let pixels =
                    ready.get(&index).ok_or_else(|| Error::internal(format!("frame {index} is gone")))?;
                clip.extend_from_slice(pixels);
            }
            let shape = recipe.shape(1);
            let scaled = key.boxes.iter().map(|b| [0, 1, 2, 3].map(|i| b.corners[i] * scale[i % 2]));
            let mut boxes: Vec<[f32; 4]> = scaled.collect();
            let Some(&first) = boxes.first() else {
                all.push(Vec::new());
                progress(all.len());
                continue;
            };
            boxes.resize(most, first);
            let mut inputs = vec![
                ("clip", Tensor::new(&shape, clip)?),
                ("boxes", Tensor::new(&[most, 4], boxes.concat())?),
            ];
            if let Some([seconds, persons]) = self.bank {
                inputs.push(("bank", bank.around(key.frame, fps, seconds, persons)?));
            }
            let outputs = plan.run(&inputs)?;
            let values = outputs
                .get(output)
                .ok_or_else(|| Error::bad_input(format!("the network has no output `{output}`")))?;
            let channels = values.shape().last().copied().unwrap_or(1).max(1);
            let rows = values.f32s()?.chunks_exact(channels).take(key.boxes.len());
            all.push(rows.map(<[f32]>::to_vec).collect());
            progress(all.len());
        }
        Ok(all)
    }
}

/// The probability of a logit by itself, for several actions may be done at once.
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
