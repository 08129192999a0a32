//! MP4 and MOV files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use re_mp4::{Mp4, Sample, StsdBoxContent, TrakBox};

use super::coded::{Codec, Coded, Packets};
use super::color::{Color, Matrix};
use super::h264::H264;
use super::vp9::Vp9;
use super::{Opened, Refusal, Step};
use crate::error::{Error, Result};

/// Opens the first video track.
pub(super) fn open(path: &Path) -> Step<Opened> {
    let mut file = File::open(path).map_err(unreadable)?;
    let layout = Layout::read(&mut file)?;
    file.rewind().map_err(unreadable)?;
    let reader = Patient { inner: BufReader::new(&file), left: 100_000 + 4 * layout.metadata };
    let mp4 = Mp4::read(reader, layout.end)
        .map_err(|e| Error::bad_input(format!("the MP4 index is damaged: {e}")))?;

    let video = |trak: &&TrakBox| trak.mdia.hdlr.handler_type.value == *b"vide";
    let none = || Error::bad_input("there is no video track in it");
    let trak = mp4.moov.traks.iter().find(video).ok_or_else(none)?;
    let track = mp4.tracks().get(&trak.tkhd.track_id).ok_or_else(none)?;
    let samples: Vec<&Sample> = track.samples.iter().filter(|s| s.size > 0).collect();
    let held = |s: &&&Sample| s.offset.checked_add(s.size).is_some_and(|end| end <= layout.length);
    let whole = samples.iter().take_while(held).count();
    if whole < samples.len() {
        let text = format!("the file is cut off after {whole} of {} frames", samples.len());
        return Err(Error::bad_input(text).into());
    }

    let color = container_color(&layout.index, mp4.moov.traks.iter().position(|t| video(&t)));
    let (codec, name) = match &trak.mdia.minf.stbl.stsd.contents {
        StsdBoxContent::Avc1(entry) => {
            let record = entry.avcc.raw.as_slice();
            (Codec::H264(Box::new(H264::new(record, color)?)), "H.264")
        }
        StsdBoxContent::Vp09(_) => (Codec::Vp9(Box::new(Vp9::new(color))), "VP9"),
        StsdBoxContent::Unknown(name) => {
            return Err(Refusal::Foreign(format!("MP4 with {} video", name.to_string().trim())));
        }
        other => {
            let name = match other {
                StsdBoxContent::Hvc1(_) | StsdBoxContent::Hev1(_) => "HEVC (H.265)",
                StsdBoxContent::Av01(_) => "AV1",
                StsdBoxContent::Vp08(_) => "VP8",
                _ => "unknown",
            };
            return Err(Refusal::Foreign(format!("MP4 with {name} video")));
        }
    };

    let start = edit_start(&mp4, trak, &samples);
    let times: Vec<_> =
        samples.iter().map(|s| Some(s.composition_timestamp).filter(|&t| t >= start)).collect();
    let ticks: u64 = samples.iter().map(|s| s.duration).sum();
    let fps = samples.len() as f64 * track.timescale as f64 / ticks as f64;
    let places = samples.iter().map(|s| (s.offset, s.size as usize)).collect::<Vec<_>>();
    let packets = Samples { file, places: places.into_iter() };
    let source = Coded::new(Box::new(packets), codec, &times);
    let frames = Some(source.frames());
    let format = format!("MP4, {name}");
    Ok(Opened { source: Box::new(source), format, fps: Some(fps), frames, turns: turns(trak) })
}

fn unreadable(e: std::io::Error) -> Error {
    Error::bad_input(format!("cannot be read: {e}"))
}

/// A reader that gives up after so many calls: the parser goes around in circles on boxes whose damaged
/// length leads back to them.
struct Patient<R> {
    inner: R,
    left: u64,
}

impl<R> Patient<R> {
    fn call(&mut self) -> std::io::Result<&mut R> {
        self.left = self.left.checked_sub(1).ok_or_else(|| std::io::Error::other("boxes lead in circles"))?;
        Ok(&mut self.inner)
    }
}

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.call()?.read(buffer)
    }
}

impl<R: Seek> Seek for Patient<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.call()?.seek(to)
    }

    fn stream_position(&mut self) -> std::io::Result<u64> {
        self.call()?.stream_position()
    }
}

struct Samples {
    file: File,
    places: std::vec::IntoIter<(u64, usize)>,
}

impl Packets for Samples {
    fn read(&mut self, packet: &mut Vec<u8>) -> Result<bool> {
        let Some((offset, size)) = self.places.next() else { return Ok(false) };
        packet.resize(size, 0);
        self.file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        self.file.read_exact(packet).map_err(unreadable)?;
        Ok(true)
    }
}

/// Where the outermost boxes of a file lie.
struct Layout {
    /// Bytes in the file.
    length: u64,
    /// Where its last box ends, which is beyond the file when it is cut off.
    end: u64,
    /// Bytes in boxes other than those of the media.
    metadata: u64,
    /// The content of the `moov` box.
    index: Vec<u8>,
}

