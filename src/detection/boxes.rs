//! Boxes of persons: files of them, and the whole frame in their place.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::npy;

/// A box around a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PersonBox {
    /// x1, y1, x2, y2 in pixels of the video's frames.
    pub corners: [f32; 4],
    /// How sure the detector of persons is; 1 where the file does not tell.
    pub score: f32,
}

/// A frame with boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFrame {
    /// Its index in the video, from 0.
    pub frame: usize,
    /// Its boxes.
    pub boxes: Vec<PersonBox>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    normalized: bool,
    frames: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    frame: Option<usize>,
    time: Option<f64>,
    boxes: Vec<Vec<f32>>,
}

/// Frames `seconds` apart, the first after half of that; the middle one of a clip that is shorter.
pub fn every(seconds: f64, frames: usize, fps: f64) -> Vec<usize> {
    let step = (seconds * fps).max(1.0);
    let count = ((frames as f64 / step).floor() as usize).max(frames.min(1));
    let step = step.min(frames as f64);
    (0..count).map(|i| (((i as f64 + 0.5) * step) as usize).min(frames - 1)).collect()
}

/// Key frames whose only box is the whole frame.
pub fn whole(frames: &[usize], [width, height]: [usize; 2]) -> Vec<KeyFrame> {
    let all = PersonBox { corners: [0.0, 0.0, width as f32, height as f32], score: 1.0 };
    frames.iter().map(|&frame| KeyFrame { frame, boxes: vec![all] }).collect()
}

/// Reads boxes for a video of `frames` frames of `size` (width, height), in the order of time.
///
/// JSON: `{"normalized": false, "frames": [{"frame": 12, "boxes": [[x1, y1, x2, y2, score], …]}, …]}`, with `"time"` in
/// seconds in place of `"frame"`, and the score left out at will; in pixels, or from 0 to 1 where `normalized`. `.npy`:
/// `[boxes, 5 or 6]`, rows of frame, x1, y1, x2, y2 and perhaps the score, in pixels. What reaches beyond the frame is cut
/// off. A frame whose list of boxes is empty is a key frame at which no person was found.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the file is neither, or names a box that is empty, reversed, not finite or outside the
/// frame, or a frame that the video does not have; the text says which.
pub fn read(path: &Path, frames: usize, fps: f64, size: [usize; 2]) -> Result<Vec<KeyFrame>> {
    let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let rows =
        if is_npy { npy_rows(path).map(|rows| (rows, Vec::new())) } else { json_rows(path, fps, size) };
    rows.and_then(|(rows, empty)| collect(rows, &empty, frames, size)).at(path.display())
}

/// Frame, corners and perhaps the score.
type Row = (usize, Vec<f32>);

fn npy_rows(path: &Path) -> Result<Vec<Row>> {
    let tensor = npy::read(path)?.to_f32();
    let [_, width] = tensor.shape().dims("boxes", "[boxes, 5 or 6]")?;
    if !(5..=6).contains(&width) {
        return Err(Error::bad_input(format!(
            "rows of {width} numbers: frame, x1, y1, x2, y2 and perhaps a score"
        )));
    }
    let rows = tensor.f32s()?.chunks_exact(width).enumerate().map(|(i, row)| {
        if row[0] < 0.0 || row[0].fract() != 0.0 || !row[0].is_finite() {
            return Err(Error::bad_input(format!("row {i}: {} is no index of a frame", row[0])));
        }
        Ok((row[0] as usize, row[1..].to_vec()))
    });
    rows.collect()
}

/// The rows, and the frames that have none.
fn json_rows(path: &Path, fps: f64, [width, height]: [usize; 2]) -> Result<(Vec<Row>, Vec<usize>)> {
    let bytes = std::fs::read(path).map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    let file: File = serde_json::from_slice(&bytes).map_err(|e| {
        let shape = r#"{"frames": [{"frame": 0, "boxes": [[x1, y1, x2, y2], …]}, …]}"#;
        Error::bad_input(format!("{e}; boxes are given as {shape}"))
    })?;
    let scale = if file.normalized { [width as f32, height as f32] } else { [1.0; 2] };
    let (mut rows, mut empty) = (Vec::new(), Vec::new());
    for (i, entry) in file.frames.into_iter().enumerate() {
        let frame = match (entry.frame, entry.time) {
            (Some(frame), None) => frame,
            (None, Some(time)) if time >= 0.0 => (time * fps).round() as usize,
            _ => {
                return Err(Error::bad_input(format!(
                    "entry {i}: either `frame` or `time`, not negative, is needed"
                )));
            }
        };
        if entry.boxes.is_empty() {
            empty.push(frame);
        }
        for mut row in entry.boxes {
            row.iter_mut().take(4).enumerate().for_each(|(i, x)| *x *= scale[i % 2]);
            rows.push((frame, row));
        }
    }
    Ok((rows, empty))
}

fn collect(
    rows: Vec<Row>,
    empty: &[usize],
    frames: usize,
    [width, height]: [usize; 2],
) -> Result<Vec<KeyFrame>> {
    let mut keys: BTreeMap<usize, Vec<PersonBox>> = BTreeMap::new();
    for (frame, row) in rows {
        let boxes = keys.entry(frame).or_default();
        let wrong =
            |what: String| Err(Error::bad_input(format!("frame {frame}, box {}: {what}", boxes.len())));
        if frame >= frames {
            return wrong(format!("the video has frames 0 to {}", frames.saturating_sub(1)));
        }
        let (x1, y1, x2, y2, score) = match row[..] {
            [x1, y1, x2, y2] => (x1, y1, x2, y2, 1.0),
            [x1, y1, x2, y2, score] => (x1, y1, x2, y2, score),
            _ => {
                return wrong(format!(
                    "{} numbers: x1, y1, x2, y2 and perhaps a score are needed",
                    row.len()
                ));
            }
        };
        if ![x1, y1, x2, y2, score].into_iter().all(f32::is_finite) {
            return wrong(format!("{row:?} is not finite"));
        }
        if x2 <= x1 || y2 <= y1 {
            return wrong(format!("{row:?} is empty or reversed: x1 < x2 and y1 < y2 are needed"));
        }
        let (w, h) = (width as f32, height as f32);
        if x2 <= 0.0 || y2 <= 0.0 || x1 >= w || y1 >= h {
            return wrong(format!("{row:?} lies outside the frame of {width}×{height}"));
        }
        let corners = [x1.max(0.0), y1.max(0.0), x2.min(w), y2.min(h)];
        boxes.push(PersonBox { corners, score });
    }
    if keys.is_empty() {
        return Err(Error::bad_input("there is no box"));
    }
    for &frame in empty {
        if frame >= frames {
            let last = frames.saturating_sub(1);
            return Err(Error::bad_input(format!("frame {frame}: the video has frames 0 to {last}")));
        }
        keys.entry(frame).or_default();
    }
    Ok(keys.into_iter().map(|(frame, boxes)| KeyFrame { frame, boxes }).collect())
}
