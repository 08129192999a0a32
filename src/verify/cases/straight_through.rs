use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let shape: &[usize] = &[3, 5, 7];
    vec![
        Case::new("straight_through/plain", &[shape, shape], |g, v| g.straight_through(v[0], v[1]))
            .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
            .exact_on_integers(),
    ]
}
