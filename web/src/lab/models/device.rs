//! The loaded model's identity, and the device: what it is, why this one, and which is wanted.

use crate::components::About;

use crate::figures::{diagnostics, precision, preflight};
use crate::lab::copying::Copy;
use crate::lab::place::{self, Place};
use crate::lab::{Engine, browser};
use crate::words;
use engram_core::protocol::DeviceChoice;
use engram_core::record::Precision;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What is loaded.
#[component]
pub(crate) fn Identity(engine: Engine) -> impl IntoView {
    let lines = Memo::new(move |_| engine.model.with(|model| model.as_ref().map(preflight::loaded)));
    let told = move || match lines.get() {
        Some(lines) => view! { <About lines=lines /> }.into_any(),
        None => view! { <p class="faint">"No model is loaded."</p> }.into_any(),
    };
    let understood = move || {
        let (lines, notes) = engine.model.with(|model| {
            let model = model.as_ref()?;
            Some((preflight::understood(model), model.notes.clone()))
        })?;
        let note = |note: String| view! { <p class="note">{words::visible(&note)}</p> };
        let line = |(name, value): (String, String)| view! { <dt>{name}</dt> <dd>{value}</dd> };
        Some(view! {
            {notes.into_iter().map(note).collect_view()}
            <h3>"How its files were understood"</h3>
            <p class="faint">"What decides the numbers, with the family's own defaults; compare with config.json."</p>
            <dl id="understood">{lines.into_iter().map(line).collect_view()}</dl>
        })
    };
    view! {
        <section>
            <h2>"The loaded model"</h2>
            {told}
            {understood}
        </section>
    }
}

/// The device, as `engram doctor` tells it.
#[component]
pub(crate) fn Device(engine: Engine) -> impl IntoView {
    let lines = Memo::new(move |_| engine.device.with(|report| report.as_ref().map(diagnostics::device)));
    let busy = Memo::new(move |_| engine.jobs.with(|jobs| !jobs.is_empty()));
    let table = move || match lines.get() {
        Some(lines) => view! { <About lines=lines /> }.into_any(),
        None => view! {
            <p class="choices">
                <button type="button" disabled=move || busy.get() on:click=move |_| begin(engine)>
                    "Open and test the device"
                </button>
                <span class="faint">"It opens automatically when a model is loaded."</span>
            </p>
        }
        .into_any(),
    };
    let choice = move |(wish, label, meaning): (DeviceChoice, &'static str, &'static str)| {
        view! {
            <button
                type="button"
                title=meaning
                disabled=move || busy.get()
                aria-pressed=move || (engine.wish.get() == wish).to_string()
                on:click=move |_| wanted(engine, wish)
            >
                {label}
            </button>
        }
    };
    let meaning = move || {
        let wish = engine.wish.get();
        diagnostics::WISHES.iter().find(|one| one.0 == wish).map(|one| one.2)
    };
    // On the computer the program's owner chooses it, for all pages.
    let wishes = move || {
        (engine.place.get() == Place::Tab).then(|| {
            view! {
                <div class="choices" role="group" aria-label="Which device">
                    {diagnostics::WISHES.map(choice).into_iter().collect_view()}
                    <span class="faint">{meaning}</span>
                </div>
            }
        })
    };
    view! {
        <section>
            <h2>"Device"</h2>
            <Places engine=engine />
            {wishes}
            <Precisions engine=engine />
            <p class="faint">"Another choice reloads the model, and another device restarts the engine; edits in force are lost."</p>
            {table}
            <p class="choices">
                <Copy label="Copy diagnostics" text=Callback::new(move |()| diagnosed(engine)) />
            </p>
        </section>
    }
}

/// Where the page computes, where there is a choice.
#[component]
fn Places(engine: Engine) -> impl IntoView {
    let busy = Memo::new(move |_| engine.jobs.with(|jobs| !jobs.is_empty()));
    let choice = move |place: Place, label: String| {
        let press = move |_| moved(engine, place);
        view! {
            <button
                type="button"
                disabled=move || busy.get()
                aria-pressed=move || (engine.place.get() == place).to_string()
                on:click=press
            >
                {label}
            </button>
        }
    };
    move || {
        let offer = engine.offer.get()?;
        let name = format!("This computer ({})", words::visible(&offer.name));
        Some(view! {
            <div class="choices" role="group" aria-label="Where it computes">
                {choice(Place::Computer, name)}
                {choice(Place::Tab, "This tab".into())}
                <span class="faint">
                    {move || match engine.place.get() {
                        Place::Computer => "The program that serves this page computes; studies go on when the tab is closed.",
                        Place::Tab => "WebAssembly and WebGPU of this browser.",
                    }}
                </span>
            </div>
        })
    }
}

