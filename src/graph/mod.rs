//! Graphs of operators, and the executors that run them.
//!
//! A [`Graph`] is built once: inputs, constants (weights) and nodes, each an [`Op`] with its shapes checked as
//! it is added. An [`Engine`] turns it into a [`Plan`] for one device, and a plan runs as often as wanted.
//!
//! ```
//! use kinetograph::{Engine, Graph, Tensor};
//! # fn main() -> kinetograph::Result<()> {
//! let mut g = Graph::new();
//! let x = g.input("x", &[1, 4])?;
//! let w = g.constant("w", Tensor::from_fn(&[4, 2], |i| i as f32)?);
//! let y = g.linear(x, w, None)?;
//! g.output("y", y)?;
//! let plan = Engine::cpu().plan(&g)?;
//! let y = plan.run(&[("x", Tensor::new(&[1, 4], vec![1.0, 0.0, 0.0, 1.0])?)])?;
//! assert_eq!(y["y"].f32s()?, [6.0, 8.0]);
//! # Ok(())
//! # }
//! ```

mod activation;
mod affine;
mod arena;
mod cpu;
mod diff;
mod engine;
mod fuse;
#[cfg(test)]
mod fuse_tests;
mod gpu_plan;
mod max_pool;
mod memory;
mod op;
mod record;
mod resident;
mod summary;
mod tuning;

use std::sync::Arc;

use crate::error::{At, Error, Result};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};

pub use activation::Activation;
pub use affine::{ChannelAffine, RowNorm};
pub(crate) use diff::largest_difference;
pub use diff::{Difference, first_difference};
pub use engine::{Engine, Outputs, Plan, PlanOptions, Precision, Progress, Timing};
pub use gpu_plan::GpuPlan;
pub use max_pool::MaxPool;
pub use memory::{MemoryLimits, MemorySummary};
pub use op::{Bound, Op, Setting, TensorType, UNIT_ROUNDOFF};
pub(crate) use record::record_node;
pub use record::{ConvForm, Dispatch, Family, MOST_TURNS, Operand, Recorder, Traits};
pub(crate) use resident::Resident;
pub use tuning::Tuning;
pub(crate) use tuning::{key as tuning_key, signature as tuning_signature};

/// A tensor of a [`Graph`]: an input, a constant, or what a node gives. Only valid for the graph that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(crate) u32);

impl Value {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Input,
    /// `None`: a weight of known shape but unknown values, as in a graph made only to be counted.
    Constant(Option<Tensor>),
    Node,
}

#[derive(Debug, Clone)]
pub(crate) struct ValueInfo {
    pub(crate) name: String,
    pub(crate) ty: TensorType,
    pub(crate) origin: Origin,
}

/// An operator in its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: Arc<dyn Op>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
}

