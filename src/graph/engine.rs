//! Devices and plans, whatever the device is.

use std::fmt;
use std::ops::Index;
use std::str::FromStr;
use std::sync::Arc;

use super::cpu::{CpuPlan, Kernels};
use super::{ConvForm, Family, GpuPlan, Graph, Traits, Tuning};
use crate::error::{Error, Result};
use crate::gpu::{DeviceRequest, Gpu};
use crate::tensor::Tensor;

/// How float tensors are stored. Sums are always made in f32 or better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats: half the memory, results rounded to 11 bits after every node.
    F16,
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Precision::F32),
            "f16" => Ok(Precision::F16),
            _ => Err(Error::usage(format!("precision `{text}`: f32 or f16"))),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Precision::F32 { "f32" } else { "f16" })
    }
}

/// Called with a stage (`loading weights`, `compiling kernels`, `running`), how much of it is done, and how
/// much there is.
pub type Progress = Arc<dyn Fn(&'static str, usize, usize) + Send + Sync>;

/// How a plan is made. [`Default`] is right for most uses.
#[derive(Clone)]
pub struct PlanOptions {
    /// Storage of float tensors.
    pub precision: Precision,
    /// Move activations, sums and batch normalisations into the operators before them.
    pub fuse: bool,
    /// Bytes that the plan may take on the device, if less than the device's own limit.
    pub memory_limit: Option<u64>,
    /// Work (floating-point operations plus bytes) in one submission, if not the device's default.
    pub work_limit: Option<u64>,
    /// The kernels to use, if not those that suit the device.
    pub family: Option<Family>,
    /// Choices that were measured on the device, for the nodes that are in it; nothing where `family` is given.
    pub tuning: Option<Arc<Tuning>>,
    /// Told how far planning and running are.
    pub on_progress: Option<Progress>,
    /// Keep every node's outputs until the end of a run, for looking at them.
    pub keep_all: bool,
    /// Which of [`Traits::TILES`] shapes of tile all matrix products take, if not the estimated ones.
    pub tile: Option<u8>,
    /// The form that convolutions take where they can, if not the one that is estimated to be faster.
    pub form: Option<ConvForm>,
    /// Whether cooperative matrices (tensor cores) may be used, where the device has them and floats are stored as f16.
    pub matrices: bool,
    /// Whether invocations of a kernel may exchange values within subgroups, where the device can.
    pub subgroups: bool,
    /// For testing kernels: fill all memory that nodes write with NaN before each run.
    pub poison: bool,
    /// For testing kernels: this many workgroups along a dimension of a dispatch, if not as many as the device takes.
    pub widest: Option<u32>,
    /// For testing kernels: this many bytes, poisoned, after every tensor.
    pub guard: u64,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions {
            precision: Precision::F32,
            fuse: true,
            memory_limit: None,
            work_limit: None,
            family: None,
            tuning: None,
            on_progress: None,
            keep_all: false,
            tile: None,
            form: None,
            matrices: true,
            subgroups: true,
            poison: false,
            widest: None,
            guard: 0,
        }
    }
}

impl PlanOptions {
    /// The default options with another precision.
    pub fn with_precision(precision: Precision) -> Self {
        PlanOptions { precision, ..Default::default() }
    }

    pub(crate) fn progress(&self, stage: &'static str, done: usize, total: usize) {
        if let Some(f) = &self.on_progress {
            f(stage, done, total);
        }
    }

    pub(crate) fn traits(&self, gpu: &Gpu) -> Traits {
        self.chosen(Traits::of(gpu, self.precision))
    }

    /// Usual traits with what these options choose.
    pub(crate) fn chosen(&self, usual: Traits) -> Traits {
        Traits {
            family: self.family.unwrap_or(usual.family),
            tile: self.tile,
            form: self.form,
            matrices: usual.matrices.filter(|_| self.matrices),
            subgroups: usual.subgroups && self.subgroups,
            ..usual
        }
    }

    /// What the choice of kernels for each node may depend on.
    pub(crate) fn node_traits(&self, gpu: &Gpu, graph: &Graph) -> Vec<Traits> {
        let usual = self.traits(gpu);
        let tuning = self.tuning.as_deref().filter(|_| self.family.is_none());
        let of = |node| tuning.and_then(|t| t.choice(graph, node, usual)).unwrap_or(usual);
        graph.nodes.iter().map(of).collect()
    }
}

impl fmt::Debug for PlanOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanOptions")
            .field("precision", &self.precision)
            .field("fuse", &self.fuse)
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}

/// A device that runs graphs: a GPU, or this machine's processor. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Engine {
    device: Device,
    tuning: Option<Arc<Tuning>>,
}

#[derive(Debug, Clone)]
enum Device {
    Gpu(Gpu),
    Cpu(Kernels),
}

impl Engine {
    /// Opens the device that fits a request.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Device`] when nothing fits.
    pub fn open(request: &DeviceRequest) -> Result<Engine> {
        Ok(match Gpu::open(request)? {
            Some(gpu) => Engine::from_gpu(gpu),
            None if *request == DeviceRequest::Reference => Engine::reference(),
            None => Engine::cpu(),
        })
    }

    /// The CPU executor: same graphs, same answers, no driver.
    pub fn cpu() -> Engine {
        Engine { device: Device::Cpu(Kernels::Fast), tuning: None }
    }

