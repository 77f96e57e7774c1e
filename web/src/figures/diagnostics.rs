//! The device as a table, and everything about a session as a text that can be pasted into a bug report.

use super::bytes::bytes;
use super::preflight;
use crate::words::{fixed, visible};
use engram_core::protocol::{DeviceChoice, DeviceReport, Failure, Loaded};
use engram_core::record::Precision;

/// The choices of a device, with what each means.
pub const WISHES: [(DeviceChoice, &str, &str); 3] = [
    (DeviceChoice::Auto, "Automatic", "a real GPU where there is one, otherwise the CPU"),
    (DeviceChoice::Gpu, "GPU", "a GPU, even one that is imitated in software"),
    (DeviceChoice::Cpu, "CPU", "the CPU, one thread of WebAssembly"),
];

/// A device in a few words, for the status line.
pub fn short(report: &DeviceReport) -> String {
    let kind = if report.info.kind == "gpu" { "GPU" } else { "CPU" };
    visible(&format!("{kind} {}", report.info.name)).trim().to_owned()
}

/// Names and values of the device table.
pub fn device(report: &DeviceReport) -> Vec<(&'static str, String)> {
    let info = &report.info;
    let yes = |has: bool| if has { "yes" } else { "no" }.to_owned();
    let mut lines = vec![
        ("device", short(report)),
        ("why this one", report.why.clone()),
        ("backend", info.backend.clone()),
        ("speed", format!("{} GFLOP/s, measured on matrix products", fixed(report.gflops, 1))),
        ("self-test", self_test(report)),
    ];
    if let Some(adapter) = &report.adapter {
        lines.extend([
            ("adapter", adapter.name.clone()),
            ("kind", adapter.kind.clone()),
            ("graphics API", adapter.backend.clone()),
            ("driver", adapter.driver.clone()),
            ("largest binding", bytes(adapter.max_binding_bytes)),
            ("largest buffer", bytes(adapter.max_buffer_bytes)),
            ("16-bit floats", yes(adapter.shader_f16)),
            ("subgroups", yes(adapter.subgroups)),
        ]);
    }
    lines.iter_mut().for_each(|(_, value)| *value = visible(value));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

/// What a session is, for [`text`].
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// Program and version.
    pub program: &'a str,
    /// The browser's own name for itself.
    pub browser: &'a str,
    /// The page is secure, and has `navigator.gpu`.
    pub secure_and_gpu: (bool, bool),
    /// Which device was asked for.
    pub wish: DeviceChoice,
    /// What matrices shall be held in.
    pub precision: Option<Precision>,
    /// The device.
    pub device: Option<&'a DeviceReport>,
    /// The model.
    pub model: Option<&'a Loaded>,
    /// What went wrong and was not dismissed.
    pub problems: &'a [Failure],
    /// What runs.
    pub running: &'a [String],
}

/// The session as text. It holds no prompts and no results.
pub fn text(session: &Session<'_>) -> String {
    let mut lines = vec![
        format!("program: {}", session.program),
        format!("browser: {}", session.browser),
        format!("secure context: {}", session.secure_and_gpu.0),
        format!("navigator.gpu: {}", session.secure_and_gpu.1),
    ];
    let wish = WISHES.iter().find(|one| one.0 == session.wish).map_or("", |one| one.1);
    lines.push(format!("device wanted: {wish}"));
    lines.push(format!("precision wanted: {}", session.precision.map_or("Automatic", Precision::name)));
    let mut part = |title: &str, pairs: Vec<(&'static str, String)>| {
        lines.push(format!("\n{title}"));
        lines.extend(pairs.into_iter().map(|(name, value)| format!("  {name}: {value}")));
    };
    match session.device {
        Some(report) => {
            let trouble = report.trouble.map(|trouble| ("trouble", format!("{trouble:?}")));
            part("device", device(report).into_iter().chain(trouble).collect());
        }
        None => part("device: not opened", vec![]),
    }
    match session.model {
        Some(model) => part("model", preflight::loaded(model)),
        None => part("model: none", vec![]),
    }
    part("running", session.running.iter().map(|what| ("job", visible(what))).collect());
    let problem = |failure: &Failure| ("problem", visible(&format!("{}: {}", failure.kind.name(), failure.message)));
    part("problems", session.problems.iter().map(problem).collect());
    lines.join("\n") + "\n"
}

fn self_test(report: &DeviceReport) -> String {
    match (report.info.kind.as_str(), report.self_test) {
        ("gpu", difference) if difference > 0.0 => format!("passed, largest difference to the CPU {difference:.1e}"),
        _ => "passed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::protocol::{Adapter, Trouble};
    use engram_core::record::DeviceInfo;

    fn report() -> DeviceReport {
        let info =
            DeviceInfo { kind: "cpu".into(), name: "flex".into(), backend: "flex".into(), ..DeviceInfo::default() };
        DeviceReport {
            info,
            why: "the browser has no WebGPU".into(),
            adapter: None,
            self_test: 0.0,
            trouble: Some(Trouble::NoWebGpu),
            gflops: 1.25,
        }
    }

    #[test]
    fn the_device_is_told() {
        let mut report = report();
        assert_eq!(short(&report), "CPU flex");
        assert_eq!(device(&report).len(), 5);
        report.adapter = Some(Adapter {
            name: "M2".into(),
            backend: "metal".into(),
            kind: "IntegratedGpu".into(),
            driver: String::new(),
            pci: String::new(),
            max_binding_bytes: 4_294_967_292,
            max_buffer_bytes: 4_294_967_296,
            shader_f16: true,
            subgroups: false,
        });
        let lines = device(&report);
        assert!(lines.contains(&("largest binding", "4.29 GB".into())));
        assert!(lines.iter().all(|line| line.0 != "driver"), "what is empty is left out");
    }

    #[test]
    fn a_session_fits_a_bug_report() {
        let report = report();
        let problems =
            [Failure { kind: engram_core::protocol::FailureKind::Io, message: "gone\nhere".into(), hint: None }];
        let text = text(&Session {
            program: "engram 0.1.0",
            browser: "Test/1",
            secure_and_gpu: (true, false),
            wish: DeviceChoice::Auto,
            precision: Some(Precision::F16),
            device: Some(&report),
            model: None,
            problems: &problems,
            running: &["loading x".into()],
        });
        for line in [
            "navigator.gpu: false",
            "precision wanted: f16",
            "  trouble: NoWebGpu",
            "  problem: io: gone⏎here",
            "model: none",
            "loading x",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
