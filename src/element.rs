//! Element types as files name them, and the tensors their bytes become.

use std::fmt;
use std::sync::Arc;

use half::{bf16, f16};

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::{Data, Tensor};

/// An element type of a file; more than a [`Tensor`] can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

/// The order of the bytes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    /// This machine's.
    pub(crate) const NATIVE: Endian =
        if cfg!(target_endian = "little") { Endian::Little } else { Endian::Big };
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Element::F64 | Element::I64 | Element::U64 => 8,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F16 | Element::Bf16 | Element::I16 | Element::U16 => 2,
            Element::I8 | Element::U8 | Element::Bool => 1,
        }
    }

    /// The tensor of contiguous elements `bytes`: floats become f32, integers and truth values i32.
    pub(crate) fn decode(self, shape: &[usize], bytes: &[u8], endian: Endian) -> Result<Tensor> {
        self.check(shape, bytes)?;
        let data = match self {
            Element::F64 => Data::F32(each(bytes, endian, |b| f64::from_ne_bytes(b) as f32)),
            Element::F32 => Data::F32(each(bytes, endian, f32::from_ne_bytes)),
            Element::F16 => Data::F32(each(bytes, endian, |b| f16::from_ne_bytes(b).to_f32())),
            Element::Bf16 => Data::F32(each(bytes, endian, |b| bf16::from_ne_bytes(b).to_f32())),
            Element::I32 => Data::I32(each(bytes, endian, i32::from_ne_bytes)),
            Element::I16 => Data::I32(each(bytes, endian, |b| i16::from_ne_bytes(b).into())),
            Element::U16 => Data::I32(each(bytes, endian, |b| u16::from_ne_bytes(b).into())),
            Element::I8 => Data::I32(each(bytes, endian, |b| i8::from_ne_bytes(b).into())),
            Element::U8 => Data::I32(each(bytes, endian, |[b]| b.into())),
            Element::Bool => Data::I32(each(bytes, endian, |[b]| (b != 0).into())),
            Element::I64 => Data::I32(narrow(&each(bytes, endian, i64::from_ne_bytes))?),
            Element::U64 => Data::I32(narrow(&each(bytes, endian, u64::from_ne_bytes))?),
            Element::U32 => Data::I32(narrow(&each(bytes, endian, u32::from_ne_bytes))?),
        };
        Tensor::new(shape, data)
    }

    /// As [`Element::decode`], but f16, bytes and truth values keep their width.
    pub(crate) fn decode_compact(self, shape: &[usize], bytes: &[u8], endian: Endian) -> Result<Tensor> {
        self.check(shape, bytes)?;
        let data = match self {
            Element::F16 => Data::F16(each(bytes, endian, f16::from_ne_bytes)),
            Element::U8 => Data::U8(Arc::new(bytes.to_vec())),
            Element::Bool => Data::U8(each(bytes, endian, |[b]| (b != 0).into())),
            _ => return self.decode(shape, bytes, endian),
        };
        Tensor::new(shape, data)
    }

    fn check(self, shape: &[usize], bytes: &[u8]) -> Result<()> {
        let shape = Shape::new(shape)?;
        let wanted = shape.elements().checked_mul(self.size());
        if wanted == Some(bytes.len()) {
            return Ok(());
        }
        Err(Error::bad_input(format!("{} bytes are not a tensor of {self}{shape}", bytes.len())))
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::F64 => "f64",
            Element::F32 => "f32",
            Element::F16 => "f16",
            Element::Bf16 => "bf16",
            Element::I64 => "i64",
            Element::I32 => "i32",
            Element::I16 => "i16",
            Element::I8 => "i8",
            Element::U64 => "u64",
            Element::U32 => "u32",
            Element::U16 => "u16",
            Element::U8 => "u8",
            Element::Bool => "bool",
        })
    }
}

/// Maps every `N` bytes, put in this machine's order. The bytes need no alignment.
fn each<const N: usize, T>(bytes: &[u8], endian: Endian, f: impl Fn([u8; N]) -> T) -> Arc<Vec<T>> {
    let (chunks, _) = bytes.as_chunks::<N>();
    if endian == Endian::NATIVE {
        return Arc::new(chunks.iter().map(|&c| f(c)).collect());
    }
    let swapped = |c: &[u8; N]| {
        let mut c = *c;
        c.reverse();
        f(c)
    };
    Arc::new(chunks.iter().map(swapped).collect())
}

fn narrow<T: Copy + fmt::Display + TryInto<i32>>(wide: &[T]) -> Result<Arc<Vec<i32>>> {
    wide.iter()
        .map(|&x| x.try_into().map_err(|_| Error::bad_input(format!("the integer {x} does not fit an i32"))))
        .collect::<Result<_>>()
        .map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn le(element: Element, bytes: &[u8]) -> Result<Tensor> {
        element.decode(&[bytes.len() / element.size()], bytes, Endian::Little)
    }

    #[test]
    fn floats_become_f32() {
        let wanted = [1.5f32, -0.25];
        let f64s: Vec<u8> = wanted.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
        let f16s: Vec<u8> = wanted.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
        let bf16s: Vec<u8> = wanted.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect();
        for (element, bytes) in [(Element::F64, &f64s), (Element::F16, &f16s), (Element::Bf16, &bf16s)] {
            assert_eq!(le(element, bytes).unwrap().f32s().unwrap(), wanted, "{element}");
        }
    }

    #[test]
    fn integers_become_i32_or_an_error() {
        assert_eq!(le(Element::I64, &(-7i64).to_le_bytes()).unwrap().i32s().unwrap(), [-7]);
        assert_eq!(le(Element::U8, &[200]).unwrap().i32s().unwrap(), [200]);
        assert_eq!(le(Element::I8, &[200]).unwrap().i32s().unwrap(), [-56]);
        assert_eq!(le(Element::Bool, &[0, 1, 7]).unwrap().i32s().unwrap(), [0, 1, 1]);
        for (element, bytes) in [(Element::I64, (1i64 << 31).to_le_bytes()), (Element::U64, [255; 8])] {
            let e = le(element, &bytes).unwrap_err();
            assert!(e.to_string().contains("does not fit an i32"), "{e}");
        }
        assert!(le(Element::U32, &[255; 4]).is_err());
    }

    #[test]
    fn big_endian_is_swapped_and_unaligned_bytes_are_read() {
        let mut bytes = vec![0];
        bytes.extend(1.5f32.to_be_bytes());
        let t = Element::F32.decode(&[1], &bytes[1..], Endian::Big).unwrap();
        assert_eq!(t.f32s().unwrap(), [1.5]);
    }

    #[test]
    fn a_wrong_length_is_an_error() {
        assert!(Element::F32.decode(&[2], &[0; 7], Endian::Little).is_err());
        assert!(Element::F64.decode(&[1 << 16, 1 << 15], &[0; 8], Endian::Little).is_err());
        assert!(Element::F32.decode(&[0], &[], Endian::Little).is_err());
    }
}
