//! Files of optical flow: Middlebury's .flo, KITTI's 16-bit PNG, and .npy.

use std::io::Cursor;
use std::path::Path;

use image::{ImageBuffer, ImageFormat, Rgb};

use super::{MOST_KNOWN, UNKNOWN, components, is_known};
use crate::error::{At, Error, Result};
use crate::fs::{failed, write_atomic};
use crate::npy;
use crate::tensor::Tensor;

/// The first four bytes of a .flo file: the float 202021.25.
const TAG: [u8; 4] = *b"PIEH";

/// The longest side that a file may name; Middlebury's own reader has the same.
const LONGEST: usize = 99_999;

/// KITTI stores `64·u + 2¹⁵` in 16 bits.
const KITTI_STEP: f32 = 64.0;
const KITTI_ZERO: f32 = 32_768.0;

/// Reads a flow `[H, W, 2]`, by what the file begins with: `.flo` (Middlebury), `.png` of 16-bit RGB (KITTI; the third
/// channel tells where the flow is known), `.npy` of `[H, W, 2]` floats.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the file is none of these, is cut short, or is too long.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).at(path.display())?;
    let flow = if bytes.starts_with(&TAG) {
        parse_flo(&bytes)
    } else if bytes.starts_with(b"\x89PNG") {
        parse_kitti(&bytes)
    } else if bytes.starts_with(b"\x93NUMPY") {
        let tensor = npy::read(path)?.to_f32();
        components(&tensor).map(|_| ()).and(Ok(tensor))
    } else {
        Err(Error::bad_input("is no flow: neither .flo, nor a 16-bit PNG, nor .npy"))
    };
    flow.at(path.display())
}

fn parse_flo(bytes: &[u8]) -> Result<Tensor> {
    let side = |at: usize, name: &str| {
        let word = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_le_bytes);
        let word = word.ok_or_else(|| Error::bad_input("is cut short: a .flo file begins with 12 bytes"))?;
        usize::try_from(word).ok().filter(|n| (1..=LONGEST).contains(n)).ok_or_else(|| {
            Error::bad_input(format!("says that its {name} is {word}, which must be from 1 to {LONGEST}"))
        })
    };
    let (w, h) = (side(4, "width")?, side(8, "height")?);
    let (wanted, have) = (w * h * 8, bytes.len() - 12);
    if have != wanted {
        return Err(Error::bad_input(format!("has {have} bytes of flow, {w}x{h} pixels need {wanted}")));
    }
    let words = bytes[12..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Tensor::new(&[h, w, 2], words.collect::<Vec<f32>>())
}

fn parse_kitti(bytes: &[u8]) -> Result<Tensor> {
    let picture = image::load_from_memory_with_format(bytes, ImageFormat::Png)
        .map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    let image::DynamicImage::ImageRgb16(picture) = picture else {
        return Err(Error::bad_input(format!(
            "is a PNG of {:?} pixels; a flow (KITTI) has 16-bit RGB pixels",
            picture.color()
        )));
    };
    let component = |x: u16| (f32::from(x) - KITTI_ZERO) / KITTI_STEP;
    let flow = picture.pixels().flat_map(|&Rgb([u, v, known])| match known {
        0 => [UNKNOWN; 2],
        _ => [component(u), component(v)],
    });
    Tensor::new(&[picture.height() as usize, picture.width() as usize, 2], flow.collect::<Vec<f32>>())
}

