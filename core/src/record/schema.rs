//! The record's JSON schema, derived from the types that write it.

use super::{Record, VERSION};
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// JSON schema (draft 2020-12) of what this program writes. A reader that follows it also opens later records of the same version:
/// they may have further fields.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Record>();
    schema.insert("title".into(), format!("Engram record, version {VERSION}").into());
    let mut schema = schema.to_value();
    // The version is a fact about the file, not just a number.
    schema["properties"]["engram"]["const"] = VERSION.into();
    schema
}
