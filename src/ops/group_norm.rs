//! Normalisation over groups of channels.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::group_norm as fast;
use kinetograph_ref::group_norm as reference;
use serde::Deserialize;

use super::attributes::positive;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, Setting, TensorType, Value,
};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("group_norm");

/// From this many elements a row on, GPUs share them out over a workgroup.
const LONG: usize = 128;

/// Places whose sums one invocation makes at least.
const PART: usize = 32;

/// Into how many such parts a row is cut at most.
const MOST_PARTS: usize = 256;

/// Places that one invocation finishes, as the kernel has it.
const PLACES: usize = 8;

/// Group normalisation of `[N, T, H, W, C]`: `torch.nn.functional.group_norm`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupNorm {
    /// Into how many groups the channels are cut.
    pub num_groups: usize,
    /// What keeps the quotient finite.
    pub eps: f32,
    /// Whether each frame has statistics of its own, as when frames are normalised as pictures.
    pub per_frame: bool,
    /// Set by the planner when it moves an activation into the operator.
    #[serde(skip)]
    pub activation: Activation,
}

impl Default for GroupNorm {
    fn default() -> Self {
        GroupNorm { num_groups: 0, eps: 1e-5, per_frame: false, activation: Activation::Identity }
    }
}

/// What the kernel sees.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    outer: usize,
    places: usize,
    channels: usize,
}

impl Lengths {
    /// Whether the channels are taken in fours and the places in parts.
    fn in_parts(&self, family: Family) -> bool {
        let worth_it = family != Family::Direct && self.places * self.channels >= LONG * 4;
        worth_it && self.channels.is_multiple_of(4) && self.part() * 2 <= MOST_TURNS
    }

    /// The places of a part.
    fn part(&self) -> usize {
        self.places.div_ceil(MOST_PARTS).max(PART)
    }

    fn parts(&self) -> usize {
        self.places.div_ceil(self.part())
    }
}

impl GroupNorm {
    /// A normalisation over this many groups.
    pub fn of(num_groups: usize) -> Self {
        GroupNorm { num_groups, ..GroupNorm::default() }
    }

    /// With another `eps`.
    #[must_use]
    pub fn eps(self, eps: f32) -> Self {
        GroupNorm { eps, ..self }
    }

    /// With statistics of each frame alone.
    #[must_use]
    pub fn per_frame(self) -> Self {
        GroupNorm { per_frame: true, ..self }
    }

    fn lengths(&self, shape: &Shape) -> Result<Lengths> {
        let [n, t, h, w, channels] = shape.dims("the input", "[N, T, H, W, C]")?;
        let (outer, places) = if self.per_frame { (n * t, h * w) } else { (n, t * h * w) };
        Ok(Lengths { outer, places, channels })
    }
}

