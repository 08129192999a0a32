use super::{super::Fill, Case};
use crate::error::Result;
use crate::graph::{Graph, Value};

/// Boxes (x1, y1, x2, y2) of first corners (x1, y1) and sides.
pub(super) fn boxes(g: &mut Graph, corners: Value, sides: Value) -> Result<Value> {
    let ends = g.add(corners, sides)?;
    g.concat(&[corners, ends], -1)
}

pub(super) fn cases() -> Vec<Case> {
    let between = |name: &str, a: usize, b: usize| {
        Case::new(format!("box_iou/{name}"), &[&[a, 2], &[a, 2], &[b, 2], &[b, 2]], |g, v| {
            let first = boxes(g, v[0], v[1])?;
            let second = boxes(g, v[2], v[3])?;
            g.box_iou(first, second)
        })
        .between(0, -10.0, 20.0)
        .between(1, 1.0, 30.0)
        .between(2, -10.0, 20.0)
        .between(3, 1.0, 30.0)
        .fills([Fill::Normal])
    };
    vec![
        between("few", 7, 9),
        between("many", 31, 45),
        // Sides of any sign, some of them NaN: most boxes overlap none.
        Case::new("box_iou/any", &[&[23, 4], &[19, 4]], |g, v| g.box_iou(v[0], v[1]))
            .fills([Fill::SomeNan])
            .trust_constant_reference(),
        Case::new("box_iou/empty", &[&[5, 2], &[3, 4]], |g, v| {
            let points = g.concat(&[v[0], v[0]], -1)?;
            g.box_iou(points, points)
        })
        .fills([Fill::Normal])
        .trust_constant_reference(),
    ]
}
