//! The drawer of settings: how the subject is corrupted, which answers are read, how the maps are drawn.

use super::maps::replaced_by;
use super::run::{Source, Tracer};
use crate::components::trace::Pointer;
use crate::figures::choice::Way;
use crate::figures::question::{Asked, Field};
use crate::figures::trace::Scale;
use crate::lab::Tab;
use crate::lab::browser::focus_soon;
use crate::state::{LabState, MapView, POSITIONS, ViewState};
use crate::words;
use engram_core::record::PatchPosition;
use leptos::{ev, prelude::*};

/// The drawer.
#[component]
pub(super) fn Settings(tracer: Tracer, open: RwSignal<bool>, pointer: Pointer, go: Callback<()>) -> impl IntoView {
    // The focus goes into the drawer, and back to its button.
    let close = move || {
        open.set(false);
        focus_soon("#trace-settings");
    };
    window_event_listener(ev::keydown, move |event| {
        let here = tracer.page.lab.with_untracked(|lab| lab.tab == Tab::Trace);
        if event.key() == "Escape" && here && open.get_untracked() && !event.default_prevented() {
            close();
        }
    });
    // It covers the button of the screen, so it has one of its own, which shows what was asked for.
    let shut = Memo::new(move |_| {
        tracer.running.get().is_some() || tracer.draft.asked.with(|asked| !asked.problems().is_empty())
    });
    let label = move || match tracer.draft.way() {
        Way::Consent(_) => "Load the model first…",
        _ => "Trace with these settings",
    };
    let trace = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if !shut.get_untracked() {
            close();
            go.run(());
        }
    };
    Effect::new(move |_| {
        if open.get() {
            focus_soon(".drawer button");
        }
    });
    move || {
        open.get().then(|| view! {
            <aside class="drawer" aria-label="Settings">
                <h2>"Settings" <button type="button" class="quiet" aria-label="Close the settings" on:click=move |_| close()>"Close"</button></h2>
                // Enter in a field traces, as it does in the prompt.
                <form on:submit=trace>
                    <Run tracer=tracer />
                    <Look tracer=tracer pointer=pointer />
                    <p class="foot">
                        <button type="submit" class="primary" disabled=move || shut.get()>{label} " " <kbd>"↵"</kbd></button>
                    </p>
                </form>
            </aside>
        })
    }
}

/// One of two or more, as buttons side by side.
#[component]
fn Segments<T: Copy + PartialEq + Send + Sync + 'static>(
    label: &'static str,
    all: Vec<(T, &'static str)>,
    now: Signal<T>,
    choose: Callback<T>,
) -> impl IntoView {
    let one = move |(value, name): (T, &'static str)| {
        view! {
            <button type="button" aria-pressed=move || (now.get() == value).to_string() on:click=move |_| choose.run(value)>
                {name}
            </button>
        }
    };
    view! {
        <span class="label">{label}</span>
        <span class="segments" role="group" aria-label=label>{all.into_iter().map(one).collect_view()}</span>
    }
}

