//! The JSON schema of records: it is the one in docs, everything that the tests know as a record follows it, and what is none does not.

use boon::{Compiler, SchemaIndex, Schemas};
use engram_core::journal;
use engram_core::record::{Record, schema};
use engram_tests::everything;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// By what name the validator knows it.
const PLACE: &str = "urn:engram:record";

struct Validator {
    schemas: Schemas,
    record: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource(PLACE, schema()).expect("JSON");
        let record = compiler.compile(PLACE, &mut schemas).expect("a schema");
        Self { schemas, record }
    }

    /// What is wrong with a value, if anything is.
    fn wrong(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.record).err().map(|error| format!("{error:#}"))
    }
}

/// A record as a program writes it, which the schema has to describe.
fn follows(validator: &Validator, record: &Record, what: &str) -> Value {
    let json: Value = serde_json::from_slice(&journal::to_json(record).expect("finite")).expect("JSON");
    assert_eq!(validator.wrong(&json), None, "{what}");
    json
}

#[test]
fn the_schema_in_docs_is_that_of_the_program() {
    let path = root().join("docs/record.schema.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema()).expect("JSON"));
    if std::env::var_os("ENGRAM_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &generated).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == generated, "docs/record.schema.json is an older one: run this test with ENGRAM_WRITE_SCHEMA=1");
}

#[test]
fn records_follow_it() {
    let validator = Validator::new();
    for record in everything::records() {
        follows(&validator, &record, "a record with everything");
    }
    let mut paths: Vec<PathBuf> = vec![root().join("web/sample.engram.json.gz")];
    let mut folders = vec![root().join("tests/fixtures")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.to_string_lossy().contains(".engram.json") => paths.push(path),
                _ => {}
            }
        }
    }
    let mut followed = 0;
    for path in paths {
        // Some are damaged on purpose: what cannot be opened is no record.
        let Ok(read) = journal::read(&path) else { continue };
        follows(&validator, &read.record, &path.display().to_string());
        followed += 1;
    }
    assert!(followed > 0, "there are records to look at");
}

#[test]
fn what_is_no_record_does_not() {
    let validator = Validator::new();
    for record in everything::records() {
        let json = follows(&validator, &record, "a record with everything");
        // Each place in the record in turn holds what it must not hold.
        let mut places = Vec::new();
        places_of(&json, String::new(), &mut places);
        assert!(places.len() > 200, "{}", places.len());
        let mut missed = Vec::new();
        for place in &places {
            let mut wrong = json.clone();
            *wrong.pointer_mut(place).expect("there") = serde_json::json!({ "not": ["what", "it", "was"] });
            if validator.wrong(&wrong).is_none() {
                missed.push(place);
            }
        }
        assert!(missed.is_empty(), "the schema takes anything at {missed:?}");
        let mut lacking = json.clone();
        lacking.as_object_mut().expect("an object").remove("facts");
        assert!(validator.wrong(&lacking).is_some());
        let mut newer = json;
        newer["engram"] = 2.into();
        assert!(validator.wrong(&newer).is_some());
    }
}

/// Pointers to all values of a record but objects whose keys are data; of a list its first.
fn places_of(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                places_of(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(list) => {
            all.push(at.clone());
            if let Some(first) = list.first() {
                places_of(first, format!("{at}/0"), all);
            }
        }
        _ => all.push(at),
    }
}
