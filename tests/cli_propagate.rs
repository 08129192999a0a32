//! The commands `propagate` and `colorize` as a user meets them, on clips that the demo renders: whether the shape is found
//! again and its colours come back, and errors that leave nothing behind. The networks are small ones with random weights,
//! whose features tell colours and textures apart.

mod command;

use command::Folder;
use kinetograph::demo::{Motion, Scene};
use kinetograph::video::{self, Frame, Indexed, lab, write};
use serde_json::Value as Json;

const W: usize = 120;
const H: usize = 96;
const FRAMES: usize = 10;

/// The moment of a frame: the shape goes fast enough to leave where it was.
fn time(i: usize) -> f32 {
    1.5 * (i as f32 - (FRAMES - 1) as f32 / 2.0)
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

/// With the frames of a scene in `clip/`, and `first.png`, the mask of the first one.
fn folder(scene: &Scene) -> Folder {
    let folder = Folder::new(&[]);
    write::pngs(folder.path("clip"), (0..FRAMES).map(|i| frame(scene, i))).unwrap();
    mask(scene, 0).write(folder.path("first.png")).unwrap();
    folder
}

const CARRY: &str = "--context 2 --radius 4 --top-k 4 --temperature 0.01 --size 128";
const CARRY_SMALL: &str = "--context 2 --radius 4 --size 64";

fn scene(seed: u64, motion: Motion) -> Scene {
    Scene::from_seed(seed).with_motion(motion)
}

/// Where features are random, what is carried still follows the shape, which its first mask would not: carried nowhere, or
/// to the wrong places, labels are no better than that.
#[test]
fn a_moving_shape_is_found_again() {
    for (network, seed, motion, least) in
        [("crw", 0, Motion::Left, 0.7), ("crw", 2, Motion::Down, 0.7), ("resnet-basic", 2, Motion::Left, 0.7)]
    {
        let scene = scene(seed, motion);
        let folder = folder(&scene);
        let words = format!("propagate --input clip {CARRY} --mask first.png --output masks");
        folder.run(&format!("{words} --weights {{{network}}}"));
        let (mut found, mut still) = (0.0, 0.0);
        for i in 1..FRAMES {
            let got = Indexed::read(folder.path(&format!("masks/{i:05}.png"))).unwrap();
            found += iou(&got, &mask(&scene, i)) / (FRAMES - 1) as f64;
            still += iou(&mask(&scene, 0), &mask(&scene, i)) / (FRAMES - 1) as f64;
        }
        println!("{network}, {motion} {seed}: {found:.3}, its first mask {still:.3}");
        assert!(
            found > least && still < 0.4,
            "{network}, {motion} {seed}: {found:.3}, its first mask {still:.3}"
        );
    }
}

#[test]
fn masks_and_video_are_written() {
    let folder = folder(&scene(1, Motion::Right));
    let output = folder.run(&format!(
        "propagate --input clip {CARRY_SMALL} --weights {{crw}} --mask first.png --output masks --video drawn.gif --json"
    ));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["frames"], &report["objects"], &report["network"]),
        (&FRAMES.into(), &1.into(), &"crw".into())
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
    folder.run(&format!(
        "propagate --input clip {CARRY_SMALL} --weights {{crw}} --mask colors.png --output others"
    ));
    let other = Indexed::read(folder.path("others/00005.png")).unwrap();
    let same = other.indices().iter().zip(written(5).indices().to_vec()).all(|(a, b)| *a == b / 2);
    assert!(same);
}

/// Where the shape was not at first, its colours are nearer to the true ones than those that were there, any single colour
/// of the first frame's corner or average, or none. What is copied without following the shape is no better than these.
#[test]
fn colors_follow_the_shape() {
    let scene = scene(1, Motion::Left);
    let folder = folder(&scene);
    write::pngs(folder.path("gray"), (0..FRAMES).map(|i| frame(&scene, i).uncolored())).unwrap();
    let words = format!("colorize --input gray {CARRY} --reference clip/frame_00000.png");
    folder.run(&format!("{words} --weights {{crw}} --output colored.gif"));
    let mut movie = video::open(folder.path("colored.gif")).unwrap();
    let first = lab(&frame(&scene, 0));
    let mean = [1, 2].map(|k| first.iter().skip(k).step_by(3).sum::<f32>() / (W * H) as f32);
    let start = mask(&scene, 0);
    let (mut off, mut count) = ([0.0f32; 5], 0);
    for i in 0..FRAMES {
        let got = lab(&movie.next_frame().unwrap().unwrap());
        let truth = lab(&frame(&scene, i));
        let now = mask(&scene, i);
        for p in (0..W * H).filter(|p| now.indices()[*p] == 2 && start.indices()[*p] == 0) {
            let of = |colors: &[f32]| [colors[3 * p + 1], colors[3 * p + 2]];
            let want = of(&truth);
            let others = [of(&got), of(&first), [first[1], first[2]], mean, [0.0; 2]];
            for (sum, [a, b]) in off.iter_mut().zip(others) {
                *sum += (a - want[0]).hypot(b - want[1]);
            }
            count += 1;
        }
    }
    assert!(count > 1000);
    let [got, others @ ..] = off.map(|sum| sum / count as f32);
    println!("colours off by {got:.1}; in place, the corner's, the average, grey: {others:.1?}");
    assert!(others.iter().all(|other| got < 0.7 * other), "{got:.1}, {others:.1?}");
}

/// The network made for it; what random weights of it copy is worth nothing.
#[test]
fn the_colorizer_sees_several_frames_at_once() {
    let folder = folder(&scene(1, Motion::Left));
    let words =
        "colorize --input clip --context 2 --size 64 --reference clip/frame_00000.png --output colored.gif";
    let output = folder.run(&format!("{words} --weights {{colorizer}} --json"));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    // Ten frames are two windows of four and half a one.
    assert_eq!((&report["network"], &report["frames"]), (&"colorizer".into(), &FRAMES.into()));
    let mut movie = video::open(folder.path("colored.gif")).unwrap();
    assert_eq!((movie.width(), movie.height(), movie.count().unwrap()), (W, H, FRAMES));
}

#[test]
fn wrong_use_is_told() {
    let folder = folder(&scene(0, Motion::Right));
    let with = |rest: &str| format!("propagate --input clip {CARRY} {rest}");
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
