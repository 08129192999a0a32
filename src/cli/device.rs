//! `kinetograph devices` and `kinetograph doctor`.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use kinetograph::Result;
use kinetograph::gpu::{self, DEVICE_VARIABLE, Gpu, adapters, describe, install_hint};
use serde_json::json;

use super::output;

#[derive(Args)]
pub(crate) struct Devices {
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub(crate) fn run(&self) -> Result<()> {
        let list = adapters();
        if self.json {
            let entries = list.iter().enumerate().map(|(i, a)| {
                let info = a.get_info();
                json!({
                    "index": i, "name": info.name, "kind": gpu::kind(&info),
                    "backend": info.backend.to_string(), "driver": info.driver, "driver_info": info.driver_info,
                    "f16": gpu::has_f16(a),
                })
            });
            return output::json(&entries.collect());
        }
        for (i, a) in list.iter().enumerate() {
            output::print(&format!("{i}: {}", describe(&a.get_info())))?;
        }
        if list.is_empty() {
            eprintln!("no GPU adapter; {}", install_hint());
        }
        output::print("cpu: this machine's processor, always there; `reference` is the same with naive loops")
    }
}

#[derive(Args)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) fn run(&self) -> Result<()> {
        let _ = self;
        output::print(&format!(
            "kinetograph {} on {} {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ))?;
        for name in
            [DEVICE_VARIABLE, "WGPU_BACKEND", "WGPU_ADAPTER_NAME", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        {
            if let Ok(value) = std::env::var(name) {
                output::print(&format!("environment: {name}={value}"))?;
            }
        }
        if cfg!(target_os = "linux") {
            for folder in ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"] {
                for file in files(Path::new(folder)) {
                    output::print(&format!("Vulkan driver file: {folder}/{file}"))?;
                }
            }
        }
        let list = adapters();
        for (i, adapter) in list.iter().enumerate() {
            output::print(&format!("\nadapter {i}: {}", describe(&adapter.get_info())))?;
            match Gpu::from_adapter(adapter) {
                Ok(gpu) => report(&gpu)?,
                Err(e) => output::print(&format!("  cannot be opened: {e}"))?,
            }
        }
        if list.is_empty() {
            output::print(&format!("\nno GPU adapter. To get one: {}.", install_hint()))?;
            output::print("Until then everything runs on the processor (--device cpu).")?;
        } else if list.iter().all(|a| gpu::kind(&a.get_info()) == "software") {
            output::print(
                "\nonly software adapters: `auto` computes on the processor directly; --device software tests kernels.",
            )?;
        }
        let ffmpeg =
            Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        output::print(if ffmpeg.is_ok_and(|s| s.success()) {
            "\nffmpeg: found; every video format it knows can be read"
        } else {
            "\nffmpeg: not found; H.264 in mp4, VP9 in WebM, GIF, y4m and pictures can be read. Install ffmpeg for others"
        })
    }
}

fn report(gpu: &Gpu) -> Result<()> {
    let l = gpu.limits();
    output::print(&format!(
        "  largest buffer {} MiB, largest binding {} MiB, {} workgroups a dimension, workgroup memory {} KiB",
        l.max_buffer_size >> 20,
        l.max_storage_buffer_binding_size >> 20,
        l.max_compute_workgroups_per_dimension,
        l.max_compute_workgroup_storage_size >> 10
    ))?;
    output::print(&format!(
        "  16-bit floats: {}; subgroups: {}; cooperative matrices: {}; timestamps: {}",
        if gpu.has_f16() { "yes" } else { "no (--precision f32 only)" },
        gpu.subgroup().map_or("no".into(), |lanes| format!("of {lanes} or more")),
        gpu.matrices().map_or("no".into(), |m| format!("{0}×{0}", m.size)),
        if gpu.has_timestamps() { "yes" } else { "no (profiles use the clock)" }
    ))?;
    match gpu.self_check() {
        Ok(check) => {
            if check.cuts_loops() {
                output::print(&format!(
                    "  self-check: the driver silently stops loops after {} turns (Mesa 22.3 does); kernels here stay \
                     below 60,000, other programs' may give wrong results: a newer Mesa is advised",
                    check.loop_iterations
                ))?;
            }
            output::print(&format!(
                "  self-check: max(1, NaN) is {}; subnormals are {}",
                if check.max_keeps_nan { "NaN" } else { "1" },
                if check.keeps_subnormals { "kept" } else { "flushed to zero" }
            ))
        }
        Err(e) => output::print(&format!("  self-check failed: {e}")),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
