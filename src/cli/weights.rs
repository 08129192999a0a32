//! `kinetograph weights`: what a weight file holds.

use std::path::PathBuf;

use clap::Args;
use kinetograph::models::{self, Choices, Input, Match, Source};
use kinetograph::weights::{Checkpoint, Weights as Values};
use kinetograph::{Graph, Result};
use serde_json::{Value as Json, json};

use super::{output, views};

/// Say which network a weight file is of, whose names it follows, and whether it is whole; with --layers, what the network
/// is made of.
///
/// kinetograph weights checkpoint.pth --layers
#[derive(Args)]
pub(crate) struct Weights {
    /// .safetensors, .pth, .pt or .ckpt, or a folder of safetensors
    file: PathBuf,
    /// List the tensors, by the names in the file
    #[arg(long)]
    tensors: bool,
    /// List the layers of the network: shapes of what they give, elements of their weights, millions of multiply-adds
    #[arg(long)]
    layers: bool,
    /// The variant of the network, where the names of the weights do not tell: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// Frames in a clip, for weights that leave the choice
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// Height and width of the network's frames, for weights that leave the choice
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Weights {
    pub(crate) fn run(&self) -> Result<()> {
        views::check_measures(self.frames, self.size)?;
        let checkpoint = Checkpoint::open(&self.file)?;
        let elements: usize = checkpoint.entries().iter().map(|e| e.shape.iter().product::<usize>()).sum();
        let mut document = json!({
            "file": self.file.display().to_string(),
            "format": checkpoint.format(),
            "elements": elements,
            "tensors": checkpoint.entries().len(),
        });
        let mut lines = vec![format!(
            "{}: {}, {} tensors, {:.2} M numbers",
            self.file.display(),
            checkpoint.format(),
            checkpoint.entries().len(),
            elements as f64 / 1e6
        )];
        if self.tensors {
            lines.extend(
                checkpoint.entries().iter().map(|e| format!("  {} {} {:?}", e.name, e.dtype, e.shape)),
            );
            let list = checkpoint.entries().iter();
            document["list"] =
                list.map(|e| json!({"name": e.name, "dtype": e.dtype, "shape": e.shape})).collect();
        }
        // Nothing else is lost when it is of no network known, or not whole.
        match self.describe(checkpoint, &mut document, &mut lines) {
            Ok(()) if self.json => output::json(&document),
            Ok(()) => output::print(&lines.join("\n")),
            Err(e) => {
                document["fits"] = false.into();
                document["problem"] = e.to_string().into();
                if self.json {
                    output::json(&document)?;
                } else {
                    eprintln!("{}", lines.join("\n"));
                }
                Err(e)
            }
        }
    }

    /// The network of the weights, as far as they are of one.
    fn describe(&self, checkpoint: Checkpoint, document: &mut Json, lines: &mut Vec<String>) -> Result<()> {
        let choices = Choices {
            variant: self.variant.clone(),
            frames: self.frames,
            size: self.size,
            ..Choices::default()
        };
        let found = models::recognise(&checkpoint)?;
        let network = found.network;
        document["network"] = network.name.into();
        document["variant"] = found.variant.name.into();
        document["names_as"] = found.naming.to_string().into();
        document["found"] = found.fit.found.into();
        lines.push(format!("{}: {}", network.name, network.title));
        lines.push(format!("  names as {}", found.naming));
        let model = match &choices.variant {
            Some(name) => {
                document["variant"] = network.variant(Some(name))?.name.into();
                network.load(checkpoint, &choices)
            }
            None => found.load(checkpoint, &choices),
        };
        let model = match model {
            Ok(model) => model,
            Err(e) => {
                self.outline(&choices, document, lines)?;
                return Err(views::hint(e, Some(network), &self.file, &choices));
            }
        };
        document["fits"] = true.into();
        document["notes"] = model.notes.clone().into();
        lines.push(format!("  {}", model.notes));
        lines.extend(model.inputs.iter().map(|i| format!("  input {}", input(i))));
        for (name, value) in model.graph.outputs() {
            lines.push(format!("  output {name}: {}", model.graph.shape(value)));
        }
        if self.layers {
            layers(&model.graph, document, lines);
        }
        lines.push("  every weight is there".into());
        Ok(())
    }

    /// The layers of a network whose weights are not all there.
    fn outline(&self, choices: &Choices, document: &mut Json, lines: &mut Vec<String>) -> Result<()> {
        if !self.layers {
            return Ok(());
        }
        let checkpoint = Checkpoint::open(&self.file)?;
        let found: Match = models::recognise(&checkpoint)?;
        let graph = found.design(&checkpoint, choices).and_then(|d| d.build(1, &Values::shapes()));
        if let Ok(graph) = graph {
            layers(&graph, document, lines);
        }
        Ok(())
    }
}

/// What an input takes.
fn input(input: &Input) -> String {
    let Input { name, source, frames, size, channels } = input;
    match source {
        Source::Frames(recipe) | Source::Flow(recipe) => {
            format!("{name}: {frames} frames of {size}×{size}, {channels} channels, prepared as {recipe}")
        }
        Source::Boxes(_) => {
            format!("{name}: as many as a frame has, each x1, y1, x2, y2 in pixels of the network's frames")
        }
        Source::Bank { seconds, persons } => {
            format!(
                "{name}: features of {channels} channels, of up to {persons} persons in each of {seconds} seconds"
            )
        }
    }
}

fn layers(graph: &Graph, document: &mut Json, lines: &mut Vec<String>) {
    let table = graph.to_string();
    lines.extend(table.trim_end().lines().map(|line| format!("  {}", line.trim_end())));
    let row = |[node, operator, output, constants, mmac]: [String; 5]| {
        json!({"node": node, "operator": operator, "output": output,
            "constants": constants.parse::<u64>().unwrap_or(0), "mmac": mmac.parse::<f64>().unwrap_or(0.0)})
    };
    document["layers"] = graph.rows().into_iter().map(row).collect();
}
