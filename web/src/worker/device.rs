//! Which device computes here, and why it is not the GPU when it is not.

use super::js;
use engram_core::device::Compute;
use engram_core::protocol::{DeviceChoice, DeviceReport, Trouble};
use engram_core::service::report;
use engram_core::{Error, Result};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

/// Opens the device that is wanted, tests and times it.
pub(crate) async fn start(wish: DeviceChoice) -> Result<(Compute, DeviceReport)> {
    let (mut compute, trouble) = choose(wish).await?;
    // Browsers keep the adapter's full name to themselves, and the GPU library asks for no other.
    if let Some(adapter) = compute.adapter.as_mut().filter(|adapter| adapter.name.is_empty()) {
        adapter.name = label().await;
        compute.info.name.clone_from(&adapter.name);
    }
    let report = report(&compute, trouble).await?;
    Ok((compute, report))
}

/// What the browser tells of its adapter.
async fn label() -> String {
    let gpu = js::get(&js::get(&js_sys::global(), "navigator"), "gpu");
    let adapter = js::call(&gpu, "requestAdapter", &Array::new()).await.unwrap_or(JsValue::NULL);
    let info = js::get(&adapter, "info");
    let told = |name: &str| js::get(&info, name).as_string().filter(|text| !text.is_empty());
    let words: Vec<String> = match told("description") {
        Some(whole) => vec![whole],
        None => ["vendor", "architecture", "device"].into_iter().filter_map(told).collect(),
    };
    if words.is_empty() { "a graphics adapter without a name".into() } else { words.join(" ") }
}

async fn choose(wish: DeviceChoice) -> Result<(Compute, Option<Trouble>)> {
    if wish == DeviceChoice::Cpu {
        return Ok((Compute::cpu("asked for"), None));
    }
    let found = match look(wish).await {
        Ok(()) => Compute::choose(DeviceChoice::Gpu).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(compute) => Ok((compute, None)),
        Err(error) if wish == DeviceChoice::Gpu => Err(error),
        Err(error) => Ok((Compute::cpu(error.message()), Some(error.trouble().unwrap_or(Trouble::Other)))),
    }
}

/// What the GPU library would fail on without saying so, in the order in which a person would look for it.
async fn look(wish: DeviceChoice) -> Result<()> {
    let refuse = |trouble, text: &str, hint: &str| Err(Error::device(text).because(trouble).hint(hint));
    let global: JsValue = js_sys::global().into();
    if js::get(&global, "isSecureContext").as_bool() == Some(false) {
        let hint = "open it by https, or by http://localhost";
        return refuse(Trouble::Insecure, "browsers offer the GPU to secure pages only, and this one is not", hint);
    }
    let gpu = js::get(&js::get(&global, "navigator"), "gpu");
    if gpu.is_falsy() {
        let hint = "use a browser with WebGPU, or the CPU";
        return refuse(Trouble::NoWebGpu, "this browser has no WebGPU", hint);
    }
    let options = Object::new();
    let _ = Reflect::set(&options, &"powerPreference".into(), &"high-performance".into());
    let adapter = js::call(&gpu, "requestAdapter", &Array::of1(&options)).await.unwrap_or(JsValue::NULL);
    if adapter.is_falsy() {
        let hint = "switch graphics acceleration on in the browser's settings, and look at chrome://gpu";
        return refuse(Trouble::NoAdapter, "the browser has WebGPU but offers no graphics adapter", hint);
    }
    let features = js::get(&adapter, "features");
    let has = js::call(&features, "has", &Array::of1(&"timestamp-query".into())).await;
    if !has.is_ok_and(|has| has.is_truthy()) {
        let text = "the graphics adapter has no timestamp queries, which the GPU library needs in a browser";
        return refuse(Trouble::NoTimestamps, text, "update the browser, or use the CPU");
    }
    let limits = js::get(&adapter, "limits");
    for (name, least) in [("maxStorageBuffersPerShaderStage", 8.0), ("maxComputeInvocationsPerWorkgroup", 256.0)] {
        let has = js::number(&limits, name).unwrap_or(0.0);
        if has < least {
            let text = format!("the graphics adapter is too small: {name} is {has}, {least} are needed");
            return refuse(Trouble::TooSmall, &text, "use the CPU");
        }
    }
    let software = js::get(&js::get(&adapter, "info"), "isFallbackAdapter").is_truthy()
        || js::get(&adapter, "isFallbackAdapter").is_truthy();
    if software && wish == DeviceChoice::Auto {
        let text = "the only graphics adapter is a software one, which is slower than the CPU";
        return refuse(Trouble::Software, text, "switch graphics acceleration on in the browser's settings");
    }
    Ok(())
}
