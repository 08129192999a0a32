//! The commands `propagate` and `colorize` as a user meets them, on clips that the demo renders: whether the shape is found
//! again and its colours come back, and errors that leave nothing behind. The networks are small ones with random weights,
//! whose features tell colours and textures apart.

use std::path::PathBuf;
use std::process::{Command, Output};

use kinetograph::demo::Scene;
use kinetograph::demo::scene::FRAMES;
use kinetograph::video::{self, Frame, Indexed, lab, write};
use serde_json::Value as Json;

const W: usize = 120;
const H: usize = 96;

/// The moment of a frame.
fn time(i: usize) -> f32 {
    i as f32 - (FRAMES - 1) as f32 / 2.0
}

fn frame(scene: &Scene, i: usize) -> Frame {
    Frame::new(W, H, scene.at(time(i), W, H)).unwrap()
}

/// The palette of DAVIS begins so.
fn palette() -> Vec<[u8; 3]> {
    vec![[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
}

fn mask(scene: &Scene, i: usize) -> Indexed {
    let indices = scene.mask(time(i), W, H).into_iter().map(|covered| if covered { 2 } else { 0 });
    Indexed::new(W, H, indices.collect(), palette()).unwrap()
}

/// What both masks give the object over what one of them does.
fn iou(a: &Indexed, b: &Indexed) -> f64 {
    let pairs = || a.indices().iter().zip(b.indices());
    let both = pairs().filter(|(a, b)| **a == 2 && **b == 2).count();
    both as f64 / pairs().filter(|(a, b)| **a == 2 || **b == 2).count() as f64
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// With the frames of a scene in `clip/`, and `first.png`, the mask of the first one.
    fn new(seed: u64) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let scene = Scene::from_seed(seed);
        write::pngs(folder.path("clip"), (0..FRAMES).map(|i| frame(&scene, i))).unwrap();
        mask(&scene, 0).write(folder.path("first.png")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `{crw}` and other names of goldens stand for their weights.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
        command.current_dir(self.0.path()).env("KINETOGRAPH_DEVICE", "cpu").env_remove("RUST_LOG");
        for word in words.split_whitespace() {
            match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                Some(name) => command.arg(format!(
                    "{}/tests/golden/networks/{name}/weights.safetensors",
                    env!("CARGO_MANIFEST_DIR")
                )),
                None => command.arg(word),
            };
        }
        command
    }

    fn run(&self, words: &str) -> Output {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Fails with this exit code and one error that has all the parts, and leaves no file.
    fn fails(&self, words: &str, code: i32, parts: &[&str]) {
        let before = self.names();
        let output = self.command(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {stderr}");
        assert_eq!(stderr.lines().filter(|l| l.starts_with("error")).count(), 1, "{words}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{words}: `{part}` is not in `{stderr}`");
        }
        assert_eq!(self.names(), before, "{words} left something");
    }
}

const CARRY: &str = "--input clip --context 4 --radius 6 --size 128";

/// Over all frames but the first: how well the shape is found, and how well its first mask would do.
fn found(folder: &Folder, scene: &Scene, masks: &str) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for i in 1..FRAMES {
        let got = Indexed::read(folder.path(&format!("{masks}/{i:05}.png"))).unwrap();
        let truth = mask(scene, i);
        sums[0] += iou(&got, &truth) / (FRAMES - 1) as f64;
        sums[1] += iou(&mask(scene, 0), &truth) / (FRAMES - 1) as f64;
    }
    sums
}

#[test]
fn a_moving_shape_is_found_again() {
    for network in ["crw", "resnet-basic", "timecycle"] {
        let mut mean = [0.0; 2];
        for seed in SEEDS {
            let folder = Folder::new(seed);
            folder.run(&format!("propagate {CARRY} --weights {{{network}}} --mask first.png --output masks"));
            let each = found(&folder, &Scene::from_seed(seed), "masks");
            println!("{network}, seed {seed}: {each:.3?}");
            mean = [0, 1].map(|k| mean[k] + each[k] / SEEDS.len() as f64);
        }
        println!("{network}: {mean:.3?}");
    }
}

const SEEDS: [u64; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn masks_and_video_are_written() {
    let folder = Folder::new(1);
    let output = folder.run(&format!(
        "propagate {CARRY} --weights {{crw}} --mask first.png --output masks --video drawn.gif --json"
    ));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["frames"], &report["objects"], &report["network"]),
        (&16.into(), &1.into(), &"crw".into())
    );
    assert!(report["frames_per_second"].as_f64().unwrap() > 0.0);
    let first = Indexed::read(folder.path("first.png")).unwrap();
    let written = |i: usize| Indexed::read(folder.path(&format!("masks/{i:05}.png"))).unwrap();
    assert_eq!(written(0), first);
    // DAVIS's palette is kept, with colours that no pixel has.
    assert_eq!(written(FRAMES - 1).objects(), [0, 2]);
    assert_ne!(written(FRAMES - 1), first);
    assert!(!folder.path(&format!("masks/{FRAMES:05}.png")).exists());
    let mut movie = video::open(folder.path("drawn.gif")).unwrap();
    assert_eq!((movie.width(), movie.height(), movie.count().unwrap()), (W, H, FRAMES));
    // A mask of colours does the same.
    let colors = first.indices().iter().flat_map(|i| if *i == 2 { [250, 250, 0] } else { [0; 3] });
    write::png(folder.path("colors.png"), &Frame::new(W, H, colors.collect()).unwrap()).unwrap();
    folder.run(&format!("propagate {CARRY} --weights {{crw}} --mask colors.png --output others"));
    let other = Indexed::read(folder.path("others/00009.png")).unwrap();
    let same = other.indices().iter().zip(written(9).indices().to_vec()).all(|(a, b)| *a == b / 2);
    assert!(same);
}

