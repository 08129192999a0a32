//! Where a plan's tensors lie and how much memory they take, before a device is asked for any.

use std::collections::HashMap;

use super::arena::{self, Arena, Place, Region};
use super::{Family, Graph, PlanOptions, Precision, Setting, Traits, Value};
use crate::error::{Error, Result};
use crate::tensor::DType;

/// Offsets of storage bindings: the largest alignment that any device asks for.
const ALIGN: u64 = 256;

/// What a plan holds on its device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySummary {
    /// Bytes of constants, as laid out for the kernels.
    pub weights: u64,
    /// Bytes of inputs, outputs and intermediate tensors as planned.
    pub activations: u64,
    /// The largest sum of tensors alive at once. Inputs are alive throughout, for they stay where the host program put them
    /// until it puts others; outputs from when they are made. A plan can be smaller where a sum takes the place of its addend.
    pub alive: u64,
}

/// What a device allows.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimits<'a> {
    /// The device, for messages.
    pub device: &'a str,
    /// Bytes of the largest binding: of a tensor.
    pub binding: u64,
    /// Bytes of the largest buffer.
    pub buffer: u64,
    /// Bytes of all.
    pub total: u64,
}

impl MemoryLimits<'static> {
    /// What WebGPU promises: bindings of 128 MiB, buffers of 256 MiB.
    pub const LEAST: MemoryLimits<'static> =
        MemoryLimits { device: "of WebGPU's limits", binding: 128 << 20, buffer: 256 << 20, total: u64::MAX };
}

/// The places of a graph's values.
pub(super) struct Layout {
    /// A value's memory: itself, or for a view what it looks at.
    pub(super) roots: Vec<Value>,
    /// Places of `inner`, then of `pieces`, in buffers of so many bytes.
    pub(super) places: Vec<Place>,
    pub(super) buffers: Vec<u64>,
    /// Values that nodes make; those that leave the graph stay until the end.
    pub(super) inner: Vec<Value>,
    /// Inputs, which have buffers of their own, where the host program's values stay until it puts others.
    pub(super) own: Vec<Value>,
    /// Node and bytes of each piece of scratch.
    pub(super) pieces: Vec<(usize, u64)>,
    /// The input of each node in whose memory its output lies, if there is one.
    pub(super) in_place: Vec<Option<usize>>,
    pub(super) summary: MemorySummary,
}

impl Graph {
    /// What a plan with these options would hold on a device of these limits whose kernels are of this family. Constants are
    /// counted as they are, not as packed; none need have values.
    ///
    /// ```
    /// # use kinetograph::graph::{Family, Graph, MemoryLimits, PlanOptions};
    /// let mut g = Graph::new();
    /// let x = g.input("x", &[1000])?;
    /// let y = g.relu(x)?;
    /// g.output("y", y)?;
    /// let memory = g.memory(Family::Tiled, &PlanOptions::default(), &MemoryLimits::LEAST)?;
    /// assert_eq!((memory.activations, memory.alive), (8000, 8000));
    /// # Ok::<(), kinetograph::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfMemory`] when a tensor is larger than a binding, or all are larger than the memory.
    pub fn memory(
        &self,
        family: Family,
        options: &PlanOptions,
        limits: &MemoryLimits<'_>,
    ) -> Result<MemorySummary> {
        let fused = options.fuse.then(|| self.fused());
        let graph = fused.as_ref().unwrap_or(self);
        let family = options.family.unwrap_or(family);
        let traits = vec![options.chosen(Traits::new(family, options.precision)); graph.nodes.len()];
        Ok(Layout::new(graph, options, &traits, limits)?.summary)
    }
}

/// Bytes of a value as stored on a device.
pub(super) fn size(graph: &Graph, value: Value, precision: Precision) -> u64 {
    let ty = graph.ty(value);
    let element = if ty.dtype == DType::F32 && precision == Precision::F16 { 2 } else { 4 };
    ty.shape.elements() as u64 * element
}

