//! What a model takes of a device, as a small table with its verdict.

use crate::engine::Outlook;
use crate::render::style::{Screen, Tone};
use crate::render::text;
use engram_core::load::fit::Fit;
use engram_core::memory::said;

/// A device's table.
pub(super) fn draw(outlook: &Outlook, screen: Screen) -> String {
    let device = &outlook.device;
    let kind = if device.kind == "gpu" { "GPU" } else { "CPU" };
    let title = format!("\nWhat it takes on the {kind}: {}", text::escape(&device.name));
    let mut lines = vec![screen.paint(Tone::Heading, &title), format!("  {}", text::escape(&outlook.why))];
    let memory = match (&outlook.memory, device.kind.as_str()) {
        (Some(memory), _) => match memory.free {
            Some(free) => format!("{} of {} are free", said(free.min(memory.all)), said(memory.all)),
            None => format!("{} in all; the driver does not tell how much is free", said(memory.all)),
        },
        (None, "gpu") if !outlook.software => "the driver does not tell how much there is".to_owned(),
        (None, _) => "main memory".to_owned(),
    };
    lines.push(format!("  memory of the device: {memory}"));
    let row = |name: &str, value: &dyn Fn(&Fit) -> String, note: &str| {
        let values: Vec<String> = outlook.fits.iter().map(|fit| text::pad_left(&value(fit), 14)).collect();
        format!("  {}{}  {note}", text::pad(name, 28), values.concat()).trim_end().to_owned()
    };
    let binding = outlook.binding.map(|most| format!("at most {}", said(most)));
    let binding = binding.map(|most| row("largest binding", &|fit| said(fit.binding), &most));
    let host = format!("{} are free", said(outlook.host));
    lines.extend([
        row("", &|fit| fit.precision.name().to_owned(), ""),
        row("weights on the device", &|fit| said(fit.weights), ""),
        row("largest tensor", &|fit| said(fit.largest), ""),
    ]);
    lines.extend(binding);
    lines.extend([
        row("activations, smallest batch", &|fit| said(fit.smallest_batch), ""),
        row("activations, planned batch", &|fit| said(fit.batch), ""),
        row("planned batch", &|fit| format!("{} tokens", fit.rows), ""),
        row("facts a batch", &|fit| fit.facts.to_string(), ""),
        row("main memory at the peak", &|fit| said(fit.host), &host),
    ]);
    let tone = if outlook.works { Tone::Good } else { Tone::Bad };
    lines.push(format!("  {}", screen.paint(tone, &text::escape(&outlook.verdict))));
    lines.extend(outlook.hint.as_ref().map(|hint| format!("  {} {hint}", screen.paint(Tone::Hint, "hint:"))));
    lines.join("\n")
}
