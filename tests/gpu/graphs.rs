//! Whole graphs on a device: memory reuse, cut submissions and fusion must not change a bit.

use std::sync::Arc;

use kinetograph::gpu::Gpu;
use kinetograph::graph::{ConvForm, Family, Outputs, first_difference};
use kinetograph::ops::{Conv3d, ConvTranspose3d, Pool3d, Reduce, Reduction, Softmax};
use kinetograph::verify::compare_graph;
use kinetograph::{Activation, Engine, ErrorKind, Graph, PlanOptions, Precision, Result, Tensor};
use libtest_mimic::{Failed, Trial};

use crate::devices::Devices;

fn values(shape: &[usize], seed: usize) -> Tensor {
    Tensor::from_fn(shape, |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).unwrap()
}

/// Two branches that join, a residual sum and a head: tensors of several lifetimes.
fn network() -> Result<(Graph, Vec<(&'static str, Tensor)>)> {
    let mut g = Graph::new();
    let x = g.input("clip", &[2, 4, 8, 8, 3])?;
    let w1 = g.constant("w1", values(&[3, 3, 3, 3, 8], 1));
    let b1 = g.constant("b1", values(&[8], 2));
    let same = Conv3d::padded([1; 3]);
    let a = g.conv3d(x, w1, Some(b1), &same)?;
    let a = g.relu(a)?;
    let w2 = g.constant("w2", values(&[3, 3, 3, 8, 8], 3));
    let b = g.conv3d(a, w2, None, &same)?;
    let b = g.activation(b, Activation::Gelu)?;
    let w3 = g.constant("w3", values(&[1, 1, 1, 8, 8], 4));
    let c = g.conv3d(a, w3, None, &Conv3d::default())?;
    let sum = g.add(b, c)?;
    let sum = g.add(sum, a)?;
    let w4 = g.constant("w4", values(&[8, 5], 5));
    let y = g.linear(sum, w4, None)?;
    g.output("middle", c)?;
    g.output("y", y)?;
    Ok((g, vec![("clip", values(&[2, 4, 8, 8, 3], 6))]))
}

fn agrees_with_cpu(gpu: &Gpu) -> Result<(), Failed> {
    let (g, inputs) = network()?;
    let engine = Engine::from_gpu(gpu.clone());
    let error = compare_graph(&g, &inputs, &engine, &PlanOptions::default())?;
    if error > 1e-6 {
        return Err(format!("f32: {error:e} of the largest magnitude apart").into());
    }
    if gpu.has_f16() {
        let options = PlanOptions::with_precision(Precision::F16);
        let error = compare_graph(&g, &inputs, &engine, &options)?;
        if error > 5e-3 {
            return Err(format!("f16: {error:e} of the largest magnitude apart").into());
        }
    }
    Ok(())
}

/// Threads that run one plan each get what their own inputs give.
fn threads_share_a_plan(gpu: &Gpu) -> Result<(), Failed> {
    let (g, _) = network()?;
    let plan = Engine::from_gpu(gpu.clone()).plan(&g)?;
    let inputs: Vec<_> = (0..4).map(|i| [("clip", values(&[2, 4, 8, 8, 3], 40 + i))]).collect();
    let bits = |run: Result<Outputs>| run?.get("y").map_or(Ok(Vec::new()), |y| Ok(y.bytes().to_vec()));
    let alone = inputs.iter().map(|i| bits(plan.run(i))).collect::<Result<Vec<_>>>()?;
    if (1..4).any(|i| alone[i] == alone[0]) {
        return Err("other inputs give the same outputs".into());
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|first| {
                let (plan, inputs, alone) = (&plan, &inputs, &alone);
                scope.spawn(move || {
                    for i in (first..first + 8).map(|i| i % 4) {
                        if bits(plan.run(&inputs[i]))? != alone[i] {
                            return Err(Failed::from(format!("input {i} gave what another gives")));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|t| t.join().map_err(|_| Failed::from("a thread panicked"))?)
    })
}

fn same_bits_however_planned(gpu: &Gpu) -> Result<(), Failed> {
    let (g, inputs) = network()?;
    let engine = Engine::from_gpu(gpu.clone());
    let run = |options: PlanOptions| -> Result<Vec<u8>> {
        let outputs = engine.plan_with(&g, &options)?.run(&inputs)?;
        Ok(outputs.iter().flat_map(|(_, t)| t.bytes().to_vec()).collect())
    };
    let whole = run(PlanOptions::default())?;
    let cut = run(PlanOptions { work_limit: Some(100_000), ..PlanOptions::default() })?;
    if whole != cut {
        return Err("cutting the work into many submissions changed the result".into());
    }
    if whole != run(PlanOptions::default())? {
        return Err("a second plan gave other bits".into());
    }
    Ok(())
}

fn cuts_are_made(gpu: &Gpu) -> Result<(), Failed> {
    let (g, _) = network()?;
    let options = PlanOptions { work_limit: Some(100_000), ..PlanOptions::default() };
    let engine = Engine::from_gpu(gpu.clone());
    let (cut, whole) = (engine.plan_with(&g, &options)?, engine.plan(&g)?);
    let count = |p: &kinetograph::Plan| p.as_gpu().map_or(0, kinetograph::graph::GpuPlan::submissions);
    if count(&whole) != 1 || count(&cut) < 10 {
        return Err(format!("{} and {} submissions", count(&whole), count(&cut)).into());
    }
    Ok(())
}

fn memory_is_reused(gpu: &Gpu) -> Result<(), Failed> {
    let (g, _) = network()?;
    let plan = Engine::from_gpu(gpu.clone()).plan(&g)?;
    let Some(memory) = plan.as_gpu().map(kinetograph::graph::GpuPlan::memory) else { return Ok(()) };
    if memory.activations < memory.alive || memory.activations > memory.alive * 3 / 2 {
        return Err(format!("{memory:?}").into());
    }
    Ok(())
}

fn profile_names_every_node(gpu: &Gpu) -> Result<(), Failed> {
    let (g, inputs) = network()?;
    let timings = Engine::from_gpu(gpu.clone()).plan(&g)?.profile(&inputs)?;
    if timings.len() != 6 || timings.iter().any(|t| t.seconds.is_nan() || t.seconds < 0.0) {
        return Err(format!("{timings:?}").into());
    }
    Ok(())
}

/// A weight that differs between two graphs shows up at the node that reads it.
fn first_difference_is_found(gpu: &Gpu) -> Result<(), Failed> {
    let (g, inputs) = network()?;
    let (cpu, gpu) = (Engine::reference(), Engine::from_gpu(gpu.clone()));
    let options = PlanOptions::default();
    if let Some(d) = first_difference(&g, &inputs, &cpu, &gpu, &options, 1e-6)? {
        return Err(format!("unexpected difference: {d:?}").into());
    }
    match first_difference(&g, &inputs, &cpu, &gpu, &options, 0.0)? {
        Some(_) => Ok(()),
        None => Err("no difference at all between two devices, down to the last bit".into()),
    }
}

fn limits_are_errors(gpu: &Gpu) -> Result<(), Failed> {
    let engine = Engine::from_gpu(gpu.clone());
    let mut g = Graph::new();
    let elements = gpu.limits().max_storage_buffer_binding_size as usize / 4 + 1;
    let x = g.input("x", &[elements.min(u32::MAX as usize)])?;
    let y = g.relu(x)?;
    g.output("y", y)?;
    let too_large = engine.plan(&g).err().ok_or("a tensor beyond the binding limit was planned")?;
    if too_large.kind() != ErrorKind::OutOfMemory || !too_large.to_string().contains("binds at most") {
        return Err(too_large.to_string().into());
    }
    let (g, _) = network()?;
    let tight = PlanOptions { memory_limit: Some(1000), ..PlanOptions::default() };
    let refused = engine.plan_with(&g, &tight).err().ok_or("a plan beyond its budget was made")?;
    if refused.kind() != ErrorKind::OutOfMemory || !refused.to_string().contains("1000 are allowed") {
        return Err(refused.to_string().into());
    }
    Ok(())
}

/// A tensor that just fits a binding is computed to its last element; one of four bytes more is refused.
fn a_binding_may_be_full(gpu: &Gpu) -> Result<(), Failed> {
    let limit = gpu.limits().max_storage_buffer_binding_size;
    if limit > 256 << 20 {
        println!("SKIPPED: a full binding, of {limit} bytes");
        return Ok(());
    }
    let elements = limit as usize / 4;
    let plan = |elements: usize| {
        let mut g = Graph::new();
        let x = g.input("x", &[elements])?;
        let y = g.relu(x)?;
        g.output("y", y)?;
        Engine::from_gpu(gpu.clone()).plan(&g)
    };
    let x = Tensor::from_fn(&[elements], |i| (i % 4099) as f32 - 2000.0)?;
    let y = plan(elements)?.run(&[("x", x.clone())])?;
    if let Some(i) = x.f32s()?.iter().zip(y["y"].f32s()?).position(|(x, y)| x.max(0.0) != *y) {
        return Err(format!("element {i} is wrong").into());
    }
    match plan(elements + 1) {
        Err(e) if e.kind() == ErrorKind::OutOfMemory => Ok(()),
        Err(e) => Err(e.to_string().into()),
        Ok(_) => Err("four bytes more were planned".into()),
    }
}

/// More workgroups than one dimension takes: 65,536 groups of 64 elements and a few.
fn many_workgroups(gpu: &Gpu) -> Result<(), Failed> {
    let elements = 65_536 * 64 + 100;
    let mut g = Graph::new();
    let x = g.input("x", &[elements])?;
    let y = g.relu(x)?;
    g.output("y", y)?;
    let x = Tensor::from_fn(&[elements], |i| i as f32 - 1000.0)?;
    let y = Engine::from_gpu(gpu.clone()).plan(&g)?.run(&[("x", x.clone())])?;
    let wrong = x.f32s()?.iter().zip(y["y"].f32s()?).position(|(x, y)| x.max(0.0) != *y);
    wrong.map_or(Ok(()), |i| Err(format!("element {i} is wrong").into()))
}

fn bad_inputs_are_errors(gpu: &Gpu) -> Result<(), Failed> {
    let (g, inputs) = network()?;
    let plan = Engine::from_gpu(gpu.clone()).plan(&g)?;
    let wrong = |inputs: &[(&str, Tensor)]| plan.run(inputs).err().map_or(String::new(), |e| e.to_string());
    for (text, message) in [
        (wrong(&[]), "no tensor was given for input `clip`"),
        (wrong(&[("clop", values(&[2], 1))]), "the graph has no input `clop`; its inputs are clip"),
        (
            wrong(&[("clip", values(&[2], 1))]),
            "input `clip` must be [2, 4, 8, 8, 3], the tensor given is [2]",
        ),
    ] {
        if text != message {
            return Err(format!("`{text}` instead of `{message}`").into());
        }
    }
    plan.run(&inputs)?;
    Ok(())
}

/// Views have no memory of their own: of an input, of a node, of a view, of a weight, as an output.
fn views_share_memory(gpu: &Gpu) -> Result<(), Failed> {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3, 4, 4, 8])?;
    let flat = g.reshape(x, &[-1, 8])?;
    let w = g.constant("w", values(&[2, 2, 16], 1));
    let w = g.reshape(w, &[-1, 8])?;
    let w = g.permute(w, &[1, 0])?;
    let y = g.linear(flat, w, None)?;
    let y = g.reshape(y, &[2, 3, 4, 4, -1])?;
    let pooled = g.pool3d(y, &Pool3d::max([1, 2, 2]))?;
    let rows = g.reshape(pooled, &[6, -1])?;
    let rows = g.reshape(rows, &[6, 4, 8])?;
    let joined = g.concat(&[rows, rows], 1)?;
    let mean = g.reduce(joined, &Reduce::over(Reduction::Mean, &[1]))?;
    let part = g.slice_axis(mean, -1, -5, None)?;
    let odds = g.softmax(part, &Softmax::default())?;
    for (name, value) in [("flat", flat), ("rows", rows), ("odds", odds)] {
        g.output(name, value)?;
    }
    let inputs = [("x", values(&[2, 3, 4, 4, 8], 2))];
    let error = compare_graph(&g, &inputs, &Engine::from_gpu(gpu.clone()), &PlanOptions::default())?;
    if error > 1e-6 { Err(format!("{error:e} of the largest magnitude apart").into()) } else { Ok(()) }
}

/// Outputs that no node computes: an input, a constant, and views of both.
fn outputs_without_a_node(gpu: &Gpu) -> Result<(), Failed> {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3])?;
    let c = g.constant("c", values(&[6], 1));
    let (vx, vc) = (g.reshape(x, &[6])?, g.reshape(c, &[3, 2])?);
    for (name, value) in [("x", x), ("c", c), ("view of x", vx), ("view of c", vc)] {
        g.output(name, value)?;
    }
    let input = [("x", values(&[2, 3], 2))];
    let want = Engine::cpu().plan(&g)?.run(&input)?;
    let got = Engine::from_gpu(gpu.clone()).plan(&g)?.run(&input)?;
    for ((name, want), (_, got)) in want.iter().zip(got.iter()) {
        if want.shape() != got.shape() || want.bytes() != got.bytes() {
            return Err(format!("{name}: {got:?}").into());
        }
    }
    Ok(())
}

