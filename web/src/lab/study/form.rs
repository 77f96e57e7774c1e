//! What a study shall be: models, facts, how many, which stages, and the settings that few people change.

use super::fields::{Field, Tick};
use super::in_force::EditsInForce;
use super::inbox::{self, FactsFile};
use super::keeper;
use super::runner::{Runner, State, Task};
use crate::components::shown;
use crate::figures::asking::{Form, Way, method_told, offered};
use crate::figures::bundled;
use crate::figures::queue::{self, Filled};
use crate::files;
use crate::lab::browser;
use crate::lab::place::Place;
use crate::state::POSITIONS;
use crate::words;
use engram_core::protocol::ModelRef;
use engram_core::record::Settings;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Where what was filled in is.
const FORM: &str = "engram.form";

/// The form.
#[component]
pub(crate) fn StudyForm(runner: Runner) -> impl IntoView {
    let first = ModelRef::Bundled { name: bundled::SMALLEST.name.into() };
    let filled = browser::stored(FORM).and_then(|text| queue::read_form(&text));
    let before = filled.as_ref().and_then(|filled| filled.facts.clone());
    let form = RwSignal::new(filled.as_ref().map(|filled| filled.form.clone()).unwrap_or_default());
    let models = RwSignal::new(filled.map_or_else(|| vec![first], |filled| filled.models));
    // What was filled in outlives the page; a file does not, but its name does, so that nobody takes the bundled facts for it.
    let lost = RwSignal::new(before);
    let chosen = inbox::chosen();
    Effect::new(move || {
        let now = chosen.get().map(|facts| facts.name());
        if now.is_some() && lost.get_untracked().is_some() {
            lost.set(None);
        }
        let facts = now.or_else(|| lost.get());
        let filled = Filled { form: form.get(), models: models.get(), facts };
        browser::store(FORM, queue::written(&filled).as_deref());
    });
    let wrong = RwSignal::new(Vec::<String>::new());
    let start = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let mut problems = Vec::new();
        let settings = form.with(Form::settings).map_err(|said| problems.extend(said)).ok();
        if models.with(Vec::is_empty) {
            problems.push("Choose at least one model".into());
        }
        if let (Some(name), None) = (lost.get(), inbox::chosen().get_untracked()) {
            let name = words::visible(&name);
            problems.push(format!("Choose {name} again, or take the bundled facts"));
        }
        wrong.set(problems);
        let (Some(settings), true) = (settings, wrong.with(Vec::is_empty)) else { return };
        let facts = inbox::chosen().get_untracked();
        let task = |model: ModelRef| Task {
            settings: named(settings.clone(), &model, runner),
            model,
            facts: facts.clone(),
            key: None,
            state: State::Waits,
        };
        runner.start(models.get_untracked().into_iter().map(task).collect());
    };
    let said = move || {
        let problem = |text: String| view! { <p>{text} "."</p> };
        let all = wrong.get();
        (!all.is_empty()).then(|| view! { <div class="problem">{all.into_iter().map(problem).collect_view()}</div> })
    };
    let many = move || models.with(Vec::len);
    view! {
        <form class="study-form" on:submit=start>
            <Models runner=runner models=models />
            <Facts lost=lost />
            <fieldset>
                <legend>"How much"</legend>
                <div class="fields">
                    <Field
                        label="Facts"
                        help="Facts wanted that the model knows and loses in the corrupted run"
                        form=form
                        get=|form| &form.n
                        set=|form| &mut form.n
                    />
                    <Field
                        label="Facts with maps"
                        help="Token × layer maps of the first facts; they take most of the time"
                        form=form
                        get=|form| &form.maps
                        set=|form| &mut form.maps
                    />
                    <Field
                        label="Edits"
                        help="Facts that Stage 3 rewrites"
                        form=form
                        get=|form| &form.edit_facts
                        set=|form| &mut form.edit_facts
                    />
                </div>
            </fieldset>
            <fieldset>
                <legend>"Stages"</legend>
                <Tick label="1" help="where facts are, and how redundantly" on=true fixed=true set=Callback::new(|_| ()) />
                <Tick
                    label="2"
                    help="models of several sizes side by side; runs by itself when two records or more are open"
                    on=Signal::derive(move || many() > 1)
                    fixed=true
                    set=Callback::new(|_| ())
                />
                <Tick
                    label="3"
                    help="whether facts can be rewritten"
                    on=Signal::derive(move || form.with(|form| form.edits))
                    set=Callback::new(move |on| form.update(|form| form.edits = on))
                />
                <Method form=form />
            </fieldset>
            <Advanced form=form />
            <div role="alert">{said}</div>
            <EditsInForce runner=runner models=models />
            <p class="choices">
                <button type="submit" class="primary" disabled=move || runner.busy.get()>
                    {move || if many() > 1 { format!("Study {} models", many()) } else { "Study".into() }}
                </button>
                {shown(move || form.with(|form| *form != Form::default()), move || view! {
                    <button type="button" on:click=move |_| form.set(Form::default())>"Back to the defaults"</button>
                })}
                <span class="faint">{move || runs(runner)}</span>
            </p>
        </form>
    }
}

