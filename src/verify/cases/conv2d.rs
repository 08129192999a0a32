use super::Case;
use crate::ops::Conv2d;

fn case(name: &str, x: [usize; 4], w: [usize; 4], a: Conv2d) -> Case {
    Case::new(format!("conv2d/{name}"), &[&x, &w, &[w[3]]], move |g, v| g.conv2d(v[0], v[1], Some(v[2]), &a))
        .weights_from(1)
        .exact_on_integers()
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
        case("pointwise", [3, 5, 7, 20], [1, 1, 20, 24], plain),
    ]
}
