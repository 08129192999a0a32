//! How long each named case takes: `cargo bench --bench cases -- conv3d/` runs a part, and the names are those of
//! the tests.
//!
//! - `cpu/…` is the CPU executor, a whole run.
//! - `gpu/…` is the device that `KINETOGRAPH_DEVICE` names (default `auto`: a hardware GPU if there is one;
//!   `software` for Mesa's). Inputs are uploaded once; what is timed is recording, submission and the kernels.
//!
//! An element of the throughput is a floating-point operation, a multiply-add counted as two.
//!
//! With `KINETOGRAPH_BENCH_FULL=1` layers at the size of real networks are added on the GPU: C3D's eight
//! convolutions and its first two linear layers. On software Vulkan that takes minutes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use kinetograph::ops::Conv3d;
use kinetograph::verify::{Case, cases};
use kinetograph::{DeviceRequest, Engine, Result, wgpu};

/// Set, it adds layers of full size.
const FULL_VARIABLE: &str = "KINETOGRAPH_BENCH_FULL";

/// C3D's convolutions on a clip of 16 frames of 112 × 112: the input's T, H and W, and channels in and out.
const C3D: [(&str, [usize; 3], usize, usize); 8] = [
    ("conv1", [16, 112, 112], 3, 64),
    ("conv2", [16, 56, 56], 64, 128),
    ("conv3a", [8, 28, 28], 128, 256),
    ("conv3b", [8, 28, 28], 256, 256),
    ("conv4a", [4, 14, 14], 256, 512),
    ("conv4b", [4, 14, 14], 512, 512),
    ("conv5a", [2, 7, 7], 512, 512),
    ("conv5b", [2, 7, 7], 512, 512),
];

/// Its linear layers but the last.
const C3D_LINEAR: [(&str, usize, usize); 2] = [("fc6", 8192, 4096), ("fc7", 4096, 4096)];

fn full() -> Vec<Case> {
    let convolutions = C3D.into_iter().map(|(name, [t, h, w], cin, cout)| {
        let shapes: [&[usize]; 3] = [&[1, t, h, w, cin], &[3, 3, 3, cin, cout], &[cout]];
        let case = Case::new(format!("full/c3d-{name}"), &shapes, |g, v| {
            let y = g.conv3d(v[0], v[1], Some(v[2]), &Conv3d::padded([1; 3]))?;
            g.relu(y)
        });
        case.weights_from(1)
    });
    let linear = C3D_LINEAR.into_iter().map(|(name, i, o)| {
        let case = Case::new(format!("full/c3d-{name}"), &[&[1, i], &[i, o], &[o]], |g, v| {
            let y = g.linear(v[0], v[1], Some(v[2]))?;
            g.relu(y)
        });
        case.weights_from(1)
    });
    convolutions.chain(linear).collect()
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case, engine: &Engine) -> Result<()> {
    let (graph, inputs) = case.instance()?;
    let inputs: Vec<_> = inputs.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    if graph.flops() > 0 {
        group.throughput(Throughput::Elements(graph.flops()));
    }
    // Planning what a filter leaves out would take longer than the rest.
    let mut plan = None;
    group.bench_function(&case.name, |b| {
        let plan = plan.get_or_insert_with(|| {
            let plan = engine.plan(&graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            plan.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
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
                assert!(waited.is_ok(), "{}: {waited:?}", case.name);
                start.elapsed()
            }),
            _ => b.iter(|| black_box(plan.run(&inputs))),
        }
    });
    Ok(())
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
        let mut list = cases::all();
        if name == "gpu" && std::env::var_os(FULL_VARIABLE).is_some_and(|v| v != "0") {
            list.extend(full());
        }
        for case in list {
            bench(&mut group, &case, &engine)?;
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
