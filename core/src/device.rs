//! Which device computes, why, and whether it computes right.

pub(crate) mod complaints;
pub(crate) mod gpu_memory;
#[cfg(not(target_family = "wasm"))]
mod several;

pub use complaints::{complain, complaint, hear};
pub use gpu_memory::GpuMemory;

use crate::error::{Error, Result, Trouble};
use crate::memory;
pub use crate::protocol::{Adapter, DeviceChoice, GpuPlace};
use crate::record::{DeviceInfo, Precision};
use burn::wgpu::{WgpuSetup, wgpu};
use burn::{Device, DeviceKind};

/// What the page says where numbers are wrong.
pub(crate) const WRONG_NUMBERS: &str =
    "the weights are damaged, or the device computes wrong numbers: switch the device to CPU";

/// A device that passed its self-test.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The device; the host where there is none.
    pub device: Option<Device>,
    /// For records.
    pub info: DeviceInfo,
    /// Why it was chosen, one line for people.
    pub why: String,
    /// The adapter, when it is a GPU.
    pub adapter: Option<Adapter>,
    /// Largest difference of the self-test to the CPU; 0 on the CPU itself.
    pub self_test: f32,
    /// Bytes that activations may use.
    pub free_bytes: u64,
    /// Its memory when it was opened, where its driver tells.
    pub memory: Option<GpuMemory>,
}

/// What graphics drivers take of the address space while they look for adapters; they end the process where they cannot
/// have it.
pub(crate) const GPU_NEEDS: u64 = 1 << 30;

impl Compute {
    /// The CPU.
    pub fn cpu(why: &str) -> Self {
        let count = threads();
        let name = format!("{count} thread{}", if count == 1 { "" } else { "s" });
        let backend = if cfg!(target_family = "wasm") { "wasm" } else { "native" };
        Self {
            device: None,
            info: DeviceInfo { kind: "cpu".into(), name, backend: backend.into(), precision: Precision::F32 },
            why: why.into(),
            adapter: None,
            self_test: 0.0,
            free_bytes: memory::free() / 2,
            memory: None,
        }
    }

    /// The same, with a model's matrices held in a precision.
    ///
    /// # Errors
    /// Where the device has no numbers of this kind.
    pub fn holding(mut self, precision: Precision) -> Result<Self> {
        if precision == Precision::F16 && !self.has_halves() {
            let what = if self.is_cpu() { "the CPU backend computes" } else { "this graphics adapter computes" };
            return Err(Error::device(format!("{what} in f32 only"))
                .hint("leave --precision out, or take a GPU that has 16-bit numbers (`engram doctor`)")
                .in_page("choose the precision f32, or a GPU that has 16-bit numbers"));
        }
        self.info.precision = precision;
        Ok(self)
    }

    /// It can hold matrices in 16 bits.
    pub fn has_halves(&self) -> bool {
        self.adapter.as_ref().is_some_and(|adapter| adapter.shader_f16)
    }

    /// Its memory as the driver tells it now, or told it when the device was opened.
    pub fn memory_now(&self) -> Option<GpuMemory> {
        self.device.as_ref().and(opened()).and_then(|(_, setup)| gpu_memory::ask(&setup.adapter)).or(self.memory)
    }

    /// It is the CPU.
    pub fn is_cpu(&self) -> bool {
        self.device.is_none()
    }

    /// Largest buffer that can be bound; on the CPU there is no limit.
    pub fn binding_bytes(&self) -> u64 {
        self.adapter.as_ref().map_or(u64::MAX, |a| a.max_binding_bytes.min(a.max_buffer_bytes))
    }
}

/// Hears what goes wrong with a device, and that it is lost.
pub(crate) fn watch(device: &wgpu::Device) {
    complaints::listen(device);
    device.set_device_lost_callback(|reason, text| {
        let said = format!("{reason:?}: {text}");
        complaints::lost(&said);
        if let Some(hook) = LOST.get() {
            hook(&said);
        }
    });
}

static LOST: std::sync::OnceLock<fn(&str)> = std::sync::OnceLock::new();

/// What is done when a GPU is lost; only the first call counts, and only devices that are opened after it.
pub fn on_lost(hook: fn(&str)) {
    let _ = LOST.set(hook);
}