/// With what lies behind it.
pub(super) fn padded(size: u64, options: &PlanOptions) -> u64 {
    size.next_multiple_of(4) + options.guard
}

fn roots(graph: &Graph) -> Vec<Value> {
    let mut roots: Vec<Value> = (0..graph.values.len() as u32).map(Value).collect();
    for node in graph.nodes.iter().filter(|n| n.op.is_view()) {
        roots[node.outputs[0].index()] = roots[node.inputs[0].index()];
    }
    roots
}

/// Regions with those that lie where others do made part of these, and empty themselves.
fn merged(regions: &[Region], first: &[usize]) -> Vec<Region> {
    let mut all = regions.to_vec();
    for (i, region) in regions.iter().enumerate() {
        let host = first[i];
        let mut apart: Vec<usize> = region.apart.iter().map(|&j| first[j]).filter(|&j| j != host).collect();
        if host == i {
            all[i].apart.splice(.., apart);
        } else {
            all[host].life = *all[host].life.start()..=*region.life.end();
            all[host].apart.append(&mut apart);
            all[i] = Region { size: 0, life: region.life.clone(), apart: Vec::new() };
        }
    }
    for region in &mut all {
        region.apart.sort_unstable();
        region.apart.dedup();
    }
    all
}

impl Layout {
    /// Gives every input, output and intermediate value of a graph its memory.
    pub(super) fn new(
        graph: &Graph,
        options: &PlanOptions,
        traits: &[Traits],
        limits: &MemoryLimits<'_>,
    ) -> Result<Layout> {
        let roots = roots(graph);
        let bytes = |v: Value| padded(size(graph, v, options.precision), options);
        let mut made_by: HashMap<Value, usize> = HashMap::new();
        let mut last_read: HashMap<Value, usize> = HashMap::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            for v in &node.inputs {
                last_read.insert(roots[v.index()], i);
            }
            for v in node.outputs.iter().filter(|v| roots[v.index()] == **v) {
                made_by.insert(*v, i);
            }
        }
        let outside: Vec<Value> = graph.outputs.iter().map(|(_, v)| roots[v.index()]).collect();
        let is_outside = |v: &Value| outside.contains(v) || options.keep_all;

        let mut inner: Vec<Value> = made_by.keys().copied().collect();
        inner.sort_unstable();
        let at: HashMap<Value, usize> = inner.iter().enumerate().map(|(i, v)| (*v, i)).collect();
        let mut regions: Vec<Region> = inner
            .iter()
            .map(|v| {
                let born = made_by[v];
                let life = match (is_outside(v), options.guard) {
                    (false, _) => born..=last_read.get(v).copied().unwrap_or(born),
                    (true, 0) => born..=graph.nodes.len(),
                    // What lies behind it must stay as it was filled.
                    (true, _) => 0..=graph.nodes.len(),
                };
                Region { size: bytes(*v), life, apart: Vec::new() }
            })
            .collect();
        for node in graph.nodes.iter().filter(|n| !n.op.is_view()) {
            for (i, written) in node.outputs.iter().enumerate() {
                let touched = node.inputs.iter().chain(&node.outputs[..i]);
                for other in touched.map(|v| roots[v.index()]) {
                    if let (Some(&a), Some(&b)) = (at.get(written), at.get(&other)) {
                        regions[a].apart.push(b);
                        regions[b].apart.push(a);
                    }
                }
            }
        }
        let mut pieces: Vec<(usize, u64)> = Vec::new();
        for (i, node) in graph.nodes.iter().enumerate().filter(|(_, n)| !n.op.is_view()) {
            let first = regions.len();
            let setting = Setting {
                inputs: &graph.node_types(node).0,
                constant: &node
                    .inputs
                    .iter()
                    .map(|v| graph.values[roots[v.index()].index()].origin_is_constant())
                    .collect::<Vec<_>>(),
                traits: traits[i],
            };
            for words in node.op.scratch(&setting) {
                let values = node.inputs.iter().chain(&node.outputs).map(|v| roots[v.index()]);
                let apart: Vec<usize> =
                    values.filter_map(|v| at.get(&v).copied()).chain(first..regions.len()).collect();
                for &other in &apart {
                    let own = regions.len();
                    regions[other].apart.push(own);
                }
                let size = words.max(1) * 4;
                pieces.push((i, size));
                regions.push(Region { size: padded(size, options), life: i..=i, apart });
            }
        }
        let in_place: Vec<Option<usize>> = graph
            .nodes
            .iter()
            .enumerate()
            .map(|(i, node)| {
                let addend = node.op.addend(node.inputs.len()).filter(|_| options.guard == 0)?;
                let root = roots[node.inputs[addend].index()];
                let only = node.inputs.iter().filter(|v| roots[v.index()] == root).count() == 1;
                let ends = last_read.get(&root) == Some(&i) && made_by.contains_key(&root);
                let fits = bytes(root) == bytes(node.outputs[0]);
                (only && ends && fits && !is_outside(&root)).then_some(addend)
            })
            .collect();
        // Chains of sums lie where the first addend does.
        let mut first: Vec<usize> = (0..regions.len()).collect();
        for (node, addend) in graph.nodes.iter().zip(&in_place) {
            if let Some(addend) = addend {
                first[at[&node.outputs[0]]] = first[at[&roots[node.inputs[*addend].index()]]];
            }
        }
        let Arena { places, buffers } = arena::place(&merged(&regions, &first), ALIGN, limits.buffer);
        let places = first.iter().map(|&i| places[i]).collect();

