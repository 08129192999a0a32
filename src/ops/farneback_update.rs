//! A new flow from the polynomial expansions of two frames and the flow so far.

use std::ops::{Add, Mul, RangeInclusive, Sub};

use kinetograph_ref::farneback_update as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, Op, Operand, Recorder, Setting, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("farneback_update");

/// An iteration of Farnebäck's optical flow (Two-Frame Motion Estimation Based on Polynomial Expansion, 2003), as
/// OpenCV's `calcOpticalFlowFarneback` makes it: around each pixel the quadratic polynomials of both frames say how far
/// the first is moved against the second, in the least squares over a window.
///
/// NaN spreads as far as the window. Where the flow is NaN, it leads out of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FarnebackUpdate {
    /// Side of the window; an even one is a pixel wider than it says, with the sum of an odd one's weights more than 1, as
    /// OpenCV has it.
    pub winsize: usize,
    /// Whether the window's weights are those of a Gaussian, and not all alike.
    pub gaussian: bool,
}

impl Default for FarnebackUpdate {
    fn default() -> Self {
        FarnebackUpdate { winsize: 15, gaussian: false }
    }
}

impl FarnebackUpdate {
    /// The widest window: an invocation of the plainest kernel makes as many turns as it has pixels.
    const WIDEST: usize = 240;
}

impl Graph {
    /// Adds a new flow `[N, H, W, 2]` from the expansions `first` and `second` `[N, H, W, 5]` of two frames (see
    /// [`Graph::polynomial_expansion`]) and the flow so far `[N, H, W, 2]`, in pixels along x and y.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn farneback_update(
        &mut self,
        first: Value,
        second: Value,
        flow: Value,
        attributes: &FarnebackUpdate,
    ) -> Result<Value> {
        self.push(*attributes, &[first, second, flow])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "farneback_update",
    summary: "an iteration of Farnebäck's optical flow, from the polynomial expansions of two frames",
    inputs: &[
        Port::new("first", Layout::Activation),
        Port::new("second", Layout::Activation),
        Port::new("flow", Layout::Activation),
    ],
    output: Layout::Activation,
    attributes: "winsize=15, gaussian=false",
    build: |g, v, a| Ok(vec![g.farneback_update(v[0], v[1], v[2], &a.read()?)?]),
};

params! {
    struct FarnebackUpdateParams {
        count: u32,
        height: u32,
        width: u32,
        reach: u32,
    }
}

impl Op for FarnebackUpdate {
    fn name(&self) -> &'static str {
        "farneback_update"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=3
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, h, w, _] = inputs[2].shape.dims("the flow", "[N, H, W, 2]")?;
        for (input, name, channels) in [(0, "first expansion", 5), (1, "second expansion", 5), (2, "flow", 2)]
        {
            let shape = &inputs[input].shape;
            if **shape != [n, h, w, channels] {
                let text = format!("the {name} must be [{n}, {h}, {w}, {channels}], it is {shape}");
                return Err(Error::bad_input(text));
            }
        }
        if !(2..=FarnebackUpdate::WIDEST).contains(&self.winsize) {
            return Err(Error::bad_input(format!(
                "winsize {}: 2 to {} is possible",
                self.winsize,
                FarnebackUpdate::WIDEST
            )));
        }
        Ok(vec![inputs[2].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let flow = frames(inputs)?.update(&reference::window(self.winsize, self.gaussian));
        Ok(vec![Tensor::new(inputs[2].shape(), flow)?])
    }

    /// By running error analysis: every number of the formula carries how far it may be off.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let frames = frames(inputs)?;
        let weights = reference::window(self.winsize, self.gaussian);
        let pixels = frames.flow.len() / 2;
        let moments: Vec<[Near; 5]> = (0..pixels).map(|i| moments(&frames, i)).collect();
        let mut bounds = Vec::with_capacity(frames.flow.len());
        let unit = 2.0 * UNIT_ROUNDOFF * ((2 * weights.len() - 1).pow(2) + 8) as f64;
        for i in 0..pixels {
            let (mut sums, mut errors) = ([0.0; 5], [0.0; 5]);
            for (at, weight) in reference::neighbours(i, frames.size, &weights) {
                for (k, m) in moments[at].iter().enumerate() {
                    sums[k] += weight * m.value;
                    errors[k] += weight * (m.error + unit * (m.value.abs() + m.error));
                }
            }
            let [yy, xy, xx, y, x] = std::array::from_fn(|k| Near { value: sums[k], error: errors[k] });
            let determinant = yy * xx - xy * xy + Near::rounded(1e-3);
            bounds.push((yy * x - xy * y).over(determinant));
            bounds.push((xx * y - xy * x).over(determinant));
        }
        Ok(vec![Bound::Absolute(bounds)])
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let taps = 2 * (self.winsize as u64 / 2) + 1;
        inputs[2].shape.elements() as u64 / 2 * (100 + 2 * 2 * 5 * taps)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        match traits.family {
            Family::Direct => Vec::new(),
            _ => vec![inputs[0].shape.elements() as u64; 2],
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [n, height, width, _] = r.input(2).dims("the flow", "[N, H, W, 2]")?;
        let count = n * height * width;
        let weights = reference::window(self.winsize, self.gaussian);
        let taps = 2 * weights.len() - 1;
        let params = FarnebackUpdateParams {
            count: r.u32("pixels", count)?,
            height: r.u32("height", height)?,
            width: r.u32("width", width)?,
            reach: r.u32("winsize", weights.len() - 1)?,
            ..Default::default()
        };
        let table: Vec<u32> = weights.iter().map(|w| (*w as f32).to_bits()).collect();
        let launch = |entry| Dispatch::new(&KERNEL, entry, &params).groups(count.div_ceil(64) as u64);
        use Operand::{Input, Output, Scratch, Table};
        if r.traits().family == Family::Direct {
            r.dispatch(
                launch("farneback_update_direct")
                    .bind([Input(0), Input(1), Input(2), Table, Output(0)])
                    .table(table)
                    .turns(taps * (1 + taps)),
            );
            return Ok(());
        }
        let moments = [Input(0), Input(1), Input(2), Scratch(0)];
        r.dispatch(launch("farneback_update_moments").bind(moments));
        for (entry, operands) in [
            ("farneback_update_rows", [Scratch(0), Table, Scratch(1)]),
            ("farneback_update_solve", [Scratch(1), Table, Output(0)]),
        ] {
            r.dispatch(launch(entry).bind(operands).table(table.clone()).turns(taps));
        }
        Ok(())
    }
}

