//! Attributes given as JSON, with the names and meanings of `torch.nn.functional`.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use crate::error::{Error, Result};

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
            Error::bad_input(format!("{place}: {}", e.inner()))
        })
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
enum AnyPadding {
    One(usize),
    Each(Vec<usize>),
    Pairs(Vec<[usize; 2]>),
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
    let error =
        || D::Error::custom(format!("one number or one for each of {} is expected", axis_names::<N>()));
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
pub(super) fn padding<'de, D: Deserializer<'de>, const N: usize>(
    d: D,
) -> std::result::Result<[[usize; 2]; N], D::Error> {
    let error = || {
        D::Error::custom(format!(
            "one number, one for each of {}, or [before, after] for each is expected",
            axis_names::<N>()
        ))
    };
    match AnyPadding::deserialize(d).map_err(|_| error())? {
        AnyPadding::One(x) => Ok([[x; 2]; N]),
        AnyPadding::Each(x) => x.try_into().map(|x: [usize; N]| x.map(|x| [x; 2])).map_err(|_| error()),
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
