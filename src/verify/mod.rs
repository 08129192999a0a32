//! Comparing kernels with their CPU reference, on the user's own device.
//!
//! A [`Case`] is one operator with attributes and shapes (of those made of others, each part is compared); its name is test id, bench id and the argument that
//! runs it alone. [`run`] runs it in every kernel family and precision, each time
//!
//! - with integers so small that every sum is exact, where no error at all is allowed, and with seeded floats,
//!   where each element has a bound derived from the f64 reference ([`crate::graph::Bound`]);
//! - with all memory that kernels write filled with NaN before, so that a write left out shows;
//! - with poisoned guard bytes after every tensor, so that a write past the end shows, and reading past the end
//!   brings NaN;
//! - twice, the second time in dispatches of a few workgroups each, as long rows are cut, and the bits must agree.
//!
//! The fast kernels of the CPU executor are compared in the same way, the second time on more threads.
//!
//! A reference that is mostly zeros or all the same would let a wrong kernel pass: that is reported as an error
//! too.

pub mod cases;
mod fill;
mod subject;

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::gpu::Gpu;
use crate::graph::{
    Bound, ConvForm, Dispatch, Engine, Family, Graph, Node, Origin, Plan, PlanOptions, Precision, Setting,
    TensorType, Traits, Value, record_node,
};
use crate::tensor::{DType, Tensor};

pub use fill::Fill;
use subject::Subject;

/// Poisoned bytes after every tensor.
const GUARD: u64 = 4096;

/// The largest share of zeros in a reference that can be trusted.
const MOST_ZEROS: f64 = 0.8;

/// Adds a case's operator to a graph, given its inputs.
type Build = Arc<dyn Fn(&mut Graph, &[Value]) -> Result<Vec<Value>> + Send + Sync>;

/// One operator with attributes and shapes.
#[derive(Clone)]
pub struct Case {
    /// `operator/what-is-special`.
    pub name: String,
    inputs: Vec<Input>,
    build: Build,
    exact: bool,
    every_tile: bool,
    form: Option<ConvForm>,
    trusted: bool,
    fills: Vec<Fill>,
}

#[derive(Clone)]
struct Input {
    shape: Vec<usize>,
    constant: bool,
    values: Values,
}

/// What an input holds.
#[derive(Clone)]
enum Values {
    /// Floats, as the fill has them.
    Filled,
    /// Floats from a range, evenly spread.
    Between(f32, f32),
    /// Indices from a range.
    Indices(RangeInclusive<i32>),
}

impl Case {
    /// A case of one operator (with an activation after it that the planner moves into it, if wanted). Inputs
    /// are filled anew for every run.
    pub fn new(
        name: impl Into<String>,
        shapes: &[&[usize]],
        build: impl Fn(&mut Graph, &[Value]) -> Result<Value> + Send + Sync + 'static,
    ) -> Case {
        Case::several(name, shapes, move |g, v| Ok(vec![build(g, v)?]))
    }

    /// A case of an operator with several outputs, all of which are checked.
    pub fn several(
        name: impl Into<String>,
        shapes: &[&[usize]],
        build: impl Fn(&mut Graph, &[Value]) -> Result<Vec<Value>> + Send + Sync + 'static,
    ) -> Case {
        let inputs =
            shapes.iter().map(|s| Input { shape: s.to_vec(), constant: false, values: Values::Filled });
        Case {
            name: name.into(),
            inputs: inputs.collect(),
            build: Arc::new(build),
            exact: false,
            every_tile: false,
            form: None,
            trusted: false,
            fills: vec![Fill::Integers, Fill::Normal],
        }
    }

    /// Makes the inputs from this one on constants of the graph, as weights are.
    #[must_use]
    pub fn weights_from(mut self, first: usize) -> Self {
        for input in &mut self.inputs[first..] {
            input.constant = true;
        }
        self
    }

    /// Compares every shape of tile that [`crate::bench::tune`] chooses from, not only the one that lengths suggest.
    #[must_use]
    pub fn in_every_tile(mut self) -> Self {
        self.every_tile = true;
        self
    }

    /// Compares Winograd's form too, whatever the lengths suggest.
    #[must_use]
    pub fn in_winograd_form(mut self) -> Self {
        self.form = Some(ConvForm::Winograd);
        self
    }

    /// Compares [`ConvForm::Lines`] too, which GPUs take only where it was measured.
    #[must_use]
    pub fn in_lines(mut self) -> Self {
        self.form = Some(ConvForm::Lines);
        self
    }

