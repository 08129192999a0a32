//! `kinetograph tune`: which kernels are the fastest on this device, measured once.

use std::path::PathBuf;

use clap::Args;
use kinetograph::bench::{Tuned, tunable, tune};
use kinetograph::gpu::Gpu;
use kinetograph::graph::Tuning;
use kinetograph::{Error, PlanOptions, Result};
use serde_json::{Value as Json, json};

use super::bench::{chosen, say_left_out, too_much};
use super::{Common, cache, output};

/// Measure on this device which kernels are the fastest for entries of `bench`, and keep it for all later commands.
///
/// What is kept is a file for each device and driver in the user's cache folder, or in $KINETOGRAPH_CACHE. It holds shapes
/// that were measured, and no other is changed by it; `--no-tune` of every command looks away from it. Only what is not in
/// it yet is measured.
///
/// Examples:
///
///   kinetograph tune network/c3d
///   kinetograph tune conv3d/ --precision f16
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Tune {
    /// Only entries whose names contain one of these (see `bench --list`), such as `network/timesformer`
    filters: Vec<String>,
    /// Measure anew what is known already
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    common: Common,
}

/// Where the choices for a device are kept; none where no cache folder is known.
fn place(gpu: &Gpu) -> Option<PathBuf> {
    Some(cache::folder()?.join(Tuning::file_name(gpu)))
}

/// What was measured on a device; a file that is broken is ignored with a warning.
pub(super) fn measured(gpu: &Gpu) -> Option<Tuning> {
    let path = place(gpu).filter(|p| p.exists())?;
    match Tuning::read(&path, gpu) {
        Ok(tuning) => Some(tuning),
        Err(e) => {
            eprintln!("warning: {e}; it is ignored, and `kinetograph tune` writes it anew");
            None
        }
    }
}

impl Tune {
    pub(crate) fn run(&self) -> Result<()> {
        let list = chosen(&self.filters)?;
        let options = PlanOptions { on_progress: None, ..self.common.options()? };
        // The tables that are there change nothing of what is measured.
        let engine = Common { no_tune: true, ..self.common.clone() }.engine()?;
        let gpu = tunable(&engine)?;
        let path = place(gpu).ok_or_else(|| {
            Error::usage(format!("no cache folder is known; name one by {}", cache::VARIABLE))
        })?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| {
                Error::usage(format!("{}: no such folder can be made: {e}", folder.display()))
            })?;
        }
        output::check_writable(&path)?;
        let known = if self.again { None } else { measured(gpu) };
        let mut tuning = known.unwrap_or_else(|| Tuning::new(gpu));
        if !self.common.json {
            output::print(&format!("{:<48} {:>10} {:>10}", "node", "usual ms", "chosen ms"))?;
        }
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for entry in &list {
            if too_much(entry, &self.filters, &engine)? {
                left_out.push(entry.name.as_str());
                continue;
            }
            let told = |t: &Tuned| {
                let (usual, chosen) = (t.usual * 1e3, t.chosen * 1e3);
                rows.push(json!({
                    "entry": entry.name, "node": t.node, "candidates": t.candidates, "usual_ms": usual,
                    "chosen_ms": chosen, "chosen": t.what,
                }));
                if self.common.json {
                    return Ok(());
                }
                let name = format!("{} {}", entry.name, t.node);
                output::print(&format!("{name:<48} {usual:>10.3} {chosen:>10.3}  {}", t.what))
            };
            let done = tune(&engine, &entry.outline()?, &options, &mut tuning, told);
            // What was measured before an error is kept.
            tuning.write(&path)?;
            done?;
        }
        say_left_out(&left_out);
        eprintln!("{} choices are kept in {}", tuning.len(), path.display());
        if self.common.json { output::json(&Json::Array(rows)) } else { Ok(()) }
    }
}
