//! A person's question as a fact: the subject's place, and answers that the model gives itself where none are named.

use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::generate::{Said, next_word, prompt_of, rival};
use crate::load::Model;

/// What a person asks about a prompt.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The prompt; `{}` stands for the subject, which may also be written out.
    pub prompt: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// True answer; the model's own when absent.
    pub target: Option<&'a str>,
    /// The answer to hold it against; the model's most probable other token when absent.
    pub target_new: Option<&'a str>,
}

/// The question as a fact, and what the model says by itself.
///
/// An answer that is the model's own keeps the tokens that it was generated with: written again after the prompt, it might be
/// cut into others (after half a word, an opening quotation mark, in a script without spaces).
///
/// # Errors
/// When the subject is not in the prompt, the prompt does not fit the model, or the model has no word to say.
pub async fn fact_of(model: &Model, question: Question<'_>) -> Result<(Fact, Said)> {
    let Question { prompt, subject, target, target_new } = question;
    let asked = Fact::asked(prompt, subject, target.unwrap_or_default(), target_new.unwrap_or_default())?;
    let prompt = asked.prompt();
    prompt_of(model, &prompt)?;
    let own = next_word(model, &prompt).await?;
    let target = match target.map(str::trim).filter(|text| !text.is_empty()) {
        Some(target) => target.to_owned(),
        None if own.text.is_empty() => return Err(wordless(model, &prompt, &own)),
        None => own.text.clone(),
    };
    let by_text = |text: &str| -> Result<Vec<u32>> { Ok(model.tokens.answer(&prompt, text)?.unwrap_or_default()) };
    let own_ids = |text: &str| if text == own.text { own.ids.clone() } else { Vec::new() };
    // The usual case, in which there is nothing to remember.
    let beside = |ids: Vec<u32>, text: &str| Ok::<_, Error>(if by_text(text)? == ids { Vec::new() } else { ids });

    let answer = match own_ids(&target) {
        ids if ids.is_empty() => by_text(&target)?,
        ids => ids,
    };
    let (new, new_ids) = match target_new.map(str::trim).filter(|text| !text.is_empty()) {
        None => {
            let rival = rival(model, &prompt, &answer).await?;
            (rival.text, rival.ids)
        }
        Some(new) => {
            let mut ids = own_ids(new);
            if ids.is_empty() && by_text(new)?.is_empty() {
                // It cannot be written after the prompt; perhaps it was read off the model before.
                ids = rival(model, &prompt, &answer)
                    .await
                    .map(|said| if said.text == new { said.ids } else { Vec::new() })?;
            }
            (new.to_owned(), ids)
        }
    };
    let answer_ids = [beside(own_ids(&target), &target)?, beside(new_ids, &new)?];
    Ok((Fact { target_true: target, target_new: new, answer_ids, ..asked }, own))
}

/// The error for a model that continues a prompt by marks only.
fn wordless(model: &Model, prompt: &str, own: &Said) -> Error {
    let said = model.tokens.decode(&own.ids).unwrap_or_default();
    let said = crate::text::told(&said);
    Error::input(format!(
        "the model continues {:?} with {said:?}, in which there is no word",
        crate::text::told(prompt)
    ))
    .hint("name the true answer yourself, or end the prompt where a word must follow")
}