        let own = graph.inputs.clone();
        let activations = buffers.iter().sum::<u64>() + own.iter().map(|v| bytes(*v)).sum::<u64>();
        let mut everything = regions;
        everything.extend(own.iter().map(|v| Region {
            size: bytes(*v),
            life: 0..=graph.nodes.len(),
            apart: Vec::new(),
        }));
        let constants = (0..graph.values.len() as u32).map(Value);
        let constants =
            constants.filter(|v| graph.values[v.index()].origin_is_constant() && last_read.contains_key(v));
        let summary = MemorySummary {
            weights: constants.map(|v| size(graph, v, options.precision)).sum(),
            activations,
            alive: arena::peak(&everything),
        };
        let layout = Layout { roots, places, buffers, inner, own, pieces, in_place, summary };
        layout.check(graph, options, limits)?;
        Ok(layout)
    }

    /// Does every tensor fit a binding, and the whole the memory?
    fn check(&self, graph: &Graph, options: &PlanOptions, limits: &MemoryLimits<'_>) -> Result<()> {
        let advice = "use a smaller input, --precision f16 or --device cpu";
        let MemoryLimits { device, binding, total: memory, .. } = *limits;
        let constants = (0..graph.values.len() as u32).map(Value).filter(|v| {
            graph.values[v.index()].origin_is_constant() && graph.nodes.iter().any(|n| n.inputs.contains(v))
        });
        for v in self.own.iter().chain(&self.inner).copied().chain(constants) {
            let size = padded(size(graph, v, options.precision), options);
            if size > binding {
                let value = &graph.values[v.index()];
                return Err(Error::out_of_memory(format!(
                    "{}: tensor {} takes {size} bytes, the device `{device}` binds at most {binding}; {advice}",
                    value.name, value.ty.shape,
                )));
            }
        }
        if let Some((node, size)) = self.pieces.iter().find(|(_, size)| padded(*size, options) > binding) {
            return Err(Error::out_of_memory(format!(
                "{}: its working memory takes {size} bytes, the device `{device}` binds at most {binding}; {advice}",
                graph.nodes[*node].name,
            )));
        }
        let total = self.summary.weights + self.summary.activations;
        let budget = options.memory_limit.unwrap_or(u64::MAX).min(memory);
        if total > budget {
            return Err(Error::out_of_memory(format!(
                "the plan needs {total} bytes ({} for weights, {} for activations), {budget} are allowed; {advice}",
                self.summary.weights, self.summary.activations
            )));
        }
        Ok(())
    }
}
