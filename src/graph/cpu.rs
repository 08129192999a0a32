//! The CPU executor: every node by its fast kernel or by its reference.

use std::time::Instant;

use super::gpu_plan::check_inputs;
use super::{Graph, Origin, Outputs, PlanOptions, Precision, Timing, Value};
use crate::error::{At, Error, Result};
use crate::gpu::system_memory;
use crate::tensor::{DType, Tensor};

/// What computes a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernels {
    /// [`super::Op::compute`].
    Fast,
    /// [`super::Op::reference`].
    Reference,
}

/// A graph ready to run on the processor.
#[derive(Debug)]
pub(crate) struct CpuPlan {
    graph: Graph,
    kernels: Kernels,
    options: PlanOptions,
    /// For each node, the values that nobody reads after it.
    dead: Vec<Vec<Value>>,
}

impl CpuPlan {
    pub(crate) fn new(graph: &Graph, kernels: Kernels, options: &PlanOptions) -> Result<CpuPlan> {
        let mut graph = if options.fuse { graph.fused() } else { graph.clone() };
        for node in &graph.nodes {
            for v in &node.inputs {
                let value = &graph.values[v.index()];
                if let Origin::Constant(None) = value.origin {
                    return Err(Error::usage(format!(
                        "{}: weight `{}` has no values; load or make the weights first",
                        node.name, value.name
                    )));
                }
            }
        }
        for value in &mut graph.values {
            if let Origin::Constant(Some(tensor)) = &mut value.origin {
                *tensor = stored(tensor, options.precision);
            }
        }
        let mut last = vec![0; graph.values.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            for v in node.inputs.iter().chain(&node.outputs) {
                last[v.index()] = i;
            }
        }
        for (_, v) in &graph.outputs {
            last[v.index()] = usize::MAX;
        }
        check_memory(&graph, &last, options)?;
        let dead = (0..graph.nodes.len())
            .map(|i| (0..last.len()).filter(|&v| last[v] == i).map(|v| Value(v as u32)).collect())
            .collect();
        Ok(CpuPlan { graph, kernels, options: options.clone(), dead })
    }

    pub(crate) fn run(&self, inputs: &[(&str, Tensor)]) -> Result<Outputs> {
        let mut values = self.start(inputs)?;
        for i in 0..self.graph.nodes.len() {
            self.step(i, &mut values)?;
            for v in &self.dead[i] {
                values[v.index()] = None;
            }
            self.options.progress("running", i + 1, self.graph.nodes.len());
        }
        let outputs = self.graph.outputs.iter().map(|(n, v)| Ok((n.clone(), self.get(&values, *v)?)));
        Ok(Outputs::new(outputs.collect::<Result<_>>()?))
    }

    pub(crate) fn profile(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Timing>> {
        let mut values = self.start(inputs)?;
        let nodes = self.graph.nodes.iter().enumerate();
        nodes
            .map(|(i, node)| {
                let start = Instant::now();
                self.step(i, &mut values)?;
                Ok(Timing {
                    node: node.name.clone(),
                    op: node.op.name(),
                    seconds: start.elapsed().as_secs_f64(),
                    flops: self.graph.node_flops(node),
                    bytes: self.graph.node_bytes(node),
                })
            })
            .collect()
    }

    pub(crate) fn run_all(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Vec<Tensor>)>> {
        let mut values = self.start(inputs)?;
        let nodes = self.graph.nodes.iter().enumerate();
        nodes
            .map(|(i, node)| {
                self.step(i, &mut values)?;
                let outputs = node.outputs.iter().map(|v| self.get(&values, *v));
                Ok((node.name.clone(), outputs.collect::<Result<_>>()?))
            })
            .collect()
    }

    fn start(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Option<Tensor>>> {
        let tensors = check_inputs(&self.graph, inputs)?;
        let mut values: Vec<Option<Tensor>> = vec![None; self.graph.values.len()];
        for (v, tensor) in self.graph.inputs.iter().zip(tensors) {
            values[v.index()] = Some(stored(&tensor, self.options.precision));
        }
        Ok(values)
    }

    fn step(&self, i: usize, values: &mut [Option<Tensor>]) -> Result<()> {
        let node = &self.graph.nodes[i];
        let inputs: Vec<Tensor> = node.inputs.iter().map(|v| self.get(values, *v)).collect::<Result<_>>()?;
        let outputs = match self.kernels {
            Kernels::Fast => node.op.compute(&inputs),
            Kernels::Reference => node.op.reference(&inputs),
        };
        let outputs = outputs.at(&node.name)?;
        for (v, tensor) in node.outputs.iter().zip(outputs) {
            values[v.index()] = Some(stored(&tensor, self.options.precision));
        }
        Ok(())
    }

    fn get(&self, values: &[Option<Tensor>], v: Value) -> Result<Tensor> {
        let info = &self.graph.values[v.index()];
        match (&values[v.index()], &info.origin) {
            (Some(tensor), _) | (None, Origin::Constant(Some(tensor))) => Ok(tensor.clone()),
            _ => Err(Error::internal(format!("`{}` was read before it was made", info.name))),
        }
    }
}

/// Before anything is computed: do the weights and the values alive at once fit the memory?
fn check_memory(graph: &Graph, last: &[usize], options: &PlanOptions) -> Result<()> {
    let bytes = |v: usize| graph.values[v].ty.bytes();
    let mut alive: u64 = graph.inputs.iter().map(|v| bytes(v.index())).sum();
    let known = |v: &usize| matches!(graph.values[*v].origin, Origin::Constant(Some(_)));
    let weights: u64 = (0..graph.values.len()).filter(known).map(bytes).sum();
    let mut peak = (0, "the inputs");
    for (i, node) in graph.nodes.iter().enumerate() {
        alive += node.outputs.iter().map(|v| bytes(v.index())).sum::<u64>();
        if alive > peak.0 {
            peak = (alive, &node.name);
        }
        let dies = |v: &usize| last[*v] == i && !graph.values[*v].origin_is_constant();
        alive -= (0..last.len()).filter(dies).map(bytes).sum::<u64>().min(alive);
    }
    let needed = weights + peak.0;
    let budget = options.memory_limit.unwrap_or(u64::MAX).min(system_memory());
    if needed > budget {
        return Err(Error::out_of_memory(format!(
            "{}: {needed} bytes would be alive at once ({weights} of weights), {budget} are free for it; use a smaller \
             input",
            peak.1
        )));
    }
    Ok(())
}

/// The tensor as a plan of this precision keeps it: floats rounded to f16 and back.
fn stored(tensor: &Tensor, precision: Precision) -> Tensor {
    match (tensor.dtype(), precision) {
        (DType::F32, Precision::F16) => tensor.to_f16().to_f32(),
        _ => tensor.clone(),
    }
}
