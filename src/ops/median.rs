//! Medians of square windows.

use kinetograph_ref::median as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("median");

/// The median of square windows of pixels, as OpenCV's `medianBlur`: pixels beyond the border are those on it.
///
/// NaN sorts beyond the infinity of its sign, so it is the median where most of a window is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Median {
    /// Side of the window, 3 or 5.
    pub kernel_size: usize,
}

impl Default for Median {
    fn default() -> Self {
        Median { kernel_size: 5 }
    }
}

impl Graph {
    /// Adds the median of windows of `kernel_size`×`kernel_size` pixels of `x` `[N, H, W, C]`, channel by channel.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes or the side is neither 3 nor 5.
    pub fn median(&mut self, x: Value, kernel_size: usize) -> Result<Value> {
        self.push(Median { kernel_size }, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "median",
    summary: "the median of square windows of pixels",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "kernel_size=5 (3)",
    build: |g, v, a| Ok(vec![g.median(v[0], a.read::<Median>()?.kernel_size)?]),
};

params! {
    struct MedianParams {
        count: u32,
        height: u32,
        width: u32,
        channels: u32,
    }
}

const AXES: &str = "[N, H, W, C]";

impl Op for Median {
    fn name(&self) -> &'static str {
        "median"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        inputs[0].shape.dims::<4>("the input", AXES)?;
        if !matches!(self.kernel_size, 3 | 5) {
            return Err(Error::bad_input(format!("kernel_size {}: 3 or 5 is possible", self.kernel_size)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let y = reference::median(inputs[0].f32s()?, shape.dims("the input", AXES)?, self.kernel_size);
        Ok(vec![Tensor::new(shape, y)?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        // Exchanges of the selection, two comparisons each.
        let exchanges = if self.kernel_size == 3 { 20 } else { 132 };
        2 * exchanges * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, height, width, channels] = r.input(0).dims("the input", AXES)?;
        let count = r.output(0).elements();
        let params = MedianParams {
            count: r.u32("elements", count)?,
            height: r.u32("height", height)?,
            width: r.u32("width", width)?,
            channels: r.u32("channels", channels)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "median_direct", &params)
                .tune("Side", format!("{}u", self.kernel_size))
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
