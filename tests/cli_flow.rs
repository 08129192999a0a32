//! The command `flow` as a user meets it: every output once, and errors that leave nothing behind. On the CPU, with small
//! pictures made here.

mod command;

use std::path::Path;

use command::Folder;
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgba};
use kinetograph::video::{self, Frame, write};
use kinetograph::{Tensor, flow, npy};
use serde_json::Value as Json;

const W: usize = 36;
const H: usize = 24;

/// Brightness of a pattern that has moved by `shift` pixels to the right.
fn level(i: usize, shift: f32) -> f32 {
    let (x, y) = ((i % W) as f32 - shift, (i / W) as f32);
    (127.0 + 60.0 * (x / 2.3).sin() * (y / 3.1).cos() + 50.0 * ((x + y) / 3.7).sin()).round()
}

fn frame(shift: f32) -> Frame {
    Frame::new(W, H, (0..W * H).flat_map(|i| [level(i, shift) as u8; 3]).collect()).unwrap()
}

/// With `a.png`, `b.png` (moved by a pixel) and `clip.gif` of four frames.
fn folder() -> Folder {
    let folder = Folder::new(&["flow"]);
    write::png(folder.path("a.png"), &frame(0.0)).unwrap();
    write::png(folder.path("b.png"), &frame(1.0)).unwrap();
    write::gif(folder.path("clip.gif"), 10.0, (0..4).map(|t| frame(t as f32))).unwrap();
    folder
}

/// The mean flow inside the border.
fn mean(path: &Path) -> [f32; 2] {
    let flow = flow::read(path).unwrap();
    assert_eq!(&**flow.shape(), [H, W, 2]);
    let inner = flow.f32s().unwrap().chunks(2).enumerate().filter(|(i, _)| {
        let (x, y) = (i % W, i / W);
        x.min(W - 1 - x).min(y).min(H - 1 - y) >= 6
    });
    let inner: Vec<&[f32]> = inner.map(|(_, p)| p).collect();
    [0, 1].map(|k| inner.iter().map(|p| p[k]).sum::<f32>() / inner.len() as f32)
}

fn moves_right(path: &Path, by: f32) {
    let [u, v] = mean(path);
    assert!((u - by).abs() < 0.25 && v.abs() < 0.1, "{}: {u}, {v}", path.display());
}

#[test]
fn two_pictures_give_every_output() {
    let folder = folder();
    let truth = Tensor::from_fn(&[H, W, 2], |i| if i % 2 == 0 { 1.0 } else { 0.0 }).unwrap();
    flow::write(folder.path("truth.flo"), &truth).unwrap();
    let output = folder.run(
        "a.png b.png --method farneback --winsize 9 -o flow.flo --picture flow.png --arrows arrows.png --warped back.png \
         --truth truth.flo --json",
    );
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["aee"].as_f64().unwrap() < 0.5 && report["aae"].as_f64().unwrap() < 20.0, "{report}");
    assert!(report["bad"]["0.5"].as_f64().unwrap() >= report["bad"]["3"].as_f64().unwrap());
    assert_eq!(report["pairs"], 1);
    assert!(report["pairs_per_second"].as_f64().unwrap() > 0.0);
    assert!(report["device"].as_str().unwrap().contains("cpu"));
    moves_right(&folder.path("flow.flo"), 1.0);
    for name in ["flow.png", "arrows.png", "back.png"] {
        let picture = video::open(folder.path(name)).unwrap();
        assert_eq!((picture.width(), picture.height()), (W, H), "{name}");
    }
    // To begin with what was found, and an iteration more; as KITTI's PNG.
    folder.run(
        "a.png b.png --method farneback --winsize 9 --iterations 1 --levels 0 --initial flow.flo -o again.png",
    );
    moves_right(&folder.path("again.png"), 1.0);
    folder.run("a.png b.png --scales 1 --warps 2 --inner-iterations 10 -o tvl1.npy");
    moves_right(&folder.path("tvl1.npy"), 1.0);
}

#[test]
fn a_difference_is_no_flow() {
    let folder = folder();
    folder.run("a.png b.png --method difference -o signed.npy --picture difference.png");
    folder
        .run("a.png b.png --method difference --absolute -o absolute.npy --longest 60 --picture scaled.png");
    let want = |i: usize| level(i, 1.0) - level(i, 0.0);
    let (signed, absolute) =
        (npy::read(folder.path("signed.npy")).unwrap(), npy::read(folder.path("absolute.npy")).unwrap());
    assert_eq!(&**signed.shape(), [H, W, 1]);
    let picture = video::open(folder.path("difference.png")).unwrap().next_frame().unwrap().unwrap();
    for i in 0..W * H {
        assert_eq!((signed.f32s().unwrap()[i], absolute.f32s().unwrap()[i]), (want(i), want(i).abs()));
        assert_eq!(f32::from(picture.rgb()[3 * i]), want(i).abs());
    }
    folder.run("clip.gif --method difference -o parts --video parts.gif");
    assert_eq!(npy::read(folder.path("parts/flow_00002.npy")).unwrap().shape(), signed.shape());
    for flag in ["--arrows x.png", "--warped x.png", "--truth a.flo", "--initial a.flo"] {
        folder.fails(&format!("a.png b.png --method difference {flag}"), 2, &["is for flow"]);
    }
    folder.fails("a.png b.png --method difference -o x.flo", 2, &["no flow", ".npy"]);
    folder.fails("clip.gif --method difference -o x --format flo", 2, &["no flow", ".npy"]);
}