/// Operators and the values that flow between them, in the order in which they run.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(crate) values: Vec<ValueInfo>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<(String, Value)>,
    scope: Vec<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Graph::default()
    }

    /// Adds a float input. Its tensor is given by this name at every run.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unusable shape or a name taken already.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Result<Value> {
        self.input_of(name, TensorType { shape: Shape::new(shape)?, dtype: DType::F32 })
    }

    /// Adds an input of a given type: [`DType::F32`] (stored as the plan's precision says) or [`DType::I32`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for another type or a name taken already.
    pub fn input_of(&mut self, name: &str, ty: TensorType) -> Result<Value> {
        if !matches!(ty.dtype, DType::F32 | DType::I32) {
            return Err(Error::bad_input(format!("input `{name}`: an f32 or i32 tensor, not {}", ty.dtype)));
        }
        if self.inputs.iter().any(|v| self.values[v.index()].name == name) {
            return Err(Error::bad_input(format!("the graph has an input `{name}` already")));
        }
        let value = self.add_value(name.to_owned(), ty, Origin::Input);
        self.inputs.push(value);
        Ok(value)
    }

    /// Adds a tensor that never changes, such as a weight. f16 and u8 tensors become f32.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Value {
        let tensor = if tensor.dtype() == DType::I32 { tensor } else { tensor.to_f32() };
        let ty = TensorType { shape: tensor.shape().clone(), dtype: tensor.dtype() };
        self.add_value(name.to_owned(), ty, Origin::Constant(Some(tensor)))
    }

    /// Adds a constant of known shape and unknown values: the graph can be counted and summarised, not run.
    pub fn unknown_constant(&mut self, name: &str, shape: Shape) -> Value {
        let ty = TensorType { shape, dtype: DType::F32 };
        self.add_value(name.to_owned(), ty, Origin::Constant(None))
    }

    /// Names a value as an output. A value may be an output under several names.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a name taken already.
    pub fn output(&mut self, name: &str, value: Value) -> Result<()> {
        if self.outputs.iter().any(|(n, _)| n == name) {
            return Err(Error::bad_input(format!("the graph has an output `{name}` already")));
        }
        self.outputs.push((name.to_owned(), value));
        Ok(())
    }

    /// The value of this name: an input, a constant, or a node's (first) output by the node's name, to look at
    /// what lies inside a network.
    pub fn value(&self, name: &str) -> Option<Value> {
        let node = self.nodes.iter().find(|n| n.name == name).map(|n| n.outputs[0]);
        node.or_else(|| self.values.iter().position(|v| v.name == name).map(|i| Value(i as u32)))
    }

    /// The shape of a value.
    pub fn shape(&self, value: Value) -> &Shape {
        &self.values[value.index()].ty.shape
    }

    /// The shape and element type of a value.
    pub fn ty(&self, value: Value) -> &TensorType {
        &self.values[value.index()].ty
    }

    /// The elements of a constant.
    pub(crate) fn known(&self, value: Value) -> Option<&Tensor> {
        match &self.values.get(value.index())?.origin {
            Origin::Constant(tensor) => tensor.as_ref(),
            _ => None,
        }
    }

    /// Puts `name` before the names of the nodes that `build` adds.
    ///
    /// # Errors
    /// What `build` gives.
    pub fn scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Graph) -> Result<T>) -> Result<T> {
        self.scope.push(name.to_owned());
        let result = build(self);
        self.scope.pop();
        result
    }

    /// Adds a node with one output. This is how an operator's own method on [`Graph`] ends.
    ///
    /// # Errors
    /// What [`Op::infer`] says, with the node's name, the operator and the input shapes before it.
    pub fn push(&mut self, op: impl Op + 'static, inputs: &[Value]) -> Result<Value> {
        Ok(self.push_all(op, inputs)?[0])
    }

    /// Adds a node with any number of outputs.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn push_all(&mut self, op: impl Op + 'static, inputs: &[Value]) -> Result<Vec<Value>> {
        self.push_shared(Arc::new(op), inputs)
    }

    pub(crate) fn push_shared(&mut self, op: Arc<dyn Op>, inputs: &[Value]) -> Result<Vec<Value>> {
        let name = self.node_name(op.name());
        if inputs.iter().any(|v| v.index() >= self.values.len()) {
            return Err(Error::bad_input("a value of another graph").at(name));
        }
        let types: Vec<TensorType> = inputs.iter().map(|&v| self.ty(v).clone()).collect();
        check_inputs(&*op, &types).at(op_place(&name, op.name(), &types))?;
        let inferred = op.infer(&types).at(op_place(&name, op.name(), &types))?;
        let several = inferred.len() > 1;
        let outputs = inferred
            .into_iter()
            .enumerate()
            .map(|(i, ty)| {
                let name = if several { format!("{name}.{i}") } else { name.clone() };
                self.add_value(name, ty, Origin::Node)
            })
            .collect::<Vec<_>>();
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Multiply-adds count as two; comparisons and moves as one or nothing, see each operator.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().map(|n| self.node_flops(n)).sum()
    }

    /// Bytes that all nodes read and write in f32, were nothing cached.
    pub fn bytes(&self) -> u64 {
        self.nodes.iter().map(|n| self.node_bytes(n)).sum()
    }

    /// The elements of all constants that some node reads: weights, as the nodes take them, and computed tables.
    /// [`crate::weights::Weights::parameters`] counts a network's parameters.
    pub fn params(&self) -> u64 {
        let used = |v: usize| self.nodes.iter().any(|n| n.inputs.contains(&Value(v as u32)));
        let constants = self.values.iter().enumerate().filter(|(i, v)| v.origin_is_constant() && used(*i));
        constants.map(|(_, v)| v.ty.shape.elements() as u64).sum()
    }

    /// The names of the constants that the last nodes with constants before `value` read, on every way to it.
    pub(crate) fn last_constants(&self, value: Value) -> Vec<&str> {
        let (mut open, mut seen, mut found) = (vec![value], vec![false; self.nodes.len()], Vec::new());
        while let Some(value) = open.pop() {
            let Some(i) = self.nodes.iter().position(|n| n.outputs.contains(&value)) else { continue };
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let inputs = &self.nodes[i].inputs;
            let before = found.len();
            let constants = inputs.iter().map(|v| &self.values[v.index()]).filter(|v| v.origin_is_constant());
            found.extend(constants.map(|v| v.name.as_str()));
            if found.len() == before {
                open.extend(inputs);
            }
        }
        found
    }

    /// The names and types of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &TensorType)> {
        self.inputs.iter().map(|v| &self.values[v.index()]).map(|v| (v.name.as_str(), &v.ty))
    }

    /// The names and values of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, Value)> {
        self.outputs.iter().map(|(n, v)| (n.as_str(), *v))
    }

    pub(crate) fn node_types(&self, node: &Node) -> (Vec<TensorType>, Vec<TensorType>) {
        let types = |values: &[Value]| values.iter().map(|&v| self.ty(v).clone()).collect();
        (types(&node.inputs), types(&node.outputs))
    }

    /// Which inputs of a node are constants, or views of some.
    pub(crate) fn constant_inputs(&self, node: &Node) -> Vec<bool> {
        let is_constant = |v: &Value| {
            let mut value = *v;
            while let Some(view) = self.nodes.iter().find(|n| n.op.is_view() && n.outputs[0] == value) {
                value = view.inputs[0];
            }
            self.values[value.index()].origin_is_constant()
        };
        node.inputs.iter().map(is_constant).collect()
    }

    pub(crate) fn node_flops(&self, node: &Node) -> u64 {
        let (inputs, outputs) = self.node_types(node);
        node.op.flops(&inputs, &outputs)
    }

    pub(crate) fn node_bytes(&self, node: &Node) -> u64 {
        let (inputs, outputs) = self.node_types(node);
        node.op.bytes(&inputs, &outputs)
    }

    fn add_value(&mut self, name: String, ty: TensorType, origin: Origin) -> Value {
        self.values.push(ValueInfo { name, ty, origin });
        Value((self.values.len() - 1) as u32)
    }

    fn node_name(&self, op: &str) -> String {
        let mut path = self.scope.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(op);
        let taken = |name: &str| self.nodes.iter().any(|n| n.name == name);
        if !taken(&path) {
            return path;
        }
        (2..).map(|i| format!("{path}.{i}")).find(|n| !taken(n)).unwrap_or(path)
    }
}

