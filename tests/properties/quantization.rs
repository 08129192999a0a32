use kinetograph::ops::{ScalarCode, ScalarQuantize};
use kinetograph::verify::{Case, Fill};
use proptest::prelude::*;

use crate::hold;

#[test]
fn any_levels() {
    let modes = prop::sample::select(vec![ScalarCode::Fsq, ScalarCode::FsqPaper]);
    let strategy = (modes, prop::collection::vec(2u32..=12, 1..=8), 1usize..=100);
    hold(&strategy, |(mode, levels, rows)| {
        let shape = [rows, levels.len()];
        let a = ScalarQuantize { mode, levels };
        Case::several("scalar_quantize/drawn", &[&shape], move |g, v| {
            let (indices, codes) = g.scalar_quantize(v[0], &a)?;
            Ok(vec![indices, codes])
        })
        .fills([Fill::Normal, Fill::SomeNan])
    });
}
