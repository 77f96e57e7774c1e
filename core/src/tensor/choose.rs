//! Which device computes: the one that is asked for, when it computes right.

use super::self_test::self_test;
use super::{LinearMap, Rows, kernels};
use crate::device::{Compute, DeviceChoice, GPU_NEEDS, GpuMemory, complaints, describe, gpu_memory, open_gpu, watch};
use crate::error::{Error, Result};
use crate::memory;
use crate::record::{DeviceInfo, Precision};
use burn::wgpu::WgpuSetup;
use burn::{DType, Device, Distribution, Tensor};

impl Compute {
    /// Chooses a device and tests it.
    pub async fn choose(choice: DeviceChoice) -> Result<Self> {
        if choice == DeviceChoice::Cpu {
            return Ok(Self::cpu("asked for"));
        }
        let software = "the only graphics adapter is a software one, which is slower than the CPU backend";
        // In a tab they are the browser's, in another process.
        if !cfg!(target_family = "wasm") && memory::free() < GPU_NEEDS {
            let (needs, free) = (GPU_NEEDS >> 20, memory::free() >> 20);
            let why = format!("looking for a GPU needs {needs} MiB of memory, and {free} MiB are free");
            return match choice {
                DeviceChoice::Auto => Ok(Self::cpu(&why)),
                _ => Err(Error::new(crate::Kind::Memory, format!("out of memory: {why}"))
                    .hint("close other programs, raise the limit of this process (`ulimit -v`), or use --device cpu")),
            };
        }
        let unusable = |error: Error| Self::cpu(&format!("no usable GPU: {}", error.message()));
        let chosen = match (choice, open_gpu(choice).await) {
            (DeviceChoice::Auto, Ok((_, setup))) if describe(&setup).kind == "Cpu" => Ok(Self::cpu(software)),
            (DeviceChoice::Auto, Err(error)) => Ok(unusable(error)),
            (DeviceChoice::Auto, Ok(opened)) => Ok(Self::gpu(opened).await.unwrap_or_else(unusable)),
            (_, opened) => Self::gpu(opened?).await,
        };
        // What was said of a device that is not taken is nothing to those that read from the CPU.
        if chosen.as_ref().is_ok_and(|chosen| chosen.device.is_none()) {
            complaints::forget();
        }
        chosen
    }

    async fn gpu((device, setup): (Device, WgpuSetup)) -> Result<Self> {
        let adapter = describe(&setup);
        // Mesa's compiler ends the process over some kernels in SPIR-V.
        if cfg!(feature = "vulkan") && adapter.kind == "Cpu" {
            return Err(Error::device(format!(
                "{} is a software adapter, and this build computes in SPIR-V",
                adapter.name
            ))
            .hint("use --device cpu, or a build without the feature `vulkan`"));
        }
        // What was said while adapters were looked for is about those that were not taken.
        complaints::forget();
        watch(&setup.device);
        let self_test = self_test(&device).await.map_err(|error| error.at(&adapter.name))?;
        // Its first use has put other listeners there.
        watch(&setup.device);
        Ok(Self {
            info: DeviceInfo {
                kind: "gpu".into(),
                name: adapter.name.clone(),
                backend: adapter.backend.clone(),
                precision: Precision::F32,
            },
            why: format!("self-test passed, largest difference to the CPU {self_test:.1e}"),
            free_bytes: adapter.max_buffer_bytes.min(2 << 30),
            memory: gpu_memory::ask(&setup.adapter)
                .or_else(|| kernels::memory(&device).map(|all| GpuMemory { all, free: None })),
            adapter: Some(adapter),
            device: Some(device),
            self_test,
        })
    }
}

/// TFLOP/s of a product of a matrix in a precision: `[rows, in]` with `[out, in]`, sizes `[rows, out, in]`.
///
/// # Errors
/// When the device fails.
pub async fn product_rate(device: &Device, precision: Precision, [m, n, k]: [usize; 3]) -> Result<f64> {
    let dtype = if precision == Precision::F16 { DType::F16 } else { DType::F32 };
    // More than a cache holds, as a model's matrices are.
    let w = Tensor::<2>::random([n, k], Distribution::Uniform(-0.1, 0.1), device).cast(dtype);
    let matrices: Vec<Tensor<2>> = (0..4).map(|_| w.clone() * 1.0).collect();
    let x = Rows::on_device(Tensor::random([m, k], Distribution::Uniform(-1.0, 1.0), device));
    let last = |y: Tensor<2>| Rows::on_device(y).gather(&[0]);
    for w in &matrices {
        last(x.times(w, None)).values().await?;
    }
    let start = web_time::Instant::now();
    let mut done = 0;
    while start.elapsed().as_millis() < 100 {
        let mut end = None;
        for w in &matrices {
            end = Some(x.times(w, None));
            done += 1;
        }
        last(end.expect("there are matrices")).values().await?;
    }
    Ok(2.0 * (done * m * n * k) as f64 / start.elapsed().as_secs_f64() / 1e12)
}

/// How many billion floating-point operations a device does in a second, in matrix products of a small model's size.
///
/// # Errors
/// When the device fails.
pub async fn gflops(compute: &Compute) -> Result<f64> {
    let device = compute.device.as_ref();
    let mut best = 0.0f64;
    for (rows, width) in [(64, 256), (128, 512), (256, 1024)] {
        // A product of that size may take as much again for sums that are shared.
        if 2 * 4 * (width * width) as u64 > compute.binding_bytes() && best > 0.0 {
            break;
        }
        let x = Rows::new(vec![0.01; rows * width], width, device);
        let w = LinearMap::from_out_in(&vec![1.0 / width as f32; width * width], [width, width], None, device);
        // The first product compiles kernels; reading waits for it.
        w.forward(&x).gather(&[0]).values().await?;
        let start = web_time::Instant::now();
        w.forward(&w.forward(&x)).gather(&[0]).values().await?;
        let seconds = start.elapsed().as_secs_f64().max(1e-6);
        best = best.max(4.0 * (rows * width * width) as f64 / seconds / 1e9);
        if seconds > 0.05 {
            break;
        }
    }
    Ok(best)
}
