//! What a network says of a video, averaged over its views.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::graph::Plan;
use crate::models::Average;
use crate::tensor::Tensor;

/// A row of features, and of logits where the network has a classifier, for each view of a video.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// `[views, C]`.
    pub features: Vec<Vec<f32>>,
    /// `[views, classes]`; empty without a classifier.
    pub logits: Vec<Vec<f32>>,
    average: Average,
}

/// How the logits of a video's segments become those of the video: the consensus functions of temporal segment networks that
/// need no training (Wang et al., "Temporal Segment Networks for Action Recognition in Videos", arXiv:1705.02953).
#[derive(Debug, Clone, PartialEq)]
pub enum Consensus {
    /// Their mean.
    Mean,
    /// The largest of each class.
    Max,
    /// The mean of the so many largest of each class.
    Top(usize),
    /// The mean by the weight of each segment.
    Weighted(Vec<f64>),
}

impl FromStr for Consensus {
    type Err = Error;

    /// `mean`, `max`, `top:K` or `weighted:A,B,…`.
    fn from_str(text: &str) -> Result<Consensus> {
        let wrong = || {
            Error::usage(format!(
                "consensus {text:?}: mean, max, top:K of a number of segments, or weighted:A,B,… of a weight for each"
            ))
        };
        match text.split_once(':') {
            None if text == "mean" => Ok(Consensus::Mean),
            None if text == "max" => Ok(Consensus::Max),
            Some(("top", k)) => k.parse().ok().filter(|k| *k > 0).map(Consensus::Top).ok_or_else(wrong),
            Some(("weighted", list)) => {
                let weights: Vec<f64> =
                    list.split(',').map(|w| w.trim().parse().map_err(|_| wrong())).collect::<Result<_>>()?;
                let whole: f64 = weights.iter().sum();
                let usable = weights.iter().all(|w| *w >= 0.0) && whole > 0.0 && whole.is_finite();
                usable.then_some(Consensus::Weighted(weights)).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl Answer {
    /// An answer without views, which will be averaged so.
    pub fn new(average: Average) -> Answer {
        Answer { average, ..Answer::default() }
    }

    /// Runs the network on one of [`Views`](super::Views).
    ///
    /// # Errors
    /// What running gives.
    pub fn add(&mut self, plan: &Plan, view: &[(&'static str, Tensor)]) -> Result<()> {
        let outputs = plan.run(view)?;
        let features =
            outputs.get("features").ok_or_else(|| Error::internal("a network without features"))?;
        self.features.push(features.f32s()?.to_vec());
        if let Some(logits) = outputs.get("logits") {
            self.logits.push(logits.f32s()?.to_vec());
        }
        Ok(())
    }

    /// What this network's publisher averages.
    pub fn average(&self) -> Average {
        self.average
    }

    /// `logits` or, without a classifier, `features`, a row each view.
    pub fn rows(&self) -> (&'static str, &[Vec<f32>]) {
        if self.logits.is_empty() { ("features", &self.features) } else { ("logits", &self.logits) }
    }

    /// The mean of the logits.
    pub fn mean_logits(&self) -> Vec<f64> {
        mean(self.logits.iter().map(|row| row.iter().map(|&x| f64::from(x)).collect()))
    }

    /// The logits of the video by a consensus of its views.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when there are fewer views than `top:K` takes, or not as many as weights.
    pub fn consensus(&self, consensus: &Consensus) -> Result<Vec<f64>> {
        let views = self.logits.len();
        let column = |class: usize| self.logits.iter().map(move |row| f64::from(row[class]));
        let classes = 0..self.logits.first().map_or(0, Vec::len);
        let fits = match consensus {
            Consensus::Top(k) => *k <= views,
            Consensus::Weighted(weights) => weights.len() == views,
            _ => true,
        };
        if !fits {
            return Err(Error::usage(format!("consensus {consensus:?}: there are {views} views")));
        }
        Ok(match consensus {
            Consensus::Mean => self.mean_logits(),
            Consensus::Max => classes.map(|c| column(c).fold(f64::NEG_INFINITY, f64::max)).collect(),
            Consensus::Top(k) => classes
                .map(|c| {
                    let mut all: Vec<f64> = column(c).collect();
                    all.sort_by(|a, b| b.total_cmp(a));
                    all[..*k].iter().sum::<f64>() / *k as f64
                })
                .collect(),
            Consensus::Weighted(weights) => {
                let whole: f64 = weights.iter().sum();
                classes.map(|c| column(c).zip(weights).map(|(x, w)| x * w / whole).sum()).collect()
            }
        })
    }

    /// The probabilities of the classes, averaged as this network's publisher does: the softmax of each view, then the mean;
    /// or the softmax of [`Answer::mean_logits`].
    pub fn probabilities(&self) -> Vec<f64> {
        match self.average {
            Average::Logits => softmax(&self.mean_logits()),
            Average::Probabilities => mean(self.logits.iter().map(|row| softmax(row))),
        }
    }
}

fn mean(rows: impl ExactSizeIterator<Item = Vec<f64>>) -> Vec<f64> {
    let count = rows.len() as f64;
    let sum = rows.reduce(|sum, row| sum.iter().zip(row).map(|(s, x)| s + x).collect());
    sum.unwrap_or_default().into_iter().map(|x| x / count).collect()
}

/// `e^x` over its sum.
pub fn softmax<T: Copy + Into<f64>>(logits: &[T]) -> Vec<f64> {
    let largest = logits.iter().map(|x| (*x).into()).fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| ((*x).into() - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consensus_of_segments() {
        let logits = vec![vec![1.0, 5.0], vec![3.0, -1.0], vec![2.0, 2.0]];
        let answer = Answer { logits, ..Answer::new(Average::Logits) };
        let by = |text: &str| answer.consensus(&text.parse().unwrap());
        assert_eq!(by("mean").unwrap(), [2.0, 2.0]);
        assert_eq!(by("max").unwrap(), [3.0, 5.0]);
        assert_eq!(by("top:2").unwrap(), [2.5, 3.5]);
        assert_eq!(by("top:3").unwrap(), by("mean").unwrap());
        assert_eq!(by("weighted:0,3,1").unwrap(), [2.75, -0.25]);
        assert!(by("top:4").unwrap_err().to_string().contains("3 views"));
        assert!(by("weighted:1,1").is_err());
        for wrong in
            ["", "median", "top:0", "top:x", "weighted:", "weighted:0,0", "weighted:1,-1", "weighted:nan"]
        {
            assert!(wrong.parse::<Consensus>().is_err(), "{wrong}");
        }
    }

    /// Of one confident view and one that leans the other way, the two averages disagree.
    #[test]
    fn probabilities_and_logits() {
        let logits = vec![vec![8.0, 0.0, 0.0], vec![0.0, 2.0, 2.0]];
        let answer = |average| Answer { logits: logits.clone(), ..Answer::new(average) };
        let p = answer(Average::Probabilities).probabilities();
        let [a, b] = [8f64.exp() / (8f64.exp() + 2.0), 1.0 / (1.0 + 2.0 * 2f64.exp())];
        approx::assert_relative_eq!(p[0], (a + b) / 2.0, max_relative = 1e-12);
        let p = answer(Average::Logits).probabilities();
        approx::assert_relative_eq!(p[0], 4f64.exp() / (4f64.exp() + 2.0 * 1f64.exp()), max_relative = 1e-12);
        assert_eq!(answer(Average::Logits).mean_logits(), [4.0, 1.0, 1.0]);
        assert!(Answer::new(Average::Logits).probabilities().is_empty());
        assert_eq!(answer(Average::Logits).rows().0, "logits");
    }
}
