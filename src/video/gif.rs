//! Animated GIFs: every frame is what a viewer would show, composed on the canvas.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ::gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod};

use super::{Frame, MAX_PIXELS, Opened, Picture, Source, Step};
use crate::error::{Error, Result};

/// Where nothing has been drawn, the canvas is white.
const EMPTY: [u8; 3] = [255; 3];

/// Opens a GIF after reading through the headers of its frames.
pub(super) fn open(path: &Path) -> Step<Opened> {
    let mut scan = decoder(path, true)?;
    let (mut frames, mut hundredths) = (0usize, 0u64);
    loop {
        match scan.next_frame_info() {
            Ok(Some(frame)) => {
                frames += 1;
                // Viewers show a frame with a shorter delay than 20 ms for 100 ms.
                hundredths += if frame.delay < 2 { 10 } else { u64::from(frame.delay) };
            }
            Ok(None) => break,
            Err(e) => {
                let text = format!("the GIF is cut off or damaged near frame {frames}: {e}");
                return Err(Error::bad_input(text).into());
            }
        }
    }
    let decoder = decoder(path, false)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    if width * height > MAX_PIXELS {
        return Err(Error::bad_input(format!("a GIF of {width}x{height} is too large")).into());
    }
    let canvas = EMPTY.repeat(width * height);
    let source = Animation { decoder, width, height, canvas, undo: None };
    let fps = (frames > 1).then(|| frames as f64 * 100.0 / hundredths as f64);
    Ok(Opened { source: Box::new(source), format: "GIF".into(), fps, frames: Some(frames), turns: 0 })
}

fn decoder(path: &Path, headers_only: bool) -> Result<Decoder<BufReader<File>>> {
    let file = File::open(path).map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.skip_frame_decoding(headers_only);
    options.check_frame_consistency(true);
    options.set_memory_limit(::gif::MemoryLimit::Bytes(
        (MAX_PIXELS as u64 * 4).try_into().unwrap_or(std::num::NonZeroU64::MAX),
    ));
    options
        .read_info(BufReader::new(file))
        .map_err(|e| Error::bad_input(format!("the GIF is cut off or damaged within its header: {e}")))
}

struct Animation {
    decoder: Decoder<BufReader<File>>,
    width: usize,
    height: usize,
    canvas: Vec<u8>,
    /// What the canvas becomes before the next frame is drawn.
    undo: Option<Vec<u8>>,
}

impl Source for Animation {
    fn next(&mut self) -> Step<Option<Picture>> {
        if !self.skip()? {
            return Ok(None);
        }
        let rgb = self.canvas.clone();
        Ok(Some(Picture::Rgb(Frame { width: self.width, height: self.height, rgb })))
    }

    fn skip(&mut self) -> Step<bool> {
        if let Some(before) = self.undo.take() {
            self.canvas = before;
        }
        let frame = self.decoder.read_next_frame().map_err(|e| Error::bad_input(format!("GIF: {e}")))?;
        let Some(frame) = frame else { return Ok(false) };
        let (left, top) = (usize::from(frame.left), usize::from(frame.top));
        let (w, h) = (usize::from(frame.width), usize::from(frame.height));
        if left + w > self.width || top + h > self.height || frame.buffer.len() < w * h * 4 {
            return Err(Error::bad_input("GIF: a frame reaches beyond the canvas").into());
        }
        if frame.dispose == DisposalMethod::Previous {
            self.undo = Some(self.canvas.clone());
        }
        for (y, row) in frame.buffer.chunks_exact((w * 4).max(4)).enumerate() {
            let start = ((top + y) * self.width + left) * 3;
            for (to, from) in self.canvas[start..start + w * 3].chunks_exact_mut(3).zip(row.chunks_exact(4)) {
                if from[3] != 0 {
                    to.copy_from_slice(&from[..3]);
                }
            }
        }
        if frame.dispose == DisposalMethod::Background {
            let mut cleared = self.canvas.clone();
            for y in top..top + h {
                let start = (y * self.width + left) * 3;
                cleared[start..start + w * 3].fill(EMPTY[0]);
            }
            self.undo = Some(cleared);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::gif::{Encoder, Frame as Part};

    /// A GIF whose frames cover parts of the canvas and are disposed of in different ways.
    #[test]
    fn frames_are_composed() {
        let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255];
        let part = |left, width, index: u8, dispose| Part {
            left,
            width,
            height: 1,
            delay: 5,
            dispose,
            buffer: vec![index; usize::from(width)].into(),
            ..Part::default()
        };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 4, 1, &palette).unwrap();
        for part in [
            part(0, 3, 0, DisposalMethod::Keep),
            part(1, 2, 1, DisposalMethod::Previous),
            part(2, 1, 2, DisposalMethod::Background),
            part(0, 1, 2, DisposalMethod::Keep),
        ] {
            encoder.write_frame(&part).unwrap();
        }
        drop(encoder);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        std::fs::write(&path, &bytes).unwrap();

        let [r, g, b, e] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], EMPTY];
        let mut video = crate::video::open(&path).unwrap();
        assert_eq!((video.frames(), video.fps()), (Some(4), Some(20.0)));
        for want in [[r, r, r, e], [r, g, g, e], [r, r, b, e], [b, r, e, e]] {
            assert_eq!(video.next_frame().unwrap().unwrap().rgb(), want.concat());
        }
        assert!(video.next_frame().unwrap().is_none());

        std::fs::write(&path, &bytes[..bytes.len() - 12]).unwrap();
        let e = crate::video::open(&path).unwrap_err().to_string();
        assert!(e.contains("near frame 3"), "{e}");
    }
}
