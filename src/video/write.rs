//! GIF, mp4 and PNG files.
//!
//! A file is written beside its destination and renamed when it is complete: there is never half a file.

use std::borrow::Borrow;
use std::path::Path;

use gif::{Encoder, Repeat};
use image::ImageEncoder;
use image::codecs::png::PngEncoder;

use super::{Frame, ffmpeg};
use crate::error::{At, Error, Result};
use crate::fs::{make_atomic, write_atomic};

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
    animation(path.as_ref(), fps, frames.into_iter().map(Ok))
}

/// Writes frames, each of which may fail, as they come: an animated GIF if the name ends in `.gif` (see [`gif()`]), H.264 by
/// an `ffmpeg` process if it ends in `.mp4`, where an odd side is made even by a black line.
///
/// # Errors
/// Those of [`gif()`] and [`check_movie`], and the first of a frame. The file is complete or is not there.
pub fn movie(
    path: impl AsRef<Path>,
    fps: f64,
    frames: impl IntoIterator<Item = Result<Frame>>,
) -> Result<()> {
    let path = path.as_ref();
    match MovieFormat::of(path)? {
        MovieFormat::Gif => animation(path, fps, frames.into_iter()),
        MovieFormat::Mp4 => {
            let fps = rate(fps)?;
            make_atomic(path, |part| ffmpeg::encode(part, fps, frames.into_iter()))
        }
    }
}

/// Fails if [`movie`] cannot write a file of this name, before the work of making the frames.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when the name ends neither in `.gif` nor in `.mp4`, or in the latter and there is no
/// `ffmpeg`.
pub fn check_movie(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match MovieFormat::of(path)? {
        MovieFormat::Gif => Ok(()),
        MovieFormat::Mp4 => ffmpeg::check().at(path.display()),
    }
}

enum MovieFormat {
    Gif,
    Mp4,
}

impl MovieFormat {
    fn of(path: &Path) -> Result<MovieFormat> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).as_deref() {
            Some("gif") => Ok(MovieFormat::Gif),
            Some("mp4") => Ok(MovieFormat::Mp4),
            _ => {
                Err(Error::usage("a video is written as .gif or .mp4: the name must end so")
                    .at(path.display()))
            }
        }
    }
}

fn rate(fps: f64) -> Result<f64> {
    match fps.is_finite() && fps > 0.0 {
        true => Ok(fps),
        false => Err(Error::bad_input(format!("{fps} is no frame rate"))),
    }
}

fn animation<F: Borrow<Frame>>(path: &Path, fps: f64, frames: impl Iterator<Item = Result<F>>) -> Result<()> {
    let step = (100.0 / rate(fps)?).clamp(2.0, 65_535.0);
    let failed = |e: gif::EncodingError| Error::bad_input(format!("cannot be written: {e}"));
    let mut frames = frames.peekable();
    let size = match frames.peek() {
        Some(Ok(first)) => (first.borrow().width(), first.borrow().height()),
        Some(Err(_)) => (1, 1),
        None => return Err(Error::bad_input("a GIF needs at least one frame")),
    };
    let (Ok(width), Ok(height)) = (u16::try_from(size.0), u16::try_from(size.1)) else {
        return Err(Error::bad_input(format!("a GIF cannot be {}x{}", size.0, size.1)));
    };
    write_atomic(path, |file| {
        let mut encoder = Encoder::new(file, width, height, &[]).map_err(failed)?;
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        for (i, frame) in frames.enumerate() {
            let frame = frame?;
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
    fn a_movie_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        // Smooth, for what lossy coding does to edges is not what is tested.
        let smooth = |i: u8| {
            let level = |p: usize| [(p % 16 * 8) as u8 + 4 * i, (p / 16 * 10) as u8, 90];
            Frame::new(16, 8, (0..128).flat_map(level).collect()).unwrap()
        };
        let frames = |n| (0..n).map(|i| Ok(smooth(i)));
        movie(dir.path().join("a.GIF"), 25.0, frames(3)).unwrap();
        assert_eq!(open(dir.path().join("a.GIF")).unwrap().frames(), Some(3));
        let path = dir.path().join("a.mp4");
        if let Err(e) = check_movie(&path) {
            println!("SKIPPED: {e}");
            assert!(e.to_string().contains("ffmpeg"), "{e}");
            return;
        }
        movie(&path, 25.0, frames(7)).unwrap();
        let mut video = open(&path).unwrap();
        assert_eq!((video.width(), video.height(), video.count().unwrap()), (16, 8, 7));
        assert_eq!(video.fps(), Some(25.0));
        let back = video.next_frame().unwrap().unwrap();
        let apart =
            back.rgb().iter().zip(smooth(0).rgb()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
        assert!(apart / 384.0 < 4.0, "{apart}");
        // What fails leaves the old file and nothing else.
        let bad = || Err(Error::bad_input("no such frame"));
        let e = movie(&path, 25.0, [Ok(smooth(0)), bad()]).unwrap_err().to_string();
        assert!(e.contains("no such frame"), "{e}");
        assert!(movie(&path, 25.0, Vec::new()).is_err());
        assert!(movie(dir.path().join("a.avi"), 25.0, frames(1)).is_err());
        assert_eq!(open(&path).unwrap().count().unwrap(), 7);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
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
