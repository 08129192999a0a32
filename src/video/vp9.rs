//! VP9 packets.

use rusty_vp9::{BitReader, Vp9Decoder, parse_uncompressed_header};

use super::color::{Color, Matrix, Planes};
use super::{MAX_PIXELS, Refusal, Step};
use crate::error::Error;

pub(super) struct Vp9 {
    decoder: Vp9Decoder,
    container: Color,
    color: Color,
}

impl Vp9 {
    /// A decoder; `color` is what the container says.
    pub(super) fn new(color: Color) -> Vp9 {
        Vp9 { decoder: Vp9Decoder::new(), container: color, color }
    }

    /// Decodes one packet to the picture it shows.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Step<Option<Planes>> {
        let damaged = |e| Refusal::Bad(Error::bad_input(format!("VP9: {e}")));
        let header = parse_uncompressed_header(&mut BitReader::new(packet), &[(0, 0); 8]).map_err(damaged)?;
        if u64::from(header.width) * u64::from(header.height) > MAX_PIXELS as u64 {
            return Err(Error::bad_input(format!("VP9: {}x{}", header.width, header.height)).into());
        }
        if header.key_frame {
            if header.bit_depth > 8 {
                return Err(Refusal::Foreign(format!("VP9 video of {} bits", header.bit_depth)));
            }
            if header.color_space == 7 {
                return Err(Refusal::Foreign("VP9 video in RGB".into()));
            }
            self.color = color(packet, header.color_space).or(self.container);
        }
        self.decoder.push(packet, None).map_err(damaged)?;
        loop {
            match self.decoder.next_frame() {
                Ok(f) => {
                    let planes = <[Vec<u8>; 3]>::try_from(f.planes).ok();
                    let chroma = (f.subsampling_x, f.subsampling_y);
                    let (width, height, color) = (f.width as usize, f.height as usize, self.color);
                    let planes =
                        planes.and_then(|planes| Planes { width, height, planes, chroma, color }.complete());
                    return Ok(Some(planes.ok_or_else(|| Error::bad_input("VP9: an incomplete picture"))?));
                }
                Err(rusty_vp9::Error::Again) if shows(packet) => {}
                Err(rusty_vp9::Error::Again | rusty_vp9::Error::Eof) => return Ok(None),
                Err(rusty_vp9::Error::Unsupported(what)) => {
                    return Err(Refusal::Foreign(format!("VP9 video ({what})")));
                }
                Err(e) => return Err(damaged(e)),
            }
        }
    }
}

/// Whether a packet brings a picture to show: all do but single frames that are marked as hidden.
pub(super) fn shows(packet: &[u8]) -> bool {
    let superframe = packet.last().is_some_and(|last| last & 0xe0 == 0xc0);
    let header = parse_uncompressed_header(&mut BitReader::new(packet), &[(0, 0); 8]);
    superframe || header.map_or(true, |h| h.show_frame || h.show_existing_frame)
}

/// The colour description of a key frame of 8 bits. Its range flag follows the colour space, at bit 35.
fn color(packet: &[u8], space: u32) -> Color {
    let matrix = match space {
        1 | 3 => Some(Matrix::BT601),
        2 => Some(Matrix::BT709),
        4 => Some(Matrix::SMPTE240),
        5 => Some(Matrix::BT2020),
        _ => None,
    };
    Color { matrix, full_range: packet.get(4).map(|b| b & 0x10 != 0) }
}
