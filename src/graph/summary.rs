//! A graph as a table for people.

use std::fmt;

use super::{Graph, Node};

impl Graph {
    /// One row a node: name, operator, output shape, elements of constants (weights and computed tables) and millions of
    /// multiply-adds.
    pub fn rows(&self) -> Vec<[String; 5]> {
        let row = |node: &Node| {
            let shapes: Vec<String> = node.outputs.iter().map(|&v| self.shape(v).to_string()).collect();
            let constants = node.inputs.iter().map(|v| &self.values[v.index()]);
            let params: usize =
                constants.filter(|v| v.origin_is_constant()).map(|v| v.ty.shape.elements()).sum();
            [
                node.name.clone(),
                node.op.name().to_owned(),
                shapes.join(" "),
                if params == 0 { String::new() } else { params.to_string() },
                format!("{:.2}", self.node_flops(node) as f64 / 2e6),
            ]
        };
        self.nodes.iter().map(row).collect()
    }
}

impl fmt::Display for Graph {
    /// A line for each of [`Graph::rows`], under a head; sums at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["node", "operator", "output", "constants", "MMAC"].map(String::from)];
        rows.extend(self.rows());
        rows.push([
            "total".into(),
            String::new(),
            String::new(),
            self.params().to_string(),
            format!("{:.2}", self.flops() as f64 / 2e6),
        ]);
        let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        for r in &rows {
            let [a, b, c, d, e] = widths;
            writeln!(f, "{:<a$}  {:<b$}  {:<c$}  {:>d$}  {:>e$}", r[0], r[1], r[2], r[3], r[4])?;
        }
        Ok(())
    }
}
