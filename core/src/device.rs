//! Which device computes, why, and whether it computes right.

mod complaints;

pub use complaints::{complain, complaint, hear};

use crate::error::{Error, Result};
use crate::memory;
use crate::model::{blocks::Linear, blocks::Weight, ops};
pub use crate::protocol::Adapter;
use crate::record::DeviceInfo;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};

/// What the page says where numbers are wrong.
pub(crate) const WRONG_NUMBERS: &str =
    "the weights are damaged, or the device computes wrong numbers: switch the device to CPU";

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// A real GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU, even a software one.
    Gpu,
    /// The CPU.
    Cpu,
}

/// A device that passed its self-test.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The device.
    pub device: Device,
    /// For records.
    pub info: DeviceInfo,
    /// Why it was chosen, one line for people.
    pub why: String,
    /// The adapter, when it is a GPU.
    pub adapter: Option<Adapter>,
    /// Largest difference of the self-test to the CPU; 0 on the CPU itself.
    pub self_test: f32,
    /// It is the CPU backend.
    pub cpu: bool,
    /// Bytes that activations may use.
    pub free_bytes: u64,
}

/// What graphics drivers take of the address space while they look for adapters; they end the process where they cannot
/// have it.
const GPU_NEEDS: u64 = 1 << 30;

/// Largest difference to the CPU that the self-test accepts.
pub const SELF_TEST_TOLERANCE: f32 = 1e-4;

impl Compute {
    /// The CPU.
    pub fn cpu(why: &str) -> Self {
        let count = threads();
        let name = format!("{count} thread{}", if count == 1 { "" } else { "s" });
        Self {
            device: Device::flex(),
            info: DeviceInfo { kind: "cpu".into(), name, backend: "flex".into() },
            why: why.into(),
            adapter: None,
            self_test: 0.0,
            cpu: true,
            free_bytes: memory::free() / 2,
        }
    }

    /// Chooses a device and tests it.
    pub async fn choose(choice: Choice) -> Result<Self> {
        if choice == Choice::Cpu {
            return Ok(Self::cpu("asked for"));
        }
        let software = "the only graphics adapter is a software one, which is slower than the CPU backend";
        // In a tab they are the browser's, in another process.
        if !cfg!(target_family = "wasm") && memory::free() < GPU_NEEDS {
            let (needs, free) = (GPU_NEEDS >> 20, memory::free() >> 20);
            let why = format!("looking for a GPU needs {needs} MiB of memory, and {free} MiB are free");
            return match choice {
                Choice::Auto => Ok(Self::cpu(&why)),
                _ => Err(Error::new(crate::Kind::Memory, format!("out of memory: {why}"))
                    .hint("close other programs, raise the limit of this process (`ulimit -v`), or use --device cpu")),
            };
        }
        let unusable = |error: Error| Self::cpu(&format!("no usable GPU: {}", error.message()));
        let chosen = match (choice, open_gpu().await) {
            (Choice::Auto, Ok((_, setup))) if describe(&setup).kind == "Cpu" => Ok(Self::cpu(software)),
            (Choice::Auto, Err(error)) => Ok(unusable(error)),
            (Choice::Auto, Ok(opened)) => Ok(Self::gpu(opened).await.unwrap_or_else(unusable)),
            (_, opened) => Self::gpu(opened?).await,
        };
        // What was said of a device that is not taken is nothing to those that read from the CPU.
        if chosen.as_ref().is_ok_and(|chosen| chosen.cpu) {
            complaints::forget();
        }
        chosen
    }

    async fn gpu((device, setup): (Device, WgpuSetup)) -> Result<Self> {
        let adapter = describe(&setup);
        // What was said while adapters were looked for is about those that were not taken.
        complaints::forget();
        complaints::listen(&setup.device);
        if let Some(hook) = LOST.get() {
            setup.device.set_device_lost_callback(|reason, text| {
                complaints::lost(&format!("{reason:?}: {text}"));
                hook(&format!("{reason:?}: {text}"));
            });
        }
        let self_test = self_test(&device).await.map_err(|error| error.at(&adapter.name))?;
        // Its first use may have put another listener there.
        complaints::listen(&setup.device);
        Ok(Self {
            info: DeviceInfo { kind: "gpu".into(), name: adapter.name.clone(), backend: adapter.backend.clone() },
            why: format!("self-test passed, largest difference to the CPU {self_test:.1e}"),
            free_bytes: adapter.max_buffer_bytes.min(2 << 30),
            adapter: Some(adapter),
            device,
            self_test,
            cpu: false,
        })
    }

    /// Largest buffer that can be bound; on the CPU there is no limit.
    pub fn binding_bytes(&self) -> u64 {
        self.adapter.as_ref().map_or(u64::MAX, |a| a.max_binding_bytes.min(a.max_buffer_bytes))
    }
}

static LOST: std::sync::OnceLock<fn(&str)> = std::sync::OnceLock::new();

/// What is done when a GPU is lost; only the first call counts, and only devices that are opened after it.
pub fn on_lost(hook: fn(&str)) {
    let _ = LOST.set(hook);
}

