//! A step: text, question, and what is said to the prediction.

use super::desk::{Desk, Now};
use super::stage::Stage;
use super::text::blocks;
use crate::figures::lesson::{Ask, Predict, Verdict, filled};
use crate::figures::question::{Asked, Field};
use crate::lab::share::CopyLink;
use crate::words;
use leptos::prelude::*;

/// The step.
#[component]
pub(super) fn StepView(desk: Desk, step: Now) -> impl IntoView {
    let next = desk.next(&step);
    let Now { lesson, at, title, of, step: one } = step;
    let own = one.ask.own;
    let dots = (1..=of).map(|dot| view! { <i class:done=dot < at class:now=dot == at></i> }).collect_view();
    let back = move |_| match at {
        1 => desk.go(None, 1),
        _ => desk.go(Some(lesson), at - 1),
    };
    let label = match next {
        Some((_, 1)) => "Next lesson",
        Some(_) => "Next step",
        None => "All lessons",
    };
    let told = move || {
        desk.found.get().map(|outcome| {
            let [mark, measured] = match &outcome.verdict {
                Verdict::Exact => ["✓ As you predicted: ", "."],
                Verdict::Near => ["✓ Near enough. You predicted ", ". Measured: "],
                Verdict::Other => ["You predicted ", ". Measured: "],
                Verdict::Nothing(why) => {
                    return view! { <p class="verdict"><b>"No verdict. "</b> {why.clone()}</p> }.into_any();
                }
            };
            let best = (outcome.verdict != Verdict::Exact).then(|| view! { <b>{outcome.best}</b> "." });
            let expected = (!outcome.expected.is_empty()).then(|| view! {
                <div class="expected"><b>"For comparison"</b> {blocks(outcome.expected)}</div>
            });
            view! { <p class="verdict">{mark} <b>{outcome.mine}</b> {measured} {best}</p> {blocks(outcome.told)} {expected} }
                .into_any()
        })
    };
    let shown = move || desk.found.with(Option::is_some);
    let wrong = move || own && desk.tracer.draft.asked.with(|asked| !asked.problems().is_empty());
    let said = move || match (desk.busy.get(), shown(), desk.mine.with(Option::is_some)) {
        (Some(busy), ..) => format!("{busy}…"),
        (None, false, _) if wrong() => "Correct the question first.".to_owned(),
        (None, true, _) => String::new(),
        (None, false, true) => "Nothing is shown before you have predicted.".to_owned(),
        (None, false, false) => "Make a prediction.".to_owned(),
    };
    let ready = move || shown() || (desk.busy.with(Option::is_none) && desk.mine.with(Option::is_some) && !wrong());
    // One button in one place: the focus stays on it.
    let on = move |_| match (shown(), next) {
        (false, _) => desk.check(),
        (true, Some((lesson, step))) => desk.go(Some(lesson), step),
        (true, None) => desk.go(None, 1),
    };
    let address =
        Callback::new(move |()| desk.now.with_untracked(|now| now.as_ref().and_then(|now| desk.address(now))));
    let text = filled(&one.text, &one.ask, None, "", "");
    let question = words::visible(&one.ask.question);
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
                    <h3 id="lesson-question">{question}</h3>
                    {own.then(|| view! { <Own desk=desk ask=one.ask.clone() /> })}
                    <Choice desk=desk ask=one.ask />
                    <div class="told" aria-live="polite">{told}</div>
                    <div class="foot">
                        <button type="button" hidden=move || !shown() on:click=move |_| desk.again()>"Predict again"</button>
                        <span class="faint fill" role="status">{said}</span>
                        <button type="button" class="primary" disabled=move || !ready() on:click=on>
                            {move || if shown() { label } else { "Check" }}
                        </button>
                    </div>
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
                on:input:target=move |event| {
                    let text = event.target().value();
                    draft.change(|asked| {
                        *asked = Asked { prompt: asked.prompt.clone(), subject: asked.subject.clone(), ..Asked::default() };
                        set(asked, text);
                    });
                }
            />
        }
    };
    // One thing at a time, and nothing that only the Trace screen has.
    let wrong = move || {
        let problem = draft.asked.with(Asked::problems).into_iter().next();
        problem.map(|(field, why)| match (field, draft.asked.with(|asked| asked.subject.trim().is_empty())) {
            (Field::Subject, false) => {
                let subject = words::visible(&draft.asked.with(|asked| asked.subject.clone()));
                format!("“{subject}” is not in the prompt. Type it exactly as it is written there.")
            }
            (Field::Subject, true) => "Type the subject, exactly as it is written in the prompt.".to_owned(),
            _ => why,
        })
    };
    view! {
        <div class="own">
            {field("Prompt, up to where the answer follows", "lesson-prompt", Asked::filled, |asked, text| asked.prompt = text)}
            {field("Subject, spelled as in the prompt", "lesson-subject", |asked| asked.subject.clone(), |asked, text| asked.subject = text)}
            <p class="why" role="status">{wrong}</p>
        </div>
    }
}

/// What can be predicted.
#[component]
fn Choice(desk: Desk, ask: Ask) -> impl IntoView {
    let Ask { predict, options, .. } = ask;
    let long = options.iter().any(|option| option.chars().count() > 3);
    let shown = move || desk.found.with(Option::is_some);
    let option = move |(at, label): (usize, String)| {
        let value = at as f64;
        let chosen = move || desk.mine.get() == Some(value);
        let right = move || desk.found.with(|found| found.as_ref().is_some_and(|found| found.place == Some(at)));
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
        let labels = if options.is_empty() { desk.labels.get() } else { options.clone() };
        labels.into_iter().enumerate().map(option).collect_view()
    };
    let number = predict == Predict::Number;
    // Short ones stand beside each other.
    let rows = predict == Predict::Option && long;
    view! {
        <div class="options" class:rows=rows role="radiogroup" aria-labelledby="lesson-question" hidden=number>
            {(!number).then_some(all)}
        </div>
        {number.then(|| view! {
            <input
                type="number"
                class="number"
                aria-label="Your prediction"
                step="any"
                disabled=shown
                prop:value=move || desk.mine.get().map(|mine| mine.to_string()).unwrap_or_default()
                on:input:target=move |event| desk.mine.set(event.target().value().parse().ok())
            />
        })}
    }
}
