//! The places from which an affine map takes the elements of a picture or video.

use kinetograph_ref::affine_grid as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("affine_grid");

/// The longest axis: coordinates are exact quotients in f32.
const LONGEST: usize = 1 << 22;

/// The grid of an affine map for [`Graph::grid_sample`], as `torch.nn.functional.affine_grid`. NaN and infinity follow
/// IEEE 754 where the device does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffineGrid {
    /// The lengths of the output, H, W or T, H, W (without N and C, which PyTorch wants too).
    pub size: Vec<usize>,
    /// Whether −1 and 1 are the outermost centres of the output, rather than its outermost edges.
    pub align_corners: bool,
}

impl Graph {
    /// Adds the grid of affine maps: `theta` `[N, 2, 3]` gives `[N, H, W, 2]`, and `[N, 3, 4]` gives
    /// `[N, T, H, W, 3]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn affine_grid(&mut self, theta: Value, attributes: &AffineGrid) -> Result<Value> {
        self.push(attributes.clone(), &[theta])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "affine_grid",
    summary: "the places from which an affine map takes elements, for grid_sample",
    inputs: &[Port::new("theta", Layout::Plain)],
    output: Layout::Plain,
    attributes: "size ([H, W] or [T, H, W]), align_corners=false",
    build: |g, v, a| Ok(vec![g.affine_grid(v[0], &a.read()?)?]),
};

params! {
    struct AffineGridParams {
        count: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
    }
}

impl AffineGrid {
    fn output(&self, theta: &Shape) -> Result<Vec<usize>> {
        let axes = self.size.len();
        if !matches!(axes, 2 | 3) {
            return Err(Error::bad_input(format!("size {:?}: [H, W] or [T, H, W] must be given", self.size)));
        }
        if let Some(length) = self.size.iter().find(|n| **n == 0 || **n > LONGEST) {
            return Err(Error::bad_input(format!("size {:?}: {length} is not 1 to {LONGEST}", self.size)));
        }
        if theta.rank() != 3 || theta[1..] != [axes, axes + 1] {
            return Err(Error::bad_input(format!(
                "theta must be [N, {axes}, {}] for a size of {axes} lengths; its shape is {theta}",
                axes + 1
            )));
        }
        Ok([&theta[..1], &self.size, &[axes]].concat())
    }
}

impl Op for AffineGrid {
    fn name(&self) -> &'static str {
        "affine_grid"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::float(&self.output(&inputs[0].shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let grid = reference::affine_grid(inputs[0].f32s()?, &self.size, self.align_corners);
        Ok(vec![Tensor::new(&self.output(inputs[0].shape())?, grid)?])
    }

    /// A sum of products with coordinates, which are quotients of 2.5 ULP; none is larger than 1.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let axes = self.size.len();
        let positions: usize = self.size.iter().product();
        let maps = inputs[0].f32s()?.chunks(axes * (axes + 1));
        let sums = maps.map(|map| map.chunks(axes + 1).map(|row| row.iter().map(|x| x.abs()).sum::<f32>()));
        let magnitudes: Vec<f32> = sums.flat_map(|rows| rows.collect::<Vec<_>>().repeat(positions)).collect();
        Ok(vec![Bound::sum(axes + 1, &Tensor::new(&[magnitudes.len()], magnitudes)?)?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        2 * self.size.len() as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let axes = self.size.len();
        let count = r.output(0).elements();
        let [out_h, out_w] = [self.size[axes - 2], self.size[axes - 1]];
        let params = AffineGridParams {
            count: r.u32("elements", count)?,
            out_t: r.u32("length", if axes == 3 { self.size[0] } else { 1 })?,
            out_h: r.u32("length", out_h)?,
            out_w: r.u32("length", out_w)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "affine_grid_direct", &params)
                .constant("ALIGN", u32::from(self.align_corners))
                .constant("AXES", axes as u32)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
