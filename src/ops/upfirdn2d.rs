//! Upsampling by zeros, padding, filtering and downsampling along H and W.

use std::ops::RangeInclusive;

use kinetograph_ref::upfirdn2d as reference;
use serde::Deserialize;

use super::attributes::{each, padding};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("upfirdn2d");

/// From this many taps an output on, a filter of one axis is applied to the axes one after the other.
const MANY_TAPS: usize = 17;

/// The longest axis, padded: signed 32-bit coordinates must not overflow.
const LONGEST: usize = 1 << 30;

/// What stands in the padding of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilterPadding {
    /// Zeros.
    #[default]
    Zeros,
    /// The mirror image about the outermost centres.
    Reflect,
    /// The outermost elements, again and again.
    Replicate,
}

/// Attributes of an upsampling by zeros, padding, filtering and downsampling, as `upfirdn2d` of StyleGAN2 (Karras et
/// al., arXiv:1912.04958; NVlabs/stylegan2-ada-pytorch). Two numbers are for the axes H, W, in this order.
///
/// Twice the size with the filter `[1, 3, 3, 1] / 8` is `up` 2, `padding` `[2, 1]` for each axis and `gain` 4; half of
/// it is `down` 2 and `padding` `[1, 1]`. NaN and infinity spread as far as the filter's taps, zero or not.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upfirdn2d {
    /// After each element come one fewer zeros than this.
    #[serde(deserialize_with = "each")]
    pub up: [usize; 2],
    /// Every so-many-th output is kept, from the first on.
    #[serde(deserialize_with = "each")]
    pub down: [usize; 2],
    /// Elements before and after each axis, counted once there are zeros between; negative ones crop.
    #[serde(deserialize_with = "padding")]
    pub padding: [[isize; 2]; 2],
    /// What stands in the padding; other than zeros only where [`Upfirdn2d::up`] is 1 and nothing is cropped.
    pub padding_mode: FilterPadding,
    /// Whether the filter is taken as it stands, and not turned round.
    pub flip_filter: bool,
    /// What the result is multiplied by.
    pub gain: f32,
}

impl Default for Upfirdn2d {
    fn default() -> Self {
        Upfirdn2d {
            up: [1; 2],
            down: [1; 2],
            padding: [[0; 2]; 2],
            padding_mode: FilterPadding::Zeros,
            flip_filter: false,
            gain: 1.0,
        }
    }
}

impl Upfirdn2d {
    /// How many outputs there are along an axis.
    fn output_length(&self, axis: usize, length: usize, taps: usize) -> Result<usize> {
        let name = ["H", "W"][axis];
        let error = |text: String| Err(Error::bad_input(text));
        for (what, value) in [("up", self.up[axis]), ("down", self.down[axis])] {
            if value == 0 || value > LONGEST {
                return error(format!("{what} {value} along {name}: 1 to {LONGEST} is possible"));
            }
        }
        let [before, after] = self.padding[axis];
        if self.padding_mode != FilterPadding::Zeros {
            let most = if self.padding_mode == FilterPadding::Reflect { length - 1 } else { LONGEST };
            if self.up[axis] != 1 {
                return error("a padding_mode other than zeros needs an up of 1".into());
            }
            if !(0..=most as isize).contains(&before) || !(0..=most as isize).contains(&after) {
                return error(format!(
                    "padding {:?} along {name}: 0 to {most} is possible with this padding_mode",
                    self.padding[axis]
                ));
            }
        }
        let spread = length.checked_mul(self.up[axis]).and_then(|l| isize::try_from(l).ok());
        let padded = spread.and_then(|l| l.checked_add(before)?.checked_add(after));
        let limits = -(LONGEST as isize)..=LONGEST as isize;
        match padded.filter(|_| limits.contains(&before) && limits.contains(&after)) {
            Some(padded) if padded > LONGEST as isize => error(format!(
                "the padded input is {padded} long along {name}, at most {LONGEST} is possible"
            )),
            Some(padded) if padded < taps as isize => {
                error(format!("a filter of {taps} along {name} does not fit the padded input of {padded}"))
            }
            Some(padded) => Ok((padded as usize - taps) / self.down[axis] + 1),
            None => error(format!("padding {:?} or up along {name} is too large", self.padding[axis])),
        }
    }

    fn taps(filter: &[usize]) -> Result<[usize; 2]> {
        match *filter {
            [k] => Ok([k; 2]),
            [kh, kw] => Ok([kh, kw]),
            _ => Err(Error::bad_input("the filter must be [kH, kW], or [k] for both axes")),
        }
    }

    fn compute(&self, x: &Tensor, filter: &Tensor) -> Result<Tensor> {
        let [n, h, w, c] = x.shape().dims("the input", "[N, H, W, C]")?;
        let taps = Self::taps(filter.shape())?;
        let of_axis: Vec<f64> = filter.f32s()?.iter().map(|f| f64::from(*f)).collect();
        let filter = match filter.shape().rank() {
            1 => of_axis.iter().flat_map(|a| of_axis.iter().map(move |b| a * b)).collect(),
            _ => of_axis,
        };
        let p = reference::Upfirdn2d {
            up: self.up,
            down: self.down,
            padding: self.padding,
            edge: match self.padding_mode {
                FilterPadding::Zeros => reference::Edge::Zeros,
                FilterPadding::Reflect => reference::Edge::Reflect,
                FilterPadding::Replicate => reference::Edge::Replicate,
            },
            flip_filter: self.flip_filter,
            gain: f64::from(self.gain),
        };
        let y = reference::upfirdn2d(x.f32s()?, [n, h, w, c], &filter, taps, &p);
        Tensor::new(&[n, p.output_length(0, h, taps[0]), p.output_length(1, w, taps[1]), c], y)
    }

