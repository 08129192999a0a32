//! What several operators share.

use crate::error::{Error, Result};
use crate::graph::{Dispatch, TensorType, Value};
use crate::tensor::{DType, Tensor};

/// An expression of the elements of a tensor, of whichever of a graph's two types they are.
macro_rules! with_elements {
    ($tensor:expr, |$elements:ident| $body:expr) => {
        match $tensor.dtype() {
            $crate::tensor::DType::I32 => {
                let $elements = $tensor.i32s()?;
                $body
            }
            _ => {
                let $elements = $tensor.f32s()?;
                $body
            }
        }
    };
}

/// A weight whose last axis consists of runs of `columns`, each filled up with zeros to a multiple of four: the rows
/// of vec4 that `kernels/lib/matmul.wgsl` reads.
pub(super) fn pad_columns(weight: &Tensor, columns: usize) -> Result<Tensor> {
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

/// That the addend, the last input if there is one, is as long as the output.
pub(super) fn check_addend(addend: bool, inputs: &[TensorType], output: &TensorType) -> Result<()> {
    match inputs.last() {
        Some(last) if addend && last.shape != output.shape => {
            Err(Error::bad_input(format!("the addend must be {}, its shape is {}", output.shape, last.shape)))
        }
        _ => Ok(()),
    }
}

/// A launch of a kernel that imports `lib/lanes.wgsl`, for four channels at a time.
pub(super) fn four_lanes(dispatch: Dispatch) -> Dispatch {
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
pub(super) fn under_boxes(inputs: &[TensorType], output_size: [usize; 2]) -> Result<TensorType> {
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
pub(super) fn with_affine(
    op: &str,
    inputs: &[Value],
    weight: Option<Value>,
    bias: Option<Value>,
) -> Result<Vec<Value>> {
    if weight.is_none() && bias.is_some() {
        return Err(Error::bad_input(format!("{op}: a bias needs a weight before it")));
    }
    Ok(inputs.iter().copied().chain(weight).chain(bias).collect())
}
