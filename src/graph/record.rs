//! What an operator writes its dispatches into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Activation, Graph, Node, Precision, TensorType};
use crate::error::{At, Error, Result};
use crate::gpu::{Gpu, Kernel, Matrices, Params, PipelineKey, Tunes};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::DType;

/// Which of an operator's kernels to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Family {
    /// One invocation per output element, no tricks: the kernel that the others are checked by eye against.
    Direct,
    /// Tiles in workgroup memory and registers, for GPUs.
    Tiled,
    /// No barriers, weights at addresses uniform over the workgroup: for adapters that run on a processor.
    Uniform,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 3] = [Family::Direct, Family::Tiled, Family::Uniform];
}

/// How a convolution comes to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvForm {
    /// Products of the input as it lies with the weights.
    Plain,
    /// Winograd's, of 3 × 3 windows in f32: up to 3.4 times fewer products; rounding errors are some times larger, and
    /// infinities may become NaN.
    Winograd,
    /// Of inputs of three channels or fewer, products of a copy whose lines along W have their padding: all that a window has
    /// of one line lies together.
    Lines,
}

impl ConvForm {
    /// All of them.
    pub const ALL: [ConvForm; 3] = [ConvForm::Plain, ConvForm::Winograd, ConvForm::Lines];
}

/// What a choice of kernel may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// The kernels that suit the device.
    pub family: Family,
    /// Storage of float tensors.
    pub precision: Precision,
    /// Which of [`Traits::TILES`] shapes of tile matrix products take in [`Family::Tiled`]; none leaves it to an estimate.
    pub tile: Option<u8>,
    /// The form that convolutions take, where they can; none leaves it to an estimate.
    pub form: Option<ConvForm>,
    /// The device's cooperative matrices, which matrix products and convolutions use in [`Family::Tiled`] with f16.
    pub matrices: Option<Matrices>,
    /// Whether invocations hand each other what they have, within subgroups of at least eight.
    pub subgroups: bool,
}

impl Traits {
    /// How many shapes of tile there are.
    pub const TILES: u8 = 6;

    /// A family and a storage, the rest by estimate.
    pub const fn new(family: Family, precision: Precision) -> Traits {
        Traits { family, precision, tile: None, form: None, matrices: None, subgroups: false }
    }

    /// The traits of a device.
    pub fn of(gpu: &Gpu, precision: Precision) -> Traits {
        let family = if gpu.is_software() { Family::Uniform } else { Family::Tiled };
        let matrices = gpu.matrices().filter(|_| precision == Precision::F16);
        let subgroups = gpu.subgroup().is_some_and(|lanes| lanes >= 8);
        Traits { matrices, subgroups, ..Traits::new(family, precision) }
    }
}

/// A tensor that a dispatch binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operand {
    /// The node's input of this number.
    Input(usize),
    /// The node's output of this number.
    Output(usize),
    /// The piece of [`super::Op::scratch`] of this number: 32-bit words whatever the storage of tensors.
    Scratch(usize),
    /// The words of [`Dispatch::table`].
    Table,
    /// Nothing: a small buffer that the kernel does not look at, for an absent optional input.
    Absent,
    /// A binding number that this entry point has no use for, where others of its file have what follows.
    Unused,
}

/// One kernel launch: an entry point, its constants and params, the tensors it binds and how many workgroups.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(crate) kernel: &'static Kernel,
    pub(crate) key: PipelineKey,
    pub(crate) fields: &'static [(&'static str, usize)],
    pub(crate) params: Vec<u8>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) table: Vec<u32>,
    pub(crate) groups: u64,
    pub(crate) turns: usize,
}

/// The most turns that the loops of one invocation may make in all: Mesa 22.3 stops at 65,535 without a word.
pub const MOST_TURNS: usize = 60_000;

