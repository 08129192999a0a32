use kinetograph::ops::{
    ConvGru, ConvLstm, Direction, Gru, GruCell, Lstm, LstmCell, Recurrent, RecurrentWeights, Reset, Update,
};
use kinetograph::verify::{Case, Fill};
use kinetograph::{Engine, Graph, Result, Tensor, Value};
use proptest::prelude::*;

use crate::hold;

/// Outer axes of a state, and how many steps there are and which is taken.
fn outer() -> impl Strategy<Value = (Vec<usize>, Option<(usize, usize)>)> {
    let time = prop::option::of((1usize..=4).prop_flat_map(|t| (Just(t), 0..t)));
    (prop::collection::vec(1usize..=4, 1..=3), time)
}

/// The shape of `count` gates.
fn gates(outer: &[usize], time: Option<(usize, usize)>, width: usize) -> Vec<usize> {
    [&outer[..1], &time.map_or(vec![], |(t, _)| vec![t]), &outer[1..], &[width]].concat()
}

fn with(outer: &[usize], width: usize) -> Vec<usize> {
    [outer, &[width]].concat()
}

#[test]
fn lstm_cells_of_any_shapes() {
    let strategy = (outer(), 1usize..=9, 0usize..=3, 0usize..=2);
    hold(&strategy, |((outer, time), c, given, peephole)| {
        let mut shapes = vec![gates(&outer, time, 4 * c)];
        match given {
            0 => {}
            1 => shapes.push(vec![4 * c]),
            2 => shapes.extend([vec![4 * c], with(&outer, c)]),
            _ => shapes.extend([with(&outer, 4 * c), with(&outer, c)]),
        }
        match peephole {
            0 => {}
            1 => shapes.push(vec![3, c]),
            _ => shapes.push([&[3], &outer[1..], &[c]].concat()),
        }
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let a = LstmCell { step: time.map(|(_, step)| step), peephole: peephole > 0 };
        Case::several("lstm_cell/drawn", &shapes, move |g, v| g.push_all(a, v)).fills([Fill::Normal])
    });
}

#[test]
fn gru_cells_of_any_shapes() {
    let strategy = (outer(), 1usize..=9, 0usize..=2, any::<[bool; 3]>());
    hold(&strategy, |((outer, time), c, given, [before, replace, reset_state])| {
        let (k, reset_state) = (if before { 2 } else { 3 }, reset_state && given == 2);
        let mut shapes = vec![gates(&outer, time, 3 * c)];
        match given {
            0 => {}
            1 => shapes.push(vec![k * c]),
            _ => shapes.extend([with(&outer, k * c), with(&outer, c)]),
        }
        if before && given == 2 && !reset_state {
            shapes.push(with(&outer, c));
        }
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let a = GruCell {
            step: time.map(|(_, step)| step),
            reset: if before { Reset::Before } else { Reset::After },
            update: if replace { Update::Replace } else { Update::Keep },
            reset_state,
        };
        Case::new("gru_cell/drawn", &shapes, move |g, v| g.gru_cell(v[0], &v[1..], a)).fills([Fill::Normal])
    });
}

/// A graph being built, with constants of numbers that never repeat.
struct Build {
    g: Graph,
    made: usize,
}

impl Build {
    fn new() -> Build {
        Build { g: Graph::new(), made: 0 }
    }

    fn tensor(&mut self, shape: &[usize]) -> Tensor {
        self.made += 1;
        let phase = self.made as f32;
        Tensor::from_fn(shape, |i| (1.7 * phase + 0.37 * i as f32).sin()).unwrap()
    }

    fn constant(&mut self, shape: &[usize]) -> Value {
        let tensor = self.tensor(shape);
        self.g.constant(&self.made.to_string(), tensor)
    }

    fn weights(&mut self, i: usize, c: usize, k: usize, before: bool) -> RecurrentWeights {
        let recurrent = if before { k - 1 } else { k };
        RecurrentWeights {
            input: self.constant(&[i, k * c]),
            hidden: self.constant(&[c, recurrent * c]),
            candidate: before.then(|| self.constant(&[c, c])),
            input_bias: Some(self.constant(&[k * c])),
            hidden_bias: (!before).then(|| self.constant(&[k * c])),
        }
    }

    /// The values of these outputs.
    fn run(mut self, outputs: &[Value]) -> Vec<Vec<f32>> {
        for (i, v) in outputs.iter().enumerate() {
            self.g.output(&i.to_string(), *v).unwrap();
        }
        let run = Engine::cpu().plan(&self.g).unwrap().run(&[]).unwrap();
        run.iter().map(|(_, t)| t.f32s().unwrap().to_vec()).collect()
    }
}

/// Everything that a network gives.
fn all(y: Recurrent) -> Vec<Value> {
    [vec![y.output], y.hidden, y.cell].concat()
}

const N: usize = 2;
const T: usize = 3;
const I: usize = 4;
const C: usize = 5;

