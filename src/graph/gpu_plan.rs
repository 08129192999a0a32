//! A graph made ready for a GPU: memory placed, weights uploaded, pipelines compiled, dispatches cut into
//! submissions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use half::f16;

use super::arena::{self, Region};
use super::{Dispatch, Graph, Operand, Origin, Outputs, PlanOptions, Precision, Timing, Value, record_node};
use crate::error::{At, Error, Result};
use crate::gpu::{Gpu, POISON};
use crate::tensor::{DType, Tensor};

/// Offsets of storage bindings: the largest alignment that any device asks for.
const ALIGN: u64 = 256;

/// Work (floating-point operations plus bytes moved) in one submission: well under the two seconds after which
/// Windows resets a GPU that is a hundred times slower than a desktop card.
const WORK_PER_SUBMISSION: u64 = 20_000_000_000;

/// The same for an adapter on the processor, which no watchdog guards: often enough for a progress bar.
const SOFTWARE_WORK_PER_SUBMISSION: u64 = 2_000_000_000;

/// Weights waiting for their copy to the device at most.
const STAGED_BYTES: u64 = 64 << 20;

/// What a plan holds on its device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySummary {
    /// Bytes of constants, as laid out for the kernels.
    pub weights: u64,
    /// Bytes of inputs, outputs and intermediate tensors as planned.
    pub activations: u64,
    /// The largest sum of inputs, outputs and intermediate tensors alive at once: no plan can be smaller.
    pub alive: u64,
}

/// Where a value lies on the device.
#[derive(Debug, Clone, Copy)]
struct Slot {
    buffer: usize,
    offset: u64,
    /// Bytes of the tensor itself; a guard may follow.
    size: u64,
}

struct Launch {
    pipeline: std::sync::Arc<wgpu::ComputePipeline>,
    group: wgpu::BindGroup,
    x: u32,
    y: u32,
    work: u64,
}

/// A graph made ready for one GPU. Runs of one plan are serialised.
pub struct GpuPlan {
    gpu: Gpu,
    graph: Graph,
    options: PlanOptions,
    buffers: Vec<wgpu::Buffer>,
    slots: HashMap<Value, Slot>,
    /// The buffers that poisoning fills: all that nodes write.
    written: Vec<usize>,
    /// The launches of each node.
    launches: Vec<Vec<Launch>>,
    memory: MemorySummary,
    running: Mutex<()>,
}

/// A value's memory: itself, or for a view what it looks at.
fn roots(graph: &Graph) -> Vec<Value> {
    let mut roots: Vec<Value> = (0..graph.values.len() as u32).map(Value).collect();
    for node in graph.nodes.iter().filter(|n| n.op.is_view()) {
        roots[node.outputs[0].index()] = roots[node.inputs[0].index()];
    }
    roots
}

