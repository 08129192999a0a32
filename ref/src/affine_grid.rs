//! The places from which an affine map takes elements.

/// The coordinate of one of `length` outputs: the outermost centres at −1 and 1 if `align`, else the outermost edges.
fn coordinate(at: usize, length: usize, align: bool) -> f64 {
    match (length, align) {
        (1, true) => 0.0,
        (_, true) => -1.0 + 2.0 * at as f64 / (length as f64 - 1.0),
        (_, false) => -1.0 + (2.0 * at as f64 + 1.0) / length as f64,
    }
}

/// `theta` is `[N, 2, 3]` or `[N, 3, 4]` and `size` H, W or T, H, W; gives `[N, H, W, 2]` or `[N, T, H, W, 3]`, x
/// (along W) first.
pub fn affine_grid(theta: &[f32], size: &[usize], align: bool) -> Vec<f32> {
    let axes = size.len();
    let positions: usize = size.iter().product();
    let mut grid = Vec::new();
    for map in theta.chunks(axes * (axes + 1)) {
        for position in 0..positions {
            let mut rest = position;
            let mut p = Vec::new();
            for length in size.iter().rev() {
                p.push(coordinate(rest % length, *length, align));
                rest /= length;
            }
            p.push(1.0);
            for row in map.chunks(axes + 1) {
                grid.push(row.iter().zip(&p).map(|(a, x)| f64::from(*a) * x).sum::<f64>() as f32);
            }
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_shift() {
        let theta = [1.0, 0.0, 0.0, 0.0, 2.0, 0.5];
        assert_eq!(affine_grid(&theta, &[1, 2], false), [-0.5, 0.5, 0.5, 0.5]);
        assert_eq!(affine_grid(&theta, &[2, 1], true), [0.0, -1.5, 0.0, 2.5]);
    }
}
