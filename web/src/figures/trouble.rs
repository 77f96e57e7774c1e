//! Why there is no GPU, what to do about it, and how slow the CPU will be instead.

use super::bundled;
use super::bytes::duration;
use crate::words::fixed;
use engram_core::protocol::{DeviceReport, Failure, FailureKind, Trouble};

/// What is wrong and what helps.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The cause, in a few words.
    pub title: &'static str,
    /// What it means.
    pub explanation: String,
    /// What to do, the most likely help first.
    pub steps: Vec<Step>,
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// In words.
    pub text: &'static str,
    /// A text to copy: an address that a page may not open by itself, or a command.
    pub copy: Option<&'static str>,
}

const fn step(text: &'static str) -> Step {
    Step { text, copy: None }
}

const fn copy(text: &'static str, what: &'static str) -> Step {
    Step { text, copy: Some(what) }
}

const VERSIONS: Step = step(
    "Use Chrome or Edge 113 or newer on Windows, macOS or ChromeOS, Chrome 121 or newer on Android 12 or newer, \
     Safari 26, or Firefox 141 or newer on Windows.",
);
const LINUX: Step = copy(
    "In Chrome or Edge on Linux, WebGPU mostly waits behind a flag. Open this address, choose Enabled, and start the \
     browser again.",
    "chrome://flags/#enable-unsafe-webgpu",
);
const ACCELERATION: Step = copy(
    "Check in the browser's settings, under System, that graphics acceleration is on.",
    "chrome://settings/system",
);
const STATUS: Step = copy(
    "See what the browser itself says about WebGPU; the reasons are listed under Problems Detected.",
    "chrome://gpu",
);
const DRIVER: Step = step("Update the graphics driver and the browser, then reload this page.");
const NATIVE: Step = copy(
    "The native program uses the same GPU without a browser in between, and writes records that this page opens.",
    "engram doctor",
);

/// What a trouble means and what helps.
pub fn advice(trouble: Trouble) -> Advice {
    let (title, explanation, steps) = match trouble {
        Trouble::NoWebGpu => (
            "This browser has no WebGPU",
            "A page computes on the graphics card by WebGPU. This browser does not support it, or it is switched off.",
            vec![VERSIONS, LINUX, STATUS, NATIVE],
        ),
        Trouble::Insecure => (
            "The page was not loaded securely",
            "Browsers give WebGPU only to pages from https addresses or from localhost. This one came from another \
             kind of address, such as http in a local network or a file.",
            vec![
                step("Open the same page by its https address."),
                copy(
                    "If the page is on another machine, forward its port and open it as localhost.",
                    "ssh -L 8080:localhost:8080 <machine>",
                ),
                step("If the page is a file on this machine, serve its folder and open it from localhost."),
            ],
        ),
        Trouble::NoAdapter => (
            "The browser found no graphics adapter",
            "The browser has WebGPU, but gives this page no adapter: graphics acceleration is off, the driver is on the \
             browser's blocklist, or the machine has no GPU.",
            vec![ACCELERATION, STATUS, LINUX, DRIVER, NATIVE],
        ),
        Trouble::NoTimestamps => (
            "The adapter has no timestamp queries",
            "The library that computes here asks for the feature timestamp-query when it opens a device, and this \
             adapter does not offer it.",
            vec![
                copy(
                    "In Chrome or Edge the feature may wait behind a flag. Open this address, choose Enabled, and start \
                     the browser again.",
                    "chrome://flags/#enable-webgpu-developer-features",
                ),
                step("Try another browser: Chrome or Edge 121 or newer offer it on most machines, Safari since 26."),
                DRIVER,
                NATIVE,
            ],
        ),
        Trouble::TooSmall => (
            "The adapter is too small",
            "The adapter's limits are below what the smallest model needs.",
            vec![
                step("On a machine with two GPUs, give the browser the faster one in the system's graphics settings."),
                STATUS,
                NATIVE,
            ],
        ),
        Trouble::SelfTest => (
            "The device computes wrong numbers",
            "Before it is used, the device multiplies matrices whose product is known. It got another one, so nothing \
             that it computes could be believed.",
            vec![DRIVER, step("Try another browser, which brings its own shader compiler."), STATUS, NATIVE],
        ),
        Trouble::Software => (
            "The only adapter is a software one",
            "The browser offers an adapter that imitates a GPU on the CPU. It is slower here than computing on the CPU \
             directly.",
            vec![
                ACCELERATION,
                STATUS,
                LINUX,
                step("To use it all the same, choose GPU in the Models tab, under Device."),
            ],
        ),
        Trouble::Other => (
            "The GPU cannot be used",
            "The line below is what the browser said.",
            vec![step("Reload the page; a GPU that was busy or asleep often comes back."), STATUS, DRIVER, NATIVE],
        ),
    };
    Advice { title, explanation: explanation.into(), steps }
}

/// What the page can tell without an engine: does WebGPU exist here at all?
pub fn early(secure: bool, gpu: bool) -> Option<Trouble> {
    match (secure, gpu) {
        (_, true) => None,
        (false, false) => Some(Trouble::Insecure),
        (true, false) => Some(Trouble::NoWebGpu),
    }
}

