//! What the graphics library complains of. A shader that fails validation, or a device that is gone, does not fail a
//! read: the numbers are only worth nothing. So complaints are kept until somebody reads, who then fails with them.
//!
//! They come in three ways: as errors that nobody captured, as the loss of the device, and as lines of the library's log
//! (in a browser some come in no other way). Natively and in a tab it is the same.

use crate::error::{Error, Kind, Result};
use burn::wgpu::wgpu;
use std::sync::{Arc, Mutex};

struct Complaint {
    kind: Kind,
    text: String,
    /// The device will not compute again.
    lost: bool,
}

/// Keeps what was said.
struct Ear(Mutex<Option<Complaint>>);

static EAR: Ear = Ear(Mutex::new(None));

impl Ear {
    /// Keeps the first complaint; what follows it is mostly its consequence.
    fn keep(&self, complaint: Complaint) {
        let Ok(mut heard) = self.0.lock() else { return };
        match heard.as_mut() {
            Some(first) => first.lost |= complaint.lost,
            None => *heard = Some(complaint),
        }
    }

    fn complain(&self, kind: Kind, text: &str) {
        // A shader's source may follow.
        let text: String = text.trim().chars().take(600).collect();
        self.keep(Complaint { kind, text, lost: false });
    }

    fn lost(&self, text: &str) {
        self.keep(Complaint { kind: Kind::Device, text: format!("the device was lost: {text}"), lost: true });
    }

    fn hear(&self, record: &log::Record<'_>) {
        let graphics = ["cubecl", "wgpu", "naga", "burn"].iter().any(|name| record.target().starts_with(name));
        if graphics && record.level() == log::Level::Error {
            self.complain(Kind::Device, &format!("{}: {}", record.target(), record.args()));
        }
    }

    fn forget(&self) {
        if let Ok(mut heard) = self.0.lock() {
            *heard = None;
        }
    }

    fn complaint(&self) -> Result<()> {
        let Ok(mut heard) = self.0.lock() else { return Ok(()) };
        let Some(found) = heard.as_ref() else { return Ok(()) };
        let error = Error::new(found.kind, format!("the graphics library complains: {}", found.text));
        let error = error.hint(match (found.kind, cfg!(target_family = "wasm")) {
            (Kind::Memory, false) => "close other programs, use --device cpu, or take a smaller model",
            (Kind::Memory, true) => "close other tabs, switch the device to CPU, or take a smaller model",
            (_, false) => "update the graphics driver, or use --device cpu; what is finished is kept",
            (_, true) => "update the browser and the graphics driver, or switch the device to CPU in the Models tab",
        });
        if !found.lost {
            *heard = None;
        }
        Err(error)
    }
}

/// The graphics library said this, and what it computes is not to be trusted.
pub fn complain(kind: Kind, text: &str) {
    EAR.complain(kind, text);
}

/// The device is gone.
pub(super) fn lost(text: &str) {
    EAR.lost(text);
}

/// Takes a line of the log; errors of the graphics library count.
pub fn hear(record: &log::Record<'_>) {
    EAR.hear(record);
}

/// Forgets what was said so far.
pub(crate) fn forget() {
    EAR.forget();
}

/// Fails with what the graphics library complained of since the last look. A lost device stays lost.
///
/// # Errors
/// With the complaint.
pub fn complaint() -> Result<()> {
    EAR.complaint()
}

/// Listens to a device. Without a listener of its own the library panics, on a thread where nobody notices.
pub(super) fn listen(device: &wgpu::Device) {
    device.on_uncaptured_error(Arc::new(|error: wgpu::Error| match error {
        wgpu::Error::OutOfMemory { .. } => complain(Kind::Memory, &format!("out of memory: {error}")),
        other => complain(Kind::Device, &other.to_string()),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_is_told_once_and_a_lost_device_for_ever() {
        let ear = Ear(Mutex::new(None));
        let line = |target: &str, level| {
            ear.hear(&log::Record::builder().target(target).level(level).args(format_args!("bad shader")).build());
            ear.complaint().map_err(|error| error.to_string())
        };
        assert!(line("wgpu_core::device", log::Level::Warn).is_ok() && line("hyper", log::Level::Error).is_ok());
        let said = line("wgpu_core::device", log::Level::Error).unwrap_err();
        assert!(said.contains("complains: wgpu_core::device: bad shader\nhint: "), "{said}");
        ear.complain(Kind::Memory, "full");
        ear.complain(Kind::Device, "second");
        assert_eq!(ear.complaint().map_err(|error| error.kind), Err(Kind::Memory));
        assert!(ear.complaint().is_ok());
        ear.lost("Destroyed: by a test");
        assert!(ear.complaint().is_err() && ear.complaint().is_err_and(|error| error.to_string().contains("was lost")));
        ear.forget();
        assert!(ear.complaint().is_ok());
    }
}
