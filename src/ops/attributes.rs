//! Attributes given as JSON, with the names and meanings of `torch.nn.functional`.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::tensor::DType;

/// An operator's attributes as a JSON object.
#[derive(Debug, Clone, Default)]
pub struct Attributes(Json);

impl Attributes {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the text is none.
    pub fn parse(text: &str) -> Result<Attributes> {
        serde_json::from_str(text)
            .map_err(|e| Error::usage(format!("attributes `{text}` are no JSON: {e}")))
            .and_then(Attributes::from_json)
    }

    /// Takes a JSON object.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the value is no object.
    pub fn from_json(json: Json) -> Result<Attributes> {
        if json.is_object() {
            Ok(Attributes(json))
        } else {
            Err(Error::usage(format!(
                "attributes must be a JSON object such as {{\"stride\": 2}}, not `{json}`"
            )))
        }
    }

    /// The attributes as a struct of an operator, which should derive `Deserialize` with
    /// `#[serde(default, deny_unknown_fields)]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] naming the unknown or unusable attribute.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.0.is_null() {
            return Ok(T::default());
        }
        serde_path_to_error::deserialize(&self.0).map_err(|e| {
            let place = match e.path().to_string() {
                path if path == "." => "attributes".to_owned(),
                path => format!("attribute `{path}`"),
            };
            // serde names Rust's types.
            let text = e.inner().to_string();
            let text = text
                .replace("expected usize", "a whole number that is not negative is expected")
                .replace("expected isize", "a whole number is expected")
                .replace("expected f32", "a number is expected")
                .replace("expected f64", "a number is expected")
                .replace("expected a sequence", "a list such as [1, 2] is expected");
            Error::bad_input(format!("{place}: {text}"))
        })
    }

    /// Takes a `padding` that is the name of a rule: `same` or `causal`, see [`PaddingRule`], or `valid`, none at all.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for another name.
    pub(super) fn padding_rule(&self) -> Result<(Option<PaddingRule>, Attributes)> {
        let Some(name) = self.0.get("padding").and_then(Json::as_str) else {
            return Ok((None, self.clone()));
        };
        let rule = match name {
            "same" => Some(PaddingRule::Same),
            "causal" => Some(PaddingRule::Causal),
            "valid" => None,
            _ => {
                return Err(Error::bad_input(format!(
                    "attribute `padding`: no rule `{name}`; there are same, valid and causal"
                )));
            }
        };
        let mut rest = self.clone();
        if let Some(attributes) = rest.0.as_object_mut() {
            attributes.remove("padding");
        }
        Ok((rule, rest))
    }

    /// Checks that there are none.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are.
    pub fn none(&self) -> Result<()> {
        match self.0.as_object().and_then(|o| o.keys().next()) {
            Some(key) => Err(Error::bad_input(format!("attributes: unknown field `{key}`, there are none"))),
            None => Ok(()),
        }
    }
}

/// Zeros (or, for a maximum, nothing) before and after each of the axes T, H, W.
pub type Padding = [[usize; 2]; 3];

/// What the padding around a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaddingMode {
    /// A constant; zero for a convolution, where PyTorch calls it `zeros`.
    #[default]
    #[serde(alias = "zeros")]
    Constant,
    /// The tensor reflected at its first and last elements, which do not come again: `c b a b c b a`.
    Reflect,
    /// The first and the last element: `a a a b c c c`.
    Replicate,
    /// The tensor from its other end: `b c a b c a b`.
    Circular,
}

impl PaddingMode {
    /// The number that `kernels/lib/padding.wgsl` knows it by.
    pub(super) fn code(self) -> u32 {
        match self {
            PaddingMode::Constant => 0,
            PaddingMode::Reflect => 1,
            PaddingMode::Replicate => 2,
            PaddingMode::Circular => 3,
        }
    }

    /// The element that lies at a place on an axis, which may be outside of it; none where the constant does.
    pub(super) fn place(self, at: i64, length: usize) -> Option<usize> {
        let last = length as i64 - 1;
        let at = match self {
            PaddingMode::Constant => at,
            PaddingMode::Reflect => last - (last - at.abs()).abs(),
            PaddingMode::Replicate => at.clamp(0, last),
            PaddingMode::Circular => at.rem_euclid(length as i64),
        };
        usize::try_from(at).ok().filter(|at| *at < length)
    }

    /// That an axis has the elements that its padding wants.
    pub(super) fn check(self, axis: &str, length: usize, padding: [usize; 2]) -> Result<()> {
        let (what, most) = match self {
            PaddingMode::Constant | PaddingMode::Replicate => return Ok(()),
            PaddingMode::Reflect => ("reflect", length - 1),
            PaddingMode::Circular => ("circular", length),
        };
        if padding.iter().any(|p| *p > most) {
            return Err(Error::bad_input(format!(
                "{what} padding {padding:?} along axis {axis} of {length} elements: at most {most} is possible"
            )));
        }
        Ok(())
    }
}