/// What helps after the engine was lost or ran out of memory; `None` for failures that explain themselves.
pub fn after(failure: &Failure) -> Option<Advice> {
    let (title, explanation, steps) = match failure.kind {
        FailureKind::Device => (
            "The graphics device was lost",
            "The driver or the browser took the device away: it was reset, the machine slept, or the work ran too long \
             at a time. Edits in force are lost; records, studies and downloaded models are kept.",
            vec![
                step("Load the model again; a study goes on where it stopped."),
                step("Close other pages that use the GPU."),
                step("If it happens again, choose CPU in the Models tab, under Device."),
            ],
        ),
        FailureKind::Memory => (
            "There is not enough memory",
            "The device or the tab could not hold what was asked for. Records, studies and downloaded models are kept.",
            vec![
                step("Load a smaller model; the bundled ones need a few megabytes."),
                step("Close other tabs, then reload this page: a tab's memory never shrinks while it is open."),
                NATIVE,
            ],
        ),
        FailureKind::Crash => (
            "The engine has stopped",
            "The part of the page that computes has stopped. Edits in force are lost; records, studies and \
             downloaded models are kept.",
            vec![step("Load the model again, or reload the page; a study goes on where it stopped.")],
        ),
        _ => return None,
    };
    Some(Advice { title, explanation: explanation.into(), steps })
}

/// Tokens of a usual prompt.
const TOKENS: f64 = 10.0;
/// Patched positions of the default settings.
const POSITIONS: f64 = 2.0;

/// Forward passes that tracing one fact takes. A run that differs from another only after a layer is computed from
/// there, so each counts as half a pass on average.
fn passes(layers: f64, maps: bool) -> f64 {
    let values = 2.0 + layers * (POSITIONS + 3.0 + POSITIONS) / 2.0;
    if maps { values + 3.0 * TOKENS * layers / 2.0 } else { values }
}

/// How long the CPU takes, and how that was found.
pub fn estimate(report: &DeviceReport) -> Option<String> {
    let model = bundled::SMALLEST;
    if report.gflops <= 0.0 || !report.gflops.is_finite() {
        return None;
    }
    let pass = 2.0 * model.parameters as f64 * TOKENS / 1e9;
    let [short, long] = [false, true].map(|maps| passes(model.layers as f64, maps));
    let [fast, slow] = [short, long].map(|count| duration(count * pass / report.gflops));
    Some(format!(
        "Estimated from the measured {} GFLOP/s: {} takes {fast} to trace a fact, {slow} with its maps. ({} and {} \
         passes of {} tokens, two operations a parameter and token: {} GFLOP a pass. Small matrices do not reach the \
         full speed, so expect up to three times as long.)",
        fixed(report.gflops, 1),
        model.name,
        fixed(short, 0),
        fixed(long, 0),
        fixed(TOKENS, 0),
        fixed(pass, 3),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::DeviceInfo;

    const ALL: [Trouble; 8] = [
        Trouble::NoWebGpu,
        Trouble::Insecure,
        Trouble::NoAdapter,
        Trouble::NoTimestamps,
        Trouble::TooSmall,
        Trouble::SelfTest,
        Trouble::Software,
        Trouble::Other,
    ];

    #[test]
    fn every_trouble_has_steps_of_its_own() {
        let titles: std::collections::BTreeSet<_> = ALL.map(|trouble| advice(trouble).title).into_iter().collect();
        assert_eq!(titles.len(), ALL.len());
        for trouble in ALL {
            let found = advice(trouble);
            assert!(found.steps.len() >= 3, "{trouble:?}");
            assert!(!found.explanation.contains('!') && !found.title.ends_with('.'), "{trouble:?}");
        }
        let none = advice(Trouble::NoWebGpu);
        for version in ["113", "121", "141", "26"] {
            assert!(none.steps[0].text.contains(version), "{version}");
        }
        assert!(none.steps.iter().any(|step| step.copy == Some("chrome://flags/#enable-unsafe-webgpu")));
        assert!(advice(Trouble::Insecure).explanation.contains("https"));
    }

    #[test]
    fn the_page_sees_some_of_it_by_itself() {
        assert_eq!(early(true, true), None);
        assert_eq!(early(false, false), Some(Trouble::Insecure));
        assert_eq!(early(true, false), Some(Trouble::NoWebGpu));
    }

    #[test]
    fn losses_have_advice_and_typing_errors_have_not() {
        let failure = |kind| Failure { kind, message: String::new(), hint: None };
        assert!(after(&failure(FailureKind::Device)).is_some_and(|advice| advice.title.contains("lost")));
        assert!(
            after(&failure(FailureKind::Memory)).is_some_and(|advice| advice.steps[0].text.contains("smaller model"))
        );
        assert_eq!(after(&failure(FailureKind::Input)), None);
    }

    #[test]
    fn the_cpu_is_told_honestly() {
        let report = |gflops| DeviceReport {
            info: DeviceInfo::default(),
            why: String::new(),
            adapter: None,
            self_test: 0.0,
            trouble: None,
            gflops,
        };
        let words = estimate(&report(1.5)).unwrap();
        assert!(words.starts_with("Estimated from the measured 1.5 GFLOP/s: engram-relay takes 0.7 s"), "{words}");
        assert!(words.contains("30 and 150 passes of 10 tokens"), "{words}");
        assert_eq!(estimate(&report(0.0)), None);
    }
}
