//! The operators. Each file holds everything about one operator but its kernel (`kernels/<op>.wgsl`), its
//! reference (`ref/src/<op>.rs`) and its cases (`src/verify/cases/<op>.rs`). Those made of other operators lie in
//! [`composed`].
//!
//! NaN is never hidden: what moves elements keeps it, what sums spreads it and infinities as IEEE arithmetic has it (a
//! zero weight times an infinity is NaN), what compares or chooses says at its attributes what it makes of it. Where WGSL
//! leaves NaN to the device, kernels look at bits.
//!
//! To add one, see `docs/add-an-op.md`.

#[macro_use]
mod shared;
mod attributes;
mod gates;
mod tiling;

pub mod activation;
pub mod adaptive_pool3d;
pub mod affine_grid;
pub mod arg_reduce;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod bincount;
pub mod box_iou;
pub mod cast;
pub mod composed;
pub mod concat;
pub mod conv3d;
pub mod conv_transpose3d;
pub mod cumulative;
pub mod ema_codebook;
pub mod embedding;
pub mod farneback_update;
pub mod gated;
pub mod gather;
pub mod grid_sample;
pub mod group_norm;
pub mod gru_cell;
pub mod linear;
pub mod local_response_norm;
pub mod lstm_cell;
pub mod matmul;
pub mod max_unpool3d;
pub mod median;
pub mod nms;
pub mod norm;
pub mod one_hot;
pub mod pad;
pub mod permute;
pub mod perplexity;
pub mod polynomial_expansion;
pub mod pool3d;
pub mod quantile;
pub mod random;
pub mod reduce;
pub mod relative_scores;
pub mod repeat;
pub mod reshape;
pub mod resize;
pub mod roi_align;
pub mod roi_pool;
pub mod roll;
pub mod scalar_quantize;
pub mod scatter_add;
pub mod select;
pub mod slice;
pub mod softmax;
pub mod sort;
pub mod tvl1;
pub mod unary;
pub mod upfirdn2d;
pub mod vector_quantize;
pub mod window_attention;

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use shared::{check_addend, four_lanes, pad_columns, under_boxes, with_affine};

pub use activation::ActivationOp;
pub use affine_grid::AffineGrid;
pub use arg_reduce::{ArgReduce, Extreme};
pub use attention::{Attention, Over};
pub use attributes::{Attributes, Padding, PaddingMode, Pool};
pub use batch_norm::BatchNorm;
pub use binary::{Binary, BinaryOp};
pub use bincount::Bincount;
pub use cast::{Cast, Kind};
pub use composed::{
    BlurPool, Conv1d, Conv2d, ConvGru, ConvLstm, ConvTranspose1d, ConvTranspose2d, Direction, Einsum, Gru,
    Lstm, NonLocal, Recurrent, RecurrentWeights, Weighting,
};

pub use adaptive_pool3d::{AdaptivePool, AdaptivePool1d, AdaptivePool2d, AdaptivePool3d};
pub use box_iou::BoxIou;
pub use concat::Concat;
pub use conv_transpose3d::ConvTranspose3d;
pub use conv3d::Conv3d;
pub use cumulative::{Cumulation, Cumulative};
pub use ema_codebook::{EmaCodebook, EmaCodebookOutputs};
pub use embedding::Embedding;
pub use farneback_update::FarnebackUpdate;
pub use gated::{Gate, Gated};
pub use gather::Gather;
pub use grid_sample::{Coordinates, GridSample, Sampling, SamplingPadding};
pub use group_norm::GroupNorm;
pub use gru_cell::{GruCell, Reset, Update};
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use lstm_cell::{LstmCell, LstmInputs};
pub use matmul::Matmul;
pub use max_unpool3d::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};
pub use median::Median;
pub use nms::Nms;
pub use norm::{Norm, NormMode};
pub use one_hot::OneHot;
pub use pad::Pad;
pub use permute::Permute;
pub use perplexity::Perplexity;
pub use polynomial_expansion::PolynomialExpansion;
pub use pool3d::{Pool1d, Pool2d, Pool3d, Pooling};
pub use quantile::{Quantile, QuantileInterpolation};
pub use random::{Distribution, Random};
pub use reduce::{Reduce, Reduction};
pub use relative_scores::RelativeScores;
pub use repeat::Repeat;
pub use reshape::Reshape;
pub use resize::{Interpolation, Resize};
pub use roi_align::RoiAlign;
pub use roi_pool::RoiPool;
pub use roll::Roll;
pub use scalar_quantize::{ScalarCode, ScalarQuantize};
pub use scatter_add::ScatterAdd;
pub use select::Select;
pub use slice::Slice;
pub use softmax::Softmax;
pub use sort::Sort;
pub use tvl1::{Tvl1, Tvl1State};
pub use unary::Unary;
pub use upfirdn2d::{FilterPadding, Upfirdn2d};
pub use vector_quantize::{Distance, VectorQuantize};
pub use window_attention::WindowAttention;

