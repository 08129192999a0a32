//! Every case on every adapter of this machine and on its processor: one test per device and case.
//!
//! `cargo test --test gpu -- conv3d/` runs a part; `KINETOGRAPH_DEVICE` picks adapters, as it does for the command,
//! except that `auto` means all, and fails when there is none such. `WGPU_VALIDATION=1` runs everything under the Vulkan validation layer, and a word of it fails the run.

mod adapter;
mod compiling;
mod devices;
mod graphs;
mod layers;
mod sabotage;

use std::sync::Arc;

use kinetograph::gpu::{DEVICE_VARIABLE, Gpu, adapters, install_hint};
use kinetograph::verify::{self, Case, Verdict, cases};
use kinetograph::wgpu::{Adapter, AdapterInfo, DeviceType};
use kinetograph::{DeviceRequest, Engine};
use libtest_mimic::{Arguments, Failed, Trial};

use devices::{Devices, share_out};

/// The most devices of an adapter.
const MOST_DEVICES: usize = 4;

/// Trials for each device that have begun: one runs, the others wait, so that no device has to.
const BEGUN: usize = 8;

fn main() {
    let mut arguments = Arguments::from_args();
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_DEVICES);
    let threads = arguments.test_threads.unwrap_or(at_once * BEGUN);
    arguments.test_threads = Some(threads);
    let at_once = at_once.min(threads);
    let request = DeviceRequest::from_env();
    layers::listen();
    let mut trials = layers::trials();
    if matches!(request, DeviceRequest::Auto | DeviceRequest::Cpu) {
        let processor = Arc::new(Devices::new((0..at_once).map(|_| Engine::cpu()).collect()));
        trials.extend(of_cases("cpu", &processor));
        trials.extend(sabotage::trials("cpu", &processor, false));
    }
    let mut found = 0;
    for (index, adapter) in adapters().into_iter().enumerate() {
        let info = adapter.get_info();
        if !fits(&request, index, &info) {
            continue;
        }
        let name = info.name;
        found += 1;
        let short: String =
            name.chars().take_while(|c| *c != '(').collect::<String>().trim().replace(' ', "-");
        let prefix = format!("{}-{found}", short.to_lowercase());
        match Gpu::from_adapter(&adapter) {
            Ok(gpu) => trials.extend(of_adapter(&prefix, &adapter, &gpu, at_once)),
            Err(e) => trials.push(Trial::test(format!("{prefix}/open"), move || Err(e.to_string().into()))),
        }
    }
    let processor = matches!(request, DeviceRequest::Auto | DeviceRequest::Cpu | DeviceRequest::Reference);
    if found == 0 && !processor {
        eprintln!("{DEVICE_VARIABLE}={request}: no such adapter; {}", install_hint());
        std::process::exit(1);
    }
    if found == 0 {
        println!("SKIPPED: no adapter to test kernels on; {}", install_hint());
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if layers::messages() > 0 {
        eprintln!("the validation layer had {} messages", layers::messages());
        std::process::exit(1);
    }
    conclusion.exit();
}

fn fits(request: &DeviceRequest, index: usize, info: &AdapterInfo) -> bool {
    match request {
        DeviceRequest::Cpu | DeviceRequest::Reference => false,
        DeviceRequest::Gpu => info.device_type != DeviceType::Cpu,
        DeviceRequest::Discrete => info.device_type == DeviceType::DiscreteGpu,
        DeviceRequest::Integrated => info.device_type == DeviceType::IntegratedGpu,
        DeviceRequest::Software => info.device_type == DeviceType::Cpu,
        DeviceRequest::Index(wanted) => index == *wanted,
        DeviceRequest::Name(part) => info.name.to_lowercase().contains(&part.to_lowercase()),
        _ => true,
    }
}

fn of_adapter(prefix: &str, adapter: &Adapter, gpu: &Gpu, at_once: usize) -> Vec<Trial> {
    println!("adapter {prefix}: {}", gpu.describe());
    match gpu.self_check() {
        Ok(check) => println!("adapter {prefix}: {check:?}"),
        Err(e) => println!("adapter {prefix}: self-check failed: {e}"),
    }
    if !gpu.has_f16() {
        println!("SKIPPED on {prefix}: every f16 configuration, the device has no 16-bit floats in shaders");
    }
    // A device that has no place beside others is no fault of the kernels.
    let others = (1..at_once).map_while(|_| Gpu::from_adapter(adapter).ok());
    let devices: Vec<Engine> = std::iter::once(gpu.clone()).chain(others).map(Engine::from_gpu).collect();
    let devices = Arc::new(Devices::new(devices));
    let mut trials = of_cases(prefix, &devices);
    trials.extend(sabotage::trials(prefix, &devices, true));
    trials.extend(graphs::trials(prefix, &devices));
    trials.extend(compiling::trials(prefix, &devices));
    trials.extend(adapter::trials(prefix, gpu));
    trials
}

fn of_cases(prefix: &str, devices: &Arc<Devices>) -> Vec<Trial> {
    let operator = |case: &Case| case.name.split('/').next().unwrap_or_default().to_owned();
    let of_case = |(device, case): (usize, Case)| {
        let (devices, name) = (devices.clone(), format!("{prefix}/{}", case.name));
        Trial::test(name, move || devices.run(device, |engine| check(&case, engine)))
    };
    share_out(cases::all(), devices.count(), operator).into_iter().map(of_case).collect()
}

fn check(case: &Case, engine: &Engine) -> Result<(), Failed> {
    let reports = verify::run(case, engine);
    let bad: Vec<String> = reports
        .iter()
        .filter(|r| !matches!(r.verdict, Verdict::Pass | Verdict::Skipped(_)))
        .map(|r| format!("{}: {:?}", r.configuration, r.verdict))
        .collect();
    let passed = reports.iter().any(|r| r.verdict == Verdict::Pass);
    match (bad.is_empty(), passed) {
        (true, true) => Ok(()),
        (true, false) => Err("no configuration could run".into()),
        _ => Err(Failed::from(bad.join("\n"))),
    }
}
