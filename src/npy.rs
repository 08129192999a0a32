//! NumPy's `.npy` files: one array each.
//!
//! The header is parsed here, strictly, because it is a Python literal: general parsers of those
//! recurse on nested brackets and multiply lengths unchecked, and a hostile file has both.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::element::{Element, Endian};
use crate::error::{At, Error, Result};
use crate::fs::{failed, write_atomic};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy itself refuses longer headers by default.
const MAX_HEADER: usize = 10_000;

/// Reads an array.
///
/// `f4` and `f8` become f32, `f2` stays f16, `u1` and `b1` become u8 and all other integers i32; either byte
/// order and either memory order (`fortran_order`) is read.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the file cannot be read, is no `.npy` file, is shorter or longer than its
/// header says, or holds another type, an empty array or an integer beyond an i32.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    read_file(path).at(path.display())
}

fn read_file(path: &Path) -> Result<Tensor> {
    let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    // Opening a pipe would wait for a writer.
    let metadata = path.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(Error::bad_input("is not a regular file"));
    }
    let mut file = File::open(path).map_err(io)?;
    let file_len = metadata.len();
    let mut head = Vec::new();
    (&mut file).take(12).read_to_end(&mut head).map_err(io)?;
    if !head.starts_with(MAGIC) {
        return Err(Error::bad_input("is no .npy file (NumPy arrays are saved with np.save)"));
    }
    let truncated = || Error::bad_input("is cut off within its header");
    let (start, header_len) = match *head.as_slice() {
        [_, _, _, _, _, _, 1, 0, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
        [_, _, _, _, _, _, 2 | 3, 0, a, b, c, d] => (12, u32::from_le_bytes([a, b, c, d]) as usize),
        [_, _, _, _, _, _, major, minor, ..] if !matches!((major, minor), (1..=3, 0)) => {
            return Err(Error::bad_input(format!("is of .npy version {major}.{minor}; 1.0 to 3.0 are read")));
        }
        _ => return Err(truncated()),
    };
    if header_len > MAX_HEADER {
        return Err(Error::bad_input(format!(
            "has a header of {header_len} bytes; at most {MAX_HEADER} are read"
        )));
    }
    let mut header = head.split_off(start);
    let missing = header_len.saturating_sub(header.len());
    (&mut file).take(missing as u64).read_to_end(&mut header).map_err(io)?;
    if header.len() < header_len {
        return Err(truncated());
    }
    // Where the 12 bytes read first reach past the header, they hold the first elements.
    let mut data = header.split_off(header_len);
    let header = Header::parse(&header)?;

    let shape = Shape::new(&header.shape)?;
    let wanted = shape.elements() as u64 * header.element.size() as u64;
    let found = file_len.saturating_sub((start + header_len) as u64);
    if found != wanted {
        return Err(Error::bad_input(format!(
            "holds {found} bytes of data; {}{shape} needs {wanted}",
            header.element
        )));
    }
    data.reserve_exact((wanted as usize).saturating_sub(data.len()));
    file.take(wanted - data.len() as u64).read_to_end(&mut data).map_err(io)?;
    if !header.fortran {
        return header.element.decode_compact(&shape, &data, header.endian);
    }
    let reversed: Vec<usize> = shape.iter().rev().copied().collect();
    let order: Vec<usize> = (0..shape.rank()).rev().collect();
    header.element.decode_compact(&reversed, &data, header.endian)?.permute(&order)
}

/// Writes an array, replacing the file at once: a reader sees the old or the new one, never a part.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when the file cannot be written.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let order = if Endian::NATIVE == Endian::Little { '<' } else { '>' };
    let descr = match tensor.dtype() {
        DType::F32 => format!("{order}f4"),
        DType::F16 => format!("{order}f2"),
        DType::I32 => format!("{order}i4"),
        DType::U8 => "|u1".into(),
    };
    let lengths: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    let lone = if lengths.len() == 1 { "," } else { "" };
    let shape = format!("({}{lone})", lengths.join(", "));
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // NumPy wants the data at a multiple of 64 bytes, after a line break.
    let padding = 63 - (10 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let header_len = u16::try_from(header.len()).map_err(|e| Error::internal(e.to_string()))?;
    write_atomic(path.as_ref(), |out| {
        out.write_all(MAGIC).map_err(failed)?;
        out.write_all(&[1, 0]).map_err(failed)?;
        out.write_all(&header_len.to_le_bytes()).map_err(failed)?;
        out.write_all(header.as_bytes()).map_err(failed)?;
        out.write_all(tensor.bytes()).map_err(failed)
    })
}

struct Header {
    element: Element,
    endian: Endian,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, keys in any order.
    fn parse(text: &[u8]) -> Result<Header> {
        let malformed = || Error::bad_input("has a malformed header");
        let text = std::str::from_utf8(text).map_err(|_| malformed())?.trim();
        let mut rest = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(malformed)?.trim();
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(malformed)?;
            let value = after.trim_start().strip_prefix(':').ok_or_else(malformed)?.trim_start();
            let after = match key {
                "descr" if descr.is_none() => {
                    let (value, after) = quoted(value).ok_or_else(|| {
                        Error::bad_input("holds a structured array; arrays of plain numbers are read")
                    })?;
                    descr = Some(value);
                    after
                }
                "fortran_order" if fortran.is_none() => {
                    let word = value.split([',', ' ']).next().unwrap_or_default();
                    fortran = Some(match word {
                        "True" => true,
                        "False" => false,
                        _ => return Err(malformed()),
                    });
                    &value[word.len()..]
                }
                "shape" if shape.is_none() => {
                    let (inner, after) =
                        value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(malformed)?;
                    shape = Some(lengths(inner).ok_or_else(malformed)?);
                    after
                }
                _ => return Err(malformed()),
            };
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return Err(malformed()),
            };
        }
        let (Some(descr), Some(fortran), Some(shape)) = (descr, fortran, shape) else {
            return Err(malformed());
        };
        let (element, endian) = element(descr).ok_or_else(|| {
            Error::bad_input(format!(
                "holds elements of type {descr:?}; f2, f4, f8, b1 and integers of 1 to 8 bytes are read"
            ))
        })?;
        Ok(Header { element, endian, fortran, shape })
    }
}

