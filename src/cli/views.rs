//! The views of a video over which `run` and `embed` average, and the measures of their clips.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use kinetograph::models::{self, Choices, Model, Network};
use kinetograph::prepare::{Prepare, PublishedViews};
use kinetograph::video::Crops;
use kinetograph::weights::{Checkpoint, Weights};
use kinetograph::{Error, ErrorKind, Result};

#[derive(Args, Clone)]
pub(crate) struct ViewFlags {
    /// Clips, spread over the video, by crops of each, such as 10x3; or `published`: those over which the weights' publisher
    /// averages. Crops are 1 (the centre), 3 (along the longer side), 5 (corners and centre) or 10 (those and their mirrors)
    /// [default: published for run, 1x1 for embed]
    #[arg(long, value_name = "CLIPSxCROPS")]
    views: Option<Choice>,
    /// The same as --views Nx1
    #[arg(long, value_name = "N", conflicts_with = "views")]
    clips: Option<usize>,
    /// Frames in a clip, for weights that leave the choice
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// Height and width of the network's frames, for weights that leave the choice
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
}

/// The views chosen.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    Published,
    Grid(usize, Crops),
}

impl Choice {
    /// The centre of the middle clip.
    pub(crate) const ONE: Choice = Choice::Grid(1, Crops::One);
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Choice, String> {
        if text == "published" {
            return Ok(Choice::Published);
        }
        let (clips, crops) = text.split_once(['x', '×']).ok_or("CLIPSxCROPS, such as 10x3, or published")?;
        let clips = clips.parse().map_err(|_| format!("{clips:?} is no number of clips"))?;
        Ok(Choice::Grid(clips, crops.parse().map_err(|e: Error| e.to_string())?))
    }
}

/// The most clips of a video.
const MOST_CLIPS: usize = 1000;

impl ViewFlags {
    /// What can be said before anything is read.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |flag: &str, n: usize| {
            Err(Error::usage(format!("{flag} {n}: 1 to {MOST_CLIPS} clips are possible")))
        };
        match (self.clips, self.views) {
            (Some(n), _) if !(1..=MOST_CLIPS).contains(&n) => return wrong("--clips", n),
            (_, Some(Choice::Grid(n, _))) if !(1..=MOST_CLIPS).contains(&n) => return wrong("--views", n),
            _ => {}
        }
        check_measures(self.frames, self.size)
    }

    /// Whether any of the flags is given.
    pub(crate) fn any(&self) -> bool {
        self.views.is_some() || self.clips.is_some() || self.frames.is_some() || self.size.is_some()
    }

    /// The measures chosen.
    pub(crate) fn choices(&self, choices: &mut Choices) {
        (choices.frames, choices.size) = (self.frames, self.size);
    }

    /// Clips and crops into `prepare`; `default` where none are chosen. Says what the publisher does where that was not
    /// chosen by name.
    pub(crate) fn apply(&self, model: &Model, default: Choice, prepare: &mut Prepare) -> Result<()> {
        let chosen = self.views.or(self.clips.map(|n| Choice::Grid(n, Crops::One)));
        let mut published = PublishedViews::of(&model.inputs)?;
        if let (Some(views), Some(recipe)) = (&mut published, &prepare.recipe) {
            (views.clips, views.crops) = (recipe.clips, recipe.crops);
        }
        (prepare.clips, prepare.crops) = match (chosen.unwrap_or(default), published) {
            (Choice::Grid(clips, crops), _) => (clips, crops),
            (Choice::Published, Some(views)) => (views.clips, views.crops),
            (Choice::Published, None) => (1, Crops::One),
        };
        let count = prepare.clips * prepare.crops.count();
        if chosen.is_none() && count > 1 {
            eprintln!(
                "views: {}x{} (clips by crops), as published for these weights; --views 1x1 takes a {count}th of the time",
                prepare.clips, prepare.crops
            );
        }
        let longer = published.and_then(|v| v.frames).filter(|&n| n > model.inputs[0].frames);
        if let (Some(n), None) = (longer, self.frames) {
            eprintln!("clips: {} frames; the published evaluation takes up to {n} at once: --frames {n}", {
                model.inputs[0].frames
            });
        }
        Ok(())
    }
}

