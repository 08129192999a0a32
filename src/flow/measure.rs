//! How far a flow is from the true one.

use super::{components, is_known};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How far a flow is from the true one, over the pixels where the truth is known.
///
/// Baker et al., A Database and Evaluation Methodology for Optical Flow (IJCV 2011).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Average endpoint error, in pixels: the mean of `‖u − g‖`.
    pub aee: f64,
    /// Average angular error, in degrees: the mean angle between `(u, v, 1)` and `(gₓ, g_y, 1)`.
    pub aae: f64,
    /// Shares of pixels whose endpoint error is more than each of [`Measures::THRESHOLDS`].
    pub bad: [f64; 3],
    /// The number of pixels where the truth is known.
    pub pixels: usize,
}

impl Measures {
    /// The endpoint errors, in pixels, beyond which a pixel counts as bad.
    pub const THRESHOLDS: [f64; 3] = [0.5, 1.0, 3.0];
}

/// Compares a flow with the true one, both `[H, W, 2]`. Where the flow itself is unknown or NaN, the pixel's error is
/// infinite, not left out.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when their sizes differ or the truth is known nowhere.
pub fn measure(flow: &Tensor, truth: &Tensor) -> Result<Measures> {
    let ((size, flow), (true_size, truth)) = (components(flow)?, components(truth)?);
    if size != true_size {
        return Err(Error::bad_input(format!(
            "the flow is {}x{}, the truth {}x{}",
            size[1], size[0], true_size[1], true_size[0]
        )));
    }
    let (mut distance, mut angle, mut bad, mut pixels) = (0.0, 0.0, [0usize; 3], 0usize);
    for (u, g) in flow.chunks_exact(2).zip(truth.chunks_exact(2)).filter(|(_, g)| is_known(g)) {
        pixels += 1;
        let ([a, b], [c, d]) = ([u[0], u[1]].map(f64::from), [g[0], g[1]].map(f64::from));
        let own = if is_known(u) { (a - c).hypot(b - d) } else { f64::INFINITY };
        distance += own;
        // Rounding may bring the cosine beyond 1.
        let cosine = (1.0 + a * c + b * d) / ((1.0 + a * a + b * b) * (1.0 + c * c + d * d)).sqrt();
        angle += if is_known(u) { cosine.clamp(-1.0, 1.0).acos().to_degrees() } else { 180.0 };
        for (count, threshold) in bad.iter_mut().zip(Measures::THRESHOLDS) {
            *count += usize::from(own > threshold);
        }
    }
    if pixels == 0 {
        return Err(Error::bad_input("the truth is known nowhere"));
    }
    let n = pixels as f64;
    Ok(Measures { aee: distance / n, aae: angle / n, bad: bad.map(|b| b as f64 / n), pixels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::UNKNOWN;

    #[test]
    fn measures_by_hand() {
        let truth = Tensor::new(&[1, 4, 2], vec![0.0, 0.0, 1.0, 0.0, 0.0, 3.0, UNKNOWN, UNKNOWN]).unwrap();
        let flow = Tensor::new(&[1, 4, 2], vec![0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 9.0, 9.0]).unwrap();
        let m = measure(&flow, &truth).unwrap();
        assert_eq!((m.pixels, m.aee), (3, 2.0));
        assert_eq!(m.bad, [2.0 / 3.0, 1.0 / 3.0 + 1.0 / 3.0 - 1.0 / 3.0, 1.0 / 3.0]);
        let third = (1.0 / (10.0f64 * 17.0).sqrt()).acos().to_degrees();
        assert!((m.aae - (45.0 + third) / 3.0).abs() < 1e-9);
        let lost = Tensor::new(&[1, 4, 2], vec![f32::NAN; 8]).unwrap();
        assert_eq!(measure(&lost, &truth).unwrap().bad, [1.0; 3]);
        assert!(measure(&truth, &Tensor::new(&[1, 4, 2], vec![UNKNOWN; 8]).unwrap()).is_err());
        assert!(measure(&truth, &Tensor::new(&[4, 1, 2], vec![0.0; 8]).unwrap()).is_err());
    }
}