#[test]
fn a_clip_gives_flows_and_videos() {
    let folder = folder();
    let output =
        folder.run("clip.gif --method farneback --winsize 9 --batch 2 -o flows --video flow.gif --json");
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["pairs"], 3);
    for i in 0..3 {
        moves_right(&folder.path(&format!("flows/flow_{i:05}.flo")), 1.0);
    }
    assert!(!folder.path("flows/flow_00003.flo").exists());
    let mut movie = video::open(folder.path("flow.gif")).unwrap();
    assert_eq!((movie.width(), movie.height(), movie.frames()), (2 * W, H, Some(3)));
    // The frame is on the left.
    let first = movie.next_frame().unwrap().unwrap();
    assert_eq!(first.rgb()[..3], frame(0.0).rgb()[..3]);
    // Batches do not show.
    folder.run("clip.gif --method farneback --winsize 9 -o whole --format png");
    folder.run("clip.gif --method farneback --winsize 9 -o single --batch 1 --format npy");
    let bytes = |name: &str| flow::read(folder.path(name)).unwrap().bytes().to_vec();
    assert_eq!(bytes("flows/flow_00002.flo"), bytes("single/flow_00002.npy"));
    moves_right(&folder.path("whole/flow_00002.png"), 1.0);
    folder.run("clip.gif --method farneback --winsize 9 --stride 2 -o stride");
    moves_right(&folder.path("stride/flow_00000.flo"), 2.0);
    assert!(!folder.path("stride/flow_00001.flo").exists());
    if write::check_movie("a.mp4").is_ok() {
        folder.run("clip.gif --method farneback --video flow.mp4");
        assert_eq!(video::open(folder.path("flow.mp4")).unwrap().count().unwrap(), 3);
    }
    let mut without = folder.command("clip.gif --video flow2.mp4");
    let output = without.env("PATH", "/nonexistent").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("install the package ffmpeg") && stderr.contains(".gif"), "{stderr}");
    assert!(!folder.path("flow2.mp4").exists());
}

#[test]
fn all_kinds_of_pictures_are_taken() {
    let folder = folder();
    let gray = |shift| {
        GrayImage::from_fn(W as u32, H as u32, |x, y| Luma([level(y as usize * W + x as usize, shift) as u8]))
    };
    let save = |name: &str, picture: DynamicImage| picture.save(folder.path(name)).unwrap();
    save("gray.png", DynamicImage::ImageLuma8(gray(0.0)));
    let deep = ImageBuffer::from_fn(W as u32, H as u32, |x, y| {
        Luma([u16::from(gray(0.0).get_pixel(x, y).0[0]) * 257])
    });
    save("deep.png", DynamicImage::ImageLuma16(deep));
    let alpha = ImageBuffer::from_fn(W as u32, H as u32, |x, y| {
        let l = gray(0.0).get_pixel(x, y).0[0];
        Rgba([l, l, l, (x * 7) as u8])
    });
    save("alpha.png", DynamicImage::ImageRgba8(alpha));
    // A GIF of one frame has a palette.
    write::gif(folder.path("palette.gif"), 10.0, [frame(0.0)]).unwrap();
    let floats = |name: &str, shape: &[usize], f: &dyn Fn(usize) -> f32| {
        npy::write(folder.path(name), &Tensor::from_fn(shape, f).unwrap()).unwrap();
    };
    floats("two.npy", &[H, W], &|i| level(i, 0.0));
    floats("one.npy", &[H, W, 1], &|i| level(i, 0.0));
    floats("three.npy", &[H, W, 3], &|i| level(i / 3, 0.0));
    let bytes: Vec<u8> = (0..W * H).map(|i| level(i, 0.0) as u8).collect();
    npy::write(folder.path("bytes.npy"), &Tensor::new(&[H, W], bytes).unwrap()).unwrap();
    folder.run("a.png b.png --method difference -o want.npy");
    let want = npy::read(folder.path("want.npy")).unwrap();
    for name in
        ["gray.png", "deep.png", "alpha.png", "palette.gif", "two.npy", "one.npy", "three.npy", "bytes.npy"]
    {
        folder.run(&format!("{name} b.png --method difference -o got.npy"));
        let got = npy::read(folder.path("got.npy")).unwrap();
        let apart = want.f32s().unwrap().iter().zip(got.f32s().unwrap()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-3, "{name}");
    }
    floats("nan.npy", &[H, W], &|i| if i == 40 { f32::NAN } else { 3.0 });
    folder.fails("nan.npy b.png", 4, &["nan.npy", "pixel (4, 1) is NaN"]);
    floats("far.npy", &[H, W], &|i| if i == 40 { 256.0 } else { 3.0 });
    folder.fails("far.npy b.png", 4, &["far.npy", "pixel (4, 1) is 256"]);
    floats("unit.npy", &[H, W], &|i| level(i, 0.0) / 255.0);
    folder.fails("unit.npy b.png", 4, &["unit.npy", "multiply by 255"]);
    floats("five.npy", &[H, W, 5], &|_| 3.0);
    folder.fails("five.npy b.png", 4, &["five.npy", "[H, W, 3]"]);
}

