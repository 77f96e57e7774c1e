//! What an engine tells of its device.

use crate::device::Compute;
use crate::error::Result;
use crate::protocol::{DeviceReport, Trouble};
use crate::tensor::gflops;

/// The device, timed. `trouble` is why it is not the GPU, when it is the CPU that nobody asked for.
///
/// # Errors
/// When it fails.
pub async fn report(compute: &Compute, trouble: Option<Trouble>) -> Result<DeviceReport> {
    Ok(DeviceReport {
        info: compute.info.clone(),
        why: compute.why.clone(),
        adapter: compute.adapter.clone(),
        self_test: compute.self_test,
        trouble,
        gflops: gflops(compute).await?,
    })
}
