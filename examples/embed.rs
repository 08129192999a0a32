//! Embedding in a host program that has its own wgpu device: the program fills the input buffer on the GPU,
//! records the network into its own command encoder next to its own passes, and reads the output buffer.
//!
//!     cargo run --release --example embed

use kinetograph::demo::{Motion, Scene, Trained};
use kinetograph::{Engine, Error, Result, Tensor, wgpu};

fn main() -> Result<()> {
    let network = Trained::by_name("c3d")?;
    let clip = network.clip(&Scene::from_seed(7))?;
    // What a host program has anyway.
    let Some((device, queue)) = host_device() else {
        println!("no GPU adapter here; the same graph runs on the processor:");
        let plan = Engine::cpu().plan(&network.graph()?)?;
        let outputs = plan.run(&[("clip", clip)])?;
        return report(&outputs["logits"]);
    };
    println!("host device: {}", device.adapter_info().name);

    // The engine shares it. Weights are uploaded and pipelines compiled here, once.
    let engine = Engine::from_wgpu(device.clone(), queue.clone());
    let plan = engine.plan(&network.graph()?)?;
    let plan = plan.as_gpu().ok_or_else(|| Error::internal("an engine on a GPU gives GPU plans"))?;
    let (input, input_offset, _) =
        plan.input_buffer("clip").ok_or_else(|| Error::usage("no input `clip`"))?;
    let (output, output_offset, output_size) =
        plan.output_buffer("logits").ok_or_else(|| Error::usage("no output `logits`"))?;

    // One frame of the host program: fill the input, record the network, copy the result out.
    queue.write_buffer(input, input_offset, clip.bytes());
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("logits for the host"),
        size: output_size,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    plan.encode(&mut encoder);
    encoder.copy_buffer_to_buffer(output, output_offset, &staging, 0, output_size);
    queue.submit([encoder.finish()]);

    staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
    device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| Error::device(e.to_string()))?;
    let view = staging.slice(..).get_mapped_range().map_err(|e| Error::device(e.to_string()))?;
    let logits: Vec<f32> =
        view.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
    report(&Tensor::new(&[1, logits.len()], logits)?)
}

fn report(logits: &Tensor) -> Result<()> {
    let best = logits.f32s()?.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let (index, logit) = best.ok_or_else(|| Error::internal("no classes"))?;
    println!("the shape moves {} (logit {logit:.2})", Motion::ALL[index]);
    Ok(())
}

fn host_device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter =
        pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).ok()?;
    let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    pollster::block_on(adapter.request_device(&descriptor)).ok()
}
