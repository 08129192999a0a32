//! Making a plan: memory, weights, pipelines and bind groups.

use std::collections::HashMap;
use std::thread;

use super::compiling::Compiling;
use super::cut::{Cut, cut};
use super::{Launch, Slot, default_work_limit, stored_bytes};
use crate::error::{At, Error, Result};
use crate::gpu::{Gpu, POISON};
use crate::graph::memory::{self, Layout};
use crate::graph::{
    Dispatch, Graph, MemoryLimits, MemorySummary, Operand, Origin, PlanOptions, Setting, Traits, Value,
    record_node,
};
use crate::tensor::Tensor;

/// Weights waiting for their copy to the device at most.
const STAGED_BYTES: u64 = 64 << 20;

/// Everything that a plan holds on the device.
pub(super) struct Built {
    pub(super) buffers: Vec<wgpu::Buffer>,
    pub(super) slots: HashMap<Value, Slot>,
    pub(super) written: Vec<usize>,
    pub(super) memory: MemorySummary,
    pub(super) launches: Vec<Vec<Launch>>,
}

pub(super) fn build(gpu: &Gpu, graph: &Graph, options: &PlanOptions) -> Result<Built> {
    let mut builder = Builder {
        gpu,
        roots: Vec::new(),
        traits: options.node_traits(gpu, graph),
        options,
        buffers: Vec::new(),
        slots: HashMap::new(),
        scratch: vec![Vec::new(); graph.nodes.len()],
        written: Vec::new(),
        in_place: Vec::new(),
        memory: MemorySummary::default(),
    };
    builder.place(graph)?;
    let launches = builder.launches(graph)?;
    let Builder { buffers, slots, written, memory, .. } = builder;
    Ok(Built { buffers, slots, written, memory, launches })
}

/// A node's dispatches, and the memory of its inputs.
type Recorded = (Vec<Dispatch>, Vec<Slot>);

struct Builder<'a> {
    gpu: &'a Gpu,
    /// A value's memory: itself, or for a view what it looks at.
    roots: Vec<Value>,
    /// What the choice of each node's kernels depends on.
    traits: Vec<Traits>,
    options: &'a PlanOptions,
    buffers: Vec<wgpu::Buffer>,
    slots: HashMap<Value, Slot>,
    /// The pieces of scratch of each node.
    scratch: Vec<Vec<Slot>>,
    written: Vec<usize>,
    /// The input of each node in whose memory its output lies, if there is one.
    in_place: Vec<Option<usize>>,
    memory: MemorySummary,
}

