//! A step: text, question, and what is said to the prediction.

use super::desk::{Desk, Now};
use super::shelf::trouble;
use super::stage::Stage;
use super::text::blocks;
use crate::figures::lesson::{Ask, Predict, filled};
use crate::figures::question::Asked;
use crate::lab::share::CopyLink;
use crate::words;
use leptos::prelude::*;

/// The step.
#[component]
pub(super) fn StepView(desk: Desk, step: Now) -> impl IntoView {
    let next = desk.next(&step);
    let Now { lesson, at, title, of, step: one } = step;
    let (ask, own) = (StoredValue::new(one.ask.clone()), one.ask.own);
    let dots = (1..=of).map(|dot| view! { <i class:done=dot < at class:now=dot == at></i> }).collect_view();
    let back = move |_| match at {
        1 => desk.go(None, 1),
        _ => desk.go(Some(lesson), at - 1),
    };
    let forward = move || match next {
        Some((lesson, step)) => desk.go(Some(lesson), step),
        None => desk.go(None, 1),
    };
    let label = match next {
        Some((_, 1)) => "Next lesson",
        Some(_) => "Next step",
        None => "All lessons",
    };
    let told = move || {
        let wrong = desk.trouble.get().map(trouble);
        let found = desk.found.get().map(|(_, outcome)| {
            let expected = (!outcome.expected.is_empty()).then(|| view! {
                <div class="expected"><b>"What was to be expected"</b> {blocks(outcome.expected)}</div>
            });
            let verdict = match outcome.right && outcome.mine == outcome.best {
                true => view! { <p class="verdict"><b>"✓ As you predicted: "</b> {outcome.mine}"."</p> }.into_any(),
                false => view! {
                    <p class="verdict">{outcome.right.then_some("✓ Near enough. ")} "You predicted " <b>{outcome.mine}</b> ". Measured: " <b>{outcome.best}</b> "."</p>
                }
                .into_any(),
            };
            view! { {verdict} {blocks(outcome.told)} {expected} }
        });
        view! { {wrong} {found} }
    };
    let foot = move || {
        if desk.found.with(Option::is_some) {
            return view! {
                <button type="button" on:click=move |_| desk.again()>"Predict again"</button>
                <span class="fill"></span>
                <button type="button" class="primary" on:click=move |_| forward()>{label}</button>
            }
            .into_any();
        }
        let busy = desk.busy.get();
        let wrong = own && desk.tracer.draft.asked.with(|asked| !asked.problems().is_empty());
        let ready = busy.is_none() && desk.mine.with(Option::is_some) && !wrong;
        let said = match (busy, desk.mine.with(Option::is_some)) {
            (Some(busy), _) => format!("{busy}…"),
            (None, true) => "Nothing is shown before you have predicted.".to_owned(),
            (None, false) => "Make a prediction.".to_owned(),
        };
        view! {
            <span class="faint" role="status">{said}</span>
            <span class="fill"></span>
            <button type="button" class="primary" disabled=!ready on:click=move |_| desk.check()>"Check"</button>
        }
        .into_any()
    };
    let address =
        Callback::new(move |()| desk.now.with_untracked(|now| now.as_ref().and_then(|now| desk.address(now))));
    let text = filled(&one.text, &one.ask, None, "", "");
    view! {
        <div class="lesson">
            <div class="text">
                <p class="where">
                    <span class="dots" aria-hidden="true">{dots}</span>
                    {format!("Lesson {lesson}, step {at} of {of}")}
                    <button type="button" class="quiet" on:click=move |_| desk.go(None, 1)>"All lessons"</button>
                </p>
                <p class="over">{words::visible(&title)}</p>
                <h2 id="lesson-title" tabindex="-1">{words::visible(&one.title)}</h2>
                {blocks(text)}
                <section class="predict" aria-labelledby="lesson-question">
                    <h3 id="lesson-question">{words::visible(&one.ask.question)}</h3>
                    {one.ask.own.then(|| view! { <Own desk=desk ask=one.ask.clone() /> })}
                    <Choice desk=desk ask=ask />
                    <div class="told" aria-live="polite">{told}</div>
                    <div class="foot">{foot}</div>
                </section>
                <div class="pages">
                    <button type="button" on:click=back>{if at == 1 { "◀ All lessons" } else { "◀ Back" }}</button>
                    <button type="button" class="quiet" on:click=move |_| desk.trace()>"Open in Trace"</button>
                    <span class="fill"></span>
                    <CopyLink address=address label="Copy link to this step" />
                </div>
            </div>
            <Stage desk=desk />
        </div>
    }
}

