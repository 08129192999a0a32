//! `kinetograph weights`: what a weight file holds.

use std::path::PathBuf;

use clap::Args;
use kinetograph::Result;
use kinetograph::models::{self, Choices};
use kinetograph::weights::Checkpoint;
use serde_json::json;

use super::output;

/// Say which network a weight file is of, whose names it follows, and whether it is whole.
///
/// kinetograph weights checkpoint.pth --tensors
#[derive(Args)]
pub(crate) struct Weights {
    /// .safetensors, .pth, .pt or .ckpt, or a folder of safetensors
    file: PathBuf,
    /// List the tensors, by the names in the file
    #[arg(long)]
    tensors: bool,
    /// Print one JSON document on standard output
    #[arg(long)]
    json: bool,
}

impl Weights {
    pub(crate) fn run(&self) -> Result<()> {
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
            lines.extend(checkpoint.entries().iter().map(|e| format!("  {} {} {:?}", e.name, e.dtype, e.shape)));
            let list = checkpoint.entries().iter();
            document["list"] = list.map(|e| json!({"name": e.name, "dtype": e.dtype, "shape": e.shape})).collect();
        }
        // Nothing else is lost when it is of no network known, or not whole.
        let outcome = models::recognise(&checkpoint).and_then(|found| {
            document["network"] = found.network.name.into();
            document["variant"] = found.variant.name.into();
            document["names_as"] = found.naming.to_string().into();
            document["found"] = found.fit.found.into();
            lines.push(format!("{}: {}", found.network.name, found.network.title));
            lines.push(format!("  names as {}", found.naming));
            found.load(checkpoint, &Choices::default())
        });
        match outcome {
            Ok(model) => {
                document["fits"] = true.into();
                document["notes"] = model.notes.clone().into();
                lines.push(format!("  {}", model.notes));
                for input in &model.inputs {
                    lines.push(format!(
                        "  input {}: {} frames of {}×{}, {} channels, prepared as {}",
                        input.name,
                        input.frames,
                        input.size,
                        input.size,
                        input.channels,
                        input.source
                    ));
                }
                for (name, value) in model.graph.outputs() {
                    lines.push(format!("  output {name}: {}", model.graph.shape(value)));
                }
                lines.push("  every weight is there".into());
                self.print(&document, &lines)
            }
            Err(e) => {
                document["fits"] = false.into();
                document["problem"] = e.to_string().into();
                self.print(&document, &lines)?;
                Err(e)
            }
        }
    }

    fn print(&self, document: &serde_json::Value, lines: &[String]) -> Result<()> {
        if self.json { output::json(document) } else { output::print(&lines.join("\n")) }
    }
}
