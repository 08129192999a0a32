//! `kinetograph verify`: every kernel of a device against its reference.

use clap::Args;
use kinetograph::verify::{self, Verdict, cases};
use kinetograph::{Error, ErrorKind, Result};
use serde_json::json;

use super::{Common, output};

#[derive(Args)]
pub(crate) struct Verify {
    /// Only cases whose name contains this, such as `conv3d/` or `pool3d/ceil`
    filter: Option<String>,
    /// Show every configuration, not only what failed
    #[arg(long)]
    all: bool,
    /// auto, cpu, gpu, discrete, integrated, software, a number of `devices`, or a part of a name
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<()> {
        let common =
            Common { device: self.device.clone(), precision: "f32".into(), no_tune: true, json: self.json };
        let engine = common.engine()?;
        if engine.is_reference() {
            return Err(Error::usage(
                "verify compares a device with the CPU reference, and this is the reference: choose cpu or an adapter \
                 (see `kinetograph devices`)",
            ));
        }
        if let Some(gpu) = engine.gpu()
            && let check = gpu.self_check()?
            && check.cuts_loops()
        {
            eprintln!("note: this driver silently stops loops after {} turns", check.loop_iterations);
        }
        let wanted = self.filter.as_deref().unwrap_or("");
        let cases: Vec<_> = cases::all().into_iter().filter(|c| c.name.contains(wanted)).collect();
        if cases.is_empty() {
            return Err(Error::usage(format!("no case's name contains `{wanted}`")));
        }
        let bar = output::bar("verifying", cases.len());
        let mut counts = [0usize; 3];
        let mut details = Vec::new();
        let mut operators: Vec<(String, [usize; 3])> = Vec::new();
        for case in &cases {
            let operator = case.name.split('/').next().unwrap_or_default();
            if operators.last().is_none_or(|(name, _)| name != operator) {
                operators.push((operator.to_owned(), [0; 3]));
            }
            for report in verify::run(case, &engine) {
                let (column, text) = match &report.verdict {
                    Verdict::Pass => (0, "pass".to_owned()),
                    Verdict::Skipped(why) => (2, format!("skipped: {why}")),
                    Verdict::Fail(why) => (1, format!("FAILED: {why}")),
                    Verdict::Mistrusted(why) => (1, format!("MISTRUSTED: {why}")),
                    _ => (1, "unknown verdict".to_owned()),
                };
                counts[column] += 1;
                if let Some((_, of_operator)) = operators.last_mut() {
                    of_operator[column] += 1;
                }
                if column == 1 || self.all {
                    details.push(json!({
                        "case": report.case, "configuration": report.configuration, "verdict": text,
                    }));
                    if !self.json {
                        bar.suspend(|| {
                            output::print(&format!("{} [{}] {text}", report.case, report.configuration))
                        })?;
                    }
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let [passed, failed, skipped] = counts;
        if self.json {
            output::json(&json!({
                "device": engine.describe(), "passed": passed, "failed": failed, "skipped": skipped,
                "details": details,
            }))?;
        } else {
            output::print(&format!("{:<14} {:>8} {:>8} {:>8}", "operator", "passed", "failed", "skipped"))?;
            for (name, [p, f, s]) in &operators {
                output::print(&format!("{name:<14} {p:>8} {f:>8} {s:>8}"))?;
            }
            output::print(&format!("{:<14} {passed:>8} {failed:>8} {skipped:>8}", "total"))?;
        }
        if failed > 0 {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("{failed} of {} configurations failed on {}", passed + failed, engine.describe()),
            ));
        }
        Ok(())
    }
}
