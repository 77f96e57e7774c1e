//! What loading a model would take, as a consent card tells it.

use super::bytes::{bytes, duration};
use super::precision;
use crate::words;
use engram_core::protocol::{Loaded, Preflight};
use engram_core::record::Precision;

/// What may be done after a preflight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It cannot run here.
    Impossible,
    /// Everything is in the browser already.
    Here,
    /// So many bytes come over the network first.
    Download(u64),
}

/// Whether and how it can be loaded.
pub fn verdict(preflight: &Preflight) -> Verdict {
    match (preflight.problems.is_empty(), preflight.download) {
        (false, _) => Verdict::Impossible,
        (true, 0) => Verdict::Here,
        (true, download) => Verdict::Download(download),
    }
}

/// The words of the button that loads it; `None` where nothing can be loaded.
pub fn button(preflight: &Preflight) -> Option<String> {
    match verdict(preflight) {
        Verdict::Impossible => None,
        Verdict::Here => Some("Load".into()),
        Verdict::Download(download) => Some(format!("Download {} and load", bytes(download))),
    }
}

/// Names and values of the card.
pub fn lines(preflight: &Preflight) -> Vec<(&'static str, String)> {
    let one = preflight;
    let download = match verdict(one) {
        Verdict::Here => "nothing; all of it is cached".into(),
        _ if one.download == 0 => "nothing".into(),
        _ if one.download < one.bytes => {
            format!("{} ({} of {} are cached)", bytes(one.download), bytes(one.bytes - one.download), bytes(one.bytes))
        }
        _ => bytes(one.download),
    };
    let kept = match (one.kept, one.storage_left) {
        (true, Some(left)) => format!("in this browser, until you delete it; {} may still be stored", bytes(left)),
        (true, None) => "in this browser, until you delete it".into(),
        (false, _) => "not stored; it is downloaded again after a reload".into(),
    };
    let mut lines = vec![
        ("family", one.family.clone()),
        ("size", format!("{} layers, width {}, {}", one.layers, one.width, words::parameters(one.parameters))),
        ("stored as", one.dtype.clone()),
        ("download", download),
        ("on the device", on_device(one)),
        ("in memory", format!("{} at the peak of loading", bytes(one.heap_bytes))),
    ];
    // Where nothing is downloaded, there is nothing to store.
    if one.kept || one.download > 0 {
        lines.insert(4, ("stored", kept));
    }
    let pass = |seconds: f64| format!("about {} for ten tokens, from the measured speed", duration(seconds));
    lines.extend(one.seconds_per_pass.map(|seconds| ("one pass", pass(seconds))));
    lines.push(("licence", one.licence.clone().unwrap_or_else(|| "unknown; see the model's page".into())));
    lines.iter_mut().for_each(|(_, value)| *value = words::visible(value));
    lines
}

/// What the weights take there, and in which numbers.
fn on_device(one: &Preflight) -> String {
    let numbers = match one.precision {
        Precision::F32 => "as 32-bit numbers",
        Precision::F16 => "matrices as 16-bit numbers",
    };
    let why = one.precision_why.as_ref().map_or_else(String::new, |why| format!("; {why}"));
    format!("{} ({numbers}{why})", bytes(one.device_bytes))
}

