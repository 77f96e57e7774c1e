//! The studies' settings side by side; those that differ first of all.

use crate::figures::compare::Setting;
use leptos::prelude::*;

/// The table.
#[component]
pub fn Settings(
    /// Names of the studies.
    names: Vec<String>,
    /// Their settings.
    settings: Vec<Setting>,
) -> impl IntoView {
    let only = RwSignal::new(true);
    let differing = settings.iter().filter(|setting| setting.differs).count();
    let head: Vec<_> = names.into_iter().map(|name| view! { <th scope="col">{name}</th> }).collect();
    let rows = move || {
        let row = |setting: &Setting| {
            let cells: Vec<_> =
                setting.values.iter().map(|value| view! { <td>{super::super::about::value(value)}</td> }).collect();
            let mark = setting.differs.then_some("≠");
            view! {
                <tr class:differs=setting.differs>
                    <th scope="row">{setting.name} " " {mark}</th>
                    {cells}
                </tr>
            }
        };
        let shown = settings.iter().filter(|setting| setting.differs || !only.get());
        shown.map(row).collect_view()
    };
    let note = (differing == 0).then(|| view! { <p class="faint">"All settings agree."</p> });
    view! {
        <label class="tick-box">
            <input
                type="checkbox"
                prop:checked=move || only.get()
                on:change:target=move |event| only.set(event.target().checked())
            />
            <span>"Differences only"</span>
        </label>
        {note}
        <div class="scroll settings" tabindex="0" role="region" aria-label="Settings of the studies">
            <table>
                <caption>"Settings"</caption>
                <thead>
                    <tr>
                        <th scope="col">"setting"</th>
                        {head}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
