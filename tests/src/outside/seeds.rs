//! Inputs to begin from: small files of every kind, made from the fixtures, and whatever was found to be hostile.

use crate::everything::{curve, records};
use engram_core::journal::{self, RedundancyLine};
use engram_core::protocol::frame::{Kind, pack};
use engram_core::protocol::{AfterLayer, Command, Event, Failure, FailureKind, MapSite, Message, Request};
use engram_core::record::{PatchPosition, Record};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A kind of input: its fuzz target's name.
pub const KINDS: [&str; 11] =
    ["facts", "record", "journal", "page", "message", "frame", "config", "safetensors", "gguf", "tokenizer", "change"];

const KNOWN: &str = r#"[{"known_id": 1, "subject": "Vinson Massif", "attribute": "Antarctica", "template": "{} is in",
 "prompt": "Vinson Massif is in", "prediction": " Antarctica", "relation_id": "P30"},
 {"known_id": 2, "subject": "Beats Music", "attribute": "Apple", "prompt": "Beats Music is owned by", "relation_id": "P127"}]"#;

const COUNTERFACT: &str = r#"[{"case_id": 0, "requested_rewrite": {"prompt": "The mother tongue of {} is", "relation_id": "P103",
 "target_new": {"str": "English", "id": "Q1860"}, "target_true": {"str": "French", "id": "Q150"}, "subject": "Danielle Darrieux"},
 "paraphrase_prompts": ["Danielle Darrieux spoke"], "neighborhood_prompts": ["Jean Gabin spoke"]}]"#;

const CSV: &str = "prompt,subject,target_true,target_new,relation,id\n\"The capital of {}, is\",France,Paris,Rome,P36,7\n\
                   The capital of Peru is,Peru,Lima,Cusco,P36,8\n";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// The files of a folder, by name; none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Inputs that a target has fallen over, by file name.
pub fn hostile(kind: &str) -> Vec<(String, Vec<u8>)> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files(&fixtures().join("hostile").join(kind)).iter().map(|path| (name(path), read(path))).collect()
}

/// Good inputs of a kind.
///
/// # Panics
/// On an unknown kind, and where a fixture is missing.
pub fn good(kind: &str) -> Vec<Vec<u8>> {
    match kind {
        "facts" => {
            let mut all: Vec<_> = [CSV, KNOWN, COUNTERFACT].map(|text| text.as_bytes().to_vec()).into();
            all.extend(files(&fixtures().join("facts")).iter().map(|path| read(path)));
            all
        }
        "record" => records().iter().map(plain).collect(),
        "journal" => records().iter().map(written).collect(),
        "page" => {
            let packed = engram_core::pack::pack(&records()).expect("records");
            let page = format!("<!doctype html>{}", engram_core::pack::in_page(&packed));
            let link = engram_core::pack::to_link(&packed);
            vec![unpacked(&packed), page.into_bytes(), link.into_bytes(), packed]
        }
        "message" => messages(),
        "frame" => frames(),
        "config" => models(&["config.json", "config.v4.json"]),
        "tokenizer" => models(&["tokenizer.json"]),
        "safetensors" => models(&["model.safetensors"]),
        "change" => {
            let config = r#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "use_rslora": true, "bias": "none",
                "alpha_pattern": {"mlp.down_proj": 4}, "base_model_name_or_path": "a/b"}"#;
            changes().into_iter().chain([config.as_bytes().to_vec()]).collect()
        }
        "gguf" => files(&fixtures().join("gguf")).iter().map(|path| read(path)).collect(),
        _ => panic!("no such kind of input: {kind}"),
    }
}

