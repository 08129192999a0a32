//! What a network's file says of it, and how a checkpoint becomes a model.

use std::fmt;

use crate::error::Result;
use crate::graph::{Activation, Graph};
use crate::weights::{Checkpoint, Naming, Preprocessing, Weights};

/// What a user may choose about a network, where the checkpoint does not settle it.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The name of one of [`super::Network::variants`].
    pub variant: Option<String>,
    /// Frames in a clip.
    pub frames: Option<usize>,
    /// Height and width of a frame.
    pub size: Option<usize>,
    /// Boxes in each clip, for networks that take some.
    pub boxes: Option<usize>,
    /// Width of a frame, for networks that take boxes; as high as wide unless given.
    pub width: Option<usize>,
    /// That the maps of whole frames are wanted, by which labels are propagated, and height and width of these frames.
    /// Networks that have maps then give `maps` `[clips, T, H, W, C]` alone; the others do not heed it.
    pub maps: Option<[usize; 2]>,
    /// That a classifier of so many classes, with random weights, takes the place of that of the checkpoint.
    pub new_head: Option<usize>,
}

/// What a network's measures are read off: a variant by name, and a checkpoint if there is one.
pub struct Reading<'a> {
    pub(super) variant: &'static str,
    pub(super) choices: &'a Choices,
    pub(super) file: Option<(&'a Checkpoint, &'a Naming)>,
}

impl Reading<'_> {
    /// The variant chosen; or that whose weights' names the checkpoint has, the first where several have them.
    pub fn variant(&self) -> &'static str {
        self.variant
    }

    /// Whether the user chose the variant.
    pub fn is_chosen(&self) -> bool {
        self.choices.variant.is_some()
    }

    /// For the notes: that the names of weights do not tell the variant taken from this other one, unless it was chosen.
    pub fn untold(&self, other: &str) -> String {
        match self.file {
            Some(_) if !self.is_chosen() => {
                format!(" (names of weights do not tell whether it is --variant {other})")
            }
            _ => String::new(),
        }
    }

    /// The name of the convention that the checkpoint follows; empty without one.
    pub fn convention(&self) -> &'static str {
        self.file.map_or("", |(_, naming)| naming.convention.name)
    }

    /// The shape in the checkpoint of a weight, by its canonical name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.file.and_then(|(checkpoint, naming)| naming.shape(checkpoint, name))
    }

    /// A length of a weight in the checkpoint; what is `published` where that does not tell.
    pub fn length(&self, name: &str, axis: usize, published: usize) -> usize {
        self.shape(name).and_then(|s| s.get(axis).copied()).unwrap_or(published)
    }

    /// Whether the checkpoint has this weight; without one, yes.
    pub fn has(&self, name: &str) -> bool {
        self.file.is_none() || self.shape(name).is_some()
    }

    /// How many weights the checkpoint has whose names differ by a number from 0 on. No network is without any: where the
    /// checkpoint has none, it is as many as `published`, which are then missing.
    pub fn count(&self, name: impl Fn(usize) -> String, published: usize) -> usize {
        match (0..).take_while(|&i| self.shape(&name(i)).is_some()).count() {
            0 => published,
            some => some,
        }
    }

    /// The outputs of the classifier with this weight, or `None` where the checkpoint has none.
    pub fn classes(&self, name: &str, published: usize) -> Option<usize> {
        self.has(name).then(|| self.length(name, 0, published))
    }

    /// A number that `config.json` beside the checkpoint says; what is `published` where there is none.
    pub fn config(&self, key: &str, published: usize) -> usize {
        let number = self.config_value(key).and_then(serde_json::Value::as_u64);
        number.and_then(|n| usize::try_from(n).ok()).unwrap_or(published)
    }

    /// What `config.json` beside the checkpoint says.
    pub fn config_value(&self, key: &str) -> Option<&serde_json::Value> {
        self.file.and_then(|(checkpoint, _)| checkpoint.config().get(key))
    }

    /// The heads of attentions on so many channels: those of `config.json`, else one for every 64 channels, as all
    /// vision transformers have them.
    pub fn heads(&self, channels: usize) -> usize {
        self.config("num_attention_heads", (channels / 64).max(1))
    }

    /// What normalisations add to the variance.
    pub fn eps(&self, published: f32) -> f32 {
        let eps = self.config_value("layer_norm_eps").and_then(serde_json::Value::as_f64);
        eps.map_or(published, |eps| eps as f32)
    }

    /// The activation of a transformer's perceptrons, by the name that transformers has for it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for one that is not known.
    pub fn activation(&self, published: Activation) -> Result<Activation> {
        match self.config_value("hidden_act").and_then(serde_json::Value::as_str) {
            None => Ok(published),
            Some("gelu" | "gelu_python") => Ok(Activation::Gelu),
            Some("gelu_fast" | "gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
            Some(name) => Activation::from_name(name).map_err(|e| e.at("`hidden_act` in config.json")),
        }
    }

    /// Frames in a clip, if not chosen otherwise.
    pub fn frames(&self, published: usize) -> usize {
        self.choices.frames.unwrap_or(published)
    }

    /// Height and width of a frame, if not chosen otherwise.
    pub fn size(&self, published: usize) -> usize {
        self.choices.size.unwrap_or(published)
    }

    /// Width of a frame, if not chosen otherwise.
    pub fn width(&self, size: usize) -> usize {
        self.choices.width.unwrap_or(size)
    }

    /// Height and width of frames whose maps alone are wanted.
    pub fn maps(&self) -> Option<[usize; 2]> {
        self.choices.maps
    }

    /// Boxes in each clip, if not chosen otherwise.
    pub fn boxes(&self, published: usize) -> usize {
        self.choices.boxes.unwrap_or(published)
    }
}

