//! What a model draws its weights from.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::report::{Misshapen, Report};
use super::{Checkpoint, Convention, Naming, random};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Where a model takes its weights from: a checkpoint, chance, or nowhere, when only shapes matter.
///
/// A model asks for every weight by its canonical name and published shape, in the published layout. What is
/// missing or of another shape is noted, not an error at once: [`Weights::finish`] reports everything together.
/// Cloning and [scopes](Weights::scope) are cheap and share the notes.
///
/// ```
/// use kinetograph::weights::Weights;
///
/// # fn main() -> kinetograph::Result<()> {
/// let weights = Weights::random(0);
/// let conv1 = weights.scope("conv1");
/// let kernel = conv1.take("weight", &[64, 3, 3, 3, 3])?; // C_out C_in T H W, as published
/// let kernel = kernel.permute(&[2, 3, 4, 1, 0])?; // T H W C_in C_out, as `Graph::conv3d` takes it
/// let bias = conv1.take("bias", &[64])?;
/// weights.finish()?;
/// assert_eq!(kernel.shape()[..], [3, 3, 3, 3, 64]);
/// assert_eq!(weights.parameters(), 64 * 81 + 64);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Weights {
    shared: Arc<Shared>,
    /// The beginning of all names, with its dot.
    scope: String,
}

struct Shared {
    source: Source,
    notes: Mutex<Notes>,
}

enum Source {
    Shapes,
    Random(u64),
    File { checkpoint: Box<Checkpoint>, naming: Naming },
}

/// What was asked for so far.
#[derive(Default)]
struct Notes {
    /// Canonical names, in order, and published shapes.
    names: Vec<(String, Shape)>,
    seen: HashSet<String>,
    parameters: u64,
    /// Names in the file that were taken.
    used: HashSet<String>,
    ignored: BTreeSet<String>,
    missing: Vec<(String, Option<String>)>,
    misshapen: BTreeSet<Misshapen>,
}

impl Weights {
    /// No values, only shapes: to count parameters and to learn a model's names.
    pub fn shapes() -> Weights {
        Weights::of(Source::Shapes)
    }

    /// Random values, scaled so that activations neither vanish nor explode: He's scale for layers, about 1 for
    /// norms. Each depends on the seed and its name only.
    pub fn random(seed: u64) -> Weights {
        Weights::of(Source::Random(seed))
    }

    /// The tensors of a checkpoint whose naming is known.
    pub fn new(checkpoint: Checkpoint, naming: Naming) -> Weights {
        log::info!("{}: named as {naming}", checkpoint.path().display());
        Weights::of(Source::File { checkpoint: Box::new(checkpoint), naming })
    }

    /// The tensors of a checkpoint that follows one of `conventions`, found by the canonical names a model
    /// takes; [`Weights::names`] of a build with [`Weights::shapes`] gives those.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the checkpoint follows none.
    pub fn detect<S: AsRef<str>>(
        checkpoint: Checkpoint,
        conventions: &[Convention],
        canonical: &[S],
    ) -> Result<Weights> {
        let naming = Naming::find(&checkpoint, conventions, canonical)?;
        Ok(Weights::new(checkpoint, naming))
    }

    fn of(source: Source) -> Weights {
        Weights { shared: Arc::new(Shared { source, notes: Mutex::default() }), scope: String::new() }
    }

    /// The weights whose names begin with `name` and a dot.
    #[must_use]
    pub fn scope(&self, name: impl fmt::Display) -> Weights {
        Weights { shared: Arc::clone(&self.shared), scope: format!("{}{name}.", self.scope) }
    }

