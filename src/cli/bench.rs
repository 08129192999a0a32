//! `kinetograph bench`: kernels and networks at their real sizes.

mod flow;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use kinetograph::bench::{Bench as Measure, Entry, Kind, Measured, Record, entries, picture};
use kinetograph::{Engine, Error, ErrorKind, PlanOptions, Result};
use serde_json::{Value as Json, json};

use super::{Common, output};

/// Measure kernels at the shapes that networks give them, and networks, on a device; each answer is compared with the
/// processor's before it is timed.
///
/// The columns: milliseconds in kernels; billions of operations and of bytes a second in them; how much of what the
/// device can do at best, as two kernels that do nothing else measure it, is reached; milliseconds of a whole run with
/// its transfers, and of the first one, with its planning; the largest error against the processor.
///
/// Examples:
///
///   kinetograph bench conv3d/ network/c3d --output before.json
///   kinetograph bench conv3d/ --compare before.json --roofline conv.svg
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, verbatim_doc_comment)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Only entries whose names contain one of these, such as `conv3d/`; a whole name such as `network/c3d` means that entry
    filters: Vec<String>,
    /// Seconds to repeat each entry for; one run is always made
    #[arg(long, default_value_t = 1.0)]
    time: f64,
    /// Name the entries, with their operations and bytes, and measure nothing
    #[arg(long)]
    list: bool,
    /// Do not compare answers with the processor's first
    #[arg(long)]
    no_check: bool,
    /// Write the results as JSON, to be compared with later
    #[arg(long, value_name = "FILE.json")]
    output: Option<PathBuf>,
    /// Say how many times as fast each entry is as in the results of an earlier run
    #[arg(long, value_name = "FILE.json")]
    compare: Option<PathBuf>,
    /// Draw operations a second over operations a byte, under what the device can do at best
    #[arg(long, value_name = "FILE.svg or .html")]
    roofline: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum What {
    Flow(flow::FlowBench),
}

/// The longest an entry is repeated for.
const MOST_SECONDS: f64 = 3600.0;

/// What a processor measures unasked: seconds of work for one kernel, a minute for a network.
const MOST_KERNEL: u64 = 20_000_000_000;
const MOST_NETWORK: u64 = 100_000_000_000;

fn most(kind: Kind) -> u64 {
    match kind {
        Kind::Kernel => MOST_KERNEL,
        Kind::Network => MOST_NETWORK,
    }
}

/// The entries that filters mean, in the order of all; every entry when there are none.
pub(super) fn chosen(filters: &[String]) -> Result<Vec<Entry>> {
    let mut list = entries();
    let names: Vec<String> = list.iter().map(|e| e.name.clone()).collect();
    let means = |filter: &String, name: &String| {
        if names.contains(filter) { name == filter } else { name.contains(filter.as_str()) }
    };
    if let Some(unknown) = filters.iter().find(|f| !names.iter().any(|name| means(f, name))) {
        return Err(Error::usage(format!(
            "no entry's name contains `{unknown}`; {}; `bench --list` names all",
            offered(unknown, &names)
        )));
    }
    list.retain(|e| filters.is_empty() || filters.iter().any(|f| means(f, &e.name)));
    Ok(list)
}

/// The names of the group that a filter is of, or all groups.
fn offered(filter: &str, names: &[String]) -> String {
    let group = |name: &str| name.split_once('/').map(|(group, _)| format!("{group}/"));
    let wanted = group(filter);
    let of_group: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| wanted.is_some() && group(name) == wanted).collect();
    if of_group.is_empty() {
        let mut groups: Vec<String> = names.iter().filter_map(|name| group(name)).collect();
        groups.dedup();
        return format!("there are {}", groups.join(", "));
    }
    format!("there are {}", of_group.join(", "))
}

