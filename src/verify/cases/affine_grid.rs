use super::{super::Fill, Case};
use crate::ops::AffineGrid;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[usize], bool); 6] = [
        ("picture", &[2, 2, 3], &[7, 9], false),
        ("picture-aligned", &[2, 2, 3], &[7, 9], true),
        ("video", &[2, 3, 4], &[3, 5, 4], false),
        ("video-aligned", &[1, 3, 4], &[3, 1, 6], true),
        ("one-column", &[3, 2, 3], &[11, 1], true),
        ("one-row", &[1, 2, 3], &[1, 70], false),
    ];
    list.into_iter()
        .map(|(name, theta, size, align_corners)| {
            let a = AffineGrid { size: size.to_vec(), align_corners };
            Case::new(format!("affine_grid/{name}"), &[theta], move |g, v| g.affine_grid(v[0], &a)).fills([
                Fill::Integers,
                Fill::Normal,
                Fill::Scaled(100.0),
            ])
        })
        .chain([Case::new("affine_grid/nan", &[&[3, 2, 3]], |g, v| {
            g.affine_grid(v[0], &AffineGrid { size: vec![4, 5], align_corners: false })
        })
        .fills([Fill::SomeNan])])
        .collect()
}
