//! Labels of a clip's first frame carried to the others along the affinities of features, with which self-supervised
//! correspondence is evaluated.
//!
//! Paper: Jabri, Owens, Efros, "Space-Time Correspondence as a Contrastive Random Walk", NeurIPS 2020, arXiv:2006.14613;
//! as ajabri/videowalk does it (code/test.py, code/utils/test_utils.py).

use crate::error::{Error, Result};
use crate::graph::{Engine, Graph, Resident, Value};
use crate::ops::{Matmul, Softmax};
use crate::tensor::Tensor;

/// The most scores held at once: 64 MiB.
const MOST_SCORES: usize = 1 << 24;

/// How labels are carried from frame to frame: every place takes the labels of the places that are most like it in the
/// frames before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelPropagation {
    /// How many frames before are looked at, beside the first one. Before the clip its first frame stands again.
    pub context: usize,
    /// How far away, in places, what is looked at may lie in them; anywhere in the first frame.
    pub radius: f32,
    /// How many places labels are taken from.
    pub top_k: usize,
    /// What their scores are divided by before the softmax that weighs them.
    pub temperature: f32,
}

impl Default for LabelPropagation {
    /// What ajabri/videowalk evaluates with on DAVIS.
    fn default() -> Self {
        LabelPropagation { context: 20, radius: 12.0, top_k: 10, temperature: 0.05 }
    }
}

impl LabelPropagation {
    /// The labels `[T, H, W, K]` of all frames: `maps` `[T, H, W, C]` are their features, each place's of length 1, `mask`
    /// `[H, W, K]` the labels of the first frame, such as one channel for each object.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other or an attribute is out of range.
    pub fn run(&self, engine: &Engine, maps: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let [frames, h, w, channels] = maps.shape().dims("the maps", "[T, H, W, C]")?;
        let (maps, mask) = (maps.to_f32(), mask.to_f32());
        let each = h * w * channels;
        let frame =
            |i: usize| Tensor::new(&[h, w, channels], maps.f32s()?[i * each..(i + 1) * each].to_vec());
        let mut propagation = self.start(engine, &frame(0)?, &mask)?;
        let mut labels = mask.f32s()?.to_vec();
        for i in 1..frames {
            labels.extend_from_slice(propagation.next(&frame(i)?)?.f32s()?);
        }
        Tensor::new(&[frames, h, w, mask.shape()[2]], labels)
    }

    /// Begins to carry labels frame by frame: `map` `[H, W, C]` are the features of the first one, `mask` `[H, W, K]` its
    /// labels.
    ///
    /// # Errors
    /// As [`LabelPropagation::run`].
    pub fn start(&self, engine: &Engine, map: &Tensor, mask: &Tensor) -> Result<Propagation> {
        let [h, w, channels] = map.shape().dims("the map", "[H, W, C]")?;
        let [mask_h, mask_w, classes] = mask.shape().dims("the mask", "[H, W, K]")?;
        if [mask_h, mask_w] != [h, w] {
            return Err(Error::bad_input(format!("the mask is {mask_h}×{mask_w}, the maps are {h}×{w}")));
        }
        let graph = self.graph([h, w], channels, classes)?;
        let places = h * w;
        let first = map.to_f32().reshape(&[places, channels])?;
        let near = Tensor::new(&[self.context * places, channels], first.f32s()?.repeat(self.context))?;
        let labels = mask.to_f32().f32s()?.repeat(1 + self.context);
        let labels = Tensor::new(&[(1 + self.context) * places, classes], labels)?;
        let inputs = vec![("query", first.clone()), ("first", first), ("near", near), ("labels", labels)];
        let resident = Resident::new(engine.plan(&graph)?, inputs)?;
        Ok(Propagation { resident, context: self.context, map: [h, w, channels], classes, done: 0 })
    }

