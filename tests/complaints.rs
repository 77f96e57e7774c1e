//! What the graphics library complains of while a study runs ends the study, before anything that was computed with it
//! is kept. One test, for a process has one GPU device and one ear.

use burn::wgpu::wgpu;
use engram_core::device::{Compute, DeviceChoice, complaint, graphics};
use engram_core::facts::{Fact, FactFile};
use engram_core::record::{Record, Settings};
use engram_core::study::{Event, Observer, header, run};
use engram_core::{Error, Result};
use engram_tests::fixtures::{model, skipped};
use pollster::block_on;

/// Counts facts, and does something to the device after the first.
struct Meddling<'a> {
    facts: usize,
    act: &'a dyn Fn(),
}

impl Observer for Meddling<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if matches!(event, Event::Fact(_)) {
            self.facts += 1;
            if self.facts == 1 {
                (self.act)();
            }
        }
        Ok(())
    }
}

fn facts() -> FactFile {
    let subjects = ["France", "Italy", "Rome", "Paris"];
    let fact = |(at, subject): (usize, &&str)| Fact {
        id: at.to_string(),
        template: "The capital of {} is".into(),
        subject: (*subject).into(),
        target_true: "Paris".into(),
        target_new: "Rome".into(),
        ..Fact::default()
    };
    let facts = subjects.iter().enumerate().map(fact).collect();
    FactFile::of("made", facts)
}

#[test]
fn a_study_ends_with_what_the_graphics_library_says() {
    let gpu = match block_on(Compute::choose(DeviceChoice::Gpu)) {
        Ok(gpu) => gpu,
        Err(error) => return skipped(&format!("no GPU device: {}", error.message())),
    };
    let mut model = model("llama", &gpu);
    let device = graphics().expect("it is open");
    let facts = facts();
    let settings = Settings { n: 4, min_effect: -1.0, screen_batch: 1, trace_batch: 1, ..Settings::default() };
    let start: Record = block_on(header(&model, &facts, settings, "test")).expect("a header");

    let mut studied = |act: &dyn Fn()| -> (std::result::Result<Record, Error>, usize) {
        let mut observer = Meddling { facts: 0, act };
        let result = block_on(run(&mut model, &facts, start.clone(), &mut observer));
        (result, observer.facts)
    };
    let (undisturbed, told) = studied(&|| {});
    assert_eq!((undisturbed.expect("a study").facts.len(), told), (4, 4));

    // A shader that does not compile.
    let shader = || {
        let source = wgpu::ShaderSource::Wgsl("@compute @workgroup_size(1) fn main() { nonsense; }".into());
        drop(device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("bad"), source }));
    };
    let (stopped, told) = studied(&shader);
    let error = stopped.expect_err("nobody may record what comes after it");
    let said = error.to_string();
    assert!(said.contains("the graphics library complains: ") && said.contains("nonsense"), "{said}");
    assert!(said.contains("--device cpu"), "{said}");
    assert_eq!(told, 1, "nothing is kept that was computed after the complaint");

    // A buffer that the device cannot have.
    let buffer = || {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::MAP_READ;
        let size = u64::MAX / 2;
        drop(device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false }));
    };
    let (stopped, told) = studied(&buffer);
    assert!(stopped.is_err_and(|error| error.to_string().contains("complains")) && told == 1);

    // Nothing is left of it: the same study again.
    assert!(complaint().is_ok());
    assert_eq!(studied(&|| {}).1, 4);

    // The device goes away for good.
    let (stopped, told) = studied(&|| device.destroy());
    let said = stopped.expect_err("the device is gone").to_string();
    assert!(said.to_lowercase().contains("lost") || said.to_lowercase().contains("destroyed"), "{said}");
    assert!(said.contains("hint: ") && told == 1, "{told}: {said}");
    assert!(studied(&|| {}).0.is_err(), "and it stays away");
}
