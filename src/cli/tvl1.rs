//! The flags of TV-L1.

use clap::{Args, ValueEnum};
use kinetograph::flow::DualTvl1;
use kinetograph::ops::Tvl1;

#[derive(Clone, Copy, Default, ValueEnum)]
enum Preset {
    /// OpenCV's DualTVL1OpticalFlow
    #[default]
    Opencv,
    /// The program of Image Processing On Line (Sánchez, Meinhardt-Llopis and Facciolo 2013)
    Ipol,
    /// scikit-image's optical_flow_tvl1
    Skimage,
}

/// Numbers that are not given are those of the preset.
#[derive(Args, Clone)]
#[command(next_help_heading = "Options of TV-L1")]
pub(super) struct Tvl1Flags {
    /// Whose recipe and numbers to follow [default: opencv]
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// Levels of the pyramid at most [opencv: 5]
    #[arg(long)]
    scales: Option<usize>,
    /// Warps at each level [opencv: 5]
    #[arg(long)]
    warps: Option<usize>,
    /// How long a level's sides are against those of the level before [opencv: 0.8]
    #[arg(long)]
    scale_step: Option<f64>,
    /// Time step of the dual field [opencv: 0.25]
    #[arg(long)]
    tau: Option<f32>,
    /// Weight of the data against smoothness [opencv: 0.15]
    #[arg(long)]
    lambda: Option<f32>,
    /// Tightness of the coupling between the two [opencv: 0.3]
    #[arg(long)]
    theta: Option<f32>,
    /// Weight of a change of brightness, which is then estimated as well; 0 for none [opencv: 0]
    #[arg(long)]
    gamma: Option<f32>,
    /// Stop when the flow moves by this many pixels or less, root mean square; 0 for all iterations [opencv: 0.01]
    #[arg(long)]
    epsilon: Option<f32>,
    /// Iterations after each median [opencv: 30]
    #[arg(long)]
    inner_iterations: Option<usize>,
    /// How often a median and the inner iterations are made [opencv: 10]
    #[arg(long)]
    outer_iterations: Option<usize>,
    /// Side of the median's window: 5, 3 or 0 [opencv: 5]
    #[arg(long)]
    median_filtering: Option<usize>,
}

impl Tvl1Flags {
    pub(super) fn method(&self) -> DualTvl1 {
        let preset = match self.preset.unwrap_or_default() {
            Preset::Opencv => DualTvl1::default(),
            Preset::Ipol => DualTvl1::ipol(),
            Preset::Skimage => DualTvl1::skimage(),
        };
        let solver = preset.solver;
        DualTvl1 {
            solver: Tvl1 {
                tau: self.tau.unwrap_or(solver.tau),
                lambda: self.lambda.unwrap_or(solver.lambda),
                theta: self.theta.unwrap_or(solver.theta),
                gamma: self.gamma.unwrap_or(solver.gamma),
                epsilon: self.epsilon.unwrap_or(solver.epsilon),
                inner_iterations: self.inner_iterations.unwrap_or(solver.inner_iterations),
                outer_iterations: self.outer_iterations.unwrap_or(solver.outer_iterations),
                median_filtering: self.median_filtering.unwrap_or(solver.median_filtering),
                ..solver
            },
            scales: self.scales.unwrap_or(preset.scales),
            warps: self.warps.unwrap_or(preset.warps),
            scale_step: self.scale_step.unwrap_or(preset.scale_step),
            ..preset
        }
    }
}