    /// Takes a weight, in the layout it is published in.
    ///
    /// A weight that is missing or of another shape is noted for [`Weights::finish`] and comes without values.
    /// Axes of length 1 may differ: a 1×1×1 convolution serves as a linear layer.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is impossible or the file cannot be read.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Weight> {
        self.draw(name, shape, true).map(|(weight, _)| weight)
    }

    /// As [`Weights::take`], but `None` when the checkpoint has no such weight. Without a checkpoint, there is one.
    ///
    /// # Errors
    /// Those of [`Weights::take`].
    pub fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<Weight>> {
        self.draw(name, shape, false).map(|(weight, there)| there.then_some(weight))
    }

    /// The length of an axis of a weight in the checkpoint, for tables that are resampled to any length; `None` where
    /// there is none.
    pub fn length(&self, name: &str, axis: usize) -> Option<usize> {
        match &self.shared.source {
            Source::File { checkpoint, naming } => {
                naming.shape(checkpoint, &format!("{}{name}", self.scope))?.get(axis).copied()
            }
            _ => None,
        }
    }

    /// The weight, and whether the source has one of the name.
    fn draw(&self, name: &str, shape: &[usize], required: bool) -> Result<(Weight, bool)> {
        let name = format!("{}{name}", self.scope);
        let shape = Shape::new(shape).map_err(|e| e.at(&name))?;
        let weight = |tensor| Weight { name: name.clone(), shape: shape.clone(), tensor };
        let (checkpoint, naming) = match &self.shared.source {
            Source::Shapes => {
                self.notes().count(&name, &shape);
                return Ok((weight(None), true));
            }
            Source::Random(seed) => {
                self.notes().count(&name, &shape);
                return Ok((weight(Some(random::tensor(*seed, &name, &shape)?)), true));
            }
            Source::File { checkpoint, naming } => (checkpoint, naming),
        };
        let published = naming.published(&name);
        let Some(entry) = published.as_deref().and_then(|p| checkpoint.entry(p)) else {
            if required {
                let mut notes = self.notes();
                if notes.count(&name, &shape) {
                    notes.missing.push((name.clone(), published));
                }
            }
            return Ok((weight(None), false));
        };
        {
            let mut notes = self.notes();
            notes.count(&name, &shape);
            notes.used.insert(entry.name.clone());
            if !alike(&shape, &entry.shape) {
                notes.misshapen.insert(Misshapen {
                    name: entry.name.clone(),
                    wanted: shape.to_vec(),
                    found: entry.shape.clone(),
                });
                return Ok((weight(None), true));
            }
        }
        let tensor = checkpoint.tensor(&entry.name)?.reshape(&shape)?;
        Ok((weight(Some(tensor)), true))
    }

    /// Lets tensors of the checkpoint be left over: those called `name` in the file, or whose name begins with
    /// it and a dot. What counts or indexes, such as `num_batches_tracked`, may always be.
    pub fn ignore(&self, name: &str) {
        self.notes().ignored.insert(name.to_string());
    }

    /// The canonical names asked for, each once, in order.
    pub fn names(&self) -> Vec<String> {
        self.notes().names.iter().map(|(name, _)| name.clone()).collect()
    }

    /// [`Weights::names`], each with the number of its axes that are longer than 1.
    pub fn signature(&self) -> Vec<(String, usize)> {
        self.notes().names.iter().map(|(name, shape)| (name.clone(), long(shape).count())).collect()
    }

    /// [`Weights::names`], each with the shape that was asked for, in the published layout.
    pub fn taken(&self) -> Vec<(String, Shape)> {
        self.notes().names.clone()
    }

    /// The number of parameters taken: the elements of all weights but running means and variances, each once.
    pub fn parameters(&self) -> u64 {
        self.notes().parameters
    }

    /// Says whether model and checkpoint fit: to be called when the model has taken everything.
    ///
    /// # Errors
    /// One [`crate::ErrorKind::BadInput`] that lists the weights that are missing, each with the nearest name
    /// that is left over, those of another shape, and the tensors left over.
    pub fn finish(&self) -> Result<()> {
        let Source::File { checkpoint, naming } = &self.shared.source else { return Ok(()) };
        let notes = self.notes();
        let ignored = |name: &str| {
            let under = |i: &String| {
                name.strip_prefix(i.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'))
            };
            is_bookkeeping(name) || notes.ignored.iter().any(under)
        };
        let names = checkpoint.entries().iter().map(|e| e.name.as_str());
        let left_over: Vec<&str> = names.filter(|n| !notes.used.contains(*n) && !ignored(n)).collect();
        let misshapen: Vec<Misshapen> = notes.misshapen.iter().cloned().collect();
        let report = Report { missing: &notes.missing, misshapen: &misshapen, left_over: &left_over };
        if report.is_empty() {
            return Ok(());
        }
        let path = checkpoint.path().display();
        Err(Error::bad_input(format!("{path}: does not fit the model (names as {naming})\n{report}")))
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// Notes a weight; says whether it is new.
    fn count(&mut self, name: &str, shape: &Shape) -> bool {
        if !self.seen.insert(name.to_string()) {
            return false;
        }
        self.names.push((name.to_string(), shape.clone()));
        if !matches!(name.rsplit('.').next(), Some("running_mean" | "running_var")) {
            self.parameters += shape.elements() as u64;
        }
        true
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shared.source {
            Source::Shapes => f.write_str("weights without values"),
            Source::Random(seed) => write!(f, "random weights of seed {seed}"),
            Source::File { checkpoint, naming } => {
                write!(f, "{} named as {naming}", checkpoint.path().display())
            }
        }
    }
}

/// Whether a tensor is saved with the weights but is none: what it holds is known without it.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("num_batches_tracked" | "relative_position_index"))
}

/// Whether two shapes are the same but for axes of length 1.
fn alike(a: &[usize], b: &[usize]) -> bool {
    long(a).eq(long(b))
}

/// The lengths of the axes that are longer than 1.
pub(crate) fn long(shape: &[usize]) -> impl Iterator<Item = usize> {
    shape.iter().copied().filter(|&d| d != 1)
}

/// A weight of a model: its shape and, where there are some, its values.
#[derive(Debug, Clone)]
pub struct Weight {
    name: String,
    shape: Shape,
    tensor: Option<Tensor>,
}

