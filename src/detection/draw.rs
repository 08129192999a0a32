//! Tubes on the frames of a video.

use font8x8::UnicodeFonts;

use super::Tube;
use crate::error::Result;
use crate::video::Frame;

/// Colours told apart well, for tubes in turn.
const COLORS: [[u8; 3]; 6] =
    [[230, 60, 60], [60, 170, 75], [0, 120, 220], [240, 160, 20], [150, 60, 190], [20, 180, 190]];

/// A character's side in pixels.
const CELL: usize = 8;

/// Draws the tubes on the frame of this index: each as its box, which moves evenly between key frames and stays where it is
/// for `hold` frames before the first and after the last, under the lines that `text` gives for a tube and its nearest key
/// frame.
///
/// # Errors
/// None that a frame can give.
pub fn draw(
    frame: Frame,
    index: usize,
    tubes: &[Tube],
    hold: usize,
    text: impl Fn(usize, usize) -> Vec<String>,
) -> Result<Frame> {
    let (width, height) = (frame.width(), frame.height());
    let mut canvas = Canvas { width, height, rgb: frame.into_rgb() };
    for (t, tube) in tubes.iter().enumerate() {
        let Some((corners, moment)) = place(tube, index, hold) else { continue };
        let color = COLORS[t % COLORS.len()];
        let [x1, y1, x2, y2] = corners.map(|x| x.round().max(0.0) as usize);
        canvas.border([x1, y1, x2.min(width), y2.min(height)], color);
        for (line, words) in text(t, moment).iter().enumerate() {
            canvas.line(x1 + 2, y1 + 2 + line * (CELL + 2), words, color);
        }
    }
    Frame::new(width, height, canvas.rgb)
}

/// The box of a tube at a frame, and the nearest of its moments.
fn place(tube: &Tube, index: usize, hold: usize) -> Option<([f32; 4], usize)> {
    let (first, last) = (tube.moments.first()?, tube.moments.last()?);
    if index + hold < first.frame || index > last.frame + hold {
        return None;
    }
    let nearest = tube.moments.iter().enumerate().min_by_key(|(_, m)| m.frame.abs_diff(index))?.0;
    let next = tube.moments.iter().position(|m| m.frame >= index);
    let corners = match next {
        Some(0) => first.person.corners,
        None => last.person.corners,
        Some(n) => {
            let (a, b) = (&tube.moments[n - 1], &tube.moments[n]);
            let part = (index - a.frame) as f32 / (b.frame - a.frame) as f32;
            [0, 1, 2, 3].map(|i| a.person.corners[i] * (1.0 - part) + b.person.corners[i] * part)
        }
    };
    Some((corners, nearest))
}

struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    fn dot(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.width && y < self.height {
            self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&color);
        }
    }

    /// Two pixels wide, inside the box.
    fn border(&mut self, [x1, y1, x2, y2]: [usize; 4], color: [u8; 3]) {
        for y in y1..y2 {
            for x in x1..x2 {
                if x < x1 + 2 || y < y1 + 2 || x + 2 >= x2 || y + 2 >= y2 {
                    self.dot(x, y, color);
                }
            }
        }
    }

    /// White on the colour; a character without a picture is a question mark.
    fn line(&mut self, left: usize, top: usize, words: &str, color: [u8; 3]) {
        for (i, c) in words.chars().enumerate() {
            let rows =
                font8x8::BASIC_FONTS.get(c).or_else(|| font8x8::BASIC_FONTS.get('?')).unwrap_or_default();
            for y in 0..CELL + 2 {
                let bits = if (1..=CELL).contains(&y) { rows[y - 1] } else { 0 };
                for x in 0..CELL {
                    let ink = if bits >> x & 1 == 1 { [255; 3] } else { color };
                    self.dot(left + i * CELL + x, top + y, ink);
                }
            }
        }
    }
}
