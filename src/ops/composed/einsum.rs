//! Sums of products in Einstein's notation: a matrix product of axes in any order.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Matmul, Port, Reduce, Reduction};

/// Attributes of `torch.einsum`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Einsum {
    /// Such as `bqhd,bkhd->bhqk`.
    pub equation: String,
}

/// An axis: a letter, or one of those that `...` stands for, numbered from the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// The labels of a term; `...` stands for `ellipsis` axes.
fn labels(term: &str, ellipsis: usize) -> Result<Vec<Label>> {
    let parts: Vec<&str> = term.split("...").collect();
    if parts.len() > 2 {
        return Err(Error::bad_input(format!("`{term}` has more than one `...`")));
    }
    let mut labels = Vec::new();
    for (i, part) in parts.into_iter().enumerate() {
        if i == 1 {
            labels.extend((0..ellipsis).rev().map(Label::Ellipsis));
        }
        for c in part.chars() {
            if !c.is_ascii_alphabetic() {
                return Err(Error::bad_input(format!("`{c}` in `{term}`: letters and `...` are possible")));
            }
            labels.push(Label::Letter(c));
        }
    }
    match labels.iter().enumerate().find(|(i, l)| labels[..*i].contains(l)) {
        Some((_, Label::Letter(c))) => {
            Err(Error::bad_input(format!("`{c}` stands twice in `{term}`: diagonals are not supported")))
        }
        _ => Ok(labels),
    }
}

/// The labels of each input and of the output.
fn parse(equation: &str, ranks: &[usize]) -> Result<(Vec<Vec<Label>>, Vec<Label>)> {
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (terms, output) = match equation.split_once("->") {
        Some((terms, output)) => (terms, Some(output)),
        None => (&*equation, None),
    };
    let terms: Vec<&str> = terms.split(',').collect();
    if terms.len() != ranks.len() {
        return Err(Error::bad_input(format!(
            "equation `{equation}` is of {} inputs, {} were given",
            terms.len(),
            ranks.len()
        )));
    }
    let mut inputs = Vec::new();
    let mut longest = 0;
    for (i, (term, &rank)) in terms.iter().zip(ranks).enumerate() {
        let letters = term.replace("...", "").chars().count();
        let fits = if term.contains("...") { letters <= rank } else { letters == rank };
        if !fits {
            return Err(Error::bad_input(format!("`{term}` does not fit input {i} of {rank} axes")));
        }
        longest = longest.max(rank - letters);
        inputs.push(labels(term, rank - letters)?);
    }
    let output = match output {
        Some(output) => labels(output, longest)?,
        // As in torch: the axes of `...`, then the letters that stand once, in the order of the alphabet.
        None => {
            let mut all: Vec<Label> = inputs.concat();
            all.sort();
            let once = |l: &Label| all.iter().filter(|other| *other == l).count() == 1;
            let letters: Vec<Label> =
                all.iter().copied().filter(|l| matches!(l, Label::Letter(_)) && once(l)).collect();
            (0..longest).rev().map(Label::Ellipsis).chain(letters).collect()
        }
    };
    match output.iter().find(|l| !inputs.concat().contains(l)) {
        Some(Label::Letter(c)) => {
            Err(Error::bad_input(format!("`{c}` of the output stands in no input of `{equation}`")))
        }
        _ => Ok((inputs, output)),
    }
}

/// A value and what its axes are called.
struct Term {
    value: Value,
    labels: Vec<Label>,
}

impl Term {
    /// Sums over the axes that nothing else has.
    fn without_lonely_axes(self, g: &mut Graph, kept: &[Label]) -> Result<Term> {
        let (kept, summed): (Vec<Label>, Vec<Label>) = self.labels.iter().partition(|l| kept.contains(l));
        if summed.is_empty() {
            return Ok(self);
        }
        let dim = summed.iter().filter_map(|l| self.labels.iter().position(|m| m == l));
        let dim: Vec<isize> = dim.map(|axis| axis as isize).collect();
        let sum = g.reduce(self.value, &Reduce::over(Reduction::Sum, &dim))?;
        Ok(Term { value: sum, labels: kept })
    }

    /// Makes these axes, which it has, one axis at the place of the first, called by its label. They must follow each
    /// other in this order; where they do not, the tensor is copied into an order in which they do.
    fn with_one_axis(self, g: &mut Graph, of: &[Label]) -> Result<Term> {
        let [first, _, ..] = of else { return Ok(self) };
        let mut term = self;
        if !term.labels.windows(of.len()).any(|w| w == of) {
            let others: Vec<Label> = term.labels.iter().copied().filter(|l| !of.contains(l)).collect();
            let labels = [&others, of].concat();
            let dims = labels.iter().filter_map(|l| term.labels.iter().position(|m| m == l));
            let dims: Vec<isize> = dims.map(|axis| axis as isize).collect();
            term = Term { value: g.permute(term.value, &dims)?, labels };
        }
        let mut shape: Vec<usize> = Vec::new();
        for (label, &length) in term.labels.iter().zip(g.shape(term.value).iter()) {
            match shape.last_mut() {
                Some(last) if label != first && of.contains(label) => *last *= length,
                _ => shape.push(length),
            }
        }
        let value = g.view(term.value, &shape)?;
        term.labels.retain(|l| l == first || !of.contains(l));
        Ok(Term { value, labels: term.labels })
    }

