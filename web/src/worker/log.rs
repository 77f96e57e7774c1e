//! The log. A shader that fails validation is only logged by the GPU library, and its results are garbage: such a line
//! must become a failure.

use std::sync::Mutex;
use web_sys::wasm_bindgen::JsValue;

static BROKEN: Mutex<Option<String>> = Mutex::new(None);

struct Console;

impl ::log::Log for Console {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        metadata.level() <= ::log::Level::Warn
    }

    fn log(&self, record: &::log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = format!("{}: {}", record.target(), record.args());
        let gpu = ["cubecl", "wgpu", "burn"].iter().any(|crates| record.target().starts_with(crates));
        let console = super::js::get(&js_sys::global(), "console");
        let method = if record.level() == ::log::Level::Error { "error" } else { "warn" };
        if let Ok(function) =
            web_sys::wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(super::js::get(&console, method))
        {
            let _ = function.call1(&console, &JsValue::from_str(&text));
        }
        if gpu
            && record.level() == ::log::Level::Error
            && let Ok(mut broken) = BROKEN.lock()
        {
            broken.get_or_insert(text);
        }
    }

    fn flush(&self) {}
}

/// Installs the log.
pub(crate) fn install() {
    static CONSOLE: Console = Console;
    if ::log::set_logger(&CONSOLE).is_ok() {
        ::log::set_max_level(::log::LevelFilter::Warn);
    }
}

/// What the GPU library complained of since the last look.
pub(crate) fn broken() -> Option<String> {
    BROKEN.lock().ok().and_then(|mut broken| broken.take())
}