#[test]
fn colors_come_back() {
    let folder = Folder::new(3);
    let scene = Scene::from_seed(3);
    write::pngs(folder.path("gray"), (0..FRAMES).map(|i| frame(&scene, i).uncolored())).unwrap();
    for network in ["colorizer", "crw"] {
        let words = "--input gray --context 4 --radius 6 --size 128 --reference clip/frame_00000.png";
        folder.run(&format!("colorize {words} --weights {{{network}}} --output {network}.gif"));
        let mut movie = video::open(folder.path(&format!("{network}.gif"))).unwrap();
        let mut far = [0.0f32; 2];
        for i in 0..FRAMES {
            let (got, truth) = (lab(&movie.next_frame().unwrap().unwrap()), lab(&frame(&scene, i)));
            let gray = lab(&frame(&scene, i).uncolored());
            let distance = |a: &[f32]| {
                let pixels = a.chunks(3).zip(truth.chunks(3));
                pixels.map(|(a, b)| (a[1] - b[1]).hypot(a[2] - b[2])).sum::<f32>() / (W * H) as f32
            };
            far = [far[0] + distance(&got) / FRAMES as f32, far[1] + distance(&gray) / FRAMES as f32];
        }
        println!("{network}: colours off by {:.2}, grey by {:.2}", far[0], far[1]);
    }
}

#[test]
fn wrong_use_is_told() {
    let folder = Folder::new(0);
    let with = |rest: &str| format!("propagate {CARRY} {rest}");
    let mask = "--weights {crw} --output x --mask";
    let small = Frame::new(W / 2, H, [[0; 3], [9; 3]].concat().repeat(W / 2 * H / 2)).unwrap();
    write::png(folder.path("small.png"), &small).unwrap();
    folder.fails(&with(&format!("{mask} small.png")), 4, &["small.png: the mask is 60x96", "120x96"]);
    write::png(folder.path("one.png"), &Frame::new(W, H, vec![7; W * H * 3]).unwrap()).unwrap();
    folder.fails(&with(&format!("{mask} one.png")), 4, &["one.png", "a single colour"]);
    folder.fails(&with(&format!("{mask} clip/frame_00000.png")), 4, &["colours", "64 are possible"]);
    folder.fails(&with(&format!("{mask} none.png")), 4, &["none.png"]);
    let parts = ["c3d", "has no maps", "colorizer, crw, resnet, timecycle"];
    let vgg = "--weights {vgg} --mask first.png --output x";
    folder.fails(&with(vgg), 4, &["vgg", parts[1], parts[2]]);
    folder.fails(&with("--weights {resnet-flow} --mask first.png --output x"), 4, &["optical flow"]);
    std::fs::create_dir(folder.path("short")).unwrap();
    std::fs::copy(folder.path("clip/frame_00000.png"), folder.path("short/1.png")).unwrap();
    let short = "propagate --input short --weights {crw} --mask first.png --output x";
    folder.fails(short, 4, &["short: a single frame"]);
    folder.fails(&with("--weights {crw} --mask first.png"), 2, &["--output or --video"]);
    for flag in ["--top-k 0", "--temperature 0", "--size 8"] {
        folder.fails(&with(&format!("{mask} first.png {flag}")), 2, &[flag.split(' ').next().unwrap()]);
    }
    folder.fails(&with(&format!("{mask} first.png --video x.avi")), 2, &[".gif or .mp4"]);
    let gray = Frame::new(W, H, vec![7; W * H * 3]).unwrap();
    write::png(folder.path("gray.png"), &gray).unwrap();
    let colorize = "colorize --input clip --weights {crw} --output x.gif --reference";
    folder.fails(&format!("{colorize} gray.png"), 4, &["gray.png: has no colours"]);
    write::png(folder.path("tiny.png"), &Frame::new(2, 1, vec![200, 0, 0, 0, 200, 0]).unwrap()).unwrap();
    folder.fails(&format!("{colorize} tiny.png"), 4, &["the reference is 2x1", "120x96"]);
}
