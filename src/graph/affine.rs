//! A factor and a summand a channel, as a batch normalisation comes to once its statistics are constants.

use crate::tensor::Tensor;

/// `scale·y + shift`, with a number of each for every channel, the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelAffine {
    /// The factors.
    pub scale: Vec<f64>,
    /// The summands.
    pub shift: Vec<f64>,
}

impl ChannelAffine {
    /// What weight and bias must become so that `x·weight + bias`, of whatever product, gives `scale·y + shift`: for an
    /// operator's inputs `[x, weight, bias]`, known where they are constants and the bias left out where there is none.
    /// `channel` is the output channel that an element of the weight serves. `None` when weight or bias are no
    /// constants, or there is no finite answer.
    pub fn after_product(
        &self,
        inputs: &[Option<&Tensor>],
        channel: impl Fn(usize) -> usize,
    ) -> Option<Vec<Tensor>> {
        let [_, Some(weight), bias @ ..] = inputs else { return None };
        let bias = match bias {
            [] => vec![0.0; self.scale.len()],
            [Some(bias)] => bias.f32s().ok()?.iter().map(|&b| f64::from(b)).collect(),
            _ => return None,
        };
        let scaled = |(i, &w): (usize, &f32)| (f64::from(w) * self.scale[channel(i)]) as f32;
        let weights: Vec<f32> = weight.f32s().ok()?.iter().enumerate().map(scaled).collect();
        let moved = bias.iter().zip(&self.scale).zip(&self.shift).map(|((b, k), s)| (b * k + s) as f32);
        let moved: Vec<f32> = moved.collect();
        if !weights.iter().chain(&moved).all(|x| x.is_finite()) {
            return None;
        }
        Some(vec![Tensor::new(weight.shape(), weights).ok()?, Tensor::new(&[moved.len()], moved).ok()?])
    }

    /// What weight and bias must become so that `x·weight + bias` gives what it gave of `scale·x + shift`, for a weight
    /// `[In, Out]` and inputs as [`ChannelAffine::after_product`] has them. A bias comes to be where there is something
    /// to shift. `None` under the same conditions.
    pub fn before_product(&self, inputs: &[Option<&Tensor>]) -> Option<Vec<Tensor>> {
        let [_, Some(weight), bias @ ..] = inputs else { return None };
        let columns = *weight.shape().last()?;
        let (rows, mut sums) = (weight.f32s().ok()?.chunks(columns), vec![0.0; columns]);
        let has_bias = match bias {
            [] => self.shift.iter().any(|s| *s != 0.0),
            [Some(bias)] => {
                sums = bias.f32s().ok()?.iter().map(|&b| f64::from(b)).collect();
                true
            }
            _ => return None,
        };
        let mut weights = Vec::with_capacity(weight.shape().elements());
        for ((row, scale), shift) in rows.zip(&self.scale).zip(&self.shift) {
            for (sum, &w) in sums.iter_mut().zip(row) {
                *sum += shift * f64::from(w);
                weights.push((scale * f64::from(w)) as f32);
            }
        }
        let moved: Vec<f32> = sums.into_iter().map(|s| s as f32).collect();
        if !weights.iter().chain(&moved).all(|x| x.is_finite()) {
            return None;
        }
        let mut constants = vec![Tensor::new(weight.shape(), weights).ok()?];
        if has_bias {
            constants.push(Tensor::new(&[columns], moved).ok()?);
        }
        Some(constants)
    }
}

/// What brings a row, the elements along the last axis, to a variance or a mean square of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowNorm {
    /// Whether the mean is subtracted: `(x − mean) / √(variance + eps)`, else `x / √(mean(x²) + eps)`.
    pub centred: bool,
    /// What keeps the quotient finite.
    pub eps: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_and_bias_are_scaled_and_moved() {
        let affine = ChannelAffine { scale: vec![2.0, -1.0], shift: vec![10.0, 20.0] };
        let weight = Tensor::new(&[2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
        let bias = Tensor::new(&[2], vec![5.0f32, 6.0]).unwrap();
        let new = affine.after_product(&[None, Some(&weight), Some(&bias)], |i| i % 2).unwrap();
        assert_eq!(new[0].f32s().unwrap(), [2.0, -2.0, 6.0, -4.0]);
        assert_eq!(new[1].f32s().unwrap(), [20.0, 14.0]);
        let new = affine.after_product(&[None, Some(&weight)], |i| i / 2).unwrap();
        assert_eq!(new[0].f32s().unwrap(), [2.0, 4.0, -3.0, -4.0]);
        assert_eq!(new[1].f32s().unwrap(), [10.0, 20.0]);
    }

    #[test]
    fn factors_of_rows_and_what_they_shift() {
        let affine = |shift| ChannelAffine { scale: vec![2.0, -1.0], shift };
        let weight = Tensor::new(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let bias = Tensor::new(&[3], vec![0.5f32, 0.0, -0.5]).unwrap();
        let new = affine(vec![10.0, 1.0]).before_product(&[None, Some(&weight), Some(&bias)]).unwrap();
        assert_eq!(new[0].f32s().unwrap(), [2.0, 4.0, 6.0, -4.0, -5.0, -6.0]);
        assert_eq!(new[1].f32s().unwrap(), [14.5, 25.0, 35.5]);
        let new = affine(vec![10.0, 1.0]).before_product(&[None, Some(&weight)]).unwrap();
        assert_eq!(new[1].f32s().unwrap(), [14.0, 25.0, 36.0]);
        assert_eq!(affine(vec![0.0; 2]).before_product(&[None, Some(&weight)]).unwrap().len(), 1);
        assert!(affine(vec![0.0; 2]).before_product(&[None, None]).is_none());
        assert!(affine(vec![0.0; 2]).before_product(&[None, Some(&weight), None]).is_none());
        assert!(affine(vec![f64::INFINITY, 0.0]).before_product(&[None, Some(&weight)]).is_none());
    }

    #[test]
    fn what_is_no_constant_or_not_finite_stays() {
        let affine = ChannelAffine { scale: vec![2.0], shift: vec![f64::INFINITY] };
        let weight = Tensor::new(&[1, 1], vec![1.0f32]).unwrap();
        assert!(affine.after_product(&[None, Some(&weight)], |_| 0).is_none());
        let affine = ChannelAffine { scale: vec![2.0], shift: vec![1.0] };
        assert!(affine.after_product(&[None, Some(&weight)], |_| 0).is_some());
        assert!(affine.after_product(&[None, None], |_| 0).is_none());
        assert!(affine.after_product(&[None, Some(&weight), None], |_| 0).is_none());
    }
}
