//! What `engram edit --retrace` shows: both answers' traces before and after the edit, in one table and on one scale.

use crate::render::heatmap::{self, Heatmap};
use crate::render::style::Screen;
use crate::render::table::{self, Align, Table};
use crate::render::text;
use engram_core::metrics::{self, Dominant, MetricConvention, When};
use engram_core::record::{PatchPosition, Retraced, Traced};

/// The table and the maps.
pub fn draw(retraced: &Retraced, screen: Screen, borders: bool) -> String {
    let Retraced { own, again } = retraced;
    let mut parts = vec![table::render(&rows(retraced), screen, borders)];
    let before = own.traced().map(|old| (&own.target_true, old, &again.old_after));
    let pairs = before.into_iter().chain([(&own.target_new, &again.new_before, &again.new_after)]);
    for (answer, before, after) in pairs {
        let [Some(one), Some(two)] = [before, after].map(|traced| Some(traced.maps.as_ref()?.residual.clone())) else {
            continue;
        };
        let all = || one.iter().chain(&two).flatten().copied().filter(|p| p.is_finite());
        let scale = [all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max)];
        let apart = |(one, two): (&Vec<f32>, &Vec<f32>)| one.iter().zip(two).map(|(one, two)| two - one).collect();
        let widest = scale[1] - scale[0];
        let answer = text::token(answer.trim());
        let map = |when: &str, values: Vec<Vec<f32>>| Heatmap {
            title: format!("p({answer}) with one clean state put back: {when}"),
            tokens: before.corrupt_tokens.clone(),
            subject: before.corrupt_span[0]..before.corrupt_span[1],
            values,
            scale: Some(scale),
            ..Heatmap::default()
        };
        let difference = one.iter().zip(&two).map(apart).collect();
        let signed = Heatmap { scale: Some([-widest, widest]), signed: true, ..map("after minus before", difference) };
        let maps = [map("before the edit", one), map("after the edit, on the same scale", two), signed];
        parts.extend(maps.map(|map| heatmap::render(&map, screen)));
    }
    parts.join("\n\n")
}

/// What a table can say of the four traces.
fn rows(Retraced { own, again }: &Retraced) -> Table {
    let name = |when: When| {
        let [which, edit] = when.names();
        let answer = if which == "old" { &own.target_true } else { &own.target_new };
        format!("{} {edit}", text::token(answer.trim()))
    };
    let names = When::ALL.map(name);
    let head: Vec<(&str, Align)> = std::iter::once(("traced", Align::Left))
        .chain(names.iter().map(|name| (name.as_str(), Align::Right)))
        .collect();
    let mut table = Table::new("", &head);
    let mut row = |name: &str, value: &dyn Fn(&Traced) -> String| {
        let of = |when: When| own.traced().map_or_else(|| "?".to_owned(), |own| value(when.of(own, again)));
        table.row(std::iter::once(name.to_owned()).chain(When::ALL.map(of)).collect::<Vec<_>>());
    };
    row("p clean", &|traced| text::probability(traced.p_clean));
    row("p corrupt", &|traced| text::probability(traced.p_corrupt));
    for position in [PatchPosition::SubjectLast, PatchPosition::LastToken] {
        row(&format!("peak, {}", position.name()), &|traced| peak(traced, position));
        row(&format!("R, {}", position.name()), &|traced| redundancy(traced, position));
    }
    table
}

/// The dominant layer and what its state restores.
fn peak(traced: &Traced, position: PatchPosition) -> String {
    let curve = metrics::sufficiency(traced, position).unwrap_or_default();
    match metrics::dominant(traced, position, false) {
        Some(Dominant::Layer(layer)) => format!("layer {layer} ({:+.4})", curve[layer - 1]),
        Some(Dominant::NotLocalized) => "not localized".into(),
        None => "none".into(),
    }
}

/// R, and the block that was ablated; what has no effect has none.
fn redundancy(traced: &Traced, position: PatchPosition) -> String {
    let view = MetricConvention::default().with_position(position);
    match metrics::redundancy(&[traced], &view) {
        Some(found) => format!("{:.3} without {}", found.r.mean, found.ablated),
        None => "–".into(),
    }
}
