//! What the lab's engine does with a loaded model: answers of [`crate::protocol`], whoever carries the messages. Files,
//! downloads and storage belong to the host (a browser's worker, a test).

mod edits;
mod recompute;
mod replacement;
mod retrace;
mod scripts;
mod studies;
mod traces;

pub use edits::{EditStage, EditWish, FactEdit};
pub use recompute::AGAIN;
pub use studies::{Begin, Lines, Log, Sealed, study};
pub use traces::Asked;

use crate::error::{Error, Result};
use crate::facts::{Fact, FactFile, statements};
use crate::load::Model;
use crate::protocol::{Command, Event, Question, Spoken, Token, Tokenized};
use crate::record::Settings;
use crate::run::Sites;
use crate::second_moment::StatsText;
use crate::trace::OneFact;
use edits::EditStack;

/// Takes what there is to tell.
pub type Tell<'a> = &'a dyn Fn(Event);

/// A model at work: its edits, and what is kept from one request to the next.
pub struct Lab {
    model: Model,
    /// Facts that unrelated prompts, paraphrases and neighbours are taken from.
    facts: FactFile,
    program: String,
    edits: EditStack,
    captured: Option<Captured>,
    /// Places in `facts` of those that the unedited model knows, as far as they were looked for.
    known: Option<Vec<usize>>,
}

/// The activations of the prompts that were traced last.
struct Captured {
    one: OneFact,
    /// What is kept of them.
    keep: Sites,
    /// How they were corrupted and judged.
    settings: Settings,
    /// Changes of the weights that they were computed with.
    version: u64,
    /// What a page asked, where one did.
    question: Option<Question>,
}

impl Lab {
    /// A lab with this model. `facts` are the bundled ones.
    pub fn new(mut model: Model, facts: FactFile, program: &str) -> Self {
        let text = &mut model.second_moments.text;
        text.get_or_insert_with(|| StatsText::new("bundled facts", statements(&facts.facts)));
        let (edits, program) = (EditStack::default(), program.to_owned());
        Self { model, facts, program, edits, captured: None, known: None }
    }

    /// The model, with whatever edits are in force.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The facts that come with the lab.
    pub fn facts(&self) -> &FactFile {
        &self.facts
    }

    /// Answers a request about the model: the final event. Events before it go to `tell`.
    ///
    /// # Errors
    /// When the request makes no sense for this model, was cancelled, or the device fails.
    pub async fn answer(&mut self, ask: &Command, tell: Tell<'_>) -> Result<Event> {
        match ask {
            Command::Tokenize { prompt, subject } => Ok(Event::Tokenized(self.tokenize(prompt, subject)?)),
            Command::Speak { prompt, tokens } => {
                let said = self.speak(prompt, *tokens).await?;
                Ok(Event::Spoken(Spoken { prompt: prompt.clone(), said }))
            }
            Command::Trace(question) => self.trace(question, tell).await,
            Command::PutBack { question, site, position, layer } => {
                self.put_back(question, *site, *position, *layer).await
            }
            Command::Forward { question } => self.forward(question).await,
            Command::Edit(edit) => self.edit(edit, tell).await,
            Command::Retrace { edit, question } => self.retrace(*edit, question).await,
            Command::Undo { edit } => self.undo(*edit).await,
            _ => Err(Error::input("this request is not about a model")),
        }
    }

    /// The edits in force as one safetensors file.
    ///
    /// # Errors
    /// When there are none.
    pub fn delta(&self) -> Result<Vec<u8>> {
        crate::edit::delta(&self.model.info, &self.model.overlays)
    }

    fn tokenize(&self, prompt: &str, subject: &str) -> Result<Tokenized> {
        let asked = Fact::asked(prompt, subject, "", "");
        let (text, chars) = match &asked {
            Ok(fact) => (fact.prompt(), Some(fact.subject_chars())),
            Err(_) => (prompt.to_owned(), None),
        };
        let encoded = self.model.tokens.encode(&text)?;
        let span = chars.and_then(|chars| encoded.span(&chars));
        let problem = match (&asked, &span) {
            _ if subject.is_empty() => None,
            (Err(error), _) => Some(error.message().to_owned()),
            (_, None) => Some("the subject has no tokens of its own".to_owned()),
            _ => self.model.tokens.doubled(&text)?,
        };
        let inside = |at: usize| span.as_ref().is_some_and(|span| span.contains(&at));
        let tokens = encoded.ids.iter().enumerate();
        let tokens = tokens.map(|(at, &id)| Token { id, text: self.model.tokens.show(id), subject: inside(at) });
        Ok(Tokenized { tokens: tokens.collect(), problem })
    }

    async fn speak(&self, prompt: &str, tokens: usize) -> Result<String> {
        if prompt.is_empty() {
            return Err(Error::input("the prompt is empty").hint("write something for the model to continue"));
        }
        let said = crate::generate::greedy(&self.model, prompt, tokens.min(256), |text| text.contains('\n')).await?;
        Ok(said.text)
    }
}