impl Builder<'_> {
    fn size(&self, graph: &Graph, value: Value) -> u64 {
        memory::size(graph, value, self.options.precision)
    }

    fn padded(&self, size: u64) -> u64 {
        memory::padded(size, self.options)
    }

    /// Gives every input, output and intermediate value its memory.
    fn place(&mut self, graph: &Graph) -> Result<()> {
        let limits = MemoryLimits {
            device: &self.gpu.info().name,
            binding: self.gpu.limits().max_storage_buffer_binding_size,
            buffer: self.gpu.limits().max_buffer_size,
            total: self.gpu.memory_limit(),
        };
        let Layout { roots, places, buffers, inner, own, pieces, in_place, summary } =
            Layout::new(graph, self.options, &self.traits, &limits)?;
        (self.roots, self.memory, self.in_place) = (roots, summary, in_place);

        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        for size in &buffers {
            self.written.push(self.buffers.len());
            self.buffers.push(self.gpu.buffer("intermediate tensors", *size, usage, false)?);
        }
        for (v, place) in inner.iter().zip(&places) {
            let slot = Slot { buffer: place.buffer, offset: place.offset, size: self.size(graph, *v) };
            self.slots.insert(*v, slot);
        }
        for ((node, size), place) in pieces.into_iter().zip(&places[inner.len()..]) {
            self.scratch[node].push(Slot { buffer: place.buffer, offset: place.offset, size });
        }
        for v in own {
            let size = self.size(graph, v);
            let label = &graph.values[v.index()].name;
            self.slots.insert(v, Slot { buffer: self.buffers.len(), offset: 0, size });
            // The guard after an input is poisoned once: nothing writes it, and reading it must show.
            let buffer = self.gpu.buffer(label, self.padded(size), usage, false)?;
            if self.options.guard > 0 {
                self.gpu.queue().write_buffer(&buffer, 0, &vec![POISON; buffer.size() as usize]);
            }
            self.buffers.push(buffer);
        }
        Ok(())
    }

    /// Uploads a constant for one node; packed layouts are the node's own, others are shared.
    fn constant(&mut self, graph: &Graph, value: Value, tensor: &Tensor, staged: &mut u64) -> Result<Slot> {
        let name = &graph.values[value.index()].name;
        let mut bytes = stored_bytes(tensor, self.options.precision);
        let size = bytes.len() as u64;
        let bound = self.padded(size);
        if bound > self.gpu.limits().max_storage_buffer_binding_size {
            return Err(Error::out_of_memory(format!(
                "{name}: its packed layout takes {bound} bytes, the device `{}` binds at most {}; use --precision \
                 f16 or --device cpu",
                self.gpu.info().name,
                self.gpu.limits().max_storage_buffer_binding_size
            )));
        }
        if bound > size {
            bytes.to_mut().resize(bound as usize, POISON);
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.gpu.buffer_with(name, &bytes, usage)?;
        drop(bytes);
        *staged += if self.gpu.writes_in_place() { 0 } else { size };
        if *staged > STAGED_BYTES {
            // Lets the driver free the copies that it made for the upload.
            let commands =
                self.gpu.scoped(name, |d| d.create_command_encoder(&Default::default()).finish())?;
            let index = self.gpu.submit(name, commands)?;
            self.gpu.wait(name, index)?;
            *staged = 0;
        }
        self.buffers.push(buffer);
        Ok(Slot { buffer: self.buffers.len() - 1, offset: 0, size })
    }

    /// Records every node and uploads its constants; meanwhile other threads compile what the nodes recorded so far want.
    fn launches(&mut self, graph: &Graph) -> Result<Vec<Vec<Launch>>> {
        let gpu = self.gpu;
        let recorded = thread::scope(|scope| {
            let mut compiling = Compiling::new(gpu, scope);
            let recorded = self.record(graph, |node, dispatch| compiling.start(node, dispatch))?;
            compiling.finish(|done, total| self.options.progress("compiling kernels", done, total))?;
            Ok::<_, Error>(recorded)
        })?;
        gpu.save_pipelines();
        self.bind(graph, &recorded)
    }

    /// Dispatches and the memory of the inputs of each node; `want` is given each dispatch as it is recorded.
    fn record(&mut self, graph: &Graph, mut want: impl FnMut(&str, &Dispatch)) -> Result<Vec<Recorded>> {
        let mut staged = 0;
        let mut shared: HashMap<Value, Slot> = HashMap::new();
        let mut recorded = Vec::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            let mut packed = vec![false; node.inputs.len()];
            let mut slots = Vec::new();
            let types = graph.node_types(node).0;
            let roots = node.inputs.iter().map(|v| self.roots[v.index()]);
            let constant: Vec<bool> =
                roots.map(|root| graph.values[root.index()].origin_is_constant()).collect();
            let setting = Setting { inputs: &types, constant: &constant, traits: self.traits[i] };
            for (index, v) in node.inputs.iter().enumerate().filter(|_| !node.op.is_view()) {
                let root = self.roots[v.index()];
                let Origin::Constant(tensor) = &graph.values[root.index()].origin else {
                    slots.push(self.slots[&root]);
                    continue;
                };
                let tensor = tensor.as_ref().ok_or_else(|| {
                    Error::usage(format!(
                        "{}: weight `{}` has no values; load or make the weights first",
                        node.name,
                        graph.values[root.index()].name
                    ))
                })?;
                let tensor = tensor.reshape(graph.shape(*v))?;
                let slot = match node.op.pack(index, &tensor, &setting).at(&node.name)? {
                    Some(layout) => {
                        packed[index] = true;
                        self.constant(graph, root, &layout, &mut staged)?
                    }
                    None => match shared.get(&root) {
                        Some(slot) => *slot,
                        None => {
                            let slot = self.constant(graph, root, &tensor, &mut staged)?;
                            shared.insert(root, slot);
                            slot
                        }
                    },
                };
                slots.push(slot);
            }
            let mut dispatches = if node.op.is_view() {
                Vec::new()
            } else {
                record_node(graph, node, self.traits[i], &packed)?
            };
            if let Some(addend) = self.in_place[i] {
                dispatches = dispatches.into_iter().map(|d| d.in_place(addend)).collect();
            }
            dispatches.iter().for_each(|d| want(&node.name, d));
            recorded.push((dispatches, slots));
            self.options.progress("loading weights", i, graph.nodes.len());
        }
        // An output may be a constant itself, or a view of one.
        let outputs: Vec<Value> = graph.outputs.iter().map(|(_, v)| self.roots[v.index()]).collect();
        for root in outputs {
            if let Origin::Constant(Some(tensor)) = &graph.values[root.index()].origin
                && !shared.contains_key(&root)
            {
                shared.insert(root, self.constant(graph, root, tensor, &mut staged)?);
            }
        }
        for (v, root) in self.roots.clone().into_iter().enumerate() {
            // Views, of constants too, lie where their root does.
            if let Some(slot) = self.slots.get(&root).or_else(|| shared.get(&root)).copied() {
                self.slots.insert(Value(v as u32), slot);
            }
        }
        Ok(recorded)
    }

    /// The buffer of a dispatch's table, if it has one; a guard behind it is poisoned.
    fn table(&mut self, node: &str, words: &[u32]) -> Result<Option<wgpu::Buffer>> {
        if words.is_empty() {
            return Ok(None);
        }
        let mut bytes: Vec<u8> = bytemuck::cast_slice(words).to_vec();
        self.memory.weights += bytes.len() as u64;
        bytes.resize(bytes.len() + self.options.guard as usize, POISON);
        self.gpu.buffer_with(node, &bytes, wgpu::BufferUsages::STORAGE).map(Some)
    }

    /// Cuts long dispatches and makes the bind groups.
    fn bind(&mut self, graph: &Graph, recorded: &[Recorded]) -> Result<Vec<Vec<Launch>>> {
        let limit = self.options.work_limit.unwrap_or(default_work_limit(self.gpu));
        let most = self.gpu.limits().max_compute_workgroups_per_dimension;
        let widest = self.options.widest.map_or(most, |w| w.clamp(1, most)).into();
        let align = u64::from(self.gpu.limits().min_uniform_buffer_offset_alignment).max(16);

        // All params lie in one uniform buffer.
        let mut params: Vec<u8> = Vec::new();
        let mut cuts: Vec<Vec<Vec<(u64, Cut)>>> = Vec::new();
        for (node, (dispatches, _)) in graph.nodes.iter().zip(recorded) {
            let work = (graph.node_flops(node) + graph.node_bytes(node)) / (dispatches.len() as u64).max(1);
            let mut of_node = Vec::new();
            for dispatch in dispatches {
                let mut of_dispatch = Vec::new();
                for cut in cut(dispatch.groups, work, limit, widest) {
                    params.resize(params.len().next_multiple_of(align as usize), 0);
                    of_dispatch.push((params.len() as u64, cut));
                    let first = u32::try_from(cut.first).map_err(|_| {
                        Error::bad_input(format!("{}: {} workgroups", node.name, dispatch.groups))
                    })?;
                    params.extend_from_slice(bytemuck::bytes_of(&first));
                    params.extend_from_slice(&dispatch.params[4..]);
                }
                of_node.push(of_dispatch);
            }
            cuts.push(of_node);
        }
        params.resize(params.len().next_multiple_of(align as usize).max(16), 0);
        let uniform = self.gpu.buffer_with("params", &params, wgpu::BufferUsages::UNIFORM)?;
        let absent = self.gpu.buffer("absent", 16, wgpu::BufferUsages::STORAGE, false)?;

        let scratch = std::mem::take(&mut self.scratch);
        let mut launches = Vec::new();
        for (((node, (dispatches, slots)), cuts), scratch) in
            graph.nodes.iter().zip(recorded).zip(cuts).zip(scratch)
        {
            let mut of_node = Vec::new();
            for (dispatch, cuts) in dispatches.iter().zip(cuts) {
                let pipeline =
                    self.gpu.pipeline(dispatch.kernel, &dispatch.key, dispatch.fields).at(&node.name)?;
                let table = self.table(&node.name, &dispatch.table)?;
                for (at, cut) in cuts {
                    let group = self.gpu.scoped(&node.name, |device| {
                        let uniform = wgpu::BufferBinding {
                            buffer: &uniform,
                            offset: at,
                            size: std::num::NonZero::new(dispatch.params.len().next_multiple_of(16) as u64),
                        };
                        let mut entries = vec![wgpu::BindGroupEntry {
                            binding: 0,
                            resource: wgpu::BindingResource::Buffer(uniform),
                        }];
                        for (i, operand) in dispatch.operands.iter().enumerate() {
                            let of_slot = |slot: Slot| wgpu::BufferBinding {
                                buffer: &self.buffers[slot.buffer],
                                offset: slot.offset,
                                size: std::num::NonZero::new(self.padded(slot.size)),
                            };
                            let binding = match operand {
                                Operand::Input(i) => of_slot(slots[*i]),
                                Operand::Output(i) => of_slot(self.slots[&node.outputs[*i]]),
                                Operand::Scratch(i) => of_slot(scratch[*i]),
                                Operand::Table => {
                                    table.as_ref().unwrap_or(&absent).as_entire_buffer_binding()
                                }
                                Operand::Absent => absent.as_entire_buffer_binding(),
                                Operand::Unused => continue,
                            };
                            entries.push(wgpu::BindGroupEntry {
                                binding: i as u32 + 1,
                                resource: wgpu::BindingResource::Buffer(binding),
                            });
                        }
                        device.create_bind_group(&wgpu::BindGroupDescriptor {
                            label: Some(&node.name),
                            layout: &pipeline.get_bind_group_layout(0),
                            entries: &entries,
                        })
                    })?;
                    of_node.push(Launch {
                        pipeline: pipeline.clone(),
                        group,
                        x: cut.x,
                        y: cut.y,
                        work: cut.work,
                    });
                }
            }
            launches.push(of_node);
        }
        Ok(launches)
    }
}