    /// The CPU executor with the operators' references alone, naive loops with f64 sums: what all devices, and
    /// [`Engine::cpu`], are compared with. Slow.
    pub fn reference() -> Engine {
        Engine { device: Device::Cpu(Kernels::Reference), tuning: None }
    }

    /// An engine on a device that the host program already has.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Engine {
        Engine::from_gpu(Gpu::from_wgpu(device, queue))
    }

    /// An engine on an opened GPU.
    pub fn from_gpu(gpu: Gpu) -> Engine {
        Engine { device: Device::Gpu(gpu), tuning: None }
    }

    /// The same engine, whose plans use choices measured on its device, where their options name no others.
    #[must_use]
    pub fn tuned(self, tuning: Tuning) -> Engine {
        Engine { tuning: Some(Arc::new(tuning)), ..self }
    }

    /// The measured choices that plans use.
    pub fn tuning(&self) -> Option<&Tuning> {
        self.tuning.as_deref()
    }

    /// The GPU, unless this is the CPU executor.
    pub fn gpu(&self) -> Option<&Gpu> {
        match &self.device {
            Device::Gpu(gpu) => Some(gpu),
            Device::Cpu(_) => None,
        }
    }

    /// Whether this is [`Engine::reference`].
    pub fn is_reference(&self) -> bool {
        matches!(self.device, Device::Cpu(Kernels::Reference))
    }

    /// One line for people: the adapter, `cpu` or `reference`.
    pub fn describe(&self) -> String {
        let name = match &self.device {
            Device::Gpu(gpu) => return gpu.describe(),
            Device::Cpu(Kernels::Fast) => "cpu",
            Device::Cpu(Kernels::Reference) => "reference",
        };
        format!("{name} ({} threads)", rayon::current_num_threads())
    }

    /// Makes a graph ready to run.
    ///
    /// # Errors
    /// When the graph does not fit the device or its memory, or a weight has no values.
    pub fn plan(&self, graph: &Graph) -> Result<Plan> {
        self.plan_with(graph, &PlanOptions::default())
    }

    /// Makes a graph ready to run, with options.
    ///
    /// # Errors
    /// As [`Engine::plan`].
    pub fn plan_with(&self, graph: &Graph, options: &PlanOptions) -> Result<Plan> {
        match &self.device {
            Device::Gpu(gpu) if options.tuning.is_none() && self.tuning.is_some() => {
                let options = PlanOptions { tuning: self.tuning.clone(), ..options.clone() };
                Ok(Plan::Gpu(GpuPlan::new(gpu, graph, &options)?))
            }
            Device::Gpu(gpu) => Ok(Plan::Gpu(GpuPlan::new(gpu, graph, options)?)),
            Device::Cpu(kernels) => Ok(Plan::Cpu(CpuPlan::new(graph, *kernels, options)?)),
        }
    }
}

/// A graph ready to run on one device.
#[derive(Debug)]
#[expect(private_interfaces, reason = "the CPU plan is used through this type only")]
pub enum Plan {
    /// On a GPU; its own type gives access to buffers.
    Gpu(GpuPlan),
    /// On the processor.
    Cpu(CpuPlan),
}

impl Plan {
    /// Runs the graph on the inputs, each given by its name, and gives the outputs as f32 (or i32) tensors.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for missing, unknown or misshapen inputs; [`crate::ErrorKind::Device`]
    /// when the device is lost or hangs.
    pub fn run(&self, inputs: &[(&str, Tensor)]) -> Result<Outputs> {
        match self {
            Plan::Gpu(plan) => plan.run(inputs),
            Plan::Cpu(plan) => plan.run(inputs),
        }
    }

    /// Runs and gives how long each node took.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn profile(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Timing>> {
        match self {
            Plan::Gpu(plan) => plan.profile(inputs),
            Plan::Cpu(plan) => plan.profile(inputs),
        }
    }

    /// The plan as a GPU plan, for access to buffers and encoders.
    pub fn as_gpu(&self) -> Option<&GpuPlan> {
        match self {
            Plan::Gpu(plan) => Some(plan),
            Plan::Cpu(_) => None,
        }
    }

    pub(crate) fn run_all(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Vec<Tensor>)>> {
        match self {
            Plan::Gpu(plan) => plan.run_all(inputs),
            Plan::Cpu(plan) => plan.run_all(inputs),
        }
    }
}

/// How long a node took.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The node's name.
    pub node: String,
    /// Its operator.
    pub op: &'static str,
    /// Seconds.
    pub seconds: f64,
    /// Floating-point operations, see [`Graph::flops`].
    pub flops: u64,
    /// Bytes read and written in f32, see [`Graph::bytes`].
    pub bytes: u64,
}

/// The named outputs of a run, in the order in which the graph names them.
#[derive(Debug, Clone)]
pub struct Outputs(Vec<(String, Tensor)>);

impl Outputs {
    pub(crate) fn new(list: Vec<(String, Tensor)>) -> Self {
        Outputs(list)
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    /// Names and tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(n, t)| (n.as_str(), t))
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// # Panics
    /// When there is no output of this name, as for a map; see [`Outputs::get`].
    fn index(&self, name: &str) -> &Tensor {
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("no output `{name}`"),
        }
    }
}