/// How many billion floating-point operations a device does in a second, in matrix products of a small model's size.
///
/// # Errors
/// When the device fails.
pub async fn gflops(device: &Device) -> Result<f64> {
    let mut best = 0.0f64;
    for (rows, width) in [(64, 256), (128, 512), (256, 1024)] {
        let x = Tensor::<2>::ones([rows, width], device) * 0.01;
        let w = Tensor::<2>::ones([width, width], device) * (1.0 / width as f32);
        // The first product compiles kernels; reading waits for it.
        read_one(x.clone().matmul(w.clone())).await?;
        let start = web_time::Instant::now();
        read_one(x.matmul(w.clone()).matmul(w)).await?;
        let seconds = start.elapsed().as_secs_f64().max(1e-6);
        best = best.max(4.0 * (rows * width * width) as f64 / seconds / 1e9);
        if seconds > 0.05 {
            break;
        }
    }
    Ok(best)
}

async fn read_one(x: Tensor<2>) -> Result<()> {
    let data = crate::run::heard(x.narrow(0, 0, 1).into_data_async()).await?;
    data.as_slice::<f32>().map(|_| ()).map_err(crate::run::device_error)
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
async fn open_gpu() -> Result<(Device, WgpuSetup)> {
    if let Some(found) = opened() {
        return Ok(found);
    }
    let mut reasons = Vec::new();
    // The default takes the best hardware adapter; a software one has to be asked for.
    for kind in [DeviceKind::DefaultDevice, DeviceKind::Cpu] {
        let options = Device::wgpu_options().device_kind(kind);
        // On Linux the alternative to Vulkan is OpenGL, whose drivers talk on stderr and lack what is needed.
        #[cfg(target_os = "linux")]
        let options = options.graphics_api(burn::tensor::wgpu::WgpuBackend::Vulkan);
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
            .hint("install a Vulkan driver (Linux: mesa-vulkan-drivers) or use --device cpu")
            .in_page("use a browser that has WebGPU, or switch the device to CPU")
    })
}

fn describe(setup: &WgpuSetup) -> Adapter {
    let info = setup.adapter.get_info();
    let limits = setup.device.limits();
    let features = setup.device.features();
    Adapter {
        name: info.name,
        backend: format!("{:?}", info.backend).to_lowercase(),
        kind: format!("{:?}", info.device_type),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        shader_f16: features.contains(wgpu::Features::SHADER_F16),
        subgroups: features.contains(wgpu::Features::SUBGROUP),
    }
}

/// Runs every kind of operation that a model needs on `device` and on the CPU: some software drivers compute nothing,
/// silently. Returns the largest difference.
pub async fn self_test(device: &Device) -> Result<f32> {
    let got = crate::run::heard(probe(device).into_data_async()).await?;
    let want = crate::run::heard(probe(&Device::flex()).into_data_async()).await?;
    let got = got.try_to_vec::<f32>().map_err(crate::run::device_error)?;
    let want = want.try_to_vec::<f32>().map_err(crate::run::device_error)?;
    let mut worst = 0.0f32;
    for (got, want) in got.iter().zip(&want) {
        let difference = (got - want).abs();
        if !difference.is_finite() || difference > SELF_TEST_TOLERANCE {
            return Err(Error::device(format!(
                "self-test failed: the device computes {got} where the CPU computes {want}"
            ))
            .hint("update the graphics driver, or use --device cpu")
            .in_page("update the browser or the graphics driver, or switch the device to CPU"));
        }
        worst = worst.max(difference);
    }
    Ok(worst)
}

/// Norms, a linear map, rotation, masked softmax attention, a gated activation, gathers and reductions.
fn probe(device: &Device) -> Tensor<2> {
    let noise = |rows: usize, columns: usize, seed: u32| {
        let mut state = seed;
        let values: Vec<f32> = (0..rows * columns)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
    };
    let (rows, width) = (21, 40);
    let x = noise(rows, width, 1);
    let weight: Tensor<1> = noise(1, width, 2).reshape([width]);
    let x = ops::rms_norm(x, &weight, 1e-6) + ops::layer_norm(noise(rows, width, 3), &weight, &weight, 1e-6);
    let linear = Linear { weight: Weight::OutIn(noise(width, width, 4)), bias: Some(weight) };
    let q = ops::rotate(linear.forward(x.clone()), &noise(rows, 4, 5), &noise(rows, 4, 6), 10);
    let scores = q.clone().matmul(x.clone().transpose());
    let mixed = burn::tensor::activation::softmax(scores, 1).matmul(x.clone());
    let index: Vec<i32> = (0..rows as i32).rev().collect();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [rows]), device);
    let y = ops::gated(ops::Gate::GeluTanh, mixed.clone().select(0, index), q.clone())
        + ops::gated(ops::Gate::Silu, q, mixed);
    let (max, _) = y.clone().max_dim_with_indices(1);
    Tensor::cat(vec![y.clone(), (y - max.clone()).exp().sum_dim(1), max], 1)
}

/// CPU threads.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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
        if let Err(error) = ThreadPoolBuilder::new().num_threads(count).build_global() {
            result = Err(Error::new(crate::Kind::Memory, format!("out of memory: no thread can be started: {error}"))
                .hint("close other programs, or raise the limits of this process (`ulimit -v`, `ulimit -u`)"));
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_not_trivial_and_agrees_with_itself() {
        let data = probe(&Device::flex()).into_data().try_to_vec::<f32>().expect("f32");
        assert!(data.iter().all(|x| x.is_finite()));
        let spread = data.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(spread > 0.5, "a device that returns zeros would pass");
        assert_eq!(pollster::block_on(self_test(&Device::flex())).expect("the CPU agrees with itself"), 0.0);
    }
}
