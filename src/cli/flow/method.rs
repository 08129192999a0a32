//! The methods and their flags.

use clap::{Args, ValueEnum};
use kinetograph::flow::{Difference, Farneback, Method};
use kinetograph::{Error, Result};

use crate::cli::tvl1::Tvl1Flags;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Methods {
    /// Optical flow by TV-L1, after OpenCV's DualTVL1OpticalFlow
    Tvl1,
    /// Optical flow by polynomials, after OpenCV's calcOpticalFlowFarneback: faster and coarser
    Farneback,
    /// No flow, but the difference of brightness, second minus first: one number a pixel, written as .npy [H, W, 1], and
    /// as a grey picture of its magnitude
    Difference,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Options of --method farneback")]
pub(super) struct FarnebackFlags {
    /// How long a level's sides are against those of the level before
    #[arg(long, default_value_t = 0.5)]
    pyr_scale: f64,
    /// Coarser levels at most, beside the frames themselves
    #[arg(long, default_value_t = 3)]
    levels: usize,
    /// Side of the window in which motion is taken to be one
    #[arg(long, default_value_t = 15)]
    winsize: usize,
    /// How often the flow is found anew at each level
    #[arg(long, default_value_t = 3)]
    iterations: usize,
    /// Pixels on either side that a polynomial is laid through
    #[arg(long, default_value_t = 5)]
    poly_n: usize,
    /// Deviation of their weights; 0 for 0.3 times --poly-n
    #[arg(long, default_value_t = 1.2)]
    poly_sigma: f64,
    /// Weight the window as a Gaussian
    #[arg(long)]
    gaussian: bool,
}

impl FarnebackFlags {
    fn method(&self) -> Farneback {
        Farneback {
            pyr_scale: self.pyr_scale,
            levels: self.levels,
            winsize: self.winsize,
            iterations: self.iterations,
            poly_n: self.poly_n,
            poly_sigma: self.poly_sigma,
            gaussian: self.gaussian,
        }
    }
}

#[derive(Args, Clone)]
pub(super) struct MethodFlags {
    /// How to look for motion
    #[arg(long, value_enum, default_value_t = Methods::Tvl1)]
    pub(super) method: Methods,
    // There when any of their flags is given.
    #[command(flatten)]
    tvl1: Option<Tvl1Flags>,
    #[command(flatten)]
    farneback: Option<FarnebackFlags>,
    /// The magnitude of the difference alone
    #[arg(long, help_heading = "Options of --method difference")]
    absolute: bool,
}

impl MethodFlags {
    /// The method with its settings.
    ///
    /// # Errors
    /// [`kinetograph::ErrorKind::Usage`] when there are settings of another.
    pub(super) fn read(&self) -> Result<Method> {
        for (of, name, given) in [
            (Methods::Tvl1, "tvl1", self.tvl1.is_some()),
            (Methods::Farneback, "farneback", self.farneback.is_some()),
            (Methods::Difference, "difference", self.absolute),
        ] {
            if given && of != self.method {
                return Err(Error::usage(format!(
                    "there are options of --method {name}, which is not the one chosen"
                )));
            }
        }
        Ok(match self.method {
            Methods::Tvl1 => self.tvl1.as_ref().map(Tvl1Flags::method).unwrap_or_default().into(),
            Methods::Farneback => {
                self.farneback.as_ref().map(FarnebackFlags::method).unwrap_or_default().into()
            }
            Methods::Difference if self.absolute => Difference::Absolute.into(),
            Methods::Difference => Difference::Signed.into(),
        })
    }
}
