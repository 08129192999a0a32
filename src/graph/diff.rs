//! Where two devices begin to disagree.

use super::{Engine, Graph, PlanOptions};
use crate::error::Result;
use crate::tensor::{DType, Tensor};

/// A node whose outputs differ between two devices.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The node's name.
    pub node: String,
    /// The linear index of the element that differs most.
    pub index: usize,
    /// Its value on the first device.
    pub left: f32,
    /// Its value on the second.
    pub right: f32,
    /// The largest difference, relative to the largest magnitude in the first device's tensor.
    pub relative: f64,
}

/// Runs a graph on two devices, compares the outputs of every node, and gives the first that differ by more
/// than `tolerance` relative to the largest magnitude in the tensor. NaN differs from everything but NaN.
///
/// # Errors
/// When one of the devices cannot run the graph.
pub fn first_difference(
    graph: &Graph,
    inputs: &[(&str, Tensor)],
    left: &Engine,
    right: &Engine,
    options: &PlanOptions,
    tolerance: f64,
) -> Result<Option<Difference>> {
    let options = PlanOptions { keep_all: true, ..options.clone() };
    let a = left.plan_with(graph, &options)?.run_all(inputs)?;
    let b = right.plan_with(graph, &options)?.run_all(inputs)?;
    for ((node, a), (_, b)) in a.iter().zip(&b) {
        for (a, b) in a.iter().zip(b) {
            if let Some(d) = largest_difference(node, a, b)?
                && (d.relative > tolerance || d.relative.is_nan())
            {
                return Ok(Some(d));
            }
        }
    }
    Ok(None)
}

/// The element of two tensors of a shape that differs most, if any does.
pub(crate) fn largest_difference(node: &str, a: &Tensor, b: &Tensor) -> Result<Option<Difference>> {
    let tolerance_free = a.dtype() == DType::I32;
    let (a, b) = (a.to_f32(), b.to_f32());
    let (a, b) = (a.f32s()?, b.f32s()?);
    let largest = a.iter().map(|x| f64::from(x.abs())).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let scale = if tolerance_free || largest == 0.0 { 1.0 } else { largest };
    let mut worst: Option<Difference> = None;
    for (index, (&left, &right)) in a.iter().zip(b).enumerate() {
        if left.to_bits() == right.to_bits() || left == right || (left.is_nan() && right.is_nan()) {
            continue;
        }
        let gap = (f64::from(left) - f64::from(right)).abs() / scale;
        let relative = if gap.is_nan() { f64::INFINITY } else { gap };
        if worst.as_ref().is_none_or(|w| relative > w.relative) {
            worst = Some(Difference { node: node.to_owned(), index, left, right, relative });
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_a_difference() {
        let a = Tensor::new(&[2], vec![1.0f32, 2.0]).unwrap();
        let b = Tensor::new(&[2], vec![1.0f32, f32::NAN]).unwrap();
        let d = largest_difference("n", &a, &b).unwrap().unwrap();
        assert_eq!((d.index, d.relative), (1, f64::INFINITY));
        assert!(largest_difference("n", &b, &b).unwrap().is_none());
    }
}
