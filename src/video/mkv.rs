//! Matroska and WebM files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use matroska_demuxer::{DemuxError, Frame, MatrixCoefficients, MatroskaFile, Range, TrackEntry, TrackType};

use super::coded::{Codec, Coded, Packets};
use super::color::{Color, Matrix};
use super::h264::H264;
use super::vp9::{self, Vp9};
use super::{Opened, Refusal, Step};
use crate::error::{Error, Result};

type Demuxer = MatroskaFile<BufReader<File>>;

/// Opens the first video track. The packets are read through once for their times, without decoding.
pub(super) fn open(path: &Path) -> Step<Opened> {
    check_length(path)?;
    let mut scan = demuxer(path)?;
    let track = scan.tracks().iter().find(|t| t.track_type() == TrackType::Video);
    let track = track.ok_or_else(|| Error::bad_input("there is no video track in it"))?.clone();
    let id = track.track_number().get();
    let (is_vp9, name) = match track.codec_id() {
        "V_MPEG4/ISO/AVC" => (false, "H.264"),
        "V_VP9" => (true, "VP9"),
        codec => return Err(Refusal::Foreign(format!("Matroska with {} video", codec_name(codec)))),
    };
    if track.content_encodings().is_some_and(|e| !e.is_empty()) {
        return Err(Refusal::Foreign("Matroska with compressed or encrypted tracks".into()));
    }

    let mut times = Vec::new();
    let mut frame = Frame::default();
    loop {
        match scan.next_frame(&mut frame) {
            Ok(true) if frame.track == id => {
                let shown = !is_vp9 || vp9::shows(&frame.data);
                times.push(shown.then_some(i64::try_from(frame.timestamp).unwrap_or(i64::MAX)));
            }
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => return Err(damaged(&e).into()),
        }
    }
    let color = container_color(&track);
    let codec = if is_vp9 {
        Codec::Vp9(Box::new(Vp9::new(color)))
    } else {
        Codec::H264(Box::new(H264::new(track.codec_private().unwrap_or_default(), color)?))
    };
    let shown = || times.iter().flatten();
    let span = shown().max().zip(shown().min()).map_or(0, |(last, first)| last - first);
    let tick = scan.info().timestamp_scale().get() as f64 * 1e-9;
    let fps = match track.default_duration() {
        Some(nanoseconds) => 1e9 / nanoseconds.get() as f64,
        None => shown().count().saturating_sub(1) as f64 / (span as f64 * tick),
    };
    let packets = Blocks { demuxer: demuxer(path)?, track: id, frame };
    let source = Coded::new(Box::new(packets), codec, &times);
    let frames = Some(source.frames());
    let format = format!("Matroska, {name}");
    Ok(Opened { source: Box::new(source), format, fps: Some(fps), frames, turns: 0 })
}

fn damaged(e: &DemuxError) -> Error {
    match e {
        DemuxError::IoError(e) => Error::bad_input(format!("the Matroska structure is damaged: {e}")),
        e => Error::bad_input(format!("the Matroska structure is damaged: {e}")),
    }
}

fn demuxer(path: &Path) -> Result<Demuxer> {
    let file = File::open(path).map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    MatroskaFile::open(BufReader::new(file)).map_err(|e| damaged(&e))
}

struct Blocks {
    demuxer: Demuxer,
    track: u64,
    frame: Frame,
}

impl Packets for Blocks {
    fn read(&mut self, packet: &mut Vec<u8>) -> Result<bool> {
        while self.demuxer.next_frame(&mut self.frame).map_err(|e| damaged(&e))? {
            if self.frame.track == self.track {
                std::mem::swap(packet, &mut self.frame.data);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn codec_name(id: &str) -> &str {
    match id {
        "V_AV1" => "AV1",
        "V_VP8" => "VP8",
        "V_MPEGH/ISO/HEVC" => "HEVC (H.265)",
        other => other,
    }
}

fn container_color(track: &TrackEntry) -> Color {
    let color = track.video().and_then(|v| v.colour());
    let matrix = color.and_then(|c| c.matrix_coefficients()).and_then(|m| match m {
        MatrixCoefficients::Bt709 => Some(Matrix::BT709),
        MatrixCoefficients::Fcc73682 => Some(Matrix::FCC),
        MatrixCoefficients::Bt470bg | MatrixCoefficients::Smpte170 => Some(Matrix::BT601),
        MatrixCoefficients::Smpte240 => Some(Matrix::SMPTE240),
        MatrixCoefficients::Bt2020Ncl | MatrixCoefficients::Bt2020Cl => Some(Matrix::BT2020),
        _ => None,
    });
    let full_range = color.and_then(|c| c.range()).and_then(|r| match r {
        Range::Broadcast => Some(false),
        Range::Full => Some(true),
        _ => None,
    });
    Color { matrix, full_range }
}

/// Checks that the file does not end before its segment does: the demuxer takes such an end for the last
/// frame.
fn check_length(path: &Path) -> Result<()> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let file = File::open(path).map_err(plain)?;
    let held = file.metadata().map_err(plain)?.len();
    let mut head = Vec::new();
    file.take(4096).read_to_end(&mut head).map_err(plain)?;
    let end = || {
        let (header, at) = size_at(&head, 4)?;
        let segment = at.checked_add(usize::try_from(header?).ok()?)?;
        if head.get(segment..segment.checked_add(4)?)? != [0x18, 0x53, 0x80, 0x67] {
            return None;
        }
        let (size, at) = size_at(&head, segment + 4)?;
        (at as u64).checked_add(size?)
    };
    match end() {
        Some(end) if end > held => {
            Err(Error::bad_input(format!("the file is cut off: it holds {held} of {end} bytes")))
        }
        _ => Ok(()),
    }
}

/// An EBML size and where it ends; the size is `None` when it is left open.
fn size_at(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let first = *bytes.get(at)?;
    let width = first.leading_zeros() as usize + 1;
    let field = bytes.get(at..at.checked_add(width)?)?;
    if width > 8 {
        return None;
    }
    let ones = (1u64 << (7 * width)) - 1;
    let value = field.iter().fold(0, |n, &b| n << 8 | u64::from(b)) & ones;
    Some(((value != ones).then_some(value), at + width))
}

#[cfg(test)]
mod tests {
    use super::size_at;

    #[test]
    fn ebml_sizes() {
        assert_eq!(size_at(&[0x9f], 0), Some((Some(31), 1)));
        assert_eq!(size_at(&[0, 0x40, 0x80], 1), Some((Some(128), 3)));
        assert_eq!(size_at(&[1, 255, 255, 255, 255, 255, 255, 255], 0), Some((None, 8)));
        assert_eq!(size_at(&[0xff], 0), Some((None, 1)));
        assert_eq!(size_at(&[0; 9], 0), None);
        assert_eq!(size_at(&[0x40], 0), None);
    }
}
