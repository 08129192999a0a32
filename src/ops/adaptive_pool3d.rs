//! Adaptive 3D pooling: as many windows as are wanted.

use kinetograph_ref::adaptive_pool3d as reference;
use serde::{Deserialize, Deserializer};

use super::attributes::{Pool, of_thw};
use super::{Door, Layout, Port, four_lanes};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("adaptive_pool3d");

/// From this many elements a window on, GPUs share them out over a workgroup if there are no more outputs than keep the
/// device busy.
const LONG: usize = 64;
const FEW_OUTPUTS: usize = 1 << 15;

/// So many workgroups keep a device busy, if windows are shared out.
const ENOUGH_GROUPS: usize = 256;

/// Attributes of an adaptive pooling over the `N` last of the axes T, H, W: those of
/// `torch.nn.functional.adaptive_max_pool3d` and `adaptive_avg_pool3d` and their like for fewer axes.
///
/// Window `i` of `n` over `length` cells goes from `⌊i·length / n⌋` to before `⌈(i + 1)·length / n⌉`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
// Without the bound, serde would ask for one that it cannot write with const generics.
#[serde(default, deny_unknown_fields, bound = "")]
pub struct AdaptivePool<const N: usize> {
    /// What becomes of a window.
    pub mode: Pool,
    /// How many windows there are along each axis; as many as cells where it is `None`.
    #[serde(deserialize_with = "each_or_all")]
    pub output_size: [Option<usize>; N],
    /// For a maximum: whether the places of the elements are a second output. The methods of [`Graph`] set it.
    pub return_indices: bool,
}

/// An adaptive pooling of `[N, T, H, W, C]`.
pub type AdaptivePool3d = AdaptivePool<3>;
/// An adaptive pooling of `[N, H, W, C]`.
pub type AdaptivePool2d = AdaptivePool<2>;
/// An adaptive pooling of `[N, W, C]`.
pub type AdaptivePool1d = AdaptivePool<1>;

impl<const N: usize> Default for AdaptivePool<N> {
    fn default() -> Self {
        AdaptivePool { mode: Pool::Max, output_size: [Some(0); N], return_indices: false }
    }
}

impl<const N: usize> AdaptivePool<N> {
    /// The maxima of so many windows.
    pub fn max(output_size: [usize; N]) -> Self {
        AdaptivePool { output_size: output_size.map(Some), ..AdaptivePool::default() }
    }

    /// The means of so many windows.
    pub fn average(output_size: [usize; N]) -> Self {
        AdaptivePool { mode: Pool::Average, ..AdaptivePool::max(output_size) }
    }

    /// The same for all of T, H, W.
    pub(super) fn of_video(&self) -> AdaptivePool3d {
        AdaptivePool {
            mode: self.mode,
            output_size: of_thw(Some(1), self.output_size),
            return_indices: self.return_indices,
        }
    }
}

/// Reads `2` or `[2, null, 2]`: a number or nothing for each axis.
fn each_or_all<'de, D: Deserializer<'de>, const N: usize>(
    d: D,
) -> std::result::Result<[Option<usize>; N], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "one number, or one or null for each axis, is expected")]
    enum OneOrEach {
        One(usize),
        Each(Vec<Option<usize>>),
    }
    match OneOrEach::deserialize(d)? {
        OneOrEach::One(x) => Ok([Some(x); N]),
        OneOrEach::Each(x) => x.try_into().map_err(|_| {
            serde::de::Error::custom(format!("one number, or {N} numbers or null, are expected"))
        }),
    }
}

impl AdaptivePool3d {
    /// How many windows there are along an axis.
    fn windows(&self, axis: usize, length: usize) -> Result<usize> {
        let name = ["T", "H", "W"][axis];
        let windows = self.output_size[axis].unwrap_or(length);
        if windows == 0 {
            return Err(Error::bad_input(format!("output_size 0 along {name}: it must be given, 1 or more")));
        }
        // Kernels work (i + 1)·length + windows − 1 out in 32 bits.
        let fits =
            length.checked_add(1).and_then(|l| l.checked_mul(windows)).and_then(|p| u32::try_from(p).ok());
        if fits.is_none() {
            return Err(Error::bad_input(format!(
                "output_size {windows} along {name} of {length} is too much"
            )));
        }
        Ok(windows)
    }

