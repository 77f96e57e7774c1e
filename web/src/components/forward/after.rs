//! One layer in full, at the right of the streams.

use crate::components::trace::meter;
use crate::figures::forward::Head;
use crate::words;
use engram_core::protocol::Word;
use leptos::prelude::*;

/// What stands in the panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct After {
    /// The layer, from 1, and how many there are.
    pub layer: [usize; 2],
    /// The answer.
    pub answer: String,
    /// What the model would say; one word without probability where it was not computed here.
    pub words: Vec<Word>,
    /// The engine was asked for more.
    pub asked: bool,
    /// The first word, from the record.
    pub top: Option<String>,
    /// Both answers with their probabilities and ranks.
    pub answers: Vec<(String, f64, u32)>,
    /// Tokens whose state is put back here, whether they are the subject's, and what they restore.
    pub restores: Vec<(String, bool, f64)>,
    /// The layer's heads, with what they give the subject's last token.
    pub heads: Vec<Head>,
    /// From which token, to which.
    pub from_to: [String; 2],
}

/// The panel.
#[component]
pub fn AfterPanel(
    /// What stands in it.
    after: Memo<Option<After>>,
    /// Traces the prompt in this tab.
    on_trace: Callback<()>,
) -> impl IntoView {
    let said = move |after: &After| {
        let After { answer, words: found, top, .. } = after;
        let word = |Word { text, p }: &Word| {
            let text = words::token(text);
            let bare = text.trim_start_matches(['·', '▁', 'Ġ']).to_owned();
            let own = !bare.is_empty() && answer.starts_with(&bare);
            let shown = if bare.is_empty() { "␣".to_owned() } else { bare };
            view! {
                <span class="word" class:a=own>{shown}</span>
                {meter((*p).into(), "meter", !own)}
                <span class="num">{words::percent_of((*p).into())}</span>
            }
        };
        match (found.is_empty(), top) {
            (false, _) => view! { <div class="says">{found.iter().map(word).collect_view()}</div> }.into_any(),
            (true, Some(top)) => {
                let top = top.trim_start_matches('·').to_owned();
                view! {
                    <p>{format!("“{top}”")}</p>
                    {match after.asked {
                        true => view! { <p class="sub">"Reading the others, and what each head attends to…"</p> }.into_any(),
                        false => view! {
                            <p class="sub">
                                <button type="button" class="link" on:click=move |_| on_trace.run(())>"Trace it here"</button>
                                " to see the others, and what each head attends to."
                            </p>
                        }
                        .into_any(),
                    }}
                }
                .into_any()
            }
            (true, None) => view! { <p class="sub">"This result has no logit lens."</p> }.into_any(),
        }
    };
    let restores = |after: &After| {
        let one = |(name, subject, value): &(String, bool, f64)| {
            view! {
                <span class="word" class:s=*subject>{words::short(name, 9)}</span>
                {meter(value.clamp(0.0, 1.0), "meter", true)}
                <span class="num">{words::fixed(*value, 2)}</span>
            }
        };
        (!after.restores.is_empty()).then(|| {
            view! {
                <section>
                    <h3>"Put back here, it restores"</h3>
                    <div class="says">{after.restores.iter().map(one).collect_view()}</div>
                </section>
            }
        })
    };
    let heads = |after: &After| {
        let [from, to] = &after.from_to;
        let one = |head: &Head| {
            let percent = format!("{:.0}", 100.0 * head.share);
            let label = format!("head {}, {percent} %", head.number);
            view! {
                <li class:top=head.top title=label.clone() aria-label=label>
                    {head.top.then(|| percent.clone())}
                    <i style=format!("height:{:.0}px", 26.0 * head.share)></i>
                    <span>{head.number}</span>
                </li>
            }
        };
        (!after.heads.is_empty()).then(|| {
            view! {
                <section class="dock">
                    <h3>{format!("Attention from {from} to {to}, by head, in %")}</h3>
                    <ol class="heads">{after.heads.iter().map(one).collect_view()}</ol>
                </section>
            }
        })
    };
    let shown = move || {
        let after = after.get()?;
        let [layer, layers] = after.layer;
        let own = after.answers.iter().map(|(answer, p, rank)| {
            view! { <p class="sub">{format!("{answer}: {}, rank {}", words::percent_of(*p), words::grouped(*rank))}</p> }
        });
        let own = own.collect_view();
        Some(view! {
            <div class="head"><h2>{format!("After layer {layer}")}</h2><span class="sub">{format!("of {layers}")}</span></div>
            <section><h3>"The model would say"</h3>{said(&after)}{own}</section>
            {restores(&after)}
            {heads(&after)}
        })
    };
    view! {
        <aside class="inspector" aria-label="After this layer">
            {shown}
            <section class="how">
                <h3>"How to read the picture"</h3>
                <p>
                    "Each line is a token’s state, passed from layer to layer. The thicker and stronger in colour it is, the more of \
                     the answer it restores when it is put back alone into the corrupted run."
                </p>
            </section>
        </aside>
    }
}
