//! What the Vulkan validation layer says. With `WGPU_VALIDATION=1` every message of it fails the run, and so
//! does a machine that has no such layer.

use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Trial;
use log::{Level, LevelFilter, Log, Metadata, Record};

static MESSAGES: AtomicUsize = AtomicUsize::new(0);
static TRIALS: AtomicUsize = AtomicUsize::new(0);

/// A target that no crate has, to try the sink with.
const TRIAL: &str = "wgpu_hal::trial";

/// Shows and counts warnings and errors of wgpu's lowest part, through which the layer speaks.
struct Sink;

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("wgpu_hal")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        if record.level() <= Level::Warn || text.contains("unable to find layer") {
            if record.target() == TRIAL {
                TRIALS.fetch_add(1, Ordering::Relaxed);
                return;
            }
            MESSAGES.fetch_add(1, Ordering::Relaxed);
            eprintln!("{} {}: {text}", record.level(), record.target());
        }
    }

    fn flush(&self) {}
}

/// Whether the layer was asked for.
pub(crate) fn wanted() -> bool {
    std::env::var("WGPU_VALIDATION").is_ok_and(|v| v != "0")
}

/// Begins to listen; must come before the first adapter is looked for.
pub(crate) fn listen() {
    if !wanted() || log::set_logger(&Sink).is_err() {
        return;
    }
    // A missing layer is told at this level only, and at this level the layer itself never ends.
    log::set_max_level(LevelFilter::Debug);
    let _ = kinetograph::gpu::adapters();
    log::set_max_level(LevelFilter::Warn);
}

/// How many messages there were.
pub(crate) fn messages() -> usize {
    MESSAGES.load(Ordering::Relaxed)
}

pub(crate) fn trials() -> Vec<Trial> {
    let heard = || {
        log::error!(target: TRIAL, "a message");
        log::info!(target: TRIAL, "not worth failing for");
        log::error!("of another crate");
        match TRIALS.load(Ordering::Relaxed) {
            1 => Ok(()),
            n => Err(format!("{n} messages instead of 1").into()),
        }
    };
    if wanted() { vec![Trial::test("layers/a-message-is-heard", heard)] } else { Vec::new() }
}
