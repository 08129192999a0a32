//! `kinetograph inflate`: a 3D network's weights from those of a network on single frames.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::models::{self, Network};
use kinetograph::weights::{Checkpoint, Inflation, save_safetensors};
use kinetograph::{Error, Result};

use super::output;

/// Make a 3D network's weights from those of a network on single frames.
///
/// Whether a video that stands still then gives the answer of its frame depends on the networks, as
/// the list below says, and on the mode. With `centre` every frame gives what it did alone. With
/// `repeat` the windows of the first and last frames lose what lies beyond the video; the answer,
/// which all frames make, differs by that.
///
///   kinetograph inflate resnet3d --weights resnet50.pth --output i3d.safetensors --mode centre
///   kinetograph inflate resnet3d --variant slow --weights resnet50.pth --output slow.safetensors
///   kinetograph inflate r3d --weights resnet18.pth --output r3d.safetensors
///   kinetograph inflate i3d --weights googlenet.pth --output i3d.safetensors
#[derive(Args)]
#[command(verbatim_doc_comment, after_help = inflatable())]
pub(crate) struct Inflate {
    /// The 3D network: r3d, i3d or resnet3d
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

/// The 3D networks and what they are inflated from, for people.
fn inflatable() -> String {
    let mut text =
        String::from("What can be inflated, and whether a video that stands still gives the same answer:");
    for (name, variants, from, differs) in Network::inflatable() {
        let same = differs.map_or_else(
            || {
                "The same with centre; of variants whose windows are of one frame, such as c2d, always."
                    .into()
            },
            |reason| format!("Another: {reason}."),
        );
        text += &format!("\n  {name} ({variants}), from {from}.\n      {same}");
    }
    text + "\nFor any other network the error gives the reason."
}

/// Fails for a name that does not say what is written.
fn check_ending(path: &Path) -> Result<()> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        return Ok(());
    }
    let better = path.with_extension("safetensors");
    let text = format!("only safetensors files are written: name it {}", better.display());
    Err(Error::usage(text).at(format_args!("--output {}", path.display())))
}

impl Inflate {
    pub(crate) fn run(&self) -> Result<()> {
        let network = models::find(&self.model)?;
        check_ending(&self.output)?;
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
        if made.added > 0 {
            eprintln!(
                "{} weights are of blocks that it has not: they are as before training and change nothing",
                made.added
            );
        }
        eprintln!(
            "wrote {} weights of {} to {}, {} of them inflated",
            made.tensors.len(),
            network.name,
            self.output.display(),
            made.inflated
        );
        eprintln!("{}", made.still);
        Ok(())
    }
}
