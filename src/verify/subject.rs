//! What is verified: a device, and how a graph is run on it twice, in two ways that must give the same bits.

use rayon::ThreadPoolBuilder;

use super::GUARD;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Bound, Engine, GpuPlan, Graph, Node, Outputs, PlanOptions, Precision, Setting, Traits};
use crate::tensor::Tensor;

/// Threads of the two runs on a processor.
const THREADS: [usize; 2] = [1, 3];

/// A device with what is to be tried of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    /// Kernels of a GPU. The second run has at most `narrow` workgroups along a dimension of a dispatch.
    Gpu { gpu: &'a Gpu, traits: Traits, narrow: u32 },
    /// The processor. The second run has another number of threads.
    Processor(&'a Engine),
}

/// The outputs of both runs, or what was wrong without looking at them.
pub(super) type Twice = std::result::Result<[Outputs; 2], String>;

impl Subject<'_> {
    pub(super) fn run(self, graph: &Graph, inputs: &[(&str, Tensor)], precision: Precision) -> Result<Twice> {
        let options = PlanOptions::with_precision(precision);
        match self {
            Subject::Gpu { gpu, traits: Traits { family, tile, form, matrices, subgroups, .. }, narrow } => {
                let options = PlanOptions {
                    family: Some(family),
                    tile,
                    form,
                    matrices: matrices.is_some(),
                    subgroups,
                    poison: true,
                    guard: GUARD,
                    ..options
                };
                let plan = GpuPlan::new(gpu, graph, &options)?;
                let first = plan.run(inputs)?;
                let broken = plan.broken_guards()?;
                if !broken.is_empty() {
                    return Ok(Err(format!("wrote past the end of {}", broken.join(", "))));
                }
                let options = PlanOptions { widest: Some(narrow), ..options };
                let second = GpuPlan::new(gpu, graph, &options)?.run(inputs)?;
                Ok(Ok([first, second]))
            }
            Subject::Processor(engine) => {
                let plan = engine.plan_with(graph, &options)?;
                let run = |threads: usize| -> Result<Outputs> {
                    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                    pool.map_err(|e| Error::internal(format!("no threads: {e}")))?
                        .install(|| plan.run(inputs))
                };
                Ok(Ok([run(THREADS[0])?, run(THREADS[1])?]))
            }
        }
    }

    /// How far the outputs of a node may lie from the reference.
    pub(super) fn bounds(
        self,
        graph: &Graph,
        node: &Node,
        inputs: &[Tensor],
        reference: &[Tensor],
    ) -> Result<Vec<Bound>> {
        let Subject::Gpu { traits, .. } = self else { return node.op.bounds(inputs, reference) };
        let (types, constant) = (graph.node_types(node).0, graph.constant_inputs(node));
        node.op.bounds_in(&Setting { inputs: &types, constant: &constant, traits }, inputs, reference)
    }

    /// What the second run did differently.
    pub(super) fn difference(self) -> &'static str {
        match self {
            Subject::Gpu { .. } => "in smaller dispatches",
            Subject::Processor(_) => "on more threads",
        }
    }
}
