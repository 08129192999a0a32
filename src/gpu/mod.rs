//! The GPU: the only module that names wgpu.
//!
//! [`Gpu`] is a device with its queue. It compiles [`Kernel`] files into pipelines, makes buffers and moves
//! bytes. Every creation stands in error scopes, so that what wgpu would report to a panicking handler comes
//! back as an [`Error`] that names the thing.

mod check;
mod hash;
mod kept;
mod kernel;
mod params;
mod peak;
mod pipeline;
mod select;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};

pub use check::SelfCheck;
pub(crate) use hash::Hash;
pub use kernel::{Expanded, Kernel, LIB, Tunes};
pub use params::Params;
pub use peak::Peak;
pub(crate) use pipeline::PipelineKey;
pub use select::{DEVICE_VARIABLE, DeviceRequest, adapters, install_hint};

/// How long one submission may take before the device counts as hung.
const TIMEOUT: Duration = Duration::from_secs(300);

/// How long an error waits for what a device still does, to know whether the device was lost.
const SETTLING: Duration = Duration::from_secs(10);

/// The byte that fills poisoned memory: every f32 and f16 made of it is a NaN.
pub const POISON: u8 = 0xff;

/// A GPU device and its queue. Cloning shares them.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    features: wgpu::Features,
    memory_limit: u64,
    lost: Arc<Mutex<Option<String>>>,
    matrices: Option<Matrices>,
    pipelines: Mutex<HashMap<PipelineKey, Arc<wgpu::ComputePipeline>>>,
    kept: OnceLock<kept::Kept>,
}

/// Cooperative matrices (tensor cores) of a device: squares of f16 are multiplied and added up in f32 by all invocations of
/// a subgroup together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrices {
    /// Rows and columns: 8 or 16.
    pub size: u8,
    /// Invocations of a subgroup.
    pub subgroup: u8,
}

impl Matrices {
    /// Those that kernels can use, the larger ones if there are several: subgroups must always be of the same size.
    fn of(adapter: &wgpu::Adapter) -> Option<Matrices> {
        use wgpu::CooperativeScalarType::{F16, F32};
        if !adapter.features().contains(MATRIX_FEATURES) {
            return None;
        }
        let info = adapter.get_info();
        let subgroup =
            (info.subgroup_min_size == info.subgroup_max_size).then_some(info.subgroup_max_size)?;
        let properties = adapter.cooperative_matrix_properties();
        let square = |size| {
            move |p: &&wgpu::CooperativeMatrixProperties| {
                [p.m_size, p.n_size, p.k_size] == [size; 3] && (p.ab_type, p.cr_type) == (F16, F32)
            }
        };
        let size = [16, 8].into_iter().find(|size| properties.iter().any(|p| square(*size)(&p)))?;
        // Each of four subgroups stores a quarter of a matrix by vec4s.
        let stored = (size * size / 4).is_multiple_of(subgroup) && 4 * subgroup <= 256;
        stored.then_some(Matrices { size: size as u8, subgroup: subgroup as u8 })
    }
}

/// What kernels with cooperative matrices need.
const MATRIX_FEATURES: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SUBGROUP);

impl Gpu {
    /// Opens the adapter that fits a request; `None` means the CPU executor was asked for, or `auto` found no
    /// hardware.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Device`] when no adapter fits or the driver refuses.
    pub fn open(request: &DeviceRequest) -> Result<Option<Gpu>> {
        select::choose(request)?.map(|adapter| Gpu::from_adapter(&adapter)).transpose()
    }

    /// Opens an adapter with all its limits and the features that kernels can use.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Device`] when the driver refuses.
    pub fn from_adapter(adapter: &wgpu::Adapter) -> Result<Gpu> {
        let useful = wgpu::Features::SHADER_F16
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE
            | wgpu::Features::SUBGROUP;
        // Where the device's memory is the host's, what goes to a buffer need not wait in another one.
        let software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
        let useful = if software { useful | wgpu::Features::MAPPABLE_PRIMARY_BUFFERS } else { useful };
        let usual = wgpu::DeviceDescriptor {
            label: Some("kinetograph"),
            required_features: adapter.features() & useful,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let matrices = Matrices::of(adapter);
        let with_matrices = matrices.map(|_| wgpu::DeviceDescriptor {
            required_features: usual.required_features | MATRIX_FEATURES,
            experimental_features: experimental(),
            ..usual.clone()
        });
        let request =
            |descriptor: &wgpu::DeviceDescriptor<'_>| pollster::block_on(adapter.request_device(descriptor));
        // A driver that shows cooperative matrices and then refuses them can do everything else.
        let (opened, matrices) = match with_matrices.as_ref().map(request) {
            Some(Ok(opened)) => (Ok(opened), matrices),
            _ => (request(&usual), None),
        };
        let (device, queue) = opened.map_err(|e| {
            Error::device(format!("adapter `{}` gave no device: {e}", adapter.get_info().name))
        })?;
        device.on_uncaptured_error(Arc::new(|e| log::error!("GPU: {e}")));
        let gpu = Gpu::with_matrices(device, queue, matrices);
        let lost = gpu.0.lost.clone();
        gpu.0.device.set_device_lost_callback(move |reason, message| {
            *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{reason:?} {message}"));
        });
        Ok(gpu)
    }

    /// Uses a device that the host program already has. Its error handler and its device-lost callback are
    /// left as they are.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Gpu {
        Gpu::with_matrices(device, queue, None)
    }