/// An LSTM and GRUs of both resets on the same input and weights, walked as told.
fn networks(
    b: &mut Build,
    x: &Tensor,
    direction: Direction,
    first: Option<&[Tensor]>,
) -> Result<Vec<Vec<Value>>> {
    let x = b.g.constant("x", x.clone());
    let state: Vec<Value> = first.unwrap_or(&[]).iter().map(|t| b.g.constant("state", t.clone())).collect();
    let directions = direction.count();
    let mut out = Vec::new();
    let weights: Vec<_> = (0..directions).map(|_| b.weights(I, C, 4, false)).collect();
    let pairs: Vec<[Value; 2]> = state.chunks(2).map(|s| [s[0], s[1]]).collect();
    out.push(all(b.g.lstm(x, &weights, &pairs, &Lstm { direction })?));
    for reset in [Reset::After, Reset::Before] {
        let weights: Vec<_> = (0..directions).map(|_| b.weights(I, C, 3, reset == Reset::Before)).collect();
        let attributes = Gru { direction, reset, ..Gru::default() };
        out.push(all(b.g.gru(x, &weights, &state[..state.len() / 2], &attributes)?));
    }
    Ok(out)
}

fn values(x: &Tensor, direction: Direction, first: Option<&[Tensor]>) -> Vec<Vec<Vec<f32>>> {
    let mut b = Build::new();
    let outputs = networks(&mut b, x, direction, first).unwrap();
    let counts: Vec<usize> = outputs.iter().map(Vec::len).collect();
    let mut flat = b.run(&outputs.concat()).into_iter();
    counts.into_iter().map(|n| flat.by_ref().take(n).collect()).collect()
}

fn clip() -> Tensor {
    Tensor::from_fn(&[N, T, I], |i| (0.71 * i as f32).cos()).unwrap()
}

/// Frames of `[N, T, width]` in the other order.
fn turned(x: &[f32], width: usize) -> Vec<f32> {
    x.chunks(T * width).flat_map(|sample| sample.chunks(width).rev().collect::<Vec<_>>().concat()).collect()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
}

#[test]
fn no_state_is_a_state_of_zeros() {
    let zeros = vec![Tensor::from_fn(&[N, C], |_| 0.0).unwrap(); 2];
    let (without, with) =
        (values(&clip(), Direction::Forward, None), values(&clip(), Direction::Forward, Some(&zeros)));
    for (a, b) in without.iter().flatten().zip(with.iter().flatten()) {
        assert!(close(a, b), "{a:?} {b:?}");
    }
}

#[test]
fn backwards_is_forwards_on_the_frames_in_the_other_order() {
    let there = values(&clip(), Direction::Reverse, None);
    let other = Tensor::new(&[N, T, I], turned(clip().f32s().unwrap(), I)).unwrap();
    let back = values(&other, Direction::Forward, None);
    for (a, b) in there.iter().zip(&back) {
        assert!(close(&a[0], &turned(&b[0], C)));
        assert!(a[1..].iter().zip(&b[1..]).all(|(a, b)| close(a, b)));
    }
}

/// A convolution of single positions is a linear layer, in every variant.
#[test]
fn networks_of_single_positions_are_plain_ones() {
    let mut b = Build::new();
    let frames = [1, 1];
    let x = b.constant(&[N, T, I]);
    let xs = b.g.view(x, &[N, T, 1, 1, I]).unwrap();
    let state = [b.constant(&[N, C]), b.constant(&[N, C])];
    let states = state.map(|s| b.g.view(s, &[N, 1, 1, C]).unwrap());
    let wide = |b: &mut Build, w: &RecurrentWeights| {
        let mut kernel = |v: Value| {
            let shape = [&frames, &b.g.shape(v)[..]].concat();
            b.g.view(v, &shape).unwrap()
        };
        RecurrentWeights {
            input: kernel(w.input),
            hidden: kernel(w.hidden),
            candidate: w.candidate.map(&mut kernel),
            ..*w
        }
    };
    let mut pairs = Vec::new();
    for reverse in [false, true] {
        let direction = if reverse { Direction::Reverse } else { Direction::Forward };
        let w = b.weights(I, C, 4, false);
        let ws = wide(&mut b, &w);
        let plain = b.g.lstm(x, &[w], &[state], &Lstm { direction }).unwrap();
        let conv = b.g.conv_lstm(xs, &ws, None, Some(states), &ConvLstm { reverse }).unwrap();
        pairs.push((all(plain), all(conv)));
        for reset in [Reset::After, Reset::Before] {
            for update in [Update::Keep, Update::Replace] {
                let w = b.weights(I, C, 3, reset == Reset::Before);
                let ws = wide(&mut b, &w);
                let plain = b.g.gru(x, &[w], &state[..1], &Gru { direction, reset, update }).unwrap();
                let conv =
                    b.g.conv_gru(xs, &ws, Some(states[0]), &ConvGru { reset, update, reverse }).unwrap();
                pairs.push((all(plain), all(conv)));
            }
        }
    }
    let (plain, conv): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let (plain, conv) = (plain.concat(), conv.concat());
    let values = b.run(&[&plain[..], &conv[..]].concat());
    let (plain, conv) = values.split_at(plain.len());
    assert_eq!(plain.len(), 2 * 3 + 8 * 2);
    for (k, (p, c)) in plain.iter().zip(conv).enumerate() {
        assert!(close(p, c), "{k}: {p:?} {c:?}");
        assert!(plain[..k].iter().all(|other| !close(other, p)), "{k} is like another");
    }
}
