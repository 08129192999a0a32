//! Weights of two-dimensional convolutions become those of three-dimensional ones.

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How the taps of a window of frames share the weights of one frame. Either way a convolution gives for a video that stands
/// still what it gave for the frame, except that [`Inflation::Repeat`] loses the taps that lie in the padding before the first
/// and after the last frame. A whole network does so where its other layers are those of the network on single frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inflation {
    /// All alike: each has the weights divided by the number of taps (I3D: Carreira and Zisserman 2017,
    /// arXiv:1705.07750).
    #[default]
    Repeat,
    /// The middle one has the weights, of an even number the later one; the others are zero (TimeCycle: Wang, Jabri, Efros
    /// 2019, arXiv:1903.07593).
    Centre,
}

impl Inflation {
    /// A weight `[Cout, Cin, kH, kW]` for windows of `frames` frames: `[Cout, Cin, frames, kH, kW]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the weight has other axes or no floats, or there are no frames.
    pub fn inflate(self, weight: &Tensor, frames: usize) -> Result<Tensor> {
        let [cout, cin, kh, kw] = weight.shape().dims("a weight to inflate", "[Cout, Cin, kH, kW]")?;
        if frames == 0 {
            return Err(Error::bad_input("a window of no frames"));
        }
        let places = kh * kw;
        let mut inflated = Vec::with_capacity(weight.shape().elements() * frames);
        for filter in weight.f32s()?.chunks_exact(places) {
            for t in 0..frames {
                inflated.extend(filter.iter().map(|&x| match self {
                    Inflation::Repeat => x / frames as f32,
                    Inflation::Centre if t == frames / 2 => x,
                    Inflation::Centre => 0.0,
                }));
            }
        }
        Tensor::new(&[cout, cin, frames, kh, kw], inflated)
    }

    /// A weight of one frame as one of `shape`, over time if that is `[Cout, Cin, frames, kH, kW]`; `None` when it has other
    /// axes. Axes of length 1 may differ.
    ///
    /// # Errors
    /// Those of [`Inflation::inflate`].
    pub(crate) fn fit(self, weight: &Tensor, shape: &Shape) -> Result<Option<Tensor>> {
        let long = |shape: &[usize]| shape.iter().copied().filter(|&d| d != 1).collect::<Vec<usize>>();
        Ok(match (&shape[..], &weight.shape()[..]) {
            (&[cout, cin, frames, kh, kw], &[a, b, c, d]) if [a, b, c, d] == [cout, cin, kh, kw] => {
                Some(self.inflate(weight, frames)?)
            }
            (wanted, found) if long(wanted) == long(found) => Some(weight.reshape(wanted)?),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_share_a_filter() {
        let weight = Tensor::from_fn(&[2, 1, 1, 2], |i| (i * 6) as f32).unwrap();
        let repeated = Inflation::Repeat.inflate(&weight, 3).unwrap();
        assert_eq!(repeated.shape()[..], [2, 1, 3, 1, 2]);
        assert_eq!(repeated.f32s().unwrap(), [0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0]);
        let centred = Inflation::Centre.inflate(&weight, 3).unwrap();
        assert_eq!(centred.f32s().unwrap(), [0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 0.0, 12.0, 18.0, 0.0, 0.0]);
        let even = Inflation::Centre.inflate(&weight, 2).unwrap();
        assert_eq!(even.f32s().unwrap(), [0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 12.0, 18.0]);
    }

    #[test]
    fn other_weights_are_errors() {
        let vector = Tensor::from_fn(&[4], |_| 1.0).unwrap();
        assert!(
            Inflation::Repeat.inflate(&vector, 3).unwrap_err().to_string().contains("[Cout, Cin, kH, kW]")
        );
        assert!(Inflation::Repeat.inflate(&Tensor::from_fn(&[1; 4], |_| 1.0).unwrap(), 0).is_err());
    }
}