impl Graph {
    /// Adds a group normalisation of `x` `[N, T, H, W, C]`, then `weight` and `bias` `[C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the groups do not divide the channels, when a shape does not fit, when there
    /// is a bias without a weight, or when `eps` is not positive.
    pub fn group_norm(
        &mut self,
        x: Value,
        weight: Option<Value>,
        bias: Option<Value>,
        attributes: &GroupNorm,
    ) -> Result<Value> {
        let inputs = super::with_affine("group_norm", &[x], weight, bias)?;
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "group_norm",
    summary: "normalisation over groups of channels",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::optional("weight", Layout::Plain),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "num_groups (required), eps=1e-5, per_frame=false",
    build: |g, v, a| Ok(vec![g.group_norm(v[0], v.get(1).copied(), v.get(2).copied(), &a.read()?)?]),
};

params! {
    struct GroupNormParams {
        rows: u32,
        groups: u32,
        segments: u32,
        length: u32,
        step: u32,
        eps: f32,
        outer: u32,
        part: u32,
        parts: u32,
    }
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        1..=3
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let channels = self.lengths(&inputs[0].shape)?.channels;
        if self.num_groups == 0 {
            return Err(Error::bad_input("num_groups 0: it must be given"));
        }
        if !channels.is_multiple_of(self.num_groups) {
            return Err(Error::bad_input(format!(
                "num_groups {} does not divide {channels} channels",
                self.num_groups
            )));
        }
        positive("eps", self.eps)?;
        for (input, what) in inputs[1..].iter().zip(["weight", "bias"]) {
            if *input.shape != [channels] {
                return Err(Error::bad_input(format!(
                    "the {what} must be [{channels}], its shape is {}",
                    input.shape
                )));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Lengths { places, channels, .. } = self.lengths(inputs[0].shape())?;
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let y = reference::group_norm(
            inputs[0].f32s()?,
            [places, channels, self.num_groups],
            self.eps.into(),
            [optional(1)?, optional(2)?],
            |y| self.activation.apply(y),
        );
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Lengths { places, channels, .. } = self.lengths(inputs[0].shape())?;
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let y = fast::group_norm(
            inputs[0].f32s()?,
            [places, channels, self.num_groups],
            self.eps.into(),
            [optional(1)?, optional(2)?],
            &|y| self.activation.apply_all(y),
        );
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let Lengths { places, channels, .. } = self.lengths(inputs[0].shape())?;
        let size = channels / self.num_groups;
        let bound = Bound::normalised(
            inputs,
            true,
            |squares, count| 1.0 / (squares / count as f64 + f64::from(self.eps)).sqrt(),
            |i| i / (places * channels) * self.num_groups + i % channels / size,
            |i| i % channels,
        )?;
        Ok(vec![bound.activated(self.activation, &reference[0])?])
    }

    /// Twice a difference and a sum, a square and a product an element, then weight and bias.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        (6 + inputs.len() as u64 - 1) * inputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(GroupNorm { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        match self.lengths(&inputs[0].shape) {
            Ok(lengths) if lengths.in_parts(traits.family) => {
                let rows = |count: usize| lengths.outer as u64 * count as u64 * lengths.channels as u64;
                vec![rows(2 * lengths.parts()), rows(3)]
            }
            _ => Vec::new(),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let lengths = self.lengths(r.input(0))?;
        let Lengths { outer, places, channels } = lengths;
        let (rows, length) = (outer * self.num_groups, channels / self.num_groups);
        let direct = 3 * places * (length + 1);
        let tree = direct > MOST_TURNS || (r.traits().family == Family::Tiled && places * length >= LONG);
        let (entry, groups, turns) = if tree {
            ("group_norm_tree", rows, 3 * (places * length).div_ceil(256) + 16)
        } else {
            ("group_norm_direct", rows.div_ceil(64), direct)
        };
        let params = GroupNormParams {
            rows: r.u32("rows", rows)?,
            groups: r.u32("groups", self.num_groups)?,
            segments: r.u32("places", places)?,
            length: r.u32("channels", length)?,
            step: 1,
            eps: self.eps,
            outer: r.u32("samples", outer)?,
            part: r.u32("places", lengths.part())?,
            parts: r.u32("places", lengths.parts())?,
            ..Default::default()
        };
        let given = |i: usize| if r.inputs() > i { Operand::Input(i) } else { Operand::Absent };
        if lengths.in_parts(r.traits().family) {
            let fours = outer as u64 * channels as u64 / 4;
            let length = channels / self.num_groups;
            let parts = lengths.parts();
            let input = Operand::Input(0);
            let sums = Dispatch::new(&KERNEL, "group_norm_sums", &params)
                .bind([input, input, Operand::Scratch(0)])
                .turns(2 * lengths.part())
                .groups((fours * parts as u64).div_ceil(64));
            let moments = Dispatch::new(&KERNEL, "group_norm_moments", &params)
                .bind([input, Operand::Scratch(0), Operand::Scratch(1)])
                .turns(2 * (parts * length).div_ceil(256) + length.div_ceil(256) + 16)
                .groups(rows as u64);
            let finish = Dispatch::new(&KERNEL, "group_norm_finish", &params)
                .constant("HAS_WEIGHT", u32::from(r.inputs() > 1))
                .constant("HAS_BIAS", u32::from(r.inputs() > 2))
                .activation(self.activation)
                .bind([input, Operand::Scratch(1), given(1), given(2), Operand::Output(0)])
                .turns(PLACES)
                .groups((fours * places.div_ceil(PLACES) as u64).div_ceil(64));
            for dispatch in [sums, moments, finish] {
                r.dispatch(dispatch);
            }
            return Ok(());
        }
        let dispatch = Dispatch::new(&KERNEL, entry, &params)
            .constant("HAS_WEIGHT", u32::from(r.inputs() > 1))
            .constant("HAS_BIAS", u32::from(r.inputs() > 2))
            .activation(self.activation)
            .bind([Operand::Input(0), given(1), given(2), Operand::Output(0)])
            .turns(turns)
            .groups(groups as u64);
        r.dispatch(dispatch);
        Ok(())
    }
}