    /// The most taps that meet an element, along each axis.
    fn met(&self, taps: [usize; 2]) -> [usize; 2] {
        [taps[0].div_ceil(self.up[0]), taps[1].div_ceil(self.up[1])]
    }
}

impl Graph {
    /// Adds upsampling by zeros, padding, filtering and downsampling of `x` `[N, H, W, C]` by `filter` `[kH, kW]`, or
    /// `[k]` along each of the axes, to `[N, H', W', C]`; see [`Upfirdn2d`]. A long filter of one axis makes two
    /// nodes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn upfirdn2d(&mut self, x: Value, filter: Value, attributes: &Upfirdn2d) -> Result<Value> {
        let a = attributes;
        let together = match **self.shape(filter) {
            [k] if !a.up.contains(&0) => a.met([k; 2]).iter().product::<usize>() < MANY_TAPS,
            _ => true,
        };
        if together {
            return self.push(a.clone(), &[x, filter]);
        }
        let k = self.shape(filter)[0];
        let along_w = Upfirdn2d {
            up: [1, a.up[1]],
            down: [1, a.down[1]],
            padding: [[0; 2], a.padding[1]],
            gain: 1.0,
            ..a.clone()
        };
        let along_h = Upfirdn2d {
            up: [a.up[0], 1],
            down: [a.down[0], 1],
            padding: [a.padding[0], [0; 2]],
            ..a.clone()
        };
        let row = self.view(filter, &[1, k])?;
        let y = self.push(along_w, &[x, row])?;
        let column = self.view(filter, &[k, 1])?;
        self.push(along_h, &[y, column])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "upfirdn2d",
    summary: "upsampling by zeros, padding, filtering and downsampling, as in StyleGAN2",
    inputs: &[Port::new("input", Layout::Activation), Port::new("filter", Layout::Plain)],
    output: Layout::Activation,
    attributes: "up=1, down=1, padding=0 (negative: crop), padding_mode=zeros (reflect, replicate), \
                 flip_filter=false, gain=1; two numbers are for H, W",
    build: |g, v, a| Ok(vec![g.upfirdn2d(v[0], v[1], &a.read()?)?]),
};

params! {
    struct Upfirdn2dParams {
        count: u32,
        channels: u32,
        in_h: u32,
        in_w: u32,
        out_h: u32,
        out_w: u32,
        taps_h: u32,
        taps_w: u32,
        up_h: u32,
        up_w: u32,
        down_h: u32,
        down_w: u32,
        pad_h: i32,
        pad_w: i32,
        gain: f32,
    }
}

impl Op for Upfirdn2d {
    fn name(&self) -> &'static str {
        "upfirdn2d"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, h, w, c] = inputs[0].shape.dims("the input", "[N, H, W, C]")?;
        let [kh, kw] = Self::taps(&inputs[1].shape)?;
        if !self.gain.is_finite() {
            return Err(Error::bad_input(format!("gain {}: a finite number", self.gain)));
        }
        let dims = [n, self.output_length(0, h, kh)?, self.output_length(1, w, kw)?, c];
        Ok(vec![TensorType::float(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![self.compute(&inputs[0], &inputs[1])?])
    }

    /// A sum with a term for each tap; two taps and the gain multiplied are two more operations.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes = self.compute(&inputs[0].abs()?, &inputs[1].abs()?)?;
        Ok(vec![Bound::sum(Self::taps(inputs[1].shape())?.iter().product(), &magnitudes)?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let met = Self::taps(&inputs[1].shape).map_or(0, |taps| self.met(taps).iter().product());
        2 * met as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_h, in_w, channels] = r.input(0).dims("the input", "[N, H, W, C]")?;
        let [_, out_h, out_w, _] = r.output(0).dims("the output", "[N, H, W, C]")?;
        let taps = Self::taps(r.input(1))?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("upfirdn2d_vec4", 4) } else { ("upfirdn2d_direct", 1) };
        let count = r.output(0).elements() / width;
        let n = |v: usize| r.u32("length", v);
        let [pad_h, pad_w] = self.padding.map(|[before, _]| before as i32);
        let params = Upfirdn2dParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            taps_h: n(taps[0])?,
            taps_w: n(taps[1])?,
            up_h: n(self.up[0])?,
            up_w: n(self.up[1])?,
            down_h: n(self.down[0])?,
            down_w: n(self.down[1])?,
            pad_h,
            pad_w,
            gain: self.gain,
            ..Default::default()
        };
        let [met_h, met_w] = self.met(taps);
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("EDGE", self.padding_mode as u32)
                .constant("FLIP", u32::from(self.flip_filter))
                .constant("SEPARABLE", u32::from(r.input(1).rank() == 1))
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .turns(met_h * (1 + met_w))
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
