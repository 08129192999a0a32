//! Boxes of persons: files of them, and the whole frame in their place.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

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
/// off. A frame whose list of boxes is empty is a key frame at which no person was found; there may be no others, and no
/// frame at all.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the file is neither, or names a box that is empty, reversed, not finite or outside the
/// frame, or a frame that the video does not have; the text says which.
pub fn read(path: &Path, frames: usize, fps: f64, size: [usize; 2]) -> Result<Vec<KeyFrame>> {
    let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let file = if is_npy { npy_file(path) } else { json_file(path, fps) };
    file.and_then(|file| file.key_frames(frames, size)).at(path.display())
}

/// What a file says.
#[derive(Default)]
struct File {
    /// Whether corners go from 0 to 1.
    normalized: bool,
    /// Frames with a box: corners and perhaps the score.
    rows: Vec<(usize, Vec<f32>)>,
    /// Frames without one.
    empty: Vec<usize>,
}

fn npy_file(path: &Path) -> Result<File> {
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
    Ok(File { rows: rows.collect::<Result<_>>()?, ..File::default() })
}

/// What JSON has to look like.
const SHAPE: &str = r#"boxes are given as {"frames": [{"frame": 0, "boxes": [[x1, y1, x2, y2], …]}, …]}"#;

fn json_file(path: &Path, fps: f64) -> Result<File> {
    let bytes = std::fs::read(path).map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|e| Error::bad_input(format!("is no JSON: {e}; {SHAPE}")))?;
    let object = object(&value, &["normalized", "frames"])?;
    let normalized = match object.get("normalized") {
        None => false,
        Some(Value::Bool(normalized)) => *normalized,
        Some(other) => return Err(Error::bad_input(format!("`normalized` is {other}, not true or false"))),
    };
    let mut file = File { normalized, ..File::default() };
    for (i, entry) in list(object, "frames")?.iter().enumerate() {
        file.add(entry, fps).at(format_args!("entry {i} of `frames`"))?;
    }
    Ok(file)
}

impl File {
    /// Takes one of the JSON's frames.
    fn add(&mut self, entry: &Value, fps: f64) -> Result<()> {
        let entry = object(entry, &["frame", "time", "boxes"])?;
        let wrong = |key: &str, value: &Value, wanted: &str| {
            Err(Error::bad_input(format!("`{key}` is {value}: {wanted} is needed")))
        };
        let frame = match (entry.get("frame"), entry.get("time")) {
            (Some(frame), None) => match frame.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(frame) => frame,
                None => return wrong("frame", frame, "the index of a frame, a whole number from 0 on,"),
            },
            (None, Some(time)) => match time.as_f64().filter(|t| *t >= 0.0) {
                Some(time) => (time * fps).round() as usize,
                None => return wrong("time", time, "a number of seconds from 0 on"),
            },
            _ => return Err(Error::bad_input("either `frame` or `time` is needed")),
        };
        let boxes = list(entry, "boxes")?;
        if boxes.is_empty() {
            self.empty.push(frame);
        }
        for (i, corners) in boxes.iter().enumerate() {
            self.rows.push((frame, numbers(corners).at(format_args!("box {i}"))?));
        }
        Ok(())
    }

    fn key_frames(self, frames: usize, [width, height]: [usize; 2]) -> Result<Vec<KeyFrame>> {
        let (w, h) = (width as f32, height as f32);
        let scale = if self.normalized { [w, h] } else { [1.0; 2] };
        let mut keys: BTreeMap<usize, Vec<PersonBox>> = BTreeMap::new();
        for (frame, row) in &self.rows {
            let boxes = keys.entry(*frame).or_default();
            let place = format!("frame {frame}, box {}", boxes.len());
            check_frame(*frame, frames).at(&place)?;
            let (corners, score) = check(row).at(&place)?;
            let [x1, y1, x2, y2] = [0, 1, 2, 3].map(|i| corners[i] * scale[i % 2]);
            if x2 <= 0.0 || y2 <= 0.0 || x1 >= w || y1 >= h {
                let whole = match self.normalized {
                    true => "whose corners are 0 and 1: the file says \"normalized\": true".to_owned(),
                    false => format!("of {width}×{height}"),
                };
                return Err(Error::bad_input(format!("{row:?} lies outside the frame {whole}")).at(place));
            }
            let corners = [x1.max(0.0), y1.max(0.0), x2.min(w), y2.min(h)];
            boxes.push(PersonBox { corners, score });
        }
        for frame in self.empty {
            check_frame(frame, frames).at(format_args!("frame {frame}"))?;
            keys.entry(frame).or_default();
        }
        let is_tiny = |b: &PersonBox| b.corners.iter().all(|x| *x <= 1.0);
        if !self.rows.is_empty() && w.max(h) > 1.0 && keys.values().flatten().all(is_tiny) {
            return Err(Error::bad_input(
                "all boxes lie within the first pixel of the frame: if they go from 0 to 1, give them as JSON with \
                 \"normalized\": true beside \"frames\"",
            ));
        }
        Ok(keys.into_iter().map(|(frame, boxes)| KeyFrame { frame, boxes }).collect())
    }
}

fn check_frame(frame: usize, frames: usize) -> Result<()> {
    if frame < frames {
        return Ok(());
    }
    Err(Error::bad_input(format!("the video has frames 0 to {}", frames.saturating_sub(1))))
}

/// The corners and the score of a box that is one.
fn check(row: &[f32]) -> Result<([f32; 4], f32)> {
    let (corners, score) = match *row {
        [x1, y1, x2, y2] => ([x1, y1, x2, y2], 1.0),
        [x1, y1, x2, y2, score] => ([x1, y1, x2, y2], score),
        _ => {
            let text = format!("{} numbers: x1, y1, x2, y2 and perhaps a score are needed", row.len());
            return Err(Error::bad_input(text));
        }
    };
    if !row.iter().all(|x| x.is_finite()) {
        return Err(Error::bad_input(format!("{row:?} is not finite")));
    }
    let [x1, y1, x2, y2] = corners;
    if x2 <= x1 || y2 <= y1 {
        let text = format!("{row:?} is empty or reversed: x1 < x2 and y1 < y2 are needed");
        return Err(Error::bad_input(text));
    }
    Ok((corners, score))
}

/// An object that has no other keys.
fn object<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>> {
    let object = value
        .as_object()
        .ok_or_else(|| Error::bad_input(format!("{}, not an object; {SHAPE}", kind(value))))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(object),
        Some(key) => {
            let text = format!("`{key}` is not known here, where there may be {}; {SHAPE}", known.join(", "));
            Err(Error::bad_input(text))
        }
    }
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a Vec<Value>> {
    match object.get(key) {
        Some(Value::Array(list)) => Ok(list),
        Some(other) => Err(Error::bad_input(format!("`{key}` {}, not a list; {SHAPE}", kind(other)))),
        None => Err(Error::bad_input(format!("there is no `{key}`; {SHAPE}"))),
    }
}

/// A list of numbers.
fn numbers(value: &Value) -> Result<Vec<f32>> {
    let list = value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
    let list = list.ok_or_else(|| Error::bad_input(format!("{value} is no list of numbers; {SHAPE}")))?;
    Ok(list.into_iter().map(|x| x as f32).collect())
}

/// What a value is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "is nothing (null)",
        Value::Bool(_) => "is true or false",
        Value::Number(_) => "is a number",
        Value::String(_) => "is a text",
        Value::Array(_) => "is a list",
        Value::Object(_) => "is an object",
    }
}
