//! A long-term feature bank: the features of the persons of a whole video, second by second.

use std::collections::BTreeMap;
use std::path::Path;

use super::KeyFrame;
use crate::error::{At, Error, Result};
use crate::tensor::Tensor;
use crate::weights::{Checkpoint, save_safetensors};

/// Features of persons, by second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureBank {
    channels: usize,
    seconds: BTreeMap<i64, Vec<Vec<f32>>>,
}

/// The second that a frame belongs to: the nearest, for boxes are given near whole seconds or between them.
fn second(frame: usize, fps: f64) -> i64 {
    (frame as f64 / fps).round() as i64
}

impl FeatureBank {
    /// A bank without features, for those of so many channels.
    pub fn empty(channels: usize) -> FeatureBank {
        FeatureBank { channels, seconds: BTreeMap::new() }
    }

    /// The bank of key frames whose boxes have these features, a row each. Within a second the persons of whom the detector
    /// is surest come first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when features differ in length.
    pub fn new(keys: &[KeyFrame], features: &[Vec<Vec<f32>>], fps: f64) -> Result<FeatureBank> {
        let mut seen: BTreeMap<i64, Vec<(f32, &Vec<f32>)>> = BTreeMap::new();
        for (key, rows) in keys.iter().zip(features) {
            let scored = key.boxes.iter().map(|b| b.score).zip(rows);
            seen.entry(second(key.frame, fps)).or_default().extend(scored);
        }
        let mut bank = FeatureBank::default();
        for (second, mut persons) in seen {
            persons.sort_by(|a, b| b.0.total_cmp(&a.0));
            for (_, feature) in persons {
                bank.add(second, feature.clone())?;
            }
        }
        Ok(bank)
    }

    fn add(&mut self, second: i64, feature: Vec<f32>) -> Result<()> {
        let (held, new) = (self.channels, feature.len());
        if held != 0 && held != new {
            return Err(Error::bad_input(format!("features of {held} and of {new} channels in one bank")));
        }
        self.channels = new;
        self.seconds.entry(second).or_default().push(feature);
        Ok(())
    }

    /// Channels of a feature; 0 for a bank without any.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many features it holds.
    pub fn len(&self) -> usize {
        self.seconds.values().map(Vec::len).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// What a clip around a frame sees: `[1, seconds · persons, C]`, up to `persons` features of each of `seconds` seconds,
    /// half of them before, zeros where there are fewer.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn around(&self, frame: usize, fps: f64, seconds: usize, persons: usize) -> Result<Tensor> {
        let first = second(frame, fps) - (seconds / 2) as i64;
        let mut values = vec![0.0; seconds * persons * self.channels];
        for (at, features) in self.seconds.range(first..first + seconds as i64) {
            let place = (at - first) as usize * persons;
            for (i, feature) in features.iter().take(persons).enumerate() {
                values[(place + i) * self.channels..][..self.channels].copy_from_slice(feature);
            }
        }
        Tensor::new(&[1, seconds * persons, self.channels], values)
    }

    /// Writes it as safetensors: `features` `[n, C]`, and the `seconds` `[n]` to which they belong.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let rows: Vec<f32> = self.seconds.values().flatten().flatten().copied().collect();
        let seconds = self.seconds.iter().flat_map(|(s, f)| f.iter().map(|_| *s as i32));
        let seconds: Vec<i32> = seconds.collect();
        let tensors = [
            ("features".to_owned(), Tensor::new(&[self.len(), self.channels], rows)?),
            ("seconds".to_owned(), Tensor::new(&[self.len()], seconds)?),
        ];
        save_safetensors(path, &tensors)
    }

    /// Reads what [`FeatureBank::save`] wrote.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file is none of these.
    pub fn read(path: &Path) -> Result<FeatureBank> {
        let file = Checkpoint::open(path)?;
        let tensor = |name: &str| match file.entry(name) {
            Some(_) => file.tensor(name),
            None => Err(Error::bad_input(format!("no feature bank: there is no tensor `{name}`"))),
        };
        let read = || {
            let (features, seconds) = (tensor("features")?.to_f32(), tensor("seconds")?);
            let [rows, channels] = features.shape().dims("the features", "[n, C]")?;
            let seconds = seconds.i32s()?;
            if seconds.len() != rows || channels == 0 {
                let text = format!("{} seconds for {rows} features of {channels} channels", seconds.len());
                return Err(Error::bad_input(text));
            }
            let mut bank = FeatureBank::default();
            for (second, row) in seconds.iter().zip(features.f32s()?.chunks_exact(channels)) {
                bank.add(i64::from(*second), row.to_vec())?;
            }
            Ok(bank)
        };
        read().at(path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::super::PersonBox;
    use super::*;

    fn key(frame: usize, scores: &[f32]) -> KeyFrame {
        let person = |&score: &f32| PersonBox { corners: [0.0, 0.0, 1.0, 1.0], score };
        KeyFrame { frame, boxes: scores.iter().map(person).collect() }
    }

    #[test]
    fn a_window_has_the_surest_persons_of_each_second() {
        // Frames 9 and 11 belong to one second, 20 to the next, 40 lies beyond the window.
        let keys = [key(9, &[0.5, 0.9]), key(11, &[0.7]), key(20, &[1.0]), key(40, &[1.0])];
        let features = [vec![vec![1.0], vec![2.0]], vec![vec![3.0]], vec![vec![4.0]], vec![vec![5.0]]];
        let bank = FeatureBank::new(&keys, &features, 10.0).unwrap();
        let around = |frame, seconds, persons| {
            let window = bank.around(frame, 10.0, seconds, persons).unwrap();
            assert_eq!(window.shape().to_vec(), [1, seconds * persons, 1]);
            window.f32s().unwrap().to_vec()
        };
        assert_eq!(around(10, 4, 2), [0.0, 0.0, 0.0, 0.0, 2.0, 3.0, 4.0, 0.0]);
        assert_eq!(around(30, 2, 3), [4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(around(30, 4, 1), [2.0, 4.0, 0.0, 5.0]);
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.safetensors");
        let keys = [key(0, &[1.0, 1.0]), key(30, &[1.0])];
        let features = [vec![vec![1.0, 2.0], vec![3.0, 4.0]], vec![vec![5.0, 6.0]]];
        let bank = FeatureBank::new(&keys, &features, 10.0).unwrap();
        assert_eq!((bank.len(), bank.channels(), bank.is_empty()), (3, 2, false));
        bank.save(&path).unwrap();
        assert_eq!(FeatureBank::read(&path).unwrap(), bank);
        save_safetensors(&path, &[("weight", Tensor::new(&[1], vec![1.0f32]).unwrap())]).unwrap();
        let e = FeatureBank::read(&path).unwrap_err().to_string();
        assert!(e.contains("bank.safetensors") && e.contains("no tensor `features`"), "{e}");
        let odd = [vec![vec![1.0]], vec![vec![1.0, 2.0]]];
        let e = FeatureBank::new(&[key(0, &[1.0]), key(9, &[1.0])], &odd, 10.0).unwrap_err();
        assert!(e.to_string().contains("of 1 and of 2 channels"), "{e}");
    }
}
