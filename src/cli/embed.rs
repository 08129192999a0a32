//! `kinetograph embed`: the features of many videos.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use kinetograph::models::Choices;
use kinetograph::prepare::{Answer, Prepare, Viewing};
use kinetograph::weights::save_safetensors;
use kinetograph::{Engine, Error, Plan, Result, Tensor, npy, video};
use serde_json::json;

use super::views::{self, Choice, ViewFlags};
use super::{Common, output};

/// Write the features of videos, one file each; what is there already is left alone.
///
/// kinetograph embed videos/ --weights r3d_18.pth --output features/ --clips 4
///
/// Prints one line of JSON a video. A broken video is reported and passed over; the exit code is 4 then.
#[derive(Args)]
pub(crate) struct Embed {
    /// Videos, and folders that are searched for them
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Weights, whose network is recognised
    #[arg(long)]
    weights: PathBuf,
    /// The variant of the network, if not that of the weights: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// The folder for the features: the path of each video below what was given, with another ending
    #[arg(long, short)]
    output: PathBuf,
    /// What is written: features `[views, C]`, and in safetensors logits `[views, classes]` too
    #[arg(long, value_enum, default_value_t = Format::Npy)]
    format: Format,
    #[command(flatten)]
    views: ViewFlags,
    /// Only every N-th video from the I-th on, counted from 0: shares the work among N machines
    #[arg(long, value_name = "I/N", value_parser = shard, default_value = "0/1")]
    shard: (usize, usize),
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Npy,
    Safetensors,
}

/// Endings of files that are looked at in folders.
const ENDINGS: [&str; 14] =
    ["mp4", "mkv", "webm", "avi", "mov", "m4v", "gif", "y4m", "mpg", "mpeg", "ts", "ogv", "flv", "wmv"];

fn shard(text: &str) -> std::result::Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((i, n)) if i < n => Ok((i, n)),
        _ => Err("I/N is needed, I from 0 to N − 1, such as 0/4".into()),
    }
}

impl Embed {
    pub(crate) fn run(&self) -> Result<()> {
        self.views.check()?;
        let videos = self.videos()?;
        let (index, shards) = self.shard;
        let mine: Vec<&(PathBuf, PathBuf)> = videos.iter().skip(index).step_by(shards).collect();
        let mut choices = Choices { variant: self.variant.clone(), ..Choices::default() };
        self.views.choices(&mut choices);
        let model = views::load(None, &self.weights, &choices, "--frames and --size")?;
        eprintln!("{}: {}", self.weights.display(), model.notes);
        let engine = self.common.engine()?;
        let plan = engine.plan_with(&model.graph, &self.common.options()?)?;
        let mut prepare = Prepare::default();
        self.views.apply(&model, Choice::ONE, &mut prepare)?;
        let viewing = Viewing::new(&model, &prepare)?;
        drop(model);
        let bar = output::bar("videos", mine.len());
        let mut broken = 0;
        for (path, target) in mine {
            let line = match self.embed(path, target, &viewing, &engine, &plan) {
                Ok(line) => line,
                // The device's errors would meet every other video too.
                Err(e) if e.kind() != kinetograph::ErrorKind::BadInput => return Err(e),
                Err(e) => {
                    broken += 1;
                    json!({"video": path, "error": e.to_string()})
                }
            };
            output::print(&line.to_string())?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        if broken > 0 {
            return Err(Error::bad_input(format!("{broken} videos could not be read; their lines say why")));
        }
        Ok(())
    }

    fn embed(
        &self,
        path: &Path,
        target: &Path,
        viewing: &Viewing,
        engine: &Engine,
        plan: &Plan,
    ) -> Result<serde_json::Value> {
        if target.exists() {
            return Ok(json!({"video": path, "features": target, "skipped": true}));
        }
        let start = Instant::now();
        let mut video = video::open(path)?;
        let Answer { features, logits, .. } = viewing.ask(plan, &mut video, engine, &mut |_, _| {})?;
        let rows = |rows: Vec<Vec<f32>>| Tensor::new(&[rows.len(), rows[0].len()], rows.concat());
        let features = rows(features)?;
        let shape = features.shape().to_vec();
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::usage(format!("{}: the folder cannot be made: {e}", folder.display())))?;
        }
        match self.format {
            Format::Npy => npy::write(target, &features)?,
            Format::Safetensors => {
                let mut tensors = vec![("features", features)];
                if !logits.is_empty() {
                    tensors.push(("logits", rows(logits)?));
                }
                save_safetensors(target, &tensors)?;
            }
        }
        Ok(json!({
            "video": path, "features": target, "shape": shape, "seconds": start.elapsed().as_secs_f64(),
        }))
    }

    /// The videos and where their features go, sorted so that all shards see one order.
    fn videos(&self) -> Result<Vec<(PathBuf, PathBuf)>> {
        let ending = match self.format {
            Format::Npy => "npy",
            Format::Safetensors => "safetensors",
        };
        let mut found = BTreeSet::new();
        for given in &self.input {
            if given.is_dir() {
                search(given, &mut |path| {
                    let below = path.strip_prefix(given).unwrap_or(path);
                    found.insert((path.to_path_buf(), self.output.join(below)));
                })?;
            } else if given.exists() {
                let name = given.file_name().map_or_else(|| given.clone(), PathBuf::from);
                found.insert((given.clone(), self.output.join(name)));
            } else {
                return Err(Error::bad_input(format!(
                    "{}: there is no such file or folder",
                    given.display()
                )));
            }
        }
        // The whole name stays: a.mp4 and a.gif are two videos.
        let mut all = Vec::new();
        let mut targets = BTreeSet::new();
        for (path, target) in found {
            let mut name = target.into_os_string();
            name.push(format!(".{ending}"));
            let target = PathBuf::from(name);
            if !targets.insert(target.clone()) {
                return Err(Error::usage(format!(
                    "{}: two of the videos given would be written there; embed them into different folders",
                    target.display()
                )));
            }
            all.push((path, target));
        }
        if all.is_empty() {
            return Err(Error::bad_input(format!(
                "no videos are in what was given; looked for were files that end in {}",
                ENDINGS.join(", ")
            )));
        }
        Ok(all)
    }
}

/// Calls `found` for each video below a folder.
fn search(folder: &Path, found: &mut dyn FnMut(&Path)) -> Result<()> {
    let failed = |e: std::io::Error| Error::bad_input(format!("{}: cannot be read: {e}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() && !path.is_symlink() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
        {
            found(&path);
        }
    }
    Ok(())
}
