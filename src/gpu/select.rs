//! Which device: parsing of a request, listing and choosing of adapters.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The environment variable read when no device is named.
pub const DEVICE_VARIABLE: &str = "KINETOGRAPH_DEVICE";

/// Which device to compute on.
///
/// As text (`--device`, `KINETOGRAPH_DEVICE`): `auto`, `cpu`, `reference`, `gpu`, `discrete`, `integrated`,
/// `software`, an adapter's number, or a part of its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DeviceRequest {
    /// A hardware adapter if there is one, else the CPU executor.
    #[default]
    Auto,
    /// The CPU executor.
    Cpu,
    /// The CPU executor with the naive references that everything is compared with.
    Reference,
    /// Any hardware adapter, or an error.
    Gpu,
    /// A discrete GPU.
    Discrete,
    /// An integrated GPU.
    Integrated,
    /// A software adapter such as Mesa's lavapipe or WARP.
    Software,
    /// The adapter with this number in [`adapters`].
    Index(usize),
    /// The first adapter whose name contains this text, in any case.
    Name(String),
}

impl DeviceRequest {
    /// The request of the environment variable `KINETOGRAPH_DEVICE`, or [`DeviceRequest::Auto`].
    pub fn from_env() -> Self {
        match std::env::var(DEVICE_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.parse().unwrap_or_default(),
            _ => DeviceRequest::Auto,
        }
    }
}

impl FromStr for DeviceRequest {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let text = text.trim();
        Ok(match text.to_ascii_lowercase().as_str() {
            "auto" | "" => DeviceRequest::Auto,
            "cpu" => DeviceRequest::Cpu,
            "reference" => DeviceRequest::Reference,
            "gpu" => DeviceRequest::Gpu,
            "discrete" => DeviceRequest::Discrete,
            "integrated" => DeviceRequest::Integrated,
            "software" => DeviceRequest::Software,
            _ => match text.parse() {
                Ok(index) => DeviceRequest::Index(index),
                Err(_) => DeviceRequest::Name(text.to_owned()),
            },
        })
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceRequest::Auto => f.write_str("auto"),
            DeviceRequest::Cpu => f.write_str("cpu"),
            DeviceRequest::Reference => f.write_str("reference"),
            DeviceRequest::Gpu => f.write_str("gpu"),
            DeviceRequest::Discrete => f.write_str("discrete"),
            DeviceRequest::Integrated => f.write_str("integrated"),
            DeviceRequest::Software => f.write_str("software"),
            DeviceRequest::Index(i) => write!(f, "{i}"),
            DeviceRequest::Name(n) => f.write_str(n),
        }
    }
}

/// Every adapter of this machine, in the order that [`DeviceRequest::Index`] counts.
///
/// wgpu's environment variables hold: `WGPU_BACKEND`, and `WGPU_VALIDATION=1` for the driver's validation layers,
/// whose messages go to [`log`].
///
/// `WGPU_BACKEND` restricts the back ends, as in wgpu.
pub fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // wgpu's default depends on the build profile.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    descriptor.backends = wgpu::Backends::from_env()
        .unwrap_or(wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12);
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.retain(|a| a.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS));
    adapters.sort_by_key(|a| rank(a.get_info().device_type));
    adapters
}

/// What to install when no adapter is found.
pub fn install_hint() -> &'static str {
    if cfg!(target_os = "linux") {
        "install your GPU's Vulkan driver (Debian/Ubuntu: `apt-get install mesa-vulkan-drivers` for AMD, Intel and \
         software Vulkan; NVIDIA: the proprietary driver), then run `kinetograph doctor`"
    } else if cfg!(target_os = "windows") {
        "install your GPU maker's driver (it brings Vulkan and DX12), then run `kinetograph doctor`"
    } else {
        "this system offers no Metal or Vulkan device; `kinetograph doctor` shows what was looked for"
    }
}

/// Best first. An adapter that calls itself a processor is software.
fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// The adapter that fits a request; `None` means the CPU executor.
///
/// `WGPU_ADAPTER_NAME` (a part of a name) narrows `auto`, `gpu`, `discrete`, `integrated` and `software`; with
/// it, `auto` takes a software adapter too.
///
/// # Errors
/// [`crate::ErrorKind::Device`] when nothing fits: the text lists what there is.
pub(crate) fn choose(request: &DeviceRequest) -> Result<Option<wgpu::Adapter>> {
    if matches!(request, DeviceRequest::Cpu | DeviceRequest::Reference) {
        return Ok(None);
    }
    let wanted = std::env::var("WGPU_ADAPTER_NAME").ok().filter(|n| !n.is_empty());
    let adapters = adapters();
    let list = adapters
        .iter()
        .enumerate()
        .map(|(i, a)| format!("{i}: {}", a.get_info().name))
        .collect::<Vec<_>>()
        .join(", ");
    let contains = |name: &str, part: &str| name.to_lowercase().contains(&part.to_lowercase());
    let fits = |i: usize, info: &wgpu::AdapterInfo| {
        use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu};
        let named = wanted.as_deref().is_none_or(|w| contains(&info.name, w));
        match request {
            DeviceRequest::Index(index) => i == *index,
            DeviceRequest::Name(part) => contains(&info.name, part),
            DeviceRequest::Auto => named && (info.device_type != Cpu || wanted.is_some()),
            DeviceRequest::Gpu => named && info.device_type != Cpu,
            DeviceRequest::Discrete => named && info.device_type == DiscreteGpu,
            DeviceRequest::Integrated => named && info.device_type == IntegratedGpu,
            DeviceRequest::Software => named && info.device_type == Cpu,
            DeviceRequest::Cpu | DeviceRequest::Reference => false,
        }
    };
    let found = adapters.into_iter().enumerate().find(|(i, a)| fits(*i, &a.get_info()));
    match (found, request) {
        (Some((_, adapter)), _) => Ok(Some(adapter)),
        (None, DeviceRequest::Auto) => Ok(None),
        (None, _) if list.is_empty() => Err(Error::device(format!(
            "device `{request}`: this machine shows no GPU adapter at all; {}, or use --device cpu",
            install_hint()
        ))),
        (None, _) => Err(Error::device(format!(
            "device `{request}`: no adapter fits; there are: {list}; or use --device cpu"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_parse_and_print_alike() {
        for text in ["auto", "cpu", "reference", "gpu", "discrete", "integrated", "software", "3", "llvmpipe"]
        {
            assert_eq!(text.parse::<DeviceRequest>().unwrap().to_string(), text);
        }
        assert_eq!("GPU".parse(), Ok(DeviceRequest::Gpu));
        assert_eq!("1".parse(), Ok(DeviceRequest::Index(1)));
    }
}