impl Weight {
    /// The canonical name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values; none from [`Weights::shapes`], or when the checkpoint has none that fit.
    pub fn tensor(&self) -> Option<&Tensor> {
        self.tensor.as_ref()
    }

    /// The axes in another order; see [`Tensor::permute`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `order` does not name every axis once.
    pub fn permute(self, order: &[usize]) -> Result<Weight> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.shape.rank()) {
            let text = format!("order {order:?} does not name every axis of {} once", self.shape);
            return Err(Error::bad_input(text).at(&self.name));
        }
        let dims: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let tensor = self.tensor.map(|t| t.permute(order)).transpose()?;
        Ok(Weight { name: self.name, shape: Shape::new(&dims)?, tensor })
    }

    /// The same elements in another shape; see [`Tensor::reshape`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the number of elements differs.
    pub fn reshape(self, shape: &[usize]) -> Result<Weight> {
        let reshaped = Shape::new(shape)?;
        if reshaped.elements() != self.shape.elements() {
            let text = format!("shape {} cannot become {reshaped}", self.shape);
            return Err(Error::bad_input(text).at(&self.name));
        }
        let tensor = self.tensor.map(|t| t.reshape(shape)).transpose()?;
        Ok(Weight { name: self.name, shape: reshaped, tensor })
    }

    /// A part along the first axis.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no such rows.
    pub fn rows(&self, rows: Range<usize>) -> Result<Weight> {
        let (count, row) =
            (self.shape.first().copied().unwrap_or(0), self.shape.iter().skip(1).product::<usize>());
        if rows.is_empty() || rows.end > count {
            let text = format!("has no rows {} to {} among those of {}", rows.start, rows.end, self.shape);
            return Err(Error::bad_input(text).at(&self.name));
        }
        let mut dims = self.shape.to_vec();
        dims[0] = rows.len();
        let part =
            |t: &Tensor| Tensor::new(&dims, t.to_f32().f32s()?[rows.start * row..rows.end * row].to_vec());
        let tensor = self.tensor.as_ref().map(part).transpose()?;
        Ok(Weight { name: self.name.clone(), shape: Shape::new(&dims)?, tensor })
    }

    /// Weights one after the other along the first axis, under the name of the first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is none or they differ along another axis.
    pub fn join(parts: &[Weight]) -> Result<Weight> {
        let first = parts.first().ok_or_else(|| Error::internal("no weights to join"))?;
        let mut dims = first.shape.to_vec();
        let mut data = Some(Vec::new());
        for (i, part) in parts.iter().enumerate() {
            if part.shape.is_empty() || part.shape.get(1..) != first.shape.get(1..) {
                let text = format!("cannot be joined: {} and {}", first.shape, part.shape);
                return Err(Error::bad_input(text).at(&part.name));
            }
            dims[0] += if i == 0 { 0 } else { part.shape[0] };
            match (&mut data, &part.tensor) {
                (Some(data), Some(tensor)) => data.extend_from_slice(tensor.to_f32().f32s()?),
                _ => data = None,
            }
        }
        let tensor = data.map(|data| Tensor::new(&dims, data)).transpose()?;
        Ok(Weight { name: first.name.clone(), shape: Shape::new(&dims)?, tensor })
    }

    /// Zeros in place of a weight that a network has not.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is impossible.
    pub fn zeros(name: &str, shape: &[usize]) -> Result<Weight> {
        let shape = Shape::new(shape)?;
        let tensor = Some(Tensor::from_fn(&shape, |_| 0.0)?);
        Ok(Weight { name: name.into(), shape, tensor })
    }

    /// Equally long parts along the first axis, such as query, key and value of a fused layer.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `parts` does not divide it.
    pub fn chunk(&self, parts: usize) -> Result<Vec<Weight>> {
        let first = self.shape.first().copied().unwrap_or(0);
        if parts == 0 || first % parts != 0 {
            let text = format!("{parts} parts must divide the first axis of {}", self.shape);
            return Err(Error::bad_input(text).at(&self.name));
        }
        let rows = first / parts;
        (0..parts).map(|i| self.rows(i * rows..(i + 1) * rows)).collect()
    }

    /// The last axis so many times over, as a kernel that all heads share.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a scalar, and when that is too much.
    pub fn tile(self, times: usize) -> Result<Weight> {
        let Some((&last, rest)) = self.shape.split_last() else {
            return Err(Error::bad_input("a scalar has no axis to repeat").at(&self.name));
        };
        let dims = [rest, &[last.saturating_mul(times)]].concat();
        let shape = Shape::new(&dims).map_err(|e| e.at(&self.name))?;
        let tensor = match self.tensor.map(|t| t.to_f32()) {
            Some(t) => {
                let v = t.f32s()?;
                Some(Tensor::from_fn(&dims, |i| v[i / (last * times) * last + i % last])?)
            }
            None => None,
        };
        Ok(Weight { name: self.name, shape, tensor })
    }

    /// The name, the shape and the values.
    pub fn into_parts(self) -> (String, Shape, Option<Tensor>) {
        (self.name, self.shape, self.tensor)
    }
}
