//! Benchmarks: kernels at the shapes that networks give them, and whole networks, on any device; each answer is
//! compared with the processor's before it is timed.
//!
//! ```no_run
//! use kinetograph::bench::{Bench, entries};
//! use kinetograph::{DeviceRequest, Engine};
//!
//! # fn main() -> kinetograph::Result<()> {
//! let bench = Bench::new(Engine::open(&DeviceRequest::Auto)?);
//! for entry in entries().iter().filter(|e| e.name.starts_with("conv3d/")) {
//!     let result = bench.measure(entry)?;
//!     println!("{} {:.1} GFLOP/s", result.name, result.gflops());
//! }
//! # Ok(())
//! # }
//! ```

mod entries;
pub mod picture;
mod record;
mod tune;

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Engine, Graph, MemorySummary, Outputs, Plan, PlanOptions, Precision, largest_difference};
use crate::tensor::{DType, Tensor};

pub use entries::{Entry, Kind, entries};
pub use record::{Measured, Record};
pub use tune::{Tuned, tunable, tune};

/// How far an answer may be from the processor's, relative to its largest magnitude.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-5,
        Precision::F16 => 5e-3,
    }
}

/// How entries are measured.
pub struct Bench {
    engine: Engine,
    /// How plans are made.
    pub options: PlanOptions,
    /// How long each entry is repeated for, its kernels alone and then whole runs.
    pub time: Duration,
    /// Whether answers are compared with the processor's first.
    pub check: bool,
}

impl Bench {
    /// A bench of a device: f32, a second an entry, with checks.
    pub fn new(engine: Engine) -> Bench {
        Bench { engine, options: PlanOptions::default(), time: Duration::from_secs(1), check: true }
    }

    /// The device.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compares and measures an entry.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mismatch`] when the answer is wrong; as [`Engine::plan_with`] and [`Plan::run`].
    pub fn measure(&self, entry: &Entry) -> Result<Measured> {
        let graph = entry.graph()?;
        let inputs = inputs(&graph)?;
        let inputs: Vec<(&str, Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
        let (flops, bytes) = (graph.flops(), graph.bytes());
        let start = Instant::now();
        let plan = self.engine.plan_with(&graph, &self.options)?;
        let answer = plan.run(&inputs)?;
        let first = start.elapsed();
        // The processor is not worth comparing with itself.
        let error = match self.check && self.engine.gpu().is_some() {
            true => Some(self.compare(entry, &graph, &inputs, &answer)?),
            false => None,
        };
        drop((graph, answer));
        let kernels = repeat(self.time, || Ok(plan.profile(&inputs)?.iter().map(|t| t.seconds).sum()))?;
        let whole = repeat(self.time, || {
            let start = Instant::now();
            plan.run(&inputs)?;
            Ok(start.elapsed().as_secs_f64())
        })?;
        Ok(Measured {
            name: entry.name.clone(),
            flops,
            bytes,
            kernels,
            whole,
            first: first.as_secs_f64(),
            error,
            memory: memory(&plan),
            ratio: None,
        })
    }

    /// The largest error of an answer relative to the largest magnitude of its tensor.
    fn compare(
        &self,
        entry: &Entry,
        graph: &Graph,
        inputs: &[(&str, Tensor)],
        answer: &Outputs,
    ) -> Result<f64> {
        let options = PlanOptions { on_progress: None, ..self.options.clone() };
        let wanted = Engine::cpu().plan_with(graph, &options)?.run(inputs)?;
        let mut worst = 0.0f64;
        for (name, wanted) in wanted.iter() {
            let got = answer.get(name).ok_or_else(|| Error::internal(format!("no output `{name}`")))?;
            // Which of two codes that are as near as makes no difference is chosen is told by the codes themselves.
            if wanted.dtype() != DType::I32 {
                worst = worst.max(relative_error(wanted, got)?);
            }
        }
        let most = tolerance(self.options.precision);
        // NaN is no good answer either.
        if worst <= most {
            return Ok(worst);
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "{}: the answer is {worst:.1e} of the largest magnitude away from the processor's, more than {most:.0e}; \
             `kinetograph verify` looks closer",
                entry.name
            ),
        ))
    }
}

/// The largest difference relative to the largest magnitude wanted; infinite where only one is NaN.
fn relative_error(wanted: &Tensor, got: &Tensor) -> Result<f64> {
    if wanted.shape() != got.shape() {
        return Ok(f64::INFINITY);
    }
    Ok(largest_difference("", wanted, got)?.map_or(0.0, |d| d.relative))
}

/// The median of what `run` says, repeated for some time. Its first answer warms up, unless there is no time for more.
fn repeat(time: Duration, mut run: impl FnMut() -> Result<f64>) -> Result<f64> {
    let start = Instant::now();
    let first = run()?;
    if start.elapsed() >= time {
        return Ok(first);
    }
    let start = Instant::now();
    let mut list = Vec::new();
    loop {
        list.push(run()?);
        if start.elapsed() >= time {
            break;
        }
    }
    list.sort_by(f64::total_cmp);
    Ok(list[list.len() / 2])
}

fn memory(plan: &Plan) -> Option<MemorySummary> {
    plan.as_gpu().map(crate::graph::GpuPlan::memory)
}

/// Numbers between −1 and 1 that no kernel can take short cuts with.
pub(crate) fn numbers(shape: &[usize], seed: usize) -> Result<Tensor> {
    Tensor::from_fn(shape, |i| {
        let mixed = (i.wrapping_add(seed.wrapping_mul(0x9E37)) as u32).wrapping_mul(2_654_435_761);
        ((mixed ^ mixed >> 15).wrapping_mul(2_246_822_519) >> 7 & 0xffff) as f32 / 32767.5 - 1.0
    })
}

/// A tensor for every input that an entry's graph asks for: numbers, boxes that lie within the frame, zeros for what is
/// counted.
///
/// # Errors
/// Never in practice; shapes are fixed.
pub fn inputs(graph: &Graph) -> Result<Vec<(String, Tensor)>> {
    let mut list = Vec::new();
    for (i, (name, ty)) in graph.inputs().enumerate() {
        let tensor = match (ty.dtype, name) {
            (DType::I32, _) => Tensor::new(&ty.shape, vec![0i32; ty.shape.elements()])?,
            (_, "boxes") => Tensor::from_fn(&ty.shape, |i| [0.0, 8.0, 8.0, 56.0, 48.0][i % 5])?,
            _ => numbers(&ty.shape, i)?,
        };
        list.push((name.to_owned(), tensor));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_seen() {
        let a = Tensor::new(&[3], vec![1.0f32, -4.0, 2.0]).unwrap();
        let b = Tensor::new(&[3], vec![1.0f32, -4.0, 2.5]).unwrap();
        let nan = Tensor::new(&[3], vec![1.0f32, f32::NAN, 2.0]).unwrap();
        assert_eq!(relative_error(&a, &a).unwrap(), 0.0);
        assert_eq!(relative_error(&a, &b).unwrap(), 0.125);
        assert_eq!(relative_error(&a, &nan).unwrap(), f64::INFINITY);
    }

    #[test]
    fn names_are_unique_and_graphs_are_valid() {
        let all = entries();
        let names: std::collections::BTreeSet<&str> = all.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        // Networks with all their weights would fill the memory.
        for entry in all.iter().filter(|e| e.kind == Kind::Kernel) {
            let graph = entry.outline().unwrap_or_else(|e| panic!("{}: {e}", entry.name));
            assert!(graph.inputs().count() > 0 && graph.outputs().count() > 0, "{}", entry.name);
        }
    }
}
