//! Arguments, devices, progress and exit codes of the command. What it prints for machines goes to standard
//! output, everything for people who watch goes to standard error.

mod align;
mod bench;
mod cache;
mod demo;
mod detect;
mod device;
mod embed;
mod flow;
mod inflate;
mod models;
mod op;
mod output;
mod plot;
mod propagate;
mod run;
mod speedup;
mod tune;
mod tvl1;
mod two_stream;
mod verify;
mod views;
mod weights;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kinetograph::{DeviceRequest, Engine, Error, ErrorKind, PlanOptions, Precision, Result};

/// Video networks and GPU compute kernels on any Vulkan, Metal or DX12 device, or on the processor.
///
/// Exit codes: 0 done, 1 internal error, 2 usage, 3 no such device, 4 bad input, 5 out of memory, 6 verification
/// failed.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render a fresh clip of a moving shape and let a small trained C3D say how it moves.
    Demo(demo::Demo),
    /// Run a network on a video.
    Run(run::Run),
    // Their text is that of the structs, which have examples.
    Align(align::Align),
    Detect(detect::Detect),
    Embed(embed::Embed),
    Flow(flow::Flow),
    Inflate(inflate::Inflate),
    Op(op::OpCommand),
    Propagate(propagate::Propagate),
    Colorize(propagate::Colorize),
    Speedup(speedup::Speedup),
    /// Compare every kernel with its CPU reference on a device.
    Verify(verify::Verify),
    // Their text is that of the structs, which have examples.
    Bench(bench::Bench),
    Tune(tune::Tune),
    /// List the networks, or the operators.
    Models(models::Models),
    Weights(weights::Weights),
    /// List the devices.
    Devices(device::Devices),
    /// Look at drivers, adapters and limits, and say what to install.
    Doctor(device::Doctor),
}

/// Flags that every computing command takes.
#[derive(Args, Clone, Default)]
pub(crate) struct Common {
    /// auto, cpu, reference, gpu, discrete, integrated, software, a number of `devices`, or a part of a name [default:
    /// $KINETOGRAPH_DEVICE, else auto]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Storage of tensors: f32 or f16
    #[arg(long, default_value = "f32")]
    precision: String,
    /// Choose kernels by estimates, not by what `kinetograph tune` has measured on this device
    #[arg(long)]
    no_tune: bool,
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Common {
    fn request(&self) -> DeviceRequest {
        match self.device.as_deref() {
            Some(text) => text.parse().unwrap_or_default(),
            None => DeviceRequest::from_env(),
        }
    }

    /// Opens the device and says which one it is.
    fn engine(&self) -> Result<Engine> {
        let request = self.request();
        let engine = Engine::open(&request).map_err(|e| match restrictions() {
            Some(set) if e.kind() == ErrorKind::Device => Error::device(format!("{e} ({set})")),
            _ => e,
        })?;
        if engine.gpu().is_none() && request == DeviceRequest::Auto {
            eprintln!(
                "device: {}, for no hardware GPU is there; `kinetograph doctor` says what to install",
                engine.describe()
            );
        } else {
            eprintln!("device: {}", engine.describe());
        }
        if let (Some(gpu), Some(folder)) = (engine.gpu(), cache::folder()) {
            gpu.keep_pipelines(&folder);
        }
        match engine.gpu().filter(|_| !self.no_tune).and_then(tune::measured) {
            Some(tuning) => Ok(engine.tuned(tuning)),
            None => Ok(engine),
        }
    }

    fn precision(&self) -> Result<Precision> {
        self.precision.parse()
    }

    fn options(&self) -> Result<PlanOptions> {
        Ok(PlanOptions {
            on_progress: output::progress(self.json),
            ..PlanOptions::with_precision(self.precision()?)
        })
    }
}

/// The environment variables that narrow which adapters are seen, if any is set.
fn restrictions() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).map(|v| format!("{name}={v}"));
    let names = ["WGPU_BACKEND", "WGPU_ADAPTER_NAME", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
    let found: Vec<String> = names.into_iter().filter_map(set).collect();
    (!found.is_empty()).then(|| format!("the environment narrows the choice: {}", found.join(" ")))
}

/// Without a desktop session, Mesa's layer that asks the desktop for its GPU only prints complaints.
#[expect(unsafe_code, reason = "the environment can only be changed so")]
fn quiet_mesa() {
    let missing = |name: &str| std::env::var_os(name).is_none();
    if ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "DISPLAY", "NODEVICE_SELECT"].into_iter().all(missing) {
        // SAFETY: called first of all, while the process has one thread.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

pub(crate) fn main() -> ExitCode {
    quiet_mesa();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,wgpu_hal=error")).init();
    let result = match Cli::parse().command {
        Command::Demo(c) => c.run(),
        Command::Run(c) => c.run(),
        Command::Align(c) => c.run(),
        Command::Detect(c) => c.run(),
        Command::Embed(c) => c.run(),
        Command::Flow(c) => c.run(),
        Command::Inflate(c) => c.run(),
        Command::Op(c) => c.run(),
        Command::Propagate(c) => c.run(),
        Command::Colorize(c) => c.run(),
        Command::Speedup(c) => c.run(),
        Command::Verify(c) => c.run(),
        Command::Bench(c) => c.run(),
        Command::Tune(c) => c.run(),
        Command::Models(c) => c.run(),
        Command::Weights(c) => c.run(),
        Command::Devices(c) => c.run(),
        Command::Doctor(c) => c.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            if e.kind() == ErrorKind::Device {
                // A device that hangs would hold the process in its destructor.
                std::process::exit(e.kind().exit_code().into());
            }
            ExitCode::from(e.kind().exit_code())
        }
    }
}
