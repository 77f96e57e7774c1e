//! What the clean run holds after each layer: the engine is asked once a trace, when somebody looks.

use crate::lab::trace::Tracer;
use engram_core::protocol::{AfterLayer, Command, Event, Question};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The readings; `None` where nothing was traced here, or they are not there yet.
pub(super) fn reads(
    tracer: Tracer,
    question: Memo<Option<Question>>,
    on_screen: Signal<bool>,
) -> Memo<Option<Vec<AfterLayer>>> {
    let known = RwSignal::new(None::<(Question, Vec<AfterLayer>)>);
    Effect::new(move |_| {
        let Some(asked) = question.get() else { return known.set(None) };
        if !on_screen.get() || known.with_untracked(|known| known.as_ref().is_some_and(|known| known.0 == asked)) {
            return;
        }
        spawn_local(async move {
            let ask = Command::Forward { question: asked.clone() };
            // The picture does not need it; what is missing is said there.
            if let Ok((Event::Forward(found), _)) = tracer.engine.last("reading each layer", ask).await
                && question.get_untracked().as_ref() == Some(&asked)
            {
                known.set(Some((asked, found)));
            }
        });
    });
    Memo::new(move |_| known.with(|known| known.as_ref().map(|known| known.1.clone())))
}