/// A sum in its addend's memory has the same bits as one in its own, whatever kernel makes it, run after run.
fn sums_in_place_have_the_same_bits(gpu: &Gpu) -> Result<(), Failed> {
    let x = values(&[1, 2, 6, 6, 4], 1);
    // Window, input's channels, groups: by tiles or Winograd's form, channel by channel, of one position, in slices.
    let layers = [([3, 3, 3], 8, 1), ([3, 3, 3], 8, 8), ([1, 1, 1], 12, 1), ([1, 1, 1], 600, 1)];
    let engine = Engine::from_gpu(gpu.clone());
    for (kernel, channels, groups) in layers {
        for kind in ["convolution", "transposed", "linear"] {
            if kind == "transposed" && groups > 1 {
                continue;
            }
            let mut g = Graph::new();
            let input = g.input("x", x.shape())?;
            let name = |what: &str| format!("{kind} {kernel:?} {what}");
            let weight = |g: &mut Graph, shape: &[usize], i| {
                g.constant(&name(&format!("weight {i}")), values(shape, i))
            };
            // Two sums, one after the other, in the memory of what is no input.
            let first = weight(&mut g, &[4, channels], 7);
            let mut stream = g.linear(input, first, None)?;
            let padding = kernel.map(|k| k / 2);
            for i in 0..2 {
                let y = g.relu(stream)?;
                let of_group = [kernel[0], kernel[1], kernel[2], channels / groups, channels];
                let y = match kind {
                    "linear" => {
                        let w = weight(&mut g, &[channels, channels], i);
                        g.linear(y, w, None)?
                    }
                    "transposed" => {
                        let w = weight(&mut g, &of_group, i);
                        let padding = padding.map(|p| [p; 2]);
                        g.conv_transpose3d(
                            y,
                            w,
                            None,
                            &ConvTranspose3d { padding, groups, ..Default::default() },
                        )?
                    }
                    _ => {
                        let w = weight(&mut g, &of_group, i);
                        g.conv3d(y, w, None, &Conv3d { groups, ..Conv3d::padded(padding) })?
                    }
                };
                stream = g.add(y, stream)?;
            }
            g.output("y", stream)?;
            for family in Family::ALL {
                for form in [ConvForm::Plain, ConvForm::Winograd] {
                    let options =
                        PlanOptions { family: Some(family), form: Some(form), ..PlanOptions::default() };
                    let apart = engine.plan_with(&g, &PlanOptions { keep_all: true, ..options.clone() })?;
                    let plan = engine.plan_with(&g, &options)?;
                    let inputs = [("x", x.clone())];
                    let expected = apart.run(&inputs)?;
                    for _ in 0..2 {
                        let outputs = plan.run(&inputs)?;
                        let bytes = |o: &Outputs| o.get("y").map(|t| t.bytes().to_vec());
                        let difference = bytes(&expected).is_none() || bytes(&expected) != bytes(&outputs);
                        if difference {
                            return Err(format!("{} in {family:?}, {form:?}", name("differs")).into());
                        }
                    }
                    let memory = plan.as_gpu().ok_or("no GPU")?.memory();
                    if family == Family::Direct && memory.activations >= memory.alive {
                        return Err(format!("{}: {memory:?}", name("no sum is in place")).into());
                    }
                }
            }
        }
    }
    Ok(())
}

