//! One of several GPUs: by number, or the one that a batch system has given to this process.
//!
//! GPUs are numbered by their PCI addresses, as `nvidia-smi` and Slurm's `gres.conf` number them; the order in which a graphics
//! library tells them is another one on some machines. Vulkan does not read `CUDA_VISIBLE_DEVICES`, so a task that Slurm
//! did not shut off from the other GPUs of its node has to choose its own.

use super::GpuPlace;
use crate::error::{Error, Result, Trouble};
use burn::DeviceKind;
use burn::wgpu::WgpuBackend;
use burn::wgpu::wgpu::{AdapterInfo, Backend, Backends, DeviceType, Instance, InstanceDescriptor};

/// The graphics library whose GPUs are numbered: elsewhere one GPU may be there once for each library.
pub(super) const API: (WgpuBackend, Backend) = if cfg!(target_os = "linux") {
    (WgpuBackend::Vulkan, Backend::Vulkan)
} else if cfg!(target_vendor = "apple") {
    (WgpuBackend::Metal, Backend::Metal)
} else {
    (WgpuBackend::Dx12, Backend::Dx12)
};

/// How burn names the wanted GPU.
pub(super) async fn find(place: GpuPlace) -> Result<DeviceKind> {
    let backends = Backends::from(API.1);
    let mut asked = InstanceDescriptor::new_without_display_handle();
    asked.backends = backends;
    let adapters = Instance::new(asked).enumerate_adapters(backends).await;
    let all: Vec<Seen> = seen(adapters.iter().map(|adapter| adapter.get_info()));
    pick(all, place, &|name| std::env::var(name).ok()).map(|one| one.kind)
}

/// A GPU.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    kind: DeviceKind,
    name: String,
    pci: String,
}

/// The GPUs of a machine in the order of their addresses; those in software where there are no others.
fn seen(adapters: impl Iterator<Item = AdapterInfo>) -> Vec<Seen> {
    let mut counts = [0; 4];
    let mut next = |at: usize| {
        counts[at] += 1;
        counts[at] - 1
    };
    let (mut real, mut software) = (Vec::new(), Vec::new());
    for info in adapters {
        let (list, kind) = match info.device_type {
            DeviceType::DiscreteGpu => (&mut real, DeviceKind::DiscreteGpu(next(0))),
            DeviceType::IntegratedGpu => (&mut real, DeviceKind::IntegratedGpu(next(1))),
            DeviceType::VirtualGpu => (&mut real, DeviceKind::VirtualGpu(next(2))),
            // Burn opens only the first of these.
            DeviceType::Cpu if next(3) == 0 => (&mut software, DeviceKind::Cpu),
            DeviceType::Cpu | DeviceType::Other => continue,
        };
        list.push(Seen { kind, name: info.name, pci: info.device_pci_bus_id });
    }
    let mut all = if real.is_empty() { software } else { real };
    all.sort_by(|one, other| one.pci.cmp(&other.pci));
    all
}

fn pick(mut all: Vec<Seen>, place: GpuPlace, environment: &dyn Fn(&str) -> Option<String>) -> Result<Seen> {
    let number = match place {
        GpuPlace::Number(number) => number,
        GpuPlace::Slot if all.len() < 2 => 0,
        GpuPlace::Slot => given(all.len(), environment).ok_or_else(|| {
            Error::device(format!(
                "gpu:slot: no batch system says which of these GPUs is this process's: {}",
                told(&all)
            ))
            .because(Trouble::NoAdapter)
            .hint("give its number, such as --device gpu:0")
        })?,
    };
    if number < all.len() {
        return Ok(all.swap_remove(number));
    }
    let (error, hint) = match all.is_empty() {
        true => (
            "no graphics adapter".to_owned(),
            "install a Vulkan driver (Linux: mesa-vulkan-drivers) or use --device cpu",
        ),
        false => {
            (format!("there is no GPU {number} here, only {}", told(&all)), "take one of these, such as --device gpu:0")
        }
    };
    Err(Error::device(error).because(Trouble::NoAdapter).hint(hint))
}

/// Which of so many visible GPUs a batch system has given to this process.
fn given(visible: usize, environment: &dyn Fn(&str) -> Option<String>) -> Option<usize> {
    let numbers = |name: &str| -> Option<Vec<usize>> {
        let text = environment(name)?;
        let all: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        all.filter(|all| !all.is_empty())
    };
    let local: Option<usize> = environment("SLURM_LOCALID").and_then(|id| id.parse().ok());
    // Numbers on the node, whatever the task is shown of it; the step's own before the whole job's.
    let list = ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"].into_iter().find_map(numbers);
    match (list, local) {
        // Those that are visible are those of the list: it names them by their numbers on the node.
        (Some(list), local) if list.len() == visible => Some(local.unwrap_or(0) % visible),
        (Some(list), None) => list.first().copied(),
        (Some(list), Some(local)) => Some(list[local % list.len()]),
        (None, local) => local,
    }
}

