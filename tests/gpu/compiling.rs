//! Kernels are compiled by several threads while a plan is made: errors and progress must not depend on which is first.

use std::sync::{Arc, Mutex};

use kinetograph::error::Result;
use kinetograph::gpu::{Gpu, Kernel};
use kinetograph::graph::{Dispatch, Op, Operand, Recorder, TensorType};
use kinetograph::{Activation, Engine, ErrorKind, Graph, PlanOptions, Tensor, params};
use libtest_mimic::{Failed, Trial};

use crate::devices::Devices;

static KERNEL: Kernel = Kernel {
    name: "entryless",
    text: "
struct Params {
    first_group: u32,
    count: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@compute @workgroup_size(64)
fn entryless(@builtin(local_invocation_index) lane: u32) {
    output[min(lane, params.count)] = 0.0;
}
",
};

params! {
    struct EntrylessParams {
        count: u32,
    }
}

/// An operator whose kernel has no such entry point.
#[derive(Debug)]
struct Entryless(&'static str);

impl Op for Entryless {
    fn name(&self) -> &'static str {
        "entryless"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].clone()])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let params = EntrylessParams { count: 1, ..Default::default() };
        r.dispatch(Dispatch::new(&KERNEL, self.0, &params).bind([Operand::Output(0)]).groups(1));
        Ok(())
    }
}

/// Several kernels that can be compiled, and two that cannot where they are wanted.
fn graph(wanted: bool) -> Result<Graph> {
    let mut g = Graph::new();
    let mut x = g.input("x", &[4, 8])?;
    for (i, activation) in [Activation::Gelu, Activation::Silu, Activation::Tanh].into_iter().enumerate() {
        x = g.activation(x, activation)?;
        if wanted && i > 0 {
            x = g.push(Entryless(["one", "two", "three"][i]), &[x])?;
        }
    }
    g.output("y", x)?;
    Ok(g)
}

/// The error is that of the first node, and the device goes on.
fn the_first_error_is_told(gpu: &Gpu) -> std::result::Result<(), Failed> {
    let engine = Engine::from_gpu(gpu.clone());
    for _ in 0..8 {
        match engine.plan(&graph(true)?) {
            Err(e) if e.kind() == ErrorKind::Internal && e.to_string().contains("no entry point `two`") => {}
            Err(e) => return Err(format!("another error: {e}").into()),
            Ok(_) => return Err("a plan without its kernels".into()),
        }
    }
    let x = Tensor::from_fn(&[4, 8], |i| i as f32 / 32.0)?;
    engine.plan(&graph(false)?)?.run(&[("x", x)])?;
    Ok(())
}

/// Each kernel counts once, one after the other.
fn progress_counts(gpu: &Gpu) -> std::result::Result<(), Failed> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let progress = move |stage: &'static str, done, total| {
        if stage == "compiling kernels" {
            listener.lock().unwrap().push((done, total));
        }
    };
    let options = PlanOptions { on_progress: Some(Arc::new(progress)), ..PlanOptions::default() };
    // A device of its own has compiled nothing yet.
    let fresh = Gpu::from_wgpu(gpu.device().clone(), gpu.queue().clone());
    Engine::from_gpu(fresh).plan_with(&graph(false)?, &options)?;
    let told = told.lock().unwrap();
    if *told != [(1, 3), (2, 3), (3, 3)] {
        return Err(format!("{told:?}").into());
    }
    Ok(())
}

pub(crate) fn trials(prefix: &str, devices: &Arc<Devices>) -> Vec<Trial> {
    type Check = fn(&Gpu) -> std::result::Result<(), Failed>;
    let list: [(&str, Check); 2] =
        [("the-first-error-is-told", the_first_error_is_told), ("progress-counts", progress_counts)];
    list.into_iter()
        .map(|(name, test)| {
            let devices = devices.clone();
            let on_gpu = move |engine: &Engine| test(engine.gpu().ok_or("no GPU")?);
            Trial::test(format!("{prefix}/compiling/{name}"), move || devices.run(0, on_gpu))
        })
        .collect()
}