/// What is run: a change makes the shown result stale.
#[component]
fn Run(tracer: Tracer) -> impl IntoView {
    let draft = tracer.draft;
    let noise = Signal::derive(move || draft.asked.with(|asked| asked.noise));
    let text = move |label: &'static str,
                     id: &'static str,
                     place: Signal<String>,
                     get: fn(&Asked) -> &String,
                     set: fn(&mut Asked, String)| {
        view! {
            <label for=id>{label}</label>
            <input
                type="text"
                id=id
                spellcheck="false"
                placeholder=place
                prop:value=move || draft.asked.with(|asked| get(asked).clone())
                on:input:target=move |event| {
                    let text = event.target().value();
                    draft.change(|asked| set(asked, text));
                }
            />
        }
    };
    // What was chosen, where that was left open.
    let used = Signal::derive(move || {
        let open = tracer.live.with(|live| {
            let question = live.as_ref().and_then(|live| live.question.as_ref());
            question.is_some_and(|question| replaced_by(&question.corruption).is_some_and(|with| with.is_empty()))
        });
        let used = tracer.with_record(|record| replaced_by(&record.settings.corruption)).flatten();
        let used = used.filter(|_| open && tracer.source.get() == Source::Live);
        used.map_or("a name with as many tokens".to_owned(), |used| format!("a name with as many tokens: {used}"))
    });
    let wrong = move || {
        let all = draft.asked.with(Asked::problems).into_iter().filter(|(field, _)| *field == Field::Answers);
        all.map(|(_, why)| why).collect::<Vec<_>>().join(" ")
    };
    let own = Signal::derive(move || "the model’s own".to_owned());
    let second = Signal::derive(move || "the model’s second".to_owned());
    let window = move || {
        draft.asked.with(|asked| match asked.window {
            0 => String::new(),
            window => window.to_string(),
        })
    };
    view! {
        <div class="setting">
            <Segments
                label="Corruption"
                all=vec![(false, "replace subject"), (true, "add noise (3 σ)")]
                now=noise
                choose=Callback::new(move |noise| draft.change(|asked| asked.noise = noise))
            />
        </div>
        {move || (!noise.get()).then(|| view! {
            <div class="setting">
                {text("Replace the subject with", "trace-instead", used, |asked| &asked.instead, |asked, text| asked.instead = text)}
                <p class="help">"With as many tokens as the subject every row can be measured. Studies and the paper use “Random Person”."</p>
            </div>
        })}
        <div class="setting">
            {text("True answer", "trace-target", own, |asked| &asked.target, |asked, text| asked.target = text)}
        </div>
        <div class="setting">
            {text("Counterfactual answer", "trace-new", second, |asked| &asked.new, |asked, text| asked.new = text)}
            <p class="why" role="status">{wrong}</p>
        </div>
        <div class="setting">
            <label for="trace-window">"Window of the MLP and attention maps, in layers"</label>
            <input
                type="number"
                id="trace-window"
                min="1"
                max="1000"
                step="1"
                placeholder="auto"
                prop:value=window
                on:change:target=move |event| {
                    // A text that is not a number leaves the window to the model's depth.
                    let window = event.target().value().parse().unwrap_or(0);
                    draft.change(|asked| asked.window = window);
                }
            />
            <p class="help">"The largest odd number up to a third of the depth; 10 from 30 layers on."</p>
        </div>
    }
}

/// How it is looked at: a change draws anew.
#[component]
fn Look(tracer: Tracer, pointer: Pointer) -> impl IntoView {
    let (lab, state) = (tracer.page.lab, tracer.page.state);
    let view = Memo::new(move |_| lab.with(|lab| lab.map));
    let set = move |change: fn(&mut MapView)| lab.update(|lab| change(&mut lab.map));
    let positions = move || {
        let one = |position: PatchPosition| {
            let chosen = move || state.with(|state| state.position) == position;
            view! { <option value=position.name() selected=chosen>{words::patch_position(position)}</option> }
        };
        POSITIONS.into_iter().map(one).collect_view()
    };
    let reset = move |_| {
        pointer.release();
        lab.update(|lab| {
            *lab = LabState {
                noise: false,
                instead: String::new(),
                window: 0,
                map: MapView::default(),
                layer: None,
                ..lab.clone()
            };
        });
        let default = ViewState::default();
        state.update(|state| (state.position, state.argmax_always) = (default.position, default.argmax_always));
    };
    view! {
        <div class="setting">
            <Segments
                label="Rows"
                all=vec![(false, "tokens"), (true, "roles, averaged")]
                now=Signal::derive(move || view.get().roles)
                choose=Callback::new(move |roles| if roles { set(|map| map.roles = true) } else { set(|map| map.roles = false) })
            />
        </div>
        <div class="setting">
            <Segments
                label="Scale"
                all=Scale::ALL.to_vec()
                now=Signal::derive(move || view.get().scale)
                choose=Callback::new(move |scale| lab.update(|lab| lab.map.scale = scale))
            />
            <p class="help">"√ shows small recoveries more strongly; own makes the map’s highest cell the darkest."</p>
        </div>
        <div class="setting">
            <label for="trace-position">"Restore at"</label>
            <select
                id="trace-position"
                on:change:target=move |event| {
                    if let Some(position) = crate::state::position(&event.target().value()) {
                        state.update(|state| state.position = position);
                    }
                }
            >
                {positions}
            </select>
            <p class="help">"The patch position whose dominant layer an edit takes, and the tables of the Study screen."</p>
        </div>
        <div class="setting">
            <label class="tick-box">
                <input
                    type="checkbox"
                    prop:checked=move || state.with(|state| state.argmax_always)
                    on:change:target=move |event| {
                        let on = event.target().checked();
                        state.update(|state| state.argmax_always = on);
                    }
                />
                "Always assign a layer (paper’s convention)"
            </label>
        </div>
        <div class="setting">
            <button type="button" on:click=reset>"Reset to defaults"</button>
        </div>
    }
}
