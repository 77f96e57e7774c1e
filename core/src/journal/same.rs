//! Whether two studies are the same, and whether one can go on from the tracing of the other.

use crate::record::{FactRecord, Record, Settings};
use serde_json::Value;

/// In which fields two studies differ, as `settings.seed: 7 there, 42 here`. Only what decides the numbers counts:
/// format, settings, model and fact source; a name does not where a digest says that it is the same thing. The batch
/// plan is a machine's, not a study's: whoever goes on keeps the one that is there.
pub fn differences(there: &Record, here: &Record) -> Vec<String> {
    let mut out = Vec::new();
    compare("", &tree(there), &tree(here), &mut out);
    out
}

/// [`differences`] in what decides the tracing; the rest are settings of stage 3.
pub fn tracing_differences(there: &Record, here: &Record) -> Vec<String> {
    let traced = |record: &Record| {
        let mut tree = tree(record);
        if let Some(settings) = tree.get_mut("settings").and_then(Value::as_object_mut) {
            settings.remove("stages");
            settings.remove("edit");
        }
        tree
    };
    let mut out = Vec::new();
    compare("", &traced(there), &traced(here), &mut out);
    out
}

/// The study that was asked for, as the one that is there would have it: a window that nobody asked for stays, though
/// another program would choose another one by the model's depth; contexts that it drew itself stay, since last bits of
/// another device may draw others; and a text that only has another name is the same.
pub fn alike(header: &Record, there: &Record, asked: &Settings) -> Record {
    let window = if asked.window == 0 { there.settings.window } else { header.settings.window };
    let mut settings = Settings { window, ..header.settings.clone() };
    let (edit, kept) = (&mut settings.edit, &there.settings.edit);
    let drawn = asked.edit.contexts.is_empty() && header.settings.seed == there.settings.seed;
    if drawn && !edit.contexts.is_empty() && !kept.contexts.is_empty() {
        edit.contexts.clone_from(&kept.contexts);
    }
    if edit.second_moment.sha256 == kept.second_moment.sha256 {
        edit.second_moment.text.clone_from(&kept.second_moment.text);
    }
    Record { settings, ..header.clone() }
}

/// Gives a record other settings of its later stages. Edits stay where they are what the new settings would give: facts
/// take their steps as one batch, so every setting of stage 3 decides all of them. Returns how many were dropped.
pub fn change(record: &mut Record, settings: &Settings) -> usize {
    let edits = |settings: &Settings| settings.stages.contains(&3).then(|| settings.edit.clone());
    let fit = edits(&record.settings) == edits(settings);
    record.settings = settings.clone();
    match fit {
        true => 0,
        false => {
            record.facts.iter_mut().filter_map(FactRecord::traced_mut).for_each(|traced| traced.patched_mlp.clear());
            let steps = std::mem::take(&mut record.sequences).into_iter().map(|sequence| sequence.steps.len());
            let steps: usize = steps.sum();
            record.edits.take().map_or(0, |edits| edits.len()) + steps
        }
    }
}

fn tree(record: &Record) -> Value {
    let mut tree = serde_json::json!({
        "engram": record.engram, "settings": record.settings, "model": record.model, "source": record.source,
        "precision": record.device.precision,
    });
    let mut forget = |part: &str, key: &str| {
        if let Some(map) = tree.get_mut(part).and_then(Value::as_object_mut) {
            map.remove(key);
        }
    };
    forget("settings", "rows");
    forget("settings", "trace_batch");
    let digests = [("model", &record.model.weights_sha256), ("source", &record.source.sha256)];
    for (part, _) in digests.iter().filter(|(_, digest)| !digest.is_empty()) {
        forget(part, "name");
    }
    tree
}

fn compare(place: &str, there: &Value, here: &Value, out: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&inner, &side(left), &side(right), out);
            }
        }
        _ if there == here => {}
        _ => out.push(format!("{place}: {there} there, {here} here")),
    }
}
