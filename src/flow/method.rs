//! The methods, behind one interface.

use super::{DualTvl1, Farneback, frames};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Unary};

/// How motion between two frames is found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// TV-L1, after OpenCV.
    DualTvl1(DualTvl1),
    /// Farnebäck's, after OpenCV.
    Farneback(Farneback),
    /// The plain difference of brightness, which is no flow.
    Difference(Difference),
}

impl Default for Method {
    fn default() -> Self {
        Method::DualTvl1(DualTvl1::default())
    }
}

impl From<DualTvl1> for Method {
    fn from(method: DualTvl1) -> Method {
        Method::DualTvl1(method)
    }
}

impl From<Farneback> for Method {
    fn from(method: Farneback) -> Method {
        Method::Farneback(method)
    }
}

impl From<Difference> for Method {
    fn from(method: Difference) -> Method {
        Method::Difference(method)
    }
}

impl Method {
    /// Adds what moves from the frames `first` to the frames `second`, both `[N, H, W, 1]` from 0 to 255: a flow
    /// `[N, H, W, 2]` in pixels along x and y, or the [`Difference`] `[N, H, W, 1]`. `initial`, a flow `[N, H, W, 2]`,
    /// is where to begin; nothing moves if it is not given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when shapes or parameters do not fit, or a difference is to begin with a flow.
    pub fn add(&self, g: &mut Graph, first: Value, second: Value, initial: Option<Value>) -> Result<Value> {
        match self {
            Method::DualTvl1(method) => method.add(g, first, second, initial),
            Method::Farneback(method) => method.add(g, first, second, initial),
            Method::Difference(_) if initial.is_some() => {
                Err(Error::bad_input("a difference of frames begins with no flow"))
            }
            Method::Difference(method) => method.add(g, first, second),
        }
    }

    /// How many numbers a pixel of the result has: 2 for a flow, 1 for a difference.
    pub fn channels(&self) -> usize {
        match self {
            Method::DualTvl1(_) | Method::Farneback(_) => 2,
            Method::Difference(_) => 1,
        }
    }
}

/// The plain difference of brightness of two frames, as motion was looked for before optical flow: it says where
/// something changes and not where to, so it is no flow and has one number a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Difference {
    /// `second − first`.
    #[default]
    Signed,
    /// `|second − first|`, as OpenCV's `absdiff`.
    Absolute,
}

impl Difference {
    /// Adds the difference of frames `[N, H, W, 1]`, of the same shape and in the same unit.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit.
    pub fn add(&self, g: &mut Graph, first: Value, second: Value) -> Result<Value> {
        frames(g, first, second, None)?;
        let difference = g.binary(second, first, Binary::Sub)?;
        match self {
            Difference::Signed => Ok(difference),
            Difference::Absolute => g.unary(difference, Unary::Abs),
        }
    }
}
