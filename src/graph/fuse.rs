//! Fusion: fewer nodes that compute the same.

use super::{Graph, Origin, Value};

impl Graph {
    /// The same graph in fewer nodes: views of constants become constants, which operators can then pack, and
    /// activations move into the nodes before them. Names, inputs and outputs stay; a value that is a graph output
    /// stays a node.
    #[must_use]
    pub(crate) fn fused(&self) -> Graph {
        self.with_constant_views().with_inner_activations()
    }

    fn with_constant_views(&self) -> Graph {
        let mut graph = self.clone();
        graph.nodes.retain(|node| {
            let [output] = node.outputs[..] else { return true };
            if !node.op.is_view() || self.outputs.iter().any(|(_, o)| *o == output) {
                return true;
            }
            let shape = &self.values[output.index()].ty.shape;
            let seen = match &graph.values[node.inputs[0].index()].origin {
                Origin::Constant(None) => Some(None),
                Origin::Constant(Some(tensor)) => tensor.reshape(shape).ok().map(Some),
                _ => None,
            };
            if let Some(seen) = seen {
                graph.values[output.index()].origin = Origin::Constant(seen);
                return false;
            }
            true
        });
        graph
    }

    /// The same graph with every activation that alone reads a node's output moved into that node, where the
    /// operator can take it.
    fn with_inner_activations(&self) -> Graph {
        let mut graph = self.clone();
        let readers = |v: Value| {
            let nodes = self.nodes.iter().map(|n| n.inputs.iter().filter(|&&i| i == v).count());
            nodes.sum::<usize>() + self.outputs.iter().filter(|(_, o)| *o == v).count()
        };
        let mut removed = vec![false; graph.nodes.len()];
        for i in 0..graph.nodes.len() {
            let Some(activation) = graph.nodes[i].op.as_activation() else { continue };
            let source = graph.nodes[i].inputs[0];
            if readers(source) != 1 {
                continue;
            }
            let maker = graph.nodes[..i].iter().rposition(|n| n.outputs == [source]);
            let Some(maker) = maker.filter(|&m| !removed[m]) else { continue };
            let Some(op) = graph.nodes[maker].op.with_activation(activation) else { continue };
            graph.nodes[maker].op = op;
            graph.nodes[maker].outputs = graph.nodes[i].outputs.clone();
            removed[i] = true;
        }
        let mut gone = removed.into_iter();
        graph.nodes.retain(|_| !gone.next().unwrap_or(false));
        graph
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::{Activation, Graph};
    use crate::tensor::Tensor;

    fn linear() -> (Graph, super::Value) {
        let mut g = Graph::new();
        let x = g.input("x", &[2, 4]).unwrap();
        let w = g.constant("w", Tensor::from_fn(&[4, 3], |i| i as f32 - 5.0).unwrap());
        let y = g.linear(x, w, None).unwrap();
        (g, y)
    }

    #[test]
    fn an_activation_moves_into_its_maker() {
        let (mut g, y) = linear();
        let z = g.activation(y, Activation::Relu).unwrap();
        g.output("z", z).unwrap();
        let f = g.fused();
        assert_eq!(f.nodes.len(), 1);
        assert_eq!(f.nodes[0].outputs, [z]);
    }

    #[test]
    fn a_value_read_twice_or_given_out_stays() {
        let (mut g, y) = linear();
        let z = g.activation(y, Activation::Relu).unwrap();
        g.output("z", z).unwrap();
        g.output("y", y).unwrap();
        assert_eq!(g.fused().nodes.len(), 2);
        let (mut g, y) = linear();
        let z = g.activation(y, Activation::Relu).unwrap();
        let s = g.add(y, z).unwrap();
        g.output("s", s).unwrap();
        assert_eq!(g.fused().nodes.len(), 3);
    }

    #[test]
    fn a_view_of_a_constant_is_a_constant() {
        let mut g = Graph::new();
        let x = g.input("x", &[2, 4]).unwrap();
        let w = g.constant("w", Tensor::from_fn(&[12], |i| i as f32).unwrap());
        let w = g.reshape(w, &[2, 6]).unwrap();
        let w = g.reshape(w, &[4, 3]).unwrap();
        let y = g.linear(x, w, None).unwrap();
        let y = g.reshape(y, &[6]).unwrap();
        g.output("y", y).unwrap();
        let f = g.fused();
        assert_eq!(f.nodes.len(), 2);
        assert!(f.values[w.index()].origin_is_constant());
        assert_eq!(&**f.shape(f.nodes[0].inputs[1]), [4, 3]);
    }

    /// Two activations in a row: the second finds the first's activation taken.
    #[test]
    fn only_one_activation_moves() {
        let (mut g, y) = linear();
        let z = g.activation(y, Activation::Relu).unwrap();
        let z = g.activation(z, Activation::Tanh).unwrap();
        g.output("z", z).unwrap();
        assert_eq!(g.fused().nodes.len(), 2);
    }
}
