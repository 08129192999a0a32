use kinetograph::ops::{Gather, ScatterAdd, Slice};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::hold;

fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..=6, 1..=4)
}

/// Starts and stops within and beyond the ends, steps both ways; a stop that would leave nothing is left out.
#[test]
fn slices_of_any_attributes() {
    let entry = (-9isize..=9, -9isize..=9, prop_oneof![-4isize..=-1, 1isize..=4]);
    let strategy = (shape(), prop::collection::vec((entry, any::<[bool; 3]>()), 0..=4));
    hold(&strategy, |(shape, entries)| {
        let mut a = Slice::default();
        for (&length, ((start, stop, step), given)) in shape.iter().zip(entries) {
            let place = |at: isize| if at < 0 { at + length as isize } else { at };
            let step = if given[2] { step } else { 1 };
            let first = place(start).clamp(0, length as isize - 1);
            let leaves = if step > 0 { place(stop) > first } else { place(stop) < first };
            let default_first = if step > 0 { 0 } else { length as isize - 1 };
            let leaves_from_end =
                if step > 0 { place(stop) > default_first } else { place(stop) < default_first };
            let enough = if given[0] { leaves } else { leaves_from_end };
            a.start.push(given[0].then_some(first));
            a.stop.push((given[1] && enough).then_some(stop));
            a.step.push(given[2].then_some(step));
        }
        Case::new("slice/drawn", &[&shape], move |g, v| g.slice(v[0], &a)).exact_on_integers()
    });
}

#[test]
fn rolls_of_any_attributes() {
    let strategy = (shape(), prop::collection::vec(-20isize..=20, 4));
    hold(&strategy, |(shape, shifts)| {
        let dims: Vec<isize> = (0..shape.len() as isize).collect();
        let shifts = shifts[..shape.len()].to_vec();
        Case::new("roll/drawn", &[&shape], move |g, v| g.roll(v[0], &shifts, &dims)).exact_on_integers()
    });
}

/// What is gathered, and what is scattered along the same axis.
#[test]
fn indices_along_any_axis() {
    let strategy = (shape(), 0usize..4, 1usize..=9, any::<[bool; 2]>());
    hold(&strategy, |(shape, axis, count, [rows, scatter])| {
        let axis = axis % shape.len();
        let dim = axis as isize;
        let mut source = shape.clone();
        source[axis] = count;
        let indices = if rows { vec![count] } else { source.clone() };
        let range = -1..=shape[axis] as i32;
        let case = if scatter {
            Case::new("scatter_add/drawn", &[&shape, &indices, &source], move |g, v| {
                g.scatter_add(v[0], v[1], v[2], &ScatterAdd { dim, rows })
            })
        } else {
            Case::new("gather/drawn", &[&shape, &indices], move |g, v| {
                g.gather(v[0], v[1], &Gather { dim, rows })
            })
        };
        case.indices(1, range).exact_on_integers()
    });
}
