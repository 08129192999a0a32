//! What networks that detect actions have in common: features under given boxes.

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Gather, Pool, Pool3d, RoiAlign};
use crate::tensor::Tensor;

/// Pixels in a cell of the last maps, whose stage does not stride.
const CELL: f32 = 16.0;

/// How features under boxes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHead {
    /// Boxes in each clip.
    pub boxes: usize,
    /// Bins along each side of a box.
    pub bins: usize,
    /// Whether a pixel's centre lies half a pixel from its corner, see [`RoiAlign::aligned`].
    pub aligned: bool,
}

impl BoxHead {
    /// facebookresearch/SlowFast and pytorchvideo.
    pub fn slowfast(boxes: usize) -> Self {
        BoxHead { boxes, bins: 7, aligned: false }
    }

    /// open-mmlab/mmaction2.
    pub fn mmaction(boxes: usize) -> Self {
        BoxHead { boxes, bins: 8, aligned: true }
    }

    /// Of the maps `[N, T, H, W, C]` of each path, averaged over time and laid side by side, the maxima under the boxes
    /// `[N·B, 4]`: `[N·B, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the maps differ in height or width.
    pub fn features(&self, g: &mut Graph, maps: &[Value], boxes: Value) -> Result<Value> {
        let mut means = Vec::new();
        for &x in maps {
            let [n, t, h, w, c] = g.shape(x).dims("the maps", "[N, T, H, W, C]")?;
            let mean = g.pool3d(x, &Pool3d::average([t, 1, 1]))?;
            means.push(g.view(mean, &[n, h, w, c])?);
        }
        let maps = if let [one] = means[..] { one } else { g.concat(&means, -1)? };
        let owners = self.owners(g, g.shape(maps)[0])?;
        let roi = RoiAlign {
            output_size: [self.bins; 2],
            spatial_scale: 1.0 / CELL,
            sampling_ratio: 0,
            aligned: self.aligned,
        };
        let under = g.roi_align(maps, boxes, Some(owners), &roi)?;
        g.global_pool(under, Pool::Max)
    }

    /// The row `[C]` of each clip of `x` `[N, C]` for each of its boxes: `[N·B, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes.
    pub fn each(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let [clips, _] = g.shape(x).dims("the rows", "[N, C]")?;
        let owners = self.owners(g, clips)?;
        g.gather(x, owners, &Gather { dim: 0, rows: true })
    }

    /// The clip of each box.
    fn owners(&self, g: &mut Graph, clips: usize) -> Result<Value> {
        let owners: Vec<i32> = (0..clips * self.boxes).map(|b| (b / self.boxes.max(1)) as i32).collect();
        Ok(g.constant("owners", Tensor::new(&[owners.len()], owners)?))
    }
}
