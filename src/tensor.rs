//! Host tensors: a shape, an element type and contiguous data.

use std::fmt;
use std::sync::Arc;

use half::f16;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::shape::Shape;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 16-bit float: a storage type; arithmetic is done in f32.
    F16,
    /// 32-bit signed integer: indices and counts.
    I32,
    /// 8-bit unsigned integer: pictures on the host.
    U8,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F16 => 2,
            DType::U8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::U8 => "u8",
        })
    }
}

/// The elements of a [`Tensor`]. Cloning shares them; a `Vec` becomes shared without being copied.
#[derive(Clone)]
#[non_exhaustive]
pub enum Data {
    /// 32-bit floats.
    F32(Arc<Vec<f32>>),
    /// 16-bit floats.
    F16(Arc<Vec<f16>>),
    /// 32-bit signed integers.
    I32(Arc<Vec<i32>>),
    /// Bytes.
    U8(Arc<Vec<u8>>),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::F16(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::U8(v) => v.len(),
        }
    }
}

macro_rules! data_from {
    ($($t:ty => $variant:ident),*) => {$(
        impl From<Vec<$t>> for Data {
            fn from(v: Vec<$t>) -> Data {
                Data::$variant(Arc::new(v))
            }
        }
    )*};
}
data_from!(f32 => F32, f16 => F16, i32 => I32, u8 => U8);

/// A contiguous tensor in host memory. Cloning is cheap: the elements are shared and never change.
#[derive(Clone)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// A tensor of the given shape and elements, the last axis contiguous.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the number of elements is not the shape's, or the shape is unusable.
    pub fn new(shape: &[usize], data: impl Into<Data>) -> Result<Self> {
        let shape = Shape::new(shape)?;
        let data = data.into();
        if data.len() != shape.elements() {
            return Err(Error::bad_input(format!(
                "shape {shape} needs {} elements, {} were given",
                shape.elements(),
                data.len()
            )));
        }
        Ok(Tensor { shape, data })
    }

    /// A float tensor whose element at linear index `i` is `f(i)`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is unusable.
    pub fn from_fn(shape: &[usize], f: impl FnMut(usize) -> f32) -> Result<Self> {
        let shape = Shape::new(shape)?;
        let data: Vec<f32> = (0..shape.elements()).map(f).collect();
        Ok(Tensor { shape, data: data.into() })
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F16(_) => DType::F16,
            Data::I32(_) => DType::I32,
            Data::U8(_) => DType::U8,
        }
    }

    /// The elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements as `f32`s.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they are of another type; see [`Tensor::to_f32`].
    pub fn f32s(&self) -> Result<&[f32]> {
        match &self.data {
            Data::F32(v) => Ok(v),
            _ => Err(Error::bad_input(format!("an f32 tensor is needed here, not {}", self.dtype()))),
        }
    }

    /// The elements as `i32`s.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they are of another type.
    pub fn i32s(&self) -> Result<&[i32]> {
        match &self.data {
            Data::I32(v) => Ok(v),
            _ => Err(Error::bad_input(format!("an i32 tensor is needed here, not {}", self.dtype()))),
        }
    }

    /// The same values as `f32`s; integers beyond 2^24 are rounded.
    #[must_use]
    pub fn to_f32(&self) -> Tensor {
        let data = match &self.data {
            Data::F32(_) => return self.clone(),
            Data::F16(v) => v.iter().map(|x| x.to_f32()).collect::<Vec<f32>>(),
            Data::I32(v) => v.iter().map(|&x| x as f32).collect(),
            Data::U8(v) => v.iter().map(|&x| f32::from(x)).collect(),
        };
        Tensor { shape: self.shape.clone(), data: data.into() }
    }

    /// The same values rounded to `f16`s; what lies beyond ±65,504 becomes infinite.
    #[must_use]
    pub fn to_f16(&self) -> Tensor {
        if let Data::F16(_) = self.data {
            return self.clone();
        }
        let wide = self.to_f32();
        let Data::F32(v) = &wide.data else { unreachable!("to_f32 gives f32s") };
        let data = v.iter().map(|&x| f16::from_f32(x)).collect::<Vec<f16>>();
        Tensor { shape: self.shape.clone(), data: data.into() }
    }

    /// The magnitudes of a float tensor.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the elements are not f32.
    pub fn abs(&self) -> Result<Tensor> {
        let data: Vec<f32> = self.f32s()?.iter().map(|x| x.abs()).collect();
        Ok(Tensor { shape: self.shape.clone(), data: data.into() })
    }

    /// The elements' bytes in native order.
    pub fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::F32(v) => bytemuck::cast_slice(v),
            Data::F16(v) => bytemuck::cast_slice(v),
            Data::I32(v) => bytemuck::cast_slice(v),
            Data::U8(v) => v,
        }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Result<Tensor> {
        Tensor::new(shape, self.data.clone())
            .map_err(|_| Error::bad_input(format!("shape {} cannot become {:?}", self.shape, shape)))
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of `self`. The data is copied.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `order` does not name every axis once.
    pub fn permute(&self, order: &[usize]) -> Result<Tensor> {
        let mut seen = order.to_vec();
        seen.sort_unstable();
        if !seen.into_iter().eq(0..self.shape.rank()) {
            return Err(Error::bad_input(format!(
                "order {order:?} does not name every axis of {} once",
                self.shape
            )));
        }
        let strides = self.shape.strides();
        let dims: Vec<usize> = order.iter().map(|&a| self.shape[a]).collect();
        let steps: Vec<usize> = order.iter().map(|&a| strides[a]).collect();
        let data = match &self.data {
            Data::F32(v) => gather(v, &dims, &steps).into(),
            Data::F16(v) => gather(v, &dims, &steps).into(),
            Data::I32(v) => gather(v, &dims, &steps).into(),
            Data::U8(v) => gather(v, &dims, &steps).into(),
        };
        Ok(Tensor { shape: Shape::new(&dims)?, data })
    }
}

