//! The log, on the browser's console. A shader that fails validation is only logged by the GPU library, and its results
//! are garbage: the engine hears such a line, and fails with it.

use web_sys::wasm_bindgen::JsValue;

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
        let console = super::js::get(&js_sys::global(), "console");
        let method = if record.level() == ::log::Level::Error { "error" } else { "warn" };
        if let Ok(function) =
            web_sys::wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(super::js::get(&console, method))
        {
            let _ = function.call1(&console, &JsValue::from_str(&text));
        }
        engram_core::device::hear(record);
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
