//! YUV4MPEG2: planes as they are, behind a line of text.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ::y4m::{Colorspace, Decoder, Limits};

use super::color::{Color, Planes};
use super::{MAX_PIXELS, Opened, Picture, Refusal, Source, Step};
use crate::error::{Error, Result};

/// Opens a file after counting its frames.
pub(super) fn open(path: &Path) -> Step<Opened> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let source = Stream::new(BufReader::new(File::open(path).map_err(plain)?), Color::default())?;
    let frames = count(BufReader::new(File::open(path).map_err(plain)?), source.frame_bytes)?;
    let fps = source.fps();
    Ok(Opened { source: Box::new(source), format: "YUV4MPEG2".into(), fps, frames: Some(frames), turns: 0 })
}

/// Counts the frames of a file by its frame lines.
fn count(mut file: BufReader<File>, frame_bytes: u64) -> Result<usize> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let length = file.get_ref().metadata().map_err(plain)?.len();
    let mut line = Vec::new();
    file.by_ref().take(1024).read_until(b'\n', &mut line).map_err(plain)?;
    let mut at = line.len() as u64;
    let mut frames = 0;
    while at < length {
        line.clear();
        file.by_ref().take(1024).read_until(b'\n', &mut line).map_err(plain)?;
        at += line.len() as u64 + frame_bytes;
        if !line.starts_with(b"FRAME") || at > length {
            return Err(Error::bad_input(format!("the file is cut off or damaged after {frames} frames")));
        }
        file.seek_relative(frame_bytes as i64).map_err(plain)?;
        frames += 1;
    }
    Ok(frames)
}

/// A stream of frames from a file or a pipe.
pub(super) struct Stream<R: Read> {
    decoder: Decoder<R>,
    chroma: Option<(u32, u32)>,
    frame_bytes: u64,
    color: Color,
}

impl<R: Read> Stream<R> {
    /// Reads the header; `color` is used where it is silent.
    pub(super) fn new(reader: R, color: Color) -> Step<Stream<R>> {
        let limits = Limits { bytes: MAX_PIXELS * 3 };
        let decoder = Decoder::new_with_limits(reader, limits).map_err(|e| match e {
            ::y4m::Error::UnknownColorspace => {
                Refusal::Foreign("YUV4MPEG2 in an unusual colour format".into())
            }
            e => Error::bad_input(format!("the YUV4MPEG2 header is damaged: {e}")).into(),
        })?;
        let (width, height) = (decoder.get_width(), decoder.get_height());
        if width.checked_mul(height).is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(Error::bad_input(format!("a video of {width}x{height} is too large")).into());
        }
        if decoder.get_bit_depth() > 8 {
            return Err(Refusal::Foreign(format!("YUV4MPEG2 of {} bits", decoder.get_bit_depth())));
        }
        let chroma = match decoder.get_colorspace() {
            Colorspace::Cmono => None,
            Colorspace::C422 => Some((1, 0)),
            Colorspace::C444 => Some((0, 0)),
            _ => Some((1, 1)),
        };
        let (w, h) = (width as u64, height as u64);
        let frame_bytes = w * h + chroma.map_or(0, |(x, y)| 2 * w.div_ceil(1 << x) * h.div_ceil(1 << y));
        let mut parameters = decoder.get_raw_params().split(|&b| b == b' ');
        let full_range = parameters.find_map(|p| match p {
            b"XCOLORRANGE=FULL" => Some(true),
            b"XCOLORRANGE=LIMITED" => Some(false),
            _ => None,
        });
        let color = Color { matrix: None, full_range }.or(color);
        Ok(Stream { decoder, chroma, frame_bytes, color })
    }

    pub(super) fn fps(&self) -> Option<f64> {
        let rate = self.decoder.get_framerate();
        (rate.num > 0 && rate.den > 0).then(|| rate.num as f64 / rate.den as f64)
    }
}

impl<R: Read + Send> Source for Stream<R> {
    fn next(&mut self) -> Step<Option<Picture>> {
        let (width, height) = (self.decoder.get_width(), self.decoder.get_height());
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            Err(::y4m::Error::EOF) => return Ok(None),
            Err(e) => return Err(Error::bad_input(format!("YUV4MPEG2: {e}")).into()),
        };
        let grey = [frame.get_y_plane(), &[], &[]];
        let planes = match self.chroma {
            None => grey,
            Some(_) => [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()],
        };
        let planes = planes.map(<[u8]>::to_vec);
        let chroma = self.chroma.unwrap_or_default();
        let planes = Planes { width, height, planes, chroma, color: self.color }.complete();
        Ok(Some(Picture::Yuv(planes.ok_or_else(|| Error::bad_input("YUV4MPEG2: an incomplete frame"))?)))
    }

    fn skip(&mut self) -> Step<bool> {
        match self.decoder.read_frame() {
            Ok(_) => Ok(true),
            Err(::y4m::Error::EOF) => Ok(false),
            Err(e) => Err(Error::bad_input(format!("YUV4MPEG2: {e}")).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::video::open;

    fn file(header: &str, frames: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("YUV4MPEG2 {header}\n").into_bytes();
        for frame in frames {
            bytes.extend(b"FRAME\n");
            bytes.extend(*frame);
        }
        bytes
    }

    #[test]
    fn frames_range_and_cuts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no_extension");
        let black = [16, 16, 16, 16, 16, 16, 128, 128, 128, 128];
        let white = [235, 235, 235, 235, 235, 235, 128, 128, 128, 128];
        let bytes = file("W3 H2 F30000:1001 C420jpeg", &[&black, &white]);
        std::fs::write(&path, &bytes).unwrap();
        let mut video = open(&path).unwrap();
        assert_eq!((video.width(), video.height(), video.frames()), (3, 2, Some(2)));
        assert!((video.fps().unwrap() - 29.97).abs() < 0.001);
        assert_eq!(video.next_frame().unwrap().unwrap().rgb(), [0; 18]);
        assert_eq!(video.next_frame().unwrap().unwrap().rgb(), [255; 18]);
        assert!(video.next_frame().unwrap().is_none());

        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let e = open(&path).unwrap_err().to_string();
        assert!(e.contains("after 1 frames"), "{e}");

        std::fs::write(&path, file("W3 H2 C420jpeg XCOLORRANGE=FULL", &[&black])).unwrap();
        assert_eq!(open(&path).unwrap().next_frame().unwrap().unwrap().rgb(), [16; 18]);

        std::fs::write(&path, file("W3 H2 Cmono", &[&[255, 0, 16, 235, 16, 235]])).unwrap();
        let grey = open(&path).unwrap().next_frame().unwrap().unwrap();
        assert_eq!(grey.rgb()[..9], [255, 255, 255, 0, 0, 0, 0, 0, 0]);

        std::fs::write(&path, file("W3 H2", &[])).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("no frame"));
        std::fs::write(&path, file("W4294967297 H4294967297", &[])).unwrap();
        assert!(open(&path).is_err());
    }
}