impl GpuPlan {
    pub(crate) fn new(gpu: &Gpu, graph: &Graph, options: &PlanOptions) -> Result<GpuPlan> {
        if options.precision == Precision::F16 && !gpu.has_f16() {
            return Err(Error::device(format!(
                "the device `{}` has no 16-bit floats in shaders; use --precision f32 or --device cpu",
                gpu.info().name
            )));
        }
        let graph = if options.fuse { graph.fused() } else { graph.clone() };
        let mut builder = Builder {
            gpu,
            roots: roots(&graph),
            options,
            buffers: Vec::new(),
            slots: HashMap::new(),
            written: Vec::new(),
            memory: MemorySummary::default(),
        };
        builder.place(&graph)?;
        let launches = builder.launches(&graph)?;
        let Builder { buffers, slots, written, memory, .. } = builder;
        let mut graph = graph;
        for value in &mut graph.values {
            // The device holds the weights now.
            if let Origin::Constant(tensor) = &mut value.origin {
                *tensor = None;
            }
        }
        Ok(GpuPlan {
            gpu: gpu.clone(),
            graph,
            options: options.clone(),
            buffers,
            slots,
            written,
            launches,
            memory,
            running: Mutex::new(()),
        })
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// What the plan holds on the device.
    pub fn memory(&self) -> MemorySummary {
        self.memory
    }

    /// How many dispatches one run makes.
    pub fn dispatches(&self) -> usize {
        self.launches.iter().map(Vec::len).sum()
    }

    /// How many submissions one run makes.
    pub fn submissions(&self) -> usize {
        self.chunks().len()
    }

    /// The buffer, offset and length in bytes of an input, for a host program that fills it on the device
    /// before [`GpuPlan::encode`].
    pub fn input_buffer(&self, name: &str) -> Option<(&wgpu::Buffer, u64, u64)> {
        let value = self.graph.inputs.iter().find(|v| self.graph.values[v.index()].name == name)?;
        self.location(*value)
    }

    /// The buffer, offset and length in bytes of an output. Its content is valid once the submission of
    /// [`GpuPlan::encode`] is done, until the next.
    pub fn output_buffer(&self, name: &str) -> Option<(&wgpu::Buffer, u64, u64)> {
        self.location(self.graph.outputs.iter().find(|(n, _)| n == name)?.1)
    }

    fn location(&self, value: Value) -> Option<(&wgpu::Buffer, u64, u64)> {
        self.slots.get(&value).map(|s| (&self.buffers[s.buffer], s.offset, s.size))
    }

    /// Records the whole graph into the host program's own encoder. Long graphs are better run with
    /// [`GpuPlan::run`], which cuts them into submissions that no driver's watchdog minds.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for launch in self.launches.iter().flatten() {
            launch.encode(&mut pass);
        }
    }

    /// Uploads the inputs, runs the graph and gives the outputs as f32 (or i32) tensors.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for missing, unknown or misshapen inputs; [`crate::ErrorKind::Device`]
    /// when the device is lost or hangs.
    pub fn run(&self, inputs: &[(&str, Tensor)]) -> Result<Outputs> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.upload(inputs)?;
        self.execute()?;
        let values: Vec<Value> = self.graph.outputs.iter().map(|(_, v)| *v).collect();
        let tensors = self.download(&values)?;
        let names = self.graph.outputs.iter().map(|(n, _)| n.clone());
        Ok(Outputs::new(names.zip(tensors).collect()))
    }

    /// Like [`GpuPlan::run`], and gives how long each node took. Nodes run one by one for this, so the sum is
    /// a little above the time of a plain run.
    ///
    /// # Errors
    /// As [`GpuPlan::run`].
    pub fn profile(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Timing>> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.upload(inputs)?;
        let seconds = if self.gpu.has_timestamps() { self.time_on_device()? } else { self.time_by_clock()? };
        Ok(self
            .graph
            .nodes
            .iter()
            .zip(seconds)
            .map(|(node, seconds)| Timing {
                node: node.name.clone(),
                op: node.op.name(),
                seconds,
                flops: self.graph.node_flops(node),
                bytes: self.graph.node_bytes(node),
            })
            .collect())
    }

    /// Runs and gives the value of every node's outputs; the plan must keep them all.
    pub(crate) fn run_all(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Vec<Tensor>)>> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.upload(inputs)?;
        self.execute()?;
        let nodes = self.graph.nodes.iter();
        nodes.map(|n| Ok((n.name.clone(), self.download(&n.outputs)?))).collect()
    }

    /// Every place where guard bytes after a written tensor were changed: the names of the tensors.
    pub(crate) fn broken_guards(&self) -> Result<Vec<String>> {
        let mut broken = Vec::new();
        for node in &self.graph.nodes {
            for value in node.outputs.iter().filter(|_| !node.op.is_view()) {
                let Some(slot) = self.slots.get(value) else { continue };
                let from = slot.offset + slot.size.next_multiple_of(4);
                let guard = (&self.buffers[slot.buffer], from, self.options.guard);
                let bytes = &self.gpu.read("guard", &[guard])?[0];
                // A size that is no multiple of 4 leaves padding, which belongs to nobody.
                if bytes.iter().any(|&b| b != POISON) {
                    broken.push(self.graph.values[value.index()].name.clone());
                }
            }
        }
        Ok(broken)
    }

    fn upload(&self, inputs: &[(&str, Tensor)]) -> Result<()> {
        let tensors = check_inputs(&self.graph, inputs)?;
        if self.options.poison {
            for &i in &self.written {
                let bytes = vec![POISON; self.buffers[i].size() as usize];
                self.gpu.scoped("poison", |_| self.gpu.queue().write_buffer(&self.buffers[i], 0, &bytes))?;
            }
        }
        for (value, tensor) in self.graph.inputs.iter().zip(tensors) {
            let slot = self.slots[value];
            let mut stored = stored_bytes(&tensor, self.options.precision);
            stored.resize(slot.size.next_multiple_of(4) as usize, 0);
            self.gpu.scoped("upload", |_| {
                self.gpu.queue().write_buffer(&self.buffers[slot.buffer], slot.offset, &stored);
            })?;
        }
        Ok(())
    }

    /// Ranges of nodes' launches that go into one submission each.
    fn chunks(&self) -> Vec<Vec<(usize, usize)>> {
        let limit = self.options.work_limit.unwrap_or(default_work_limit(&self.gpu));
        let mut chunks = vec![Vec::new()];
        let mut work = 0u64;
        for (n, launches) in self.launches.iter().enumerate() {
            for (l, launch) in launches.iter().enumerate() {
                if work > 0 && work.saturating_add(launch.work) > limit {
                    chunks.push(Vec::new());
                    work = 0;
                }
                work = work.saturating_add(launch.work);
                if let Some(chunk) = chunks.last_mut() {
                    chunk.push((n, l));
                }
            }
        }
        chunks
    }

    fn execute(&self) -> Result<()> {
        let chunks = self.chunks();
        let mut previous = None;
        for (i, chunk) in chunks.iter().enumerate() {
            let Some(&(first, _)) = chunk.first() else { continue };
            let name = &self.graph.nodes[first].name;
            let commands = self.gpu.scoped(name, |device| {
                let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for &(n, l) in chunk {
                    self.launches[n][l].encode(&mut pass);
                }
                drop(pass);
                encoder.finish()
            })?;
            let index = self.gpu.submit(name, commands)?;
            // One submission stays in flight while the next is made.
            if let Some((name, index)) = previous.replace((name, index)) {
                self.gpu.wait(name, index)?;
            }
            self.options.progress("running", i, chunks.len());
        }
        match previous {
            Some((name, index)) => self.gpu.wait(name, index),
            None => Ok(()),
        }
    }

    fn time_on_device(&self) -> Result<Vec<f64>> {
        // 4,096 queries is the most that WebGPU allows in one set.
        let mut seconds = Vec::new();
        for nodes in self.launches.chunks(2048) {
            seconds.extend(self.time_nodes(nodes)?);
        }
        Ok(seconds)
    }

    fn time_nodes(&self, nodes: &[Vec<Launch>]) -> Result<Vec<f64>> {
        let count = 2 * nodes.len() as u32;
        let bytes = u64::from(count) * 8;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.gpu.buffer("timestamps", bytes, usage, false)?;
        let queries = self.gpu.scoped("timestamps", |d| {
            d.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count,
            })
        })?;
        for (i, launches) in nodes.iter().enumerate() {
            let commands = self.gpu.scoped("profiling", |device| {
                let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &queries,
                        beginning_of_pass_write_index: Some(2 * i as u32),
                        end_of_pass_write_index: Some(2 * i as u32 + 1),
                    }),
                });
                for launch in launches {
                    launch.encode(&mut pass);
                }
                drop(pass);
                encoder.finish()
            })?;
            let index = self.gpu.submit("profiling", commands)?;
            self.gpu.wait("profiling", index)?;
        }
        let commands = self.gpu.scoped("timestamps", |device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
            encoder.finish()
        })?;
        self.gpu.submit("timestamps", commands)?;
        let read = self.gpu.read("timestamps", &[(&resolved, 0, bytes)])?;
        let ticks: Vec<u64> = read[0].chunks_exact(8).map(bytemuck::pod_read_unaligned).collect();
        let period = f64::from(self.gpu.queue().get_timestamp_period()) * 1e-9;
        Ok(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * period).collect())
    }

    fn time_by_clock(&self) -> Result<Vec<f64>> {
        let mut seconds = Vec::new();
        for launches in &self.launches {
            let start = Instant::now();
            let commands = self.gpu.scoped("profiling", |device| {
                let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for launch in launches {
                    launch.encode(&mut pass);
                }
                drop(pass);
                encoder.finish()
            })?;
            let index = self.gpu.submit("profiling", commands)?;
            self.gpu.wait("profiling", index)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(seconds)
    }

    fn download(&self, values: &[Value]) -> Result<Vec<Tensor>> {
        let ranges: Vec<_> = values
            .iter()
            .map(|v| {
                self.location(*v).ok_or_else(|| {
                    Error::internal(format!("`{}` has no memory", self.graph.values[v.index()].name))
                })
            })
            .collect::<Result<_>>()?;
        let bytes = self.gpu.read("read-back", &ranges)?;
        values.iter().zip(bytes).map(|(v, b)| self.tensor(*v, &b)).collect()
    }

    fn tensor(&self, value: Value, bytes: &[u8]) -> Result<Tensor> {
        let ty = self.graph.ty(value);
        match (ty.dtype, self.options.precision) {
            (DType::I32, _) => {
                let v: Vec<i32> = bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
                Tensor::new(&ty.shape, v)
            }
            (_, Precision::F32) => {
                let v: Vec<f32> = bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
                Tensor::new(&ty.shape, v)
            }
            (_, Precision::F16) => {
                let v: Vec<f32> =
                    bytes.chunks_exact(2).map(|b| bytemuck::pod_read_unaligned::<f16>(b).to_f32()).collect();
                Tensor::new(&ty.shape, v)
            }
        }
    }
}