impl Layout {
    fn read(file: &mut File) -> Result<Layout> {
        let length = file.metadata().map_err(unreadable)?.len();
        let (mut at, mut metadata, mut index) = (0u64, 0, None);
        while at + 8 <= length {
            let mut head = [0; 16];
            file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
            let held = 16.min(length - at) as usize;
            file.read_exact(&mut head[..held]).map_err(unreadable)?;
            let [a, b, c, d, k @ .., _, _, _, _, _, _, _, _] = head;
            let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
                0 => (8, length - at),
                1 => (16, u64::from_be_bytes(*head.last_chunk().unwrap_or(&[0; 8]))),
                size => (8, u64::from(size)),
            };
            let end = at.checked_add(size).filter(|_| size >= header);
            let Some(end) = end else {
                return Err(Error::bad_input(format!("the MP4 box at byte {at} is damaged")));
            };
            if k != *b"mdat" && end <= length {
                metadata += size;
            }
            if k == *b"moov" && end <= length {
                let mut bytes = vec![0; (size - header) as usize];
                file.seek(SeekFrom::Start(at + header)).map_err(unreadable)?;
                file.read_exact(&mut bytes).map_err(unreadable)?;
                index = Some(bytes);
            }
            at = end;
        }
        let cut =
            "the file is cut off before its index (the MP4 box `moov`), so none of its frames can be found";
        let index = index.ok_or_else(|| Error::bad_input(cut))?;
        Ok(Layout { length, end: at, metadata, index })
    }
}

/// The contents of the boxes of a kind that lie side by side in `bytes`.
fn boxes<'a>(mut bytes: &'a [u8], kind: &'a [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        loop {
            let (&[a, b, c, d, ref name @ ..], _) = bytes.split_first_chunk::<8>()?;
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            let (this, rest) = bytes.split_at_checked(size).filter(|_| size >= 8)?;
            bytes = rest;
            if name == kind {
                return Some(&this[8..]);
            }
        }
    })
}

/// The `colr` box of a track's first sample entry.
fn container_color(moov: &[u8], track: Option<usize>) -> Color {
    const SAMPLE_ENTRY: usize = 8 + 78;
    let find = || {
        let trak = boxes(moov, b"trak").nth(track?)?;
        let mdia = boxes(trak, b"mdia").next()?;
        let minf = boxes(mdia, b"minf").next()?;
        let stbl = boxes(minf, b"stbl").next()?;
        let entries = boxes(stbl, b"stsd").next()?.get(8..)?;
        let size = u32::from_be_bytes(*entries.first_chunk()?) as usize;
        let entry = entries.get(SAMPLE_ENTRY..size)?;
        boxes(entry, b"colr").find_map(|colr| match colr {
            [b'n', b'c', b'l', b'x', _, _, _, _, m0, m1, range, ..] => Some(Color {
                matrix: Matrix::from_h273(u32::from(u16::from_be_bytes([*m0, *m1]))),
                full_range: Some(range & 0x80 != 0),
            }),
            [b'n', b'c', b'l', b'c', _, _, _, _, m0, m1, ..] => Some(Color {
                matrix: Matrix::from_h273(u32::from(u16::from_be_bytes([*m0, *m1]))),
                full_range: None,
            }),
            _ => None,
        })
    };
    find().unwrap_or_default()
}

/// The time of the first frame to show: the edit list hides what was cut before it.
fn edit_start(mp4: &Mp4, trak: &TrakBox, samples: &[&Sample]) -> i64 {
    let entries = trak.edts.as_ref().and_then(|e| e.elst.as_ref()).map(|e| e.entries.as_slice());
    let empty = |t: u64| t == u64::from(u32::MAX) || t == u64::MAX;
    let edit = entries.and_then(|e| e.iter().find(|e| !empty(e.media_time)));
    let (Some(edit), Some(first), true) = (edit, samples.first(), mp4.moofs.is_empty()) else {
        return i64::MIN;
    };
    let offset = trak.mdia.minf.stbl.ctts.as_ref().and_then(|c| c.entries.first());
    let unshifted = offset.map_or(0, |e| i64::from(e.sample_offset));
    let shift = unshifted.saturating_sub(first.composition_timestamp);
    i64::try_from(edit.media_time).unwrap_or(0).saturating_sub(shift)
}

/// Quarter turns clockwise in the track's matrix.
fn turns(trak: &TrakBox) -> u8 {
    let m = &trak.tkhd.matrix;
    match (m.a.signum(), m.b.signum(), m.c.signum(), m.d.signum()) {
        (0, 1, -1, 0) => 1,
        (-1, 0, 0, -1) => 2,
        (0, -1, 1, 0) => 3,
        _ => 0,
    }
}
