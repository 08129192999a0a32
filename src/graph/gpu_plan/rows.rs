//! Inputs that stay on the device between runs, and rows of them that change.

use super::{GpuPlan, Slot};
use crate::error::{Error, Result};
use crate::graph::{Outputs, Precision};
use crate::tensor::Tensor;

impl GpuPlan {
    /// Uploads all inputs, for [`GpuPlan::run_again`].
    pub(in crate::graph) fn set(&self, inputs: &[(&str, Tensor)]) -> Result<()> {
        let stored = self.stored(inputs)?;
        let _running = self.running();
        self.upload(&stored)
    }

    /// Runs on the inputs that are on the device.
    pub(in crate::graph) fn run_again(&self) -> Result<Outputs> {
        let started = {
            let _running = self.running();
            self.start()?
        };
        self.finish(started)
    }

    /// Overwrites an input from `start` on along its first axis.
    pub(in crate::graph) fn write_rows(&self, name: &str, start: usize, rows: &Tensor) -> Result<()> {
        let _running = self.running();
        let (slot, row) = self.input_slot(name)?;
        let bytes = rows.bytes();
        let offset = start as u64 * row;
        if offset + bytes.len() as u64 > slot.size {
            return Err(Error::internal(format!("rows outside the input `{name}`")));
        }
        self.gpu.scoped("upload", |_| {
            self.gpu.queue().write_buffer(&self.buffers[slot.buffer], slot.offset + offset, bytes);
        })
    }

    /// Copies all of one input into another, from `start` on along the first axis.
    pub(in crate::graph) fn copy_rows(&self, from: &str, to: &str, start: usize) -> Result<()> {
        let _running = self.running();
        let (source, _) = self.input_slot(from)?;
        let (slot, row) = self.input_slot(to)?;
        let offset = start as u64 * row;
        if offset + source.size > slot.size || source.buffer == slot.buffer {
            return Err(Error::internal(format!("`{from}` cannot be copied into `{to}`")));
        }
        let commands = self.gpu.scoped("copy", |device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let (a, b) = (&self.buffers[source.buffer], &self.buffers[slot.buffer]);
            encoder.copy_buffer_to_buffer(a, source.offset, b, slot.offset + offset, source.size);
            encoder.finish()
        })?;
        self.gpu.submit("copy", commands).map(drop)
    }

    /// Where an input of f32 lies, and the bytes of what its first axis counts.
    fn input_slot(&self, name: &str) -> Result<(Slot, u64)> {
        let value = self.graph.inputs.iter().find(|v| self.graph.values[v.index()].name == name);
        let value = value.ok_or_else(|| Error::internal(format!("no input `{name}`")))?;
        if self.options.precision != Precision::F32 {
            return Err(Error::internal("rows of inputs are for plans of f32"));
        }
        let rows = self.graph.shape(*value).first().copied().unwrap_or(1);
        let slot = self.slots[value];
        Ok((slot, slot.size / rows.max(1) as u64))
    }
}
