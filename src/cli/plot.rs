//! Pictures of curves and of paths through tables.

use font8x8::UnicodeFonts;
use kinetograph::Result;
use kinetograph::video::Frame;
use kinetograph::video::resize::{Filter, resize};

/// A character's side in pixels.
const CELL: usize = 8;
/// What lies around what is drawn.
const MARGIN: usize = 12;

pub(crate) const INK: [u8; 3] = [40, 40, 40];
const GRID: [u8; 3] = [220, 220, 220];

/// A white picture to draw on.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, rgb: vec![255; width * height * 3] }
    }

    pub(crate) fn dot(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.width && y < self.height {
            self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&color);
        }
    }

    pub(crate) fn fill(&mut self, [x, y, width, height]: [usize; 4], color: [u8; 3]) {
        (y..y + height).for_each(|y| (x..x + width).for_each(|x| self.dot(x, y, color)));
    }

    /// From one point to another, two pixels wide.
    fn line(&mut self, [x0, y0]: [f64; 2], [x1, y1]: [f64; 2], color: [u8; 3]) {
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
        for i in 0..=steps as usize {
            let part = i as f64 / steps;
            let [x, y] = [x0 + (x1 - x0) * part, y0 + (y1 - y0) * part].map(|v| v.round().max(0.0) as usize);
            self.fill([x, y, 2, 2], color);
        }
    }

    pub(crate) fn text(&mut self, left: usize, top: usize, words: &str, color: [u8; 3]) {
        for (i, c) in words.chars().enumerate() {
            let rows =
                font8x8::BASIC_FONTS.get(c).or_else(|| font8x8::BASIC_FONTS.get('?')).unwrap_or_default();
            for (y, bits) in rows.into_iter().enumerate() {
                for x in (0..CELL).filter(|x| bits >> x & 1 == 1) {
                    self.dot(left + i * CELL + x, top + y, color);
                }
            }
        }
    }

    /// A frame of a clip, scaled to this size.
    pub(crate) fn frame(&mut self, [left, top, width, height]: [usize; 4], frame: &Frame) -> Result<()> {
        let levels = resize(frame, height, width, Filter::BilinearAntialias)?;
        for (i, pixel) in levels.chunks_exact(3).enumerate() {
            let color = [pixel[0], pixel[1], pixel[2]].map(|v| v.round().clamp(0.0, 255.0) as u8);
            self.dot(left + i % width, top + i / width, color);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Frame> {
        Frame::new(self.width, self.height, self.rgb)
    }
}

/// A curve: its name, points and colour.
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: Vec<[f64; 2]>,
    pub(crate) color: [u8; 3],
}

/// Curves over the seconds of a clip, from 0 up to the highest of them or 1.
pub(crate) fn curves(curves: &[Curve], seconds: f64) -> Result<Frame> {
    let (width, height) = (640, 240);
    let (left, top) = (MARGIN + 5 * CELL, MARGIN + 2 * CELL);
    let (across, down) = (width - left - MARGIN, height - top - MARGIN - 2 * CELL);
    let values = curves.iter().flat_map(|c| c.points.iter().map(|p| p[1]));
    let highest = values.fold(1.0, f64::max);
    let mut canvas = Canvas::new(width, height);
    for i in 0..=4 {
        let (x, y) = (left + across * i / 4, top + down * (4 - i) / 4);
        canvas.fill([left, y, across, 1], GRID);
        canvas.fill([x, top, 1, down], GRID);
        canvas.text(MARGIN, y - CELL / 2, &format!("{:4.2}", highest * i as f64 / 4.0), INK);
        let time = format!("{:.1}s", seconds * i as f64 / 4.0);
        let shift = time.len() * CELL * i / 4;
        canvas.text(x - shift, top + down + CELL, &time, INK);
    }
    let mut names = left;
    for curve in curves {
        canvas.text(names, MARGIN, curve.name, curve.color);
        names += (curve.name.chars().count() + 2) * CELL;
        let place = |p: &[f64; 2]| {
            [left as f64 + across as f64 * p[0] / seconds, top as f64 + down as f64 * (1.0 - p[1] / highest)]
        };
        for pair in curve.points.windows(2) {
            canvas.line(place(&pair[0]), place(&pair[1]), curve.color);
        }
    }
    canvas.finish()
}