impl Bench {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(What::Flow(flow)) = &self.what {
            return flow.run();
        }
        let list = chosen(&self.filters)?;
        if !(0.0..=MOST_SECONDS).contains(&self.time) {
            return Err(Error::usage(format!(
                "--time {}: 0 to {MOST_SECONDS} seconds are possible",
                self.time
            )));
        }
        if self.list {
            return self.name(&list);
        }
        for path in self.output.iter().chain(&self.roofline) {
            output::check_writable(path)?;
        }
        if let Some(path) = &self.roofline {
            picture::format(path)?;
        }
        let before = self.compare.as_ref().map(Record::read).transpose()?;
        let engine = self.common.engine()?;
        let mut bench = Measure::new(engine);
        bench.options = PlanOptions { on_progress: None, ..self.common.options()? };
        bench.time = Duration::from_secs_f64(self.time);
        bench.check = !self.no_check;
        self.measure(&bench, &list, before.as_ref())
    }

    fn name(&self, list: &[Entry]) -> Result<()> {
        let mut rows = Vec::new();
        for entry in list {
            let graph = entry.outline()?;
            let (flops, bytes) = (graph.flops(), graph.bytes());
            rows.push(json!({"name": entry.name, "flops": flops, "bytes": bytes}));
            if !self.common.json {
                let (flops, bytes) = (flops as f64 / 1e9, bytes as f64 / 1e9);
                output::print(&format!("{:<36} {flops:>10.3} GFLOP {bytes:>9.3} GB", entry.name))?;
            }
        }
        if self.common.json { output::json(&Json::Array(rows)) } else { Ok(()) }
    }

    fn measure(&self, bench: &Measure, list: &[Entry], before: Option<&Record>) -> Result<()> {
        let engine = bench.engine();
        let peak = engine.gpu().map(|gpu| gpu.peak()).transpose()?;
        if let Some(peak) = &peak {
            let (flops, bytes) = (peak.flops / 1e9, peak.bytes / 1e9);
            eprintln!("at best: {flops:.1} GFLOP/s of f32 multiply-adds, {bytes:.1} GB/s of copying");
        }
        let mut record = Record::new(engine.describe(), bench.options.precision.to_string(), peak);
        if let Some(before) = before.filter(|b| b.device != record.device || b.precision != record.precision)
        {
            eprintln!("compared with another device or precision: {}, {}", before.device, before.precision);
        }
        if !self.common.json {
            output::print(&header(before.is_some()))?;
        }
        let (mut left_out, mut failed) = (Vec::new(), Vec::<Error>::new());
        for entry in list {
            if too_much(entry, &self.filters, engine)? {
                left_out.push(entry.name.as_str());
                continue;
            }
            match bench.measure(entry) {
                Ok(mut measured) => {
                    record.entries.push(measured.clone());
                    measured.ratio = before.and_then(|b| record.faster(b, &measured.name));
                    if !self.common.json {
                        output::print(&row(&measured, &record, before.is_some()))?;
                    }
                    if let Some(last) = record.entries.last_mut() {
                        *last = measured;
                    }
                }
                // Without its device nothing else can be measured.
                Err(e) if e.kind() == ErrorKind::Device => return Err(e),
                Err(e) => {
                    eprintln!("error: {e}");
                    failed.push(e);
                }
            }
            // Hours of measuring are not lost to a fault that comes later.
            self.write(&record)?;
        }
        say_left_out(&left_out);
        if self.common.json {
            let text = serde_json::to_value(&record).map_err(|e| Error::internal(e.to_string()))?;
            output::json(&text)?;
        }
        match failed.len() {
            0 => Ok(()),
            n => Err(Error::new(failed[0].kind(), format!("{n} of {} entries failed", list.len()))),
        }
    }

    fn write(&self, record: &Record) -> Result<()> {
        if let Some(path) = &self.output {
            record.write(path)?;
        }
        match &self.roofline {
            Some(path) if picture::drawable(record) => picture::write(record, path),
            _ => Ok(()),
        }
    }
}

/// Whether an entry is left out: on a processor, unless it is asked for by its whole name.
pub(super) fn too_much(entry: &Entry, filters: &[String], engine: &Engine) -> Result<bool> {
    let slow = engine.gpu().is_none_or(kinetograph::gpu::Gpu::is_software);
    Ok(slow && !filters.contains(&entry.name) && entry.outline()?.flops() > most(entry.kind))
}

/// Names what was left out.
pub(super) fn say_left_out(names: &[&str]) {
    if !names.is_empty() {
        eprintln!(
            "left out, for a processor takes long for them (name one to measure it): {}",
            names.join(", ")
        );
    }
}

fn header(compared: bool) -> String {
    let before = if compared { format!(" {:>8}", "before") } else { String::new() };
    format!(
        "{:<36} {:>10} {:>10} {:>9} {:>7} {:>10} {:>10} {:>8}{before}",
        "name", "ms", "GFLOP/s", "GB/s", "of best", "run ms", "first ms", "error"
    )
}

fn row(m: &Measured, record: &Record, compared: bool) -> String {
    let share = record.peak().map_or("-".into(), |p| format!("{:.0} %", 100.0 * m.share(&p)));
    let error = m.error.map_or("-".into(), |e| format!("{e:.0e}"));
    let ratio = m.ratio.map_or("-".into(), |r| format!("{r:.2} ×"));
    let before = if compared { format!(" {ratio:>8}") } else { String::new() };
    let memory = m.memory.filter(|_| m.name.starts_with("network/")).map_or(String::new(), |m| {
        let mib = |bytes: u64| bytes as f64 / 1048576.0;
        format!(
            "   weights {:.1} MiB, activations {:.1} MiB ({:.3} × the most alive at once)",
            mib(m.weights),
            mib(m.activations),
            m.activations as f64 / m.alive as f64
        )
    });
    format!(
        "{:<36} {:>10.3} {:>10.2} {:>9.2} {share:>7} {:>10.3} {:>10.3} {error:>8}{before}{memory}",
        m.name,
        m.kernels * 1e3,
        m.gflops(),
        m.gbs(),
        m.whole * 1e3,
        m.first * 1e3,
    )
}