/// A loaded model's identity.
pub fn loaded(loaded: &Loaded) -> Vec<(&'static str, String)> {
    let info = &loaded.info;
    let verified = match loaded.verified {
        Some(true) => "agree with those that the source names",
        Some(false) => "differ from those that the source names",
        None => "computed; the source names none to compare with",
    };
    let [before, peak, after] = loaded.heap.map(bytes);
    // Only a tab has a memory of its own.
    let memory = format!("{before} before loading, {peak} at the peak, {after} after");
    let memory = if loaded.heap == [0; 3] { String::new() } else { memory };
    let mut lines = vec![
        ("model", info.name.clone()),
        ("from", loaded.model.name().to_owned()),
        ("family", info.family.clone()),
        ("size", format!("{} layers, width {}, {}", info.layers, info.width, words::parameters(info.parameters))),
        ("stored as", info.dtype.clone()),
        ("matrices held in", precision::told(loaded)),
        ("longest prompt", words::count(loaded.positions, "token")),
        ("vocabulary", words::count(loaded.vocabulary, "token")),
        ("loaded in", duration(loaded.seconds)),
        ("tab's memory", memory),
        ("digests", verified.into()),
        ("weights SHA-256", info.weights_sha256.clone()),
        ("config SHA-256", info.config_sha256.clone()),
        ("tokenizer SHA-256", info.tokenizer_sha256.clone()),
    ];
    lines.iter_mut().for_each(|(_, value)| *value = words::visible(value));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

/// How a loaded model's files were understood, to be held against its config.json.
pub fn understood(loaded: &Loaded) -> Vec<(String, String)> {
    let line = |(name, value): &(String, String)| (words::visible(name), words::visible(value));
    loaded.understood.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::protocol::ModelRef;
    use engram_core::record::ModelInfo;

    fn sample() -> Preflight {
        Preflight {
            name: "HuggingFaceTB/SmolLM2-135M".into(),
            family: "llama".into(),
            layers: 30,
            width: 576,
            parameters: 134_515_008,
            dtype: "bf16".into(),
            bytes: 271_000_000,
            download: 271_000_000,
            licence: Some("apache-2.0".into()),
            precision: Precision::F32,
            precision_why: None,
            device_bytes: 538_060_032,
            heap_bytes: 60_000_000,
            storage_left: Some(9_000_000_000),
            kept: true,
            problems: vec![],
            remarks: vec![],
            seconds_per_pass: Some(0.042),
        }
    }

    #[test]
    fn consent_names_the_bytes() {
        let mut preflight = sample();
        assert_eq!(button(&preflight).as_deref(), Some("Download 271 MB and load"));
        let value = |preflight: &Preflight, name: &str| {
            lines(preflight).into_iter().find(|line| line.0 == name).map(|line| line.1).unwrap_or_default()
        };
        assert_eq!(value(&preflight, "download"), "271 MB");
        assert_eq!(value(&preflight, "one pass"), "about 42 ms for ten tokens, from the measured speed");
        assert!(value(&preflight, "stored").contains("9.00 GB may still be stored"));
        preflight.download = 100_000_000;
        assert_eq!(value(&preflight, "download"), "100 MB (171 MB of 271 MB are cached)");
        preflight.download = 0;
        assert_eq!((button(&preflight).as_deref(), verdict(&preflight)), (Some("Load"), Verdict::Here));
        assert_eq!(value(&preflight, "on the device"), "538 MB (as 32-bit numbers)");
        preflight.precision = Precision::F16;
        preflight.precision_why =
            Some("f16, since f32 needs 16.0 GiB and room for batches, and 12.0 GiB are free".into());
        let told = "538 MB (matrices as 16-bit numbers; f16, since f32 needs 16.0 GiB and room for batches, and 12.0 GiB are free)";
        assert_eq!(value(&preflight, "on the device"), told);
        preflight.problems.push("the largest tensor does not fit".into());
        assert_eq!(button(&preflight), None);
    }

    #[test]
    fn a_loaded_model_is_told_without_what_is_unknown() {
        let model = Loaded {
            model: ModelRef::Bundled { name: "tiny".into() },
            info: ModelInfo { name: "tiny".into(), layers: 4, ..ModelInfo::default() },
            precision: Precision::F16,
            precision_why: None,
            positions: 64,
            vocabulary: 2048,
            seconds: 0.3,
            heap: [1_000_000, 9_000_000, 5_000_000],
            verified: None,
            understood: vec![("family".into(), "llama\u{202e}".into())],
            notes: Vec::new(),
        };
        let lines = loaded(&model);
        assert!(lines.iter().any(|line| line.1 == "1.0 MB before loading, 9.0 MB at the peak, 5.0 MB after"));
        assert!(lines.contains(&("matrices held in", "f16".into())));
        assert!(lines.iter().all(|line| line.0 != "weights SHA-256"));
    }
}
