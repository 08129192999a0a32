//! Packets of a container through a codec, into display order.

use std::collections::HashMap;

use super::color::Planes;
use super::h264::H264;
use super::vp9::Vp9;
use super::{Picture, Source, Step};
use crate::error::{Error, Result};

/// More pictures than any H.264 stream may hold back.
const MAX_HELD: usize = 64;

/// The packets of one track, in coding order.
pub(super) trait Packets: Send {
    /// Reads the next packet into `packet`; `false` after the last.
    fn read(&mut self, packet: &mut Vec<u8>) -> Result<bool>;
}

pub(super) enum Codec {
    H264(Box<H264>),
    Vp9(Box<Vp9>),
}

/// Decodes packets and shows the pictures in the order of the container's time stamps.
pub(super) struct Coded {
    packets: Box<dyn Packets>,
    codec: Codec,
    /// For each picture shown, the index of its packet.
    order: Vec<usize>,
    /// For each packet, whether it is shown.
    shown: Vec<bool>,
    at: usize,
    fed: usize,
    held: HashMap<usize, Planes>,
    packet: Vec<u8>,
}

impl Coded {
    /// `times` holds the time at which each packet is shown, `None` for those that are not.
    pub(super) fn new(packets: Box<dyn Packets>, codec: Codec, times: &[Option<i64>]) -> Coded {
        let shown: Vec<bool> = times.iter().map(Option::is_some).collect();
        let mut order: Vec<usize> = (0..times.len()).filter(|&i| shown[i]).collect();
        order.sort_by_key(|&i| times[i]);
        Coded { packets, codec, order, shown, at: 0, fed: 0, held: HashMap::new(), packet: Vec::new() }
    }

    /// The number of pictures that will be shown.
    pub(super) fn frames(&self) -> usize {
        self.order.len()
    }
}

impl Source for Coded {
    fn next(&mut self) -> Step<Option<Picture>> {
        let Some(&wanted) = self.order.get(self.at) else { return Ok(None) };
        loop {
            if let Some(planes) = self.held.remove(&wanted) {
                self.at += 1;
                return Ok(Some(Picture::Yuv(planes)));
            }
            if self.held.len() > MAX_HELD {
                return Err(Error::bad_input("the time stamps are damaged").into());
            }
            if !self.packets.read(&mut self.packet)? {
                return Ok(None);
            }
            let picture = match &mut self.codec {
                Codec::H264(codec) => codec.decode(&self.packet)?,
                Codec::Vp9(codec) => codec.decode(&self.packet)?,
            };
            if self.shown.get(self.fed) == Some(&true) {
                let planes = picture.ok_or_else(|| Error::bad_input("a packet holds no picture"))?;
                self.held.insert(self.fed, planes);
            }
            self.fed += 1;
        }
    }
}