    /// Makes an input i32 indices from this range, whatever the floats are filled with.
    #[must_use]
    pub fn indices(mut self, input: usize, range: RangeInclusive<i32>) -> Self {
        self.inputs[input].values = Values::Indices(range);
        self
    }

    /// Makes an input floats spread evenly from `low` to `high`, whatever the others are filled with: where an
    /// operator is defined on a part of the numbers only, or interesting on a part.
    #[must_use]
    pub fn between(mut self, input: usize, low: f32, high: f32) -> Self {
        self.inputs[input].values = Values::Between(low, high);
        self
    }

    /// Demands that integers give exactly the reference: sums, products and choices, no division.
    #[must_use]
    pub fn exact_on_integers(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Runs with other fills than the two usual ones.
    #[must_use]
    pub fn fills(mut self, fills: impl IntoIterator<Item = Fill>) -> Self {
        self.fills = fills.into_iter().collect();
        self
    }

    /// Accepts a reference that is mostly zeros or constant, for a case that is about just that.
    #[must_use]
    pub fn trust_constant_reference(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// The graph with the given tensors as its inputs `0`, `1`, … and constants.
    fn graph(&self, tensors: &[Tensor]) -> Result<Graph> {
        let mut g = Graph::new();
        let mut values = Vec::new();
        for (i, (input, tensor)) in self.inputs.iter().zip(tensors).enumerate() {
            values.push(if input.constant {
                g.constant(&i.to_string(), tensor.clone())
            } else {
                let ty = TensorType { shape: tensor.shape().clone(), dtype: tensor.dtype() };
                g.input_of(&i.to_string(), ty)?
            });
        }
        for (i, v) in (self.build)(&mut g, &values)?.into_iter().enumerate() {
            g.output(&i.to_string(), v)?;
        }
        Ok(g)
    }

    /// The graph, its constants and inputs filled with floats; for benchmarks.
    ///
    /// # Errors
    /// When the case itself is wrong.
    pub fn instance(&self) -> Result<(Graph, Vec<(String, Tensor)>)> {
        let tensors = self.tensors(Fill::Normal, Precision::F32)?;
        let graph = self.graph(&tensors)?;
        let inputs = self.inputs.iter().zip(tensors).enumerate();
        let free = inputs.filter(|(_, (i, _))| !i.constant).map(|(i, (_, t))| (i.to_string(), t));
        Ok((graph, free.collect()))
    }

    fn tensors(&self, fill: Fill, precision: Precision) -> Result<Vec<Tensor>> {
        let round = |t: Tensor| if precision == Precision::F16 { t.to_f16().to_f32() } else { t };
        let shapes = self.inputs.iter().enumerate();
        let tensor = |(i, input): (usize, &Input)| match &input.values {
            Values::Indices(range) => fill::indices(range, &self.name, i, &input.shape),
            Values::Between(low, high) => fill::between(*low, *high, &self.name, i, &input.shape).map(round),
            Values::Filled => fill.tensor(&self.name, i, &input.shape).map(round),
        };
        shapes.map(tensor).collect()
    }

    /// The choices of kernels that are compared.
    pub fn configurations(&self, precision: Precision) -> Vec<Traits> {
        let families = Family::ALL.map(|family| Traits::new(family, precision));
        let tiles = if self.every_tile { Traits::TILES } else { 0 };
        let tiles = (0..tiles).map(|t| Traits { tile: Some(t), ..Traits::new(Family::Tiled, precision) });
        let forms = self.form.into_iter().flat_map(|form| [form, ConvForm::Plain]).flat_map(|form| {
            [Family::Tiled, Family::Uniform]
                .map(|family| Traits { form: Some(form), ..Traits::new(family, precision) })
        });
        families.into_iter().chain(tiles).chain(forms).collect()
    }

    /// The kernel launches of this case for a device of the given traits, with every graph input free or
    /// constant as in a run. For tests that look at kernels without a device.
    ///
    /// # Errors
    /// When the case cannot be recorded.
    pub fn dispatches(&self, traits: Traits) -> Result<Vec<Dispatch>> {
        let tensors = self.tensors(Fill::Normal, traits.precision)?;
        let graph = self.graph(&tensors)?.fused();
        let mut all = Vec::new();
        for node in graph.nodes.iter().filter(|n| !n.op.is_view()) {
            let mut packed = Vec::new();
            let (types, constant) = (graph.node_types(node).0, graph.constant_inputs(node));
            let setting = Setting { inputs: &types, constant: &constant, traits };
            for (i, v) in node.inputs.iter().enumerate() {
                packed.push(match &graph.values[v.index()].origin {
                    Origin::Constant(Some(tensor)) => node.op.pack(i, tensor, &setting)?.is_some(),
                    _ => false,
                });
            }
            all.extend(record_node(&graph, node, traits, &packed)?);
        }
        Ok(all)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// What became of one configuration of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything agreed.
    Pass,
    /// Something did not; the text says what.
    Fail(String),
    /// The case cannot show anything; the text says why.
    Mistrusted(String),
    /// The device cannot run it; the text says why.
    Skipped(String),
}

/// One configuration of a case and what became of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The case's name.
    pub case: String,
    /// Kernel family, precision and fill.
    pub configuration: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// Runs a case on a device in every precision and fill, on a GPU in every kernel family.
pub fn run(case: &Case, engine: &Engine) -> Vec<Report> {
    if let Some(gpu) = engine.gpu() {
        return run_on_gpu(case, gpu);
    }
    let mut reports = Vec::new();
    for precision in [Precision::F32, Precision::F16] {
        for &fill in &case.fills {
            reports.push(Report {
                case: case.name.clone(),
                configuration: format!("cpu {precision} {fill}"),
                verdict: verdict(case, Subject::Processor(engine), precision, fill),
            });
        }
    }
    reports
}

/// Families that come to the same kernels run once.
fn run_on_gpu(case: &Case, gpu: &Gpu) -> Vec<Report> {
    let mut reports = Vec::new();
    for precision in [Precision::F32, Precision::F16] {
        let mut seen = Vec::new();
        let Traits { matrices, subgroups, .. } = Traits::of(gpu, precision);
        let configurations = case.configurations(precision).into_iter();
        // What the device has is taken, and what devices without it take: loads are the same in either precision.
        for traits in configurations.flat_map(|t| {
            [
                Traits { matrices, subgroups, ..t },
                Traits { subgroups: subgroups && precision == Precision::F16, ..t },
            ]
        }) {
            let mut report = |what: &str, verdict| {
                let tile = traits.tile.map_or(String::new(), |t| format!(" tile {t}"));
                let form = match (traits.form, traits.matrices) {
                    (Some(ConvForm::Winograd), _) => " winograd",
                    (Some(ConvForm::Lines), Some(_)) if traits.family == Family::Tiled => {
                        " lines cooperative"
                    }
                    (Some(ConvForm::Lines), _) => " lines",
                    (_, Some(_)) if traits.family == Family::Tiled => " cooperative",
                    _ => "",
                };
                let apart = if traits.family == Family::Uniform && !traits.subgroups { " apart" } else { "" };
                let configuration =
                    format!("{:?}{tile}{form}{apart} {precision}{what}", traits.family).to_lowercase();
                reports.push(Report { case: case.name.clone(), configuration, verdict });
            };
            if precision == Precision::F16 && !gpu.has_f16() {
                report("", Verdict::Skipped("the device has no 16-bit floats in shaders".into()));
                break;
            }
            let dispatches = match case.dispatches(traits) {
                Ok(dispatches) => dispatches,
                Err(e) => {
                    report("", Verdict::Fail(e.to_string()));
                    continue;
                }
            };
            let keys: Vec<_> = dispatches.iter().map(|d| d.key.clone()).collect();
            if seen.contains(&keys) {
                continue;
            }
            seen.push(keys);
            let narrow = narrow(dispatches.iter().map(|d| d.groups).max().unwrap_or(1));
            for &fill in &case.fills {
                let subject = Subject::Gpu { gpu, traits, narrow };
                report(&format!(" {fill}"), verdict(case, subject, precision, fill));
            }
        }
    }
    reports
}

fn verdict(case: &Case, subject: Subject<'_>, precision: Precision, fill: Fill) -> Verdict {
    check(case, subject, precision, fill).unwrap_or_else(|e| match e.kind() {
        ErrorKind::OutOfMemory => Verdict::Skipped(e.to_string()),
        _ => Verdict::Fail(e.to_string()),
    })
}

/// Each node of the case is compared with its reference on the very inputs that the device gave it: a case of an
/// operator made of others is as strict as one of a single kernel.
fn check(case: &Case, subject: Subject<'_>, precision: Precision, fill: Fill) -> Result<Verdict> {
    let tensors = case.tensors(fill, precision)?;
    let mut graph = case.graph(&tensors)?.fused();
    let results: Vec<Value> = graph.outputs.drain(..).map(|(_, v)| v).collect();
    let nodes = graph.nodes.clone();
    for value in nodes.iter().filter(|n| !n.op.is_view()).flat_map(|n| &n.outputs) {
        graph.output(&value.index().to_string(), *value)?;
    }

    let names: Vec<String> = (0..tensors.len()).map(|i| i.to_string()).collect();
    let inputs: Vec<(&str, Tensor)> = names
        .iter()
        .zip(&tensors)
        .zip(&case.inputs)
        .filter(|(_, i)| !i.constant)
        .map(|((n, t), _)| (n.as_str(), t.clone()))
        .collect();
    let [first, second] = match subject.run(&graph, &inputs, precision)? {
        Ok(both) => both,
        Err(wrong) => return Ok(Verdict::Fail(wrong)),
    };

    let mut known: HashMap<Value, Tensor> = HashMap::new();
    for (i, info) in graph.values.iter().enumerate() {
        if let Origin::Constant(Some(tensor)) = &info.origin {
            let tensor = match precision {
                Precision::F16 if tensor.dtype() == DType::F32 => tensor.to_f16().to_f32(),
                _ => tensor.clone(),
            };
            known.insert(Value(i as u32), tensor);
        }
    }
    for (name, tensor) in &inputs {
        if let Some(value) = graph.inputs.iter().find(|v| graph.values[v.index()].name == *name) {
            known.insert(*value, tensor.clone());
        }
    }
    for node in &nodes {
        let of_node: Option<Vec<Tensor>> = node.inputs.iter().map(|v| known.get(v).cloned()).collect();
        let of_node = of_node.ok_or_else(|| Error::internal("a case's node reads what nobody gave"))?;
        let reference = node.op.reference(&of_node)?;
        if node.op.is_view() {
            known.extend(node.outputs.iter().copied().zip(reference));
            continue;
        }
        let gives_result = results.iter().any(|r| reads(&nodes, *r, node));
        if let Some(reason) =
            reference.iter().find_map(untrustworthy).filter(|_| gives_result && !case.trusted)
        {
            return Ok(Verdict::Mistrusted(reason));
        }
        let exact = case.exact && fill == Fill::Integers;
        let bounds = if exact {
            vec![Bound::Exact; reference.len()]
        } else {
            subject.bounds(&graph, node, &of_node, &reference)?
        };
        let loose = bounds.iter().zip(&reference).find_map(|(b, r)| useless(b, r));
        if let Some(reason) = loose.filter(|_| gives_result && !case.trusted) {
            return Ok(Verdict::Mistrusted(reason));
        }
        let place = |i: usize| match nodes.len() {
            1 => format!("output {i}"),
            _ => format!("output {i} of {}", node.name),
        };
        let got = |i: usize| &first[node.outputs[i].index().to_string().as_str()];
        let wanted = match &bounds[..] {
            [bound @ Bound::Choice(_), ..] => {
                if let Some(difference) = compare(got(0), &reference[0], bound, precision)? {
                    return Ok(Verdict::Fail(format!("{}: {difference}", place(0))));
                }
                node.op.after_choice(&of_node, got(0))?
            }
            _ => reference,
        };
        for (i, (want, bound)) in wanted.iter().zip(&bounds).enumerate() {
            if let Some(difference) = compare(got(i), want, bound, precision)? {
                return Ok(Verdict::Fail(format!("{}: {difference}", place(i))));
            }
            if second[node.outputs[i].index().to_string().as_str()].bytes() != got(i).bytes() {
                return Ok(Verdict::Fail(format!(
                    "{}: a second run, {}, gave other bits",
                    place(i),
                    subject.difference()
                )));
            }
            let tensor = if want.dtype() == DType::I32 { got(i).clone() } else { got(i).to_f32() };
            known.insert(node.outputs[i], tensor);
        }
    }
    Ok(Verdict::Pass)
}

/// So few workgroups along a dimension that a row is cut into parts of two dimensions, some tens of them at most.
fn narrow(groups: u64) -> u32 {
    u32::try_from((groups / 64).isqrt()).unwrap_or(u32::MAX).max(2)
}

/// Whether a result is an output of `node`, seen through views.
fn reads(nodes: &[Node], result: Value, node: &Node) -> bool {
    if node.outputs.contains(&result) {
        return true;
    }
    let view = nodes.iter().find(|n| n.op.is_view() && n.outputs.contains(&result));
    view.is_some_and(|v| reads(nodes, v.inputs[0], node))
}

/// Why a reference can show nothing.
fn untrustworthy(reference: &Tensor) -> Option<String> {
    let wide = reference.to_f32();
    let values = wide.f32s().ok()?;
    let zeros = values.iter().filter(|x| **x == 0.0).count() as f64 / values.len() as f64;
    if values.len() > 1 && values.iter().all(|x| x.to_bits() == values[0].to_bits()) {
        return Some(format!("every element of the reference is {}", values[0]));
    }
    (zeros > MOST_ZEROS).then(|| format!("{:.0} % of the reference is zero", zeros * 100.0))
}

/// Why a bound lets anything through: for most elements it is more than a hundredth of the largest magnitude, or
/// most choices are open.
fn useless(bound: &Bound, reference: &Tensor) -> Option<String> {
    let bounds = match bound {
        Bound::Exact => return None,
        Bound::Absolute(bounds) => bounds,
        Bound::Choice(choices) => {
            let open = choices.iter().filter(|c| c.len() > 1).count();
            return (2 * open > choices.len())
                .then(|| format!("{open} of {} choices could as well be others", choices.len()));
        }
    };
    let wide = reference.to_f32();
    let finite = wide.f32s().ok()?.iter().map(|x| f64::from(x.abs())).filter(|x| x.is_finite());
    let limit = finite.fold(0.0, f64::max) / 100.0;
    let loose = bounds.iter().filter(|b| **b > limit).count();
    (2 * loose > bounds.len()).then(|| {
        format!(
            "the bound is more than {limit:.1e}, 1 % of the largest magnitude, for {loose} of {} elements",
            bounds.len()
        )
    })
}

/// The worst element that is out of bounds, in words. NaN agrees with NaN alone.
///
/// # Errors
/// When the tensors cannot be compared at all.
pub fn compare(got: &Tensor, want: &Tensor, bound: &Bound, precision: Precision) -> Result<Option<String>> {
    if got.shape() != want.shape() {
        return Ok(Some(format!("shape {} instead of {}", got.shape(), want.shape())));
    }
    let integer = want.dtype() == DType::I32;
    let (got_wide, want_wide) = (got.to_f32(), want.to_f32());
    let (got, want) = (got_wide.f32s()?, want_wide.f32s()?);
    let mut worst: Option<(f64, usize, f64)> = None;
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let own = match bound {
            Bound::Exact => 0.0,
            Bound::Choice(choices) if choices[i].iter().any(|c| *c as f32 == g) => continue,
            Bound::Choice(_) => 0.0,
            Bound::Absolute(b) => b[i],
        };
        // Storing as f16 rounds to 11 bits, or to a multiple of 2⁻²⁴ near zero; beyond 65,504 it overflows.
        let storage = match precision {
            Precision::F16 if !integer && w.is_finite() => f64::from(w.abs()) / 1024.0 + 6.0e-8,
            _ => 0.0,
        };
        let allowed = own + storage;
        if g.to_bits() == w.to_bits() || g == w || (g.is_nan() && w.is_nan()) {
            continue;
        }
        if precision == Precision::F16 && !integer && w.abs() > 65_504.0 && g == f32::INFINITY.copysign(w) {
            continue;
        }
        let gap = (f64::from(g) - f64::from(w)).abs();
        // Written so that NaN, of the gap or of the bound, fails.
        let within = gap <= allowed;
        if !within {
            let excess = if gap.is_nan() { f64::INFINITY } else { gap - allowed };
            if worst.is_none_or(|(e, ..)| excess > e) {
                worst = Some((excess, i, allowed));
            }
        }
    }
    Ok(worst.map(|(_, i, allowed)| {
        format!("element {i} is {}, the reference {}, more than {allowed:.3e} apart", got[i], want[i])
    }))
}

/// Checks a whole graph on a device against the CPU reference: the outputs' largest difference, relative to the
/// largest magnitude.
///
/// # Errors
/// When one of them cannot run the graph.
pub fn compare_graph(
    graph: &Graph,
    inputs: &[(&str, Tensor)],
    engine: &Engine,
    options: &PlanOptions,
) -> Result<f64> {
    let plan = |e: &Engine| -> Result<Plan> { e.plan_with(graph, options) };
    let want = plan(&Engine::reference())?.run(inputs)?;
    let got = plan(engine)?.run(inputs)?;
    let mut worst = 0f64;
    for ((_, w), (_, g)) in want.iter().zip(got.iter()) {
        let (w, g) = (w.to_f32(), g.to_f32());
        let (w, g) = (w.f32s()?, g.f32s()?);
        let scale = w.iter().fold(0f64, |m, x| m.max(f64::from(x.abs()))).max(f64::MIN_POSITIVE);
        for (w, g) in w.iter().zip(g) {
            let gap = (f64::from(*w) - f64::from(*g)).abs() / scale;
            worst = if gap.is_nan() { f64::INFINITY } else { worst.max(gap) };
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::new(&[values.len()], values.to_vec()).unwrap()
    }

    /// The comparison itself must notice each kind of wrong result.
    #[test]
    fn compare_notices_what_is_wrong() {
        let want = tensor(&[1.0, 2.0, 3.0]);
        let loose = Bound::Absolute(vec![0.1; 3]);
        let differs = |got: &[f32], bound: &Bound| {
            compare(&tensor(got), &want, bound, Precision::F32).unwrap().is_some()
        };
        assert!(!differs(&[1.0, 2.0, 3.0], &Bound::Exact));
        assert!(!differs(&[1.05, 2.0, 2.95], &loose));
        assert!(differs(&[1.0, 2.0, 3.2], &loose));
        assert!(differs(&[1.0, f32::NAN, 3.0], &loose));
        assert!(differs(&[1.0, 2.0, f32::INFINITY], &loose));
        assert!(differs(&[1.0, 2.0000002, 3.0], &Bound::Exact));
        assert!(differs(&[1.0, 2.0], &loose));
        assert!(differs(&[1.1, 2.0, 3.0], &Bound::Absolute(vec![f64::NAN; 3])));
        let indices = |i: [i32; 3]| Tensor::new(&[3], i.to_vec()).unwrap();
        let near = Bound::Choice(vec![vec![], vec![2, 7], vec![3]]);
        let chosen = |i| compare(&indices(i), &indices([1, 2, 3]), &near, Precision::F32).unwrap().is_none();
        assert!(chosen([1, 2, 3]) && chosen([1, 7, 3]));
        assert!(!chosen([7, 2, 3]) && !chosen([1, 3, 3]) && !chosen([1, 2, -3]));
        let masked = tensor(&[f32::NEG_INFINITY; 3]);
        for precision in [Precision::F32, Precision::F16] {
            assert!(compare(&want, &masked, &loose, precision).unwrap().is_some());
            assert!(compare(&masked, &masked, &loose, precision).unwrap().is_none());
        }
    }

    #[test]
    fn a_reference_that_shows_nothing_is_noticed() {
        assert!(untrustworthy(&tensor(&[2.0; 5])).is_some());
        assert!(untrustworthy(&tensor(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0])).is_some());
        assert!(untrustworthy(&tensor(&[0.0, 1.0, 2.0])).is_none());
    }

    #[test]
    fn a_bound_that_lets_anything_through_is_noticed() {
        let reference = tensor(&[1.0, -2.0, 0.5]);
        assert!(useless(&Bound::Exact, &reference).is_none());
        assert!(useless(&Bound::Absolute(vec![1e-6, 1e-6, 1.0]), &reference).is_none());
        assert!(useless(&Bound::Absolute(vec![0.1, 0.1, 1e-6]), &reference).is_some());
        assert!(useless(&Bound::Choice(vec![vec![1], vec![1, 2], vec![2]]), &reference).is_none());
        assert!(useless(&Bound::Choice(vec![vec![1], vec![1, 2], vec![2, 3]]), &reference).is_some());
    }

    #[test]
    fn every_case_can_be_recorded_in_every_configuration() {
        for case in cases::all() {
            for precision in [Precision::F32, Precision::F16] {
                for traits in case.configurations(precision) {
                    let dispatches = case.dispatches(traits);
                    assert!(!dispatches.unwrap().is_empty(), "{}", case.name);
                }
            }
        }
    }

    #[test]
    fn case_names_are_unique() {
        let mut names: Vec<String> = cases::all().into_iter().map(|c| c.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
