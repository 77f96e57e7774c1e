//! What a file that was dropped or chosen is: a record, a part of a model, or facts. The name tells most; where it does
//! not, the first bytes do.

use engram_core::names::HubId;
use engram_core::protocol::ModelRef;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record or a journal of a study, or a result page.
    Record,
    /// A part of a model: weights, configuration, tokenizer.
    Model,
    /// Facts for a study.
    Facts,
    /// The name does not tell: see [`of_content`].
    Look,
}

/// Files beside a model's weights, as model folders have them. Not all are read, none is a record.
const BESIDE: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
    "vocab.json",
    "added_tokens.json",
];

/// What a file's name says.
pub fn of_name(name: &str) -> Kind {
    let name = name.to_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match &name {
        name if BESIDE.contains(&name.as_str()) || ends(&[".safetensors", ".gguf"]) => Kind::Model,
        _ if ends(&[".engram.json", ".engram.json.gz", ".journal", ".gz", ".html", ".htm"]) => Kind::Record,
        _ if ends(&[".csv", ".tsv", ".parquet", ".ndjson"]) => Kind::Facts,
        _ => Kind::Look,
    }
}

/// Bytes of a file's head that tell.
pub const HEAD: u32 = 4096;

/// What a file's first bytes say. Facts are a JSON array, an object a line with a subject and a prompt, or a table whose
/// header line names them; a record is an object with a version.
pub fn of_content(head: &[u8]) -> Kind {
    if head.starts_with(b"GGUF") {
        return Kind::Model;
    }
    if head.starts_with(b"PAR1") || head.starts_with(b"\xff\xfe") {
        return Kind::Facts;
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let header = text.lines().next().unwrap_or_default().to_lowercase();
    match text.chars().next() {
        Some('[') => Kind::Facts,
        // The dataset viewer's rows, and records of facts by themselves.
        Some('{') if !text.contains("\"engram\"") && names_facts(text) => Kind::Facts,
        Some('{' | '<') => Kind::Record,
        _ if header.trim_start_matches('"').starts_with("sep=") => Kind::Facts,
        _ if header.contains("subject") && (header.contains("prompt") || header.contains("template")) => Kind::Facts,
        _ => Kind::Record,
    }
}

/// Whether the beginning of a JSON text has the keys of a fact.
fn names_facts(text: &str) -> bool {
    let has = |key: &str| text.contains(key);
    has("\"requested_rewrite\"") || has("\"subject\"") && (has("\"prompt\"") || has("\"template\""))
}

/// A model as the address holds it: the inverse of [`crate::state::model_of`]. `None` for files, which no link can bring.
pub fn address(model: &ModelRef) -> Option<String> {
    match model {
        ModelRef::Bundled { name } => Some(name.clone()),
        ModelRef::Hub { id, revision, file } => Some(hub_id(id, revision.as_deref(), file.as_deref())),
        ModelRef::Url { url } => Some(url.clone()),
        ModelRef::Files { .. } | ModelRef::Cached { .. } => None,
    }
}

/// A model of the hub as a person names it.
pub fn hub_id(name: &str, revision: Option<&str>, file: Option<&str>) -> String {
    let id = HubId { name, revision, file };
    match (file, revision) {
        (Some(file), _) => id.of(file),
        (None, Some(revision)) => format!("{name}@{revision}"),
        (None, None) => name.to_owned(),
    }
}

/// A name for a model of files: the folder's, or the weights' own without its ending.
pub fn model_name(folder: Option<&str>, files: &[String]) -> String {
    let weights = |end: &str| files.iter().find_map(|name| name.strip_suffix(end)).map(str::to_owned);
    let plain = |name: &String| !name.starts_with("model");
    let own = weights(".gguf").or_else(|| folder.map(str::to_owned));
    own.or_else(|| weights(".safetensors").filter(plain)).unwrap_or_else(|| "model from disk".into())
}

/// What a set of model files still lacks, in words.
pub fn lacks(files: &[String]) -> Option<String> {
    let has = |end: &str| files.iter().any(|name| name.to_lowercase().ends_with(end));
    if has(".gguf") {
        return None;
    }
    let mut missing = Vec::new();
    let named = |wanted: &str| files.iter().any(|name| name == wanted);
    missing.extend(["config.json", "tokenizer.json"].into_iter().filter(|name| !named(name)));
    if !has(".safetensors") {
        missing.push("a .safetensors file");
    }
    (!missing.is_empty()).then(|| missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for (name, kind) in [
            ("a.engram.json", Kind::Record),
            ("A.ENGRAM.JSON.GZ", Kind::Record),
            ("x.journal", Kind::Record),
            ("Page.HTML", Kind::Record),
            ("config.json", Kind::Model),
            ("model-00001-of-00002.safetensors", Kind::Model),
            ("q4.gguf", Kind::Model),
            ("facts.csv", Kind::Facts),
            ("counterfact.json", Kind::Look),
            ("counterfact.jsonl", Kind::Look),
            ("train-00000-of-00001.parquet", Kind::Facts),
            ("noname", Kind::Look),
        ] {
            assert_eq!(of_name(name), kind, "{name}");
        }
    }

    #[test]
    fn models_survive_the_address() {
        for text in ["engram-phi", "a/b", "a/b@v1", "a/b:c.gguf", "a/b@v1:q/c.gguf", "https://x.org/m.gguf"] {
            assert_eq!(crate::state::model_of(text).as_ref().and_then(address).as_deref(), Some(text));
        }
        assert_eq!(address(&ModelRef::Files { name: "x".into() }), None);
    }

    #[test]
    fn contents_tell() {
        assert_eq!(of_content(b"\xef\xbb\xbf \n[{\"case_id\": 0"), Kind::Facts);
        assert_eq!(of_content(b"{\"engram\": 1"), Kind::Record);
        assert_eq!(of_content(b"<!doctype html><title>prompt, subject</title>"), Kind::Record);
        assert_eq!(of_content(b"prompt,subject,target_true\n"), Kind::Facts);
        assert_eq!(of_content(b"GGUF\x03"), Kind::Model);
        assert_eq!(of_content(b"PAR1\x15\x04"), Kind::Facts);
        assert_eq!(of_content(b"sep=;\r\nid;prompt"), Kind::Facts);
        assert_eq!(of_content(b"{\"subject\": \"A\", \"prompt\": \"A is\"}\n{"), Kind::Facts);
        assert_eq!(of_content(b"{\"features\":[],\"rows\":[{\"row\":{\"requested_rewrite\":{"), Kind::Facts);
        assert_eq!(of_content(b"{\"engram\":1,\"facts\":[{\"prompt\":\"\",\"subject\":\"\"}]}"), Kind::Record);
        assert_eq!(of_content(b""), Kind::Record);
    }

    #[test]
    fn models_get_a_name_and_their_gaps_are_told() {
        let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let folder = files(&["config.json", "model.safetensors"]);
        assert_eq!(model_name(Some("SmolLM2"), &folder), "SmolLM2");
        assert_eq!(model_name(None, &folder), "model from disk");
        assert_eq!(model_name(None, &files(&["x.Q4_1.gguf"])), "x.Q4_1");
        assert_eq!(lacks(&folder).as_deref(), Some("tokenizer.json"));
        assert_eq!(lacks(&files(&["x.gguf"])), None);
        // tokenizer_config.json is no config.json.
        let names = files(&["tokenizer_config.json", "tokenizer.json", "model.safetensors"]);
        assert_eq!(lacks(&names).as_deref(), Some("config.json"));
    }
}
