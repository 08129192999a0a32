use super::{super::Fill, Case};
use crate::ops::{Coordinates, GridSample, Sampling, SamplingPadding};

const ALL: [Fill; 3] = [Fill::Integers, Fill::Normal, Fill::SomeNan];

/// The grid goes somewhat beyond the input, on all sides.
fn case(name: &str, x: &[usize], grid: &[usize], a: GridSample) -> Case {
    let longest = x[1..x.len() - 1].iter().copied().max().unwrap_or(1) as f32;
    let (low, high) = match a.coordinates {
        Coordinates::Normalized => (-1.4, 1.4),
        Coordinates::Pixels => (-1.7, longest + 0.7),
        Coordinates::Displacement => (-2.6, 2.6),
    };
    Case::new(format!("grid_sample/{name}"), &[x, grid], move |g, v| g.grid_sample(v[0], v[1], &a))
        .between(1, low, high)
        .fills(ALL)
}

pub(super) fn cases() -> Vec<Case> {
    use Coordinates::{Displacement, Normalized, Pixels};
    use Sampling::{Bicubic, Bilinear, Nearest};
    use SamplingPadding::{Border, Reflection, Zeros};
    let mut list = Vec::new();
    for (i, mode) in [Bilinear, Nearest, Bicubic].into_iter().enumerate() {
        for (j, padding_mode) in [Zeros, Border, Reflection].into_iter().enumerate() {
            for align_corners in [false, true] {
                let aligned = if align_corners { "-aligned" } else { "" };
                let name = |what: &str| format!("{mode:?}-{padding_mode:?}{aligned}-{what}").to_lowercase();
                let a = |coordinates| GridSample {
                    mode,
                    padding_mode,
                    align_corners,
                    coordinates,
                    ..GridSample::default()
                };
                // Channels of four and not, in turn.
                let c = if (i + j) % 2 == 0 { 4 } else { 3 };
                list.push(case(&name("picture"), &[2, 5, 7, c], &[2, 4, 6, 2], a(Normalized)));
                if mode != Bicubic {
                    list.push(case(&name("video"), &[1, 3, 4, 5, c], &[1, 2, 5, 4, 3], a(Normalized)));
                }
                if !align_corners || padding_mode == Reflection {
                    list.push(case(&name("warp"), &[1, 6, 7, 7 - c], &[1, 6, 7, 2], a(Displacement)));
                }
            }
        }
    }
    let wide =
        |mode, padding_mode| GridSample { mode, padding_mode, coordinates: Pixels, ..GridSample::default() };
    list.extend([
        case(
            "soft-cubic",
            &[1, 6, 7, 4],
            &[1, 6, 7, 2],
            GridSample { cubic_coeff_a: Some(-0.5), coordinates: Displacement, ..wide(Bicubic, Border) },
        ),
        case("pixels", &[1, 6, 9, 8], &[1, 5, 11, 2], wide(Bilinear, Border)),
        case(
            "one-element",
            &[1, 1, 1, 4],
            &[1, 3, 5, 2],
            GridSample { padding_mode: Reflection, ..GridSample::default() },
        )
        .trust_constant_reference(),
        case(
            "one-element-aligned",
            &[2, 1, 1, 5],
            &[2, 3, 5, 2],
            GridSample { padding_mode: Reflection, align_corners: true, ..GridSample::default() },
        ),
    ]);
    // Whole numbers are places halfway between elements, and nothing is rounded but these.
    for (name, x, align_corners) in [("aligned", [1, 2, 6, 4], true), ("edges", [1, 3, 5, 4], false)] {
        for padding_mode in [Border, Reflection] {
            let a = GridSample { mode: Nearest, padding_mode, align_corners, ..GridSample::default() };
            let name = format!("grid_sample/nearest-{padding_mode:?}-ties-{name}").to_lowercase();
            list.push(
                Case::new(name, &[&x, &[1, 9, 8, 2]], move |g, v| g.grid_sample(v[0], v[1], &a))
                    .fills([Fill::Integers])
                    .exact_on_integers(),
            );
        }
    }
    for padding in [Zeros, Border, Reflection] {
        let name = format!("grid_sample/flow-{padding:?}").to_lowercase();
        let flow = Case::new(name, &[&[2, 5, 9, 8], &[2, 5, 9, 2]], move |g, v| g.warp(v[0], v[1], padding));
        list.push(flow.between(1, -3.0, 3.0).fills(ALL));
        for mode in [Bilinear, Nearest, Bicubic] {
            let name = |what: &str| format!("{mode:?}-{padding:?}-{what}").to_lowercase();
            // Whole pixels, so that no place is rounded: beside the picture, far from it, and where it is taken whole.
            list.push(
                Case::new(
                    format!("grid_sample/{}", name("whole-pixels")),
                    &[&[1, 7, 6, 4], &[1, 9, 8, 2]],
                    {
                        let a = GridSample { coordinates: Displacement, ..wide(mode, padding) };
                        move |g, v| g.grid_sample(v[0], v[1], &a)
                    },
                )
                .fills([Fill::Integers])
                .exact_on_integers(),
            );
            // Places that are no numbers, or infinite, and those so far away that an i32 cannot count them.
            list.push(
                Case::new(
                    format!("grid_sample/{}", name("strange-places")),
                    &[&[1, 4, 5, 4], &[1, 6, 7, 2]],
                    move |g, v| g.grid_sample(v[0], v[1], &wide(mode, padding)),
                )
                .between(0, -1.0, 1.0)
                .fills([Fill::SomeNan, Fill::Masked, Fill::Scaled(1e12)])
                .trust_constant_reference(),
            );
        }
    }
    list
}
