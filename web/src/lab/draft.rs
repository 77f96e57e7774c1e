//! The question that both tabs ask: what the address says, or else the stored fact that a reader sees first.

use crate::figures::choice;
use crate::figures::question::Asked;
use crate::page::Page;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;

use super::Engine;

/// The question as it is typed. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    page: Page,
    engine: Engine,
    /// The question.
    pub(crate) asked: Memo<Asked>,
    touched: RwSignal<bool>,
    /// The question that was filled in, not typed.
    filled: StoredValue<Asked>,
}

impl Draft {
    /// The address's question; `first` as long as it has none and nobody has typed.
    pub(crate) fn new(page: Page, engine: Engine, first: Asked) -> Self {
        let (touched, filled) = (RwSignal::new(false), StoredValue::new(first.clone()));
        let asked = Memo::new(move |_| {
            let asked = page.lab.with(Asked::of);
            if asked.is_empty() && !touched.get() {
                // The stored result's window is kept unless the address names another.
                let window = if asked.window == 0 { first.window } else { asked.window };
                let instead = if asked.instead.is_empty() { first.instead.clone() } else { asked.instead };
                Asked { noise: asked.noise, instead, window, ..first.clone() }
            } else {
                asked
            }
        });
        Self { page, engine, asked, touched, filled }
    }

    /// Changes the question, and with it the address.
    pub(crate) fn change(self, change: impl FnOnce(&mut Asked)) {
        let mut asked = self.asked.get_untracked();
        change(&mut asked);
        self.touched.set(true);
        self.page.lab.update(|lab| asked.write(lab));
    }

    /// Fills in a question.
    pub(crate) fn fill(self, asked: Asked) {
        self.filled.set_value(asked.clone());
        self.change(|now| *now = asked);
    }

    /// Another prompt is typed. Answers that were filled in with the old one have nothing to do with it, nor has a replacement that was made
    /// for its subject.
    pub(crate) fn retype(self, prompt: String) {
        self.change(|asked| {
            let filled = self.filled.get_value();
            let Asked { noise, window, .. } = *asked;
            // An answer belongs to its prompt; it would judge another one, out of sight.
            asked.target.clear();
            if *asked
                == (Asked { noise, window, instead: asked.instead.clone(), target: String::new(), ..filled.clone() })
            {
                asked.new.clear();
            }
            self.reopen(asked);
            asked.prompt = prompt;
        });
    }

    /// Other bytes of the prompt are its subject.
    pub(crate) fn choose(self, range: std::ops::Range<usize>) {
        self.change(|asked| {
            self.reopen(asked);
            asked.choose_range(range);
        });
    }

    /// Leaves the replacement open again, unless a person has named it.
    fn reopen(self, asked: &mut Asked) {
        if asked.instead == self.filled.with_value(|filled| filled.instead.clone()) {
            asked.instead.clear();
        }
    }

    /// The model that is to answer.
    pub(crate) fn model(self) -> ModelRef {
        let text = self.page.lab.with(|lab| lab.model.clone());
        self.engine.model.with(|loaded| choice::wanted(&text, loaded.as_ref().map(|loaded| &loaded.model)))
    }

    /// What pressing the button does for that model.
    pub(crate) fn way(self) -> choice::Way {
        let model = self.model();
        self.engine.model.with(|loaded| choice::way(&model, loaded.as_ref().map(|loaded| &loaded.model)))
    }

    /// Another model is to answer.
    pub(crate) fn choose_model(self, text: String) {
        self.page.lab.update(|lab| lab.model = text);
    }
}