/// What a test does with a device.
type Check = fn(&Gpu) -> Result<(), Failed>;

pub(crate) fn trials(prefix: &str, devices: &Arc<Devices>) -> Vec<Trial> {
    let list: [(&str, Check); 14] = [
        ("outputs-without-a-node", outputs_without_a_node),
        ("agrees-with-cpu", agrees_with_cpu),
        ("threads-share-a-plan", threads_share_a_plan),
        ("same-bits-however-planned", same_bits_however_planned),
        ("cuts-are-made", cuts_are_made),
        ("memory-is-reused", memory_is_reused),
        ("views-share-memory", views_share_memory),
        ("sums-in-place-have-the-same-bits", sums_in_place_have_the_same_bits),
        ("profile-names-every-node", profile_names_every_node),
        ("first-difference-is-found", first_difference_is_found),
        ("limits-are-errors", limits_are_errors),
        ("a-full-binding", a_binding_may_be_full),
        ("many-workgroups", many_workgroups),
        ("bad-inputs-are-errors", bad_inputs_are_errors),
    ];
    list.into_iter()
        .map(|(name, test)| {
            let devices = devices.clone();
            let on_gpu = move |engine: &Engine| test(engine.gpu().ok_or("no GPU")?);
            Trial::test(format!("{prefix}/graph/{name}"), move || devices.run(0, on_gpu))
        })
        .collect()
}
