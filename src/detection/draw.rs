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

/// The height of a line of text.
const LINE: usize = CELL + 2;

/// Draws the tubes on the frame of this index: each as its box, which moves evenly between key frames and stays where it is
/// for `hold` frames before the first and after the last, under the lines that `text` gives for a tube and its nearest key
/// frame. Texts stay within the frame, and move up or down where one would cover another.
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
    let mut labels = Vec::new();
    for (t, tube) in tubes.iter().enumerate() {
        let Some((corners, moment)) = place(tube, index, hold) else { continue };
        let color = COLORS[t % COLORS.len()];
        let [x1, y1, x2, y2] = corners.map(|x| x.round().max(0.0) as usize);
        canvas.border([x1, y1, x2.min(width), y2.min(height)], color);
        labels.push(([x1 + 2, y1 + 2], text(t, moment), color));
    }
    let mut taken = Vec::new();
    for (wanted, lines, color) in labels {
        let longest = lines.iter().map(|words| words.chars().count()).max().unwrap_or(0);
        let area = free(wanted, [longest * CELL, lines.len() * LINE], [width, height], &taken);
        for (line, words) in lines.iter().enumerate() {
            canvas.line(area.left, area.top + line * LINE, words, color);
        }
        taken.push(area);
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

/// A part of the frame that a text covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Area {
    fn meets(&self, other: &Area) -> bool {
        let apart = |a: usize, length: usize, b: usize, other: usize| a + length <= b || b + other <= a;
        !apart(self.left, self.width, other.left, other.width)
            && !apart(self.top, self.height, other.top, other.height)
    }
}

/// Where a text of this size goes: within the frame and, if there is room above or below, where no other is, as near as can be
/// to the place wanted.
fn free(wanted: [usize; 2], size: [usize; 2], frame: [usize; 2], taken: &[Area]) -> Area {
    let [left, top] = [0, 1].map(|i| wanted[i].min(frame[i].saturating_sub(size[i])));
    let at = |top: usize| Area { left, top, width: size[0], height: size[1] };
    let beside = taken.iter().flat_map(|t| [Some(t.top + t.height), t.top.checked_sub(size[1])]).flatten();
    let fits = |area: &Area| area.top + size[1] <= frame[1] && !taken.iter().any(|t| t.meets(area));
    let places = std::iter::once(top).chain(beside).map(at).filter(fits);
    places.min_by_key(|area| area.top.abs_diff(top)).unwrap_or(at(top))
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
            for y in 0..LINE {
                let bits = if (1..=CELL).contains(&y) { rows[y - 1] } else { 0 };
                for x in 0..CELL {
                    let ink = if bits >> x & 1 == 1 { [255; 3] } else { color };
                    self.dot(left + i * CELL + x, top + y, ink);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_in_the_frame_and_apart() {
        let (frame, size) = ([100, 60], [40, 20]);
        let mut taken = Vec::new();
        // At the right edge; on that; beside both; and where there is only room above.
        for (wanted, found) in [
            ([90, 15], [60, 15]),
            ([70, 20], [60, 35]),
            ([5, 20], [5, 20]),
            ([10, 55], [10, 40]),
            ([20, 21], [20, 0]),
        ] {
            let area = free(wanted, size, frame, &taken);
            assert_eq!([area.left, area.top], found, "{wanted:?}");
            taken.push(area);
        }
        // Where there is no room, texts do cover one another.
        assert_eq!(free([20, 30], size, frame, &taken).top, 30);
        // A text that is larger than the frame begins at its edge.
        assert_eq!(free([9, 9], [200, 90], frame, &[]).left, 0);
        assert_eq!(free([9, 9], [200, 90], frame, &[]).top, 0);
    }
}
