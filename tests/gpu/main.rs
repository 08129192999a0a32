//! Every case on every adapter of this machine and on its processor: one test per device and case.
//!
//! `cargo test --test gpu -- conv3d/` runs a part; `KINETOGRAPH_DEVICE` picks adapters, as it does for the command,
//! except that `auto` means all, and fails when there is none such. `WGPU_VALIDATION=1` runs everything under the Vulkan validation layer, and a word of it fails the run.

mod adapter;
mod graphs;
mod layers;
mod sabotage;

use kinetograph::gpu::{DEVICE_VARIABLE, Gpu, adapters, install_hint};
use kinetograph::verify::{self, Verdict, cases};
use kinetograph::wgpu::{AdapterInfo, DeviceType};
use kinetograph::{DeviceRequest, Engine};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // A software adapter uses every core by itself.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let request = DeviceRequest::from_env();
    layers::listen();
    let mut trials = layers::trials();
    if matches!(request, DeviceRequest::Auto | DeviceRequest::Cpu) {
        trials.extend(of_cases("cpu", &Engine::cpu()));
        trials.extend(sabotage::trials("cpu", &Engine::cpu()));
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
            Ok(gpu) => trials.extend(of_adapter(&prefix, &gpu)),
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

fn of_adapter(prefix: &str, gpu: &Gpu) -> Vec<Trial> {
    println!("adapter {prefix}: {}", gpu.describe());
    match gpu.self_check() {
        Ok(check) => println!("adapter {prefix}: {check:?}"),
        Err(e) => println!("adapter {prefix}: self-check failed: {e}"),
    }
    if !gpu.has_f16() {
        println!("SKIPPED on {prefix}: every f16 configuration, the device has no 16-bit floats in shaders");
    }
    let mut trials = of_cases(prefix, &Engine::from_gpu(gpu.clone()));
    trials.extend(sabotage::trials(prefix, &Engine::from_gpu(gpu.clone())));
    trials.extend(graphs::trials(prefix, gpu));
    trials.extend(adapter::trials(prefix, gpu));
    trials
}

fn of_cases(prefix: &str, engine: &Engine) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases::all() {
        let engine = engine.clone();
        trials.push(Trial::test(format!("{prefix}/{}", case.name), move || {
            let reports = verify::run(&case, &engine);
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
        }));
    }
    trials
}
