//! What a network says of a video, averaged over its views.

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
