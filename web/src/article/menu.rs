//! What can be saved or copied of a figure or table, and whether that worked.

use super::Desk;
use super::plate::Plate;

use crate::components::hear;
use crate::take;
use engram_core::tables::Table;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// The last thing that was done, for everyone to hear. One line a page: actions are one at a time.
#[derive(Clone, Copy)]
pub(super) struct Said(RwSignal<String>);

/// Provides the line; the sections below use it.
pub(super) fn provide() {
    provide_context(Said(RwSignal::new(String::new())));
}

/// The line; beside it stands the ear for all buttons that carry what they copy, those of printed sections among them.
pub(super) fn said() -> AnyView {
    let Some(Said(said)) = use_context::<Said>() else { return ().into_any() };
    hear(move |_, text| copy_told(Some(Said(said)), text));
    view! { <p class="done" role="status">{move || said.get()}</p> }.into_any()
}

fn tell(said: Option<Said>, text: String) {
    if let Some(Said(said)) = said {
        said.set(text);
    }
}

/// Tells whether a file was saved.
fn saved(said: Option<Said>, name: &str, done: bool) {
    let text = if done { format!("{name} is saved.") } else { format!("The browser did not save {name}.") };
    tell(said, text);
}

/// A button that saves a text as a file.
pub(super) fn file(
    label: &'static str,
    name: String,
    kind: &'static str,
    make: impl Fn() -> Option<Vec<u8>> + 'static,
) -> AnyView {
    file_of(label, kind, move || (name.clone(), make()))
}

/// A button that saves what it is given under a name that it is given.
pub(super) fn file_of(
    label: &'static str,
    kind: &'static str,
    make: impl Fn() -> (String, Option<Vec<u8>>) + 'static,
) -> AnyView {
    let said = use_context::<Said>();
    let make = move |(): ()| {
        let (name, bytes) = make();
        let done = bytes.is_some_and(|bytes| take::save(&name, kind, &bytes));
        saved(said, &name, done);
    };
    let click = move |_| make(());
    view! { <button type="button" on:click=click>{label}</button> }.into_any()
}

/// A button that copies what it is given.
pub(super) fn copy(label: &'static str, make: impl Fn() -> String + 'static) -> AnyView {
    let told = use_context::<Said>();
    let click = move |_| copy_told(told, make());
    view! { <button type="button" on:click=click>{label}</button> }.into_any()
}

/// Copies a text, and says whether that went well; where not, the text is there to copy by hand.
fn copy_told(told: Option<Said>, text: String) {
    let shown = text.clone();
    take::copy(text, move |copied| {
        tell(told, if copied { "Copied.".into() } else { format!("Clipboard unavailable: {shown}") });
    });
}

/// A button that copies an element for other pages, which shows one figure of this one.
pub(super) fn embed(label: &'static str, plate: Plate) -> AnyView {
    copy(label, move || {
        let here = window().location().href().unwrap_or_default();
        let page = here.split('#').next().unwrap_or_default().replace('&', "&amp;").replace('"', "%22");
        let (name, title) = (plate.id.trim_start_matches("figure-"), plate.title.replace('"', "&quot;"));
        format!(
            "<iframe src=\"{page}#figure={name}&amp;embed\" title=\"{title}\" width=\"100%\" height=\"520\" \
             loading=\"lazy\" style=\"border:0\"></iframe>"
        )
    })
}

/// The address of a place in this page, with what is chosen.
fn address(place: &str) -> String {
    let here = window().location().href().unwrap_or_default();
    let (page, chosen) = here.split_once('#').unwrap_or((&here, ""));
    let pairs = chosen.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("see="));
    let pairs: Vec<String> = pairs.map(str::to_owned).chain([format!("see={place}")]).collect();
    format!("{page}#{}", pairs.join("&"))
}

/// A figure's picture, as it is chosen now.
fn picture(plate: Plate, desk: &Desk) -> Option<String> {
    if !plate.still {
        return take::svg(&document().get_element_by_id(plate.id)?, plate.title);
    }
    let place: web_sys::HtmlElement = document().create_element("div").ok()?.dyn_into().ok()?;
    let desk = Desk { live: false, ..desk.clone() };
    let drawn = mount_to(place.clone(), move || (plate.draw)(&desk));
    let svg = take::svg(&place, plate.title);
    drop(drawn);
    svg
}

/// The menu of a figure.
pub(super) fn figure(plate: Plate, desk: &Desk) -> AnyView {
    let (id, title) = (plate.id, plate.title);
    let said = use_context::<Said>();
    let [one, two] = [desk.clone(), desk.clone()];
    let picture = move |desk: &Desk| picture(plate, desk);
    let svg = file("SVG", format!("{id}.svg"), "image/svg+xml", move || picture(&one).map(String::into_bytes));
    let png = move |_| {
        let name = format!("{id}.png");
        let told = name.clone();
        let begun = picture(&two).and_then(|svg| take::png(name, &svg, move |done| saved(said, &told, done)));
        if begun.is_none() {
            saved(said, &format!("{id}.png"), false);
        }
    };
    view! {
        <p class="menu" role="group" aria-label=format!("Save and copy: {title}")>
            {svg}
            <button type="button" on:click=png>"PNG"</button>
            {copy("Copy link", move || address(id))}
            {embed("Embed", plate)}
        </p>
    }
    .into_any()
}

/// The menu of a table.
pub(super) fn table(table: &Table) -> AnyView {
    let (number, title) = (table.number, table.title.clone());
    let name = |end: &str| format!("table-{number}.{end}");
    let [one, two, three] = [table.clone(), table.clone(), table.clone()];
    let csv = file("CSV", name("csv"), "text/csv", move || one.to_csv().ok().map(String::into_bytes));
    let markdown = file("Markdown", name("md"), "text/markdown", move || Some(two.to_markdown().into_bytes()));
    let latex = file("LaTeX", name("tex"), "text/x-tex", move || Some(three.to_latex().into_bytes()));
    let link = copy("Copy link", move || address(&format!("table-{number}")));
    view! {
        <p class="menu" role="group" aria-label=format!("Save and copy: Table {number}. {title}")>
            {csv} {markdown} {latex} {link}
        </p>
    }
    .into_any()
}
