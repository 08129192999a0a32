//! The commands `align` and `speedup` as a user meets them, on clips that the demo renders: whether a clip played at another
//! pace is matched with the original, whether a clip becomes as short as asked and faster where it may, and errors that leave
//! nothing behind. The networks are small ones with random weights.

mod command;

use command::{Folder, weights};
use kinetograph::demo::{Motion, Scene};
use kinetograph::models::Choices;
use kinetograph::prepare::Moments;
use kinetograph::video::{self, Frame, write};
use kinetograph::{Engine, PlanOptions};
use serde_json::Value as Json;

const W: usize = 64;
const H: usize = 48;

/// A clip of a scene at these moments.
fn clip(folder: &Folder, name: &str, scene: &Scene, times: &[f32]) {
    let frame = |time: &f32| Frame::new(W, H, scene.at(*time, W, H)).unwrap();
    write::pngs(folder.path(name), times.iter().map(frame)).unwrap();
}

fn json(folder: &Folder, words: &str) -> Json {
    serde_json::from_slice(&folder.run(&format!("{words} --json")).stdout).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// How far apart the moments lie that are matched, on average, in the scene's time.
fn astray(report: &Json, first: &[f32], second: &[f32]) -> f32 {
    let frames = report["frames"].as_array().unwrap();
    assert_eq!(frames.len(), first.len());
    let place = |f: &Json, key: &str| f[key].as_u64().unwrap() as usize;
    let apart = |f: &Json| (first[place(f, "frame")] - second[place(f, "match")]).abs();
    frames.iter().map(apart).sum::<f32>() / first.len() as f32
}

/// A clip whose shape gathers speed is laid beside one in which it goes evenly; frame by frame in proportion they would be
/// 1.2 apart on average.
#[test]
fn clips_of_different_pace_are_aligned() {
    let folder = Folder::new(&[]);
    let scene = Scene::from_seed(2).with_motion(Motion::Left);
    let first: Vec<f32> = (0..12).map(|i| i as f32 * 7.5 / 11.0).collect();
    let second: Vec<f32> = (0..16).map(|i| 7.5 * (i as f32 / 15.0).powi(2)).collect();
    clip(&folder, "first", &scene, &first);
    clip(&folder, "second", &scene, &second);
    // All weights are random, and the first network's largest of all places hardly tells where the shape is: most pairs of
    // frames keep their order, not all.
    for (network, method, most, tau) in [
        ("tcc", "dtw", 0.5, 0.5),
        ("tcc", "nearest", 1.0, 0.5),
        ("resnet-basic", "dtw", 0.5, 0.7),
        ("resnet-basic", "soft", 1.0, 0.7),
    ] {
        let words = format!("align first second --weights {{{network}}} --method {method} --size 64");
        let report = json(&folder, &format!("{words} --temperature 0.001"));
        let error = astray(&report, &first, &second);
        println!("{network} {method}: {error:.3}, tau {}", report["kendalls_tau"]);
        assert!(error < most, "{network} {method}: {error}");
        assert!(report["kendalls_tau"].as_f64().unwrap() > tau, "{report}");
        assert!(report["cycle_error"].as_f64().unwrap() < 2.0, "{report}");
        let phases: Vec<f64> =
            report["frames"].as_array().unwrap().iter().map(|f| f["phase"].as_f64().unwrap()).collect();
        assert!(phases[0] < 0.3 && phases[11] > 0.9, "{phases:?}");
    }
}

#[test]
fn an_alignment_is_drawn() {
    let folder = Folder::new(&[]);
    let scene = Scene::from_seed(1).with_motion(Motion::Down);
    let times: Vec<f32> = (0..6).map(|i| i as f32).collect();
    clip(&folder, "clip", &scene, &times);
    let words = "align clip clip --weights {tcc-vgg-m} --size 48 --every 2";
    let output = folder.run(&format!("{words} --picture table.png --video both.gif"));
    let lines = String::from_utf8(output.stdout).unwrap();
    // A clip is aligned with itself frame by frame.
    let phases: Vec<&str> = lines.lines().skip(1).map(|l| l.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(phases, ["0.0", "50.0", "100.0"]);
    let table = video::open(folder.path("table.png")).unwrap().next_frame().unwrap().unwrap();
    let red = table.rgb().chunks_exact(3).filter(|p| p == &[220, 30, 30]).count();
    assert_eq!(red, 3 * 12 * 12);
    let mut both = video::open(folder.path("both.gif")).unwrap();
    assert_eq!((both.count().unwrap(), both.width(), both.height()), (3, 2 * W, H));
}

/// Rows are those that windows give one by one, and temporal cycle consistency sees a frame with those before it.
#[test]
fn windows_of_a_video() {
    let folder = Folder::new(&[]);
    let times: Vec<f32> = (0..9).map(|i| i as f32).collect();
    clip(&folder, "clip", &Scene::from_seed(4), &times);
    let choices = Choices { size: Some(40), ..Choices::default() };
    let options = PlanOptions::default();
    let engine = Engine::cpu();
    let load = |network| Moments::load(&engine, weights(network), &choices, "features", &options);
    let moments = load("tcc").unwrap();
    assert_eq!((moments.length(), moments.stride(Some(25.0))), (2, 15));
    assert_eq!(moments.around(20, 40, 15), [5, 20]);
    assert_eq!(moments.around(8, 9, 15), [0, 8]);
    let mut video = video::open(folder.path("clip")).unwrap();
    let windows = [vec![0, 0], vec![0, 4], vec![2, 8], vec![3, 4]];
    let all = moments.of(&mut video, &windows, &mut |_| {}).unwrap();
    let rows = all.f32s().unwrap().chunks_exact(all.shape()[1]);
    for (window, row) in windows.iter().zip(rows.clone()) {
        let alone = moments.of(&mut video, std::slice::from_ref(window), &mut |_| {}).unwrap();
        assert_eq!(alone.f32s().unwrap(), row);
    }
    assert!(rows.clone().zip(rows.skip(1)).all(|(a, b)| a != b));
    let e = moments.of(&mut video, &[vec![0, 9]], &mut |_| {}).unwrap_err();
    assert!(e.to_string().contains("there is no frame 9"), "{e}");
    let e = load("slowfast-ava").unwrap_err();
    assert!(e.to_string().contains("takes more than frames"), "{e}");
}

const SPEEDUP: &str =
    "speedup clip --weights {speednet} --frames 4 --step 3 --size 32 --fastest 2 --smoothness 2";

#[test]
fn a_clip_becomes_shorter_where_it_may() {
    let folder = Folder::new(&[]);
    let scene = Scene::from_seed(3).with_motion(Motion::Right);
    let times: Vec<f32> =
        (0..24).map(|i| if i < 12 { 0.1 * i as f32 } else { 1.5 * (i - 12) as f32 }).collect();
    clip(&folder, "clip", &scene, &times);
    let report = json(&folder, SPEEDUP);
    let curves = report["curves"].as_array().unwrap();
    let tried: Vec<f64> = curves.iter().map(|c| c["rate"].as_f64().unwrap()).collect();
    assert_eq!(tried, [1.0, 1.25, 1.5625, 1.953125]);
    let windows = |curve: &Json, key: &str| -> Vec<f64> {
        curve["windows"].as_array().unwrap().iter().map(|w| w[key].as_f64().unwrap()).collect()
    };
    assert_eq!(windows(&curves[0], "frame"), [1.5, 4.5, 7.5, 10.5, 13.5, 16.5, 19.5, 21.5]);
    // What the network says at its fastest rate is cut in the middle: some moments may go that fast.
    let mut said = windows(&curves[3], "natural");
    said.sort_by(f64::total_cmp);
    let threshold = 0.5 * (said[said.len() / 2 - 1] + said[said.len() / 2]);
    assert!(said[0] < threshold && threshold < said[said.len() - 1], "{said:?}");
    let words = format!("{SPEEDUP} --rate 1.5 --threshold {threshold}");
    let report = json(&folder, &format!("{words} --output short.gif --curve rates.png"));
    let (natural, rates) = (numbers(&report["natural_rates"]), numbers(&report["rates"]));
    let shown = numbers(&report["shown"]);
    assert!(natural.contains(&1.953125) && natural.iter().any(|r| *r < 1.9), "{natural:?}");
    assert_eq!((natural.len(), shown.len()), (24, 16));
    let length: f64 = rates.iter().map(|r| r.recip()).sum();
    assert!((length - 16.0).abs() < 1e-6, "{length}");
    let at = |values: &[f64], best: bool| {
        let order = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        if best { (0..24).max_by(order).unwrap() } else { (0..24).min_by(order).unwrap() }
    };
    assert!(natural[at(&rates, true)] > natural[at(&rates, false)], "{natural:?} {rates:?}");
    let mut short = video::open(folder.path("short.gif")).unwrap();
    assert_eq!(short.count().unwrap(), 16);
    // The frames are the clip's, in the order that the report says.
    for index in shown {
        let (got, want) = (short.next_frame().unwrap().unwrap(), scene.at(times[index as usize], W, H));
        let apart: f64 = got.rgb().iter().zip(&want).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        assert!(apart / (want.len() as f64) < 8.0, "frame {index}: {}", apart / want.len() as f64);
    }
    let curve = video::open(folder.path("rates.png")).unwrap().next_frame().unwrap().unwrap();
    for color in [[0, 110, 220], [60, 170, 75], [220, 50, 50]] {
        assert!(curve.rgb().chunks_exact(3).filter(|p| *p == color).count() > 300, "{color:?}");
    }
}

#[test]
fn a_clip_shorter_than_a_window() {
    let folder = Folder::new(&[]);
    clip(&folder, "clip", &Scene::from_seed(5), &[0.0, 1.0, 2.0, 3.0]);
    let words = "speedup clip --weights {speednet} --frames 6 --size 32 --rate 2";
    let output = folder.run(&format!("{words} --output short.gif"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("4 frames, too few for a window of 6"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("4 frames become 2"), "{output:?}");
}

#[test]
fn what_cannot_be_done() {
    let folder = Folder::new(&[]);
    clip(&folder, "clip", &Scene::from_seed(6), &[0.0, 1.0, 2.0]);
    clip(&folder, "one", &Scene::from_seed(6), &[0.0]);
    let align = "align clip clip --weights {tcc} --size 48";
    folder.fails(&format!("{align} --every 0"), 2, &["--every"]);
    folder.fails(&format!("{align} --temperature -1"), 2, &["--temperature -1"]);
    folder.fails(&format!("{align} --video both.avi"), 2, &["both.avi", ".gif"]);
    folder.fails(&format!("{align} --picture none/table.png"), 2, &["none"]);
    folder.fails("align clip gone --weights {tcc} --size 48 --picture a.png", 4, &["gone"]);
    folder.fails("align clip clip --weights {slowfast-ava}", 4, &["takes more than frames"]);
    folder.fails("speedup clip --weights {speednet}", 2, &["--output, --curve or --json"]);
    let speedup = "speedup clip --weights {speednet} --frames 2 --size 32 --output short.gif";
    folder.fails(&format!("{speedup} --rate 0.5"), 2, &["--rate 0.5"]);
    folder.fails(&format!("{speedup} --threshold 2"), 2, &["--threshold 2"]);
    folder.fails(&format!("{speedup} --step 0"), 2, &["--step"]);
    folder.fails(&format!("{speedup} --curve none/rates.png"), 2, &["none"]);
    folder.fails("speedup one --weights {speednet} --output short.gif", 4, &["single frame"]);
    folder.fails(
        "speedup clip --weights {tcc} --output short.gif",
        4,
        &["these weights are of tcc, which does not tell the speed"],
    );
}
