//! What a Hugging Face folder says beside its weights: the model's measures, the classes, the preprocessing.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{At, Error, Result};

/// The files of a folder that are not weights; empty where there are none.
#[derive(Debug, Clone, Default)]
pub struct Config {
    model: Map<String, Value>,
    preprocessor: Map<String, Value>,
}

/// The preprocessing that a folder asks for, as far as it says. Lengths are in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Preprocessing {
    /// The length of the shorter edge before the crop.
    pub short_edge: Option<usize>,
    /// Height and width before the crop, whatever the shape of the picture.
    pub exact: Option<[usize; 2]>,
    /// Height and width of the crop from the centre.
    pub crop: Option<[usize; 2]>,
    /// Whether the filter is a cubic one rather than a linear one; both are antialiased.
    pub cubic: Option<bool>,
    /// What levels from 0 to 255 are divided by.
    pub divisor: Option<f32>,
    /// Subtracted after the division, by channel.
    pub mean: Option<[f32; 3]>,
    /// Divided by at the end, by channel.
    pub std: Option<[f32; 3]>,
}

/// The names that the preprocessing has, in the order looked for: of pictures, and of videos in newer folders.
const PREPROCESSORS: [&str; 2] = ["preprocessor_config.json", "video_preprocessor_config.json"];

/// Pillow's number of the cubic filter.
const BICUBIC: u64 = 3;

impl Config {
    /// Reads `config.json` and `preprocessor_config.json` of a folder, each if it is there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when one cannot be read or is no JSON object.
    pub(super) fn beside(folder: &Path) -> Result<Config> {
        let model = read(&folder.join("config.json"))?.unwrap_or_default();
        let mut preprocessor = None;
        for name in PREPROCESSORS {
            preprocessor = preprocessor.or(read(&folder.join(name))?);
        }
        Ok(Config { model, preprocessor: preprocessor.unwrap_or_default() })
    }

    /// What `config.json` says under a name.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.model.get(key)
    }

    /// The names of so many classes: `id2label`, if it names each of them.
    pub fn labels(&self, classes: usize) -> Option<Vec<String>> {
        let names = self.get("id2label")?.as_object()?;
        let name = |i: usize| names.get(&i.to_string())?.as_str().map(str::to_owned);
        (names.len() == classes).then(|| (0..classes).map(name).collect()).flatten()
    }

    /// The preprocessing, if the folder says anything of it.
    ///
    /// ViViT's `offset` moves levels, once scaled, by −1, before the mean is subtracted.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a size, mean or deviation that makes no sense.
    pub fn preprocessing(&self) -> Result<Option<Preprocessing>> {
        let p = &self.preprocessor;
        if p.is_empty() {
            return Ok(None);
        }
        let does = |step: &str| p.get(step).and_then(Value::as_bool).unwrap_or(true);
        let mut found = Preprocessing::default();
        if let Some(size) = p.get("size").filter(|_| does("do_resize")) {
            match size.get("shortest_edge").or(size.is_number().then_some(size)) {
                Some(edge) => found.short_edge = Some(length("size", edge)?),
                None => found.exact = Some(pair("size", size)?),
            }
        }
        if let Some(size) = p.get("crop_size").filter(|_| does("do_center_crop")) {
            found.crop = Some(pair("crop_size", size)?);
        }
        found.cubic = p.get("resample").and_then(Value::as_u64).map(|filter| filter == BICUBIC);
        let mut offset = 0.0;
        if does("do_rescale") {
            let factor = p.get("rescale_factor").map(|f| number("rescale_factor", f)).transpose()?;
            found.divisor = factor.map(|f| (1.0 / f) as f32);
            offset = if p.get("offset").and_then(Value::as_bool) == Some(true) { 1.0 } else { 0.0 };
        }
        let normalise = does("do_normalize");
        let channels = |name: &str| p.get(name).filter(|_| normalise).map(|v| triple(name, v)).transpose();
        found.mean = channels("image_mean")?.or((!normalise || offset != 0.0).then_some([0.0; 3]));
        found.mean = found.mean.map(|mean| mean.map(|m| m + offset));
        found.std = channels("image_std")?.or((!normalise).then_some([1.0; 3]));
        if found.std.is_some_and(|std| std.contains(&0.0)) {
            return Err(wrong("image_std", "no channel may be divided by 0"));
        }
        Ok(Some(found))
    }
}

fn read(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(path).at(path.display())?;
    let object = serde_json::from_slice(&bytes);
    object.map(Some).map_err(|e| Error::bad_input(format!("is no JSON object: {e}"))).at(path.display())
}

