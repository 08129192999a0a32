//! Pipelines: one per kernel entry point, tune values and override constants, compiled once per device.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::{Expanded, Gpu, Kernel, Tunes};
use crate::error::{At, Error, Result};

/// Everything that makes one pipeline differ from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PipelineKey {
    pub(crate) kernel: &'static str,
    pub(crate) entry: &'static str,
    pub(crate) tunes: Tunes,
    /// Override constants as bit patterns of f64.
    pub(crate) constants: BTreeMap<&'static str, u64>,
}

impl Gpu {
    /// Whether a pipeline is compiled already.
    pub(crate) fn has_pipeline(&self, key: &PipelineKey) -> bool {
        self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// The pipeline of a kernel's entry point, compiled if this is its first use.
    pub(crate) fn pipeline(
        &self,
        kernel: &Kernel,
        key: &PipelineKey,
        fields: &[(&'static str, usize)],
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        let cache = || self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = cache().get(key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(self.compile(kernel, key, fields).at(format_args!("kernel {}", key.entry))?);
        cache().insert(key.clone(), pipeline.clone());
        Ok(pipeline)
    }

    fn compile(
        &self,
        kernel: &Kernel,
        key: &PipelineKey,
        fields: &[(&'static str, usize)],
    ) -> Result<wgpu::ComputePipeline> {
        let expanded = kernel.expand(&key.tunes)?;
        let entries = inspect(kernel, &expanded, key.entry, fields)?;
        let constants: Vec<_> = key.constants.iter().map(|(k, v)| (*k, f64::from_bits(*v))).collect();
        let kept = self.0.kept.get();
        let pipeline = self.scoped("compiling", |device| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(key.entry),
                source: wgpu::ShaderSource::Wgsl(expanded.source.as_str().into()),
            });
            let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(key.entry),
                entries: &entries,
            });
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(key.entry),
                bind_group_layouts: &[Some(&group)],
                ..Default::default()
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(key.entry),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(key.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants,
                    ..Default::default()
                },
                cache: kept.map(|kept| &kept.cache),
            })
        });
        if let Some(kept) = kept {
            kept.compiled();
        }
        let pipeline = pipeline?;
        if self.is_software() {
            self.launch_nothing(&pipeline, &entries)?;
        }
        Ok(pipeline)
    }

    /// Launches no workgroup of a pipeline: Mesa's llvmpipe compiles a kernel when it is first launched, in a thread of its own,
    /// which so begins now and not when a plan first runs.
    fn launch_nothing(
        &self,
        pipeline: &wgpu::ComputePipeline,
        entries: &[wgpu::BindGroupLayoutEntry],
    ) -> Result<()> {
        let commands = self.scoped("compiling", |device| {
            let buffer = |usage| {
                // No kernel's params are longer.
                let size = self.limits().max_uniform_buffer_binding_size;
                let label = Some("nothing");
                device.create_buffer(&wgpu::BufferDescriptor {
                    label,
                    size,
                    usage,
                    mapped_at_creation: false,
                })
            };
            // A buffer that a dispatch writes may not be bound twice.
            let buffers: Vec<_> = entries
                .iter()
                .map(|entry| match entry.ty {
                    wgpu::BindingType::Buffer { ty: wgpu::BufferBindingType::Uniform, .. } => {
                        buffer(wgpu::BufferUsages::UNIFORM)
                    }
                    _ => buffer(wgpu::BufferUsages::STORAGE),
                })
                .collect();
            let entries: Vec<_> = entries
                .iter()
                .zip(&buffers)
                .map(|(entry, buffer)| wgpu::BindGroupEntry {
                    binding: entry.binding,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("nothing"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(0, 0, 0);
            drop(pass);
            encoder.finish()
        })?;
        self.submit("compiling", commands).map(drop)
    }
}

/// Checks a kernel against its host side and gives the layout of its bindings.
///
/// # Errors
/// [`crate::ErrorKind::Internal`] when the entry point is missing, a binding is not in group 0, or `Params`
/// has other fields than the host's struct.
pub(crate) fn inspect(
    kernel: &Kernel,
    expanded: &Expanded,
    entry: &str,
    fields: &[(&'static str, usize)],
) -> Result<Vec<wgpu::BindGroupLayoutEntry>> {
    let (module, info) = expanded.parse()?;
    let wrong = |what: String| Error::internal(format!("kernels/{}.wgsl: {what}", kernel.name));
    let index = module.entry_points.iter().position(|e| e.name == entry);
    let index = index.ok_or_else(|| wrong(format!("no entry point `{entry}`")))?;
    let mut entries = Vec::new();
    for (handle, global) in module.global_variables.iter() {
        let Some(binding) = &global.binding else { continue };
        if info.get_entry_point(index)[handle].is_empty() {
            continue;
        }
        if binding.group != 0 {
            return Err(wrong(format!("binding {} is not in group 0", binding.binding)));
        }
        let ty = match global.space {
            naga::AddressSpace::Uniform => {
                let naga::TypeInner::Struct { members, .. } = &module.types[global.ty].inner else {
                    return Err(wrong("the uniform must be a struct".into()));
                };
                let theirs = members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize));
                if !theirs.clone().eq(fields.iter().copied()) {
                    let theirs: Vec<_> = theirs.collect();
                    return Err(wrong(format!("Params has {theirs:?}, the host has {fields:?}")));
                }
                wgpu::BufferBindingType::Uniform
            }
            naga::AddressSpace::Storage { access } => {
                wgpu::BufferBindingType::Storage { read_only: !access.contains(naga::StorageAccess::STORE) }
            }
            other => return Err(wrong(format!("a binding in {other:?}"))),
        };
        entries.push(wgpu::BindGroupLayoutEntry {
            binding: binding.binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        struct Params { first_group: u32, count: u32 }
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read> input: array<f32>;
        @group(0) @binding(2) var<storage, read_write> output: array<f32>;
        @compute @workgroup_size(1) fn test_direct() { output[params.count] = input[params.first_group]; }";

    fn inspected(text: &'static str, entry: &str, fields: &[(&'static str, usize)]) -> String {
        let kernel = Kernel { name: "test", text };
        let expanded = kernel.expand(&Tunes::new()).unwrap();
        match inspect(&kernel, &expanded, entry, fields) {
            Ok(entries) => format!("{} bindings", entries.len()),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn kernels_that_differ_from_the_host_are_refused() {
        let fields = [("first_group", 0), ("count", 4)];
        assert_eq!(inspected(TEXT, "test_direct", &fields), "3 bindings");
        assert!(inspected(TEXT, "test_tiled", &fields).ends_with("no entry point `test_tiled`"));
        for wrong in [&fields[..1], &[("first_group", 0), ("length", 4)], &[("first_group", 0), ("count", 8)]]
        {
            assert!(inspected(TEXT, "test_direct", wrong).contains("the host has"));
        }
        let other_group = TEXT.replace("@group(0) @binding(1)", "@group(1) @binding(1)").leak();
        assert!(inspected(other_group, "test_direct", &fields).ends_with("binding 1 is not in group 0"));
    }
}
