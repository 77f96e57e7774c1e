//! First sight: what the page is, how a record is made, where to drop it.

use leptos::prelude::*;

/// What is shown while no record is open.
#[component]
pub fn Welcome() -> impl IntoView {
    view! {
        <section class="welcome">
            <p class="lead">
                "This page opens the record of a study and shows where a small language model stores facts: which layers \
                 bring an answer back, which it is lost without, and what became of it when it was rewritten."
            </p>
            <h2>"Make a record"</h2>
            <pre>
                <code>
                    "engram study --model HuggingFaceTB/SmolLM2-135M \\\n    --facts counterfact.json -n 100 --maps 10 --out studies"
                </code>
            </pre>
            <p>
                "It writes one " <code>".engram.json"</code> " a model. A single fact will do, too:"
            </p>
            <pre>
                <code>
                    "engram trace \"The capital of France is\" --subject France \\\n    --model HuggingFaceTB/SmolLM2-135M --json > france.engram.json"
                </code>
            </pre>
            <p class="faint">
                "Records stay in this tab; nothing is sent anywhere. Several can be open side by side. On a server, "
                <code>"?record=path/to/study.engram.json"</code> " opens a record that lies beside the page."
            </p>
        </section>
    }
}
