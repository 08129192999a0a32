use super::{super::Fill, Case};
use crate::ops::WindowAttention;

fn case(name: &str, [t, h, w]: [usize; 3], channels: usize, table: bool, a: WindowAttention) -> Case {
    let x = [2, t, h, w, 3 * channels];
    let window = a.table_window.unwrap_or(a.window_size);
    let table_shape = [window.iter().map(|w| 2 * w - 1).product(), a.heads];
    let shapes: &[&[usize]] = if table { &[&x, &table_shape] } else { &[&x] };
    Case::new(format!("window_attention/{name}"), shapes, move |g, v| {
        g.window_attention(v[0], v.get(1).copied(), &a)
    })
    .weights_from(1)
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let of = WindowAttention::of;
    let shifted = |a, shift_size| WindowAttention { shift_size, ..a };
    vec![
        case("video", [4, 6, 6], 12, true, of(3, [2, 3, 3])),
        case("shifted", [4, 6, 6], 12, true, shifted(of(2, [2, 3, 3]), [1, 1, 1])),
        case("shifted-along-one", [2, 4, 8], 6, true, shifted(of(1, [2, 2, 4]), [0, 0, 3])),
        case("picture", [1, 10, 5], 8, true, shifted(of(2, [1, 5, 5]), [0, 2, 2])),
        case("one-window", [2, 4, 5], 16, true, of(2, [2, 4, 5])),
        case("one-window-shifted", [2, 4, 5], 14, true, shifted(of(2, [2, 4, 5]), [1, 3, 2])),
        case("of-one-token", [2, 3, 2], 8, true, of(1, [1, 1, 1])),
        case("no-table", [2, 6, 6], 8, false, shifted(of(2, [1, 3, 3]), [0, 1, 1])),
        case(
            "table-of-a-longer-window",
            [2, 6, 3],
            8,
            true,
            WindowAttention { table_window: Some([8, 3, 3]), ..shifted(of(2, [2, 3, 3]), [0, 1, 0]) },
        ),
        case("scale", [2, 4, 4], 8, true, WindowAttention { scale: Some(0.02), ..of(2, [2, 2, 2]) }),
        case("wide", [2, 4, 8], 96, true, shifted(of(1, [2, 4, 4]), [0, 0, 2])),
        case("saturated", [2, 4, 8], 8, true, shifted(of(1, [2, 4, 8]), [0, 1, 3]))
            .fills([Fill::Scaled(30.0)]),
        case("nan", [2, 4, 4], 2, false, shifted(of(1, [1, 2, 2]), [0, 1, 1])).fills([Fill::SomeNan]),
        // Scores of a table with −∞: masked; a query whose keys all are gives zeros.
        case("masked", [1, 4, 4], 2, true, of(2, [1, 2, 2])).fills([Fill::Masked]).trust_constant_reference(),
    ]
}
