//! `kinetograph op`: one operator on .npy tensors.

use std::path::{Path, PathBuf};

use clap::Args;
use kinetograph::error::At;
use kinetograph::ops::{Attributes, CATALOG, Door, Layout};
use kinetograph::{Engine, Error, Graph, PlanOptions, Result, Tensor, npy};
use serde_json::{Map, Value as Json, json};

use super::{Common, output};

/// Run one operator on .npy tensors.
///
/// `kinetograph models --ops` lists the operators with their inputs and attributes. An input is a
/// flag with a file, any other flag is an attribute, and --attrs gives several as JSON. Three
/// numbers are for time, height and width. Example:
///
///   kinetograph op conv3d --input x.npy --weight w.npy --stride 1,2,2 --output y.npy
///
/// With --batch CASES.jsonl every line is a case, and one that fails does not stop the others:
///
///   {"op": "conv3d", "input": "x.npy", "weight": "w.npy", "attrs": {"stride": 2}, "output": "y.npy"}
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct OpCommand {
    /// The operator; left out with --batch
    name: Option<String>,
    /// Cases, one JSON object a line
    #[arg(long, value_name = "CASES.jsonl")]
    batch: Option<PathBuf>,
    /// Where the result goes
    #[arg(long, value_name = "OUT.npy")]
    output: Option<PathBuf>,
    /// nthwc: tensors as this crate has them; ncthw: activations and weights as PyTorch has them
    #[arg(long, default_value = "nthwc")]
    layout: String,
    /// Attributes as a JSON object, with names and meanings of torch.nn.functional
    #[arg(long, value_name = "JSON")]
    attrs: Option<String>,
    #[command(flatten)]
    common: Common,
    /// --input FILE, --weight FILE …, and attributes such as --stride 1,2,2
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    rest: Vec<String>,
}

impl OpCommand {
    pub(crate) fn run(&self) -> Result<()> {
        let cases = match (&self.batch, &self.name) {
            (Some(path), None) if self.output.is_none() && self.attrs.is_none() => {
                read_batch(path, &self.layout)?
            }
            (Some(_), None) => {
                return Err(Error::usage("with --batch, each line has its own \"output\" and \"attrs\""));
            }
            (None, Some(name)) if self.rest.iter().any(|w| w == "--help" || w == "-h") => {
                let door = find(name)?;
                return super::models::operator(door);
            }
            (None, Some(name)) => vec![self.case(name)?],
            _ => return Err(Error::usage("give the name of one operator, or --batch CASES.jsonl")),
        };
        // Flags after the first unknown one land in `rest`; a case has taken them all out again.
        let common = cases.first().and_then(|c| c.common.clone()).unwrap_or_else(|| self.common.clone());
        let engine = common.engine()?;
        let options = PlanOptions { on_progress: None, ..common.options()? };
        let mut first_error = None;
        let mut failed = 0;
        for case in &cases {
            let result = case.run(&engine, &options);
            let line = match &result {
                Ok(shape) => json!({"op": case.op, "output": case.output, "shape": shape}),
                Err(e) => json!({"op": case.op, "error": e.to_string()}),
            };
            if common.json {
                output::print(&line.to_string())?;
            } else if let Ok(shape) = &result {
                eprintln!("{}: {:?} → {}", case.op, shape, case.output.display());
            }
            if let Err(e) = result {
                let e = match &case.place {
                    Some(place) => e.at(place),
                    None => e,
                };
                if self.batch.is_some() {
                    eprintln!("failed: {e}");
                }
                failed += 1;
                first_error.get_or_insert(e);
            }
        }
        match first_error {
            Some(e) if self.batch.is_some() => {
                Err(Error::new(e.kind(), format!("{failed} of {} cases failed, first {e}", cases.len())))
            }
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// The one case of the command line.
    fn case(&self, name: &str) -> Result<Case> {
        let door = find(name)?;
        let mut case = Case {
            op: name.to_owned(),
            inputs: Map::new(),
            attributes: Map::new(),
            layout: self.layout.clone(),
            output: self.output.clone().unwrap_or_default(),
            common: Some(self.common.clone()),
            place: None,
        };
        if let Some(text) = &self.attrs {
            case.add_attributes(text)?;
        }
        let mut words = self.rest.iter();
        while let Some(word) = words.next() {
            let flag = word.strip_prefix("--").ok_or_else(|| {
                Error::usage(format!("`{word}`: a flag such as --input FILE or --stride 2 is expected here"))
            })?;
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (flag, None),
            };
            let common = case.common.get_or_insert_default();
            if flag == "json" {
                common.json = true;
                continue;
            }
            let value = value.or_else(|| words.next().filter(|w| !w.starts_with("--")).cloned());
            let value = value.ok_or_else(|| {
                Error::usage(format!("--{flag} needs a value, such as `--{flag} true` for what is on or off"))
            })?;
            match flag {
                "attrs" => case.add_attributes(&value)?,
                "layout" => case.layout = value,
                "output" => case.output = value.into(),
                "device" => common.device = Some(value),
                "precision" => common.precision = value,
                _ if door.inputs.iter().any(|p| p.name == flag) => {
                    let files = case.inputs.entry(flag).or_insert_with(|| json!([]));
                    if let Some(files) = files.as_array_mut() {
                        files.push(value.into());
                    }
                }
                _ => {
                    case.attributes.insert(flag.replace('-', "_"), attribute(&value));
                }
            }
        }
        Ok(case)
    }
}

/// A flag's text as JSON: `2`, `1,2,2`, `[1, 2, 2]`, `true`, or a word.
fn attribute(text: &str) -> Json {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&format!("[{text}]")))
        .unwrap_or_else(|_| Json::String(text.to_owned()))
}

