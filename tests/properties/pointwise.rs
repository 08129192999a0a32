use kinetograph::ops::Binary;
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::hold;

/// Shapes that broadcast: lengths drawn once, of which each side keeps some, has others as 1, and lacks the first few.
#[test]
fn functions_of_any_shapes_that_broadcast() {
    let axis = (prop_oneof![Just(1usize), Just(3), Just(4), Just(8)], any::<[bool; 2]>());
    let strategy = (prop::collection::vec(axis, 0..=5), prop::array::uniform2(0usize..=5), 0usize..3);
    hold(&strategy, |(axes, lacks, function)| {
        let side = |side: usize| -> Vec<usize> {
            let dims = axes.iter().map(|(length, one)| if one[side] { 1 } else { *length });
            dims.skip(lacks[side].min(axes.len())).collect()
        };
        let function = [Binary::Sub, Binary::Maximum, Binary::Prelu][function];
        Case::new("binary/drawn", &[&side(0), &side(1)], move |g, v| g.binary(v[0], v[1], function))
            .exact_on_integers()
    });
}

#[test]
fn choices_of_any_shapes_that_broadcast() {
    let axis = (1usize..=5, any::<[bool; 3]>());
    let strategy = (prop::collection::vec(axis, 0..=5), prop::array::uniform3(0usize..=5));
    hold(&strategy, |(axes, lacks)| {
        let side = |side: usize| -> Vec<usize> {
            let dims = axes.iter().map(|(length, one)| if one[side] { 1 } else { *length });
            dims.skip(lacks[side].min(axes.len())).collect()
        };
        Case::new("select/drawn", &[&side(0), &side(1), &side(2)], |g, v| g.select(v[0], v[1], v[2]))
            .exact_on_integers()
    });
}
