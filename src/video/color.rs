//! YCbCr pictures to RGB.

/// How a stream codes colour, as far as it says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Color {
    pub(super) matrix: Option<Matrix>,
    pub(super) full_range: Option<bool>,
}

impl Color {
    /// What `self` leaves open is taken from `other`.
    pub(super) fn or(self, other: Color) -> Color {
        Color { matrix: self.matrix.or(other.matrix), full_range: self.full_range.or(other.full_range) }
    }
}

/// The weights of red and blue in luma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix {
    kr: f64,
    kb: f64,
}

impl Matrix {
    pub(super) const BT601: Matrix = Matrix { kr: 0.299, kb: 0.114 };
    pub(super) const BT709: Matrix = Matrix { kr: 0.2126, kb: 0.0722 };
    pub(super) const BT2020: Matrix = Matrix { kr: 0.2627, kb: 0.0593 };
    pub(super) const SMPTE240: Matrix = Matrix { kr: 0.212, kb: 0.087 };
    pub(super) const FCC: Matrix = Matrix { kr: 0.30, kb: 0.11 };

    /// The matrix with this number in ITU-T H.273, which H.264 and MP4 use.
    pub(super) fn from_h273(code: u32) -> Option<Matrix> {
        match code {
            1 => Some(Matrix::BT709),
            4 => Some(Matrix::FCC),
            5 | 6 => Some(Matrix::BT601),
            7 => Some(Matrix::SMPTE240),
            9 | 10 => Some(Matrix::BT2020),
            _ => None,
        }
    }
}

/// Three 8-bit planes. Chroma planes hold a sample for every `1 << shift` pixels, rounded up; both are
/// empty in a grey picture.
pub(super) struct Planes {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) planes: [Vec<u8>; 3],
    /// Shifts along x and y.
    pub(super) chroma: (u32, u32),
    pub(super) color: Color,
}

impl Planes {
    /// Checks that the planes hold what the size needs.
    pub(super) fn complete(self) -> Option<Planes> {
        let (cw, ch) = self.chroma_size();
        let [y, u, v] = &self.planes;
        let grey = u.is_empty() && v.is_empty();
        let enough = y.len() >= self.width * self.height
            && (grey || u.len() >= cw * ch && v.len() >= cw * ch)
            && !y.is_empty();
        enough.then_some(self)
    }

    fn chroma_size(&self) -> (usize, usize) {
        (self.width.div_ceil(1 << self.chroma.0), self.height.div_ceil(1 << self.chroma.1))
    }

    /// `[H, W, 3]` RGB bytes, rounded to nearest.
    pub(super) fn to_rgb(&self) -> Vec<u8> {
        let Matrix { kr, kb } = self.color.matrix.unwrap_or(Matrix::BT601);
        let full = self.color.full_range.unwrap_or(false);
        let (black, luma, chroma) = if full { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let kg = 1.0 - kr - kb;
        let fixed = |x: f64| (x * 65_536.0).round() as i32;
        let gain = fixed(luma);
        let red = fixed(chroma * 2.0 * (1.0 - kr));
        let blue = fixed(chroma * 2.0 * (1.0 - kb));
        let green_u = fixed(chroma * 2.0 * (1.0 - kb) * kb / kg);
        let green_v = fixed(chroma * 2.0 * (1.0 - kr) * kr / kg);
        let byte = |x: i32| ((x + 32_768) >> 16).clamp(0, 255) as u8;

        let (cw, _) = self.chroma_size();
        let (sx, sy) = self.chroma;
        let [y_plane, u_plane, v_plane] = &self.planes;
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        for row in 0..self.height {
            let luma = &y_plane[row * self.width..][..self.width];
            let start = (row >> sy) * cw;
            let (u, v) = if u_plane.is_empty() {
                (&[][..], &[][..])
            } else {
                (&u_plane[start..][..cw], &v_plane[start..][..cw])
            };
            for (x, &y) in luma.iter().enumerate() {
                let y = (i32::from(y) - black) * gain;
                let u = u.get(x >> sx).map_or(0, |&u| i32::from(u) - 128);
                let v = v.get(x >> sx).map_or(0, |&v| i32::from(v) - 128);
                rgb.extend([byte(y + red * v), byte(y - green_u * u - green_v * v), byte(y + blue * u)]);
            }
        }
        rgb
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One pixel of a matrix in floats, straight from the definition of YCbCr.
    fn coded(rgb: [f64; 3], m: Matrix, full: bool) -> [u8; 3] {
        let [r, g, b] = rgb;
        let y = m.kr * r + (1.0 - m.kr - m.kb) * g + m.kb * b;
        let (u, v) = ((b - y) / (2.0 * (1.0 - m.kb)), (r - y) / (2.0 * (1.0 - m.kr)));
        let (lo, ys, cs) = if full { (0.0, 1.0, 1.0) } else { (16.0, 219.0 / 255.0, 224.0 / 255.0) };
        [lo + y * ys, 128.0 + u * cs, 128.0 + v * cs].map(|x| x.round().clamp(0.0, 255.0) as u8)
    }

    #[test]
    fn every_matrix_and_range_comes_back() {
        let matrices = [1, 4, 5, 7, 9].map(|code| Matrix::from_h273(code).unwrap());
        for matrix in matrices {
            for full in [false, true] {
                for i in 0..64u32 {
                    let rgb = [i & 3, i >> 2 & 3, i >> 4].map(|x| f64::from(x) * 85.0);
                    let [y, u, v] = coded(rgb, matrix, full);
                    let color = Color { matrix: Some(matrix), full_range: Some(full) };
                    let planes = [vec![y], vec![u], vec![v]];
                    let p = Planes { width: 1, height: 1, planes, chroma: (1, 1), color };
                    for (got, want) in p.to_rgb().iter().zip(rgb) {
                        assert!((f64::from(*got) - want).abs() <= 3.0, "{matrix:?} {full} {rgb:?}: {got}");
                    }
                }
            }
        }
    }

    #[test]
    fn odd_sizes_and_grey() {
        let planes = [vec![235; 15], vec![128; 6], vec![128; 6]];
        let color = Color::default();
        let p = Planes { width: 5, height: 3, planes, chroma: (1, 1), color }.complete().unwrap();
        assert_eq!(p.to_rgb(), [255; 45]);
        let planes = [vec![16; 15], vec![], vec![]];
        let p = Planes { width: 5, height: 3, planes, chroma: (1, 1), color }.complete().unwrap();
        assert_eq!(p.to_rgb(), [0; 45]);
        let planes = [vec![16; 15], vec![128; 5], vec![128; 6]];
        assert!(Planes { width: 5, height: 3, planes, chroma: (1, 1), color }.complete().is_none());
    }
}