impl ValueInfo {
    pub(crate) fn origin_is_constant(&self) -> bool {
        matches!(self.origin, Origin::Constant(_))
    }
}

/// What every operator's inputs must satisfy, before the operator itself looks at them.
fn check_inputs(op: &dyn Op, types: &[TensorType]) -> Result<()> {
    let (arity, given) = (op.arity(), types.len());
    if !arity.contains(&given) {
        let wanted = match (*arity.start(), *arity.end()) {
            (a, b) if a == b => a.to_string(),
            (a, usize::MAX) => format!("at least {a}"),
            (a, b) => format!("{a} to {b}"),
        };
        return Err(Error::bad_input(format!("{wanted} inputs are needed, {given} were given")));
    }
    match types.iter().position(|t| !op.takes(t.dtype)) {
        Some(i) => {
            Err(Error::bad_input(format!("input {i} must be a float tensor, it is {}", types[i].dtype)))
        }
        None => Ok(()),
    }
}

/// `conv1/conv3d: conv3d of [1, 16, 112, 112, 3] and [3, 3, 3, 4, 64]`.
fn op_place(node: &str, op: &str, inputs: &[TensorType]) -> String {
    let shapes: Vec<String> = inputs.iter().map(|t| t.shape.to_string()).collect();
    let shapes = shapes.join(" and ");
    if node == op { format!("{op} of {shapes}") } else { format!("{node}: {op} of {shapes}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_node_operator_and_shapes() {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 4]).unwrap();
        let w = g.constant("w", Tensor::from_fn(&[5, 2], |_| 0.0).unwrap());
        let e = g.scope("head", |g| g.linear(x, w, None)).unwrap_err().to_string();
        assert!(e.starts_with("head/linear: linear of [1, 4] and [5, 2]: "), "{e}");
    }

    #[test]
    fn names_are_unique() {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 4]).unwrap();
        let a = g.activation(x, Activation::Relu).unwrap();
        let b = g.activation(a, Activation::Relu).unwrap();
        assert_eq!(g.values[b.index()].name, "activation.2");
        assert!(g.input("x", &[1]).is_err());
    }
}
