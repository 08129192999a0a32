//! A graph made ready for a GPU: memory placed, weights uploaded, pipelines compiled, dispatches cut into
//! submissions.

mod build;
mod compiling;
mod cut;
mod profile;
mod rows;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use half::f16;

use super::{Graph, MemorySummary, Origin, Outputs, PlanOptions, Precision, Value};
use crate::error::{At, Error, Result};
use crate::gpu::{Gpu, POISON, Reading};
use crate::tensor::{DType, Tensor};

use build::{Built, build};

/// Work (floating-point operations plus bytes moved) in one submission: well under the two seconds after which
/// Windows resets a GPU that is a hundred times slower than a desktop card.
const WORK_PER_SUBMISSION: u64 = 20_000_000_000;

/// The same for an adapter on the processor, which no watchdog guards: often enough for a progress bar.
const SOFTWARE_WORK_PER_SUBMISSION: u64 = 2_000_000_000;

/// What errors call the copies of outputs to the host.
const READ_BACK: &str = "read-back";

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

/// A run that has been submitted.
struct Started<'a> {
    /// The first node of the last submission of launches.
    last: Option<(&'a str, wgpu::SubmissionIndex)>,
    outputs: Reading,
}

/// A graph made ready for one GPU. Several threads may run it: the device takes one run after the other, and while it does
/// a thread prepares its inputs or waits for its outputs.
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

impl GpuPlan {
    pub(crate) fn new(gpu: &Gpu, graph: &Graph, options: &PlanOptions) -> Result<GpuPlan> {
        if options.precision == Precision::F16 && !gpu.has_f16() {
            return Err(Error::device(format!(
                "the device `{}` has no 16-bit floats in shaders; use --precision f32 or --device cpu",
                gpu.info().name
            )));
        }
        let graph = if options.fuse { graph.fused() } else { graph.clone() };
        let Built { buffers, slots, written, memory, launches } = build(gpu, &graph, options)?;
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
        let stored = self.stored(inputs)?;
        let started = {
            let _running = self.running();
            self.upload(&stored)?;
            self.start()?
        };
        self.finish(started)
    }

    /// Until this is dropped, no other thread writes the plan's memory or submits work that does.
    fn running(&self) -> MutexGuard<'_, ()> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a run and the copies of its outputs, which later runs do not touch.
    fn start(&self) -> Result<Started<'_>> {
        let last = self.execute()?;
        let outputs = self.download(&self.output_values())?;
        Ok(Started { last, outputs })
    }

    fn finish(&self, Started { last, outputs }: Started<'_>) -> Result<Outputs> {
        // Names the node where a device hangs.
        if let Some((node, index)) = last {
            self.gpu.wait(node, index)?;
        }
        let tensors = self.tensors(&self.output_values(), outputs)?;
        let names = self.graph.outputs.iter().map(|(n, _)| n.clone());
        Ok(Outputs::new(names.zip(tensors).collect()))
    }

    fn output_values(&self) -> Vec<Value> {
        self.graph.outputs.iter().map(|(_, v)| *v).collect()
    }

    /// Runs and gives the value of every node's outputs; the plan must keep them all.
    pub(crate) fn run_all(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Vec<Tensor>)>> {
        let stored = self.stored(inputs)?;
        let _running = self.running();
        self.upload(&stored)?;
        self.execute()?;
        let values = |values: &[Value]| self.tensors(values, self.download(values)?);
        self.graph.nodes.iter().map(|n| Ok((n.name.clone(), values(&n.outputs)?))).collect()
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

    /// The bytes of the inputs, in the graph's order, as the device stores them.
    fn stored(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Vec<u8>>> {
        let tensors = check_inputs(&self.graph, inputs)?;
        let stored = |(value, tensor): (&Value, Tensor)| {
            let mut stored = stored_bytes(&tensor, self.options.precision).into_owned();
            stored.resize(self.slots[value].size.next_multiple_of(4) as usize, 0);
            stored
        };
        Ok(self.graph.inputs.iter().zip(tensors).map(stored).collect())
    }

    fn upload(&self, stored: &[Vec<u8>]) -> Result<()> {
        if self.options.poison {
            for &i in &self.written {
                let bytes = vec![POISON; self.buffers[i].size() as usize];
                self.gpu.scoped("poison", |_| self.gpu.queue().write_buffer(&self.buffers[i], 0, &bytes))?;
            }
        }
        for (value, stored) in self.graph.inputs.iter().zip(stored) {
            let slot = self.slots[value];
            self.gpu.scoped("upload", |_| {
                self.gpu.queue().write_buffer(&self.buffers[slot.buffer], slot.offset, stored);
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

    /// One compute pass with these launches.
    fn commands<'a>(
        &self,
        what: &str,
        launches: impl IntoIterator<Item = &'a Launch>,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) -> Result<wgpu::CommandBuffer> {
        self.gpu.scoped(what, |device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass =
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            for launch in launches {
                launch.encode(&mut pass);
            }
            drop(pass);
            encoder.finish()
        })
    }

    /// Submits all launches; gives what was submitted last, which may not be done.
    fn execute(&self) -> Result<Option<(&str, wgpu::SubmissionIndex)>> {
        let chunks = self.chunks();
        let mut previous: Option<(&str, wgpu::SubmissionIndex)> = None;
        for (i, chunk) in chunks.iter().enumerate() {
            let Some(&(first, _)) = chunk.first() else { continue };
            let name = &self.graph.nodes[first].name;
            let launches = chunk.iter().map(|&(n, l)| &self.launches[n][l]);
            let commands = self.commands(name, launches, None)?;
            let index = self.gpu.submit(name, commands)?;
            // One submission stays in flight while the next is made.
            if let Some((name, index)) = previous.replace((name, index)) {
                self.gpu.wait(name, index)?;
            }
            self.options.progress("running", i, chunks.len());
        }
        Ok(previous)
    }

    fn download(&self, values: &[Value]) -> Result<Reading> {
        let ranges: Vec<_> = values
            .iter()
            .map(|v| {
                self.location(*v).ok_or_else(|| {
                    Error::internal(format!("`{}` has no memory", self.graph.values[v.index()].name))
                })
            })
            .collect::<Result<_>>()?;
        self.gpu.start_reading(READ_BACK, &ranges)
    }

    fn tensors(&self, values: &[Value], reading: Reading) -> Result<Vec<Tensor>> {
        let bytes = reading.finish(&self.gpu, READ_BACK)?;
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

/// The bytes of a tensor as the device stores them.
fn stored_bytes(tensor: &Tensor, precision: Precision) -> Cow<'_, [u8]> {
    if tensor.dtype() == DType::F32 && precision == Precision::F16 {
        Cow::Owned(tensor.to_f16().bytes().to_vec())
    } else {
        Cow::Borrowed(tensor.bytes())
    }
}
