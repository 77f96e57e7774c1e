//! What the engine is asked for a step.

use super::desk::{Desk, Now, maps, waits};
use crate::figures::choice::{self, Way};
use crate::figures::lesson::{Ask, Measured, Predict, outcome, waiting};
use crate::figures::{bundled, question::Asked};
use crate::lab::browser::keep_focus;
use crate::lab::engine::unexpected;
use crate::state::model_of;
use crate::wish::EditWish;
use crate::words;
use engram_core::protocol::{Command, Event, Failure, FailureKind};
use engram_core::record::Record;
use leptos::prelude::*;
use leptos::task::spawn_local;

impl Desk {
    /// Loads the step's model, and finds out what can be chosen.
    pub(super) fn prepare(self, now: Now) {
        let ask = now.step.ask;
        let of = match ask.of {
            Some(of) if of.is_beside() => ask.beside.clone().unwrap_or_default(),
            _ => ask.model.clone(),
        };
        let layers = bundled::ALL.iter().find(|model| model.name == of).map(|model| model.layers);
        self.labels.set(
            layers
                .filter(|_| ask.predict == Predict::Layer)
                .map(|layers| waiting(&ask, &[], layers))
                .unwrap_or_default(),
        );
        let turn = self.turn.get_value();
        self.busy.set(Some(format!("Loading {}", words::visible(&ask.model))));
        spawn_local(async move {
            let done = self.labelled(&ask).await;
            if self.turn.get_value() != turn {
                return;
            }
            self.busy.set(None);
            match done {
                Ok(labels) if waits(&ask) => self.labels.set(labels),
                Ok(_) => {}
                Err(failure) => self.tracer.engine.complain(failure),
            }
        });
    }

    async fn labelled(self, ask: &Ask) -> Result<Vec<String>, Failure> {
        let known = self.labels.get_untracked();
        let layers = self.load(&ask.model).await?;
        if ask.predict != Predict::Token {
            return Ok(if known.is_empty() { waiting(ask, &[], layers) } else { known });
        }
        let prompt = ask.prompt.replacen("{}", &ask.subject, 1);
        let tokenize = Command::Tokenize { prompt, subject: ask.subject.clone() };
        match self.tracer.engine.last("reading the prompt's tokens", tokenize).await {
            Ok((Event::Tokenized(found), _)) => {
                let texts: Vec<String> = found.tokens.into_iter().map(|token| token.text).collect();
                Ok(waiting(ask, &texts, layers))
            }
            Ok(_) => Err(unexpected()),
            Err(failure) => Err(failure),
        }
    }

    /// Loads a model; gives its layers.
    async fn load(self, name: &str) -> Result<usize, Failure> {
        let engine = self.tracer.engine;
        let seen = words::visible(name);
        let model = model_of(name).ok_or_else(|| {
            wrong(format!("“{seen}” is no model"), "name a bundled one or a hub id in the lesson's file")
        })?;
        let loaded = engine.model.with_untracked(|loaded| loaded.as_ref().map(|loaded| loaded.model.clone()));
        if let Way::Consent(_) = choice::way(&model, loaded.as_ref()) {
            return Err(wrong(format!("{seen} is not here yet"), "load it on the Models screen, then come back"));
        }
        let same = loaded.as_ref() == Some(&model);
        let edits = engine.edits.with_untracked(Vec::len);
        if same && edits > 0 {
            let what = format!("{} in force: a lesson measures the model without edits", words::count(edits, "edit"));
            return Err(wrong(what, "undo all edits on the Edit screen, then come back"));
        }
        let loaded = engine.load(model, Vec::new()).await?;
        Ok(loaded.info.layers)
    }

    /// Measures, and holds the prediction against it.
    pub(super) fn check(self) {
        let free = self.busy.with_untracked(Option::is_none);
        let asked = self.now.get_untracked().zip(self.mine.get_untracked()).filter(|_| free);
        let Some((now, mine)) = asked else { return };
        let turn = self.turn.get_value();
        self.busy.set(Some("Measuring".into()));
        spawn_local(async move {
            let measured = self.measure(&now.step.ask).await;
            if self.turn.get_value() != turn {
                return;
            }
            self.busy.set(None);
            let ended = measured.and_then(|measured| {
                outcome(&now.step, &measured, mine).map_err(|why| wrong(why, "take another prompt or model"))
            });
            match ended {
                Ok(found) => {
                    self.found.set(Some(found));
                    // It was out of order meanwhile, and lost the focus.
                    keep_focus("#panel-lessons .foot .primary");
                }
                Err(failure) => self.tracer.engine.complain(failure),
            }
        });
    }

    async fn measure(self, ask: &Ask) -> Result<Measured, Failure> {
        let (record, greedy) = self.traced(ask, &ask.model).await?;
        let mut measured = Measured { record, beside: None, edited: None, greedy };
        if ask.edits {
            measured.edited = Some(self.edited(ask, &measured.record).await?);
        }
        if let Some(beside) = &ask.beside {
            measured.beside = Some(self.traced(ask, beside).await?.0);
            // The chosen model follows the loaded one; a step with a question of its own goes on with its own.
            self.tracer.page.lab.update(|lab| {
                if lab.lesson.own {
                    lab.model.clone_from(&ask.model);
                }
            });
        }
        Ok(measured)
    }

    /// A trace of the step's question.
    async fn traced(self, ask: &Ask, model: &str) -> Result<(Record, String), Failure> {
        self.busy.set(Some(format!("Measuring {}", words::visible(model))));
        let layers = self.load(model).await?;
        let asked: Asked = self.asked(ask);
        let mut question = Asked { new: String::new(), ..asked }.question(layers);
        question.maps = maps(ask);
        match self.tracer.engine.last("measuring for a lesson", Command::Trace(question)).await {
            Ok((Event::Trace { record, greedy, .. }, _)) => {
                let fact = record.facts.first();
                match fact.is_some_and(|fact| fact.traced().is_some()) {
                    true => Ok((*record, greedy)),
                    false => {
                        let what =
                            "this prompt cannot be traced: its subject has no tokens of its own, or it is too long";
                        Err(wrong(what.into(), "take another prompt or subject"))
                    }
                }
            }
            Ok(_) => Err(unexpected()),
            Err(failure) => Err(failure),
        }
    }

    /// Makes the step's edit, and undoes it: the next step finds the model as it was.
    async fn edited(self, ask: &Ask, record: &Record) -> Result<Box<engram_core::protocol::Edited>, Failure> {
        self.busy.set(Some(format!("Editing {}", words::visible(&ask.model))));
        let engine = self.tracer.engine;
        let target = record.facts.first().map(|fact| fact.target_true.clone()).unwrap_or_default();
        let wish = EditWish { layer: ask.layer, ..EditWish::default() };
        let command = wish.ask(&ask.prompt, &ask.subject, &target, &ask.new);
        let edited = match engine.last("editing for a lesson", Command::Edit(command)).await {
            Ok((Event::Edited(edited), _)) => edited,
            Ok(_) => return Err(unexpected()),
            Err(failure) => return Err(failure),
        };
        engine.edits.update(|edits| edits.push((*edited).clone()));
        engine.undo(Some(edited.edit)).await?;
        Ok(edited)
    }
}

/// What a reader can mend.
fn wrong(message: String, hint: &str) -> Failure {
    Failure { kind: FailureKind::Input, message, hint: Some(hint.to_owned()) }
}