    /// A view with an axis of length 1 before the others for each of `axes` that is missing, and the order in which
    /// `axes` are then to be read.
    fn read_as(&self, g: &mut Graph, axes: &[Option<Label>]) -> Result<(Value, Vec<isize>)> {
        let place = |label: &Option<Label>| label.and_then(|l| self.labels.iter().position(|m| *m == l));
        let missing = axes.iter().filter(|l| place(l).is_none()).count();
        let shape = [vec![1; missing], g.shape(self.value).to_vec()].concat();
        let mut ones = 0..;
        let dims = axes.iter().map(|l| place(l).map_or_else(|| ones.next().unwrap_or(0), |p| p + missing));
        let dims = dims.map(|axis| axis as isize).collect();
        Ok((g.view(self.value, &shape)?, dims))
    }
}

impl Graph {
    /// Adds a sum of products of one or two tensors, as `torch.einsum`: an axis that two terms share has one letter,
    /// axes whose letter is not in the output are summed over, `...` stands for the axes without a letter.
    ///
    /// Two tensors make one [`Graph::matmul`] that reads and writes the axes where they lie. Axes that one of them
    /// alone has and the output lacks are summed over before; several axes to be summed over that do not follow each
    /// other in both are put so by a copy.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when equation and shapes do not fit each other, a letter stands twice in a
    /// term, or there are more than two terms. An axis of length 1 does not repeat.
    pub fn einsum(&mut self, equation: &str, inputs: &[Value]) -> Result<Value> {
        let at = || format!("einsum `{equation}`");
        if !(1..=2).contains(&inputs.len()) {
            let text = format!("one or two inputs are supported, not {}", inputs.len());
            return Err(Error::bad_input(text).at(at()));
        }
        let ranks: Vec<usize> = inputs.iter().map(|&v| self.shape(v).rank()).collect();
        let (labels, output) = parse(equation, &ranks).at(at())?;
        let mut lengths: BTreeMap<Label, usize> = BTreeMap::new();
        for (labels, &value) in labels.iter().zip(inputs) {
            for (&label, &length) in labels.iter().zip(self.shape(value).iter()) {
                let known = *lengths.entry(label).or_insert(length);
                if known != length {
                    let name = match label {
                        Label::Letter(c) => format!("`{c}`"),
                        Label::Ellipsis(_) => "an axis of `...`".to_owned(),
                    };
                    return Err(Error::bad_input(format!("{name} has lengths {known} and {length}")).at(at()));
                }
            }
        }
        let mut terms = labels.into_iter().zip(inputs).map(|(labels, &value)| Term { value, labels });
        let (Some(a), b) = (terms.next(), terms.next()) else {
            return Err(Error::internal("an einsum of nothing"));
        };
        match b {
            None => self.einsum_of_one(a, &output).at(at()),
            Some(b) => self.einsum_of_two(a, b, &output, &lengths).at(at()),
        }
    }

    fn einsum_of_one(&mut self, term: Term, output: &[Label]) -> Result<Value> {
        let term = term.without_lonely_axes(self, output)?;
        if term.labels == output {
            return Ok(term.value);
        }
        let dims = output.iter().filter_map(|l| term.labels.iter().position(|m| m == l));
        self.permute(term.value, &dims.map(|axis| axis as isize).collect::<Vec<_>>())
    }

    fn einsum_of_two(
        &mut self,
        a: Term,
        b: Term,
        output: &[Label],
        lengths: &BTreeMap<Label, usize>,
    ) -> Result<Value> {
        let (of_a, of_b) = (a.labels.clone(), b.labels.clone());
        let a = a.without_lonely_axes(self, &[output, &of_b].concat())?;
        let b = b.without_lonely_axes(self, &[output, &of_a].concat())?;
        let summed: Vec<Label> =
            a.labels.iter().copied().filter(|l| b.labels.contains(l) && !output.contains(l)).collect();
        let a = a.with_one_axis(self, &summed)?;
        let b = b.with_one_axis(self, &summed)?;
        // The last axis that each has alone is a matrix's; all other axes are batches, and repeat where they must.
        let row = output.iter().copied().rev().find(|l| !b.labels.contains(l));
        let column = output.iter().copied().rev().find(|l| !a.labels.contains(l));
        let batches: Vec<Option<Label>> =
            output.iter().copied().map(Some).filter(|l| *l != row && *l != column).collect();
        let depth = summed.first().copied();
        let (a, dims_a) = a.read_as(self, &[batches.clone(), vec![row, depth]].concat())?;
        let (b, dims_b) = b.read_as(self, &[batches.clone(), vec![depth, column]].concat())?;
        // Where the product has no row or column, its axis of length 1 comes first.
        let product = [batches, vec![row, column]].concat();
        let nameless = (0..product.len()).filter(|&i| product[i].is_none());
        let named = output.iter().filter_map(|l| product.iter().position(|m| *m == Some(*l)));
        let dims_out = nameless.chain(named).map(|axis| axis as isize).collect();
        let y = self.matmul(a, b, &Matmul { dims_a, dims_b, dims_out, ..Matmul::default() })?;
        let shape: Vec<usize> = output.iter().filter_map(|l| lengths.get(l).copied()).collect();
        self.view(y, &shape)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "einsum",
    summary: "a sum of products of one or two tensors in Einstein's notation",
    inputs: &[Port::variadic("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "equation (required), such as bqhd,bkhd->bhqk",
    build: |g, v, a| Ok(vec![g.einsum(&a.read::<Einsum>()?.equation, v)?]),
};
