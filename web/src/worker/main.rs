//! The worker: owns the engine.
#[cfg(target_family = "wasm")]
fn main() {
    wasm_bindgen_futures::spawn_local(async {
        let compute = engram_core::device::Compute::choose(engram_core::device::Choice::Auto).await;
        log::info!("{:?}", compute.map(|c| c.why));
    });
}
#[cfg(not(target_family = "wasm"))]
fn main() {}
