//! What a large page leaves out of its records.

use crate::metrics::shown_edits;
use crate::record::{EditRecord, Record};
use std::collections::BTreeSet;

/// Records without the losses of searches that no page shows: those of edits that are not at their fact's dominant layer.
/// Such edits say so ([`EditRecord::without_losses`]). `None` where there is nothing to leave out.
pub fn extract(records: &[Record]) -> Option<Vec<Record>> {
    let extracted: Vec<Record> = records.iter().map(one).collect();
    (extracted != records).then_some(extracted)
}

fn one(record: &Record) -> Record {
    let mut record = record.clone();
    if record.settings.edit.layers.is_sweep() {
        let key = |edit: &EditRecord| (edit.method, edit.fact, edit.layer);
        let shown: BTreeSet<_> = shown_edits(&record).into_iter().map(key).collect();
        let others = record.edits.iter_mut().flatten().filter(|edit| !shown.contains(&key(edit)));
        others.filter(|edit| !edit.loss.is_empty()).for_each(|edit| {
            edit.loss.clear();
            if let Some(search) = &mut edit.search {
                search.nll.clear();
                search.kl.clear();
            }
            edit.without_losses = true;
        });
    }
    record
}
