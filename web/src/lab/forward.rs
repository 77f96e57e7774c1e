//! The forward pass, layer by layer: which token carries the answer, what the model would say now, where attention moves it. It is
//! another view of what the trace screen shows, with the same cursor.

mod reads;

use crate::components::forward::{After, AfterPanel, Player, Streams};
use crate::components::shown;
use crate::components::trace::StoryText;
use crate::figures::choice::Way;
use crate::figures::forward::{heads, say};
use crate::figures::pieces::{Place, places};
use crate::figures::trace::{Cursor, Standing, TraceMaps};
use crate::lab::Tab;
use crate::lab::trace::{Notices, Tracing};
use crate::words;
use engram_core::protocol::MapSite;
use leptos::prelude::*;

/// The screen.
#[component]
pub(crate) fn Forward(tracing: Tracing) -> impl IntoView {
    let Tracing { tracer, maps } = tracing;
    let lab = tracer.page.lab;
    let on_screen = Signal::from(Memo::new(move |_| lab.with(|lab| lab.tab == Tab::Forward)));
    let layers = Memo::new(move |_| maps.own.with(|maps| maps.as_ref().map_or(1, |maps| maps.layers)));
    let moved = Memo::new(move |_| maps.own_story.with(|story| story.as_ref().and_then(|story| story.moved)));
    // Where nobody has chosen a layer, the one at which something happens.
    let layer = Memo::new(move |_| {
        let chosen = maps.pointer.at.get().map(|at| at.layer);
        let first = || moved.get().or_else(|| maps.cursor.get().map(|at| at.layer));
        chosen.or_else(first).unwrap_or(1).clamp(1, layers.get().max(1))
    });
    let chosen = Signal::derive(move || maps.pointer.at.with(Option::is_some));
    let on_layer = Callback::new(move |to: usize| {
        let now = maps.cursor.get_untracked().map(|at| at.row);
        let row = maps.own.with_untracked(|own| own.as_ref().map(|own| own.row_at(to, now)));
        maps.pointer.hold(Cursor { row: row.or(now).unwrap_or(0), layer: to });
    });
    let question = tracer.at_hand();
    let reads = reads::reads(tracer, question, on_screen);
    let here = Memo::new(move |_| reads.with(|reads| reads.as_ref()?.get(layer.get() - 1).cloned()));
    // The subject's last token, as a position of the clean prompt.
    let subject = Memo::new(move |_| tracer.fact.with(|fact| fact.as_ref()?.traced()?.subject_span[1].checked_sub(1)));
    let of_heads = Memo::new(move |_| {
        here.with(|here| Some(heads(&here.as_ref()?.attention, subject.get()?))).unwrap_or_default()
    });
    let said = Memo::new(move |_| {
        let (whole, tracks, heads) = (maps.own_story.get()?, maps.tracks.get()?, of_heads.get());
        maps.own.with(|maps| Some(say(maps.as_ref()?, &whole, &tracks, &heads, layer.get())))
    });
    let other = Memo::new(move |_| {
        let answer = tracer.fact.with(|fact| fact.as_ref().map(|fact| words::visible(fact.target_new.trim())));
        answer.filter(|answer| !answer.is_empty())
    });
    let after = Memo::new(move |_| {
        let layer = layer.get();
        maps.own.with(|found| {
            let found = found.as_ref()?;
            let tracks = maps.tracks.get()?;
            let own = tracks.lens.get(layer - 1).zip(tracks.rank.get(layer - 1));
            let own = own.map(|(p, rank)| (found.answer.clone(), *p, *rank));
            let other = tracks.other.get(layer - 1).zip(other.get()).map(|((p, rank), answer)| (answer, *p, *rank));
            let rows = [found.subject_last().unwrap_or(0), found.last()];
            let restores = rows.into_iter().filter_map(|at| {
                let value = found.value(MapSite::Residual, Cursor { row: at, layer })?;
                Some((found.token(at), found.rows[at].role.is_subject(), value))
            });
            let [to, from] = rows.map(|at| found.token(at));
            let mut restores: Vec<_> = restores.collect();
            restores.dedup_by(|one, other| rows[0] == rows[1] && one == other);
            Some(After {
                layer: [layer, found.layers],
                answer: found.answer.clone(),
                asked: question.with(Option::is_some),
                words: here.with(|here| here.as_ref().map(|here| here.words.clone())).unwrap_or_default(),
                top: tracks.top.get(layer - 1).cloned(),
                answers: own.into_iter().chain(other).collect(),
                restores,
                heads: of_heads.get(),
                from_to: [from, to],
            })
        })
    });
    let stale = Memo::new(move |_| tracer.stale());
    let trace = Callback::new(move |()| match tracer.draft.way() {
        // A download is agreed to where it is told what it takes.
        Way::Consent(_) => tracer.page.lab.update(|lab| lab.tab = Tab::Models),
        Way::Run | Way::Fetch => tracer.run(),
    });
    let whole = move || maps.own.with(|maps| maps.as_ref().is_some_and(|maps| maps.any() && maps.waiting().is_none()));
    let sentence = Signal::derive(move || said.with(|said| said.as_ref().map(|said| said.text()).unwrap_or_default()));
    view! {
        <div class:is-stale=move || stale.with(Option::is_some)>
            <section class="ask cols" aria-label="Prompt and answer">
                <Prompt tracing=tracing />
                <Answer tracing=tracing />
            </section>
            <div class="cols">
                <div>
                    <Notices tracer=tracer stale=stale />
                    <section class="finding" aria-label="What happens at this layer">
                        <StoryText story=said />
                        {move || (!whole()).then(|| view! {
                            <p class="more">"The picture is drawn from a whole trace with maps."</p>
                        })}
                    </section>
                    {shown(whole, move || view! {
                        <Streams maps=maps.own tracks=maps.tracks story=maps.own_story layer=layer said=sentence on_layer=on_layer>
                            <Player layer=layer layers=layers moved=moved.into() chosen=chosen on_screen=on_screen on_layer=on_layer />
                        </Streams>
                    })}
                </div>
                <div>{shown(whole, move || view! { <AfterPanel after=after on_trace=trace /> })}</div>
            </div>
        </div>
    }
}

