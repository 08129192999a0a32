//! Medians of square windows.

/// The median of every window of `side`×`side` pixels of `x` `[N, H, W, C]`, `side` odd; pixels beyond the border are
/// those on it. NaN sorts beyond the infinity of its sign.
pub fn median(x: &[f32], [n, h, w, c]: [usize; 4], side: usize) -> Vec<f32> {
    let reach = (side / 2) as isize;
    let clamp = |at: usize, by: isize, length: usize| at.saturating_add_signed(by).min(length - 1);
    let mut out = Vec::with_capacity(x.len());
    for picture in 0..n {
        for y in 0..h {
            for column in 0..w {
                for channel in 0..c {
                    let mut window = Vec::with_capacity(side * side);
                    for a in -reach..=reach {
                        for b in -reach..=reach {
                            let row = picture * h + clamp(y, a, h);
                            window.push(x[(row * w + clamp(column, b, w)) * c + channel]);
                        }
                    }
                    window.sort_by(f32::total_cmp);
                    out.push(window[side * side / 2]);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_repeat() {
        // Row windows of one line of pixels: the line counts three times, so the line's own median is taken.
        assert_eq!(median(&[5.0, 1.0, 3.0, 9.0], [1, 1, 4, 1], 3), [5.0, 3.0, 3.0, 9.0]);
        let cross: Vec<f32> = vec![0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(median(&cross, [1, 3, 3, 1], 3)[4], 1.0);
        assert_eq!(median(&[2.0, f32::NAN, 4.0], [1, 1, 3, 1], 3)[1], 4.0);
    }
}
