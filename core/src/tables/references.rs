//! What edited models write, beside reference texts.

use super::parts::{count, labels, mean, plain, shaped, text};
use super::{Cell, Shape, Table};
use crate::facts::ReferenceTexts;
use crate::metrics::{Mean, Tfidf};
use crate::record::{EditRecord, Record};

/// Table 9: RS of the texts that the model writes about an edited subject, a row for the unedited model and one for each method. `None`
/// where no fact has texts of both.
pub fn table9(records: &[Record], references: &ReferenceTexts) -> Option<Table> {
    let tfidf = Tfidf::over(references.all());
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (label, record) in labels(records).into_iter().zip(records) {
        for (at, method) in record.settings.edit.methods.iter().enumerate() {
            let edits: Vec<&EditRecord> = record.edits.iter().flatten().filter(|edit| edit.method == at).collect();
            for (side, weights) in [(0, "unedited".to_owned()), (1, method.title())] {
                let all = edits.iter().filter_map(|edit| score(record, edit, side, (&tfidf, references)));
                let Some(Mean { mean: m, sem, n }) = Mean::of(all) else { continue };
                let percent = Mean { mean: 100.0 * m, sem: sem.map(|sem| 100.0 * sem), n };
                let row = vec![Cell::Text(label.clone()), Cell::Text(weights), count(n), mean(Some(percent), 1)];
                // Methods that edit the same facts start from the same model.
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
    }
    (!rows.is_empty()).then(|| Table {
        number: 9,
        title: "What is written about the subject, beside reference texts".into(),
        columns: vec![text("model"), text("weights"), plain("edits"), shaped("RS (rome)", Shape::Mean)],
        rows,
        notes: vec![
            "Percent, mean ± standard error over facts: the cosine of TF-IDF vectors of the model's own texts about the \
             subject and of reference texts about other things of which the new answer holds. Published values are over \
             the reference texts of the original CounterFact."
                .into(),
        ],
    })
}

fn score(
    record: &Record,
    edit: &EditRecord,
    side: usize,
    (tfidf, references): (&Tfidf, &ReferenceTexts),
) -> Option<f64> {
    let fact = record.facts.iter().find(|fact| fact.order == edit.fact)?;
    let about = references.about(&fact.relation, &edit.target_new_id, &fact.target_new)?;
    let own: Vec<&str> = edit.generations.iter().map(|one| one.texts[side].as_str()).collect();
    (!own.is_empty()).then(|| tfidf.similarity(&own.join(" "), &about.join(" ")))
}
