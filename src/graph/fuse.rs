//! Fusion: fewer nodes that compute the same.

use std::sync::Arc;

use super::{Graph, Node, Op, Origin, Value};
use crate::tensor::Tensor;

impl Graph {
    /// The same graph in fewer nodes, each step for what the ones before have left:
    ///
    /// 1. views of constants become constants, which operators can then pack;
    /// 2. factors and summands of channels (a batch normalisation) move into the weights of the node before;
    /// 3. normalisations of rows move into the node after;
    /// 4. sums of two tensors move into a node that computes one of them (the end of a residual block);
    /// 5. activations move into the node before;
    /// 6. maxima of windows that do not overlap move into the node before, and what they are of is never stored.
    ///
    /// A node takes in what reads its output, or what it reads, only if nothing else reads that, seen through views. Names,
    /// inputs and outputs stay; a value that is a graph output stays a node. Constants that nothing reads any more lose their
    /// values.
    #[must_use]
    pub(crate) fn fused(&self) -> Graph {
        let mut fusion = Fusion::of(self.clone());
        fusion.constant_views();
        fusion.each(Fusion::channel_affine);
        fusion.each(Fusion::row_norm);
        fusion.each(Fusion::sum);
        fusion.each(Fusion::activation);
        fusion.each(Fusion::max_pool);
        fusion.finish()
    }
}

/// A graph on the way to fewer nodes. Nodes are known by their first place.
struct Fusion {
    graph: Graph,
    /// For each value, how many inputs of nodes and graph outputs it is.
    readers: Vec<usize>,
    /// For each value, the node that computes it.
    makers: Vec<Option<usize>>,
    /// For each node, where it now stands: that of the node whose work it took over last, or nowhere if another has
    /// taken its own.
    places: Vec<Option<usize>>,
}

/// What a node reads, seen through views that nothing else reads.
struct Source {
    /// The node that computes it.
    maker: usize,
    /// The views in between, the last first.
    views: Vec<usize>,
}

impl Source {
    /// The node whose output is read: the last view or the maker.
    fn end(&self) -> usize {
        self.views.first().copied().unwrap_or(self.maker)
    }
}