    /// The labels of one frame, an output for each part of its places.
    fn graph(&self, [h, w]: [usize; 2], channels: usize, classes: usize) -> Result<Graph> {
        if self.context == 0 || self.top_k == 0 {
            let text = format!("context {}, top_k {}: 1 or more each", self.context, self.top_k);
            return Err(Error::bad_input(text));
        }
        let places = h * w;
        let all = places * (1 + self.context);
        let mut graph = Graph::new();
        let g = &mut graph;
        let query = g.input("query", &[places, channels])?;
        let first = g.input("first", &[places, channels])?;
        let near = g.input("near", &[all - places, channels])?;
        let labels = g.input("labels", &[all, classes])?;
        let rows = (MOST_SCORES / all).clamp(1, places);
        for start in (0..places).step_by(rows) {
            let end = (start + rows).min(places);
            let part = g.slice_axis(query, 0, start as isize, Some(end as isize))?;
            let y = g.scope(&format!("rows{start}"), |g| {
                let far = self.far([h, w], start..end)?;
                self.part(g, part, [first, near], far, labels)
            })?;
            g.output(&format!("rows{start:08}"), y)?;
        }
        Ok(graph)
    }

    /// What is added to the scores of places with those of another frame, `[rows, 1, places]`.
    fn far(&self, [h, w]: [usize; 2], rows: std::ops::Range<usize>) -> Result<Tensor> {
        let places = h * w;
        let distance = |a: usize, b: usize| {
            let (y, x) = ((a / w).abs_diff(b / w) as f32, (a % w).abs_diff(b % w) as f32);
            (y * y + x * x).sqrt()
        };
        Tensor::from_fn(&[rows.len(), 1, places], |i| {
            if distance(rows.start + i / places, i % places) < self.radius { 0.0 } else { -1e10 }
        })
    }

    fn part(
        &self,
        g: &mut Graph,
        query: Value,
        [first, near]: [Value; 2],
        far: Tensor,
        labels: Value,
    ) -> Result<Value> {
        let [rows, _, places] = far.shape().dims("the distances", "[rows, 1, places]")?;
        let product = Matmul { transpose_b: true, ..Matmul::default() };
        let anywhere = g.matmul(query, first, &product)?;
        let near = g.matmul(query, near, &product)?;
        let near = g.view(near, &[rows, self.context, places])?;
        let far = g.constant("far", far);
        let near = g.add(near, far)?;
        let near = g.view(near, &[rows, self.context * places])?;
        let scores = g.concat(&[anywhere, near], 1)?;
        let k = self.top_k.min((1 + self.context) * places);
        let (scores, from) = g.top_k(scores, k, 1, true)?;
        let weights = g.softmax(scores, &Softmax { temperature: self.temperature, ..Softmax::default() })?;
        let weights = g.view(weights, &[rows, 1, k])?;
        let labels = g.embedding(from, labels)?;
        g.matmul(weights, labels, &Matmul::default())
    }
}

/// Labels on their way through a clip, see [`LabelPropagation::start`]. Features and labels of the frames before stay on
/// the device: of each frame its features go there once, its labels come back and go there once.
#[derive(Debug)]
pub struct Propagation {
    resident: Resident,
    context: usize,
    map: [usize; 3],
    classes: usize,
    /// Frames after the first one that have labels.
    done: usize,
}

impl Propagation {
    /// The labels `[H, W, K]` of the next frame, whose features are `map` `[H, W, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a map of another shape than the first, [`crate::ErrorKind::Device`] when the
    /// device is lost.
    pub fn next(&mut self, map: &Tensor) -> Result<Tensor> {
        let [h, w, channels] = self.map;
        if map.shape()[..] != self.map {
            let text = format!("a map of shape {}, the first has [{h}, {w}, {channels}]", map.shape());
            return Err(Error::bad_input(text));
        }
        let places = h * w;
        self.resident.write("query", 0, &map.to_f32().reshape(&[places, channels])?)?;
        let mut labels = Vec::with_capacity(places * self.classes);
        for (_, part) in self.resident.run()?.iter() {
            labels.extend_from_slice(part.f32s()?);
        }
        // The oldest frame of the context makes place; its order does not matter.
        let slot = self.done % self.context;
        let labels = Tensor::new(&[places, self.classes], labels)?;
        self.resident.copy("query", "near", slot * places)?;
        self.resident.write("labels", (1 + slot) * places, &labels)?;
        self.done += 1;
        labels.reshape(&[h, w, self.classes])
    }
}