impl Launch {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.x, self.y, 1);
    }
}

impl fmt::Debug for GpuPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuPlan")
            .field("gpu", &self.gpu)
            .field("nodes", &self.graph.nodes.len())
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

fn default_work_limit(gpu: &Gpu) -> u64 {
    if gpu.is_software() { SOFTWARE_WORK_PER_SUBMISSION } else { WORK_PER_SUBMISSION }
}

/// The inputs in the graph's order.
pub(super) fn check_inputs(graph: &Graph, inputs: &[(&str, Tensor)]) -> Result<Vec<Tensor>> {
    let names: Vec<&str> = graph.inputs().map(|(n, _)| n).collect();
    if let Some((unknown, _)) = inputs.iter().find(|(n, _)| !names.contains(n)) {
        return Err(Error::bad_input(format!(
            "the graph has no input `{unknown}`; its inputs are {}",
            names.join(", ")
        )));
    }
    graph
        .inputs()
        .map(|(name, ty)| {
            let (_, tensor) = inputs
                .iter()
                .find(|(n, _)| *n == name)
                .ok_or_else(|| Error::bad_input(format!("no tensor was given for input `{name}`")))?;
            if tensor.shape() != &ty.shape {
                return Err(Error::bad_input(format!(
                    "input `{name}` must be {}, the tensor given is {}",
                    ty.shape,
                    tensor.shape()
                )));
            }
            match ty.dtype {
                DType::I32 => tensor.i32s().map(|_| tensor.clone()).at(format_args!("input `{name}`")),
                _ => Ok(tensor.to_f32()),
            }
        })
        .collect()
}