fn find(name: &str) -> Result<&'static Door> {
    CATALOG.iter().find(|d| d.name == name).copied().ok_or_else(|| {
        let nearest = CATALOG.iter().max_by(|a, b| {
            let like = |d: &Door| strsim::jaro_winkler(d.name, name);
            like(a).total_cmp(&like(b))
        });
        let nearest = nearest.map_or("", |d| d.name);
        Error::usage(format!(
            "no operator `{name}`; the nearest is `{nearest}`, and `kinetograph models --ops` lists them all"
        ))
    })
}

/// One operator, its files and attributes.
struct Case {
    op: String,
    /// Files by input name: a string, or several in an array.
    inputs: Map<String, Json>,
    attributes: Map<String, Json>,
    layout: String,
    output: PathBuf,
    common: Option<Common>,
    /// The line of a batch.
    place: Option<String>,
}

impl Case {
    fn add_attributes(&mut self, text: &str) -> Result<()> {
        let json: Json = serde_json::from_str(text)
            .map_err(|e| Error::usage(format!("--attrs `{text}` is no JSON object: {e}")))?;
        match json {
            Json::Object(map) => self.attributes.extend(map),
            _ => return Err(Error::usage(format!("--attrs `{text}` is no JSON object"))),
        }
        Ok(())
    }

    fn run(&self, engine: &Engine, options: &PlanOptions) -> Result<Vec<usize>> {
        let door = find(&self.op)?;
        let torch = match self.layout.as_str() {
            "nthwc" => false,
            "ncthw" => true,
            other => return Err(Error::usage(format!("layout `{other}`: nthwc or ncthw"))),
        };
        if self.output.as_os_str().is_empty() {
            return Err(Error::usage("no --output OUT.npy was given"));
        }
        if let Some(unknown) = self.inputs.keys().find(|k| door.inputs.iter().all(|p| p.name != k.as_str())) {
            return Err(Error::usage(format!(
                "{} has no input `{unknown}`; its inputs are {}, and attributes go into \"attrs\"",
                self.op,
                door.inputs.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
            )));
        }
        let mut g = Graph::new();
        let mut values = Vec::new();
        let mut feeds: Vec<(String, Tensor)> = Vec::new();
        for port in door.inputs {
            let files = match self.inputs.get(port.name) {
                Some(Json::Array(files)) => files.clone(),
                Some(file) => vec![file.clone()],
                None if port.optional => Vec::new(),
                None => return Err(Error::usage(format!("{} needs --{} FILE.npy", self.op, port.name))),
            };
            if files.len() > 1 && !port.variadic {
                return Err(Error::usage(format!(
                    "{} takes one --{}, not {}",
                    self.op,
                    port.name,
                    files.len()
                )));
            }
            for file in files {
                let path = file
                    .as_str()
                    .ok_or_else(|| Error::usage(format!("input `{}` must be a file name", port.name)))?;
                let mut tensor = npy::read(Path::new(path))?;
                if torch && let Some(order) = port.layout.from_torch(tensor.shape().rank()) {
                    tensor = tensor.permute(&order)?;
                }
                // Weights are constants, as in a network, so that the fast kernels can lay them out.
                let indices = tensor.dtype() == kinetograph::DType::I32;
                values.push(if indices {
                    // Known before anything runs, they can be checked.
                    g.constant(port.name, tensor)
                } else if port.layout == Layout::Plain || port.layout == Layout::Activation {
                    let name = match port.variadic {
                        true => format!("{} {}", port.name, feeds.len()),
                        false => port.name.to_owned(),
                    };
                    let ty = kinetograph::graph::TensorType {
                        shape: tensor.shape().clone(),
                        dtype: if tensor.dtype() == kinetograph::DType::I32 {
                            kinetograph::DType::I32
                        } else {
                            kinetograph::DType::F32
                        },
                    };
                    let value = g.input_of(&name, ty)?;
                    feeds.push((name, tensor));
                    value
                } else {
                    g.constant(port.name, tensor)
                });
            }
        }
        let attributes = Attributes::from_json(Json::Object(self.attributes.clone()))?;
        // The graph places its own errors, those of attributes have no place yet.
        let outputs = door.add(&mut g, &values, &attributes).map_err(|e| {
            let kind = e.kind();
            let e = if e.to_string().starts_with(&self.op) { e } else { e.at(&self.op) };
            match self.hint(door, &g, &values, &attributes, torch) {
                Some(hint) => Error::new(kind, format!("{e} ({hint})")),
                None => e,
            }
        })?;
        for (i, v) in outputs.iter().enumerate() {
            g.output(&i.to_string(), *v)?;
        }
        let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
        let results = engine.plan_with(&g, options)?.run(&feeds)?;
        let mut shape = Vec::new();
        for (i, (_, tensor)) in results.iter().enumerate() {
            let tensor = match door.output.to_torch(tensor.shape().rank()).filter(|_| torch) {
                Some(order) => tensor.permute(&order)?,
                None => tensor.clone(),
            };
            // A second output goes beside the first: y.npy, y.1.npy.
            let path =
                if i == 0 { self.output.clone() } else { self.output.with_extension(format!("{i}.npy")) };
            npy::write(&path, &tensor)?;
            if i == 0 {
                shape = tensor.shape().to_vec();
            }
        }
        Ok(shape)
    }