/// Refuses measures that no clip has.
pub(crate) fn check_measures(frames: Option<usize>, size: Option<usize>) -> Result<()> {
    for (flag, chosen) in [("--frames", frames), ("--size", size)] {
        if let Some(n) = chosen.filter(|n| !(1..=1 << 14).contains(n)) {
            return Err(Error::usage(format!("{flag} {n}: 1 to {} are possible", 1 << 14)));
        }
    }
    Ok(())
}

/// The network of the weights. Where they are right but for clips of other measures than chosen, `place` says who chose.
pub(crate) fn load(
    network: Option<&'static Network>,
    path: &Path,
    choices: &Choices,
    place: &str,
) -> Result<Model> {
    let load = |choices: &Choices| match network {
        Some(network) => network.load(Checkpoint::open(path)?, choices),
        None => models::load(path, choices),
    };
    let load = |choices: &Choices| load(choices).map_err(|e| hint(e, network, path, choices));
    if choices.frames.is_none() && choices.size.is_none() {
        return load(choices);
    }
    let unfit = |own: &Model| {
        let (frames, size) = (own.inputs[0].frames, own.inputs[0].size);
        let (f, s) = (choices.frames.unwrap_or(frames), choices.size.unwrap_or(size));
        Error::bad_input(format!(
            "{place}: clips of {f} frames of {s}×{s} do not fit these weights, which are for {frames} frames of {size}×{size}"
        ))
    };
    let own = Choices { frames: None, size: None, ..choices.clone() };
    match load(choices) {
        Ok(model) => {
            let fits = |input: &models::Input| {
                choices.frames.is_none_or(|f| f == input.frames)
                    && choices.size.is_none_or(|s| s == input.size)
            };
            if fits(&model.inputs[0]) { Ok(model) } else { Err(unfit(&model)) }
        }
        Err(e) => Err(load(&own).map_or(e, |own| unfit(&own))),
    }
}

/// The error with, where weights are of other shapes than wanted, which measures of the clips would change these shapes.
pub(crate) fn hint(e: Error, network: Option<&Network>, path: &Path, choices: &Choices) -> Error {
    let flags = if e.kind() == ErrorKind::BadInput {
        untold(network, path, choices).unwrap_or_default()
    } else {
        vec![]
    };
    if flags.is_empty() {
        return e;
    }
    Error::bad_input(format!(
        "{e}\n  These shapes follow from the clips that the weights were trained on: give {} of the training",
        flags.join(" and ")
    ))
}

/// The flags on which the shapes depend of those weights that do not fit.
fn untold(network: Option<&Network>, path: &Path, choices: &Choices) -> Result<Vec<&'static str>> {
    let checkpoint = Checkpoint::open(path)?;
    let found = models::recognise(&checkpoint)?;
    if network.is_some_and(|n| n.name != found.network.name) {
        return Ok(Vec::new());
    }
    let shapes = |choices: &Choices| {
        let weights = Weights::shapes();
        found.design(&checkpoint, choices)?.build(1, &weights)?;
        Ok::<_, Error>(weights.taken())
    };
    let unfit = |name: &str, wanted: &[usize]| found.naming.agrees(&checkpoint, name, wanted) == Some(false);
    let mut unfit_shapes = shapes(choices)?;
    unfit_shapes.retain(|(name, wanted)| unfit(name, wanted));
    let Some(input) = found.design(&checkpoint, choices)?.inputs.first().copied() else {
        return Ok(Vec::new());
    };
    let others = [
        ("--frames N", Choices { frames: Some(2 * input.frames), ..choices.clone() }),
        ("--size M", Choices { size: Some(2 * input.size), ..choices.clone() }),
    ];
    let depend = |other: &Choices| {
        shapes(other).is_ok_and(|other| unfit_shapes.iter().any(|weight| !other.contains(weight)))
    };
    Ok(others.into_iter().filter(|(_, other)| depend(other)).map(|(flag, _)| flag).collect())
}