fn frames(inputs: &[Tensor]) -> Result<reference::Frames<'_>> {
    let [n, h, w, _] = inputs[2].shape().dims("the flow", "[N, H, W, 2]")?;
    let [first, second, flow] = [0, 1, 2].map(|i| inputs[i].f32s());
    Ok(reference::Frames { first: first?, second: second?, flow: flow?, size: [n, h, w] })
}

/// The moments of a pixel and how far f32 may be off.
fn moments(frames: &reference::Frames<'_>, i: usize) -> [Near; 5] {
    let [_, height, width] = frames.size;
    let [column, row] = [i % width, i / width % height];
    let flow: [f64; 2] = [0, 1].map(|k| f64::from(frames.flow[2 * i + k]));
    let own = frames.own(i);
    // The place is a rounded sum; its fraction is exact.
    let off: f64 = [(column, flow[0]), (row, flow[1])]
        .map(|(at, move_by)| {
            let place = at as f64 + move_by;
            if f64::from(place as f32) == place { 0.0 } else { 2.0 * UNIT_ROUNDOFF * place.abs() }
        })
        .iter()
        .sum();
    let other: [Near; 5] = match frames.around(i) {
        None => [0.0, 0.0, own[2], own[3], own[4]].map(Near::exact),
        Some(near) => std::array::from_fn(|k| {
            let values = near.map(|(at, weight)| (f64::from(frames.second[5 * at + k]), weight));
            let most = values.iter().fold(0.0, |m: f64, (v, _)| m.max(v.abs()));
            // A weight is the product of two rounded fractions; three sums follow.
            let magnitudes: f64 = values.iter().map(|(v, weight)| v.abs() * weight).sum();
            Near {
                value: values.iter().map(|(v, weight)| v * weight).sum(),
                error: 2.0 * off * most + 2.0 * UNIT_ROUNDOFF * 8.0 * magnitudes,
            }
        }),
    };
    let [half, quarter] = [0.5, 0.25].map(Near::exact);
    let weight = reference::border_weight(column, width) * reference::border_weight(row, height);
    // Four constants and three products.
    let weight = Near { value: weight, error: 16.0 * UNIT_ROUNDOFF * weight };
    let [u, v] = flow.map(Near::exact);
    let own = own.map(Near::exact);
    let yy = half * (own[2] + other[2]);
    let xx = half * (own[3] + other[3]);
    let xy = quarter * (own[4] + other[4]);
    let b_y = weight * (half * (own[0] - other[0]) + yy * v + xy * u);
    let b_x = weight * (half * (own[1] - other[1]) + xy * v + xx * u);
    let [yy, xx, xy] = [yy, xx, xy].map(|a| weight * a);
    [yy * yy + xy * xy, (yy + xx) * xy, xx * xx + xy * xy, yy * b_y + xy * b_x, xy * b_y + xx * b_x]
}

/// A number and how far what f32 makes of it may be off: each operation adds what comes from its operands and what it
/// rounds itself (Higham, Accuracy and Stability of Numerical Algorithms, §3.3).
#[derive(Debug, Clone, Copy)]
struct Near {
    value: f64,
    error: f64,
}

impl Near {
    fn exact(value: f64) -> Near {
        Near { value, error: 0.0 }
    }

    fn rounded(value: f64) -> Near {
        Near::off_by(value, 0.0)
    }

    fn off_by(value: f64, error: f64) -> Near {
        Near { value, error: error + 2.0 * UNIT_ROUNDOFF * (value.abs() + error) }
    }

    /// How far the quotient may be off; WGSL's division errs by 2.5 units in the last place.
    fn over(self, divisor: Near) -> f64 {
        let least = divisor.value.abs() - divisor.error;
        if least <= 0.0 {
            return f64::INFINITY;
        }
        let quotient = (self.value / divisor.value).abs();
        let carried = (self.error + quotient * divisor.error) / least;
        carried + 6.0 * UNIT_ROUNDOFF * (quotient + carried)
    }
}

impl Add for Near {
    type Output = Near;

    fn add(self, b: Near) -> Near {
        Near::off_by(self.value + b.value, self.error + b.error)
    }
}

impl Sub for Near {
    type Output = Near;

    fn sub(self, b: Near) -> Near {
        Near::off_by(self.value - b.value, self.error + b.error)
    }
}

impl Mul for Near {
    type Output = Near;

    fn mul(self, b: Near) -> Near {
        let error = self.value.abs() * b.error + b.value.abs() * self.error + self.error * b.error;
        Near::off_by(self.value * b.value, error)
    }
}
