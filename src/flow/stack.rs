//! Flow as the input of networks: encoded, and stacked into channels or frames.

use super::components;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How pixels of motion become the numbers that a network is trained with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Encoding {
    /// Levels of 8 bits, as where flow is kept in pictures: 255 above `bound`, 0 below `-bound`, otherwise
    /// `255 (v + bound) / (2 bound)` rounded, halves to the even level. What does not move lies at 127.5 and becomes 128.
    ///
    /// It is the macro `CAST` of yjxiong/dense_flow (src/common.cpp), which open-mmlab/denseflow and
    /// feichtenhofer/gpu_flow have too. All of them then write JPEG, whose losses are not imitated here.
    Levels {
        /// Pixels that the lowest and the highest level stand for.
        bound: f32,
    },
    /// Clipped to `bound` and divided by it: −1 to 1, and 0 for what does not move (deepmind/kinetics-i3d, README).
    Scaled {
        /// Pixels that −1 and 1 stand for.
        bound: f32,
    },
}

impl Encoding {
    /// Encodes a flow `[H, W, 2]`: floats of the same shape, whole numbers from 0 to 255 for levels. NaN is encoded
    /// as where C++ converts it: level 0; scaled it stays NaN.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the tensor is no flow or the bound is not positive.
    pub fn apply(self, flow: &Tensor) -> Result<Tensor> {
        let ([h, w], values) = components(flow)?;
        let (Encoding::Levels { bound } | Encoding::Scaled { bound }) = self;
        if !(bound.is_finite() && bound > 0.0) {
            return Err(Error::bad_input(format!("flow within {bound} pixels; the bound must be positive")));
        }
        let encoded: Vec<f32> = match self {
            Encoding::Levels { bound } => values.iter().map(|v| f32::from(level(*v, bound))).collect(),
            Encoding::Scaled { bound } => values.iter().map(|v| v.clamp(-bound, bound) / bound).collect(),
        };
        Tensor::new(&[h, w, 2], encoded)
    }
}

/// The level of a component, computed in f64 as dense_flow does.
fn level(v: f32, bound: f32) -> u8 {
    let (v, low, high) = (f64::from(v), -f64::from(bound), f64::from(bound));
    if v > high {
        255
    } else if v < low {
        0
    } else {
        (255.0 * (v - low) / (high - low)).round_ties_even() as u8
    }
}

/// Where the components of several flows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Channels x₁ y₁ x₂ y₂ …, as in the paper (Simonyan and Zisserman, Two-Stream Convolutional Networks for Action
    /// Recognition in Videos, 2014, equation 1), yjxiong/temporal-segment-networks (tools/eval_net.py),
    /// bryanyzhu/two-stream-pytorch (datasets/ucf101.py) and MMAction2 (`FormatShape`, `NCHW_Flow`).
    Interleaved,
    /// Channels x₂ y₂ … x_L y_L x₁ y₁: jeffreyyihuang/two-stream-action-recognition (dataloader/motion_dataloader.py)
    /// writes flow `j` to the channels `2(j - 1)` and `2(j - 1) + 1`, which for the first flow count from the end.
    Rotated,
    /// No channels but frames: `[L, H, W, 2]`, for networks that convolve over time (I3D).
    Frames,
}

/// Stacks flows `[H, W, 2]` of one size, as they are: `[H, W, 2L]`, or `[L, H, W, 2]` for [`Order::Frames`].
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when there is no flow or the sizes differ.
pub fn stack(flows: &[&Tensor], order: Order) -> Result<Tensor> {
    let first = flows.first().ok_or_else(|| Error::bad_input("a stack of no flows"))?;
    let (size, _) = components(first)?;
    let mut planes = Vec::with_capacity(flows.len());
    for (i, flow) in flows.iter().enumerate() {
        let (other, values) = components(flow)?;
        if other != size {
            return Err(Error::bad_input(format!(
                "flow {i} of a stack is {}x{}, the first one {}x{}",
                other[1], other[0], size[1], size[0]
            )));
        }
        planes.push(values);
    }
    let [h, w] = size;
    match order {
        Order::Interleaved => {}
        Order::Rotated => planes.rotate_left(1),
        Order::Frames => return Tensor::new(&[flows.len(), h, w, 2], planes.concat()),
    }
    let pixels = (0..h * w).flat_map(|i| planes.iter().flat_map(move |p| [p[2 * i], p[2 * i + 1]]));
    Tensor::new(&[h, w, 2 * flows.len()], pixels.collect::<Vec<f32>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Tensor {
        Tensor::new(&[1, values.len() / 2, 2], values.to_vec()).unwrap()
    }

    #[test]
    fn levels_round_halves_to_even() {
        let levels = |bound, v: &[f32]| Encoding::Levels { bound }.apply(&row(v)).unwrap();
        // 25.5, 76.5, 127.5, 178.5 and 229.5.
        let halves = levels(20.0, &[-16.0, -8.0, 0.0, -0.0, 8.0, 16.0]);
        assert_eq!(halves.f32s().unwrap(), [26.0, 76.0, 128.0, 128.0, 178.0, 230.0]);
        let ends = levels(15.0, &[-15.0, 15.0, -15.001, 15.001, f32::NEG_INFINITY, f32::NAN]);
        assert_eq!(ends.f32s().unwrap(), [0.0, 255.0, 0.0, 255.0, 0.0, 0.0]);
        assert!(Encoding::Levels { bound: 0.0 }.apply(&row(&[0.0, 0.0])).is_err());
        assert!(Encoding::Scaled { bound: f32::NAN }.apply(&row(&[0.0, 0.0])).is_err());
        let scaled = Encoding::Scaled { bound: 20.0 }.apply(&row(&[-30.0, 5.0, 0.0, 20.0])).unwrap();
        assert_eq!(scaled.f32s().unwrap(), [-1.0, 0.25, 0.0, 1.0]);
    }

    #[test]
    fn stacks_by_hand() {
        let flows = [row(&[1.0, -1.0, 10.0, -10.0]), row(&[2.0, -2.0, 20.0, -20.0]), row(&[3.0; 4])];
        let flows: Vec<&Tensor> = flows.iter().collect();
        let of = |order| stack(&flows, order).unwrap();
        let interleaved = of(Order::Interleaved);
        assert_eq!(interleaved.shape()[..], [1, 2, 6]);
        let wanted = [1.0, -1.0, 2.0, -2.0, 3.0, 3.0, 10.0, -10.0, 20.0, -20.0, 3.0, 3.0];
        assert_eq!(interleaved.f32s().unwrap(), wanted);
        assert_eq!(of(Order::Rotated).f32s().unwrap()[..6], [2.0, -2.0, 3.0, 3.0, 1.0, -1.0]);
        let frames = of(Order::Frames);
        assert_eq!(frames.shape()[..], [3, 1, 2, 2]);
        assert_eq!(frames.f32s().unwrap()[4..8], [2.0, -2.0, 20.0, -20.0]);
        assert!(stack(&[], Order::Frames).is_err());
        assert!(stack(&[flows[0], &row(&[0.0; 6])], Order::Rotated).is_err());
    }
}