fn told(all: &[Seen]) -> String {
    let one = |(number, Seen { name, pci, .. }): (usize, &Seen)| match pci.is_empty() {
        true => format!("gpu:{number} ({name})"),
        false => format!("gpu:{number} ({name}, {pci})"),
    };
    all.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(device_type: DeviceType, pci: &str) -> AdapterInfo {
        let mut info = AdapterInfo::new(device_type, Backend::Vulkan);
        (info.name, info.device_pci_bus_id) = (format!("card {pci}"), pci.into());
        info
    }

    fn node(count: usize) -> Vec<Seen> {
        // As some drivers tell them: in no order.
        let pci = |number: usize| format!("0000:{:02x}:00.0", 0x10 * ((number + 1) % count + 1));
        let software = std::iter::once(info(DeviceType::Cpu, ""));
        seen(software.chain((0..count).map(|number| info(DeviceType::DiscreteGpu, &pci(number)))))
    }

    fn picked(count: usize, place: GpuPlace, environment: &[(&str, &str)]) -> std::result::Result<String, String> {
        let value = |name: &str| environment.iter().find(|one| one.0 == name).map(|one| one.1.to_owned());
        pick(node(count), place, &value).map(|one| one.pci).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_follow_the_addresses() {
        let all = node(3);
        let pci: Vec<&str> = all.iter().map(|one| one.pci.as_str()).collect();
        assert_eq!(pci, ["0000:10:00.0", "0000:20:00.0", "0000:30:00.0"]);
        // Burn counts as the library tells them.
        assert_eq!(all[0].kind, DeviceKind::DiscreteGpu(2));
        assert_eq!(picked(3, GpuPlace::Number(1), &[]).unwrap(), "0000:20:00.0");
        let error = picked(3, GpuPlace::Number(3), &[]).unwrap_err();
        assert!(error.contains("no GPU 3 here, only gpu:0 (card 0000:10:00.0, 0000:10:00.0)"), "{error}");
        // Where there is no other, software counts as one.
        assert_eq!(seen(std::iter::once(info(DeviceType::Cpu, ""))).len(), 1);
        assert!(pick(Vec::new(), GpuPlace::Slot, &|_| None).unwrap_err().to_string().contains("no graphics adapter"));
    }

    #[test]
    fn a_task_takes_the_gpu_that_it_was_given() {
        let slot = |count, environment: &[(&str, &str)]| picked(count, GpuPlace::Slot, environment);
        // It is shown its own alone.
        assert_eq!(slot(1, &[("SLURM_JOB_GPUS", "3"), ("SLURM_LOCALID", "0")]).unwrap(), "0000:10:00.0");
        // A task of an array on a node that shows all: every one of them is the first of its job.
        assert_eq!(slot(4, &[("SLURM_JOB_GPUS", "2"), ("SLURM_LOCALID", "0")]).unwrap(), "0000:30:00.0");
        // Four tasks of one job on a whole node.
        let all = ("SLURM_STEP_GPUS", "0,1,2,3");
        assert_eq!(slot(4, &[all, ("SLURM_LOCALID", "3")]).unwrap(), "0000:40:00.0");
        // Two of eight GPUs, and nothing shut off.
        let two = ("SLURM_JOB_GPUS", "1,3");
        assert_eq!(slot(4, &[two, ("SLURM_LOCALID", "1")]).unwrap(), "0000:40:00.0");
        // Two of a larger node, which are all that the job is shown.
        assert_eq!(slot(2, &[("SLURM_JOB_GPUS", "4,5"), ("SLURM_LOCALID", "1")]).unwrap(), "0000:20:00.0");
        // Nothing but CUDA's variable, as with other batch systems.
        assert_eq!(slot(4, &[("CUDA_VISIBLE_DEVICES", "2")]).unwrap(), "0000:30:00.0");
        assert_eq!(slot(4, &[("SLURM_LOCALID", "1")]).unwrap(), "0000:20:00.0");
        assert!(slot(4, &[("CUDA_VISIBLE_DEVICES", "GPU-1234")]).unwrap_err().contains("--device gpu:0"));
        assert!(slot(2, &[("SLURM_JOB_GPUS", "7")]).unwrap_err().contains("no GPU 7"));
    }
}
