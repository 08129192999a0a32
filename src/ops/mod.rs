//! The operators. Each file holds everything about one operator but its kernel (`kernels/<op>.wgsl`), its
//! reference (`ref/src/<op>.rs`) and its cases (`src/verify/cases/<op>.rs`). Those made of other operators lie in
//! [`composed`].
//!
//! To add one, see `docs/add-an-op.md`.

mod attributes;

pub mod activation;
pub mod adaptive_pool3d;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod box_iou;
pub mod composed;
pub mod concat;
pub mod conv3d;
pub mod embedding;
pub mod group_norm;
pub mod linear;
pub mod local_response_norm;
pub mod max_unpool3d;
pub mod nms;
pub mod norm;
pub mod permute;
pub mod pool3d;
pub mod reduce;
pub mod reshape;
pub mod roi_align;
pub mod roi_pool;
pub mod slice;
pub mod softmax;
pub mod vector_quantize;

use crate::error::{Error, Result};
use crate::graph::{Dispatch, Graph, TensorType, Value};
use crate::tensor::{DType, Tensor};

pub use activation::ActivationOp;
pub use adaptive_pool3d::{AdaptivePool, AdaptivePool1d, AdaptivePool2d, AdaptivePool3d};
pub use attention::{Attention, Over};
pub use attributes::{Attributes, Padding, Pool};
pub use batch_norm::BatchNorm;
pub use binary::Binary;
pub use box_iou::BoxIou;
pub use composed::Conv2d;
pub use concat::Concat;
pub use conv3d::Conv3d;
pub use embedding::Embedding;
pub use group_norm::GroupNorm;
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use max_unpool3d::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};
pub use nms::Nms;
pub use norm::{Norm, NormMode};
pub use permute::Permute;
pub use pool3d::{Pool1d, Pool2d, Pool3d, Pooling};
pub use reduce::{Reduce, Reduction};
pub use reshape::Reshape;
pub use roi_align::RoiAlign;
pub use roi_pool::RoiPool;
pub use slice::Slice;
pub use softmax::Softmax;
pub use vector_quantize::{Distance, VectorQuantize};

/// Every operator.
pub const CATALOG: &[&Door] = &[
    &activation::DOOR,
    &composed::adaptive_pool1d::DOOR,
    &composed::adaptive_pool2d::DOOR,
    &adaptive_pool3d::DOOR,
    &attention::DOOR,
    &batch_norm::DOOR,
    &binary::DOOR,
    &box_iou::DOOR,
    &concat::DOOR,
    &composed::conv2d::DOOR,
    &conv3d::DOOR,
    &embedding::DOOR,
    &composed::global_pool::DOOR,
    &group_norm::DOOR,
    &linear::DOOR,
    &local_response_norm::DOOR,
    &composed::max_unpool1d::DOOR,
    &composed::max_unpool2d::DOOR,
    &max_unpool3d::DOOR,
    &nms::DOOR,
    &norm::DOOR,
    &permute::DOOR,
    &composed::pool1d::DOOR,
    &composed::pool2d::DOOR,
    &pool3d::DOOR,
    &reduce::DOOR,
    &reshape::DOOR,
    &roi_align::DOOR,
    &roi_pool::DOOR,
    &slice::DOOR,
    &softmax::DOOR,
    &vector_quantize::DOOR,
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

/// A weight whose last axis consists of runs of `columns`, each filled up with zeros to a multiple of four: the rows
/// of vec4 that `kernels/lib/matmul.wgsl` reads.
fn pad_columns(weight: &Tensor, columns: usize) -> Result<Tensor> {
    let padded = columns.next_multiple_of(4);
    let mut shape = weight.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = *last / columns * padded;
    }
    let mut data = Vec::with_capacity(weight.shape().elements() / columns * padded);
    for row in weight.f32s()?.chunks(columns) {
        data.extend_from_slice(row);
        data.extend(std::iter::repeat_n(0.0, padded - columns));
    }
    Tensor::new(&shape, data)
}