/// The settings with "every layer" as the layers of a model that is known: a queue that is kept has numbers only.
fn named(mut settings: Settings, model: &ModelRef, runner: Runner) -> Settings {
    let bundled = bundled::ALL.iter().find(|one| one.name == model.name()).map(|one| one.layers);
    let loaded = || {
        runner.engine.model.with_untracked(|loaded| {
            loaded.as_ref().filter(|loaded| loaded.model == *model).map(|loaded| loaded.info.layers)
        })
    };
    if let Some(layers) = bundled.or_else(loaded) {
        settings.edit.layers = settings.edit.layers.named(layers);
    }
    settings
}

/// Bundled models and the loaded one.
#[component]
fn Models(runner: Runner, models: RwSignal<Vec<ModelRef>>) -> impl IntoView {
    let tick = move |model: ModelRef, label: String, help: String| {
        let (has, this) = (model.clone(), model);
        let set = Callback::new(move |on: bool| {
            models.update(|models| {
                models.retain(|one| *one != this);
                if on {
                    models.push(this.clone());
                }
            });
        });
        view! { <Tick label=label help=help on=Signal::derive(move || models.with(|all| all.contains(&has))) set=set /> }
    };
    let bundled = bundled::ALL.map(|one| {
        let help = format!(
            "{}, {} layers, {}",
            one.family,
            one.layers,
            words::parameters(one.parameters).replace(" parameters", "")
        );
        tick(ModelRef::Bundled { name: one.name.into() }, one.name.into(), help)
    });
    // Edits, loading and the like must not make the boxes anew.
    let other = Memo::new(move |_| {
        runner.engine.model.with(|loaded| {
            let loaded = loaded.as_ref().filter(|loaded| !matches!(loaded.model, ModelRef::Bundled { .. }))?;
            Some((loaded.model.clone(), words::visible(&loaded.info.name), loaded.info.layers, loaded.info.parameters))
        })
    });
    let loaded = move || {
        let (model, name, layers, parameters) = other.get()?;
        Some(tick(model, name, format!("loaded, {layers} layers, {}", words::parameters(parameters))))
    };
    view! {
        <fieldset>
            <legend>"Models"</legend>
            {bundled.into_iter().collect_view()}
            {loaded}
            <p class="faint">"Any other model can be chosen here once it is loaded in the Models tab."</p>
        </fieldset>
    }
}

/// Where a study runs, and what becomes of it.
fn runs(runner: Runner) -> String {
    let (place, kept) = (runner.engine.place.get(), keeper::place(runner.engine));
    let closed = match place {
        Place::Tab => "",
        Place::Computer => " It goes on when this tab is closed.",
    };
    format!("It runs {}. What is finished is {kept}, fact by fact.{closed}", place.told())
}

/// Bundled facts, or a file.
#[component]
fn Facts(
    /// Name of the file that was chosen before the page was loaded again.
    lost: RwSignal<Option<String>>,
) -> impl IntoView {
    let chosen = inbox::chosen();
    let (shown, back, put) = (chosen.clone(), chosen.clone(), chosen);
    let take = move |event: ev::Event| {
        let Some(input) = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok()) else { return };
        if let Some(file) = files::listed(input.files()).pop() {
            lost.set(None);
            put.set(Some(FactsFile::new(file)));
        }
        input.set_value("");
    };
    let now = move || {
        match shown.get() {
        None => match lost.get() {
            None => view! { <span>"The bundled facts"</span> }.into_any(),
            Some(name) => view! {
                <span>{format!("{} was chosen before the page was loaded again: choose it again.", words::visible(&name))}</span>
                " "
                <button type="button" on:click=move |_| lost.set(None)>
                    "Use the bundled facts"
                </button>
            }
            .into_any(),
        },
        Some(file) => {
            let back = back.clone();
            view! {
                <span>{words::visible(&file.name())}</span>
                " "
                <button type="button" on:click=move |_| back.set(None)>
                    "Use the bundled facts"
                </button>
            }
            .into_any()
        }
    }
    };
    view! {
        <fieldset>
            <legend>"Facts"</legend>
            <p class="choices" role="status">
                {now}
            </p>
            <label class="pick">
                <input type="file" accept=".json,.jsonl,.ndjson,.csv,.tsv,.txt,.parquet,.gz" on:change=take />
                <span>"Choose a file: JSON, JSON lines, CSV or Parquet…"</span>
            </label>
        </fieldset>
    }
}