    fn with_matrices(device: wgpu::Device, queue: wgpu::Queue, matrices: Option<Matrices>) -> Gpu {
        let info = device.adapter_info();
        Gpu(Arc::new(Inner {
            memory_limit: memory_limit(info.device_type),
            limits: device.limits(),
            features: device.features(),
            info,
            device,
            queue,
            lost: Arc::default(),
            matrices,
            pipelines: Mutex::default(),
            kept: OnceLock::new(),
        }))
    }

    /// The wgpu device.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The wgpu queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// The adapter's name, driver and kind.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    /// The device's limits.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    /// Whether tensors can be stored as f16.
    pub fn has_f16(&self) -> bool {
        self.0.features.contains(wgpu::Features::SHADER_F16)
    }

    /// The device's cooperative matrices, if kernels can use them; none on a device of the host program's.
    pub fn matrices(&self) -> Option<Matrices> {
        self.0.matrices
    }

    /// How many invocations a subgroup has at least, if kernels can exchange values within one.
    pub fn subgroup(&self) -> Option<u32> {
        let can = self.0.features.contains(wgpu::Features::SUBGROUP);
        can.then_some(self.0.info.subgroup_min_size)
    }

    /// Whether the device can time single dispatches.
    pub fn has_timestamps(&self) -> bool {
        self.0.features.contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Whether the adapter computes on the processor, as Mesa's lavapipe and WARP do.
    pub fn is_software(&self) -> bool {
        self.0.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Bytes that plans may take in all, as far as known: on a software adapter, what the system has free.
    pub fn memory_limit(&self) -> u64 {
        self.0.memory_limit
    }

    /// Runs `f` in error scopes and gives what they caught.
    pub(crate) fn scoped<T>(&self, what: impl fmt::Display, f: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        let device = &self.0.device;
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = f(device);
        let caught = [validation.pop(), internal.pop(), memory.pop()].map(pollster::block_on);
        let Some(error) = caught.into_iter().flatten().next() else { return Ok(value) };
        // A lost device says so at a poll only, when nothing is under way any more.
        let _ = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(SETTLING) });
        Err(match error {
            _ if self.lost().is_some() => self.lost_error().at(what),
            wgpu::Error::OutOfMemory { .. } => {
                Error::out_of_memory(format!("{what}: the device `{}` has no memory left", self.0.info.name))
            }
            e => Error::internal(format!("{what}: {e}")),
        })
    }

    fn lost(&self) -> Option<String> {
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lost_error(&self) -> Error {
        let reason = self.lost().unwrap_or_default();
        Error::device(format!(
            "the device `{}` was lost ({}); open it again, and if this repeats, use a smaller input or --device cpu",
            self.0.info.name,
            reason.trim()
        ))
    }

    /// A buffer of `size` bytes, rounded up to a multiple of 4.
    pub(crate) fn buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped: bool,
    ) -> Result<wgpu::Buffer> {
        let size = size.max(4).next_multiple_of(4);
        if size > self.0.limits.max_buffer_size {
            return Err(Error::out_of_memory(format!(
                "{label}: {size} bytes are needed in one buffer, the device `{}` allows {}; \
                 use a smaller input, --precision f16 or --device cpu",
                self.0.info.name, self.0.limits.max_buffer_size
            )));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: mapped };
        self.scoped(format_args!("buffer of {size} bytes for {label}"), |d| d.create_buffer(&descriptor))
    }