/// Changes of the llama fixture with a tied head: a file of Engram's own, and an adapter's weights.
pub fn changes() -> [Vec<u8>; 2] {
    let config: Value = serde_json::from_slice(&read(&fixtures().join("models/llama-tied/config.json"))).expect("JSON");
    let size = |key: &str| config[key].as_u64().expect("a size") as usize;
    let (d, f) = (size("hidden_size"), size("intermediate_size"));
    let down = "model.layers.0.mlp.down_proj";
    let about = json!({"format": "engram-rank-one-delta", "model": "m"});
    let own = [(format!("{down}.weight.u"), vec![d]), (format!("{down}.weight.k"), vec![f])];
    let module = format!("base_model.model.{down}");
    let lora = [(format!("{module}.lora_A.weight"), vec![1, f]), (format!("{module}.lora_B.weight"), vec![d, 1])];
    [tensors(&about, &own), tensors(&json!({"format": "pt"}), &lora)]
}

/// A safetensors file of ones.
fn tensors(about: &Value, tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let mut header = json!({"__metadata__": about});
    let mut end = 0;
    for (name, shape) in tensors {
        let begin = end;
        end += 4 * shape.iter().product::<usize>();
        header[name] = json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]});
    }
    let header = header.to_string().into_bytes();
    let data = 1f32.to_le_bytes().repeat(end / 4);
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

fn plain(record: &Record) -> Vec<u8> {
    journal::to_json(record).expect("a record")
}

/// A journal of the whole study.
fn written(record: &Record) -> Vec<u8> {
    let line = RedundancyLine { fact: 0, position: PatchPosition::SubjectLast, curve: curve() };
    let mut lines = vec![journal::header_line(record)];
    lines.extend(record.facts.iter().map(journal::fact_line));
    lines.push(journal::redundancy_line(&line));
    lines.extend(record.edits.iter().flatten().map(journal::edit_line));
    lines.into_iter().flat_map(|line| line.expect("a line")).collect()
}

/// What is in the gzip, which mutations do not get through.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    engram_core::pack::from_beside(&engram_core::pack::to_text(packed)).expect("gzip")
}

fn messages() -> Vec<Vec<u8>> {
    let question = r#"{"prompt":"The capital of France is","subject":"France","target":"Paris"}"#;
    let trace = format!(r#"{{"id":2,"ask":{{"ask":"trace",{}}}"#, &question[1..]);
    let failed = Failure { kind: FailureKind::Input, message: "what".into(), hint: Some("next".into()) };
    let mut all = vec![trace.into_bytes()];
    let asks = [
        Command::Hello,
        Command::Cancel { request: 1 },
        Command::Undo { edit: None },
        Command::OpenStudy { key: "k".into() },
    ];
    all.extend(asks.into_iter().map(|ask| serde_json::to_vec(&Request { id: 1, ask }).expect("a request")));
    let [record, _] = records();
    let news = [Event::Failed(failed), Event::Fact(Box::new(record.facts[0].clone()))];
    all.extend(news.into_iter().map(|news| serde_json::to_vec(&Message { id: 1, news }).expect("an event")));
    all
}

fn frames() -> Vec<Vec<u8>> {
    let layer = AfterLayer { words: Vec::new(), attention: vec![vec![0.25, 0.75], vec![1.0, 0.0]] };
    let row = Event::MapRow { site: MapSite::Mlp, position: 1, values: vec![0.5; 4] };
    let mut all = Vec::new();
    for news in [Event::Begun, row, Event::Forward(vec![layer.clone(), layer])] {
        let (head, bytes) = Message { id: 1, news }.sealed(None);
        all.push(pack(Kind::Message, 3, &head, &bytes.unwrap_or_default()));
    }
    let request = r#"{"id":1,"ask":{"ask":"hello"}}"#;
    all.push(pack(Kind::Request, 1, request, b"a file"));
    all.push(pack(Kind::Join, 5, r#"{"session":"ab"}"#, b""));
    all.push(pack(Kind::Seen, 7, "", b""));
    all
}

fn models(names: &[&str]) -> Vec<Vec<u8>> {
    let folder = fixtures().join("models");
    let folders = ["llama-tied", "llama", "gemma2", "gemma3", "qwen2", "phi", "gpt2"].map(|name| folder.join(name));
    let paths = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    paths.filter(|path| path.is_file()).map(|path| read(&path)).collect()
}
