//! What `engram export` writes: tables, records, raw values as Parquet, figures.

mod edit_rows;
mod figures;
mod folder;
mod frame;
mod png;
mod retrace_rows;
mod rows;
mod sequence_rows;

pub use figures::{figures, png};
pub use folder::Folder;

use engram_core::metrics::MetricConvention;
use engram_core::record::{Record, schema};
use engram_core::tables::{self, Table};
use engram_core::{Error, Result, journal};
use frame::Frame;
use rows::Study;

/// Writes `tables/table-N.csv`, `.md` and `.tex`, and `tables.json`. The records' settings say which patch positions
/// are shown.
///
/// # Errors
/// When one cannot be written.
pub fn tables(folder: &mut Folder, records: &[Record], view: &MetricConvention, baseline: Option<&str>) -> Result<()> {
    let tables = tables::all(records, view, baseline);
    for table in &tables {
        let name = format!("tables/table-{}", table.number);
        folder.write(&format!("{name}.csv"), table.to_csv()?.as_bytes())?;
        folder.write(&format!("{name}.md"), table.to_markdown().as_bytes())?;
        folder.write(&format!("{name}.tex"), table.to_latex().as_bytes())?;
    }
    let all: Vec<_> = tables.iter().map(Table::to_json).collect();
    let mut json = serde_json::to_vec_pretty(&all).map_err(|error| Error::io(error.to_string()))?;
    json.push(b'\n');
    folder.write("tables.json", &json)
}

/// Where the records' JSON schema is written.
const SCHEMA: &str = "records/record.schema.json";

/// Writes `records/NAME.engram.json` of each record, and their JSON schema.
///
/// # Errors
/// When one cannot be written.
pub fn records(folder: &mut Folder, records: &[Record]) -> Result<()> {
    let names: Vec<String> = records.iter().map(|record| record.model.name.clone()).collect();
    for (name, record) in folder::file_names(&names).iter().zip(records) {
        folder.write(&format!("records/{name}.engram.json"), &journal::to_json(record)?)?;
    }
    let mut schema = serde_json::to_vec_pretty(&schema()).map_err(|error| Error::io(error.to_string()))?;
    schema.push(b'\n');
    folder.write(SCHEMA, &schema)
}

/// Writes the records' raw values as Parquet files; those without a row are left out and named.
///
/// # Errors
/// When one cannot be encoded or written.
pub fn parquet(folder: &mut Folder, records: &[Record], program: &str) -> Result<Vec<&'static str>> {
    let names = tables::labels(records);
    let studies: Vec<Study<'_>> = names.iter().zip(records).map(|(name, record)| Study { name, record }).collect();
    let mut empty = Vec::new();
    let mut put = |name: &'static str, frame: Frame| {
        if frame.rows() == 0 {
            empty.push(name);
            return Ok(());
        }
        folder.write(&format!("{name}.parquet"), &frame.finish()?)
    };
    put("facts", rows::facts(&studies, program)?)?;
    put("curves", rows::curves(&studies, program)?)?;
    put("maps", rows::maps(&studies, program)?)?;
    put("lens", rows::lens(&studies, program)?)?;
    put("units", rows::units(&studies, program)?)?;
    let [edits, steps, prompts] = edit_rows::edits(&studies, program)?;
    put("edits", edits)?;
    put("edit_steps", steps)?;
    put("edit_prompts", prompts)?;
    let [checkpoints, edited] = sequence_rows::sequences(&studies, program)?;
    put("sequences", checkpoints)?;
    put("sequence_edits", edited)?;
    put("edit_retraces", retrace_rows::retraces(&studies, program)?)?;
    Ok(empty)
}
