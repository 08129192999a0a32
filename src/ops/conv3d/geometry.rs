//! The lengths of a convolution, for the host and for kernels.

use crate::error::Result;
use crate::graph::{MaxPool, Recorder, Traits};
use crate::ops::PaddingMode;
use crate::ops::tiling::Tiling;
use crate::params;

params! {
    pub(super) struct Conv3dParams {
        batch: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        in_c: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        out_c: u32,
        kernel_t: u32,
        kernel_h: u32,
        kernel_w: u32,
        stride_t: u32,
        stride_h: u32,
        stride_w: u32,
        dilation_t: u32,
        dilation_h: u32,
        dilation_w: u32,
        pad_t: u32,
        pad_h: u32,
        pad_w: u32,
        group_in: u32,
        group_out: u32,
        weight_row: u32,
        weight_group: u32,
        weight_panel: u32,
        slices: u32,
        slice_depth: u32,
        patches_t: u32,
        patches_h: u32,
        patches_w: u32,
        first_patch_t: u32,
        patches: u32,
        rows: u32,
        sums_t: u32,
        sums_h: u32,
        sums_w: u32,
        pool_t: u32,
        pool_h: u32,
        pool_w: u32,
        pool_stride_t: u32,
        pool_stride_h: u32,
        pool_stride_w: u32,
        pool_pad_t: u32,
        pool_pad_h: u32,
        pool_pad_w: u32,
    }
}

/// The number of a pooling's windows is filled up to a multiple of this, so that their members are whole runs of as many
/// rows as every kernel has them apart.
const TOGETHER: usize = 16;

/// Lengths of a convolution, which can be folded without moving anything in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// `N, T, H, W, C`.
    pub(super) input: [usize; 5],
    /// Before pooling.
    pub(super) output: [usize; 5],
    pub(super) kernel: [usize; 3],
    pub(super) stride: [usize; 3],
    pub(super) dilation: [usize; 3],
    pub(super) pad: [usize; 3],
    pub(super) padding_mode: PaddingMode,
    pub(super) pool: Option<MaxPool>,
    /// Positions along W that a tap takes together.
    pub(super) together: usize,
}

impl Geometry {
    /// Lowers towards a plain matrix product: windows that lie side by side along W become channels, and a
    /// window of one position makes all positions one axis.
    pub(super) fn folded(mut self, groups: usize) -> Geometry {
        let [_, _, _, w, c] = self.input;
        let side_by_side = self.kernel[2] == self.stride[2] && (self.kernel[2] == 1 || self.dilation[2] == 1);
        let k = self.kernel[2];
        if side_by_side && k > 1 && self.pad[2] == 0 && groups == 1 && self.output[3] * k == w {
            self.input[3] = w / k;
            self.input[4] = c * k;
            (self.kernel[2], self.stride[2]) = (1, 1);
        }
        let [n, t, h, w, _] = self.output;
        if self.pool.is_none()
            && self.kernel == [1; 3]
            && self.stride == [1; 3]
            && self.input[..4] == self.output[..4]
        {
            let flat = n * t * h * w;
            self.input = [1, 1, 1, flat, self.input[4]];
            self.output = [1, 1, 1, flat, self.output[4]];
        }
        self
    }

    /// The lengths of the output after pooling.
    fn pooled(&self) -> [usize; 5] {
        let [n, t, h, w, c] = self.output;
        let [t, h, w] = self.pool.map_or([t, h, w], |p| p.windows);
        [n, t, h, w, c]
    }

    /// Positions of the output after pooling.
    pub(super) fn outputs(&self) -> usize {
        self.pooled()[..4].iter().product()
    }

    /// Sums that are made for one position of the output.
    pub(super) fn members(&self) -> usize {
        self.pool.map_or(1, |p| p.volume())
    }

    /// Rows of the matrix product: a position each, or all members of windows.
    pub(super) fn rows(&self) -> usize {
        match self.pool {
            None => self.outputs(),
            Some(pool) => self.outputs().next_multiple_of(TOGETHER) * pool.volume(),
        }
    }

    /// Products of one sum.
    pub(super) fn depth(&self, groups: usize) -> usize {
        self.kernel.iter().product::<usize>() * self.run(groups)
    }

    /// Elements that lie together of what a sum takes of one tap.
    pub(super) fn run(&self, groups: usize) -> usize {
        self.together * self.input[4] / groups
    }

    /// The lengths as a kernel takes them.
    pub(super) fn params(&self, r: &Recorder<'_>, groups: usize) -> Result<Conv3dParams> {
        let n = |v: usize| r.u32("length", v);
        let [batch, in_t, in_h, in_w, in_c] = self.input;
        let [_, out_t, out_h, out_w, out_c] = self.pooled();
        let [_, sums_t, sums_h, sums_w, _] = self.output;
        let none =
            MaxPool { kernel: [1; 3], stride: [1; 3], before: [0; 3], windows: [sums_t, sums_h, sums_w] };
        let pool = self.pool.unwrap_or(none);
        Ok(Conv3dParams {
            batch: n(batch)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            in_c: n(in_c)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            out_c: n(out_c)?,
            kernel_t: n(self.kernel[0])?,
            kernel_h: n(self.kernel[1])?,
            kernel_w: n(self.kernel[2])?,
            stride_t: n(self.stride[0])?,
            stride_h: n(self.stride[1])?,
            stride_w: n(self.stride[2])?,
            dilation_t: n(self.dilation[0])?,
            dilation_h: n(self.dilation[1])?,
            dilation_w: n(self.dilation[2])?,
            pad_t: n(self.pad[0])?,
            pad_h: n(self.pad[1])?,
            pad_w: n(self.pad[2])?,
            group_in: n(self.run(groups))?,
            group_out: n(out_c / groups)?,
            rows: n(self.rows())?,
            sums_t: n(sums_t)?,
            sums_h: n(sums_h)?,
            sums_w: n(sums_w)?,
            pool_t: n(pool.kernel[0])?,
            pool_h: n(pool.kernel[1])?,
            pool_w: n(pool.kernel[2])?,
            pool_stride_t: n(pool.stride[0])?,
            pool_stride_h: n(pool.stride[1])?,
            pool_stride_w: n(pool.stride[2])?,
            pool_pad_t: n(pool.before[0])?,
            pool_pad_h: n(pool.before[1])?,
            pool_pad_w: n(pool.before[2])?,
            ..Conv3dParams::default()
        })
    }

    pub(super) fn tiling(&self, groups: usize, traits: Traits) -> Tiling {
        let lengths = [self.rows(), self.output[4] / groups, self.depth(groups)];
        Tiling::of(traits, groups, lengths, true)
    }

    /// How many channels `conv3d_depthwise` computes at a time, if it can.
    pub(super) fn depthwise(&self, groups: usize) -> Option<usize> {
        let single = self.input[4] == groups && self.output[4] == groups;
        [4, 2].into_iter().find(|w| groups.is_multiple_of(*w) && single)
    }
}
