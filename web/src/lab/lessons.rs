//! The lessons: a text and a question at the left, what is measured at the right. Nothing is shown before a prediction is made.

mod desk;
mod run;
mod shelf;
mod stage;
mod step;
mod text;

use crate::lab::Tab;
use crate::lab::trace::Tracer;
use desk::Desk;
use leptos::prelude::*;

/// The screen: the list of lessons, or a step of one.
#[component]
pub(crate) fn Lessons(tracer: Tracer) -> impl IntoView {
    let desk = Desk::new(tracer);
    let seen = Memo::new(move |_| tracer.page.lab.with(|lab| lab.tab == Tab::Lessons));
    Effect::new(move |_| {
        if seen.get() {
            desk.open();
        }
    });
    // A question that the reader types changes the step, and leaves its fields where they are.
    let place = Memo::new(move |_| desk.now.with(|now| now.as_ref().map(|now| (now.lesson, now.at))));
    let screen = move || match place.get().and_then(|_| desk.now.get_untracked()) {
        Some(step) => view! { <step::StepView desk=desk step=step /> }.into_any(),
        None => view! { <shelf::Shelf desk=desk /> }.into_any(),
    };
    view! { {screen} }
}
