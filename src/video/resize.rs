//! Scaling of pictures, with the arithmetic of `torch.nn.functional.interpolate`.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32, F32x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::{Frame, MAX_PIXELS};
use crate::error::{Error, Result};

/// How the pixels between pixels are found. Centres are at half integers (`align_corners=False`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Two pixels in each direction, however far they lie apart when the picture is made smaller
    /// (`mode="bilinear", antialias=False`); also what OpenCV's `INTER_LINEAR` does.
    Bilinear,
    /// A triangle as wide as the new pixels (`mode="bilinear", antialias=True`); also what PIL does.
    BilinearAntialias,
    /// A cubic with a = -0.5 as wide as the new pixels (`mode="bicubic", antialias=True`); also what PIL
    /// does.
    BicubicAntialias,
}

/// Scales a frame to `height` by `width`: `[height, width, 3]` floats from 0 to 255 in RGB, not rounded
/// (a cubic may overshoot).
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when a side is zero or the result too large.
pub fn resize(frame: &Frame, height: usize, width: usize, filter: Filter) -> Result<Vec<f32>> {
    check(height, width)?;
    let source: Vec<f32> = frame.rgb().iter().map(|&b| f32::from(b)).collect();
    if (height, width) == (frame.height(), frame.width()) {
        return Ok(source);
    }
    let kernel = match filter {
        Filter::Bilinear => {
            return Ok(bilinear::<3>(&source, [frame.height(), frame.width()], [height, width]));
        }
        Filter::BilinearAntialias => FilterType::Bilinear,
        Filter::BicubicAntialias => FilterType::CatmullRom,
    };
    let pixels: Vec<F32x3> = source.chunks_exact(3).map(|p| F32x3::new([p[0], p[1], p[2]])).collect();
    let out = convolve(&pixels, [frame.height(), frame.width()], [height, width], kernel)?;
    Ok(out.iter().flat_map(|p| p.0).collect())
}

/// Scales one channel `[H, W]` of a picture of the size `from` to the size `to`, both height and width. Values are not
/// rounded.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when a side is zero, the result too large, or `values` are not as many as `from` says.
pub fn resize_channel(
    values: &[f32],
    from: [usize; 2],
    [height, width]: [usize; 2],
    filter: Filter,
) -> Result<Vec<f32>> {
    check(height, width)?;
    if values.is_empty() || from[0].checked_mul(from[1]) != Some(values.len()) {
        return Err(Error::bad_input(format!(
            "{} values are no picture of {}x{}",
            values.len(),
            from[1],
            from[0]
        )));
    }
    if from == [height, width] {
        return Ok(values.to_vec());
    }
    let kernel = match filter {
        Filter::Bilinear => return Ok(bilinear::<1>(values, from, [height, width])),
        Filter::BilinearAntialias => FilterType::Bilinear,
        Filter::BicubicAntialias => FilterType::CatmullRom,
    };
    let pixels: Vec<F32> = values.iter().map(|v| F32::new(*v)).collect();
    Ok(convolve(&pixels, from, [height, width], kernel)?.iter().map(|p| p.0).collect())
}

fn check(height: usize, width: usize) -> Result<()> {
    if height == 0 || width == 0 || height.checked_mul(width).is_none_or(|pixels| pixels > MAX_PIXELS) {
        return Err(Error::bad_input(format!("a picture cannot be scaled to {width}x{height}")));
    }
    Ok(())
}

/// Scaling with a filter as wide as the new pixels.
fn convolve<P: PixelTrait>(
    pixels: &[P],
    from: [usize; 2],
    to: [usize; 2],
    kernel: FilterType,
) -> Result<Vec<P>> {
    let failed = |e: &dyn std::fmt::Display| Error::internal(format!("resize: {e}"));
    let from = TypedImageRef::new(from[1] as u32, from[0] as u32, pixels).map_err(|e| failed(&e))?;
    let mut to = TypedImage::<P>::new(to[1] as u32, to[0] as u32);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel)).use_alpha(false);
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|e| failed(&e))?;
    Ok(to.pixels().to_vec())
}

