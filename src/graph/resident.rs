//! A plan whose inputs stay on the device from run to run.

use super::{Outputs, Plan};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A plan of f32 tensors whose inputs stay where it runs; what changes is written in place.
#[derive(Debug)]
pub(crate) struct Resident {
    plan: Plan,
    /// The inputs, where the processor runs.
    host: Vec<(&'static str, Tensor)>,
}

impl Resident {
    /// Uploads all inputs once.
    pub(crate) fn new(plan: Plan, inputs: Vec<(&'static str, Tensor)>) -> Result<Resident> {
        let host = match &plan {
            Plan::Gpu(gpu) => {
                gpu.set(&inputs)?;
                Vec::new()
            }
            Plan::Cpu(_) => inputs,
        };
        Ok(Resident { plan, host })
    }

    /// Overwrites an input from `start` on along its first axis.
    pub(crate) fn write(&mut self, name: &str, start: usize, rows: &Tensor) -> Result<()> {
        match &self.plan {
            Plan::Gpu(gpu) => gpu.write_rows(name, start, rows),
            Plan::Cpu(_) => {
                let input = find(&mut self.host, name)?;
                let each: usize = rows.shape().iter().skip(1).product();
                let mut values = input.f32s()?.to_vec();
                let place = values.get_mut(start * each..start * each + rows.shape().elements());
                place.ok_or_else(|| outside(name))?.copy_from_slice(rows.f32s()?);
                *input = Tensor::new(input.shape(), values)?;
                Ok(())
            }
        }
    }

    /// Copies all of one input into another, from `start` on along the first axis, without the host.
    pub(crate) fn copy(&mut self, from: &str, to: &str, start: usize) -> Result<()> {
        match &self.plan {
            Plan::Gpu(gpu) => gpu.copy_rows(from, to, start),
            Plan::Cpu(_) => {
                let rows = find(&mut self.host, from)?.clone();
                self.write(to, start, &rows)
            }
        }
    }

    /// Runs on the inputs as they are.
    pub(crate) fn run(&self) -> Result<Outputs> {
        match &self.plan {
            Plan::Gpu(gpu) => gpu.run_again(),
            Plan::Cpu(cpu) => cpu.run(&self.host),
        }
    }
}

fn find<'a>(host: &'a mut [(&'static str, Tensor)], name: &str) -> Result<&'a mut Tensor> {
    let found = host.iter_mut().find(|(n, _)| *n == name).map(|(_, t)| t);
    found.ok_or_else(|| Error::internal(format!("no input `{name}`")))
}

fn outside(name: &str) -> Error {
    Error::internal(format!("rows outside the input `{name}`"))
}
