//! `kinetograph inflate`: a 3D network's weights from those of a network on single frames.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kinetograph::weights::{Checkpoint, Inflation, save_safetensors};
use kinetograph::{Result, models};

use super::output;

/// Make a 3D network's weights from those of a network on single frames.
///
/// A video that stands still gives the same answer as its frame, but for the first and last frames, whose windows reach
/// beyond the video:
///
///   kinetograph inflate r3d --weights resnet18.pth --output r3d.safetensors
///   kinetograph inflate i3d --weights googlenet.pth --output i3d.safetensors --mode centre
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Inflate {
    /// The 3D network: see `kinetograph models`
    model: String,
    /// Weights of the network on single frames: .safetensors, .pth, .pt or .ckpt, or a folder of safetensors
    #[arg(long)]
    weights: PathBuf,
    /// The .safetensors file to write
    #[arg(long, value_name = "OUT.safetensors")]
    output: PathBuf,
    /// The variant of the 3D network, if not its first
    #[arg(long)]
    variant: Option<String>,
    /// How the frames of a window share the weights of one
    #[arg(long, value_enum, default_value_t = Mode::Repeat)]
    mode: Mode,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Each has them, divided by the number of frames, as in I3D
    Repeat,
    /// The middle one has them, as in TimeCycle
    Centre,
}

impl Inflate {
    pub(crate) fn run(&self) -> Result<()> {
        let network = models::find(&self.model)?;
        output::check_writable(&self.output)?;
        let checkpoint = Checkpoint::open(&self.weights)?;
        let mode = match self.mode {
            Mode::Repeat => Inflation::Repeat,
            Mode::Centre => Inflation::Centre,
        };
        let made = network.inflate(self.variant.as_deref(), &checkpoint, mode)?;
        save_safetensors(&self.output, &made.tensors)?;
        eprintln!("{}: names as {}", self.weights.display(), made.naming);
        if let Some(first) = made.left_out.first() {
            eprintln!(
                "left out: {} tensors of which {} has none, such as {first}",
                made.left_out.len(),
                network.name
            );
        }
        eprintln!(
            "wrote {} weights of {} to {}, {} of them inflated",
            made.tensors.len(),
            network.name,
            self.output.display(),
            made.inflated
        );
        Ok(())
    }
}
