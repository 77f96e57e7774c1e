//! What `engram doctor` finds out about devices.

use super::load::choose;
use super::{Check, State};
use engram_core::device::{DeviceChoice, GpuMemory, threads};
use engram_core::memory;
use engram_core::tensor::self_test::TOLERANCE;

/// See [`super::check_devices`].
pub(super) fn run() -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name: &str, state, detail: String, hint: Option<&str>| {
        checks.push(Check { name: name.into(), state, detail, hint: hint.map(Into::into) });
    };
    let gpu = choose(DeviceChoice::Gpu);
    #[cfg(target_os = "linux")]
    if let Some(said) = super::loader::ready().said() {
        add("vulkan loader", State::Ok, said, None);
    }
    match gpu {
        Ok(gpu) => {
            if let Some(adapter) = &gpu.adapter {
                let software = adapter.kind == "Cpu";
                let (state, hint) = match software {
                    true => (
                        State::Warning,
                        Some("a software adapter: slower than the CPU backend; install the GPU's own driver"),
                    ),
                    false => (State::Ok, None),
                };
                let detail = format!("{} ({}, {}, {})", adapter.name, adapter.backend, adapter.kind, adapter.driver);
                add("adapter", state, detail, hint);
                let features = [("f16 shaders", adapter.shader_f16), ("subgroups", adapter.subgroups)];
                let features: Vec<String> =
                    features.iter().map(|(name, has)| format!("{name}: {}", if *has { "yes" } else { "no" })).collect();
                add("features", State::Ok, features.join(", "), None);
                let detail = format!(
                    "buffer {}, binding {} (larger vocabulary tables are split)",
                    memory::said(adapter.max_buffer_bytes),
                    memory::said(adapter.max_binding_bytes)
                );
                add("limits", State::Ok, detail, None);
                let detail = match gpu.memory_now() {
                    None => "the driver does not tell how much there is".into(),
                    Some(GpuMemory { all, free: None }) => {
                        format!("{}; the driver does not tell how much is free", memory::said(all))
                    }
                    Some(GpuMemory { all, free: Some(free) }) => {
                        format!("{}, {} free", memory::said(all), memory::said(free.min(all)))
                    }
                };
                add("gpu memory", State::Ok, detail, None);
            }
            let detail = format!("largest difference to the CPU {:.1e}, {TOLERANCE:.0e} allowed", gpu.self_test);
            add("self-test", State::Ok, detail, None);
        }
        Err(error) => {
            let hint = error.next_step().unwrap_or("use --device cpu").to_string();
            add("adapter", State::Warning, error.message().to_string(), Some(&hint));
            #[cfg(target_os = "linux")]
            if let Some((what, hint)) = super::vulkan::Surroundings::look().trouble() {
                add("vulkan", State::Warning, what, Some(&hint));
            }
        }
    }
    add("cpu", State::Ok, format!("{} threads, {} of memory free", threads(), memory::said(memory::free())), None);
    match choose(DeviceChoice::Auto) {
        Ok(chosen) => {
            add("chosen", State::Ok, format!("{}: {} ({})", chosen.info.kind, chosen.info.name, chosen.why), None);
        }
        Err(error) => add("chosen", State::Failed, error.message().to_string(), Some("use --device cpu")),
    }
    checks
}
