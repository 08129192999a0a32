//! Fusion: fewer nodes that compute the same.

use super::{Graph, Value};

impl Graph {
    /// The same graph with every activation that alone reads a node's output moved into that node, where the
    /// operator can take it. Names, inputs and outputs stay; a value that is a graph output stays a node.
    #[must_use]
    pub(crate) fn fused(&self) -> Graph {
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