/// How many rows of a result are written at a time, so that what one line of a cache holds of the source is read once.
const ROWS: usize = 16;

/// Copies the elements of `source` at multiples of `steps`, in row-major order of `dims`: all of them, each once.
fn gather<T: Copy + Send + Sync>(source: &[T], dims: &[usize], steps: &[usize]) -> Vec<T> {
    // Axes that lie together in the source are one, and those of one element none.
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (&dim, &step) in dims.iter().zip(steps).filter(|(dim, _)| **dim != 1) {
        match axes.last_mut() {
            Some((before, of)) if *of == dim * step => (*before, *of) = (*before * dim, step),
            _ => axes.push((dim, step)),
        }
    }
    let near = axes.iter().position(|(_, step)| *step == 1).filter(|_| axes.len() > 1);
    let (Some(near), Some(&any)) = (near, source.first()) else { return source.to_vec() };
    let (outer, inner) = (&axes[..near], &axes[near + 1..]);
    let (rows, row) = (axes[near].0, inner.iter().map(|(dim, _)| dim).product::<usize>());
    let mut out = vec![any; source.len()];
    out.par_chunks_mut(rows * row).enumerate().for_each(|(block, out)| {
        let begin = place(block, outer);
        if inner.is_empty() {
            out.copy_from_slice(&source[begin..][..rows]);
            return;
        }
        out.par_chunks_mut(ROWS * row).enumerate().for_each(|(part, out)| {
            let begin = begin + part * ROWS;
            for at in 0..row {
                let from = &source[begin + place(at, inner)..];
                out[at..].iter_mut().step_by(row).zip(from).for_each(|(to, from)| *to = *from);
            }
        });
    });
    out
}

/// Where the `number`-th element of some axes lies, in row-major order.
fn place(mut number: usize, axes: &[(usize, usize)]) -> usize {
    let mut at = 0;
    for (dim, step) in axes.iter().rev() {
        at += number % dim * step;
        number /= dim;
    }
    at
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype(), self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permute_moves_axes() {
        let t = Tensor::from_fn(&[2, 3, 4], |i| i as f32).unwrap();
        let p = t.permute(&[2, 0, 1]).unwrap();
        assert_eq!(&**p.shape(), [4, 2, 3]);
        let v = p.f32s().unwrap();
        for a in 0..4 {
            for b in 0..2 {
                for c in 0..3 {
                    assert_eq!(v[(a * 2 + b) * 3 + c], (b * 12 + c * 4 + a) as f32);
                }
            }
        }
        assert!(t.permute(&[0, 1]).is_err());
        assert!(t.permute(&[0, 1, 1]).is_err());
    }

    /// Blocks of rows with a rest, axes that lie together, axes of one element.
    #[test]
    fn every_order_of_axes_is_right() {
        for dims in [[2, 3, 4, 5], [19, 1, 2, 37], [3, 18, 17, 1], [1, 1, 1, 1]] {
            let t = Tensor::from_fn(&dims, |i| i as f32).unwrap();
            let strides = t.shape().strides();
            for number in 0..256 {
                let order = [number / 64, number / 16 % 4, number / 4 % 4, number % 4];
                let Ok(p) = t.permute(&order) else { continue };
                let lengths = order.map(|a| dims[a]);
                for (i, &x) in p.f32s().unwrap().iter().enumerate() {
                    let mut rest = i;
                    let mut at = 0;
                    for a in (0..4).rev() {
                        at += rest % lengths[a] * strides[order[a]];
                        rest /= lengths[a];
                    }
                    assert_eq!(x, at as f32, "{dims:?} as {order:?}");
                }
            }
        }
    }

    #[test]
    fn wrong_length_is_an_error() {
        let e = Tensor::new(&[2, 3], vec![0f32; 5]).unwrap_err();
        assert_eq!(e.to_string(), "shape [2, 3] needs 6 elements, 5 were given");
    }
}
