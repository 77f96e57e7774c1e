//! What others have published of edits, to stand beside one's own: as printed there, each with its protocol and source.

use super::parts::{plain, text};
use super::{Cell, Table};

/// Model, weights, protocol, `[S, ES, PS, NS]` and where it is printed.
type Row = (&'static str, &'static str, &'static str, [f64; 4], &'static str);

const SINGLE: &str = "single edits";
const AT_ONCE: &str = "10,000 at once";
const IN_TURN: &str = "2,000 in turn, batches of 100";
const ROME_4: &str = "Meng et al. 2022, Table 4";
const ROME_5: &str = "Meng et al. 2022, Table 5";
const MEMIT_1: &str = "Meng et al. 2023, Table 1";
const ALPHA_1: &str = "Fang et al. 2025, Table 1";

const ROWS: [Row; 20] = [
    ("GPT-2 Medium", "unedited", SINGLE, [33.4, 25.0, 27.4, 74.9], ROME_5),
    ("GPT-2 Medium", "FT+L", SINGLE, [68.0, 100.0, 68.5, 51.3], ROME_5),
    ("GPT-2 Medium", "ROME", SINGLE, [87.4, 100.0, 96.4, 71.8], ROME_5),
    ("GPT-2 Large", "unedited", SINGLE, [32.8, 23.9, 27.4, 75.7], ROME_5),
    ("GPT-2 Large", "ROME", SINGLE, [88.2, 99.9, 96.3, 73.4], ROME_5),
    ("GPT-2 XL", "unedited", SINGLE, [30.5, 22.2, 24.7, 78.1], ROME_4),
    ("GPT-2 XL", "FT", SINGLE, [65.1, 100.0, 87.9, 40.4], ROME_4),
    ("GPT-2 XL", "FT+L", SINGLE, [66.9, 99.1, 48.7, 70.3], ROME_4),
    ("GPT-2 XL", "MEND", SINGLE, [57.9, 99.1, 65.4, 37.9], ROME_4),
    ("GPT-2 XL", "ROME", SINGLE, [89.2, 100.0, 96.4, 75.4], ROME_4),
    ("GPT-J 6B", "unedited", SINGLE, [23.6, 16.3, 18.6, 83.0], ROME_4),
    ("GPT-J 6B", "ROME", SINGLE, [91.5, 99.9, 99.1, 78.9], ROME_4),
    ("GPT-J 6B", "unedited", AT_ONCE, [22.4, 15.2, 17.7, 83.5], MEMIT_1),
    ("GPT-J 6B", "FT-W", AT_ONCE, [67.6, 99.4, 77.0, 46.9], MEMIT_1),
    ("GPT-J 6B", "ROME", AT_ONCE, [50.3, 50.2, 50.4, 50.2], MEMIT_1),
    ("GPT-J 6B", "MEMIT", AT_ONCE, [85.8, 98.9, 88.6, 73.7], MEMIT_1),
    ("Llama-3-8B-Instruct", "unedited", IN_TURN, [f64::NAN, 7.85, 10.58, 89.48], ALPHA_1),
    ("Llama-3-8B-Instruct", "ROME", IN_TURN, [f64::NAN, 64.40, 61.42, 49.44], ALPHA_1),
    ("Llama-3-8B-Instruct", "MEMIT", IN_TURN, [f64::NAN, 65.65, 64.65, 51.56], ALPHA_1),
    ("Llama-3-8B-Instruct", "AlphaEdit", IN_TURN, [f64::NAN, 98.90, 94.22, 67.88], ALPHA_1),
];

/// Table 8: published values of edits on CounterFact.
pub fn published() -> Table {
    let number = |value: f64| match value.is_nan() {
        true => Cell::Missing,
        false => Cell::Number { value, decimals: 1 },
    };
    let row = |(model, weights, protocol, values, source): Row| {
        let mut row: Vec<Cell> = [model, weights, protocol].map(|text| Cell::Text(text.into())).into();
        row.extend(values.map(number));
        row.push(Cell::Text(source.into()));
        row
    };
    let mut columns = vec![text("model"), text("weights"), text("protocol")];
    columns.extend(["S (rome)", "ES (rome)", "PS (rome)", "NS (rome)"].map(plain));
    columns.push(text("source"));
    Table {
        number: 8,
        title: "Published edits on CounterFact, not measured here".into(),
        columns,
        rows: ROWS.map(row).into(),
        notes: vec![
            "As printed by their authors, on the original CounterFact. Facts files that are rebuilt from it have other \
             neighbours: NS compares only roughly. Rows of two protocols do not compare: single edits are each undone \
             before the next."
                .into(),
        ],
    }
}