/// Where the values of an input come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Frames `[N, T, H, W, 3]`, prepared by the recipe of this name in `video::RECIPES`.
    Frames(&'static str),
    /// Optical flow `[N, T, H, W, C]`, prepared by the recipe of this name in `flow::FLOW_RECIPES`.
    Flow(&'static str),
    /// Features of up to so many persons of each of so many seconds around the clip, `[N, seconds · persons, C]`, zeros
    /// where there are none: the part of a long-term feature bank that a clip sees.
    Bank {
        /// Seconds, the clip's in the middle.
        seconds: usize,
        /// Persons of a second.
        persons: usize,
    },
    /// So many boxes in each clip, `[N·B, 4]`: x1, y1, x2, y2 in pixels of the network's frames.
    Boxes(usize),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Frames(recipe) | Source::Flow(recipe) => f.write_str(recipe),
            Source::Boxes(count) => write!(f, "{count} boxes"),
            Source::Bank { seconds, persons } => write!(f, "a bank of {seconds} s, {persons} persons each"),
        }
    }
}

/// An input of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Its name in the graph.
    pub name: &'static str,
    /// What it holds.
    pub source: Source,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// Channels of a frame: 3, or two for each flow of a stack.
    pub channels: usize,
}

impl Input {
    /// The input `clip`.
    pub fn clip(recipe: &'static str, frames: usize, size: usize) -> Self {
        Input { name: "clip", source: Source::Frames(recipe), frames, size, channels: 3 }
    }

    /// The input `flow`, one flow a frame.
    pub fn flow(recipe: &'static str, frames: usize, size: usize) -> Self {
        Input { name: "flow", source: Source::Flow(recipe), frames, size, channels: 2 }
    }

    /// The input `flow`, with a stack of flows for each frame.
    pub fn stacks(recipe: &'static str, frames: usize, size: usize, flows: usize) -> Self {
        Input { channels: 2 * flows, ..Input::flow(recipe, frames, size) }
    }
}

/// What is averaged over the views of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Average {
    /// Probabilities.
    #[default]
    Probabilities,
    /// Logits, before the softmax.
    Logits,
}

/// A network whose measures are known.
pub struct Design {
    /// What it takes.
    pub inputs: Vec<Input>,
    /// How the views of a video come together.
    pub average: Average,
    /// The measures, for people.
    pub notes: String,
    build: Build,
}

type Build = Box<dyn Fn(usize, &Weights) -> Result<Graph>>;

impl Design {
    /// A design with one input; `build` makes the graph for so many clips at once.
    pub fn new(
        input: Input,
        notes: impl Into<String>,
        build: impl Fn(usize, &Weights) -> Result<Graph> + 'static,
    ) -> Self {
        Design {
            inputs: vec![input],
            average: Average::default(),
            notes: notes.into(),
            build: Box::new(build),
        }
    }

    /// With one more input.
    #[must_use]
    pub fn with_input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// With this average.
    #[must_use]
    pub fn average(self, average: Average) -> Self {
        Design { average, ..self }
    }

    /// The graph for `clips` clips at once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for measures that make no network, such as too few frames.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        (self.build)(clips, weights)
    }
}

/// A network with its weights, ready to be planned.
#[derive(Debug)]
pub struct Model {
    /// The network's name.
    pub network: &'static str,
    /// Takes the [`inputs`](Model::inputs); gives `features` `[1, C]`, and `logits` `[1, classes]` when the checkpoint
    /// has a classifier.
    pub graph: Graph,
    /// What it takes.
    pub inputs: Vec<Input>,
    /// How the views of a video come together.
    pub average: Average,
    /// The names of the classes, if the checkpoint's folder has them.
    pub labels: Option<Vec<String>>,
    /// The preprocessing that the checkpoint's folder asks for, which goes before the recipe of an input.
    pub preprocessing: Option<Preprocessing>,
    /// Whose conventions the checkpoint follows and what was chosen for it, for people.
    pub notes: String,
}
