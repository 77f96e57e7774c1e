//! The list of lessons.

use super::desk::Desk;
use crate::figures::lesson::Lesson;
use crate::words;
use leptos::prelude::*;

/// All lessons. What is wrong with a file stands above the screen.
#[component]
pub(super) fn Shelf(desk: Desk) -> impl IntoView {
    let one = move |(at, lesson): (usize, (String, usize))| {
        let (title, steps) = lesson;
        view! {
            <li>
                <button type="button" class="quiet" disabled=steps == 0 on:click=move |_| desk.go(Some(at + 1), 1)>{title}</button>
                <span class="faint">{words::count(steps, "step")}</span>
            </li>
        }
    };
    // A file that cannot be read has no steps.
    let list = move || {
        let titles: Vec<(String, usize)> = desk.all.with(|all| {
            let title = |(name, lesson): &(String, Option<Lesson>)| {
                let title = lesson.as_ref().map_or(name, |lesson| &lesson.title);
                (words::visible(title), lesson.as_ref().map_or(0, |lesson| lesson.steps.len()))
            };
            all.iter().map(title).collect()
        });
        titles.into_iter().enumerate().map(one).collect_view()
    };
    view! {
        <div class="lesson-list">
            <h2 id="lesson-title" tabindex="-1">"Lessons"</h2>
            <p>"Each step asks for a prediction, measures it on a small model in front of you, and explains the result. No network is needed."</p>
            <ol class="shelf">{list}</ol>
        </div>
    }
}
