//! What the device can do at best, measured: the two lines of a roofline.

use std::time::Instant;

use super::kernel::Tunes;
use super::{Gpu, Params, PipelineKey};
use crate::error::Result;
use crate::kernel;

/// Operations of one step of `peak_multiply_add`.
const OPERATIONS: f64 = 24.0;

/// Steps of one dispatch, and how many one turn makes: the better counts.
const STEPS: u32 = 1 << 14;
const STEPS_A_TURN: [u32; 2] = [4, 32];

/// Invocations of a workgroup.
const WORKGROUP: u64 = 256;

/// Bytes that are copied at a time: more than caches hold, and what every device binds.
const COPIED: u64 = 128 << 20;

/// A measurement is long enough to be believed from this many seconds on.
const LONG: f64 = 0.05;

/// How often each is measured; the best counts.
const ROUNDS: usize = 5;

/// What a device reaches in f32, measured by kernels that do nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Operations a second, a fused multiply-add counted as two, of values in registers.
    pub flops: f64,
    /// Bytes a second, read and written, of a copy too large for caches.
    pub bytes: f64,
}

impl Peak {
    /// The most operations a second that work of so many operations for each byte can reach.
    pub fn attainable(&self, intensity: f64) -> f64 {
        self.flops.min(intensity * self.bytes)
    }
}

crate::params! {
    struct PeakParams {
        turns: u32,
        vectors: u32,
        factor: f32,
        summand: f32,
    }
}

impl Gpu {
    /// Measures what the device can do at best. Takes about a second, more on software.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfMemory`] without room for two buffers of 128 MiB; when the device fails.
    pub fn peak(&self) -> Result<Peak> {
        let usage = wgpu::BufferUsages::STORAGE;
        let binding = self.limits().max_storage_buffer_binding_size;
        let copied = COPIED.min(binding).min(self.limits().max_buffer_size) / 16 * 16;
        let input = self.buffer("peak's input", copied, usage, false)?;
        let output = self.buffer("peak's output", copied, usage, false)?;
        let most =
            (copied / 16 / WORKGROUP).min(u64::from(self.limits().max_compute_workgroups_per_dimension));
        let most = most as u32;
        let flops = |groups: u32| f64::from(groups) * WORKGROUP as f64 * f64::from(STEPS) * OPERATIONS;
        let run = |entry, steps| Run { gpu: self, entry, steps, buffers: [&input, &output] };
        let [few, many] = STEPS_A_TURN.map(|steps| run("peak_multiply_add", steps).rate(most, flops));
        let flops = few?.max(many?);
        let copy = run("peak_copy", STEPS_A_TURN[0]);
        let bytes = copy.rate(most, |groups| 2.0 * f64::from(groups) * WORKGROUP as f64 * 16.0)?;
        Ok(Peak { flops, bytes })
    }
}

/// One of the kernels on its buffers.
struct Run<'a> {
    gpu: &'a Gpu,
    entry: &'static str,
    /// Of a turn.
    steps: u32,
    buffers: [&'a wgpu::Buffer; 2],
}

impl Run<'_> {
    /// The best rate, of work that `work` says for a number of workgroups. Few workgroups are tried first, for a
    /// processor takes seconds for what a GPU needs to be busy at all.
    fn rate(&self, most: u32, work: impl Fn(u32) -> f64) -> Result<f64> {
        // A copy of a part would stay in caches.
        let (mut groups, mut dispatches) = if self.entry == "peak_copy" { (most, 1) } else { (1, 1) };
        let mut best = 0.0f64;
        let mut left = ROUNDS;
        while left > 0 {
            let seconds = self.time(groups, dispatches)?;
            if seconds >= LONG || dispatches >= 1 << 14 {
                best = best.max(work(groups) * f64::from(dispatches) / seconds);
                left -= 1;
            } else if groups < most {
                groups = (groups * 2).min(most);
            } else {
                dispatches *= 2;
            }
        }
        Ok(best)
    }

    /// Seconds of some dispatches, one after the other.
    fn time(&self, groups: u32, dispatches: u32) -> Result<f64> {
        let kernel = kernel!("peak");
        let params = PeakParams {
            turns: STEPS / self.steps,
            vectors: (self.buffers[0].size() / 16) as u32,
            factor: 0.75,
            summand: 0.25,
            ..PeakParams::default()
        };
        let key = PipelineKey {
            kernel: kernel.name,
            entry: self.entry,
            tunes: Tunes::from([("STEPS", format!("{}u", self.steps).into())]),
            constants: Default::default(),
        };
        let pipeline = self.gpu.pipeline(&kernel, &key, PeakParams::FIELDS)?;
        let uniform =
            self.gpu.buffer_with("peak", bytemuck::bytes_of(&params), wgpu::BufferUsages::UNIFORM)?;
        let commands = self.gpu.scoped("peak", |device| {
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("peak"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: self.buffers[0].as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 2, resource: self.buffers[1].as_entire_binding() },
                ],
            });
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            for _ in 0..dispatches {
                pass.dispatch_workgroups(groups, 1, 1);
            }
            drop(pass);
            encoder.finish()
        })?;
        let start = Instant::now();
        let index = self.gpu.submit("peak", commands)?;
        self.gpu.wait("peak", index)?;
        Ok(start.elapsed().as_secs_f64())
    }
}
