//! A numbered figure with its finding, and what can be saved or copied of it.

use super::said::of_studies;
use super::{Desk, compress, edit, localize, maps, menu, prediction, retrace, sequence};
use crate::figures::article::finding::Finding;

use leptos::{ev, prelude::*};

/// A figure of the article, as a whole: for the page, and for pictures.
#[derive(Clone, Copy)]
pub(crate) struct Plate {
    /// Its place in addresses, and the stem of its files.
    pub(crate) id: &'static str,
    /// Its number and title.
    pub(crate) title: &'static str,
    /// Alive it is no drawing: pictures are taken of its printed form.
    pub(crate) still: bool,
    /// What is drawn.
    pub(crate) draw: fn(&Desk) -> AnyView,
}

/// All figures, in the order of the article. The paper's numbers where it has them, letters elsewhere.
#[cfg_attr(not(feature = "print"), expect(dead_code, reason = "the whole list is for pictures"))]
pub(crate) const PLATES: [Plate; 15] = [
    localize::ROLES,
    localize::SUFFICIENCY,
    localize::SECOND,
    localize::DOMINANT,
    localize::ABLATIONS,
    compress::CURVES,
    compress::PANELS,
    edit::DEPTH,
    edit::ANSWERS,
    retrace::CURVES,
    retrace::MAPS,
    prediction::LAYERS,
    prediction::DOTS,
    sequence::EDITS,
    maps::MAPS,
];

/// Longest text under a finding that is shown at once, in characters.
const SHORT: usize = 260;

impl Plate {
    /// The figure on the page.
    pub(crate) fn show(self, desk: &Desk) -> AnyView {
        let (drawn, said) = (desk.clone(), desk.clone());
        let menu = desk.is_live().then(|| menu::figure(self, desk));
        // A caption is written anew when another patch position is chosen; what was opened of it stays so.
        let open = RwSignal::new(false);
        view! {
            <figure class="plate" id=self.id>
                <div class="drawn">{move || (self.draw)(&drawn)}</div>
                <figcaption class="finding">
                    {move || said.told.with(|all| caption(self.title, all.said.caption(self.id), open))}
                </figcaption>
                {menu}
            </figure>
        }
        .into_any()
    }
}

/// A caption: the title with the finding of each study, and the rest, folded where it is long.
fn caption(title: &'static str, finding: Option<&Finding>, open: RwSignal<bool>) -> AnyView {
    let note = finding.map(|finding| finding.note.clone()).unwrap_or_default();
    let rest = match note.chars().count() {
        0 => ().into_any(),
        1..=SHORT => view! { <span class="note">{note}</span> }.into_any(),
        _ => {
            let turned =
                move |event: ev::Event| open.set(event_target::<web_sys::Element>(&event).has_attribute("open"));
            view! {
                <details class="note" open=open.get_untracked() on:toggle=turned>
                    <summary>"More about this figure"</summary>
                    {note}
                </details>
            }
            .into_any()
        }
    };
    let found = finding.map(|finding| view! { <span class="found">{of_studies(finding)}</span> });
    view! { <b>{title} ". "</b> {found} {rest} }.into_any()
}