fn wrong(key: &str, text: &str) -> Error {
    Error::bad_input(format!("`{key}`: {text}")).at("the preprocessing beside the weights")
}

fn length(key: &str, v: &Value) -> Result<usize> {
    let n = v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=1 << 16).contains(n));
    n.ok_or_else(|| wrong(key, &format!("{v} is no length in pixels")))
}

/// Height and width: an object, or one number for both.
fn pair(key: &str, v: &Value) -> Result<[usize; 2]> {
    let side = |name: &str| length(key, v.get(name).unwrap_or(v));
    Ok([side("height")?, side("width")?])
}

fn number(key: &str, v: &Value) -> Result<f64> {
    let n = v.as_f64().filter(|n| n.is_finite() && *n != 0.0);
    n.ok_or_else(|| wrong(key, &format!("{v} is no number other than 0")))
}

/// A number for each channel, or one for all.
fn triple(key: &str, v: &Value) -> Result<[f32; 3]> {
    let list: Option<Vec<f64>> = match v {
        Value::Array(all) => all.iter().map(Value::as_f64).collect(),
        one => one.as_f64().map(|n| vec![n; 3]),
    };
    match list.as_deref() {
        Some(&[r, g, b]) => Ok([r as f32, g as f32, b as f32]),
        _ => Err(wrong(key, &format!("{v} is not three numbers"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str, preprocessor: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), model).unwrap();
        fs::write(dir.path().join("preprocessor_config.json"), preprocessor).unwrap();
        Config::beside(dir.path())
    }

    #[test]
    fn labels_are_those_of_every_class() {
        let c = of(r#"{"id2label": {"1": "b", "0": "a"}, "hidden_size": 8}"#, "{}").unwrap();
        assert_eq!(c.labels(2).unwrap(), ["a", "b"]);
        assert_eq!(c.labels(3), None);
        assert_eq!(c.get("hidden_size").and_then(Value::as_u64), Some(8));
        assert_eq!(c.preprocessing().unwrap(), None);
        assert_eq!(of(r#"{"id2label": {"1": "b", "2": "a"}}"#, "{}").unwrap().labels(2), None);
    }

    #[test]
    fn preprocessing_of_published_folders() {
        let videomae = r#"{"crop_size": {"height": 224, "width": 200}, "do_center_crop": true, "do_normalize": true,
            "image_mean": [0.4, 0.5, 0.6], "image_std": [0.1, 0.2, 0.3], "resample": 2,
            "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}}"#;
        let p = of("{}", videomae).unwrap().preprocessing().unwrap().unwrap();
        let want = Preprocessing {
            short_edge: Some(256),
            exact: None,
            crop: Some([224, 200]),
            cubic: Some(false),
            divisor: Some(255.0),
            mean: Some([0.4, 0.5, 0.6]),
            std: Some([0.1, 0.2, 0.3]),
        };
        assert_eq!(p, want);
        let vivit = r#"{"size": {"height": 7, "width": 9}, "crop_size": 5, "offset": true, "do_normalize": false,
            "rescale_factor": 0.00784313725490196, "resample": 3}"#;
        let p = of("{}", vivit).unwrap().preprocessing().unwrap().unwrap();
        assert_eq!((p.exact, p.crop, p.cubic), (Some([7, 9]), Some([5, 5]), Some(true)));
        assert_eq!((p.divisor, p.mean, p.std), (Some(127.5), Some([1.0; 3]), Some([1.0; 3])));
        let old = of("{}", r#"{"size": 224, "do_center_crop": false, "crop_size": 5}"#).unwrap();
        let p = old.preprocessing().unwrap().unwrap();
        assert_eq!((p.short_edge, p.crop), (Some(224), None));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for (text, part) in [
            (r#"{"size": {"shortest_edge": -1}}"#, "`size`: -1 is no length"),
            (r#"{"crop_size": {"height": 3}}"#, "`crop_size`"),
            (r#"{"image_mean": [1, 2]}"#, "`image_mean`: [1,2] is not three numbers"),
            (r#"{"image_std": 0}"#, "divided by 0"),
            (r#"{"rescale_factor": 0}"#, "`rescale_factor`: 0"),
        ] {
            let e = of("{}", text).unwrap().preprocessing().unwrap_err().to_string();
            assert!(e.contains(part), "{e}");
        }
        let e = of("[1]", "{}").unwrap_err().to_string();
        assert!(e.contains("config.json: is no JSON object"), "{e}");
    }
}