/// A launch of a kernel that imports `lib/lanes.wgsl`, for four channels at a time.
fn four_lanes(dispatch: Dispatch) -> Dispatch {
    let aliases = [
        ("Cell", "vec4<Elem>"),
        ("Value", "vec4<f32>"),
        ("Index", "vec4<i32>"),
        ("Bits", "vec4<u32>"),
        ("Flags", "vec4<bool>"),
    ];
    aliases.into_iter().fold(dispatch, |d, (name, value)| d.tune(name, value))
}

/// What features `[N, H, W, C]` under boxes `[K, 4]` become, `[K, H', W', C]`: the inputs are checked, a third being the
/// numbers `[K]` of the boxes' samples.
fn under_boxes(inputs: &[TensorType], output_size: [usize; 2]) -> Result<TensorType> {
    /// Bins times bins fit 32 bits.
    const MOST_BINS: usize = 1 << 15;
    /// As far as boxes reach.
    const MOST_CELLS: usize = 1 << 20;
    let [n, h, w, c] = inputs[0].shape.dims("the input", "[N, H, W, C]")?;
    let [boxes, coordinates] = inputs[1].shape.dims("the boxes", "[K, 4]")?;
    if coordinates != 4 {
        return Err(Error::bad_input(format!("the boxes have {coordinates} coordinates, not 4")));
    }
    for ((name, length), bins) in [("H", h), ("W", w)].into_iter().zip(output_size) {
        if bins == 0 || bins > MOST_BINS {
            return Err(Error::bad_input(format!(
                "output_size {bins} along {name}: it must be given, 1 to {MOST_BINS}"
            )));
        }
        if length > MOST_CELLS {
            return Err(Error::bad_input(format!("{length} cells along {name}: at most {MOST_CELLS}")));
        }
    }
    match inputs.get(2) {
        None if n != 1 => {
            return Err(Error::bad_input(format!("of which of the {n} samples each box is must be given")));
        }
        Some(samples) if *samples.shape != [boxes] => {
            let given = &samples.shape;
            return Err(Error::bad_input(format!(
                "the samples' numbers must be [{boxes}], they are {given}"
            )));
        }
        _ => {}
    }
    let types = [("input", DType::F32), ("boxes", DType::F32), ("samples' numbers", DType::I32)];
    match inputs.iter().zip(types).find(|(input, (_, dtype))| input.dtype != *dtype) {
        Some((input, (what, dtype))) => {
            Err(Error::bad_input(format!("the {what} must be {dtype}, not {}", input.dtype)))
        }
        None => TensorType::float(&[boxes, output_size[0], output_size[1], c]),
    }
}

/// The inputs of a normalisation with its optional weight and bias: inputs are told by their place, so a bias cannot
/// stand without a weight.
fn with_affine(op: &str, inputs: &[Value], weight: Option<Value>, bias: Option<Value>) -> Result<Vec<Value>> {
    if weight.is_none() && bias.is_some() {
        return Err(Error::bad_input(format!("{op}: a bias needs a weight before it")));
    }
    Ok(inputs.iter().copied().chain(weight).chain(bias).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torch_layouts_turn_back() {
        let t = crate::Tensor::from_fn(&[2, 3, 4, 5, 6], |i| i as f32).unwrap();
        for layout in [Layout::Activation, Layout::ConvWeight] {
            let here = t.permute(&layout.from_torch(5).unwrap()).unwrap();
            let back = here.permute(&layout.to_torch(5).unwrap()).unwrap();
            assert_eq!(back.f32s().unwrap(), t.f32s().unwrap());
        }
        let weight = t.permute(&Layout::ConvWeight.from_torch(5).unwrap()).unwrap();
        assert_eq!(&**weight.shape(), [4, 5, 6, 3, 2]);
    }
}
