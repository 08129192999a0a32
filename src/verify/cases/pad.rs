use super::{super::Fill, Case};
use crate::ops::{Pad, PaddingMode};

const MODES: [(&str, PaddingMode); 3] = [
    ("reflect", PaddingMode::Reflect),
    ("replicate", PaddingMode::Replicate),
    ("circular", PaddingMode::Circular),
];

fn case(name: &str, shape: &[usize], a: Pad) -> Case {
    Case::new(format!("pad/{name}"), &[shape], move |g, v| g.pad(v[0], &a))
        .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
        .exact_on_integers()
}

fn constant(padding: &[[usize; 2]], value: f32) -> Pad {
    Pad { value, ..Pad::zeros(padding) }
}

pub(super) fn cases() -> Vec<Case> {
    let space = [[0, 0], [2, 0], [1, 1], [3, 2]];
    let mut list = vec![
        case("constant-video", &[1, 3, 4, 5, 8], constant(&space, 0.5)),
        case("constant-odd-channels", &[2, 3, 4, 5, 3], constant(&space, -1.5)),
        case("channels", &[3, 5, 8], Pad::zeros(&[[0, 0], [0, 0], [1, 3]])),
        case("row", &[70], constant(&[[5, 9]], 2.0)),
        case("scalar", &[], Pad::default()).trust_constant_reference(),
        case("nothing", &[3, 40], Pad::default()),
        case("infinite", &[9, 12], constant(&[[1, 0], [0, 1]], f32::NEG_INFINITY)),
        case("eight-axes", &[2, 1, 2, 1, 3, 1, 2, 2], constant(&[[0, 1], [1, 0], [1, 1]], 3.0)),
        Case::new("pad/integers", &[&[5, 6, 7]], |g, v| g.pad(v[0], &constant(&[[1, 2], [0, 1]], -7.0)))
            .indices(0, -100_000_000..=100_000_000),
    ];
    for (name, mode) in MODES {
        let pad = |padding: &[[usize; 2]]| Pad::zeros(padding).mode(mode);
        list.push(case(&format!("{name}-video"), &[2, 3, 4, 5, 12], pad(&space)));
        list.push(case(&format!("{name}-odd-channels"), &[1, 4, 5, 6, 3], pad(&space)));
        // As far as the mode reaches.
        let most = if mode == PaddingMode::Reflect { 3 } else { 4 };
        list.push(case(&format!("{name}-whole-axis"), &[4, 9], pad(&[[most, most], [1, 0]])));
        let integers = pad(&[[0, 1], [2, 1]]);
        list.push(
            Case::new(format!("pad/{name}-integers"), &[&[5, 8]], move |g, v| g.pad(v[0], &integers))
                .indices(0, -9..=9),
        );
    }
    let far = Pad::zeros(&[[7, 5], [0, 11]]).mode(PaddingMode::Replicate);
    list.push(case("replicate-far", &[3, 4, 5], far));
    let one = Pad::zeros(&[[1, 2]]).mode(PaddingMode::Circular);
    list.push(case("circular-one-place", &[2, 40], one));
    list
}
