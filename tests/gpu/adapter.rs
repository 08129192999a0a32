//! The device itself: a host program's own, a lost one.

use kinetograph::gpu::{Gpu, adapters};
use kinetograph::{Engine, ErrorKind, Graph, Tensor, wgpu};
use libtest_mimic::{Failed, Trial};

fn doubled() -> kinetograph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[4])?;
    let y = g.add(x, x)?;
    g.output("y", y)?;
    Ok(g)
}

fn four() -> kinetograph::Result<Tensor> {
    Tensor::new(&[4], vec![1.0f32, 2.0, 3.0, 4.0])
}

/// A device with nothing but WebGPU's default limits and no features, made by the host program, whose encoder
/// takes the whole graph.
fn host_device(name: &str) -> Result<(), Failed> {
    let adapter = adapters().into_iter().find(|a| a.get_info().name == name).ok_or("adapter gone")?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let engine = Engine::from_wgpu(device.clone(), queue.clone());
    let plan = engine.plan(&doubled()?)?;
    if plan.run(&[("x", four()?)])?["y"].f32s()? != [2.0, 4.0, 6.0, 8.0] {
        return Err("wrong result through run".into());
    }
    let plan = plan.as_gpu().ok_or("not a GPU plan")?;
    let (input, offset, size) = plan.input_buffer("x").ok_or("no input buffer")?;
    if size != 16 {
        return Err(format!("the input takes {size} bytes").into());
    }
    let bytes: Vec<u8> = [5.0f32, 6.0, 7.0, 8.0].iter().flat_map(|x| x.to_ne_bytes()).collect();
    queue.write_buffer(input, offset, &bytes);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    plan.encode(&mut encoder);
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let (output, offset, _) = plan.output_buffer("y").ok_or("no output buffer")?;
    encoder.copy_buffer_to_buffer(output, offset, &staging, 0, 16);
    queue.submit([encoder.finish()]);
    staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let view = staging.slice(..).get_mapped_range()?;
    let got: Vec<f32> = view.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
    if got != [10.0, 12.0, 14.0, 16.0] { Err(format!("{got:?}").into()) } else { Ok(()) }
}

/// A destroyed device is an error with a name, not a panic or a hang.
fn lost_device(name: &str) -> Result<(), Failed> {
    let adapter = adapters().into_iter().find(|a| a.get_info().name == name).ok_or("adapter gone")?;
    let gpu = Gpu::from_adapter(&adapter)?;
    let plan = Engine::from_gpu(gpu.clone()).plan(&doubled()?)?;
    gpu.device().destroy();
    let error = plan.run(&[("x", four()?)]).err().ok_or("a destroyed device gave an answer")?;
    if error.kind() != ErrorKind::Device || !error.to_string().contains("was lost") {
        return Err(format!("{error:?}").into());
    }
    Ok(())
}

/// What a test does with the adapter of a name.
type Check = fn(&str) -> Result<(), Failed>;

pub(crate) fn trials(prefix: &str, gpu: &Gpu) -> Vec<Trial> {
    let list: [(&str, Check); 2] = [("host-device", host_device), ("lost-device", lost_device)];
    let name = gpu.info().name.clone();
    list.into_iter()
        .map(|(what, test)| {
            let name = name.clone();
            Trial::test(format!("{prefix}/adapter/{what}"), move || test(&name))
        })
        .collect()
}