/// Writes a flow `[H, W, 2]` in the format that the name ends in: `.flo`, `.png` (KITTI: multiples of 1/64 from −512 to
/// almost 512 pixels) or `.npy`. The file is complete or is not there.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for another name or when the file cannot be written; [`crate::ErrorKind::BadInput`] when
/// the tensor is no flow or KITTI's format cannot hold it.
pub fn write(path: impl AsRef<Path>, flow: &Tensor) -> Result<()> {
    let path = path.as_ref();
    let ([h, w], values) = components(flow)?;
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    let bytes = match extension.as_deref() {
        Some("npy") => return npy::write(path, flow),
        Some("flo") if w.max(h) <= LONGEST => {
            let mut bytes = TAG.to_vec();
            bytes.extend([w, h].iter().flat_map(|n| (*n as i32).to_le_bytes()));
            bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            bytes
        }
        Some("flo") => Err(Error::bad_input(format!("{w}x{h} pixels: .flo holds sides of up to {LONGEST}")))
            .at(path.display())?,
        Some("png") => kitti(values, [h, w]).at(path.display())?,
        _ => {
            return Err(Error::usage(
                "a flow is written as .flo, .png (KITTI) or .npy: the name must end so",
            )
            .at(path.display()));
        }
    };
    write_atomic(path, |out| out.write_all(&bytes).map_err(failed))
}

fn kitti(values: &[f32], [h, w]: [usize; 2]) -> Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(h * w * 3);
    for (i, pixel) in values.chunks_exact(2).enumerate() {
        if !is_known(pixel) {
            pixels.extend([0u16; 3]);
            continue;
        }
        for c in pixel {
            let stored = (c * KITTI_STEP + KITTI_ZERO).round_ties_even();
            if !(0.0..=65_535.0).contains(&stored) {
                return Err(Error::bad_input(format!(
                    "the flow of pixel ({}, {}) is {c}; KITTI's format holds −512 to 511.98, use .flo",
                    i % w,
                    i / w
                )));
            }
            pixels.push(stored as u16);
        }
        pixels.push(1);
    }
    let side = |n: usize| u32::try_from(n).map_err(|_| Error::bad_input("too many pixels for a PNG"));
    let picture = ImageBuffer::<Rgb<u16>, _>::from_raw(side(w)?, side(h)?, pixels)
        .ok_or_else(|| Error::internal("pixels of a KITTI flow do not fit its size"))?;
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::Png).map_err(|e| Error::internal(format!("PNG: {e}")))?;
    Ok(out.into_inner())
}

// Files name what is unknown by any number beyond this.
const _: () = assert!(UNKNOWN > MOST_KNOWN);

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Tensor {
        Tensor::from_fn(&[3, 4, 2], |i| if i / 2 == 5 { UNKNOWN } else { i as f32 * 0.25 - 3.0 }).unwrap()
    }

    #[test]
    fn files_hold_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.flo", "a.png", "a.npy"] {
            let path = folder.path().join(name);
            write(&path, &flow()).unwrap();
            let back = read(&path).unwrap();
            assert_eq!(
                (back.shape(), back.f32s().unwrap()),
                (flow().shape(), flow().f32s().unwrap()),
                "{name}"
            );
        }
    }

    #[test]
    fn malformed_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.flo");
        write(&path, &flow()).unwrap();
        let good = std::fs::read(&path).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            bad
        };
        for (bytes, message) in [
            (good[..7].to_vec(), "cut short"),
            (good[..good.len() - 1].to_vec(), "has 95 bytes of flow, 4x3 pixels need 96"),
            ([&good[..], b"x"].concat(), "has 97 bytes"),
            (with(4, &(-4i32).to_le_bytes()), "its width is -4"),
            (with(8, &i32::MAX.to_le_bytes()), "its height is 2147483647"),
            (with(0, b"HEIP"), "is no flow"),
            (Vec::new(), "is no flow"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let e = read(&path).unwrap_err().to_string();
            assert!(e.contains(message) && e.contains("a.flo"), "{e}");
        }
        let png = folder.path().join("grey.png");
        image::GrayImage::new(3, 2).save(&png).unwrap();
        assert!(read(&png).unwrap_err().to_string().contains("16-bit RGB"));
        let far = Tensor::new(&[1, 1, 2], vec![600.0, 0.0]).unwrap();
        assert!(write(&png, &far).unwrap_err().to_string().contains("pixel (0, 0) is 600"));
        assert!(write(folder.path().join("a.jpg"), &flow()).unwrap_err().to_string().contains("must end so"));
        assert!(write(&path, &Tensor::from_fn(&[2, 2, 3], |_| 0.0).unwrap()).is_err());
    }
}
