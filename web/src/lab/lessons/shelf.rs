//! The list of lessons, and what is wrong with a file.

use super::desk::{Desk, Trouble};
use crate::words;
use leptos::prelude::*;

/// What is wrong and what to do, as on the other screens.
pub(super) fn trouble((message, hint): Trouble) -> impl IntoView {
    view! {
        <div class="problem">
            <p><b>"error: "</b> {message}</p>
            {hint.map(|hint| view! { <p>"hint: " {hint}</p> })}
        </div>
    }
}

/// Files that could not be read.
#[component]
pub(super) fn Wrong(desk: Desk) -> impl IntoView {
    let all = move || {
        desk.all.with(|all| match all {
            None => Vec::new(),
            Some(Err(trouble)) => vec![trouble.clone()],
            Some(Ok(all)) => all.iter().filter_map(|lesson| lesson.1.as_ref().err().cloned()).collect(),
        })
    };
    view! { <div role="alert">{move || all().into_iter().map(trouble).collect_view()}</div> }
}

/// All lessons.
#[component]
pub(super) fn Shelf(desk: Desk) -> impl IntoView {
    let list = move || {
        desk.all.with(|all| match all {
            None => view! { <p class="faint">"Fetching the lessons…"</p> }.into_any(),
            Some(Err(_)) => ().into_any(),
            Some(Ok(all)) => {
                let one = |(at, (name, lesson)): (usize, &(String, _))| {
                    let lesson: &Result<crate::figures::lesson::Lesson, Trouble> = lesson;
                    match lesson {
                        Ok(lesson) => {
                            let steps = words::count(lesson.steps.len(), "step");
                            view! {
                                <li>
                                    <button type="button" class="quiet" on:click=move |_| desk.go(Some(at + 1), 1)>
                                        {words::visible(&lesson.title)}
                                    </button>
                                    <span class="faint">{steps}</span>
                                </li>
                            }
                            .into_any()
                        }
                        Err(_) => view! { <li class="faint">{words::visible(name)} " cannot be read, see above"</li> }
                            .into_any(),
                    }
                };
                view! { <ol class="shelf">{all.iter().enumerate().map(one).collect_view()}</ol> }.into_any()
            }
        })
    };
    view! {
        <div class="lesson-list">
            <h2 id="lesson-title" tabindex="-1">"Lessons"</h2>
            <p>"Each step asks for a prediction, measures it on a small model in front of you, and shows what was to be expected. No network is needed."</p>
            {list}
        </div>
    }
}