impl Dispatch {
    /// A launch of `entry` of a kernel file, with its params.
    pub fn new<P: Params>(kernel: &'static Kernel, entry: &'static str, params: &P) -> Dispatch {
        let key =
            PipelineKey { kernel: kernel.name, entry, tunes: BTreeMap::new(), constants: BTreeMap::new() };
        Dispatch {
            kernel,
            key,
            fields: P::FIELDS,
            params: bytemuck::bytes_of(params).to_vec(),
            operands: Vec::new(),
            table: Vec::new(),
            groups: 1,
            turns: 1,
        }
    }

    /// Replaces the value of a `// tune:` line.
    #[must_use]
    pub fn tune(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.key.tunes.insert(name, value.into());
        self
    }

    /// Makes `Elem` the type of integers where the tensors are of them. A kernel that only moves elements, and has no
    /// `f32(…)` in it, then moves integers too.
    #[must_use]
    pub fn elements(self, dtype: DType) -> Self {
        if dtype == DType::I32 { self.tune("Elem", "i32") } else { self }
    }

    /// Sets an `override` constant.
    #[must_use]
    pub fn constant(mut self, name: &'static str, value: impl Into<f64>) -> Self {
        self.key.constants.insert(name, value.into().to_bits());
        self
    }

    /// Sets the override constants `ACTIVATION` and `SLOPE` of a kernel that ends in an activation, and `SECOND` of
    /// `lib/activation.wgsl`.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        let [first, second] = activation.parameters();
        self.constant("ACTIVATION", activation.code()).constant("SLOPE", first).constant("SECOND", second)
    }

    /// The tensors of bindings 1, 2, …; binding 0 is the params.
    #[must_use]
    pub fn bind(mut self, operands: impl IntoIterator<Item = Operand>) -> Self {
        self.operands = operands.into_iter().collect();
        self
    }

    /// Words that the host works out once and the kernel reads as [`Operand::Table`]: indices, or weights as the bits
    /// of f32s, whatever the storage of tensors. Large is what belongs into a constant of the graph.
    #[must_use]
    pub fn table(mut self, words: Vec<u32>) -> Self {
        self.table = words;
        self
    }

    /// How many turns the loops of one invocation make in all, unrolled ones not counted, where that depends on
    /// shapes or attributes. Beyond [`MOST_TURNS`] the plan is refused.
    #[must_use]
    pub fn turns(mut self, turns: usize) -> Self {
        self.turns = turns;
        self
    }

    /// How many workgroups, in a row. The kernel finds its place with `linear_group` of `lib/index.wgsl`.
    #[must_use]
    pub fn groups(mut self, groups: u64) -> Self {
        self.groups = groups;
        self
    }

    /// With an input that lies in the output's memory, see [`crate::graph::Op::addend`].
    pub(crate) fn in_place(mut self, addend: usize) -> Self {
        if let Some(operand) = self.operands.iter_mut().find(|o| **o == Operand::Input(addend)) {
            *operand = Operand::Absent;
            self = self.constant("HAS_ADDEND", 2u32);
        }
        self
    }

    /// The kernel file.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// The entry point.
    pub fn entry(&self) -> &'static str {
        self.key.entry
    }

    /// The values of `// tune:` lines.
    pub fn tunes(&self) -> &Tunes {
        &self.key.tunes
    }

    /// The `override` constants.
    pub fn constants(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.key.constants.iter().map(|(name, bits)| (*name, f64::from_bits(*bits)))
    }

    /// Names and byte offsets of the params' fields, see [`Params::FIELDS`].
    pub fn fields(&self) -> &'static [(&'static str, usize)] {
        self.fields
    }

    /// The tensors of bindings 1, 2, ….
    pub fn operands(&self) -> &[Operand] {
        &self.operands
    }
}

/// Collects the dispatches of one node, and tells the operator about its tensors and the device.
#[derive(Debug)]
pub struct Recorder<'a> {
    graph: &'a Graph,
    node: &'a Node,
    traits: Traits,
    packed: &'a [bool],
    dispatches: Vec<Dispatch>,
}

