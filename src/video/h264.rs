//! H.264 packets as MP4 and Matroska hold them: NAL units with a length before each.

use rusty_h264_decoder::{DecodeError, Decoder};

use super::color::{Color, Matrix, Planes};
use super::{Refusal, Step};
use crate::error::Error;

const START: [u8; 4] = [0, 0, 0, 1];

pub(super) struct H264 {
    decoder: Decoder,
    profile: u8,
    length_size: usize,
    /// Parameter sets, sent before the first packet.
    parameters: Vec<u8>,
    color: Color,
}

impl H264 {
    /// A decoder for the stream that this `avcC` record describes; `color` is what the container says.
    pub(super) fn new(record: &[u8], color: Color) -> Step<H264> {
        let damaged = || Error::bad_input("the H.264 parameter sets are damaged");
        let (&[_, profile, _, _, lengths], rest) = record.split_first_chunk().ok_or_else(damaged)?;
        let mut parameters = Vec::new();
        let mut own = None;
        let mut sets = Some(rest);
        for mask in [0x1f, 0xff] {
            let (&count, mut rest) = sets.and_then(<[u8]>::split_first).ok_or_else(damaged)?;
            for _ in 0..count & mask {
                let (&length, tail) = rest.split_first_chunk().ok_or_else(damaged)?;
                let (set, tail) =
                    tail.split_at_checked(usize::from(u16::from_be_bytes(length))).ok_or_else(damaged)?;
                own = own.or_else(|| color_of_sps(set));
                parameters.extend(START);
                parameters.extend(set);
                rest = tail;
            }
            sets = Some(rest);
        }
        let length_size = usize::from(lengths & 3) + 1;
        let color = own.unwrap_or_default().or(color);
        Ok(H264 { decoder: Decoder::new(), profile, length_size, parameters, color })
    }

    /// Decodes one packet to the picture it holds, in coding order.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Step<Option<Planes>> {
        let mut stream = std::mem::take(&mut self.parameters);
        let mut pictured = false;
        let mut rest = packet;
        while !rest.is_empty() {
            let unit = rest.split_at_checked(self.length_size).and_then(|(length, tail)| {
                let length = length.iter().fold(0, |n, &b| n << 8 | usize::from(b));
                tail.split_at_checked(length)
            });
            let Some((unit, tail)) = unit else {
                return Err(Error::bad_input("an H.264 packet is damaged").into());
            };
            pictured |= unit.first().is_some_and(|head| matches!(head & 31, 1 | 2 | 5));
            stream.extend(START);
            stream.extend(unit);
            rest = tail;
        }
        let picture = self.decoder.decode(&stream).map_err(|e| self.refusal(&e))?;
        match picture {
            Some(p) => {
                let planes = [p.y, p.u, p.v];
                let (width, height, color) = (p.width, p.height, self.color);
                let planes = Planes { width, height, planes, chroma: (1, 1), color }.complete();
                Ok(Some(planes.ok_or_else(|| Error::bad_input("an H.264 picture is incomplete"))?))
            }
            None if pictured => Err(Error::bad_input("an H.264 picture is incomplete").into()),
            None => Ok(None),
        }
    }

    fn refusal(&self, e: &DecodeError) -> Refusal {
        match e {
            DecodeError::Unsupported(what) => {
                let profile = match self.profile {
                    66 => "Baseline",
                    77 => "Main",
                    88 => "Extended",
                    100 => "High",
                    110 => "High 10",
                    122 => "High 4:2:2",
                    244 => "High 4:4:4",
                    _ => "unusual profile",
                };
                Refusal::Foreign(format!("H.264 {profile} video ({what})"))
            }
            e => Error::bad_input(format!("H.264: {e}")).into(),
        }
    }
}

/// Bits of a NAL unit without its emulation prevention bytes.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(unit: &[u8]) -> Bits {
        let mut bytes = Vec::with_capacity(unit.len());
        for (i, &b) in unit.iter().enumerate() {
            if !(b == 3 && i >= 2 && unit[i - 2..i] == [0, 0]) {
                bytes.push(b);
            }
        }
        Bits { bytes, at: 0 }
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.bits(1)? == 1)
    }

    /// An unsigned Exp-Golomb number.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros > 31 { None } else { Some((1 << zeros) - 1 + self.bits(zeros)?) }
    }

    fn skip_scaling_list(&mut self, size: usize) -> Option<()> {
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..size {
            if next != 0 {
                let code = i64::from(self.number()?);
                let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

/// The colour description of a sequence parameter set (ITU-T H.264, 7.3.2.1.1 and E.1.1).
fn color_of_sps(unit: &[u8]) -> Option<Color> {
    let mut b = Bits::new(unit);
    if b.bits(8)? & 31 != 7 {
        return None;
    }
    let profile = b.bits(8)?;
    b.bits(16)?;
    b.number()?;
    if [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244].contains(&profile) {
        let chroma = b.number()?;
        if chroma == 3 {
            b.flag()?;
        }
        b.number()?;
        b.number()?;
        b.flag()?;
        if b.flag()? {
            for i in 0..if chroma == 3 { 12 } else { 8 } {
                if b.flag()? {
                    b.skip_scaling_list(if i < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    b.number()?;
    match b.number()? {
        0 => {
            b.number()?;
        }
        1 => {
            b.flag()?;
            b.number()?;
            b.number()?;
            for _ in 0..b.number()? {
                b.number()?;
            }
        }
        _ => {}
    }
    b.number()?;
    b.flag()?;
    b.number()?;
    b.number()?;
    if !b.flag()? {
        b.flag()?;
    }
    b.flag()?;
    if b.flag()? {
        for _ in 0..4 {
            b.number()?;
        }
    }
    if !b.flag()? {
        return None;
    }
    if b.flag()? && b.bits(8)? == 255 {
        b.bits(32)?;
    }
    if b.flag()? {
        b.flag()?;
    }
    if !b.flag()? {
        return None;
    }
    b.bits(3)?;
    let full_range = Some(b.flag()?);
    let matrix = if b.flag()? {
        b.bits(16)?;
        Matrix::from_h273(b.bits(8)?)
    } else {
        None
    };
    Some(Color { matrix, full_range })
}