/// Computes elsewhere from now on, with the same model where that is to be had there.
fn moved(engine: Engine, place: Place) {
    if engine.place.get_untracked() == place {
        return;
    }
    place::choose(place);
    again(engine, move || engine.place.set(place));
}

/// What a GPU holds matrices in; where there is nothing to choose, why.
#[component]
fn Precisions(engine: Engine) -> impl IntoView {
    let busy = Memo::new(move |_| engine.jobs.with(|jobs| !jobs.is_empty()));
    // Nothing is known of a device that is not open yet, but that the CPU computes in f32.
    let missing = Memo::new(move |_| match engine.device.get() {
        Some(report) => precision::missing(&report),
        None => (engine.wish.get() == DeviceChoice::Cpu).then_some("The CPU computes in f32."),
    });
    let gpu = Memo::new(move |_| {
        let open = engine.device.with(|report| report.as_ref().map(|report| report.adapter.is_some()));
        open.unwrap_or_else(|| engine.wish.get() != DeviceChoice::Cpu)
    });
    let choice = move |(choice, label, meaning): (Option<Precision>, &'static str, &'static str)| {
        let lacking = move || choice == Some(Precision::F16) && missing.get().is_some();
        let press = move |_| {
            if engine.precision.get_untracked() != choice {
                spawn_local(async move {
                    if let Err(failure) = engine.hold(choice).await {
                        engine.complain(failure);
                    }
                });
            }
        };
        view! {
            <button
                type="button"
                title=meaning
                disabled=move || busy.get() || lacking()
                aria-pressed=move || (engine.precision.get() == choice).to_string()
                on:click=press
            >
                {label}
            </button>
        }
    };
    let meaning = move || {
        let chosen = engine.precision.get();
        let told = precision::CHOICES.iter().find(|one| one.0 == chosen).map(|one| one.2);
        missing.get().or(told)
    };
    let in_force = move || engine.model.with(|model| model.as_ref().map(precision::told));
    move || {
        let switch = gpu.get().then(|| view! {
            <div class="choices" role="group" aria-label="Precision">
                <span class="faint">"Precision"</span>
                {precision::CHOICES.map(choice).into_iter().collect_view()}
                <span class="faint">{meaning}</span>
            </div>
            {move || in_force().map(|told| view! { <p class="faint">"The loaded model's matrices are held in " {told} "."</p> })}
        });
        let instead = (!gpu.get()).then(|| view! { <p class="faint">{move || missing.get()}</p> });
        view! { {switch} {instead} }
    }
}

fn begin(engine: Engine) {
    spawn_local(async move {
        if let Err(failure) = engine.start().await {
            engine.complain(failure);
        }
    });
}

/// Takes another device: a new engine, and the same model.
fn wanted(engine: Engine, wish: DeviceChoice) {
    if engine.wish.get_untracked() == wish {
        return;
    }
    again(engine, move || engine.wish.set(wish));
}

/// Changes what an engine is started with, and starts another where one runs.
fn again(engine: Engine, change: impl FnOnce()) {
    // Nothing is open yet: the choice counts when something is.
    if engine.device.with_untracked(Option::is_none) {
        return change();
    }
    let model = engine.model.get_untracked().map(|loaded| loaded.model);
    let problems = engine.problems.get_untracked();
    engine.end();
    // The engine was ended on purpose, which is no problem.
    engine.problems.set(problems);
    change();
    spawn_local(async move {
        let result = match model {
            Some(model) => engine.load(model, Vec::new()).await.map(|_| ()),
            None => engine.start().await.map(|_| ()),
        };
        if let Err(failure) = result {
            engine.complain(failure);
        }
    });
}

/// The session as text.
pub(crate) fn diagnosed(engine: Engine) -> String {
    let browser = browser::user_agent();
    let device = engine.device.get_untracked();
    let model = engine.model.get_untracked();
    let problems = engine.problems.get_untracked();
    let running: Vec<String> = engine.jobs.get_untracked().into_iter().map(|job| job.what).collect();
    diagnostics::text(&diagnostics::Session {
        program: concat!("engram ", env!("CARGO_PKG_VERSION")),
        browser: &browser,
        secure_and_gpu: browser::secure_and_gpu(),
        wish: engine.wish.get_untracked(),
        precision: engine.precision.get_untracked(),
        device: device.as_ref(),
        model: model.as_ref(),
        problems: &problems,
        running: &running,
    })
}
