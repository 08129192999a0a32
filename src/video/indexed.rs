//! Pictures whose pixels are numbers of a palette's colours: masks of objects.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::resize::{Filter, resize_channel};
use super::{Frame, MAX_PIXELS, open};
use crate::error::{At, Error, Result};
use crate::fs::write_atomic;
use crate::tensor::Tensor;

/// The most objects that a mask may have, its background among them.
pub const MOST_OBJECTS: usize = 64;

/// A picture of numbers and the colours that they stand for. In a mask each number is an object, the lowest the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    width: usize,
    height: usize,
    indices: Vec<u8>,
    palette: Vec<[u8; 3]>,
}

impl Indexed {
    /// A picture of `height * width` numbers.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they are not as many, or one is beyond the palette.
    pub fn new(width: usize, height: usize, indices: Vec<u8>, palette: Vec<[u8; 3]>) -> Result<Indexed> {
        if indices.is_empty() || width.checked_mul(height) != Some(indices.len()) {
            let text = format!("{} numbers are no picture of {width}x{height}", indices.len());
            return Err(Error::bad_input(text));
        }
        if let Some(index) = indices.iter().find(|i| usize::from(**i) >= palette.len()) {
            return Err(Error::bad_input(format!("colour {index} of a palette of {}", palette.len())));
        }
        Ok(Indexed { width, height, indices, palette })
    }

    /// Reads a mask: a PNG with a palette as it is; of any other picture each colour becomes an object, in the order of red,
    /// green and blue, so that black is the first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when it cannot be read, or has one colour alone or more than [`MOST_OBJECTS`].
    pub fn read(path: impl AsRef<Path>) -> Result<Indexed> {
        let path = path.as_ref();
        let mask = match with_palette(path).at(path.display())? {
            Some(mask) => mask,
            None => {
                let named = |e: Error| Error::bad_input(format!("{e}; a mask is a picture, such as a PNG"));
                let frame = open(path).map_err(named)?.next_frame()?;
                let frame = frame.ok_or_else(|| Error::bad_input("no picture").at(path.display()))?;
                of_colors(&frame).at(path.display())?
            }
        };
        mask.check().at(path.display())?;
        Ok(mask)
    }

    fn check(&self) -> Result<()> {
        match self.objects().len() {
            1 => Err(Error::bad_input(
                "the mask has a single colour: the background and at least one object must differ",
            )),
            n if n > MOST_OBJECTS => Err(too_many(n)),
            _ => Ok(()),
        }
    }

