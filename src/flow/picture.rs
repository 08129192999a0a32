//! Pictures of optical flow.

use super::{components, is_known};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::video::Frame;

/// How a flow becomes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Coloring {
    /// Middlebury's wheel: no motion is white, the longest has the full colour of its direction, what lies beyond is
    /// darker, unknown is black (Baker et al. 2011).
    #[default]
    Middlebury,
    /// Hue is the direction, value the length, as OpenCV's samples draw it.
    Hsv,
}

/// The colours of Middlebury's wheel: from one of red, yellow, green, cyan, blue and magenta to the next in so many
/// steps, one channel rising or falling.
const WHEEL: [(usize, usize, bool); 6] =
    [(15, 1, true), (6, 0, false), (4, 2, true), (11, 1, false), (13, 0, true), (6, 2, false)];

fn wheel() -> Vec<[f64; 3]> {
    let mut colors = Vec::new();
    let mut color = [255.0, 0.0, 0.0];
    for (steps, channel, rises) in WHEEL {
        for i in 0..steps {
            let part = (255 * i / steps) as f64;
            color[channel] = if rises { part } else { 255.0 - part };
            colors.push(color);
        }
        color[channel] = if rises { 255.0 } else { 0.0 };
    }
    colors
}

/// The length in pixels of the longest known motion in some flows.
pub fn longest<'a>(flows: impl IntoIterator<Item = &'a Tensor>) -> f32 {
    let values = flows.into_iter().filter_map(|f| f.f32s().ok()).flat_map(|v| v.chunks_exact(2));
    values.filter(|p| is_known(p)).map(|p| p[0].hypot(p[1])).fold(0.0, f32::max)
}

/// The picture of a flow `[H, W, 2]`. `most` is the length in pixels that has full colour, the longest in the flow if not
/// given; give it where pictures shall be compared.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the tensor is no flow or `most` is not positive.
pub fn picture(flow: &Tensor, coloring: Coloring, most: Option<f32>) -> Result<Frame> {
    let ([h, w], values) = components(flow)?;
    if let Some(most) = most.filter(|m| !(m.is_finite() && *m > 0.0)) {
        return Err(Error::bad_input(format!("a longest motion of {most} pixels; it must be positive")));
    }
    let most = match most.unwrap_or_else(|| longest([flow])) {
        0.0 => 1.0,
        most => f64::from(most),
    };
    let wheel = wheel();
    let color = |p: &[f32]| -> [u8; 3] {
        if !is_known(p) {
            return [0; 3];
        }
        let (x, y) = (f64::from(p[0]) / most, f64::from(p[1]) / most);
        match coloring {
            Coloring::Middlebury => {
                let length = x.hypot(y);
                let place = ((-y).atan2(-x) / std::f64::consts::PI + 1.0) / 2.0 * (wheel.len() - 1) as f64;
                let (first, part) = (place as usize, place.fract());
                let (a, b) = (wheel[first], wheel[(first + 1) % wheel.len()]);
                [0, 1, 2].map(|c| {
                    let full = ((1.0 - part) * a[c] + part * b[c]) / 255.0;
                    let shade = if length <= 1.0 { 1.0 - length * (1.0 - full) } else { full * 0.75 };
                    (255.0 * shade) as u8
                })
            }
            Coloring::Hsv => {
                let sixth = y.atan2(x).rem_euclid(std::f64::consts::TAU) / std::f64::consts::FRAC_PI_3;
                let value = x.hypot(y).min(1.0);
                // Each channel is full within a sixth of its own hue and falls to nothing at two sixths.
                [0.0, 2.0, 4.0].map(|own: f64| {
                    let away = (sixth - own + 3.0).rem_euclid(6.0) - 3.0;
                    (255.0 * value * (2.0 - away.abs()).clamp(0.0, 1.0)).round() as u8
                })
            }
        }
    };
    Frame::new(w, h, values.chunks_exact(2).flat_map(color).collect())
}

