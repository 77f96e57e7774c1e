//! A numbered figure with its finding, and what can be saved or copied of it.

use super::said::told;
use super::{Desk, compress, edit, localize, maps, menu, prediction, retrace, sequence};

use leptos::prelude::*;

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
pub(crate) const PLATES: [Plate; 14] = [
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

impl Plate {
    /// The figure on the page.
    pub(crate) fn show(self, desk: &Desk) -> AnyView {
        let (drawn, said) = (desk.clone(), desk.clone());
        let menu = desk.live.then(|| menu::figure(self, desk));
        view! {
            <figure class="plate" id=self.id>
                <div class="drawn">{move || (self.draw)(&drawn)}</div>
                <p class="finding">
                    <b>{self.title} ". "</b>
                    {move || said.told.with(|all| all.said.caption(self.id).map(told))}
                </p>
                {menu}
            </figure>
        }
        .into_any()
    }
}