    /// Writes a PNG with the palette; the file is complete or is not there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the path cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let failed = |e: png::EncodingError| Error::bad_input(format!("cannot be written: {e}"));
        write_atomic(path.as_ref(), |file| {
            let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_palette(self.palette.concat());
            let mut writer = encoder.write_header().map_err(failed)?;
            writer.write_image_data(&self.indices).map_err(failed)?;
            writer.finish().map_err(failed)
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The numbers, rows from the top.
    pub fn indices(&self) -> &[u8] {
        &self.indices
    }

    /// The numbers that occur, the lowest first.
    pub fn objects(&self) -> Vec<u8> {
        let mut there = [false; 256];
        self.indices.iter().for_each(|i| there[usize::from(*i)] = true);
        (0..=u8::MAX).filter(|i| there[usize::from(*i)]).collect()
    }

    /// What share of each place of maps of this height and width each object covers: `[H, W, K]`, objects in the order of
    /// [`Indexed::objects`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a side of zero.
    pub fn shares(&self, [height, width]: [usize; 2]) -> Result<Tensor> {
        let objects = self.objects();
        let planes = objects.iter().map(|object| {
            let covered: Vec<f32> = self.indices.iter().map(|i| f32::from(u8::from(i == object))).collect();
            let from = [self.height, self.width];
            resize_channel(&covered, from, [height, width], Filter::BilinearAntialias)
        });
        let planes: Vec<Vec<f32>> = planes.collect::<Result<_>>()?;
        let k = objects.len();
        Tensor::from_fn(&[height, width, k], |i| planes[i % k][i / k])
    }

    /// A mask of the same size, palette and objects: each pixel the object of which `labels` `[h, w, K]`, scaled to it, say
    /// most.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the labels are not those of as many objects.
    pub fn like(&self, labels: &Tensor) -> Result<Indexed> {
        let objects = self.objects();
        let planes = enlarged(labels, [self.height, self.width])?;
        if planes.len() != objects.len() {
            let text = format!("labels of {} objects, the mask has {}", planes.len(), objects.len());
            return Err(Error::bad_input(text));
        }
        let strongest = |i: usize| {
            let first = (0, planes[0][i]);
            let later = planes.iter().enumerate().skip(1);
            later.fold(first, |best, (k, plane)| if plane[i] > best.1 { (k, plane[i]) } else { best }).0
        };
        let indices = (0..self.indices.len()).map(|i| objects[strongest(i)]).collect();
        Ok(Indexed { indices, ..self.clone() })
    }

    /// The frame with every object but the first of `background` in its colour, half through, and a line around it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a frame of another size.
    pub fn over(&self, frame: &Frame, background: u8) -> Result<Frame> {
        let (w, h) = (self.width, self.height);
        if (frame.width(), frame.height()) != (w, h) {
            let text = format!("a mask of {w}x{h} on a frame of {}x{}", frame.width(), frame.height());
            return Err(Error::bad_input(text));
        }
        let border = |i: usize| {
            let (x, y) = (i % w, i / w);
            let differs = |j: usize| self.indices[j] != self.indices[i];
            x > 0 && differs(i - 1)
                || x + 1 < w && differs(i + 1)
                || y > 0 && differs(i - w)
                || y + 1 < h && differs(i + w)
        };
        let mut rgb = frame.rgb().to_vec();
        for (i, pixel) in rgb.chunks_exact_mut(3).enumerate() {
            let index = self.indices[i];
            if index == background {
                continue;
            }
            let color = self.palette[usize::from(index)];
            let edge = border(i);
            for (level, ink) in pixel.iter_mut().zip(color) {
                *level = if edge { ink } else { level.midpoint(ink) };
            }
        }
        Frame::new(w, h, rgb)
    }
}

/// The channels of `[h, w, K]`, each scaled to height and width.
pub(super) fn enlarged(values: &Tensor, to: [usize; 2]) -> Result<Vec<Vec<f32>>> {
    let [h, w, channels] = values.shape().dims("the labels", "[H, W, K]")?;
    let values = values.f32s()?;
    let plane = |k: usize| values.iter().skip(k).step_by(channels).copied().collect::<Vec<f32>>();
    (0..channels).map(|k| resize_channel(&plane(k), [h, w], to, Filter::Bilinear)).collect()
}

fn too_many(count: usize) -> Error {
    Error::bad_input(format!(
        "the mask has {count} colours, each of which would be an object; {MOST_OBJECTS} are possible: save it as a PNG \
         without smoothed edges"
    ))
}

/// A PNG with a palette; `None` for any other file.
fn with_palette(path: &Path) -> Result<Option<Indexed>> {
    let file = File::open(path).map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let Ok(mut reader) = decoder.read_info() else { return Ok(None) };
    let info = reader.info();
    if info.color_type != png::ColorType::Indexed {
        return Ok(None);
    }
    let (width, height, bits) = (info.width as usize, info.height as usize, info.bit_depth as usize);
    let palette = info.palette.as_deref().unwrap_or_default();
    let palette: Vec<[u8; 3]> = palette.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
    if width.checked_mul(height).is_none_or(|n| n > MAX_PIXELS) {
        return Err(Error::bad_input(format!("a picture of {width}x{height} is too large")));
    }
    let size = reader.output_buffer_size();
    let mut bytes = vec![0; size.ok_or_else(|| Error::bad_input("the picture is too large"))?];
    let damaged = |e: png::DecodingError| Error::bad_input(format!("cannot be decoded: {e}"));
    let line = reader.next_frame(&mut bytes).map_err(damaged)?.line_size;
    let mut indices = Vec::with_capacity(width * height);
    for row in bytes.chunks_exact(line).take(height) {
        // Several numbers in a byte, the first in its highest bits.
        let number = |x: usize| {
            let shift = 8 - bits - x * bits % 8;
            row[x * bits / 8] >> shift & (u8::MAX >> (8 - bits))
        };
        indices.extend((0..width).map(number));
    }
    Indexed::new(width, height, indices, palette).map(Some)
}

/// Each colour a number.
fn of_colors(frame: &Frame) -> Result<Indexed> {
    let mut palette: Vec<[u8; 3]> = frame.rgb().chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    palette.sort_unstable();
    palette.dedup();
    if palette.len() > MOST_OBJECTS {
        return Err(too_many(palette.len()));
    }
    let index = |p: &[u8]| palette.binary_search(&[p[0], p[1], p[2]]).unwrap_or_default() as u8;
    let indices = frame.rgb().chunks_exact(3).map(index).collect();
    Indexed::new(frame.width(), frame.height(), indices, palette)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::write;

    fn mask() -> Indexed {
        let index = |i: usize| if (2..6).contains(&(i % 8)) && i / 8 < 3 { 7 } else { 2 };
        let palette = (0..9u8).map(|i| [i * 20, 255 - i, i]).collect();
        Indexed::new(8, 6, (0..48).map(index).collect(), palette).unwrap()
    }

    #[test]
    fn a_palette_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask.png");
        mask().write(&path).unwrap();
        assert_eq!(Indexed::read(&path).unwrap(), mask());
        // Any other viewer sees the colours.
        let frame = open(&path).unwrap().next_frame().unwrap().unwrap();
        assert_eq!(frame.rgb()[..3], [40, 253, 2]);
        let of_frame = of_colors(&frame).unwrap();
        assert_eq!(of_frame.objects(), [0, 1]);
        assert_eq!(of_frame.palette, [[40, 253, 2], [140, 248, 7]]);
        // Two bits a number, as small masks are often saved.
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 5, 2);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Two);
        encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0]);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[0b00_01_10_00, 0b01_000000, 0b10_10_10_01, 0b00_000000]).unwrap();
        writer.finish().unwrap();
        assert_eq!(Indexed::read(&path).unwrap().indices(), [0, 1, 2, 0, 1, 2, 2, 2, 1, 0]);
    }

    #[test]
    fn shares_lead_back() {
        let shares = mask().shares([6, 8]).unwrap();
        assert_eq!(shares.shape()[..], [6, 8, 2]);
        assert_eq!(mask().like(&shares).unwrap(), mask());
        let small = mask().shares([3, 4]).unwrap();
        let sums: Vec<f32> = small.f32s().unwrap().chunks(2).map(|p| p[0] + p[1]).collect();
        assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5), "{sums:?}");
        assert!(mask().like(&Tensor::from_fn(&[3, 4, 3], |_| 0.0).unwrap()).is_err());
    }

    #[test]
    fn masks_that_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask.png");
        write::png(&path, &Frame::new(4, 4, vec![9; 48]).unwrap()).unwrap();
        let e = Indexed::read(&path).unwrap_err().to_string();
        assert!(e.contains("mask.png: the mask has a single colour"), "{e}");
        write::png(&path, &Frame::new(16, 8, (0..128).flat_map(|i| [i, 0, 0]).collect()).unwrap()).unwrap();
        let e = Indexed::read(&path).unwrap_err().to_string();
        assert!(e.contains("128 colours") && e.contains("64 are possible"), "{e}");
        assert!(Indexed::read(dir.path().join("none.png")).is_err());
        assert!(Indexed::new(1, 1, vec![3], vec![[0; 3]; 3]).is_err());
    }

    #[test]
    fn objects_are_drawn_over_a_frame() {
        let frame = Frame::new(8, 6, vec![100; 144]).unwrap();
        let drawn = mask().over(&frame, 2).unwrap();
        let at = |x: usize, y: usize| drawn.rgb()[(y * 8 + x) * 3..][..3].to_vec();
        assert_eq!(at(0, 0), [100; 3]);
        assert_eq!(at(2, 1), [140, 248, 7]);
        assert_eq!(at(3, 1), [120, 174, 53]);
    }
}