/// The reader's own prompt and subject. The model is the one in the bar.
#[component]
fn Own(desk: Desk, ask: Ask) -> impl IntoView {
    let draft = desk.tracer.draft;
    let taken = desk.tracer.page.lab.with_untracked(|lab| lab.lesson.own);
    if !taken {
        // The file's question to begin with; from now on the address has it, and a link hands it on.
        draft.fill(desk.asked(&ask));
        desk.tracer.page.lab.update(|lab| {
            lab.model.clone_from(&ask.model);
            lab.lesson.own = true;
        });
    }
    let field = move |label: &'static str, id: &'static str, get: fn(&Asked) -> String, set: fn(&mut Asked, String)| {
        view! {
            <label for=id>{label}</label>
            <input
                type="text"
                id=id
                spellcheck="false"
                autocomplete="off"
                prop:value=move || draft.asked.with(get)
                on:change:target=move |event| {
                    let text = event.target().value();
                    draft.change(|asked| {
                        set(asked, text);
                        asked.target.clear();
                        asked.new.clear();
                        asked.instead.clear();
                    });
                }
            />
        }
    };
    let wrong = move || draft.asked.with(Asked::problems).into_iter().map(|(_, why)| why).collect::<Vec<_>>().join(" ");
    view! {
        <div class="own">
            {field("Prompt, up to where the answer follows", "lesson-prompt", |asked| asked.filled(), |asked, text| asked.prompt = text)}
            {field("Subject, as it stands there", "lesson-subject", |asked| asked.subject.clone(), |asked, text| asked.subject = text)}
            <p class="why" role="status">{wrong}</p>
        </div>
    }
}

/// What can be predicted.
#[component]
fn Choice(desk: Desk, ask: StoredValue<Ask>) -> impl IntoView {
    let shown = move || desk.found.with(Option::is_some);
    if ask.with_value(|ask| ask.predict == Predict::Number) {
        return view! {
            <p class="number">
                <label for="lesson-number" class="unseen">"Your prediction"</label>
                <input
                    type="number"
                    id="lesson-number"
                    step="any"
                    disabled=shown
                    prop:value=move || desk.mine.get().map(|mine| mine.to_string()).unwrap_or_default()
                    on:input:target=move |event| desk.mine.set(event.target().value().parse().ok())
                />
            </p>
        }
        .into_any();
    }
    let option = move |(at, label): (usize, String)| {
        let value = at as f64;
        let chosen = move || desk.mine.get() == Some(value);
        let right = move || desk.found.with(|found| found.as_ref().is_some_and(|found| found.1.place == Some(at)));
        // Of a layer the number is enough.
        let text = words::visible(label.strip_prefix("layer ").unwrap_or(&label));
        view! {
            <label class="pick" class:chosen=chosen class:right=right>
                <input type="radio" name="lesson-choice" disabled=shown prop:checked=chosen on:change=move |_| desk.mine.set(Some(value)) />
                {text}
            </label>
        }
    };
    let all = move || {
        let labels = match ask.with_value(|ask| ask.predict) {
            Predict::Option => ask.with_value(|ask| ask.options.clone()),
            _ => desk.labels.get(),
        };
        labels.into_iter().enumerate().map(option).collect_view()
    };
    let class = if ask.with_value(|ask| ask.predict == Predict::Option) { "options rows" } else { "options" };
    view! { <div class=class role="radiogroup" aria-labelledby="lesson-question">{all}</div> }.into_any()
}
