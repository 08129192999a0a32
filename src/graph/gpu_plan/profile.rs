//! How long each node takes.

use std::time::Instant;

use super::{GpuPlan, Launch};
use crate::error::Result;
use crate::graph::Timing;
use crate::tensor::Tensor;

impl GpuPlan {
    /// Like [`GpuPlan::run`], and gives how long each node took. Nodes run one by one for this, so the sum is
    /// a little above the time of a plain run.
    ///
    /// # Errors
    /// As [`GpuPlan::run`].
    pub fn profile(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Timing>> {
        let stored = self.stored(inputs)?;
        let _running = self.running();
        self.upload(&stored)?;
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
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(2 * i as u32),
                end_of_pass_write_index: Some(2 * i as u32 + 1),
            };
            let commands = self.commands("profiling", launches, Some(writes))?;
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
            let commands = self.commands("profiling", launches, None)?;
            let index = self.gpu.submit("profiling", commands)?;
            self.gpu.wait("profiling", index)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(seconds)
    }
}
