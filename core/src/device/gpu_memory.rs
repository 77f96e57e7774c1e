//! How much memory a graphics adapter has, as its driver tells.

use serde::{Deserialize, Serialize};

/// Bytes of a graphics adapter's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuMemory {
    /// All of it.
    pub all: u64,
    /// What this program may have of it now, with what it has already; missing where the driver does not say.
    pub free: Option<u64>,
}

impl GpuMemory {
    /// What this program may have, as far as is known.
    pub fn usable(self) -> u64 {
        self.free.map_or(self.all, |free| free.min(self.all))
    }
}

/// What Vulkan says of the largest memory on the adapter itself. The GPU library reads it only where it compiles to SPIR-V.
#[cfg(target_os = "linux")]
pub(crate) fn ask(adapter: &burn::wgpu::wgpu::Adapter) -> Option<GpuMemory> {
    use ash::vk;
    use burn::wgpu::wgpu::hal;
    // SAFETY: the adapter is looked at and nothing of it is destroyed; what is read are plain numbers.
    #[allow(unsafe_code)]
    unsafe {
        let adapter = adapter.as_hal::<hal::api::Vulkan>()?;
        let (shared, device) = (adapter.shared_instance(), adapter.raw_physical_device());
        let instance = shared.raw_instance();
        // Drivers before Vulkan 1.1 cannot be asked for a budget, and an extension that is missing must not be asked for.
        let named = |extension: &vk::ExtensionProperties| {
            extension.extension_name_as_c_str().is_ok_and(|name| name == ash::ext::memory_budget::NAME)
        };
        let budgets = shared.instance_api_version() >= vk::API_VERSION_1_1
            && instance.enumerate_device_extension_properties(device).is_ok_and(|all| all.iter().any(named));
        let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
        let heaps = if budgets {
            let mut properties = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
            instance.get_physical_device_memory_properties2(device, &mut properties);
            properties.memory_properties
        } else {
            instance.get_physical_device_memory_properties(device)
        };
        let own = |at: &usize| heaps.memory_heaps[*at].flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL);
        let count = (heaps.memory_heap_count as usize).min(heaps.memory_heaps.len());
        let at = (0..count).filter(own).max_by_key(|&at| heaps.memory_heaps[at].size)?;
        Some(GpuMemory { all: heaps.memory_heaps[at].size, free: budgets.then(|| budget.heap_budget[at]) })
    }
}

/// Elsewhere the GPU library says what it knows.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask(_: &burn::wgpu::wgpu::Adapter) -> Option<GpuMemory> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_may_have_is_no_more_than_there_is() {
        assert_eq!(GpuMemory { all: 8, free: None }.usable(), 8);
        assert_eq!(GpuMemory { all: 8, free: Some(5) }.usable(), 5);
        assert_eq!(GpuMemory { all: 8, free: Some(9) }.usable(), 8);
    }
}
