use super::Case;
use crate::ops::{BatchNorm, Conv2d, PaddingMode};

fn case(name: &str, x: [usize; 4], w: [usize; 4], a: Conv2d) -> Case {
    Case::new(format!("conv2d/{name}"), &[&x, &w, &[w[3]]], move |g, v| g.conv2d(v[0], v[1], Some(v[2]), &a))
        .weights_from(1)
        .exact_on_integers()
}

/// The end of a residual block, one node between two views once it is fused.
fn block(name: &str, x: [usize; 4]) -> Case {
    let c = x[3];
    let shapes: [&[usize]; 6] = [&x, &[3, 3, c, c], &[c], &[c], &[c], &[c]];
    Case::new(format!("conv2d/{name}"), &shapes, |g, v| {
        let a = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
        let y = g.conv2d(v[0], v[1], None, &a)?;
        let y = g.batch_norm(y, [v[2], v[3]], Some(v[4]), Some(v[5]), &BatchNorm::default())?;
        let y = g.add(y, v[0])?;
        g.relu(y)
    })
    .weights_from(1)
    .between(3, 0.25, 4.0)
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Conv2d::default();
    vec![
        case(
            "stem",
            [2, 13, 17, 3],
            [7, 7, 3, 16],
            Conv2d { stride: [2; 2], padding: [[3; 2]; 2], ..plain.clone() },
        ),
        case(
            "asymmetric",
            [1, 8, 9, 8],
            [3, 2, 8, 12],
            Conv2d { padding: [[0, 1], [1, 0]], dilation: [1, 2], ..plain.clone() },
        ),
        case(
            "depthwise",
            [1, 9, 7, 12],
            [3, 3, 1, 12],
            Conv2d { groups: 12, padding: [[1; 2]; 2], ..plain.clone() },
        ),
        case("reflect", [1, 9, 8, 6], [7, 7, 6, 8], {
            Conv2d { padding: [[3; 2]; 2], padding_mode: PaddingMode::Reflect, ..plain.clone() }
        }),
        block("batch-norm-residual-relu", [2, 7, 6, 12]),
        case("pointwise", [3, 5, 7, 20], [1, 1, 20, 24], plain),
    ]
}