#[test]
fn small_pictures_have_a_flow() {
    let folder = folder();
    for (w, h) in [(1, 1), (2, 1), (1, 5), (3, 7), (15, 15)] {
        for (name, shift) in [("s.png", 0), ("t.png", 1)] {
            let rgb = (0..w * h).flat_map(|i| [((i + shift) * 40 % 256) as u8; 3]).collect();
            write::png(folder.path(name), &Frame::new(w, h, rgb).unwrap()).unwrap();
        }
        for method in ["tvl1 --warps 1 --outer-iterations 1", "farneback", "difference"] {
            folder.run(&format!("s.png t.png --method {method} -o small.npy --picture small.png"));
            let found = npy::read(folder.path("small.npy")).unwrap();
            assert_eq!(found.shape()[..2], [h, w]);
            assert!(found.f32s().unwrap().iter().all(|x| x.is_finite()), "{w}x{h} by {method}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_an_error_and_leaves_nothing() {
    let folder = folder();
    write::png(folder.path("wide.png"), &Frame::new(5, 4, vec![9; 60]).unwrap()).unwrap();
    write::gif(folder.path("one.gif"), 10.0, [frame(0.0)]).unwrap();
    let flo = |name: &str, bytes: &[u8]| std::fs::write(folder.path(name), bytes).unwrap();
    let header = |tag: &[u8], w: i32, h: i32| [tag, &w.to_le_bytes(), &h.to_le_bytes()].concat();
    flo("tag.flo", &[header(b"HEIP", W as i32, H as i32), vec![0; W * H * 8]].concat());
    flo("cut.flo", &[header(b"PIEH", W as i32, H as i32), vec![0; W * H * 8 - 3]].concat());
    flo("vast.flo", &header(b"PIEH", i32::MAX, 3));
    flow::write(folder.path("small.flo"), &Tensor::from_fn(&[4, 5, 2], |_| 0.5).unwrap()).unwrap();
    let unknown = Tensor::from_fn(&[H, W, 2], |i| if i < 2 { flow::UNKNOWN } else { 0.0 }).unwrap();
    flow::write(folder.path("unknown.flo"), &unknown).unwrap();
    let pair = "a.png b.png --method farneback";
    let at = |flags: &str| format!("{pair} {flags}");
    for (words, code, parts) in [
        ("a.png wide.png".to_owned(), 4, ["a.png is 36x24", "wide.png is 5x4"]),
        ("a.png clip.gif".to_owned(), 4, ["clip.gif", "one frame is needed"]),
        ("a.png".to_owned(), 4, ["a.png", "flow needs two"]),
        ("one.gif -o flows".to_owned(), 4, ["one.gif", "flow needs two"]),
        ("clip.gif --stride 9 -o flows".to_owned(), 4, ["stride of 9", "flow needs two"]),
        ("a.png none.png".to_owned(), 4, ["none.png", "cannot be read"]),
        ("a.png tag.flo".to_owned(), 4, ["tag.flo", ""]),
        (at("--truth tag.flo"), 4, ["tag.flo", "is no flow"]),
        (at("--truth cut.flo"), 4, ["cut.flo", "bytes of flow"]),
        (at("--initial vast.flo"), 4, ["vast.flo", "width is 2147483647"]),
        (at("--truth small.flo"), 4, ["small.flo", "the truth 5x4"]),
        (at("--initial small.flo"), 4, ["small.flo", "initial flow of 5x4"]),
        (at("--initial unknown.flo -o x.flo"), 4, ["unknown.flo", "known in every pixel"]),
        (at("-o none/x.flo"), 2, ["none/x.flo", "no folder"]),
        (at("--picture none/x.png"), 2, ["none/x.png", "no folder"]),
        (at("-o ."), 2, ["is a folder", "file is needed"]),
        ("clip.gif -o a.png".to_owned(), 2, ["a.png", "name of a folder is needed"]),
        ("clip.gif --video x.avi".to_owned(), 2, ["x.avi", ".gif or .mp4"]),
        ("clip.gif --picture x.png".to_owned(), 2, ["--picture", "two pictures"]),
        (at("--video x.gif"), 2, ["--video", "one clip"]),
        (at("--format npy"), 2, ["--format", "one clip"]),
        (at("--tau 0.2"), 2, ["--method tvl1", "not the one chosen"]),
        ("a.png b.png --gaussian".to_owned(), 2, ["--method farneback", "not the one chosen"]),
        (at("--longest 0 --picture x.png"), 2, ["--longest 0", "positive"]),
        (at("--winsize 1"), 4, ["winsize 1", "2 to"]),
        ("clip.gif --batch 0".to_owned(), 2, ["--batch", "1 or more"]),
    ] {
        folder.fails(&words, code, &parts);
    }
}