/// Padding that follows from the lengths of input and window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaddingRule {
    /// `⌈length / stride⌉` windows, the padding on both sides and an odd element behind: TensorFlow's SAME, and PyTorch's
    /// for a stride of 1.
    Same,
    /// Along the first axis all padding before, so that no window sees what comes after its last tap's position;
    /// along the others as [`PaddingRule::Same`].
    Causal,
}

impl PaddingRule {
    /// Padding before and after each axis. Takes any numbers, so that the operator's own check can refuse them.
    pub(super) fn padding<const N: usize>(
        self,
        length: [usize; N],
        kernel: [usize; N],
        stride: [usize; N],
        dilation: [usize; N],
    ) -> [[usize; 2]; N] {
        std::array::from_fn(|a| {
            let reach = kernel[a].saturating_sub(1).saturating_mul(dilation[a]);
            if self == PaddingRule::Causal && a == 0 {
                return [reach, 0];
            }
            let last = (length[a].saturating_sub(1) / stride[a].max(1)).saturating_mul(stride[a]);
            let all = last.saturating_add(reach).saturating_add(1).saturating_sub(length[a]);
            [all / 2, all - all / 2]
        })
    }
}

/// What becomes of a window of a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pool {
    /// Its largest element; NaN if any is. A window with no element at all, which dilation makes possible, gives
    /// −∞.
    #[default]
    Max,
    /// The mean of its elements.
    Average,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrEach {
    One(usize),
    Each(Vec<usize>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnyPadding<P> {
    One(P),
    Each(Vec<P>),
    Pairs(Vec<[P; 2]>),
}

/// The names of the `N` innermost axes of space and time.
fn axis_names<const N: usize>() -> String {
    ["T", "H", "W"][3usize.saturating_sub(N)..].join(", ")
}

/// What is given for the `N` last of the axes T, H, W, with `fill` for those before.
pub(super) fn of_thw<T: Copy, const N: usize>(fill: T, values: [T; N]) -> [T; 3] {
    let mut all = [fill; 3];
    for (to, value) in all.iter_mut().rev().zip(values.into_iter().rev()) {
        *to = value;
    }
    all
}

/// Reads `2` as `[2, 2, 2]`, one number for each of the `N` last of the axes T, H, W.
pub(super) fn each<'de, D: Deserializer<'de>, const N: usize>(
    d: D,
) -> std::result::Result<[usize; N], D::Error> {
    let error = || {
        D::Error::custom(format!(
            "one whole number, 0 or more, or one for each of {} is expected",
            axis_names::<N>()
        ))
    };
    match OneOrEach::deserialize(d).map_err(|_| error())? {
        OneOrEach::One(x) => Ok([x; N]),
        OneOrEach::Each(x) => x.try_into().map_err(|_| error()),
    }
}

/// Reads as [`each`], or nothing.
pub(super) fn optional_each<'de, D: Deserializer<'de>, const N: usize>(
    d: D,
) -> std::result::Result<Option<[usize; N]>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped<const N: usize>(#[serde(deserialize_with = "each")] [usize; N]);
    Ok(Option::<Wrapped<N>>::deserialize(d)?.map(|w| w.0))
}

/// Reads `1` or `[1, 0, 0]` as the same before and after each axis, or takes `[before, after]` for each.
pub(super) fn padding<'de, D: Deserializer<'de>, P: Deserialize<'de> + Copy, const N: usize>(
    d: D,
) -> std::result::Result<[[P; 2]; N], D::Error> {
    let error = || {
        D::Error::custom(format!(
            "one whole number, one for each of {}, or [before, after] for each is expected",
            axis_names::<N>()
        ))
    };
    match AnyPadding::deserialize(d).map_err(|_| error())? {
        AnyPadding::One(x) => Ok([[x; 2]; N]),
        AnyPadding::Each(x) => x.try_into().map(|x: [P; N]| x.map(|x| [x; 2])).map_err(|_| error()),
        AnyPadding::Pairs(x) => x.try_into().map_err(|_| error()),
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "one axis or a list of axes")]
enum OneOrMany {
    One(isize),
    Many(Vec<isize>),
}

/// Reads `1` as `[1]`.
pub(super) fn axis_list<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Vec<isize>, D::Error> {
    Ok(match OneOrMany::deserialize(d)? {
        OneOrMany::One(x) => vec![x],
        OneOrMany::Many(x) => x,
    })
}

/// Reads as [`axis_list`], or nothing.
pub(super) fn optional_axis_list<'de, D: Deserializer<'de>>(
    d: D,
) -> std::result::Result<Option<Vec<isize>>, D::Error> {
    Ok(Option::<OneOrMany>::deserialize(d)?.map(|x| match x {
        OneOrMany::One(x) => vec![x],
        OneOrMany::Many(x) => x,
    }))
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "one number or a list of them is expected")]
enum OneOrList<T> {
    One(T),
    List(Vec<T>),
}

