//! CIE L*a*b*, in which lightness and colour are apart.

use super::Frame;
use super::indexed::enlarged;
use super::resize::{Filter, resize_channel};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// sRGB, linear, to XYZ (IEC 61966-2-1).
const TO_XYZ: [[f32; 3]; 3] =
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]];

/// XYZ to linear sRGB: the inverse.
const FROM_XYZ: [[f32; 3]; 3] = [
    [3.240_481_3, -1.537_151_5, -0.498_536_3],
    [-0.969_255, 1.875_99, 0.041_555_926],
    [0.055_646_64, -0.204_041_34, 1.057_311],
];

/// White, D65.
const WHITE: [f32; 3] = [0.95047, 1.0, 1.08883];

/// Where the cube root begins.
const BEND: f32 = 0.008856;

/// The colours of a frame as `[H, W, 3]`: L from 0 to 100, a and b.
pub fn lab(frame: &Frame) -> Vec<f32> {
    frame.rgb().chunks_exact(3).flat_map(|p| to_lab([p[0], p[1], p[2]])).collect()
}

/// A frame with the lightness of this one and colours a and b from maps `[h, w, 2]`, scaled to it; what is no colour of
/// sRGB becomes the nearest level.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] for maps of other axes.
pub fn from_lab(lightness: &Frame, colors: &Tensor) -> Result<Frame> {
    let (w, h) = (lightness.width(), lightness.height());
    let planes = enlarged(colors, [h, w])?;
    let [a, b] = &planes[..] else {
        return Err(Error::bad_input(format!("{} channels of colour; there are a and b", planes.len())));
    };
    let pixels = lightness.rgb().chunks_exact(3).zip(a.iter().zip(b));
    let rgb = pixels.flat_map(|(p, (a, b))| to_rgb([to_lab([p[0], p[1], p[2]])[0], *a, *b]));
    Frame::new(w, h, rgb.collect())
}

impl Frame {
    /// Its colours a and b at the places of maps of this height and width, `[h, w, 2]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a side of zero.
    pub fn colors(&self, [height, width]: [usize; 2]) -> Result<Tensor> {
        let all = lab(self);
        let plane = |k: usize| {
            let values: Vec<f32> = all.iter().skip(k).step_by(3).copied().collect();
            resize_channel(&values, [self.height, self.width], [height, width], Filter::BilinearAntialias)
        };
        let (a, b) = (plane(1)?, plane(2)?);
        Tensor::from_fn(&[height, width, 2], |i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] })
    }

    /// The frame without its colours: each pixel the grey of its lightness.
    #[must_use]
    pub fn uncolored(&self) -> Frame {
        let gray = |p: &[u8]| to_rgb([to_lab([p[0], p[1], p[2]])[0], 0.0, 0.0]);
        Frame { rgb: self.rgb.chunks_exact(3).flat_map(gray).collect(), ..*self }
    }
}

fn product(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

fn to_lab(rgb: [u8; 3]) -> [f32; 3] {
    let linear = rgb.map(|level| {
        let x = f32::from(level) / 255.0;
        if x > 0.04045 { ((x + 0.055) / 1.055).powf(2.4) } else { x / 12.92 }
    });
    let xyz = product(&TO_XYZ, linear);
    let [x, y, z] = std::array::from_fn(|i| {
        let t = xyz[i] / WHITE[i];
        if t > BEND { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn to_rgb([l, a, b]: [f32; 3]) -> [u8; 3] {
    let y = (l + 16.0) / 116.0;
    let roots = [y + a / 500.0, y, y - b / 200.0];
    let xyz = std::array::from_fn(|i| {
        let t = roots[i];
        WHITE[i] * if t > 0.206_893 { t * t * t } else { (t - 16.0 / 116.0) / 7.787 }
    });
    product(&FROM_XYZ, xyz).map(|x| {
        let level = if x > 0.003_130_8 { 1.055 * x.powf(1.0 / 2.4) - 0.055 } else { 12.92 * x };
        (level.clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As scikit-image's rgb2lab has them.
    #[test]
    fn known_colors() {
        for (rgb, want) in LAB {
            let got = to_lab(rgb);
            assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.02), "{rgb:?}: {got:?}, {want:?}");
            assert_eq!(to_rgb(got), rgb);
        }
    }

    #[test]
    fn colors_lie_on_any_lightness() {
        let frame = Frame::new(2, 1, vec![200, 30, 40, 10, 120, 60]).unwrap();
        let back = from_lab(&frame.uncolored(), &frame.colors([1, 2]).unwrap()).unwrap();
        // Lightness was rounded to a level on the way, and colours are steeper in it than greys.
        let near = back.rgb().iter().zip(frame.rgb()).all(|(a, b)| a.abs_diff(*b) <= 2);
        assert!(near, "{:?}, {:?}", back.rgb(), frame.rgb());
        assert!(frame.uncolored().rgb().chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
        assert!(from_lab(&frame, &Tensor::from_fn(&[1, 2, 3], |_| 0.0).unwrap()).is_err());
    }

    const LAB: [([u8; 3], [f32; 3]); 4] = [
        ([255, 255, 255], [100.0000, -0.0025, 0.0047]),
        ([200, 30, 40], [43.3083, 63.3024, 39.9766]),
        ([10, 120, 60], [43.9778, -42.5841, 25.0915]),
        ([7, 3, 90], [7.6615, 35.2364, -48.6209]),
    ];
}
