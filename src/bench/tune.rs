//! Measuring which kernels are the fastest for the nodes of a graph.

use std::collections::HashMap;

use super::{inputs, numbers};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::Gpu;
use crate::graph::{
    ConvForm, Engine, Family, Graph, Node, Origin, PlanOptions, Traits, Tuning, Value, tuning_key,
    tuning_signature,
};
use crate::tensor::{DType, Tensor};

/// A choice replaces the usual one if it takes less than this part of its time: below that, noise chooses.
const WORTH: f64 = 0.95;

/// How many runs of a candidate are measured, after one that warms up; the least counts.
const RUNS: usize = 5;

/// Once a candidate's first run takes so many times as long as the best, it is given up.
const HOPELESS: f64 = 2.0;

/// What became of a node.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// The node's name in its graph.
    pub node: String,
    /// How many different choices there were.
    pub candidates: usize,
    /// Seconds of the usual kernels.
    pub usual: f64,
    /// Seconds of those that were chosen.
    pub chosen: f64,
    /// What was chosen, such as `tiled, tile 3`.
    pub what: String,
}

/// Measures every node of a graph that `tuning` does not know yet, on random inputs, and keeps the fastest kernels in
/// it; `told` hears of each node that had a choice.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for the processor, where there is nothing to choose; [`crate::ErrorKind::Device`] when the
/// device is lost. What was measured until then is in `tuning`.
pub fn tune(
    engine: &Engine,
    graph: &Graph,
    options: &PlanOptions,
    tuning: &mut Tuning,
    mut told: impl FnMut(&Tuned) -> Result<()>,
) -> Result<()> {
    let gpu = tunable(engine)?;
    let usual = options.traits(gpu);
    let fused = if options.fuse { graph.fused() } else { graph.clone() };
    // One node is left as it is.
    let options =
        PlanOptions { fuse: false, tuning: None, family: None, on_progress: None, ..options.clone() };
    for node in fused.nodes.iter().filter(|n| !n.op.is_view()) {
        let Some(key) = tuning_key(&fused, node, usual) else { continue };
        if tuning.knows(&key) {
            continue;
        }
        let candidates = candidates(&fused, node, usual);
        if candidates.len() < 2 {
            continue;
        }
        let alone = alone(&fused, node)?;
        let inputs = inputs(&alone)?;
        let inputs: Vec<(&str, Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
        let mut best: Option<(f64, Traits)> = None;
        let mut first = f64::INFINITY;
        for (i, &traits) in candidates.iter().enumerate() {
            let Traits { family, tile, form, matrices, subgroups, .. } = traits;
            let options = PlanOptions {
                family: Some(family),
                tile,
                form,
                matrices: matrices.is_some(),
                subgroups,
                ..options.clone()
            };
            let limit = best.map_or(f64::INFINITY, |(seconds, _)| HOPELESS * seconds);
            let seconds = match measure(engine, &alone, &options, &inputs, limit) {
                Ok(seconds) => seconds,
                Err(e) if e.kind() == ErrorKind::Device => return Err(e),
                // A candidate that does not fit the device is none.
                Err(_) => f64::INFINITY,
            };
            if i == 0 {
                first = seconds;
            }
            let worth = best
                .is_none_or(|(least, chosen)| seconds < if chosen == usual { WORTH * least } else { least });
            if seconds.is_finite() && worth {
                best = Some((seconds, traits));
            }
        }
        let Some((chosen, traits)) = best else { continue };
        tuning.keep(key, traits, usual);
        let tile = traits.tile.map_or(String::new(), |t| format!(", tile {t}"));
        let form = match traits.form {
            Some(ConvForm::Plain) => ", plain",
            Some(ConvForm::Winograd) => ", Winograd",
            Some(ConvForm::Lines) => ", lines",
            None => "",
        };
        let matrices = if traits.matrices.is_none() && usual.matrices.is_some() {
            ", no cooperative matrices"
        } else {
            ""
        };
        let subgroups = if traits.subgroups == usual.subgroups { "" } else { ", no subgroups" };
        let what = format!("{:?}{tile}", traits.family).to_lowercase() + form + matrices + subgroups;
        told(&Tuned { node: node.name.clone(), candidates: candidates.len(), usual: first, chosen, what })?;
    }
    Ok(())
}

/// The device of an engine that has kernels to choose from.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for the processor.
pub fn tunable(engine: &Engine) -> Result<&Gpu> {
    engine.gpu().ok_or_else(|| {
        Error::usage("the processor has one kernel for everything; there is nothing to tune (--device gpu)")
    })
}

/// The choices that come to different kernels, the usual one first. The plainest family is never the fastest.
fn candidates(graph: &Graph, node: &Node, usual: Traits) -> Vec<Traits> {
    let families = Family::ALL.into_iter().filter(|f| *f != Family::Direct);
    let forms = || [None].into_iter().chain(ConvForm::ALL.map(Some));
    let plain =
        families.flat_map(|family| forms().map(move |form| Traits { family, tile: None, form, ..usual }));
    let tiles = forms().flat_map(|form| {
        (0..Traits::TILES).map(move |t| Traits { family: Family::Tiled, tile: Some(t), form, ..usual })
    });
    let mut seen = Vec::new();
    let mut list = Vec::new();
    let all = [usual].into_iter().chain(plain).chain(tiles);
    let without = |t: Traits| [t, Traits { matrices: None, ..t }, Traits { subgroups: false, ..t }];
    for traits in all.flat_map(without) {
        if let Some(signature) = tuning_signature(graph, node, traits)
            && !seen.contains(&signature)
        {
            seen.push(signature);
            list.push(traits);
        }
    }
    list
}

/// A graph of one node, with its constants, or numbers where their values are not known.
fn alone(graph: &Graph, node: &Node) -> Result<Graph> {
    let mut alone = Graph::new();
    let mut values: HashMap<Value, Value> = HashMap::new();
    for (i, &v) in node.inputs.iter().enumerate() {
        if values.contains_key(&v) {
            continue;
        }
        let (name, ty) = (format!("i{i}"), graph.ty(v).clone());
        let value = match &graph.values[v.index()].origin {
            Origin::Constant(Some(tensor)) => alone.constant(&name, tensor.clone()),
            Origin::Constant(None) if ty.dtype == DType::F32 => alone.constant(&name, numbers(&ty.shape, i)?),
            Origin::Constant(None) => {
                alone.constant(&name, Tensor::new(&ty.shape, vec![0i32; ty.shape.elements()])?)
            }
            _ => alone.input_of(&name, ty)?,
        };
        values.insert(v, value);
    }
    let inputs: Vec<Value> = node.inputs.iter().map(|v| values[v]).collect();
    for (i, output) in alone.push_shared(node.op.clone(), &inputs)?.into_iter().enumerate() {
        alone.output(&format!("o{i}"), output)?;
    }
    Ok(alone)
}

/// The least seconds in kernels; infinity if the first measured run takes more than `limit`.
fn measure(
    engine: &Engine,
    graph: &Graph,
    options: &PlanOptions,
    inputs: &[(&str, Tensor)],
    limit: f64,
) -> Result<f64> {
    let plan = engine.plan_with(graph, options)?;
    let seconds = || Ok::<f64, Error>(plan.profile(inputs)?.iter().map(|t| t.seconds).sum());
    let mut least = seconds()?;
    // The first run may compile; one that takes much longer than that would is not repeated.
    if least > 10.0 * limit {
        return Ok(f64::INFINITY);
    }
    for i in 0..RUNS {
        least = least.min(seconds()?);
        if i == 0 && least > limit {
            return Ok(f64::INFINITY);
        }
    }
    Ok(least)
}
