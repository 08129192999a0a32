//! Tables, bars and JSON.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use kinetograph::graph::{Progress, Timing};
pub(crate) use kinetograph::prepare::softmax;
use kinetograph::{Error, Result};
use serde_json::Value as Json;

/// Prints a JSON document on standard output.
pub(crate) fn json(value: &Json) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::internal(e.to_string()))?;
    print(&text)
}

/// Prints a line on standard output; a reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::usage(format!("standard output cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}

/// Fails if a file cannot be written, before the work whose result it is for.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let fault = match std::fs::metadata(path) {
        Ok(m) if m.is_dir() => "is a folder; the name of a file is needed".into(),
        // A device or a pipe.
        Ok(m) if !m.is_file() => return Ok(()),
        _ => {
            // Files are written beside their place, which a link names.
            let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
            let folder = match target.parent() {
                Some(p) if !p.as_os_str().is_empty() => p,
                _ => Path::new("."),
            };
            if !folder.is_dir() {
                format!("there is no folder {}", folder.display())
            } else if let Err(e) = tempfile::tempfile_in(folder) {
                format!("cannot be written: the folder {} takes no files: {}", folder.display(), e.kind())
            } else {
                return Ok(());
            }
        }
    };
    Err(Error::usage(fault).at(path.display()))
}

/// A bar for planning and running, if a person is watching.
pub(crate) fn progress(json: bool) -> Option<Progress> {
    if json || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar: Mutex<Option<(&'static str, ProgressBar)>> = Mutex::new(None);
    Some(Arc::new(move |stage, done, total| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.as_ref().is_none_or(|(s, _)| *s != stage) {
            if let Some((_, old)) = bar.take() {
                old.finish_and_clear();
            }
            *bar = Some((stage, self::bar(stage, total)));
        }
        if let Some((_, bar)) = &*bar {
            bar.set_position(done as u64);
            if done >= total {
                bar.finish_and_clear();
            }
        }
    }))
}

/// A bar of `total` steps on standard error; invisible if nobody is watching.
pub(crate) fn bar(stage: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(stage);
    if let Ok(style) = ProgressStyle::with_template("{msg:18} {bar:30} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

/// A bar that tells how many steps a second are made, of as many as there are if that is known.
pub(crate) fn rate_bar(stage: &'static str, total: Option<usize>) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(stage);
    let template = match total {
        Some(total) => {
            bar.set_length(total as u64);
            "{msg:18} {bar:30} {pos}/{len} {per_sec} {eta}"
        }
        None => "{msg:18} {pos} {per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Class, probability and a bar, one line each.
pub(crate) fn ranking(top: &[(usize, String, f64)]) -> String {
    let width = top.iter().map(|(_, label, _)| label.chars().count()).max().unwrap_or(0);
    let lines = top.iter().map(|(_, label, p)| {
        let bar = "█".repeat((p * 30.0).round() as usize);
        format!("  {label:<width$}  {:>6.2} %  {bar}", p * 100.0)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How long every node took, then every operator with all its nodes, longest first, for people.
pub(crate) fn timings(list: &[Timing]) -> String {
    let total: f64 = list.iter().map(|t| t.seconds).sum();
    let mut operators: Vec<Timing> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for t in list {
        match operators.iter().position(|o| o.op == t.op) {
            Some(i) => {
                counts[i] += 1;
                operators[i].seconds += t.seconds;
                operators[i].flops += t.flops;
                operators[i].bytes += t.bytes;
            }
            None => {
                counts.push(1);
                operators.push(t.clone());
            }
        }
    }
    for (operator, count) in operators.iter_mut().zip(counts) {
        operator.node = format!("{} ({count})", operator.op);
    }
    operators.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let everything = list.iter().chain(&operators);
    let width = everything.map(|t| t.node.chars().count()).max().unwrap_or(0);
    let line = |t: &Timing| {
        let rate = |n: u64| n as f64 / t.seconds.max(1e-12) / 1e9;
        format!(
            "  {:<width$}  {:>10.3} ms  {:>5.1} %  {:>9.2} GFLOP/s  {:>8.2} GB/s",
            t.node,
            t.seconds * 1e3,
            t.seconds / total.max(1e-12) * 100.0,
            rate(t.flops),
            rate(t.bytes)
        )
    };
    let mut lines: Vec<String> = list.iter().map(line).collect();
    lines.push("by operator (nodes):".into());
    lines.extend(operators.iter().map(line));
    lines.push(format!("  {:<width$}  {:>10.3} ms", "total", total * 1e3));
    lines.join("\n")
}

/// The highest numbers with their indices, highest first; the lowest index among equals.
pub(crate) fn highest(values: &[f64], count: usize) -> Vec<(usize, f64)> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.truncate(count);
    order
}

/// `top` of a JSON document.
pub(crate) fn json_top(top: &[(usize, String, f64)]) -> Json {
    top.iter()
        .map(|(index, label, p)| serde_json::json!({"index": index, "label": label, "probability": p}))
        .collect()
}
