//! Non-local blocks.
//!
//! Paper: Wang, Girshick, Gupta, He, "Non-local Neural Networks", CVPR 2018, arXiv:1711.07971.

use super::{Conv, batch_norm, constant, conv3d, conv3d_unbiased, scope};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Matmul, NonLocal, Pool3d, Softmax, Weighting};
use crate::weights::Weights;

const EPS: f32 = 1e-5;

/// How a non-local block compares two positions. θ, φ and g are 1×1×1 convolutions to half of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affinity {
    /// A softmax over products of the features themselves; there are no θ and φ.
    Gaussian,
    /// A softmax over products of θ and φ.
    #[default]
    EmbeddedGaussian,
    /// Products of θ and φ, over the number of positions.
    DotProduct,
    /// A ReLU of a linear function of θ and φ side by side, over the number of positions.
    Concatenation,
}

impl Affinity {
    /// What papers call it.
    pub fn name(self) -> &'static str {
        match self {
            Affinity::Gaussian => "Gaussian",
            Affinity::EmbeddedGaussian => "embedded Gaussian",
            Affinity::DotProduct => "dot product",
            Affinity::Concatenation => "concatenation",
        }
    }
}

/// Where the publishers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NonLocalStyle {
    /// facebookresearch/SlowFast: φ and g are of the pooled input, a softmax is of products over the root of their
    /// channels, and the last convolution has a bias.
    #[default]
    SlowFast,
    /// open-mmlab/mmaction2 as its models are configured: φ and g are pooled themselves, products are not scaled, and
    /// the last convolution has no bias.
    MmAction,
}

/// Adds a non-local block with its residual connection to `x` `[N, T, H, W, C]`; the shape stays. Keys are the maxima of
/// 2×2 positions of a frame.
///
/// Weights: `conv_theta`, `conv_phi`, `conv_g` (`weight` `[C/2, C, 1, 1, 1]`, `bias`), `conv_out` back to C channels, its
/// normalisation `bn`; for [`Affinity::Concatenation`] `conv_concat.weight` `[1, C]` of θ, then φ.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes, or frames too small to be pooled.
pub fn non_local(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    affinity: Affinity,
    style: NonLocalStyle,
) -> Result<Value> {
    let [n, t, height, width, c] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let inner = Conv::new(c / 2, [1; 3]);
    let halves = Pool3d::max([1, 2, 2]);
    let pooled = match style {
        NonLocalStyle::SlowFast => g.scope("pool", |g| g.pool3d(x, &halves))?,
        NonLocalStyle::MmAction => x,
    };
    let keys = |g: &mut Graph, name: &str| {
        scope(g, w, name, |g, w| {
            let y = conv3d(g, pooled, w, &inner)?;
            if style == NonLocalStyle::MmAction { g.pool3d(y, &halves) } else { Ok(y) }
        })
    };
    let values = keys(g, "conv_g")?;
    let [theta, phi] = if affinity == Affinity::Gaussian {
        let phi = if style == NonLocalStyle::MmAction { g.pool3d(x, &halves)? } else { pooled };
        [x, phi]
    } else {
        let phi = keys(g, "conv_phi")?;
        [scope(g, w, "conv_theta", |g, w| conv3d(g, x, w, &inner))?, phi]
    };
    let [theta, phi, values] = [positions(g, theta)?, positions(g, phi)?, positions(g, values)?];
    let y = g.scope("positions", |g| weighed(g, [theta, phi, values], w, affinity, style))?;
    let y = g.view(y, &[n, t, height, width, c / 2])?;
    let y = scope(g, w, "conv_out", |g, w| {
        let outer = Conv::new(c, [1; 3]);
        match style {
            NonLocalStyle::SlowFast => conv3d(g, y, w, &outer),
            NonLocalStyle::MmAction => conv3d_unbiased(g, y, w, &outer),
        }
    })?;
    let y = scope(g, w, "bn", |g, w| batch_norm(g, y, w, EPS))?;
    g.add(x, y)
}

/// `[N, T, H, W, C]` as `[N, T·H·W, C]`.
fn positions(g: &mut Graph, x: Value) -> Result<Value> {
    let [n, t, h, w, c] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    g.view(x, &[n, t * h * w, c])
}

/// The values `[N, keys, C/2]` under the weights that θ `[N, queries, C']` and φ `[N, keys, C']` give.
fn weighed(
    g: &mut Graph,
    [theta, phi, values]: [Value; 3],
    w: &Weights,
    affinity: Affinity,
    style: NonLocalStyle,
) -> Result<Value> {
    let [_, keys, channels] = g.shape(phi).dims("phi", "[N, positions, C]")?;
    let scale = match style {
        NonLocalStyle::SlowFast => (1.0 / (channels as f64).sqrt()) as f32,
        NonLocalStyle::MmAction => 1.0,
    };
    let weights = match affinity {
        Affinity::EmbeddedGaussian => {
            let attributes = NonLocal { mode: Weighting::Softmax, scale: Some(scale) };
            return g.non_local([theta, phi, values], &attributes);
        }
        Affinity::DotProduct => {
            let attributes = NonLocal { mode: Weighting::DotProduct, scale: None };
            return g.non_local([theta, phi, values], &attributes);
        }
        // The features have more channels than a head of an attention may have.
        Affinity::Gaussian => {
            let products = g.matmul(theta, phi, &Matmul { transpose_b: true, scale, ..Matmul::default() })?;
            g.softmax(products, &Softmax::default())?
        }
        Affinity::Concatenation => {
            // A linear function of the two side by side is the sum of one of each.
            let weight = w.scope("conv_concat").take("weight", &[1, 2 * channels])?;
            let weight = constant(g, weight.reshape(&[2, channels, 1])?);
            let part = |g: &mut Graph, x: Value, i: isize| {
                let half = g.slice_axis(weight, 0, i, Some(i + 1))?;
                let half = g.view(half, &[channels, 1])?;
                g.linear(x, half, None)
            };
            let (queries, keys_part) = (part(g, theta, 0)?, part(g, phi, 1)?);
            let [n, _, _] = g.shape(phi).dims("phi", "[N, positions, C]")?;
            let row = g.view(keys_part, &[n, 1, keys])?;
            let sums = g.binary(queries, row, Binary::Add)?;
            let positive = g.relu(sums)?;
            let mean = Matmul { scale: (1.0 / keys as f64) as f32, ..Matmul::default() };
            return g.matmul(positive, values, &mean);
        }
    };
    g.matmul(weights, values, &Matmul::default())
}
