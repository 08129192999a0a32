use super::Case;
use crate::ops::ConvTranspose1d;

fn case(name: &str, x: [usize; 3], w: [usize; 3], a: ConvTranspose1d) -> Case {
    let out = [w[2] * a.groups];
    Case::new(format!("conv_transpose1d/{name}"), &[&x, &w, &out], move |g, v| {
        g.conv_transpose1d(v[0], v[1], Some(v[2]), &a)
    })
    .weights_from(1)
    .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = ConvTranspose1d::default();
    vec![
        case(
            "stride",
            [2, 19, 6],
            [4, 6, 12],
            ConvTranspose1d { stride: [2], padding: [[1, 1]], ..plain.clone() },
        ),
        case(
            "longer",
            [1, 9, 5],
            [3, 5, 7],
            ConvTranspose1d { stride: [4], output_padding: [3], ..plain.clone() },
        ),
        case("groups", [2, 11, 8], [5, 8, 4], ConvTranspose1d { groups: 4, dilation: [2], ..plain }),
    ]
}
