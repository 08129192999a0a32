//! One decoded picture.

use std::fmt;

use crate::error::{Error, Result};
use crate::tensor::{Data, Tensor};

/// One picture: `[H, W, 3]` RGB bytes, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

impl Frame {
    /// A frame of `height * width * 3` RGB bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a side is zero or the number of bytes is another.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Frame> {
        let bytes = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if bytes != Some(rgb.len()) || rgb.is_empty() {
            return Err(Error::bad_input(format!(
                "{} bytes cannot be an RGB picture of {width}x{height}",
                rgb.len()
            )));
        }
        Ok(Frame { width, height, rgb })
    }

    /// The frames of a `[T, H, W, 3]` tensor: bytes as they are, floats from 0 to 1 (what lies outside
    /// is clamped).
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for another shape or element type.
    pub fn from_tensor(tensor: &Tensor) -> Result<Vec<Frame>> {
        let [_, h, w, c] = tensor.shape().dims("a video", "[T, H, W, 3]")?;
        if c != 3 {
            return Err(Error::bad_input(format!("a video has 3 channels, not {c}: {}", tensor.shape())));
        }
        match tensor.data() {
            Data::U8(v) => v.chunks_exact(h * w * 3).map(|f| Frame::new(w, h, f.to_vec())).collect(),
            _ => {
                let byte = |x: &f32| (x.clamp(0.0, 1.0) * 255.0).round() as u8;
                let frames = tensor.to_f32();
                let frames = frames.f32s()?.chunks_exact(h * w * 3);
                frames.map(|f| Frame::new(w, h, f.iter().map(byte).collect())).collect()
            }
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `[H, W, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The bytes, `[H, W, 3]`, without a copy.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The frame after quarter turns clockwise.
    pub(super) fn turned(self, turns: u8) -> Frame {
        let (w, h) = (self.width, self.height);
        let from: &dyn Fn(usize, usize) -> usize = match turns % 4 {
            0 => return self,
            1 => &|x, y| (h - 1 - x) * w + y,
            2 => &|x, y| (h - 1 - y) * w + w - 1 - x,
            _ => &|x, y| x * w + w - 1 - y,
        };
        let (width, height) = if turns % 2 == 1 { (h, w) } else { (w, h) };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..height {
            for x in 0..width {
                rgb.extend_from_slice(&self.rgb[from(x, y) * 3..][..3]);
            }
        }
        Frame { width, height, rgb }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarter_turns() {
        let frame = |width, height, reds: &[u8]| Frame {
            width,
            height,
            rgb: reds.iter().flat_map(|&r| [r, 0, 9]).collect(),
        };
        let upright = frame(3, 2, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(upright.clone().turned(0), upright);
        assert_eq!(upright.clone().turned(1), frame(2, 3, &[4, 1, 5, 2, 6, 3]));
        assert_eq!(upright.clone().turned(2), frame(3, 2, &[6, 5, 4, 3, 2, 1]));
        assert_eq!(upright.turned(3), frame(2, 3, &[3, 6, 2, 5, 1, 4]));
    }

    #[test]
    fn frames_of_tensors() {
        assert!(Frame::new(2, 2, vec![0; 11]).is_err());
        assert!(Frame::new(0, 2, vec![]).is_err());
        let floats = Tensor::new(&[2, 1, 1, 3], vec![0.0, 0.5, 1.0, -1.0, 2.0, f32::NAN]).unwrap();
        let frames = Frame::from_tensor(&floats).unwrap();
        assert_eq!((frames[0].rgb(), frames[1].rgb()), (&[0, 128, 255][..], &[0, 255, 0][..]));
        let bytes = Tensor::new(&[1, 1, 2, 3], vec![1u8, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(Frame::from_tensor(&bytes).unwrap()[0].rgb(), [1, 2, 3, 4, 5, 6]);
        assert!(Frame::from_tensor(&Tensor::new(&[1, 1, 2, 1], vec![0u8; 2]).unwrap()).is_err());
    }
}