impl Recorder<'_> {
    /// The shape of an input, as the graph has it (a packed constant too).
    pub fn input(&self, index: usize) -> &Shape {
        self.graph.shape(self.node.inputs[index])
    }

    /// Shapes and types of the inputs.
    pub fn types(&self) -> Vec<TensorType> {
        self.graph.node_types(self.node).0
    }

    /// The shape of an output.
    pub fn output(&self, index: usize) -> &Shape {
        self.graph.shape(self.node.outputs[index])
    }

    /// The element type of an input: [`DType::F32`] for floats in any storage.
    pub fn dtype(&self, index: usize) -> DType {
        self.graph.ty(self.node.inputs[index]).dtype
    }

    /// How many inputs the node has.
    pub fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// Whether an input is a constant that [`crate::graph::Op::pack`] has laid out anew.
    pub fn is_packed(&self, index: usize) -> bool {
        self.packed[index]
    }

    /// What the choice of kernel may depend on.
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// Adds a dispatch. A kernel with a line `alias Elem = f32; // tune: Elem`, or whose imported kernel has it, gets the plan's storage type.
    pub fn dispatch(&mut self, mut dispatch: Dispatch) {
        if self.traits.precision == Precision::F16 && dispatch.kernel.stores() {
            dispatch.key.tunes.entry("Elem").or_insert("f16".into());
        }
        self.dispatches.push(dispatch);
    }

    /// `Elem` of a kernel that only moves elements, which may be vectors of four.
    pub fn moved(&self, dtype: DType, fours: bool) -> &'static str {
        match (dtype, self.traits.precision, fours) {
            (DType::I32, _, false) => "i32",
            (DType::I32, _, true) => "vec4<i32>",
            (_, Precision::F16, false) => "f16",
            (_, Precision::F16, true) => "vec4<f16>",
            (_, Precision::F32, false) => "f32",
            (_, Precision::F32, true) => "vec4<f32>",
        }
    }

    /// Whether a tensor's axes are walked in vectors of four: not in the plainest family, and if the last axis is
    /// contiguous and all other steps are multiples of four. Lengths and steps are then made those of vectors.
    pub fn in_fours(&self, dims: &mut [usize], steps: &mut [usize]) -> bool {
        let (Some((last, _)), Some((step, outer))) = (dims.split_last_mut(), steps.split_last_mut()) else {
            return false;
        };
        let whole = last.is_multiple_of(4) && *step == 1 && outer.iter().all(|s| s.is_multiple_of(4));
        let fours = self.traits.family != Family::Direct && whole;
        if fours {
            *last /= 4;
            outer.iter_mut().for_each(|s| *s /= 4);
        }
        fours
    }

    /// Lengths or steps of a tensor's axes as `lib/strided.wgsl` wants them: innermost first, filled up.
    ///
    /// # Errors
    /// As [`Recorder::u32`].
    pub fn innermost_first(&self, values: &[usize], fill: u32) -> Result<[u32; MAX_RANK]> {
        let mut out = [fill; MAX_RANK];
        for (o, v) in out.iter_mut().zip(values.iter().rev()) {
            *o = self.u32("length", *v)?;
        }
        Ok(out)
    }

    /// A length as a kernel's `u32`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when it does not fit.
    pub fn u32(&self, what: &str, value: usize) -> Result<u32> {
        u32::try_from(value).map_err(|_| Error::bad_input(format!("{what} {value} does not fit 32 bits")))
    }
}

/// The dispatches of a node.
pub(crate) fn record_node(
    graph: &Graph,
    node: &Node,
    traits: Traits,
    packed: &[bool],
) -> Result<Vec<Dispatch>> {
    let mut recorder = Recorder { graph, node, traits, packed, dispatches: Vec::new() };
    node.op.record(&mut recorder).at(&node.name)?;
    if let Some(d) = recorder.dispatches.iter().find(|d| d.turns > MOST_TURNS) {
        return Err(Error::bad_input(format!(
            "{}: one invocation of `{}` would make {} loop turns, more than {MOST_TURNS}, after which some drivers \
             silently stop; use smaller lengths, several steps or --device cpu",
            node.name, d.key.entry, d.turns
        )));
    }
    Ok(recorder.dispatches)
}