    /// What else to say of inputs that do not fit: that PyTorch's layout would, or which one the shapes are of.
    fn hint(
        &self,
        door: &Door,
        g: &Graph,
        values: &[kinetograph::Value],
        attributes: &Attributes,
        torch: bool,
    ) -> Option<&'static str> {
        let port = |i: usize| &door.inputs[i.min(door.inputs.len() - 1)];
        let moved: Vec<Option<Vec<usize>>> =
            values.iter().enumerate().map(|(i, v)| port(i).layout.from_torch(g.shape(*v).rank())).collect();
        if moved.iter().all(Option::is_none) {
            return None;
        }
        if torch {
            return Some("shapes are given channels last, as they are computed with");
        }
        let mut other = Graph::new();
        let mut inputs = Vec::new();
        for (i, (v, order)) in values.iter().zip(moved).enumerate() {
            let shape = g.shape(*v);
            let dims = order.map_or_else(|| shape.to_vec(), |o| o.iter().map(|&a| shape[a]).collect());
            let ty = kinetograph::graph::TensorType {
                shape: kinetograph::Shape::new(&dims).ok()?,
                dtype: g.ty(*v).dtype,
            };
            inputs.push(other.input_of(&i.to_string(), ty).ok()?);
        }
        door.add(&mut other, &inputs, attributes).ok()?;
        Some("with --layout ncthw, for files laid out as PyTorch has them, they would fit")
    }
}

fn read_batch(path: &Path, layout: &str) -> Result<Vec<Case>> {
    let bytes = std::fs::read(path).at(path.display())?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Error::bad_input("is no text (UTF-8)")).at(path.display())?;
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let cases = lines
        .map(|(i, line)| {
            let place = format!("{}:{}", path.display(), i + 1);
            let json: Json = serde_json::from_str(line)
                .map_err(|e| Error::bad_input(format!("{place}: is no JSON: {e}")))?;
            let Json::Object(mut map) = json else {
                return Err(Error::bad_input(format!("{place}: is no JSON object")));
            };
            let mut text = |key: &str| match map.remove(key) {
                Some(Json::String(text)) => Ok(Some(text)),
                None => Ok(None),
                Some(_) => Err(Error::bad_input(format!("{place}: \"{key}\" is no text"))),
            };
            let op = text("op")?.ok_or_else(|| Error::bad_input(format!("{place}: \"op\" is missing")))?;
            let layout = text("layout")?.unwrap_or_else(|| layout.to_owned());
            let output = text("output")?.unwrap_or_default().into();
            let attributes = match map.remove("attrs") {
                Some(Json::Object(a)) => a,
                None => Map::new(),
                Some(_) => return Err(Error::bad_input(format!("{place}: \"attrs\" is no object"))),
            };
            Ok(Case { op, inputs: map, attributes, layout, output, common: None, place: Some(place) })
        })
        .collect::<Result<Vec<Case>>>()?;
    if cases.is_empty() {
        return Err(Error::bad_input("holds no case").at(path.display()));
    }
    Ok(cases)
}