/// Every operator.
pub const CATALOG: &[&Door] = &[
    &activation::DOOR,
    &adaptive_pool3d::DOOR,
    &affine_grid::DOOR,
    &arg_reduce::DOOR,
    &attention::DOOR,
    &batch_norm::DOOR,
    &binary::DOOR,
    &bincount::DOOR,
    &box_iou::DOOR,
    &cast::DOOR,
    &composed::adaptive_pool1d::DOOR,
    &composed::adaptive_pool2d::DOOR,
    &composed::attention_probabilities::DOOR,
    &composed::blur_pool::DOOR,
    &composed::conv1d::DOOR,
    &composed::conv2d::DOOR,
    &composed::conv_gru::DOOR,
    &composed::conv_lstm::DOOR,
    &composed::conv_transpose1d::DOOR,
    &composed::conv_transpose2d::DOOR,
    &composed::einsum::DOOR,
    &composed::expand::DOOR,
    &composed::flip::DOOR,
    &composed::global_pool::DOOR,
    &composed::group_vector_quantize::DOOR,
    &composed::gru::DOOR,
    &composed::lstm::DOOR,
    &composed::masked_fill::DOOR,
    &composed::max_unpool1d::DOOR,
    &composed::max_unpool2d::DOOR,
    &composed::non_local::DOOR,
    &composed::pixel_shuffle::DOOR,
    &composed::pixel_unshuffle::DOOR,
    &composed::pool1d::DOOR,
    &composed::pool2d::DOOR,
    &composed::prelu::DOOR,
    &composed::prepend_tokens::DOOR,
    &composed::repeat_interleave::DOOR,
    &composed::residual_vector_quantize::DOOR,
    &composed::split::DOOR,
    &composed::stack::DOOR,
    &composed::straight_through::DOOR,
    &concat::DOOR,
    &conv3d::DOOR,
    &conv_transpose3d::DOOR,
    &cumulative::DOOR,
    &ema_codebook::DOOR,
    &embedding::DOOR,
    &farneback_update::DOOR,
    &gated::DOOR,
    &gather::DOOR,
    &grid_sample::DOOR,
    &group_norm::DOOR,
    &gru_cell::DOOR,
    &linear::DOOR,
    &local_response_norm::DOOR,
    &lstm_cell::DOOR,
    &matmul::DOOR,
    &max_unpool3d::DOOR,
    &median::DOOR,
    &nms::DOOR,
    &norm::DOOR,
    &one_hot::DOOR,
    &pad::DOOR,
    &permute::DOOR,
    &perplexity::DOOR,
    &polynomial_expansion::DOOR,
    &pool3d::DOOR,
    &quantile::DOOR,
    &random::DOOR,
    &reduce::DOOR,
    &relative_scores::DOOR,
    &repeat::DOOR,
    &reshape::DOOR,
    &resize::DOOR,
    &roi_align::DOOR,
    &roi_pool::DOOR,
    &roll::DOOR,
    &scalar_quantize::DOOR,
    &scatter_add::DOOR,
    &select::DOOR,
    &slice::DOOR,
    &softmax::DOOR,
    &sort::DOOR,
    &tvl1::DOOR,
    &unary::DOOR,
    &upfirdn2d::DOOR,
    &vector_quantize::DOOR,
    &window_attention::DOOR,
];

/// How an operator is reached by name, from the command line or a file.
#[derive(Debug)]
pub struct Door {
    /// The operator's name.
    pub name: &'static str,
    /// What it computes, in one line.
    pub summary: &'static str,
    /// Its inputs in order, optional ones last, or a variadic one.
    pub inputs: &'static [Port],
    /// The layout of its outputs.
    pub output: Layout,
    /// The names of its attributes, with their defaults.
    pub attributes: &'static str,
    /// Adds it to a graph, the number of inputs having been checked.
    pub(crate) build: fn(&mut Graph, inputs: &[Value], &Attributes) -> Result<Vec<Value>>,
}