/// The picture of a difference `[H, W, 1]`: grey by its magnitude, white at `white` and beyond, black where it is NaN.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the tensor is no difference or `white` is not positive.
pub fn difference_picture(difference: &Tensor, white: f32) -> Result<Frame> {
    let [h, w, c] = difference.shape().dims("a difference", "[H, W, 1]")?;
    if c != 1 || !(white.is_finite() && white > 0.0) {
        return Err(Error::bad_input(format!(
            "a difference of shape {}, white at {white}: it must be [H, W, 1], and white a positive number",
            difference.shape()
        )));
    }
    // NaN becomes 0.
    let level = |x: &f32| (255.0 * (x.abs() / white).clamp(0.0, 1.0)).round() as u8;
    Frame::new(w, h, difference.f32s()?.iter().flat_map(|x| [level(x); 3]).collect())
}

/// The frame with an arrow from every `step`-th pixel along x and y to where the flow leads, `scale` times as long.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the sizes differ, `step` is 0 or `scale` is not finite.
pub fn arrows(frame: &Frame, flow: &Tensor, step: usize, scale: f32) -> Result<Frame> {
    let ([h, w], values) = components(flow)?;
    same_size(frame, [h, w])?;
    if step == 0 || !scale.is_finite() {
        return Err(Error::bad_input(format!("arrows every {step} pixels, {scale} times as long")));
    }
    let mut rgb = frame.rgb().to_vec();
    let mut put = |x: f64, y: f64, color: [u8; 3]| {
        let (x, y) = (x.round(), y.round());
        if x >= 0.0 && y >= 0.0 && x < w as f64 && y < h as f64 {
            let at = (y as usize * w + x as usize) * 3;
            rgb[at..at + 3].copy_from_slice(&color);
        }
    };
    let mut line = |from: [f64; 2], to: [f64; 2], color| {
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().clamp(1.0, (w + h) as f64);
        for i in 0..=steps as usize {
            let t = i as f64 / steps;
            put(from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1]), color);
        }
    };
    for y in (step / 2..h).step_by(step) {
        for x in (step / 2..w).step_by(step) {
            let p = &values[(y * w + x) * 2..][..2];
            if !is_known(p) {
                continue;
            }
            let (dx, dy) = (f64::from(p[0] * scale), f64::from(p[1] * scale));
            let (from, to) = ([x as f64, y as f64], [x as f64 + dx, y as f64 + dy]);
            line(from, to, [255, 220, 0]);
            let (length, angle) = (dx.hypot(dy), dy.atan2(dx));
            if length >= 2.0 {
                for turn in [2.6, -2.6f64] {
                    let (sin, cos) = (angle + turn).sin_cos();
                    let barb = (length / 3.0).min(4.0);
                    line(to, [to[0] + barb * cos, to[1] + barb * sin], [255, 220, 0]);
                }
            }
            line(from, from, [230, 30, 30]);
        }
    }
    Frame::new(w, h, rgb)
}

/// The second frame brought back along the flow, `out(x, y) = second(x + u, y + v)`, which is like the first where the
/// flow is right: bilinear, black outside and where nothing is known.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the sizes differ.
pub fn warp(second: &Frame, flow: &Tensor) -> Result<Frame> {
    let ([h, w], values) = components(flow)?;
    same_size(second, [h, w])?;
    let rgb = second.rgb();
    let mut out = Vec::with_capacity(rgb.len());
    for (i, p) in values.chunks_exact(2).enumerate() {
        let (x, y) = ((i % w) as f64 + f64::from(p[0]), (i / w) as f64 + f64::from(p[1]));
        let inside = is_known(p) && x >= 0.0 && y >= 0.0 && x <= (w - 1) as f64 && y <= (h - 1) as f64;
        if !inside {
            out.extend([0; 3]);
            continue;
        }
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(w - 1), (top + 1).min(h - 1));
        let (fx, fy) = (x.fract(), y.fract());
        for c in 0..3 {
            let at = |x: usize, y: usize| f64::from(rgb[(y * w + x) * 3 + c]);
            let upper = at(left, top) * (1.0 - fx) + at(right, top) * fx;
            let lower = at(left, bottom) * (1.0 - fx) + at(right, bottom) * fx;
            out.push((upper * (1.0 - fy) + lower * fy).round() as u8);
        }
    }
    Frame::new(w, h, out)
}

