//! What matrices are held in: what a person has chosen, what a device can, and what is in force.

use super::diagnostics;
use engram_core::protocol::{DeviceReport, Loaded};
use engram_core::record::Precision;

/// The choices, with what each means.
pub const CHOICES: [(Option<Precision>, &str, &str); 3] = [
    (None, "Automatic", "f32 where it fits, otherwise f16"),
    (Some(Precision::F32), "f32", "matrices in 32 bits"),
    (Some(Precision::F16), "f16", "matrices in 16 bits: half the memory, weights rounded to 11 bits"),
];

/// A choice as the page keeps it.
pub fn kept(choice: Option<Precision>) -> Option<&'static str> {
    choice.map(Precision::name)
}

/// The choice that a kept text means; automatic where it means none.
pub fn of_kept(text: Option<&str>) -> Option<Precision> {
    CHOICES.into_iter().find(|(choice, ..)| choice.is_some() && kept(*choice) == text).and_then(|(choice, ..)| choice)
}

/// What to ask of a device: a choice that it does not have is none.
pub fn asked(report: Option<&DeviceReport>, choice: Option<Precision>) -> Option<Precision> {
    let halves = report.is_some_and(|report| report.adapter.as_ref().is_some_and(|adapter| adapter.shader_f16));
    choice.filter(|precision| *precision != Precision::F16 || halves)
}

/// Why there is nothing to choose on a device, or f16 not; `None` where both can be had.
pub fn missing(report: &DeviceReport) -> Option<&'static str> {
    match &report.adapter {
        None => Some("The CPU computes in f32."),
        Some(adapter) if !adapter.shader_f16 => {
            Some("This graphics adapter has no 16-bit numbers (shader-f16): it computes in f32.")
        }
        Some(_) => None,
    }
}

/// The device in a few words, with the precision that the loaded model is held in where a device has more than one.
pub fn in_force(report: &DeviceReport, model: Option<&Loaded>) -> String {
    let device = diagnostics::short(report);
    match model {
        Some(model) if report.adapter.is_some() => format!("{device}, {}", model.precision.name()),
        _ => device,
    }
}

/// What the loaded model is held in, and why where nobody chose it.
pub fn told(model: &Loaded) -> String {
    match &model.precision_why {
        Some(why) => why.clone(),
        None => model.precision.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::protocol::{Adapter, ModelRef};
    use engram_core::record::{DeviceInfo, ModelInfo};

    fn report(halves: Option<bool>) -> DeviceReport {
        let adapter = halves.map(|shader_f16| Adapter {
            name: "M2".into(),
            backend: "webgpu".into(),
            kind: "IntegratedGpu".into(),
            driver: String::new(),
            pci: String::new(),
            max_binding_bytes: 1 << 30,
            max_buffer_bytes: 1 << 30,
            shader_f16,
            subgroups: false,
        });
        let kind = if adapter.is_some() { "gpu" } else { "cpu" };
        let info = DeviceInfo { kind: kind.into(), name: "M2".into(), ..DeviceInfo::default() };
        DeviceReport { info, why: String::new(), adapter, self_test: 0.0, trouble: None, gflops: 1.0 }
    }

    fn model(precision: Precision, why: Option<&str>) -> Loaded {
        Loaded {
            model: ModelRef::Bundled { name: "tiny".into() },
            info: ModelInfo::default(),
            precision,
            precision_why: why.map(str::to_owned),
            positions: 64,
            vocabulary: 2048,
            seconds: 0.3,
            heap: [0; 3],
            verified: None,
            understood: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_choice_is_kept_and_nonsense_is_none() {
        for (choice, ..) in CHOICES {
            assert_eq!(of_kept(kept(choice)), choice);
        }
        assert_eq!((of_kept(Some("f8")), of_kept(Some(""))), (None, None));
    }

    #[test]
    fn a_device_is_asked_only_for_what_it_has() {
        let half = Some(Precision::F16);
        assert_eq!(asked(Some(&report(Some(true))), half), half);
        for lacking in [None, Some(report(None)), Some(report(Some(false)))] {
            assert_eq!(asked(lacking.as_ref(), half), None);
            assert_eq!(asked(lacking.as_ref(), Some(Precision::F32)), Some(Precision::F32));
        }
        assert_eq!(missing(&report(Some(true))), None);
        assert!(missing(&report(Some(false))).is_some_and(|why| why.contains("shader-f16")));
        assert!(missing(&report(None)).is_some_and(|why| why.contains("CPU")));
    }

    #[test]
    fn what_is_in_force_is_said_where_there_is_a_choice() {
        let half =
            model(Precision::F16, Some("f16, since f32 needs 16.0 GiB and room for batches, and 12.0 GiB are free"));
        assert_eq!(in_force(&report(Some(true)), Some(&half)), "GPU M2, f16");
        assert_eq!(in_force(&report(Some(true)), None), "GPU M2");
        assert_eq!(in_force(&report(None), Some(&model(Precision::F32, None))), "CPU M2");
        assert_eq!(told(&half), "f16, since f32 needs 16.0 GiB and room for batches, and 12.0 GiB are free");
        assert_eq!(told(&model(Precision::F32, None)), "f32");
    }
}
