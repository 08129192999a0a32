//! GIF and PNG files.
//!
//! A file is written beside its destination and renamed when it is complete: there is never half a file.

use std::borrow::Borrow;
use std::path::Path;

use gif::{Encoder, Repeat};
use image::ImageEncoder;
use image::codecs::png::PngEncoder;

use super::Frame;
use crate::error::{At, Error, Result};
use crate::fs::write_atomic;

/// Writes frames as an endless GIF of `fps` frames a second, with a palette of up to 256 colours for each
/// frame. A GIF counts time in hundredths of a second and viewers slow down what is faster than 50 frames
/// a second; such a rate is written as 50. Delays are rounded so that the length of the whole is right.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when there are no frames, they differ in size or are larger than 65,535
/// pixels, or the rate is no positive number; [`crate::ErrorKind::Usage`] when the path cannot be written.
pub fn gif<F: Borrow<Frame>>(
    path: impl AsRef<Path>,
    fps: f64,
    frames: impl IntoIterator<Item = F>,
) -> Result<()> {
    if !(fps.is_finite() && fps > 0.0) {
        return Err(Error::bad_input(format!("{fps} is no frame rate")));
    }
    let step = (100.0 / fps).clamp(2.0, 65_535.0);
    let failed = |e: gif::EncodingError| Error::bad_input(format!("cannot be written: {e}"));
    let mut frames = frames.into_iter().peekable();
    let first = frames.peek().ok_or_else(|| Error::bad_input("a GIF needs at least one frame"))?;
    let size = (first.borrow().width(), first.borrow().height());
    let (Ok(width), Ok(height)) = (u16::try_from(size.0), u16::try_from(size.1)) else {
        return Err(Error::bad_input(format!("a GIF cannot be {}x{}", size.0, size.1)));
    };
    write_atomic(path.as_ref(), |file| {
        let mut encoder = Encoder::new(file, width, height, &[]).map_err(failed)?;
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        for (i, frame) in frames.enumerate() {
            let frame = frame.borrow();
            if (frame.width(), frame.height()) != size {
                let (w, h) = (frame.width(), frame.height());
                let text = format!("frame {i} is {w}x{h}, the first {}x{}", size.0, size.1);
                return Err(Error::bad_input(text));
            }
            let mut picture = gif::Frame::from_rgb_speed(width, height, frame.rgb(), 10);
            let ends = |i: usize| (i as f64 * step).round();
            picture.delay = (ends(i + 1) - ends(i)) as u16;
            encoder.write_frame(&picture).map_err(failed)?;
        }
        encoder.into_inner().map(drop).map_err(|e| Error::bad_input(format!("cannot be written: {e}")))
    })
}

/// Writes one frame as a PNG.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when the path cannot be written.
pub fn png(path: impl AsRef<Path>, frame: &Frame) -> Result<()> {
    let (w, h) = (frame.width() as u32, frame.height() as u32);
    write_atomic(path.as_ref(), |file| {
        let encoded = PngEncoder::new(file).write_image(frame.rgb(), w, h, image::ExtendedColorType::Rgb8);
        encoded.map_err(|e| Error::bad_input(format!("cannot be written: {e}")))
    })
}

/// Writes frames as `frame_00000.png`, `frame_00001.png` … into a folder, which is made where it is
/// missing; gives their number.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when the folder or a file cannot be written.
pub fn pngs<F: Borrow<Frame>>(
    folder: impl AsRef<Path>,
    frames: impl IntoIterator<Item = F>,
) -> Result<usize> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::usage(format!("the folder cannot be made: {e}")))
        .at(folder.display())?;
    let mut count = 0;
    for frame in frames {
        png(folder.join(format!("frame_{count:05}.png")), frame.borrow())?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::open;

    fn picture(seed: usize) -> Frame {
        let level = |i: usize| ((i * 5 + seed * 40) % 256) as u8;
        Frame::new(16, 8, (0..128).flat_map(|i| [level(i), level(i / 2), 128]).collect()).unwrap()
    }

    #[test]
    fn a_gif_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let frames: Vec<_> = (0..7).map(picture).collect();
        gif(&path, 30.0, &frames).unwrap();
        let mut video = open(&path).unwrap();
        assert_eq!(video.frames(), Some(7));
        assert!((video.fps().unwrap() - 30.4).abs() < 0.1);
        for frame in &frames {
            assert_eq!(video.next_frame().unwrap().unwrap(), *frame);
        }
    }

    #[test]
    fn a_folder_of_pngs_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("deep/er");
        assert_eq!(pngs(&folder, (0..3).map(picture)).unwrap(), 3);
        let mut video = open(&folder).unwrap();
        for i in 0..3 {
            assert_eq!(video.next_frame().unwrap().unwrap(), picture(i));
        }
    }

    #[test]
    fn nothing_is_left_of_what_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let other = Frame::new(1, 1, vec![0; 3]).unwrap();
        assert!(gif(&path, 25.0, [picture(0), other]).is_err());
        assert!(gif(&path, 25.0, Vec::<Frame>::new()).is_err());
        assert!(gif(&path, f64::NAN, [picture(0)]).is_err());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        let e = png(dir.path().join("no/such/a.png"), &picture(0)).unwrap_err().to_string();
        assert!(e.contains("a.png: there is no folder"), "{e}");
    }
}
