//! Studies that the browser keeps: an unfinished one is offered first, all of them can be opened and deleted.

use super::keeper;
use super::runner::{Runner, State, Task};
use crate::figures::kept::{Note, origin, state};
use crate::figures::queue::{self, Queued};
use crate::lab::copying::Sure;
use crate::words;
use engram_core::protocol::Saved;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The study that stopped, unless something runs.
#[component]
pub(crate) fn Offer(runner: Runner) -> impl IntoView {
    let waiting = Memo::new(move |_| {
        let idle = !runner.busy.get() && runner.queue.with(Vec::is_empty);
        runner.left.with(|left| left.as_ref().and_then(|left| queue::offer(left))).filter(|_| idle)
    });
    let queue = move || {
        let words = waiting.get()?;
        Some(view! {
            <aside class="offer" aria-label="A queue of studies">
                <p>
                    <b>{words}</b>
                    {format!(" What was finished is {}.", keeper::place(runner.engine))}
                </p>
                <p class="choices">
                    <button type="button" class="primary" on:click=move |_| runner.resume_queue()>
                        "Resume the queue"
                    </button>
                    <button type="button" on:click=move |_| runner.forget_queue()>
                        "Forget it"
                    </button>
                </p>
            </aside>
        })
    };
    let note = Memo::new(move |_| {
        let waits = |task: &Task| task.key.is_some() && matches!(task.state, State::Waits | State::Paused);
        let queued = runner.queue.with(|queue| queue.iter().any(waits));
        // A queue that is offered has it, too.
        let offered = |note: &Note| {
            let has = |left: &Vec<Queued>| left.iter().any(|one| one.key.as_ref() == Some(&note.key));
            waiting.with(Option::is_some) && runner.left.with(|left| left.as_ref().is_some_and(has))
        };
        runner.note.get().filter(|note| !note.finished && !runner.busy.get() && !queued && !offered(note))
    });
    let card = move || {
        let note = note.get()?;
        let words = note.words();
        Some(view! {
            <aside class="offer" aria-label="An unfinished study">
                <p>
                    <b>{words}</b>
                    {format!(" What was finished is {}.", keeper::place(runner.engine))}
                </p>
                <p class="choices">
                    <button type="button" class="primary" on:click=move |_| runner.resume(&note)>
                        "Resume"
                    </button>
                </p>
            </aside>
        })
    };
    view! { <div>{queue} {card}</div> }
}

/// All of them, in one line until it is unfolded.
#[component]
pub(crate) fn Kept(runner: Runner) -> impl IntoView {
    let ask = move |_| spawn_local(runner.refresh());
    let list = move || match runner.saved.get() {
        None => view! {
            <p class="choices">
                <button type="button" on:click=ask>
                    "Look for kept studies"
                </button>
                <span class="faint">"This starts the engine, which keeps them."</span>
            </p>
        }
        .into_any(),
        Some(all) if all.is_empty() => view! { <p class="faint">"None yet."</p> }.into_any(),
        Some(all) => view! { <ul class="cards">{all.into_iter().map(|saved| one(runner, &saved)).collect_view()}</ul> }
            .into_any(),
    };
    let count = move || runner.saved.with(|saved| saved.as_ref().map(Vec::len)).filter(|count| *count > 0);
    view! {
        <details class="fold kept">
            <summary><h2>"Kept studies"</h2> <span class="faint">{count}</span></summary>
            {list}
        </details>
    }
}

fn one(runner: Runner, saved: &Saved) -> impl IntoView + use<> {
    let name = words::visible(&saved.info.name);
    let note = Note::from(saved);
    let (open, forget) = (saved.key.clone(), saved.key.clone());
    let follow = saved.running.then(|| {
        let saved = saved.clone();
        view! {
            <button type="button" class="primary" disabled=move || runner.busy.get() on:click=move |_| runner.watch(&saved, Vec::new())>
                "Follow"
            </button>
        }
    });
    let resume = (!saved.finished && !saved.running).then(|| {
        let label = format!("Resume the study of {name}");
        view! {
            <button
                type="button"
                class="primary"
                aria-label=label
                disabled=move || runner.busy.get()
                on:click=move |_| runner.resume(&note)
            >
                "Resume"
            </button>
        }
    });
    let show = (saved.validated > 0 && !saved.running).then(|| {
        let label = format!("Open the study of {name}");
        view! {
            <button type="button" aria-label=label on:click=move |_| runner.open_kept(open.clone())>
                "Open"
            </button>
        }
    });
    let forget = Callback::new(move |()| runner.forget(forget.clone()));
    let delete = (!saved.running).then(|| {
        view! {
            <Sure
                label="Delete"
                name=format!("Delete the study of {name}")
                question=format!("Delete the study of {name} for good?")
                on_yes=forget
            />
        }
    });
    view! {
        <li class="card">
            <h3>{name.clone()}</h3>
            <p>{state(saved)}</p>
            <p class="faint">{origin(saved, js_sys::Date::now())}</p>
            <p class="choices">
                {follow} {resume} {show} {delete}
            </p>
        </li>
    }
}