/// Bilinear without antialias of `[H, W, C]`, in torch's own order of f32 operations: results that are rounded to bytes
/// afterwards must fall on the same side.
fn bilinear<const C: usize>(source: &[f32], from: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    let rows = taps(from[0], height);
    let columns = taps(from[1], width);
    let stride = from[1] * C;
    let mut out = Vec::with_capacity(height * width * C);
    for &(y0, y1, v0, v1) in &rows {
        let (above, below) = (&source[y0 * stride..][..stride], &source[y1 * stride..][..stride]);
        for &(x0, x1, u0, u1) in &columns {
            for c in 0..C {
                let top = above[x0 * C + c] * u0 + above[x1 * C + c] * u1;
                let bottom = below[x0 * C + c] * u0 + below[x1 * C + c] * u1;
                out.push(top * v0 + bottom * v1);
            }
        }
    }
    out
}

/// For each new pixel along an axis, the two old ones and their weights.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32, f32)> {
    let scale = from as f32 / to as f32;
    let tap = |i: usize| {
        let at = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
        let first = (at as usize).min(from - 1);
        let weight = (at - first as f32).clamp(0.0, 1.0);
        (first, (first + 1).min(from - 1), 1.0 - weight, weight)
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(levels: &[u8]) -> Frame {
        Frame::new(levels.len(), 1, levels.iter().flat_map(|&l| [l; 3]).collect()).unwrap()
    }

    fn scaled(levels: &[u8], width: usize, filter: Filter) -> Vec<f32> {
        let out = resize(&row(levels), 1, width, filter).unwrap();
        out.chunks_exact(3).map(|p| p[0]).collect()
    }

    #[test]
    fn values_of_torch() {
        let levels = [0, 40, 200, 80, 120, 255];
        assert_eq!(scaled(&levels, 6, Filter::Bilinear), [0., 40., 200., 80., 120., 255.]);
        assert_eq!(scaled(&levels, 3, Filter::Bilinear), [20., 140., 187.5]);
        assert_eq!(scaled(&levels, 2, Filter::Bilinear), [40., 120.]);
        let near = |got: Vec<f32>, want: &[f32]| {
            assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 2e-3), "{got:?} {want:?}");
        };
        near(scaled(&levels, 3, Filter::BilinearAntialias), &[45.7143, 125.0, 172.1429]);
        near(scaled(&levels, 2, Filter::BilinearAntialias), &[75.0, 153.75]);
        near(scaled(&levels, 3, Filter::BicubicAntialias), &[38.3264, 127.5763, 175.8368]);
    }

    /// A channel alone is scaled as it is in a picture.
    #[test]
    fn channels_are_scaled_alike() {
        let frame = Frame::new(7, 5, (0..105u32).map(|i| (i * i * 37 % 251) as u8).collect()).unwrap();
        for filter in [Filter::Bilinear, Filter::BilinearAntialias, Filter::BicubicAntialias] {
            for (h, w) in [(5, 7), (3, 4), (9, 11)] {
                let all = resize(&frame, h, w, filter).unwrap();
                for c in 0..3 {
                    let one: Vec<f32> = frame.rgb().iter().skip(c).step_by(3).map(|&b| b.into()).collect();
                    let one = resize_channel(&one, [5, 7], [h, w], filter).unwrap();
                    let same: Vec<f32> = all.iter().skip(c).step_by(3).copied().collect();
                    assert_eq!(one.len(), same.len());
                    assert!(one.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-3), "{filter:?} {h} {w}");
                }
            }
        }
        assert!(resize_channel(&[1.0; 6], [2, 2], [2, 2], Filter::Bilinear).is_err());
        assert!(resize_channel(&[1.0; 4], [2, 2], [0, 2], Filter::Bilinear).is_err());
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(resize(&row(&[1]), 0, 1, Filter::Bilinear).is_err());
        assert!(resize(&row(&[1]), usize::MAX, 2, Filter::BilinearAntialias).is_err());
        assert_eq!(resize(&row(&[9]), 2, 2, Filter::BilinearAntialias).unwrap(), [9.0; 12]);
        assert_eq!(resize(&row(&[9]), 2, 2, Filter::Bilinear).unwrap(), [9.0; 12]);
    }
}
