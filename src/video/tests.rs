//! The films of `tests/golden/video`, whole and damaged.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::*;
use crate::ErrorKind;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/video").join(name)
}

/// The film with changed bytes, under a name that says nothing about what it is.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let mut bytes = std::fs::read(golden(name)).unwrap();
    change(&mut bytes);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn films_agree_with_ffmpeg() {
    let bytes = std::fs::read(golden("films.safetensors")).unwrap();
    let frames = SafeTensors::deserialize(&bytes).unwrap();
    for (name, format) in [("mp4", "MP4, H.264"), ("mkv", "Matroska, H.264"), ("webm", "Matroska, VP9")] {
        let want = frames.tensor(name).unwrap();
        let mut video = open(golden(&format!("film.{name}"))).unwrap();
        assert_eq!(video.format(), format);
        assert_eq!((video.frames(), video.width(), video.height()), (Some(10), 54, 38), "{name}");
        assert!((video.fps().unwrap() - 10.0).abs() < 0.01, "{name}: {:?}", video.fps());
        for (i, want) in want.data().chunks_exact(54 * 38 * 3).enumerate() {
            let frame = video.next_frame().unwrap().unwrap();
            let far = frame.rgb().iter().zip(want).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far <= Some(1), "{name}, frame {i}: {far:?}");
        }
        assert!(video.next_frame().unwrap().is_none());
        assert!(!video.skip_frame().unwrap());
        assert_eq!(video.position(), 10);
    }
}

#[test]
fn skipping_and_rewinding_keep_the_place() {
    let mut video = open(golden("film.mp4")).unwrap();
    let all: Vec<_> = std::iter::from_fn(|| video.next_frame().unwrap()).collect();
    video.rewind().unwrap();
    for (i, frame) in all.iter().enumerate() {
        assert_eq!(video.position(), i);
        if i % 3 == 0 {
            assert_eq!(video.next_frame().unwrap().as_ref(), Some(frame));
        } else {
            assert!(video.skip_frame().unwrap());
        }
    }
}

#[test]
fn films_cut_off_are_errors() {
    for name in ["film.mp4", "film.mkv", "film.webm"] {
        let whole = std::fs::metadata(golden(name)).unwrap().len() as usize;
        for length in [0, 4, 40, whole / 2, whole - 1] {
            let (_dir, path) = changed(name, |bytes| bytes.truncate(length));
            let e = open(&path).expect_err(name);
            assert_eq!(e.kind(), ErrorKind::BadInput, "{e}");
            assert!(e.to_string().starts_with(&path.display().to_string()), "{e}");
            if name == "film.mp4" && length == whole - 1 {
                assert!(e.to_string().ends_with("the file is cut off after 9 of 10 frames"), "{e}");
            }
        }
    }
}

#[test]
fn damaged_films_end_in_frames_or_errors() {
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for name in ["film.mp4", "film.mkv", "film.webm"] {
        for _ in 0..40 {
            let (_dir, path) = changed(name, |bytes| {
                for _ in 0..3 {
                    let at = 16 + random(bytes.len() - 16);
                    bytes[at] = random(256) as u8;
                }
            });
            let Ok(mut video) = open(&path) else { continue };
            let mut steps = 0;
            while let Ok(Some(_)) = video.next_frame() {
                steps += 1;
                assert!(steps <= 100, "{name} does not end");
            }
        }
    }
}

#[test]
fn what_is_no_video_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.mp4");
    let missing = open(&path).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::BadInput);
    assert!(missing.to_string().contains("notes.mp4: cannot be read: "), "{missing}");
    let cut_in_a_letter = &"These are notes, not pictures: ü".as_bytes()[..32];
    for (content, part) in [
        (&b"These are notes, not pictures."[..], "this is a text file, no video"),
        (cut_in_a_letter, "this is a text file, no video"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08", "no video or picture in a format known here"),
    ] {
        std::fs::write(&path, content).unwrap();
        let e = open(&path).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::BadInput);
        assert!(e.to_string().contains(part), "{e}");
    }
}
