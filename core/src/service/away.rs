//! What is taken away: changes of the weights and scripts, as files.

use crate::emit::Files;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::load::Model;
use crate::protocol::{Event, MapSite, ModelRef, Question};
use std::io::{Cursor, Write as _};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A file and its bytes.
type File = (Event, Vec<u8>);

fn file(name: String, bytes: Vec<u8>) -> File {
    (Event::File { name }, bytes)
}

/// The edits in force as Engram's own file.
pub(super) fn delta(lab: &Lab) -> Result<File> {
    Ok(file(format!("{}-edits.safetensors", plain(lab.model())), lab.delta()?))
}

/// The edits in force as an adapter of PEFT, a folder in an archive.
pub(super) fn adapter(lab: &Lab, place: &ModelRef) -> Result<File> {
    let (name, adapter) = (format!("{}-adapter", plain(lab.model())), lab.adapter(&files(lab, place))?);
    // Numbers of an adapter do not pack.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |error: &dyn std::fmt::Display| Error::io(format!("the archive of the adapter: {error}"));
    for (part, bytes) in [("adapter_config.json", &adapter.config), ("adapter_model.safetensors", &adapter.weights)] {
        archive.start_file(format!("{name}/{part}"), options).map_err(|error| failed(&error))?;
        archive.write_all(bytes).map_err(|error| failed(&error))?;
    }
    let bytes = archive.finish().map_err(|error| failed(&error))?.into_inner();
    Ok(file(format!("{name}.zip"), bytes))
}

/// A script that computes a cell again.
pub(super) async fn script(
    lab: &mut Lab,
    place: &ModelRef,
    question: &Question,
    cell: (MapSite, usize, usize),
) -> Result<File> {
    let text = lab.script(question, cell, &files(lab, place)).await?;
    Ok(file(format!("check-layer-{}-token-{}.py", cell.2, cell.1), text.into_bytes()))
}

/// Where transformers finds the loaded model.
fn files(lab: &Lab, place: &ModelRef) -> Files {
    let (model, family) = (lab.model(), lab.model().info.family.as_str());
    let files = match place {
        ModelRef::Bundled { name } => Files::bundled(family, name),
        ModelRef::Hub { id, revision, file } => {
            let mut files = Files::gguf(family, id, file.clone());
            files.revision.clone_from(revision);
            files
        }
        ModelRef::Files { .. } | ModelRef::Url { .. } | ModelRef::Cached { .. } => {
            Files::named(family, &model.info.name)
        }
    };
    files.noting(model.own_head, model.compute.info.precision)
}

/// A model's name as a part of a file's.
fn plain(model: &Model) -> String {
    model.info.name.replace('/', "--")
}
