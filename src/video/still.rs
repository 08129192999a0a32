//! Single pictures and folders of them.

use std::cmp::Ordering;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};

use super::{Frame, MAX_PIXELS, Opened, Picture, Source, Step};
use crate::error::{Error, Result};

/// Whether a file that begins so is a PNG, JPEG or WebP picture.
pub(super) fn is_picture(head: &[u8]) -> bool {
    use image::ImageFormat::{Jpeg, Png, WebP};
    image::guess_format(head).is_ok_and(|format| matches!(format, Png | Jpeg | WebP))
}

/// A video of one frame.
pub(super) fn single(path: &Path) -> Step<Opened> {
    Ok(opened("picture", vec![path.into()]))
}

/// The PNG, JPEG and WebP files of a folder, in natural order: `frame9` before `frame10`.
pub(super) fn folder(path: &Path) -> Step<Opened> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(path).map_err(plain)? {
        let file = entry.map_err(plain)?.path();
        let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || !file.is_file() {
            continue;
        }
        let mut head = Vec::new();
        let read = std::fs::File::open(&file).and_then(|f| f.take(32).read_to_end(&mut head));
        read.map_err(|e| Error::bad_input(format!("{}: {e}", file.display())))?;
        if is_picture(&head) {
            pictures.push(file);
        }
    }
    if pictures.is_empty() {
        return Err(Error::bad_input("there is no PNG, JPEG or WebP picture in this folder").into());
    }
    pictures.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(opened("folder of pictures", pictures))
}

fn opened(format: &str, pictures: Vec<PathBuf>) -> Opened {
    let frames = Some(pictures.len());
    let source = Box::new(Pictures { pictures, at: 0, size: None });
    Opened { source, format: format.into(), fps: None, frames, turns: 0 }
}

struct Pictures {
    pictures: Vec<PathBuf>,
    at: usize,
    /// The size of the first picture read.
    size: Option<(usize, usize)>,
}

impl Source for Pictures {
    fn next(&mut self) -> Step<Option<Picture>> {
        let Some(path) = self.pictures.get(self.at) else { return Ok(None) };
        let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let frame = load(path).map_err(|e| e.at(name(path)))?;
        let size = (frame.width, frame.height);
        let first = *self.size.get_or_insert(size);
        if size != first {
            let text = format!(
                "the pictures differ in size: {} is {}x{}, {} is {}x{}",
                name(&self.pictures[0]),
                first.0,
                first.1,
                name(path),
                size.0,
                size.1
            );
            return Err(Error::bad_input(text).into());
        }
        self.at += 1;
        Ok(Some(Picture::Rgb(frame)))
    }

    fn skip(&mut self) -> Step<bool> {
        let more = self.at < self.pictures.len();
        self.at += usize::from(more);
        Ok(more)
    }
}

/// Reads a picture upright, as RGB; an alpha channel is dropped, as OpenCV and PIL drop it.
fn load(path: &Path) -> Result<Frame> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let damaged = |e: image::ImageError| Error::bad_input(format!("cannot be decoded: {e}"));
    let reader = ImageReader::open(path).map_err(plain)?.with_guessed_format().map_err(plain)?;
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (w, h) = decoder.dimensions();
    if u64::from(w) * u64::from(h) > MAX_PIXELS as u64 {
        return Err(Error::bad_input(format!("a picture of {w}x{h} is too large")));
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Frame::new(width, height, picture.into_rgb8().into_raw())
}

/// Compares names so that runs of digits count as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let split = |s: &'_ str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
            let ((na, ra), (nb, rb)) = (a.split_at(split(a)), b.split_at(split(b)));
            let (ta, tb) = (na.trim_start_matches('0'), nb.trim_start_matches('0'));
            let order =
                ta.len().cmp(&tb.len()).then_with(|| ta.cmp(tb)).then_with(|| na.len().cmp(&nb.len()));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (ra, rb);
        } else {
            if x != y {
                return x.cmp(&y);
            }
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{open, write};

    fn grey(w: usize, h: usize, level: u8) -> Frame {
        Frame::new(w, h, vec![level; w * h * 3]).unwrap()
    }

    #[test]
    fn natural_order() {
        let mut names = ["f10.png", "f9.png", "f009.png", "a", "f", "f1b", "f1a2", "f1a10", "é1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "f", "f1a2", "f1a10", "f1b", "f9.png", "f009.png", "f10.png", "é1"]);
    }

    #[test]
    fn a_folder_is_a_video() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).unwrap_err().to_string().contains("no PNG"));
        for i in [2u8, 10, 1] {
            write::png(dir.path().join(format!("f{i}.png")), &grey(4, 3, i)).unwrap();
        }
        std::fs::write(dir.path().join("notes.txt"), "not a picture").unwrap();
        let mut video = open(dir.path()).unwrap();
        assert_eq!((video.width(), video.height(), video.frames(), video.fps()), (4, 3, Some(3), None));
        assert_eq!(video.next_frame().unwrap().unwrap().rgb()[0], 1);
        assert!(video.skip_frame().unwrap());
        assert_eq!(video.next_frame().unwrap().unwrap().rgb()[0], 10);
        assert!(!video.skip_frame().unwrap());
        video.rewind().unwrap();
        assert_eq!(video.next_frame().unwrap().unwrap().rgb()[0], 1);
    }

    #[test]
    fn pictures_of_two_sizes_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        write::png(dir.path().join("1.png"), &grey(4, 3, 0)).unwrap();
        write::png(dir.path().join("2.png"), &grey(4, 4, 0)).unwrap();
        let mut video = open(dir.path()).unwrap();
        video.next_frame().unwrap();
        let e = video.next_frame().unwrap_err().to_string();
        assert!(e.ends_with("1.png is 4x3, 2.png is 4x4"), "{e}");
        assert_eq!(video.next_frame().unwrap_err().to_string(), e);
    }

    #[test]
    fn a_cut_picture_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.png");
        write::png(&path, &grey(64, 64, 7)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(open(&path).is_err());
    }
}