fn same_size(frame: &Frame, [h, w]: [usize; 2]) -> Result<()> {
    if (frame.width(), frame.height()) == (w, h) {
        return Ok(());
    }
    Err(Error::bad_input(format!("the frame is {}x{}, the flow {w}x{h}", frame.width(), frame.height())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::UNKNOWN;

    #[test]
    fn the_wheel_has_its_colours() {
        let flow =
            Tensor::new(&[1, 5, 2], vec![0.0, 0.0, -2.0, 0.0, 2.0, 0.0, UNKNOWN, UNKNOWN, 0.0, 1.0]).unwrap();
        let frame = picture(&flow, Coloring::Middlebury, None).unwrap();
        let pixels: Vec<&[u8]> = frame.rgb().chunks(3).collect();
        assert_eq!(wheel().len(), 55);
        assert_eq!(pixels[0], [255; 3]);
        // To the left lies the middle of the wheel, cyan to blue; to the right its seam, red.
        assert_eq!(pixels[1], [0, 209, 255]);
        assert_eq!(pixels[2], [255, 0, 0]);
        assert_eq!(pixels[3], [0; 3]);
        let dark = picture(&flow, Coloring::Middlebury, Some(1.0)).unwrap();
        assert_eq!(dark.rgb()[3..6], [0, 156, 191]);
        assert!(picture(&flow, Coloring::Middlebury, Some(0.0)).is_err());
    }

    #[test]
    fn hues_turn_with_the_direction() {
        let flow = Tensor::new(&[1, 4, 2], vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.5, 0.0]).unwrap();
        let frame = picture(&flow, Coloring::Hsv, None).unwrap();
        assert_eq!(frame.rgb(), [255, 0, 0, 128, 255, 0, 0, 255, 255, 128, 0, 0]);
    }

    #[test]
    fn differences_are_grey() {
        let difference = Tensor::new(&[1, 5, 1], vec![0.0, -51.0, 102.0, 300.0, f32::NAN]).unwrap();
        let levels = |white: f32| -> Vec<u8> {
            difference_picture(&difference, white).unwrap().rgb().chunks(3).map(|p| p[0]).collect()
        };
        assert_eq!(levels(255.0)[..4], [0, 51, 102, 255]);
        assert_eq!(levels(102.0), [0, 128, 255, 255, 0]);
        assert!(difference_picture(&difference, 0.0).is_err());
        assert!(difference_picture(&Tensor::new(&[1, 1, 2], vec![0.0; 2]).unwrap(), 1.0).is_err());
    }

    #[test]
    fn a_frame_comes_back_along_its_flow() {
        let frame =
            |f: &dyn Fn(usize) -> u8| Frame::new(6, 1, (0..6).flat_map(|x| [f(x); 3]).collect()).unwrap();
        let second = frame(&|x| 20 * x as u8);
        let flow = Tensor::from_fn(&[1, 6, 2], |i| if i % 2 == 0 { 1.5 } else { 0.0 }).unwrap();
        let back = warp(&second, &flow).unwrap();
        assert_eq!(back, frame(&|x| if x < 4 { 30 + 20 * x as u8 } else { 0 }));
        let drawn = arrows(&second, &flow, 1, 1.0).unwrap();
        assert_eq!(drawn.rgb()[15..], [230, 30, 30]);
        assert!(arrows(&second, &flow, 0, 1.0).is_err());
        assert!(warp(&second, &Tensor::from_fn(&[2, 6, 2], |_| 0.0).unwrap()).is_err());
    }
}