    fn output(&self, shape: &Shape) -> Result<[usize; 5]> {
        let [n, t, h, w, c] = shape.dims("the input", "[N, T, H, W, C]")?;
        Ok([n, self.windows(0, t)?, self.windows(1, h)?, self.windows(2, w)?, c])
    }

    /// The lengths of the longest window.
    fn longest(&self, shape: &Shape) -> Result<[usize; 3]> {
        let output = self.output(shape)?;
        let most = |length: usize, windows: usize| {
            if length.is_multiple_of(windows) { length / windows } else { (length / windows + 2).min(length) }
        };
        Ok(std::array::from_fn(|a| most(shape[a + 1], output[a + 1])))
    }
}

impl Graph {
    /// Adds an adaptive 3D pooling: `x` `[N, T, H, W, C]` gives `[N, T', H', W', C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn adaptive_pool3d(&mut self, x: Value, attributes: &AdaptivePool3d) -> Result<Value> {
        self.push(AdaptivePool3d { return_indices: false, ..attributes.clone() }, &[x])
    }

    /// Adds an adaptive 3D max pooling that also gives where each largest element lies: `x` `[N, T, H, W, C]` gives
    /// `[N, T', H', W', C]` twice, the elements and their places `(t·H + h)·W + w`, i32. Of equal elements the first
    /// counts, of several NaN the last, both as in PyTorch.
    ///
    /// # Errors
    /// As [`Graph::adaptive_pool3d`], and for a mean, which has no place.
    pub fn adaptive_pool3d_with_indices(
        &mut self,
        x: Value,
        attributes: &AdaptivePool3d,
    ) -> Result<(Value, Value)> {
        let outputs = self.push_all(AdaptivePool3d { return_indices: true, ..attributes.clone() }, &[x])?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The names of the attributes, for people.
pub(super) const ATTRIBUTES: &str =
    "mode=max (average), output_size (null: the input's length), return_indices=false";

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "adaptive_pool3d",
    summary: "the largest or mean element of so many windows, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: ATTRIBUTES,
    build: |g, v, a| {
        let a: AdaptivePool3d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.adaptive_pool3d(v[0], &a)?]);
        }
        let (y, indices) = g.adaptive_pool3d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};

params! {
    struct AdaptivePool3dParams {
        count: u32,
        channels: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        tile: u32,
        tiles: u32,
        start: f32,
    }
}

/// How many cells of channels a workgroup takes that shares windows out: a power of two, the larger the longer the
/// pieces it reads, but so many that there are enough workgroups, as long as a piece is a memory sector of 32 bytes.
fn tile(cells: usize, width: usize, positions: usize) -> usize {
    let (least, most) = (8 / width, 32.min(cells.next_power_of_two()));
    let mut tile = most;
    while tile > least && positions * cells.div_ceil(tile) < ENOUGH_GROUPS {
        tile /= 2;
    }
    tile
}

