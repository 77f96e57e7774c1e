//! Both answers traced again after edits: what one clean state restores of each, layer by layer, before and after.

use super::heatmap::{Cells, Heat, MapSet, Token};
use super::lines::{Along, Line, Lines, Panel};
use crate::words;
use engram_core::metrics::{Dominant, MetricConvention, RetraceSummary, When, dominant, redundancy, sufficiency};
use engram_core::record::{FactRecord, Record, Retrace, Traced};

/// Mean curves of both answers.
pub fn again(name: &str, record: &Record, found: &RetraceSummary) -> Lines {
    let line = |when: When| {
        let [_, edit] = when.names();
        let own = found.again.iter().find(|again| again.when == when);
        let curve = own.map(|own| own.curve.iter().copied().map(Some).collect());
        Line { name: format!("{edit} the edit"), values: curve.unwrap_or_default() }
    };
    let layers = record.model.layers;
    Lines {
        title: format!("{name}, {}", found.method),
        along: Along::Layers { count: layers, own: (1..=layers).collect() },
        panels: [
            Panel::new(
                "effect on the old answer: mean over edits",
                [When::OldBefore, When::OldAfter].map(line).into_iter(),
            ),
            Panel::new(
                "effect on the new answer: mean over edits",
                [When::NewBefore, When::NewAfter].map(line).into_iter(),
            ),
        ],
    }
}

/// Maps of one answer before and after an edit, and their difference, as effects `p_patch - p_corrupt` on one scale. `None` where one
/// of both has no map.
pub fn maps(before: &Traced, after: &Traced) -> Option<MapSet> {
    let effects = |traced: &Traced| -> Option<Vec<Vec<f64>>> {
        let less = |p: &f32| f64::from(*p) - f64::from(traced.p_corrupt);
        let map = &traced.maps.as_ref()?.residual;
        Some(map.iter().map(|row| row.iter().map(less).collect()).collect())
    };
    let (one, two) = (effects(before)?, effects(after)?);
    let minus = |(one, two): (&Vec<f64>, &Vec<f64>)| one.iter().zip(two).map(|(one, two)| two - one).collect();
    let difference: Vec<Vec<f64>> = one.iter().zip(&two).map(minus).collect();
    let [start, end] = before.corrupt_span;
    let token =
        |(row, text): (usize, &String)| Token { text: words::token(text), subject: (start..end).contains(&row) };
    let tokens: Vec<Token> = before.corrupt_tokens.iter().enumerate().map(token).collect();
    let heat = |(name, values): (&str, Vec<Vec<f64>>)| {
        let cells =
            values.iter().enumerate().flat_map(|(row, line)| (1..).zip(line).map(move |(layer, v)| (row, layer, *v)));
        let most = cells.reduce(|best, next| if next.2.abs() > best.2.abs() { next } else { best });
        let sentence = most.map_or_else(
            || format!("{name}: no cell."),
            |(row, layer, value)| {
                let token = tokens.get(row).map_or("", |token| token.text.as_str());
                format!("{name}: furthest from zero is {} at {token}, layer {layer}.", words::signed(value))
            },
        );
        Heat { name: name.to_owned(), peak: None, values, sentence }
    };
    let all = [("before the edit", one), ("after the edit", two), ("after minus before", difference)];
    let maps: Vec<Heat> = all.into_iter().map(heat).collect();
    let span = maps.iter().flat_map(|map| map.values.iter().flatten()).map(|value| value.abs()).fold(0.0, f64::max);
    let layers = maps.iter().flat_map(|map| map.values.iter().map(Vec::len)).max()?;
    Some(MapSet { maps, tokens, layers, baseline: 0.0, span, nothing: None, cells: Cells::Effect })
}

/// What a table says of both answers before and after an edit: column names, and rows whose first cell is their name.
pub fn columns(own: &FactRecord, again: &Retrace) -> (Vec<String>, Vec<Vec<String>>) {
    let view = MetricConvention::default();
    let traces: Vec<&Traced> =
        own.traced().map(|own| When::ALL.map(|when| when.of(own, again))).into_iter().flatten().collect();
    let answer = |when: When| {
        let [which, edit] = when.names();
        let text = if which == "old" { &own.target_true } else { &own.target_new };
        format!("{} {edit}", words::short(&words::visible(text.trim()), 16))
    };
    let head = [String::new()].into_iter().chain(When::ALL.map(answer)).collect();
    let row = |name: &str, value: &dyn Fn(&Traced) -> String| {
        [name.to_owned()].into_iter().chain(traces.iter().map(|traced| value(traced))).collect::<Vec<String>>()
    };
    let peak = |traced: &Traced| match dominant(traced, view.position, false) {
        Some(Dominant::Layer(layer)) => {
            let effect = sufficiency(traced, view.position).and_then(|curve| curve.get(layer - 1).copied());
            format!("layer {layer} ({})", words::signed(effect.unwrap_or_default()))
        }
        Some(Dominant::NotLocalized) => "not localized".into(),
        None => "–".into(),
    };
    let left = |traced: &Traced| match redundancy(&[traced], &view) {
        Some(found) => format!("{} without {}", words::fixed(found.r.mean, 3), found.ablated),
        None => "–".into(),
    };
    let rows = vec![
        row("p clean", &|traced| words::probability(traced.p_clean.into())),
        row("p corrupted", &|traced| words::probability(traced.p_corrupt.into())),
        row("peak, subject-last", &peak),
        row("R", &left),
    ];
    (head, rows)
}

