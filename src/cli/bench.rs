//! `kinetograph bench`: kernels and networks at their real sizes.

mod flow;

use std::time::Instant;

use clap::{Args, Subcommand};
use kinetograph::models::c3d::C3d;
use kinetograph::ops::{Conv3d, Pool3d};
use kinetograph::weights::Weights;
use kinetograph::{Engine, Error, Graph, PlanOptions, Result, Tensor};
use serde_json::{Value as Json, json};

use super::{Common, output};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Only entries whose name contains this, such as `conv3d/` or `network/c3d`
    filter: Option<String>,
    /// Seconds to repeat each entry for; one run is always made
    #[arg(long, default_value_t = 1.0)]
    time: f64,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum What {
    Flow(flow::FlowBench),
}

/// The longest an entry is repeated for.
const MOST_SECONDS: f64 = 3600.0;

/// A graph with one input, to be timed.
struct Entry {
    name: String,
    build: Box<dyn Fn() -> Result<Graph>>,
    /// Time the whole run with its transfers, not the kernel alone.
    whole: bool,
}

/// C3D's convolutions: name, channels in and out, frames, height and width.
const CONVOLUTIONS: [(&str, usize, usize, usize, usize); 8] = [
    ("conv1", 3, 64, 16, 112),
    ("conv2", 64, 128, 16, 56),
    ("conv3a", 128, 256, 8, 28),
    ("conv3b", 256, 256, 8, 28),
    ("conv4a", 256, 512, 4, 14),
    ("conv4b", 512, 512, 4, 14),
    ("conv5a", 512, 512, 2, 7),
    ("conv5b", 512, 512, 2, 7),
];

/// Numbers between −1 and 1 that no kernel can take short cuts with.
fn numbers(shape: &[usize]) -> Result<Tensor> {
    Tensor::from_fn(shape, |i| (i.wrapping_mul(2_654_435_761) >> 7 & 1023) as f32 / 511.5 - 1.0)
}

fn entries() -> Vec<Entry> {
    let mut list = Vec::new();
    for (layer, cin, cout, t, h) in CONVOLUTIONS {
        list.push(Entry {
            name: format!("conv3d/c3d-{layer}"),
            build: Box::new(move || {
                let mut g = Graph::new();
                let x = g.input("x", &[1, t, h, h, cin])?;
                let w = g.constant("w", numbers(&[3, 3, 3, cin, cout])?);
                let b = g.constant("b", numbers(&[cout])?);
                let y = g.conv3d(x, w, Some(b), &Conv3d::padded([1; 3]))?;
                let y = g.relu(y)?;
                g.output("y", y)?;
                Ok(g)
            }),
            whole: false,
        });
    }
    for (layer, shape, kernel) in
        [("pool1", [1, 16, 112, 112, 64], [1, 2, 2]), ("pool2", [1, 16, 56, 56, 128], [2, 2, 2])]
    {
        list.push(Entry {
            name: format!("pool3d/c3d-{layer}"),
            build: Box::new(move || {
                let mut g = Graph::new();
                let x = g.input("x", &shape)?;
                let y = g.pool3d(x, &Pool3d::max(kernel))?;
                g.output("y", y)?;
                Ok(g)
            }),
            whole: false,
        });
    }
    for (layer, inputs, outputs) in [("fc6", 8192, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 487)] {
        list.push(Entry {
            name: format!("linear/c3d-{layer}"),
            build: Box::new(move || {
                let mut g = Graph::new();
                let x = g.input("x", &[1, inputs])?;
                let w = g.constant("w", numbers(&[inputs, outputs])?);
                let y = g.linear(x, w, None)?;
                g.output("y", y)?;
                Ok(g)
            }),
            whole: false,
        });
    }
    list.push(Entry {
        name: "network/c3d".into(),
        build: Box::new(|| C3d::sports1m().build(1, &Weights::random(0))),
        whole: true,
    });
    list
}

impl Bench {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(What::Flow(flow)) = &self.what {
            return flow.run();
        }
        let wanted = self.filter.as_deref().unwrap_or("");
        let list: Vec<Entry> = entries().into_iter().filter(|e| e.name.contains(wanted)).collect();
        if list.is_empty() {
            let names = entries().into_iter().map(|e| e.name).collect::<Vec<_>>().join(", ");
            return Err(Error::usage(format!("no entry's name contains `{wanted}`; there are {names}")));
        }
        if !(0.0..=MOST_SECONDS).contains(&self.time) {
            return Err(Error::usage(format!(
                "--time {}: 0 to {MOST_SECONDS} seconds are possible",
                self.time
            )));
        }
        let engine = self.common.engine()?;
        let options = self.common.options()?;
        let mut results = Vec::new();
        if !self.common.json {
            output::print(&format!("{:<20} {:>11} {:>10} {:>9}", "name", "ms", "GFLOP/s", "GB/s"))?;
        }
        for entry in &list {
            let (seconds, flops, bytes, memory) = self.measure(entry, &engine, &options)?;
            let rate = |n: u64| n as f64 / seconds / 1e9;
            if !self.common.json {
                output::print(&format!(
                    "{:<20} {:>11.3} {:>10.2} {:>9.2}{memory}",
                    entry.name,
                    seconds * 1e3,
                    rate(flops),
                    rate(bytes)
                ))?;
            }
            results.push(json!({
                "name": entry.name, "device": engine.describe(), "precision": options.precision.to_string(),
                "ms": seconds * 1e3, "gflops": rate(flops), "gbs": rate(bytes),
            }));
        }
        if self.common.json { output::json(&Json::Array(results)) } else { Ok(()) }
    }

    /// Median seconds of one run, its operations and bytes, and a word on memory.
    fn measure(
        &self,
        entry: &Entry,
        engine: &Engine,
        options: &PlanOptions,
    ) -> Result<(f64, u64, u64, String)> {
        let graph = (entry.build)()?;
        let (flops, bytes) = (graph.flops(), graph.bytes());
        let (name, shape) = match graph.inputs().next() {
            Some((name, ty)) => (name.to_owned(), ty.shape.clone()),
            None => return Err(Error::internal("an entry without input")),
        };
        let input = [(name.as_str(), numbers(&shape)?)];
        let plan = engine.plan_with(&graph, options)?;
        drop(graph);
        let mut seconds = Vec::new();
        let start = Instant::now();
        loop {
            let s = if entry.whole {
                let start = Instant::now();
                plan.run(&input)?;
                start.elapsed().as_secs_f64()
            } else {
                plan.profile(&input)?.iter().map(|t| t.seconds).sum()
            };
            seconds.push(s);
            if start.elapsed().as_secs_f64() > self.time {
                break;
            }
        }
        // The first run warms up, unless it is the only one.
        if seconds.len() > 1 {
            seconds.remove(0);
        }
        seconds.sort_by(f64::total_cmp);
        let memory = plan.as_gpu().filter(|_| entry.whole).map(|p| p.memory());
        let memory = memory.map_or(String::new(), |m| {
            format!(
                "   weights {:.1} MiB, activations {:.1} MiB ({:.3} × the most alive at once)",
                m.weights as f64 / 1048576.0,
                m.activations as f64 / 1048576.0,
                m.activations as f64 / m.alive as f64
            )
        });
        Ok((seconds[seconds.len() / 2], flops, bytes, memory))
    }
}
