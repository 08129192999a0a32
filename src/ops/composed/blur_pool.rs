//! Downsampling after a blur.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::each;
use crate::ops::{Door, FilterPadding, Layout, Port, Upfirdn2d};
use crate::tensor::Tensor;

/// Attributes of a downsampling after a binomial blur (Zhang, Making Convolutional Networks Shift-Invariant Again,
/// arXiv:1904.11486). Two numbers are for the axes H, W.
///
/// `(kernel_size − 1) / 2` elements are padded on both sides, one more behind if [`BlurPool::kernel_size`] is even.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlurPool {
    /// Taps of the blur along each axis, 1 to 7: a row of Pascal's triangle over its sum.
    pub kernel_size: usize,
    /// Steps between outputs.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 2],
    /// What stands in the padding.
    pub padding_mode: FilterPadding,
}

impl Default for BlurPool {
    fn default() -> Self {
        BlurPool { kernel_size: 3, stride: [2; 2], padding_mode: FilterPadding::Reflect }
    }
}

impl Graph {
    /// Adds a downsampling after a blur: `x` `[N, H, W, C]` gives `[N, ⌈H / stride⌉, ⌈W / stride⌉, C]`. It is
    /// [`Graph::upfirdn2d`] with a constant filter.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn blur_pool(&mut self, x: Value, a: &BlurPool) -> Result<Value> {
        let k = a.kernel_size;
        if !(1..=7).contains(&k) {
            return Err(Error::bad_input(format!("kernel_size {k}: 1 to 7 is possible"))).at("blur_pool");
        }
        // From one binomial coefficient to the next.
        let mut row = vec![1.0f32];
        for i in 1..k {
            row.push(row[i - 1] * (k - i) as f32 / i as f32);
        }
        let sum: f32 = row.iter().sum();
        let filter = Tensor::new(&[k], row.into_iter().map(|b| b / sum).collect::<Vec<_>>())?;
        let filter = self.constant("binomial filter", filter);
        let attributes = Upfirdn2d {
            down: a.stride,
            padding: [[((k - 1) / 2) as isize, (k / 2) as isize]; 2],
            padding_mode: a.padding_mode,
            ..Upfirdn2d::default()
        };
        self.upfirdn2d(x, filter, &attributes).at("blur_pool")
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "blur_pool",
    summary: "downsampling after a binomial blur",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "kernel_size=3, stride=2, padding_mode=reflect (replicate, zeros)",
    build: |g, v, a| Ok(vec![g.blur_pool(v[0], &a.read()?)?]),
};
