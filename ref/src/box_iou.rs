//! Intersection over union of boxes, as `torchvision.ops.box_iou`.

/// Of the boxes `[A, 4]` with the boxes `[B, 4]`, each (x1, y1, x2, y2): `[A, B]`.
pub fn box_iou(first: &[f32], second: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for a in first.chunks(4) {
        for b in second.chunks(4) {
            let [intersection, union] = areas(a, b);
            out.push((intersection / union) as f32);
        }
    }
    out
}

/// The areas of the intersection and of the union of two boxes; NaN if a coordinate is.
pub fn areas(a: &[f32], b: &[f32]) -> [f64; 2] {
    if a.iter().chain(b).any(|x| x.is_nan()) {
        return [f64::NAN; 2];
    }
    let side = |i: usize| (f64::from(a[i + 2].min(b[i + 2])) - f64::from(a[i].max(b[i]))).max(0.0);
    let intersection = side(0) * side(1);
    [intersection, area(a) + area(b) - intersection]
}

/// The area of a box.
pub fn area(b: &[f32]) -> f64 {
    (f64::from(b[2]) - f64::from(b[0])) * (f64::from(b[3]) - f64::from(b[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps() {
        let a = [0.0, 0.0, 2.0, 2.0];
        let others = [1.0, 1.0, 3.0, 3.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 4.0, 2.0, 0.0, 0.0, 1.0, 4.0];
        assert_eq!(box_iou(&a, &others), [1.0 / 7.0, 1.0, 0.0, 1.0 / 3.0]);
        assert!(box_iou(&[0.0, 0.0, f32::NAN, 1.0], &a)[0].is_nan());
        assert!(box_iou(&[1.0; 4], &[1.0; 4])[0].is_nan());
    }
}