    /// Whether a buffer with something in it takes no second one on the way to the device.
    pub(crate) fn writes_in_place(&self) -> bool {
        self.is_software() && self.0.features.contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    /// A buffer that holds `bytes`.
    pub(crate) fn buffer_with(
        &self,
        label: &str,
        bytes: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let usage = if self.writes_in_place() { usage | wgpu::BufferUsages::MAP_WRITE } else { usage };
        let buffer = self.buffer(label, bytes.len() as u64, usage, true)?;
        let range = buffer.slice(..).get_mapped_range_mut();
        let mut range = range.map_err(|e| Error::internal(format!("{label}: {e}")))?;
        range.slice(..bytes.len()).copy_from_slice(bytes);
        drop(range);
        buffer.unmap();
        Ok(buffer)
    }

    /// Submits commands and returns their index.
    pub(crate) fn submit(
        &self,
        what: impl fmt::Display,
        commands: wgpu::CommandBuffer,
    ) -> Result<wgpu::SubmissionIndex> {
        self.scoped(what, |_| self.0.queue.submit([commands]))
    }

    /// Waits until a submission is done.
    pub(crate) fn wait(&self, what: impl fmt::Display, index: wgpu::SubmissionIndex) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(TIMEOUT) };
        let polled = self.0.device.poll(poll);
        if polled.is_err() {
            // A lost device says so at the next poll only.
            let _ = self.0.device.poll(wgpu::PollType::Poll);
        }
        if self.lost().is_some() {
            return Err(self.lost_error().at(what));
        }
        polled.map(|_| ()).map_err(|e| match e {
            wgpu::PollError::Timeout => Error::device(format!(
                "{what}: the device `{}` has not answered for {} s and counts as hung",
                self.0.info.name,
                TIMEOUT.as_secs()
            )),
            e => Error::internal(format!("{what}: {e}")),
        })
    }

    /// The bytes of ranges of buffers, each `(buffer, offset, length)`; offsets and buffers' sizes are
    /// multiples of 4.
    pub(crate) fn read(&self, what: &str, ranges: &[(&wgpu::Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        self.start_reading(what, ranges)?.finish(self, what)
    }

    /// Submits copies of these ranges, as they are after all that was submitted before.
    pub(crate) fn start_reading(&self, what: &str, ranges: &[(&wgpu::Buffer, u64, u64)]) -> Result<Reading> {
        let total = ranges.iter().map(|r| r.2.next_multiple_of(4)).sum();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer(what, total, usage, false)?;
        let commands = self.scoped(what, |d| {
            let mut encoder = d.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(what) });
            let mut at = 0;
            for (buffer, offset, len) in ranges {
                let padded = len.next_multiple_of(4);
                encoder.copy_buffer_to_buffer(buffer, *offset, &staging, at, padded);
                at += padded;
            }
            encoder.finish()
        })?;
        let index = self.submit(what, commands)?;
        let (sender, mapped) = std::sync::mpsc::channel();
        self.scoped(what, |_| {
            staging.slice(..).map_async(wgpu::MapMode::Read, move |r| {
                // The receiver is gone only when waiting has failed already.
                let _ = sender.send(r);
            });
        })?;
        Ok(Reading { staging, index, mapped, lengths: ranges.iter().map(|r| r.2).collect() })
    }

    /// One line for people: name, kind, back end and driver.
    pub fn describe(&self) -> String {
        describe(&self.0.info)
    }
}

/// Bytes on their way from the device.
pub(crate) struct Reading {
    staging: wgpu::Buffer,
    index: wgpu::SubmissionIndex,
    mapped: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    lengths: Vec<u64>,
}

impl Reading {
    /// Waits for them.
    pub(crate) fn finish(self, gpu: &Gpu, what: &str) -> Result<Vec<Vec<u8>>> {
        gpu.wait(what, self.index)?;
        // Another thread that waits on the same device may be the one that is told.
        match self.mapped.recv_timeout(TIMEOUT) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(Error::internal(format!("{what}: {e}"))),
            Err(_) => {
                return Err(Error::internal(format!("{what}: the device never answered the read-back")));
            }
        }
        let view = self.staging.slice(..).get_mapped_range();
        let view = view.map_err(|e| Error::internal(format!("{what}: {e}")))?;
        let mut at = 0;
        let take = |length: &u64| {
            let bytes = view[at..at + *length as usize].to_vec();
            at += length.next_multiple_of(4) as usize;
            bytes
        };
        Ok(self.lengths.iter().map(take).collect())
    }
}

/// What an adapter is: `discrete`, `integrated`, `virtual`, `software` or `other`.
pub fn kind(info: &wgpu::AdapterInfo) -> &'static str {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

/// Whether an adapter has 16-bit floats in shaders.
pub fn has_f16(adapter: &wgpu::Adapter) -> bool {
    adapter.features().contains(wgpu::Features::SHADER_F16)
}

/// One line for people about an adapter: name, kind, back end and driver.
pub fn describe(info: &wgpu::AdapterInfo) -> String {
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    let driver: Cow<'_, str> = match driver {
        ["", ""] => "driver not named".into(),
        [a, ""] | ["", a] => a.into(),
        [a, b] => format!("{a} {b}").into(),
    };
    format!("{} ({}, {}, {driver})", info.name, kind(info), info.backend)
}

/// wgpu's word that cooperative matrices may be used, which it still calls an experiment.
#[expect(unsafe_code, reason = "wgpu wants experimental features to be acknowledged")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: wgpu asks callers to know that bugs in an experimental feature may be undefined behaviour in the driver.
    // Cooperative matrices are used by our own kernels only, within the bounds of arrays in workgroup memory.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// What an adapter may take: of the system's memory, for one that lives in it; unlimited for others, which wgpu
/// cannot ask.
fn memory_limit(kind: wgpu::DeviceType) -> u64 {
    if kind == wgpu::DeviceType::Cpu { system_memory() } else { u64::MAX }
}

/// Three quarters of the memory that the system has free, where it says so.
pub(crate) fn system_memory() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?.trim();
        line.trim_end_matches("kB").trim().parse::<u64>().ok()
    });
    available.map_or(u64::MAX, |kib| kib / 4 * 3 * 1024)
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({})", self.describe())
    }
}