impl Door {
    /// Adds the operator to a graph. `inputs` are in the order of [`Door::inputs`], absent optional ones left out
    /// at the end.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for too few or too many inputs, and what the operator says of them and of
    /// the attributes.
    pub fn add(&self, g: &mut Graph, inputs: &[Value], attributes: &Attributes) -> Result<Vec<Value>> {
        let fewest = self.inputs.iter().filter(|p| !p.optional).count();
        let most = if self.inputs.iter().any(|p| p.variadic) { usize::MAX } else { self.inputs.len() };
        if !(fewest..=most).contains(&inputs.len()) {
            let names = self.inputs.iter().map(|p| match (p.optional, p.variadic) {
                (true, _) => format!("[{}]", p.name),
                (_, true) => format!("{} …", p.name),
                _ => p.name.to_owned(),
            });
            return Err(Error::bad_input(format!(
                "{}: {} inputs were given, it takes {}",
                self.name,
                inputs.len(),
                names.collect::<Vec<_>>().join(", ")
            )));
        }
        (self.build)(g, inputs, attributes)
    }
}

/// An input of an operator.
#[derive(Debug)]
pub struct Port {
    /// Its name, also the flag of the `op` command.
    pub name: &'static str,
    /// How PyTorch lays it out.
    pub layout: Layout,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be given any number of times, at least once. Only the last port may be.
    pub variadic: bool,
}

impl Port {
    /// An input that must be given.
    pub const fn new(name: &'static str, layout: Layout) -> Port {
        Port { name, layout, optional: false, variadic: false }
    }

    /// An input that may be left out.
    pub const fn optional(name: &'static str, layout: Layout) -> Port {
        Port { name, layout, optional: true, variadic: false }
    }

    /// An input that must be given once and may be given any number of times.
    pub const fn variadic(name: &'static str, layout: Layout) -> Port {
        Port { name, layout, optional: false, variadic: true }
    }
}

/// How a tensor's axes differ between PyTorch and this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Not at all.
    Plain,
    /// Channels first there, `[N, C, T, H, W]`; last here, `[N, T, H, W, C]`.
    Activation,
    /// `[Cout, Cin/groups, kT, kH, kW]` there, `[kT, kH, kW, Cin/groups, Cout]` here.
    ConvWeight,
    /// `[Cin, Cout/groups, kT, kH, kW]` there, `[kT, kH, kW, Cin, Cout/groups]` here.
    ConvTransposeWeight,
    /// `[Out, In]` there, `[In, Out]` here.
    LinearWeight,
}

impl Layout {
    /// For each axis here, the axis there, for a tensor of `rank` axes; `None` when nothing moves.
    pub fn from_torch(self, rank: usize) -> Option<Vec<usize>> {
        match self {
            Layout::Activation if rank >= 3 => {
                Some(std::iter::once(0).chain(2..rank).chain(std::iter::once(1)).collect())
            }
            Layout::ConvWeight if rank >= 3 => Some((2..rank).chain([1, 0]).collect()),
            Layout::ConvTransposeWeight if rank >= 3 => Some((2..rank).chain([0, 1]).collect()),
            Layout::LinearWeight if rank == 2 => Some(vec![1, 0]),
            _ => None,
        }
    }

    /// The inverse of [`Layout::from_torch`].
    pub fn to_torch(self, rank: usize) -> Option<Vec<usize>> {
        let order = self.from_torch(rank)?;
        let mut inverse = vec![0; rank];
        for (here, there) in order.into_iter().enumerate() {
            inverse[there] = here;
        }
        Some(inverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torch_layouts_turn_back() {
        let t = crate::Tensor::from_fn(&[2, 3, 4, 5, 6], |i| i as f32).unwrap();
        for layout in [Layout::Activation, Layout::ConvWeight, Layout::ConvTransposeWeight] {
            let here = t.permute(&layout.from_torch(5).unwrap()).unwrap();
            let back = here.permute(&layout.to_torch(5).unwrap()).unwrap();
            assert_eq!(back.f32s().unwrap(), t.f32s().unwrap());
        }
        let weight = t.permute(&Layout::ConvWeight.from_torch(5).unwrap()).unwrap();
        assert_eq!(&**weight.shape(), [4, 5, 6, 3, 2]);
        let weight = t.permute(&Layout::ConvTransposeWeight.from_torch(5).unwrap()).unwrap();
        assert_eq!(&**weight.shape(), [4, 5, 6, 2, 3]);
    }
}
