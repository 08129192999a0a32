//! How long each named case takes: `cargo bench --bench cases -- conv3d/` runs a part, and the names are those of
//! the tests.
//!
//! - `cpu/…` is the CPU executor, a whole run.
//! - `gpu/…` is the device that `KINETOGRAPH_DEVICE` names (default `auto`: a hardware GPU if there is one;
//!   `software` for Mesa's). Inputs are uploaded once; what is timed is recording, submission and the kernels.
//!
//! An element of the throughput is a floating-point operation, a multiply-add counted as two; of `gpu/replay` it is a
//! dispatch, and what is timed is recording alone: what a run of a plan costs the processor.
//!
//! With `KINETOGRAPH_BENCH_FULL=1` the kernels of `kinetograph bench` are added on the GPU, at the size of real
//! networks. On software Vulkan that takes many minutes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use kinetograph::bench::{Kind, entries, inputs};
use kinetograph::ops::Binary;
use kinetograph::verify::cases;
use kinetograph::{Activation, DeviceRequest, Engine, Graph, Plan, PlanOptions, Result, Tensor, wgpu};

/// Set, it adds layers of full size.
const FULL_VARIABLE: &str = "KINETOGRAPH_BENCH_FULL";

type Inputs = Vec<(String, Tensor)>;

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    (graph, inputs): (Graph, Inputs),
    engine: &Engine,
) -> Result<()> {
    let inputs: Vec<_> = inputs.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    if graph.flops() > 0 {
        group.throughput(Throughput::Elements(graph.flops()));
    }
    // Planning what a filter leaves out would take longer than the rest.
    let mut plan = None;
    group.bench_function(name, |b| {
        let plan = plan.get_or_insert_with(|| {
            let plan = engine.plan(&graph).unwrap_or_else(|e| panic!("{}: {e}", name));
            plan.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", name));
            plan
        });
        match (plan.as_gpu(), engine.gpu()) {
            (Some(plan), Some(gpu)) => b.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    let mut encoder =
                        gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                    plan.encode(&mut encoder);
                    gpu.queue().submit([encoder.finish()]);
                }
                let waited = gpu.device().poll(wgpu::PollType::wait_indefinitely());
                assert!(waited.is_ok(), "{}: {waited:?}", name);
                start.elapsed()
            }),
            _ => b.iter(|| black_box(plan.run(&inputs))),
        }
    });
    Ok(())
}

/// Dispatches of small kernels of four kinds, one after the other.
const DISPATCHES: usize = 1000;

fn replay(group: &mut BenchmarkGroup<'_, WallTime>, engine: &Engine) -> Result<()> {
    let mut plan = None;
    group.throughput(Throughput::Elements(DISPATCHES as u64));
    group.bench_function("replay", |b| {
        let plan = plan.get_or_insert_with(|| chain(engine).unwrap_or_else(|e| panic!("replay: {e}")));
        let (Some(plan), Some(gpu)) = (plan.as_gpu(), engine.gpu()) else { return };
        assert_eq!(plan.dispatches(), DISPATCHES);
        b.iter(|| {
            let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            plan.encode(&mut encoder);
            black_box(encoder.finish())
        });
    });
    Ok(())
}

fn chain(engine: &Engine) -> Result<Plan> {
    let mut g = Graph::new();
    let x = g.input("x", &[64, 64])?;
    let mut y = x;
    for _ in 0..DISPATCHES / 4 {
        y = g.relu(y)?;
        y = g.add(y, x)?;
        y = g.binary(y, x, Binary::Mul)?;
        y = g.activation(y, Activation::Sigmoid)?;
    }
    g.output("y", y)?;
    engine.plan_with(&g, &PlanOptions { fuse: false, ..PlanOptions::default() })
}

fn run(criterion: &mut Criterion) -> Result<()> {
    let device = Engine::open(&DeviceRequest::from_env())?;
    println!("cpu: {}", Engine::cpu().describe());
    match device.gpu() {
        Some(gpu) => println!("gpu: {}", gpu.describe()),
        None => println!("gpu: none; KINETOGRAPH_DEVICE=software takes software Vulkan"),
    }
    for (name, engine) in [("cpu", Engine::cpu()), ("gpu", device)] {
        if name == "gpu" && engine.gpu().is_none() {
            continue;
        }
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
        for case in cases::all() {
            bench(&mut group, &case.name, case.instance()?, &engine)?;
        }
        if name == "gpu" {
            replay(&mut group, &engine)?;
        }
        if name == "gpu" && std::env::var_os(FULL_VARIABLE).is_some_and(|v| v != "0") {
            for entry in entries().iter().filter(|e| e.kind == Kind::Kernel) {
                let graph = entry.graph()?;
                let inputs = inputs(&graph)?;
                bench(&mut group, &entry.name, (graph, inputs), &engine)?;
            }
        }
        group.finish();
    }
    Ok(())
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    if let Err(e) = run(&mut criterion) {
        eprintln!("{e}");
        std::process::exit(1);
    }
    criterion.final_summary();
}