/// The string literal `text` begins with, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// The numbers of `2, 3` or `2,` or nothing; old files end them with an `L`.
fn lengths(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    let text = text.strip_suffix(',').unwrap_or(text);
    text.split(',')
        .map(|n| {
            let n = n.trim();
            n.strip_suffix('L').unwrap_or(n).parse().ok()
        })
        .collect()
}

fn element(descr: &str) -> Option<(Element, Endian)> {
    let endian = match descr.chars().next()? {
        '<' => Endian::Little,
        '>' => Endian::Big,
        '=' | '|' => Endian::NATIVE,
        _ => return None,
    };
    let element = match &descr[1..] {
        "f8" => Element::F64,
        "f4" => Element::F32,
        "f2" => Element::F16,
        "i8" => Element::I64,
        "i4" => Element::I32,
        "i2" => Element::I16,
        "i1" => Element::I8,
        "u8" => Element::U64,
        "u4" => Element::U32,
        "u2" => Element::U16,
        "u1" => Element::U8,
        "b1" => Element::Bool,
        _ => return None,
    };
    Some((element, endian))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    fn read_bytes(bytes: &[u8]) -> Result<Tensor> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn text(bytes: &[u8]) -> String {
        let text = read_bytes(bytes).unwrap_err().to_string();
        text[text.find("a.npy: ").unwrap() + 7..].to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        let floats = Tensor::from_fn(&[2, 3, 5], |i| i as f32 - 7.5).unwrap();
        let tensors = [
            floats.to_f16(),
            floats,
            Tensor::new(&[], vec![3f32]).unwrap(),
            Tensor::new(&[3], vec![1, -2, i32::MAX]).unwrap(),
            Tensor::new(&[1, 4], vec![0u8, 1, 254, 255]).unwrap(),
        ];
        for t in tensors {
            write(&path, &t).unwrap();
            let file = std::fs::read(&path).unwrap();
            assert_eq!((file.len() - t.bytes().len()) % 64, 0);
            let back = read(&path).unwrap();
            assert_eq!((back.shape(), back.dtype(), back.bytes()), (t.shape(), t.dtype(), t.bytes()));
        }
    }

    #[test]
    fn orders_and_types_are_converted() {
        let data: Vec<u8> = [1i64, 2, 3, 4, 5, 6].iter().flat_map(|x| x.to_be_bytes()).collect();
        let t = read_bytes(&npy("{'shape':(2L,3L),'fortran_order':True,'descr':\">i8\"}\n", &data)).unwrap();
        assert_eq!((&**t.shape(), t.i32s().unwrap()), (&[2, 3][..], &[1, 3, 5, 2, 4, 6][..]));
        let t =
            read_bytes(&npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", &[0, 9])).unwrap();
        assert_eq!((t.dtype(), t.bytes()), (DType::U8, &[0, 1][..]));
        let mut v2 = b"\x93NUMPY\x02\x00".to_vec();
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
        v2.extend((header.len() as u32).to_le_bytes());
        v2.extend(header.as_bytes());
        v2.extend(0.5f64.to_le_bytes());
        assert_eq!(read_bytes(&v2).unwrap().f32s().unwrap(), [0.5]);
    }

    #[test]
    fn hostile_files_are_errors_of_one_line() {
        let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let nested = header(&"(".repeat(9000));
        let cases: [(&[u8], &str); 14] = [
            (b"", "is no .npy file"),
            (b"PK\x03\x04 not numpy", "is no .npy file"),
            (b"\x93NUMPY", "is cut off"),
            (b"\x93NUMPY\x01\x00\xff", "is cut off"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "has a header of 4294967295 bytes"),
            (b"\x93NUMPY\x01\x00\xff\x00{", "is cut off"),
            (b"\x93NUMPY\x09\x00\x05\x00{    }", "is of .npy version 9.0"),
            (&npy(&header("(2, 3)"), &[0; 23]), "holds 23 bytes of data; f32[2, 3] needs 24"),
            (&npy(&header("(4294967296, 4294967296)"), &[]), "shape [4294967296, 4294967296] has more"),
            (&npy(&header("(18446744073709551616,)"), &[]), "has a malformed header"),
            (&npy(&header("(2, -3)"), &[]), "has a malformed header"),
            (&npy(&header("(0,)"), &[]), "shape [0] has an empty axis"),
            (&npy(&nested, &[]), "has a malformed header"),
            (
                &npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", &[]),
                "holds a structured",
            ),
        ];
        for (bytes, wanted) in cases {
            let found = text(bytes);
            assert!(found.starts_with(wanted), "{found:?} is not {wanted:?}");
            assert!(!found.contains('\n'));
        }
        let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", &[]);
        assert!(text(&objects).contains("\"|O\""));
    }

    #[test]
    fn no_flipped_byte_panics() {
        let good = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", &[0; 24]);
        for i in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[i] ^= 1 << bit;
                let _ = read_bytes(&bad);
            }
            let _ = read_bytes(&good[..i]);
        }
    }
}