impl Fusion {
    fn of(graph: Graph) -> Fusion {
        let mut readers = vec![0; graph.values.len()];
        let mut makers = vec![None; graph.values.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|v| readers[v.index()] += 1);
            node.outputs.iter().for_each(|v| makers[v.index()] = Some(i));
        }
        graph.outputs.iter().for_each(|(_, v)| readers[v.index()] += 1);
        let places = (0..graph.nodes.len()).map(Some).collect();
        Fusion { graph, readers, makers, places }
    }

    fn finish(mut self) -> Graph {
        for (value, readers) in self.graph.values.iter_mut().zip(&self.readers) {
            if *readers == 0 && value.origin_is_constant() {
                value.origin = Origin::Constant(None);
            }
        }
        let nodes = std::mem::take(&mut self.graph.nodes).into_iter().zip(self.places);
        let mut nodes: Vec<(usize, Node)> = nodes.filter_map(|(n, place)| Some((place?, n))).collect();
        // Views that moved with their node stay behind it: the sort is stable.
        nodes.sort_by_key(|(place, _)| *place);
        self.graph.nodes = nodes.into_iter().map(|(_, n)| n).collect();
        self.graph
    }

    /// Tries a step on every node, in order.
    fn each(&mut self, step: impl Fn(&mut Fusion, usize) -> Option<()>) {
        for i in 0..self.graph.nodes.len() {
            if self.places[i].is_some() {
                step(self, i);
            }
        }
    }

    fn constant_views(&mut self) {
        let mut given_out = vec![false; self.graph.values.len()];
        self.graph.outputs.iter().for_each(|(_, v)| given_out[v.index()] = true);
        for i in 0..self.graph.nodes.len() {
            let node = &self.graph.nodes[i];
            let [output] = node.outputs[..] else { continue };
            if !node.op.is_view() || given_out[output.index()] {
                continue;
            }
            let source = node.inputs[0];
            let shape = &self.graph.values[output.index()].ty.shape;
            let seen = match &self.graph.values[source.index()].origin {
                Origin::Constant(None) => Some(None),
                Origin::Constant(Some(tensor)) => tensor.reshape(shape).ok().map(Some),
                _ => None,
            };
            if let Some(seen) = seen {
                self.graph.values[output.index()].origin = Origin::Constant(seen);
                self.readers[source.index()] -= 1;
                self.makers[output.index()] = None;
                self.places[i] = None;
            }
        }
    }

    /// What makes `value`, if nothing but one node reads it.
    fn source(&self, mut value: Value) -> Option<Source> {
        let mut views = Vec::new();
        loop {
            let maker = self.makers[value.index()].filter(|_| self.readers[value.index()] == 1)?;
            let node = &self.graph.nodes[maker];
            if node.outputs.len() != 1 {
                return None;
            }
            if !node.op.is_view() {
                return Some(Source { maker, views });
            }
            views.push(maker);
            value = node.inputs[0];
        }
    }

    /// Lets `source` give what node `i` gave, so that nobody needs `i` any more.
    fn take_over(&mut self, source: &Source, i: usize) {
        let end = source.end();
        self.graph.nodes[end].outputs = self.graph.nodes[i].outputs.clone();
        self.makers[self.graph.nodes[i].outputs[0].index()] = Some(end);
        self.places[i] = None;
    }

    fn constant(&self, value: Value) -> Option<&Tensor> {
        match &self.graph.values[value.index()].origin {
            Origin::Constant(tensor) => tensor.as_ref(),
            _ => None,
        }
    }

    fn constants(&self, node: usize) -> Vec<Option<&Tensor>> {
        self.graph.nodes[node].inputs.iter().map(|&v| self.constant(v)).collect()
    }

    fn channel_affine(&mut self, i: usize) -> Option<()> {
        let node = &self.graph.nodes[i];
        let affine = node.op.as_channel_affine(&self.constants(i))?;
        let source = self.source(node.inputs[0])?;
        let maker = &self.graph.nodes[source.maker];
        // A view in between may have made other channels.
        if self.graph.shape(maker.outputs[0]).last() != Some(&affine.scale.len()) {
            return None;
        }
        let constants = maker.op.with_channel_affine(&self.constants(source.maker), &affine)?;
        for v in self.graph.nodes[i].inputs.clone().iter().skip(1) {
            self.readers[v.index()] -= 1;
        }
        self.fold(source.maker, constants);
        self.take_over(&source, i);
        Some(())
    }

    /// Gives a node other constants as its inputs 1, 2, ….
    fn fold(&mut self, node: usize, constants: Vec<Tensor>) {
        let folded_into = self.graph.nodes[node].name.clone();
        let old = self.graph.nodes[node].inputs.split_off(1);
        old.iter().for_each(|v| self.readers[v.index()] -= 1);
        for (index, tensor) in constants.into_iter().enumerate() {
            let name = match old.get(index) {
                Some(v) => self.graph.values[v.index()].name.clone(),
                None => format!("{folded_into} bias"),
            };
            let value = self.graph.constant(&name, tensor);
            self.readers.push(1);
            self.makers.push(None);
            self.graph.nodes[node].inputs.push(value);
        }
    }

    fn row_norm(&mut self, i: usize) -> Option<()> {
        let node = &self.graph.nodes[i];
        let source = self.source(*node.inputs.first()?)?;
        let maker = &self.graph.nodes[source.maker];
        let x = self.graph.ty(maker.inputs[0]);
        let (norm, affine) = maker.op.as_row_norm(x, &self.constants(source.maker))?;
        // A view in between may have made other rows.
        if self.graph.shape(node.inputs[0]).last() != x.shape.last() {
            return None;
        }
        let (op, constants) = node.op.with_row_norm(&self.constants(i), norm, &affine)?;
        self.graph.nodes[i].op = op;
        self.fold(i, constants);
        // What read the normalisation now reads what that read.
        let inputs = std::mem::take(&mut self.graph.nodes[source.maker].inputs);
        inputs[1..].iter().for_each(|v| self.readers[v.index()] -= 1);
        let reader = source.views.last().copied().unwrap_or(i);
        let between = std::mem::replace(&mut self.graph.nodes[reader].inputs[0], inputs[0]);
        self.readers[between.index()] = 0;
        self.makers[between.index()] = None;
        self.places[source.maker] = None;
        Some(())
    }

    fn sum(&mut self, i: usize) -> Option<()> {
        let node = &self.graph.nodes[i];
        let [a, b] = node.inputs[..] else { return None };
        // What is repeated over an axis is not as long as the output.
        let whole = |v: Value| self.graph.ty(v) == self.graph.ty(node.outputs[0]);
        if !node.op.is_sum() || !whole(a) || !whole(b) {
            return None;
        }
        let able = |value: Value, addend: Value| -> Option<(Source, Arc<dyn Op>, Value)> {
            let source = self.source(value)?;
            let op = self.graph.nodes[source.maker].op.with_addend()?;
            Some((source, op, addend))
        };
        // The later one waits for the other in any case.
        let candidates = [able(a, b), able(b, a)].into_iter().flatten();
        let (source, op, addend) = candidates.max_by_key(|(source, ..)| self.places[source.maker])?;
        self.graph.nodes[source.maker].op = op;
        self.graph.nodes[source.maker].inputs.push(addend);
        // Both are computed by now, and nobody read the one before.
        for moved in source.views.iter().chain([&source.maker]) {
            self.places[*moved] = Some(i);
        }
        self.take_over(&source, i);
        Some(())
    }

    fn activation(&mut self, i: usize) -> Option<()> {
        let node = &self.graph.nodes[i];
        let activation = node.op.as_activation()?;
        let source = self.source(node.inputs[0])?;
        self.graph.nodes[source.maker].op = self.graph.nodes[source.maker].op.with_activation(activation)?;
        self.take_over(&source, i);
        Some(())
    }

    fn max_pool(&mut self, i: usize) -> Option<()> {
        let node = &self.graph.nodes[i];
        let &[x] = &node.inputs[..] else { return None };
        let input = self.graph.ty(x);
        let pool = node.op.as_max_pool(input)?;
        let Source { maker, views } = self.source(x)?;
        let (inputs, outputs) = self.graph.node_types(&self.graph.nodes[maker]);
        // Views in between must have come to nothing: they are left out.
        if outputs[0] != *input {
            return None;
        }
        self.graph.nodes[maker].op = self.graph.nodes[maker].op.with_max_pool(&pool, &inputs)?;
        for view in views {
            self.places[view] = None;
        }
        self.take_over(&Source { maker, views: Vec::new() }, i);
        Some(())
    }
}