/// What the graphics library says when it is asked after a failure: not before, and not before its work is through, does it
/// tell that its device is lost.
fn asked() -> Result<()> {
    let Some(device) = graphics() else { return complaint() };
    for _ in 0..100 {
        let _ = device.poll(wgpu::PollType::Poll);
        complaint()?;
        if cfg!(target_family = "wasm") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

/// A device's failure as this crate's error, or what its library complains of; allocation failures are [`crate::Kind::Memory`].
pub(crate) fn device_error(error: impl std::fmt::Debug) -> Error {
    if let Err(complaint) = asked() {
        return complaint;
    }
    let text = format!("{error:?}");
    let lower = text.to_lowercase();
    let memory = ["out of memory", "outofmemory", "alloc", "toobig", "too big", "too large"];
    if memory.iter().any(|word| lower.contains(word)) {
        return Error::new(crate::Kind::Memory, format!("the device is out of memory: {text}"))
            .hint("close other programs, use --device cpu, or take a smaller model")
            .in_page("close other tabs, switch the device to CPU, or take a smaller model");
    }
    Error::device(format!("the device failed: {text}"))
        .hint("run `engram doctor`; `--device cpu` works without a GPU")
        .in_page("switch the device to CPU")
}

/// What was read from a device, unless its graphics library complained by then: the numbers are then worth nothing,
/// though reading them succeeds.
pub(crate) async fn heard<T, E: std::fmt::Debug>(reading: impl Future<Output = Result<T, E>>) -> Result<T> {
    let read = reading.await;
    complaint()?;
    read.map_err(device_error)
}

static OPENED: std::sync::Mutex<Option<(Device, WgpuSetup)>> = std::sync::Mutex::new(None);

/// The graphics library's own device, once one is open.
pub fn graphics() -> Option<wgpu::Device> {
    opened().map(|(_, setup)| setup.device)
}

fn opened() -> Option<(Device, WgpuSetup)> {
    OPENED.lock().ok().and_then(|slot| slot.clone())
}

/// The GPU device, opened once a process: burn refuses to open one twice.
pub(crate) async fn open_gpu(choice: DeviceChoice) -> Result<(Device, WgpuSetup)> {
    if let Some(found) = opened() {
        return Ok(found);
    }
    let mut reasons = Vec::new();
    let kinds = match choice {
        DeviceChoice::GpuAt(place) => vec![among(place).await?],
        // The default takes the best hardware adapter; a software one has to be asked for.
        _ => vec![DeviceKind::DefaultDevice, DeviceKind::Cpu],
    };
    for kind in kinds {
        let options = Device::wgpu_options().device_kind(kind);
        // On Linux the alternative to Vulkan is OpenGL, whose drivers talk on stderr and lack what is needed.
        #[cfg(target_os = "linux")]
        let options = options.graphics_api(burn::wgpu::WgpuBackend::Vulkan);
        #[cfg(not(any(target_os = "linux", target_family = "wasm")))]
        let options = match choice {
            DeviceChoice::GpuAt(_) => options.graphics_api(several::API.0),
            _ => options,
        };
        match options.init_with_setup_async().await {
            Ok(found) => {
                if let Ok(mut slot) = OPENED.lock() {
                    *slot = Some(found.clone());
                }
                return Ok(found);
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    // Another thread may have been first.
    opened().ok_or_else(|| {
        Error::device(format!("no graphics adapter: {}", reasons.join("; ")))
            .because(Trouble::NoAdapter)
            .hint("install a Vulkan driver (Linux: mesa-vulkan-drivers) or use --device cpu")
            .in_page("use a browser that has WebGPU, or switch the device to CPU")
    })
}

#[cfg(not(target_family = "wasm"))]
async fn among(place: GpuPlace) -> Result<DeviceKind> {
    several::find(place).await
}

#[cfg(target_family = "wasm")]
async fn among(_: GpuPlace) -> Result<DeviceKind> {
    Err(Error::device("a browser does not tell GPUs apart"))
}

pub(crate) fn describe(setup: &WgpuSetup) -> Adapter {
    let info = setup.adapter.get_info();
    let limits = setup.device.limits();
    let features = setup.device.features();
    Adapter {
        name: info.name,
        backend: format!("{:?}", info.backend).to_lowercase(),
        kind: format!("{:?}", info.device_type),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        pci: info.device_pci_bus_id,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        shader_f16: features.contains(wgpu::Features::SHADER_F16),
        subgroups: features.contains(wgpu::Features::SUBGROUP),
    }
}

/// CPU threads: as many as `RAYON_NUM_THREADS` says, else as many as this process has processors.
pub fn threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|count| count.parse().ok());
    let asked = asked.filter(|count| (1..=4096).contains(count));
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Starts the threads that the CPU backend computes with, all of them or as many as can be: its own attempt would end
/// the process where one cannot.
///
/// # Errors
/// When not even one starts.
#[cfg(not(target_family = "wasm"))]
pub fn start_threads() -> Result<()> {
    use rayon::ThreadPoolBuilder;
    static STARTED: std::sync::Once = std::sync::Once::new();
    let mut result = Ok(());
    STARTED.call_once(|| {
        let mut count = threads();
        // The pool of the whole process can be tried only once, so one to throw away goes first.
        while memory::limited() && count > 1 && ThreadPoolBuilder::new().num_threads(count).build().is_err() {
            count /= 2;
        }
        let built = ThreadPoolBuilder::new().num_threads(count).build_global();
        // Without a cause it says that somebody has started them before: a tokenizer in training does.
        if let Some(error) = built.err().filter(|error| std::error::Error::source(error).is_some()) {
            result = Err(Error::new(crate::Kind::Memory, format!("out of memory: no thread can be started: {error}"))
                .hint("close other programs, or raise the limits of this process (`ulimit -v`, `ulimit -u`)"));
        }
    });
    result
}
