use kinetograph::ops::{Attention, WindowAttention};
use kinetograph::verify::{Case, Fill};
use proptest::prelude::*;

use crate::{hold, three};

/// Lengths, heads and widths about the sizes of tiles, causal or not, with a window or a bias or neither.
#[test]
fn attentions_of_any_attributes() {
    let lengths = (1usize..=2, 1usize..=70, 1usize..=40);
    let heads = (1usize..=3, prop_oneof![Just(5usize), Just(8), Just(97)]);
    let kind = (any::<bool>(), prop::option::of((0usize..=20, 0usize..=3)), 0usize..=3, three(1..=3));
    hold(&(lengths, heads, kind), |((n, queries, keys), (heads, width), (causal, window, bias, grid))| {
        let grid_fits = bias == 3 && grid.iter().product::<usize>() <= keys;
        let a = Attention {
            causal,
            window: window.map(|w| w.0),
            global: window.map_or(0, |w| w.1),
            key_grid: grid_fits.then_some(grid),
            ..Attention::heads(heads)
        };
        let (q, k) = ([n, queries, heads * width], [n, keys, heads * width]);
        let bias: Vec<usize> = match bias {
            1 => vec![queries, keys],
            2 => vec![n, heads, queries, keys],
            3 if grid_fits => vec![n, queries, heads, grid.iter().sum()],
            _ => vec![],
        };
        let shapes: [&[usize]; 4] = [&q, &k, &k, &bias];
        let count = if bias.is_empty() { 3 } else { 4 };
        Case::new("attention/drawn", &shapes[..count], move |g, v| {
            g.attention([v[0], v[1], v[2]], v.get(3).copied(), &a)
        })
        .fills([Fill::Normal])
    });
}

#[test]
fn windows_of_any_attributes() {
    let strategy = (three(1..=4), three(1..=3), three(0..=3), (1usize..=2, 1usize..=9, any::<bool>()));
    hold(&strategy, |(window, times, shift, (heads, width, longer))| {
        let a = WindowAttention {
            shift_size: std::array::from_fn(|i| shift[i] % window[i]),
            table_window: longer.then(|| [window[0] + 1, window[1], window[2]]),
            ..WindowAttention::of(heads, window)
        };
        let [t, h, w] = std::array::from_fn(|i| window[i] * times[i]);
        let of_table = a.table_window.unwrap_or(window);
        let table = [of_table.iter().map(|w| 2 * w - 1).product(), heads];
        let x = [1, t, h, w, 3 * heads * width];
        Case::new("window_attention/drawn", &[&x, &table], move |g, v| {
            g.window_attention(v[0], Some(v[1]), &a)
        })
        .fills([Fill::Normal])
    });
}