/// Both answers' maps of an edit, with the answers; the fact's own trace is the old one's before the edit.
pub fn both(fact: &FactRecord, again: &Retrace) -> Option<[(String, MapSet); 2]> {
    let own = fact.traced()?;
    let answer = |text: &str| words::visible(text.trim());
    Some([
        (answer(&fact.target_true), maps(own, &again.old_after)?),
        (answer(&fact.target_new), maps(&again.new_before, &again.new_after)?),
    ])
}

/// The first edited fact that has maps before and after.
pub fn first(record: &Record) -> Option<(&FactRecord, [(String, MapSet); 2])> {
    record.edits.iter().flatten().find_map(|edit| {
        let fact = record.facts.iter().find(|fact| fact.order == edit.fact)?;
        Some((fact, both(fact, edit.retrace.as_deref()?)?))
    })
}

/// Whether edits of this record were traced again.
pub fn is_retraced(record: &Record) -> bool {
    record.edits.iter().flatten().any(|edit| edit.retrace.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::heatmap::Shade;
    use super::super::sample;
    use super::*;
    use engram_core::metrics::retrace_summaries;
    use engram_core::record::Maps;

    #[test]
    fn both_answers_have_a_panel() {
        let record = sample::retraced("tiny");
        let all = retrace_summaries(&record, &MetricConvention::default());
        let figure = again("tiny", &record, &all[0]);
        assert_eq!(
            (figure.title.as_str(), figure.panels.each_ref().map(|panel| panel.lines.len())),
            ("tiny, ROME", [2, 2])
        );
        assert_eq!(
            figure.column(2),
            "At layer 3: before the edit 0.000 ± 0.000; after the edit 0.000 ± 0.000; before the edit 0.000 ± 0.000; after the edit 0.700 ± 0.000"
        );
        assert!(is_retraced(&record) && !is_retraced(&sample::record()));
    }

    #[test]
    fn a_table_has_both_answers_before_and_after() {
        let record = sample::retraced("tiny");
        let again = record.edits.iter().flatten().find_map(|edit| edit.retrace.as_deref()).expect("a retrace");
        let (head, rows) = columns(&record.facts[0], again);
        assert_eq!(head, ["", "Paris before", "Paris after", "Rome before", "Rome after"]);
        assert_eq!(
            rows[2][1..],
            ["layer 1 (+0.7000)", "layer 2 (+0.1000)", "layer 1 (0.0000)", "layer 3 (+0.7000)"].map(String::from)
        );
        assert!(rows.iter().all(|row| row.len() == 5) && rows[3][1] == "–", "{rows:?}");
    }

    #[test]
    fn maps_and_their_difference_have_one_scale() {
        let mut record = sample::retraced("tiny");
        assert!(first(&record).is_none(), "no maps");
        let with = |traced: &mut Traced, p: f32| {
            let row = vec![traced.p_corrupt, p];
            traced.maps = Some(Maps { window: 1, residual: vec![row.clone(), row], mlp: vec![], attention: vec![] });
        };
        sample::each(&mut record, |traced| with(traced, 0.9));
        for edit in record.edits.iter_mut().flatten() {
            let again = edit.retrace.as_deref_mut().expect("a retrace");
            let Retrace { new_before, old_after, new_after } = again;
            [(new_before, 0.1), (old_after, 0.2), (new_after, 0.8)].into_iter().for_each(|(traced, p)| with(traced, p));
        }
        let (fact, [(old, one), (new, two)]) = first(&record).expect("maps");
        assert_eq!((fact.order, old.as_str(), new.as_str()), (0, "Paris", "Rome"));
        let at = |set: &MapSet| [0, 1, 2].map(|map| (set.value(map, 1, 2).expect("a cell") * 1000.0).round());
        assert_eq!((at(&one), at(&two)), ([800.0, 100.0, -700.0], [0.0, 700.0, 700.0]));
        assert!((one.span - 0.8).abs() < 1e-6 && (two.span - 0.7).abs() < 1e-6);
        assert!(matches!(one.shades(2, 1)[1], Shade::Down(share) if (share - 0.875).abs() < 1e-6));
        assert!(
            one.maps[2].sentence.starts_with("after minus before: furthest from zero is −0.7"),
            "{}",
            one.maps[2].sentence
        );
    }
}
