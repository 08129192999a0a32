//! A check of the adapter itself, before its answers are believed.

use super::{Gpu, Params, PipelineKey};
use crate::error::Result;
use crate::kernel;

/// Iterations that the self-check's loop asks for.
const ITERATIONS: u32 = 300_000;

/// What the adapter does where drivers are known to differ.
#[derive(Debug, Clone, Copy)]
pub struct SelfCheck {
    /// How many of 300,000 loop iterations an invocation really made. Mesa 22.3's software Vulkan stops at
    /// 65,535 and says nothing; kernels here stay below 60,000.
    pub loop_iterations: u32,
    /// Whether `max(1, NaN)` is NaN.
    pub max_keeps_nan: bool,
    /// Whether subnormal floats survive a multiplication by one.
    pub keeps_subnormals: bool,
}

impl SelfCheck {
    /// Whether long loops are cut short.
    pub fn cuts_loops(&self) -> bool {
        self.loop_iterations < ITERATIONS
    }
}

crate::params! {
    struct CheckParams {
        iterations: u32,
        one: f32,
        nan: f32,
        subnormal: f32,
    }
}

impl Gpu {
    /// Tries the adapter. Takes well under a second.
    ///
    /// # Errors
    /// When the device cannot even do that.
    pub fn self_check(&self) -> Result<SelfCheck> {
        let kernel = kernel!("self_check");
        let params = CheckParams {
            iterations: ITERATIONS,
            one: 1.0,
            nan: f32::NAN,
            subnormal: f32::from_bits(0x0040_0000),
            ..CheckParams::default()
        };
        let key = PipelineKey {
            kernel: kernel.name,
            entry: "self_check",
            tunes: Default::default(),
            constants: Default::default(),
        };
        let pipeline = self.pipeline(&kernel, &key, CheckParams::FIELDS)?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let output = self.buffer("self-check", 16, usage, false)?;
        let uniform =
            self.buffer_with("self-check", bytemuck::bytes_of(&params), wgpu::BufferUsages::UNIFORM)?;
        let commands = self.scoped("self-check", |device| {
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("self-check"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: output.as_entire_binding() },
                ],
            });
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
            drop(pass);
            encoder.finish()
        })?;
        self.submit("self-check", commands)?;
        let bytes = self.read("self-check", &[(&output, 0, 16)])?;
        let words: Vec<u32> = bytes[0].chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        Ok(SelfCheck {
            loop_iterations: words[0],
            max_keeps_nan: f32::from_bits(words[1]).is_nan(),
            keeps_subnormals: words[2] != 0,
        })
    }
}