/// Reads `2` as `[2]`, a list as it is, or nothing: for axes whose number depends on the input.
pub(super) fn optional_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> std::result::Result<Option<Vec<T>>, D::Error> {
    Ok(Option::<OneOrList<T>>::deserialize(d)?.map(|x| match x {
        OneOrList::One(x) => vec![x],
        OneOrList::List(x) => x,
    }))
}

/// Whether an operator moves elements of this type: floats and integers alike.
pub(super) fn any_element(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::I32)
}

/// Where the index for a place of a tensor stands: along the axis, if indices name rows, or else at the place itself.
pub(super) fn indexed_place(place: &[usize], indices: &[usize], axis: usize, rows: bool) -> usize {
    match rows {
        true => place[axis],
        false => place.iter().zip(indices).fold(0, |at, (p, length)| at * length + p),
    }
}

impl Graph {
    /// That indices name places along an axis of `x`, where they are constant: what they are is not known otherwise.
    pub(super) fn check_indices(&self, indices: Value, x: Value, dim: isize) -> Result<()> {
        let (Some(known), Ok(axis)) = (self.known(indices), axis(dim, self.shape(x).rank())) else {
            return Ok(());
        };
        let Ok(known) = known.i32s() else { return Ok(()) };
        let length = self.shape(x)[axis];
        match known.iter().find(|i| usize::try_from(**i).map_or(true, |i| i >= length)) {
            Some(i) => Err(Error::bad_input(format!("index {i}, dim {dim} has the length {length}"))),
            None => Ok(()),
        }
    }
}

/// That a number is positive and nothing that a device may take for zero.
pub(super) fn positive(what: &str, value: f32) -> Result<()> {
    if value.is_normal() && value > 0.0 {
        return Ok(());
    }
    Err(Error::bad_input(format!("{what} {value}: a positive number, {:e} or more", f32::MIN_POSITIVE)))
}

/// The axis that a `dim` names; negative ones count from the last.
pub(super) fn axis(dim: isize, rank: usize) -> Result<usize> {
    let axis = if dim < 0 { dim.checked_add_unsigned(rank) } else { Some(dim) };
    axis.and_then(|a| usize::try_from(a).ok())
        .filter(|a| *a < rank)
        .ok_or_else(|| Error::bad_input(format!("dim {dim} does not exist in a tensor of {rank} axes")))
}

/// The lengths before, of and after an axis: the shape seen as `[outer, length, inner]`.
pub(super) fn around(axis: usize, shape: &[usize]) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The axes that `dims` name, each at most once.
pub(super) fn axes(dims: &[isize], rank: usize) -> Result<Vec<usize>> {
    let axes: Vec<usize> = dims.iter().map(|&d| axis(d, rank)).collect::<Result<_>>()?;
    match axes.iter().enumerate().find(|(i, a)| axes[..*i].contains(a)) {
        Some((_, a)) => Err(Error::bad_input(format!("dim {dims:?} names axis {a} twice"))),
        None => Ok(axes),
    }
}

/// How many windows fit along an axis, or why none does.
pub(super) fn windows(
    axis: &str,
    length: usize,
    kernel: usize,
    stride: usize,
    padding: [usize; 2],
    dilation: usize,
) -> Result<usize> {
    /// Signed 32-bit coordinates must not overflow.
    const MOST: usize = 1 << 30;
    for (what, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
        if value == 0 || value > MOST {
            return Err(Error::bad_input(format!("{what} {value} along {axis}: 1 to {MOST} is possible")));
        }
    }
    let window = (kernel - 1).checked_mul(dilation).map(|w| w + 1).filter(|w| *w <= MOST);
    let padded =
        padding[0].checked_add(padding[1]).and_then(|p| p.checked_add(length)).filter(|p| *p <= MOST);
    let (Some(window), Some(padded)) = (window, padded) else {
        return Err(Error::bad_input(format!(
            "padding {padding:?}, kernel {kernel} and dilation {dilation} along {axis} are too large"
        )));
    };
    if padded < window {
        return Err(Error::bad_input(format!(
            "a window of {window} along {axis} does not fit {length} elements with padding {padding:?}"
        )));
    }
    Ok((padded - window) / stride + 1)
}
