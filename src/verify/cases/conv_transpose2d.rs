use super::Case;
use crate::graph::Activation;
use crate::ops::ConvTranspose2d;

fn case(name: &str, x: [usize; 4], w: [usize; 4], a: ConvTranspose2d) -> Case {
    let out = [w[3] * a.groups];
    Case::new(format!("conv_transpose2d/{name}"), &[&x, &w, &out], move |g, v| {
        let y = g.conv_transpose2d(v[0], v[1], Some(v[2]), &a)?;
        g.activation(y, Activation::Relu)
    })
    .weights_from(1)
    .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = ConvTranspose2d::default();
    let twice = ConvTranspose2d { stride: [2; 2], padding: [[1; 2]; 2], ..plain.clone() };
    vec![
        case("twice", [2, 5, 7, 12], [4, 4, 12, 8], twice.clone()),
        case("twice-odd-kernel", [1, 6, 5, 8], [3, 3, 8, 6], {
            ConvTranspose2d { output_padding: [1, 1], ..twice.clone() }
        }),
        case("to-picture", [1, 5, 6, 8], [4, 4, 8, 3], twice),
        case("groups", [1, 4, 5, 12], [3, 2, 12, 5], ConvTranspose2d { groups: 3, stride: [1, 3], ..plain }),
    ]
}