/// Bytes of one element as stored on the device.
fn element_size(dtype: DType, precision: Precision) -> u64 {
    if dtype == DType::F32 && precision == Precision::F16 { 2 } else { 4 }
}

fn stored_bytes(tensor: &Tensor, precision: Precision) -> Vec<u8> {
    if tensor.dtype() == DType::F32 && precision == Precision::F16 {
        tensor.to_f16().bytes().to_vec()
    } else {
        tensor.bytes().to_vec()
    }
}

struct Builder<'a> {
    gpu: &'a Gpu,
    roots: Vec<Value>,
    options: &'a PlanOptions,
    buffers: Vec<wgpu::Buffer>,
    slots: HashMap<Value, Slot>,
    written: Vec<usize>,
    memory: MemorySummary,
}

impl Builder<'_> {
    fn size(&self, graph: &Graph, value: Value) -> u64 {
        let ty = graph.ty(value);
        ty.shape.elements() as u64 * element_size(ty.dtype, self.options.precision)
    }

    fn padded(&self, size: u64) -> u64 {
        size.next_multiple_of(4) + self.options.guard
    }

    /// Gives every input, output and intermediate value its memory.
    fn place(&mut self, graph: &Graph) -> Result<()> {
        let mut made_by: HashMap<Value, usize> = HashMap::new();
        let mut last_read: HashMap<Value, usize> = HashMap::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            for v in &node.inputs {
                last_read.insert(self.roots[v.index()], i);
            }
            for v in node.outputs.iter().filter(|v| self.roots[v.index()] == **v) {
                made_by.insert(*v, i);
            }
        }
        let outside: Vec<Value> = graph.outputs.iter().map(|(_, v)| self.roots[v.index()]).collect();
        let is_outside = |v: &Value| outside.contains(v) || self.options.keep_all;

        let mut inner: Vec<Value> = made_by.keys().filter(|v| !is_outside(v)).copied().collect();
        inner.sort_unstable();
        let at: HashMap<Value, usize> = inner.iter().enumerate().map(|(i, v)| (*v, i)).collect();
        let mut regions: Vec<Region> = inner
            .iter()
            .map(|v| {
                let born = made_by[v];
                let size = self.padded(self.size(graph, *v));
                Region { size, life: born..=last_read.get(v).copied().unwrap_or(born), apart: Vec::new() }
            })
            .collect();
        for node in graph.nodes.iter().filter(|n| !n.op.is_view()) {
            for (i, written) in node.outputs.iter().enumerate() {
                let touched = node.inputs.iter().chain(&node.outputs[..i]);
                for other in touched.map(|v| self.roots[v.index()]) {
                    if let (Some(&a), Some(&b)) = (at.get(written), at.get(&other)) {
                        regions[a].apart.push(b);
                        regions[b].apart.push(a);
                    }
                }
            }
        }
        let limit = self.gpu.limits().max_buffer_size;
        let arena = arena::place(&regions, ALIGN, limit);

        // Inputs and outputs have buffers of their own, which the host program may use in place.
        let mut own: Vec<Value> = graph.inputs.clone();
        own.extend(made_by.keys().filter(|v| is_outside(v)));
        own.sort_unstable();
        self.memory.activations = arena.buffers.iter().sum::<u64>()
            + own.iter().map(|v| self.padded(self.size(graph, *v))).sum::<u64>();
        let mut everything = regions.clone();
        everything.extend(own.iter().map(|v| {
            let from = made_by.get(v).copied().unwrap_or(0);
            let to = if is_outside(v) { graph.nodes.len() } else { last_read.get(v).copied().unwrap_or(0) };
            Region { size: self.padded(self.size(graph, *v)), life: from..=to, apart: Vec::new() }
        }));
        self.memory.alive = arena::peak(&everything);
        self.memory.weights = graph
            .values
            .iter()
            .enumerate()
            .filter(|(i, v)| v.origin_is_constant() && last_read.contains_key(&Value(*i as u32)))
            .map(|(i, _)| self.size(graph, Value(i as u32)))
            .sum();
        self.check_budget(graph, &own, &inner)?;

        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        for size in &arena.buffers {
            self.written.push(self.buffers.len());
            self.buffers.push(self.gpu.buffer("intermediate tensors", *size, usage, false)?);
        }
        for (v, place) in inner.iter().zip(&arena.places) {
            let slot = Slot { buffer: place.buffer, offset: place.offset, size: self.size(graph, *v) };
            self.slots.insert(*v, slot);
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
            if made_by.contains_key(&v) {
                self.written.push(self.buffers.len());
            }
            self.buffers.push(buffer);
        }
        Ok(())
    }

    /// Before anything is allocated: does every tensor fit a binding, and the whole the memory?
    fn check_budget(&self, graph: &Graph, own: &[Value], inner: &[Value]) -> Result<()> {
        let advice = "use a smaller input, --precision f16 or --device cpu";
        let limit = self.gpu.limits().max_storage_buffer_binding_size;
        let constants = (0..graph.values.len() as u32).map(Value).filter(|v| {
            graph.values[v.index()].origin_is_constant() && graph.nodes.iter().any(|n| n.inputs.contains(v))
        });
        for v in own.iter().chain(inner).copied().chain(constants) {
            let size = self.padded(self.size(graph, v));
            if size > limit {
                let value = &graph.values[v.index()];
                return Err(Error::out_of_memory(format!(
                    "{}: tensor {} takes {size} bytes, the device `{}` binds at most {limit}; {advice}",
                    value.name,
                    value.ty.shape,
                    self.gpu.info().name
                )));
            }
        }
        let total = self.memory.weights + self.memory.activations;
        let budget = self.options.memory_limit.unwrap_or(u64::MAX).min(self.gpu.memory_limit());
        if total > budget {
            return Err(Error::out_of_memory(format!(
                "the plan needs {total} bytes ({} for weights, {} for activations), {budget} are allowed; {advice}",
                self.memory.weights, self.memory.activations
            )));
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
        bytes.resize(bound as usize, POISON);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.gpu.buffer_with(name, &bytes, usage)?;
        drop(bytes);
        *staged += size;
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

    fn launches(&mut self, graph: &Graph) -> Result<Vec<Vec<Launch>>> {
        let traits = self.options.traits(self.gpu);
        let mut staged = 0;
        let mut shared: HashMap<Value, Slot> = HashMap::new();
        // Dispatches and the memory of the inputs of each node.
        let mut recorded: Vec<(Vec<Dispatch>, Vec<Slot>)> = Vec::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            let mut packed = vec![false; node.inputs.len()];
            let mut slots = Vec::new();
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
                let slot = match node.op.pack(index, &tensor).at(&node.name)? {
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
            let dispatches =
                if node.op.is_view() { Vec::new() } else { record_node(graph, node, traits, &packed)? };
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
        self.bind(graph, &recorded)
    }

    /// Compiles the pipelines and makes the bind groups, cutting long dispatches.
    fn bind(&mut self, graph: &Graph, recorded: &[(Vec<Dispatch>, Vec<Slot>)]) -> Result<Vec<Vec<Launch>>> {
        let total: usize = recorded.iter().map(|(d, _)| d.len()).sum();
        let limit = self.options.work_limit.unwrap_or(default_work_limit(self.gpu));
        let widest = self.gpu.limits().max_compute_workgroups_per_dimension.into();
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

        let mut done = 0;
        let mut launches = Vec::new();
        for ((node, (dispatches, slots)), cuts) in graph.nodes.iter().zip(recorded).zip(cuts) {
            let mut of_node = Vec::new();
            for (dispatch, cuts) in dispatches.iter().zip(cuts) {
                let pipeline =
                    self.gpu.pipeline(dispatch.kernel, &dispatch.key, dispatch.fields).at(&node.name)?;
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
                            let slot = match operand {
                                Operand::Input(i) => Some(slots[*i]),
                                Operand::Output(i) => Some(self.slots[&node.outputs[*i]]),
                                Operand::Absent => None,
                            };
                            let binding = match slot {
                                Some(slot) => wgpu::BufferBinding {
                                    buffer: &self.buffers[slot.buffer],
                                    offset: slot.offset,
                                    size: std::num::NonZero::new(self.padded(slot.size)),
                                },
                                None => absent.as_entire_buffer_binding(),
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
                self.options.progress("compiling kernels", done, total);
                done += 1;
            }
            launches.push(of_node);
        }
        self.options.progress("compiling kernels", total, total);
        Ok(launches)
    }
}

/// A part of a row of workgroups: `x·y` of them from `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    first: u64,
    x: u32,
    y: u32,
    work: u64,
}

/// Cuts a row of workgroups so that no part has more than `limit` of the work or a dimension above `widest`.
fn cut(groups: u64, work: u64, limit: u64, widest: u64) -> Vec<Cut> {
    let parts = work.div_ceil(limit.max(1)).clamp(1, groups.max(1));
    let step = groups.div_ceil(parts).max(1);
    let mut cuts = Vec::new();
    let mut first = 0;
    while first < groups {
        let len = step.min(groups - first);
        // Whole rows of the widest dimension, then what is left of the last.
        let (x, y) = if len <= widest { (len, 1) } else { (widest, (len / widest).min(widest)) };
        let share = (u128::from(work) * u128::from(x * y) / u128::from(groups)) as u64;
        cuts.push(Cut { first, x: x as u32, y: y as u32, work: share });
        first += x * y;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cuts_cover_the_row_once(groups in 1u64..10_000_000, work in 0u64..1 << 40, limit in 1u64..1 << 40) {
            let cuts = cut(groups, work, limit, 65_535);
            prop_assume!(cuts.len() < 100_000);
            let mut next = 0;
            for c in &cuts {
                prop_assert_eq!(c.first, next);
                prop_assert!(c.x <= 65_535 && c.y <= 65_535);
                next += u64::from(c.x) * u64::from(c.y);
            }
            prop_assert_eq!(next, groups);
        }
    }

    #[test]
    fn wide_rows_are_folded_and_long_work_is_cut() {
        let rows = |c: Vec<Cut>| c.iter().map(|c| (c.first, c.x, c.y)).collect::<Vec<_>>();
        assert_eq!(rows(cut(65_535, 0, 1, 65_535)), [(0, 65_535, 1)]);
        assert_eq!(rows(cut(65_536, 0, 1, 65_535)), [(0, 65_535, 1), (65_535, 1, 1)]);
        assert_eq!(rows(cut(10, 100, 30, 65_535)), [(0, 3, 1), (3, 3, 1), (6, 3, 1), (9, 1, 1)]);
    }
}
