//! `kinetograph embed`: the features of many videos.

mod kept;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use kinetograph::models::Choices;
use kinetograph::prepare::{Answer, Prepare, Viewing};
use kinetograph::weights::save_safetensors;
use kinetograph::{Engine, Error, Plan, Result, Tensor, npy, video};
use serde_json::{Value as Json, json};

use kept::Kept;

use super::views::{self, Choice, ViewFlags};
use super::{Common, output};

/// Write the features of videos, one file each; what is there already is left alone.
///
/// kinetograph embed videos/ --weights r3d_18.pth --output features/ --clips 4
///
/// Prints one line of JSON a video. A broken video is reported and passed over; the exit code is 4 then. A file `embed.json`
/// keeps what the features are of: a later call with other weights or views does not add to them.
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
    /// Videos that are worked on at once: some are decoded while the network runs on another [default: the processor's
    /// cores, at most 4; 1 where the processor runs the network]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Npy,
    Safetensors,
}

/// A video to be embedded.
struct Task {
    path: PathBuf,
    target: PathBuf,
    /// The folder or video given that it was found by.
    given: PathBuf,
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
        let mine: Vec<&Task> = videos.iter().skip(index).step_by(shards).collect();
        let mut choices = Choices { variant: self.variant.clone(), ..Choices::default() };
        self.views.choices(&mut choices);
        let model = views::load(None, &self.weights, &choices, "--frames and --size")?;
        eprintln!("{}: {}", self.weights.display(), model.notes);
        let engine = self.common.engine()?;
        let plan = engine.plan_with(&model.graph, &self.common.options()?)?;
        let mut prepare = Prepare::default();
        self.views.apply(&model, Choice::ONE, &mut prepare)?;
        let viewing = Viewing::new(&model, &prepare)?;
        let views = format!("{}x{}", prepare.clips, prepare.crops.count());
        let network = model.notes.clone();
        drop(model);
        let made = videos.iter().filter(|v| v.target.exists());
        let made: Vec<(&Path, &Path)> = made.map(|v| (&*v.target, &*v.given)).collect();
        let precision = self.common.options()?.precision.to_string();
        let notes = [network, views, kept::checksum_of_text(&format!("{viewing:?}")), precision];
        Kept::new(&self.weights, notes, &self.input)?.agree(&self.output, &made)?;
        let jobs = self.jobs.map_or_else(|| default_jobs(&engine), usize::from).min(mine.len());
        let next = AtomicUsize::new(0);
        let (sender, done) = mpsc::channel();
        let broken = std::thread::scope(|scope| {
            for _ in 0..jobs {
                let (sender, next, mine) = (sender.clone(), &next, &mine);
                let (viewing, engine, plan) = (&viewing, &engine, &plan);
                scope.spawn(move || {
                    while let Some(task) = mine.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let line = self.embed(&task.path, &task.target, viewing, engine, plan);
                        // Nobody listens any more after an error that ends everything.
                        if sender.send((&*task.path, line)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let printed = print_lines(&mine, done);
            next.store(mine.len(), Ordering::Relaxed);
            printed
        })?;
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
    ) -> Result<Json> {
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
    fn videos(&self) -> Result<Vec<Task>> {
        let ending = match self.format {
            Format::Npy => "npy",
            Format::Safetensors => "safetensors",
        };
        let mut found = BTreeMap::new();
        for given in &self.input {
            let mut add = |path: &Path, below: &Path| {
                // The whole name stays: a.mp4 and a.gif are two videos.
                let mut name = self.output.join(below).into_os_string();
                name.push(format!(".{ending}"));
                let task = Task { path: path.to_path_buf(), target: name.into(), given: given.clone() };
                found.insert((task.path.clone(), task.target.clone()), task);
            };
            if given.is_dir() {
                search(given, &mut |path| add(path, path.strip_prefix(given).unwrap_or(path)))?;
            } else if given.exists() {
                add(given, given.file_name().map_or(given, Path::new));
            } else {
                return Err(Error::bad_input(format!(
                    "{}: there is no such file or folder",
                    given.display()
                )));
            }
        }
        let all: Vec<Task> = found.into_values().collect();
        let mut targets = BTreeSet::new();
        if let Some(twice) = all.iter().find(|task| !targets.insert(&task.target)) {
            return Err(Error::usage(format!(
                "{}: two of the videos given would be written there; embed them into different folders",
                twice.target.display()
            )));
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

/// Where the processor runs the network too, decoding beside it gains little and takes memory.
fn default_jobs(engine: &Engine) -> usize {
    if engine.gpu().is_none_or(|gpu| gpu.is_software()) {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

type Line<'a> = (&'a Path, Result<Json>);

/// Prints lines in the order of their videos, and gives how many videos are broken.
fn print_lines(videos: &[&Task], done: mpsc::Receiver<Line<'_>>) -> Result<usize> {
    let bar = output::bar("videos", videos.len());
    let mut early = HashMap::new();
    let mut broken = 0;
    for Task { path, .. } in videos {
        let line = loop {
            if let Some(line) = early.remove(&**path) {
                break line;
            }
            let (path, line) =
                done.recv().map_err(|_| Error::internal("a thread that embeds videos came to an end"))?;
            early.insert(path, line);
        };
        let line = match line {
            Ok(line) => line,
            // The device's errors would meet every other video too.
            Err(e) if e.kind() != kinetograph::ErrorKind::BadInput => return Err(e),
            Err(e) => {
                broken += 1;
                json!({"video": path, "error": e.to_string()})
            }
        };
        bar.suspend(|| output::print(&line.to_string()))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(broken)
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
