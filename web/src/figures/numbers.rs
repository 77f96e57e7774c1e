//! The numbers behind a figure as a file.

use crate::words;
use engram_core::tables::{csv, csv_text};

/// A table of a figure as CSV: what it shows, with an ASCII minus. A mean takes three columns.
pub fn to_csv(head: &[String], rows: &[Vec<String>]) -> Option<String> {
    let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
    let means: Vec<bool> =
        (0..head.len()).map(|at| rows.iter().any(|row| words::mean_parts(&cell(row, at)).is_some())).collect();
    let columns = || head.iter().enumerate().zip(&means);
    let names = columns().flat_map(|((_, name), mean)| match mean {
        true => vec![name.clone(), format!("{name} sem"), format!("{name} n")],
        false => vec![name.clone()],
    });
    let number = |text: &str| text.replace('−', "-");
    let text = |text: &str| {
        let plain = number(text);
        if plain.parse::<f64>().is_ok() { plain } else { csv_text(text) }
    };
    let fields = |row: &Vec<String>| -> Vec<String> {
        let one = |((at, _), mean): ((usize, &String), &bool)| match (mean, words::mean_parts(&cell(row, at))) {
            (true, Some(parts)) => parts.map(number).to_vec(),
            (true, None) => vec![text(&cell(row, at)), String::new(), String::new()],
            (false, _) => vec![text(&cell(row, at))],
        };
        columns().flat_map(one).collect()
    };
    csv(&names.collect::<Vec<_>>(), &rows.iter().map(fields).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::metrics::Mean;

    #[test]
    fn means_take_three_columns_and_texts_do_not_act() {
        let mean = |mean, sem| words::mean(&Mean { mean, sem, n: 9 });
        let head = ["layer", "value", "token"].map(String::from);
        let rows = [
            vec!["1".into(), mean(-0.25, Some(0.01)), "=1+1".into()],
            vec!["2".into(), mean(0.5, None), "a,b".into()],
            vec!["3".into(), "–".into(), words::number(-0.5)],
            vec!["4".into()],
        ];
        let wanted = "layer,value,value sem,value n,token\n1,-0.2500,0.0100,9,'=1+1\n2,0.5000,,9,\"a,b\"\n3,–,,,-0.5000\n4,,,,\n";
        assert_eq!(to_csv(&head, &rows).as_deref(), Some(wanted));
    }
}