/// The tokens of the prompt that is shown; they are chosen on the trace screen.
#[component]
fn Prompt(tracing: Tracing) -> impl IntoView {
    let tracer = tracing.tracer;
    let tokens = move || {
        tracer.fact.with(|fact| {
            let (fact, traced) = fact.as_ref().and_then(|fact| Some((fact, fact.traced()?)))?;
            let [start, end] = traced.subject_span;
            // Special tokens stand for nothing of the prompt; they are rows of the picture.
            let typed = places(&fact.prompt, &traced.tokens).into_iter().filter(|place| !place.at.is_empty());
            let one = |place: Place| {
                let subject = (start..end).contains(&place.tokens.start);
                view! { <li><span class="tok" class:subject=subject>{words::short(&words::token(&place.text), 18)}</span></li> }
            };
            Some(typed.map(one).collect_view())
        })
    };
    let go = move |_| tracer.page.lab.update(|lab| lab.tab = Tab::Trace);
    view! {
        <div class="runs one">
            <div class="names"><span>"Prompt"</span></div>
            <ol class="prompt-tokens">{tokens}</ol>
            <div class="act"><button type="button" on:click=go>"Causal trace"</button></div>
        </div>
    }
}

/// The answer and its probability.
#[component]
fn Answer(tracing: Tracing) -> impl IntoView {
    let shown = move || {
        tracing.maps.own.with(|maps| {
            let TraceMaps { answer, p_clean, standing, .. } = maps.as_ref()?;
            let width = format!("width:{:.1}%", 100.0 * p_clean);
            let warn = (*standing != Standing::Effect)
                .then(|| view! { <p class="then">"No effect to follow through the layers."</p> });
            Some(view! {
                <div class="answer">
                    <b>{words::short(answer, 18)}</b>
                    <span class="meter" aria-hidden="true"><i style=width></i></span>
                    <span class="num">{words::percent_of(*p_clean)}</span>
                </div>
                {warn}
            })
        })
    };
    view! { <div class="answers" role="group" aria-label="Answer">{shown}</div> }
}
