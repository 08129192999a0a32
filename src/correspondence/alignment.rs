//! Two clips laid side by side in time, moment by moment, by their frames' embeddings.
//!
//! Paper: Dwibedi, Aytar, Tompson, Sermanet, Zisserman, "Temporal Cycle-Consistency Learning", CVPR 2019,
//! arXiv:1904.07846; similarities are scaled as google-research/tcc scales them.

use crate::error::{Error, Result};
use crate::graph::{Engine, Graph, Value};
use crate::ops::{Binary, Matmul, Reduce, Reduction, Softmax};
use crate::tensor::Tensor;

/// Where the frames of one clip have their soft nearest neighbours in another, and where those lead back to.
#[derive(Debug, Clone)]
pub struct Alignment {
    /// The weights `[T, S]` of the second clip's frames for each of the first.
    pub weights: Tensor,
    /// The mean place `[T]` in the second clip, in frames from 0.
    pub places: Tensor,
    /// The mean place `[T]` in the first clip of what is nearest to the neighbour: for a frame that both clips have, its
    /// own.
    pub cycle: Tensor,
}

/// Aligns the frames of two clips with embeddings `first` `[T, C]` and `second` `[S, C]`: weights are the softmax of
/// `−‖u − v‖² / (C · temperature)`; the paper's temperature is 0.1.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the embeddings have not the same channels or the temperature is no positive number.
pub fn align(engine: &Engine, first: &Tensor, second: &Tensor, temperature: f32) -> Result<Alignment> {
    let [t, channels] = first.shape().dims("the first clip's embeddings", "[T, C]")?;
    let [s, others] = second.shape().dims("the second clip's embeddings", "[S, C]")?;
    if channels != others {
        let text = format!("the clips' embeddings have {channels} and {others} channels");
        return Err(Error::bad_input(text));
    }
    let mut graph = Graph::new();
    let g = &mut graph;
    let a = g.input("first", &[t, channels])?;
    let b = g.input("second", &[s, channels])?;
    let weights = nearest(g, a, b, temperature)?;
    let places = mean_place(g, weights, s)?;
    let neighbours = g.matmul(weights, b, &Matmul::default())?;
    let back = nearest(g, neighbours, a, temperature)?;
    let cycle = mean_place(g, back, t)?;
    for (name, value) in [("weights", weights), ("places", places), ("cycle", cycle)] {
        g.output(name, value)?;
    }
    let outputs = engine.plan(&graph)?.run(&[("first", first.clone()), ("second", second.clone())])?;
    let [weights, places, cycle] = ["weights", "places", "cycle"].map(|name| outputs[name].clone());
    Ok(Alignment { weights, places, cycle })
}

/// The weights of `candidates` `[S, C]` for each of `queries` `[T, C]`. The part `‖u‖²` of a distance is the same for all
/// candidates, so the softmax needs it not.
fn nearest(g: &mut Graph, queries: Value, candidates: Value, temperature: f32) -> Result<Value> {
    let [s, channels] = g.shape(candidates).dims("the embeddings", "[S, C]")?;
    let product = Matmul { transpose_b: true, scale: 2.0, ..Matmul::default() };
    let products = g.matmul(queries, candidates, &product)?;
    let squares = g.binary(candidates, candidates, Binary::Mul)?;
    let lengths = g.reduce(squares, &Reduce::over(Reduction::Sum, &[1]))?;
    let lengths = g.view(lengths, &[1, s])?;
    let scores = g.binary(products, lengths, Binary::Sub)?;
    g.softmax(scores, &Softmax { temperature: temperature * channels as f32, ..Softmax::default() })
}

/// The mean of the numbers 0 to `length` − 1, weighted by each row of `weights` `[T, length]`.
fn mean_place(g: &mut Graph, weights: Value, length: usize) -> Result<Value> {
    let [t, _] = g.shape(weights).dims("the weights", "[T, S]")?;
    let numbers = g.constant("places", Tensor::from_fn(&[length, 1], |i| i as f32)?);
    let mean = g.matmul(weights, numbers, &Matmul::default())?;
    g.view(mean, &[t])
}