impl Op for AdaptivePool3d {
    fn name(&self) -> &'static str {
        "adaptive_pool3d"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let output = self.output(&inputs[0].shape)?;
        let mut outputs = vec![TensorType::float(&output)?];
        if self.return_indices {
            if self.mode == Pool::Average {
                return Err(Error::bad_input("return_indices is for mode max: a mean has no place"));
            }
            if i32::try_from(inputs[0].shape[1..4].iter().product::<usize>()).is_err() {
                return Err(Error::bad_input("return_indices: T·H·W does not fit an i32"));
            }
            outputs.push(TensorType { shape: Shape::new(&output)?, dtype: DType::I32 });
        }
        Ok(outputs)
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let output = self.output(inputs[0].shape())?;
        let x = inputs[0].f32s()?;
        let out = [output[1], output[2], output[3]];
        let y = reference::adaptive_pool3d(x, shape, out, |elements, _| match self.mode {
            Pool::Max => elements[reference::argmax(elements)] as f32,
            Pool::Average => reference::mean(elements) as f32,
        });
        let mut outputs = vec![Tensor::new(&output, y)?];
        if self.return_indices {
            let place = |elements: &[f64], places: &[usize]| places[reference::argmax(elements)] as i32;
            outputs.push(Tensor::new(&output, reference::adaptive_pool3d(x, shape, out, place))?);
        }
        Ok(outputs)
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        if self.mode == Pool::Max {
            return Ok(vec![Bound::Exact; reference.len()]);
        }
        let magnitudes = self.reference(&[inputs[0].abs()?])?;
        let terms = self.longest(inputs[0].shape())?.iter().product();
        Ok(vec![Bound::sum(terms, &magnitudes[0])?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let longest = self.longest(&inputs[0].shape).unwrap_or_default();
        longest.iter().product::<usize>() as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = r.input(0).dims("the input", "[N, T, H, W, C]")?;
        let [n, out_t, out_h, out_w, _] = r.output(0).dims("the output", "[N, T, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let width = if vectors { 4 } else { 1 };
        let (cells, positions) = (channels / width, n * out_t * out_h * out_w);
        let count = cells * positions;
        let [t, h, w] = self.longest(r.input(0))?;
        let direct = t * (1 + h * (1 + w));
        let worth_it = t * h * w >= LONG && count <= FEW_OUTPUTS;
        let shared = direct > MOST_TURNS || (r.traits().family == Family::Tiled && worth_it);
        let tile = tile(cells, width, positions);
        let tiles = cells.div_ceil(tile);
        let (entry, groups, turns) = if self.return_indices {
            ("adaptive_pool3d_indices", count.div_ceil(64), t * h * w)
        } else if shared {
            ("adaptive_pool3d_tiled", positions * tiles, (t * h * w).div_ceil(256 / tile) + 8)
        } else {
            ("adaptive_pool3d_direct", count.div_ceil(64), direct)
        };
        let n = |v: usize| r.u32("length", v);
        let params = AdaptivePool3dParams {
            count: n(count)?,
            channels: n(cells)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            tile: n(tile)?,
            tiles: n(tiles)?,
            start: if self.mode == Pool::Max { f32::NEG_INFINITY } else { 0.0 },
            ..Default::default()
        };
        let indices = self.return_indices.then_some(Operand::Output(1));
        let mut dispatch = Dispatch::new(&KERNEL, entry, &params)
            .bind([Operand::Input(0), Operand::Output(0)].into_iter().chain(indices))
            .turns(turns)
            .groups(groups as u64);
        if !self.return_indices {
            dispatch = dispatch.constant("MODE", self.mode as u32);
        }
        r.dispatch(if vectors { four_lanes(dispatch) } else { dispatch });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short pieces only where there would be too few workgroups.
    #[test]
    fn tiles_are_as_wide_as_the_number_of_workgroups_allows() {
        assert_eq!(tile(512, 4, 1), 2);
        assert_eq!(tile(512, 4, 8), 16);
        assert_eq!(tile(512, 4, 32), 32);
        assert_eq!(tile(54, 1, 1), 8);
        assert_eq!(tile(3, 1, 1), 4);
        assert_eq!(tile(1, 4, 5), 1);
    }

    #[test]
    fn the_longest_window() {
        let longest = |length: usize, windows: usize| {
            let shape = Shape::new(&[1, 1, 1, length, 1]).unwrap();
            AdaptivePool3d::average([1, 1, windows]).longest(&shape).unwrap()[2]
        };
        for length in 1usize..20 {
            for windows in 1..20 {
                let all = (0..windows).map(|i| ((i + 1) * length).div_ceil(windows) - i * length / windows);
                assert!(all.max() <= Some(longest(length, windows)), "{windows} of {length}");
            }
        }
    }
}
