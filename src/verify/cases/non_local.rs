use super::{super::Fill, Case};
use crate::ops::{NonLocal, Weighting};

fn case(name: &str, shapes: [[usize; 3]; 3], a: NonLocal) -> Case {
    let [theta, phi, g] = &shapes;
    Case::new(format!("non_local/{name}"), &[theta, phi, g], move |g, v| g.non_local([v[0], v[1], v[2]], &a))
        .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let dot = NonLocal { mode: Weighting::DotProduct, scale: None };
    vec![
        case("softmax", [[2, 20, 24], [2, 9, 24], [2, 9, 24]], NonLocal::default()),
        case(
            "softmax-unscaled",
            [[1, 12, 128], [1, 12, 128], [1, 12, 128]],
            NonLocal { scale: Some(1.0), ..NonLocal::default() },
        ),
        case("dot-product", [[2, 20, 24], [2, 9, 24], [2, 9, 24]], dot.clone()),
        case("dot-product-other-channels", [[1, 33, 12], [1, 40, 12], [1, 40, 20]], dot),
    ]
}
