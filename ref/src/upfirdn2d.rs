//! Upsampling by zeros, padding, filtering and downsampling along H and W.

/// What stands in the padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Zeros.
    Zeros,
    /// The mirror image about the outermost centres.
    Reflect,
    /// The outermost elements.
    Replicate,
}

/// Attributes; two numbers are for H and W.
#[derive(Debug, Clone, Copy)]
pub struct Upfirdn2d {
    /// After each element come one fewer zeros than this.
    pub up: [usize; 2],
    /// Every so-many-th output is kept.
    pub down: [usize; 2],
    /// Elements before and after each axis once there are zeros between, cropped if negative.
    pub padding: [[isize; 2]; 2],
    /// What stands in the padding.
    pub edge: Edge,
    /// Whether the filter is taken as it stands, and not turned round.
    pub flip_filter: bool,
    /// What the filter is multiplied by.
    pub gain: f64,
}

impl Upfirdn2d {
    /// The length of an axis after padding.
    fn padded(&self, axis: usize, length: usize) -> usize {
        let [before, after] = self.padding[axis];
        ((length * self.up[axis]) as isize + before + after) as usize
    }

    /// How many outputs there are along an axis, for a filter of so many taps.
    pub fn output_length(&self, axis: usize, length: usize, taps: usize) -> usize {
        (self.padded(axis, length) - taps) / self.down[axis] + 1
    }

    /// The element that stands at an index of the padded axis, if any does.
    fn element(&self, axis: usize, padded: usize, length: usize) -> Option<usize> {
        let at = padded as isize - self.padding[axis][0];
        let last = length as isize - 1;
        let at = match self.edge {
            Edge::Zeros => {
                let up = self.up[axis] as isize;
                return (at >= 0 && at % up == 0 && at / up <= last).then_some((at / up) as usize);
            }
            Edge::Replicate => at.clamp(0, last),
            Edge::Reflect if at < 0 => -at,
            Edge::Reflect if at > last => 2 * last - at,
            Edge::Reflect => at,
        };
        Some(at as usize)
    }
}

/// `x` is `[N, H, W, C]`, `filter` `[kH, kW]`.
pub fn upfirdn2d(
    x: &[f32],
    [n, h, w, c]: [usize; 4],
    filter: &[f64],
    [kh, kw]: [usize; 2],
    p: &Upfirdn2d,
) -> Vec<f32> {
    let mut turned = filter.to_vec();
    if !p.flip_filter {
        turned.reverse();
    }
    let mut y = Vec::new();
    for sample in 0..n {
        for out_h in 0..p.output_length(0, h, kh) {
            for out_w in 0..p.output_length(1, w, kw) {
                for channel in 0..c {
                    let mut sum = 0.0;
                    for i in 0..kh {
                        for j in 0..kw {
                            let row = p.element(0, out_h * p.down[0] + i, h);
                            let column = p.element(1, out_w * p.down[1] + j, w);
                            if let (Some(row), Some(column)) = (row, column) {
                                let at = ((sample * h + row) * w + column) * c + channel;
                                sum += turned[i * kw + j] * f64::from(x[at]);
                            }
                        }
                    }
                    y.push((p.gain * sum) as f32);
                }
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Upfirdn2d = Upfirdn2d {
        up: [1; 2],
        down: [1; 2],
        padding: [[0; 2]; 2],
        edge: Edge::Zeros,
        flip_filter: false,
        gain: 1.0,
    };

    fn row(x: &[f32], filter: &[f64], p: &Upfirdn2d) -> Vec<f32> {
        upfirdn2d(x, [1, 1, x.len(), 1], filter, [1, filter.len()], p)
    }

    #[test]
    fn one_axis_by_hand() {
        let x = [1.0, 2.0, 4.0];
        assert_eq!(row(&x, &[10.0, 1.0], &PLAIN), [21.0, 42.0]);
        assert_eq!(row(&x, &[10.0, 1.0], &Upfirdn2d { flip_filter: true, ..PLAIN }), [12.0, 24.0]);
        let up = Upfirdn2d { up: [1, 2], padding: [[0, 0], [1, 0]], gain: 2.0, ..PLAIN };
        assert_eq!(row(&x, &[1.0, 1.0], &up), [2.0, 2.0, 4.0, 4.0, 8.0, 8.0]);
        let crop = Upfirdn2d { padding: [[0, 0], [-1, 2]], down: [1, 2], ..PLAIN };
        assert_eq!(row(&x, &[1.0], &crop), [2.0, 0.0]);
        let reflect = Upfirdn2d { padding: [[0, 0], [2, 1]], edge: Edge::Reflect, ..PLAIN };
        assert_eq!(row(&x, &[1.0], &reflect), [4.0, 2.0, 1.0, 2.0, 4.0, 2.0]);
        let replicate = Upfirdn2d { edge: Edge::Replicate, ..reflect };
        assert_eq!(row(&x, &[1.0], &replicate), [1.0, 1.0, 1.0, 2.0, 4.0, 4.0]);
    }
}