/// How facts are rewritten.
#[component]
fn Method(form: RwSignal<Form>) -> impl IntoView {
    let chosen = Memo::new(move |_| form.with(|form| form.method.clone()));
    let one = move |name: &'static str| {
        view! { <option value=name selected=move || chosen.with(|chosen| chosen == name)>{method_told(name)}</option> }
    };
    let way = move |way: Way| {
        let own = move || form.with(|form| form.way == way);
        view! { <option value=way.name() selected=own>{way.name()}</option> }
    };
    view! {
        <label class="field wide method" hidden=move || !form.with(|form| form.edits)>
            <span>"Edit method"</span>
            <select on:change:target=move |event| {
                let name = event.target().value();
                form.update(|form| form.choose_method(&name));
            }>
                {offered().map(one).collect_view()}
            </select>
        </label>
        <label class="field wide method" hidden=move || !form.with(|form| form.edits)>
            <span>"Facts are edited"</span>
            <select on:change:target=move |event| {
                if let Some(chosen) = Way::named(&event.target().value()) {
                    form.update(|form| form.way = chosen);
                }
            }>
                {Way::ALL.map(way).into_iter().collect_view()}
            </select>
        </label>
        <div hidden=move || form.with(|form| !form.edits || form.way == Way::InTurn)>
            <Tick
                label="Trace both answers again"
                help="after each edit: has the peak moved, has R fallen, which layers carry the new answer?"
                on=Signal::derive(move || form.with(|form| form.retrace))
                set=Callback::new(move |on| form.update(|form| form.retrace = on))
            />
        </div>
    }
}

/// What few people change.
#[component]
fn Advanced(form: RwSignal<Form>) -> impl IntoView {
    let positions = POSITIONS.map(|position| {
        let set = Callback::new(move |on: bool| {
            form.update(|form| {
                // The order is that in which positions are offered, whatever was ticked first.
                let wanted = |one| if one == position { on } else { form.positions.contains(&one) };
                form.positions = POSITIONS.into_iter().filter(|one| wanted(*one)).collect();
            });
        });
        let on = Signal::derive(move || form.with(|form| form.positions.contains(&position)));
        view! { <Tick label=words::capital(words::patch_position(position)) help=words::position(position) on=on set=set /> }
    });
    let noise = move || form.with(|form| form.noise);
    let corruption = move |on: bool, label: &'static str| {
        view! {
            <label class="tick-box">
                <input
                    type="radio"
                    name="corruption"
                    prop:checked=move || noise() == on
                    on:change=move |_| form.update(|form| form.noise = on)
                />
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <details class="more">
            <summary>"More settings"</summary>
            <div class="more-settings">
            <fieldset>
                <legend>"Corruption"</legend>
                {corruption(false, "Replace the subject")}
                {corruption(true, "Add noise to its embeddings")}
                <div class="fields" hidden=noise>
                    <Field label="Replace the subject with" digits=false form=form get=|form| &form.with set=|form| &mut form.with />
                </div>
                <div class="fields" hidden=move || !noise()>
                    <Field label="σ" help="Strength of the noise" form=form get=|form| &form.sigmas set=|form| &mut form.sigmas />
                    <Field label="Draws" form=form get=|form| &form.draws set=|form| &mut form.draws />
                </div>
            </fieldset>
            <fieldset>
                <legend>"Restore at"</legend>
                {positions.into_iter().collect_view()}
            </fieldset>
            <fieldset>
                <legend>"Numbers"</legend>
                <div class="fields">
                    <Field label="Seed" form=form get=|form| &form.seed set=|form| &mut form.seed />
                    <Field
                        label="Smallest effect"
                        help="Least that the answer’s probability must lose in the corrupted run"
                        form=form
                        get=|form| &form.min_effect
                        set=|form| &mut form.min_effect
                    />
                    <Field
                        label="Window, layers"
                        help="Of the MLP and attention maps; empty for a third of the model's, odd, or 10 from 30 layers on"
                        form=form
                        get=|form| &form.window
                        set=|form| &mut form.window
                    />
                    <Field
                        label="Edit steps"
                        help="Steps of the search in Stage 3"
                        form=form
                        get=|form| &form.steps
                        set=|form| &mut form.steps
                    />
                </div>
                <Tick
                    label="Whole answers"
                    help="the geometric mean over the answer's tokens instead of its first token"
                    on=Signal::derive(move || form.with(|form| form.sequence))
                    set=Callback::new(move |on| form.update(|form| form.sequence = on))
                />
            </fieldset>
            </div>
        </details>
    }
}
