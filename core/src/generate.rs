//! Greedy continuation of a prompt: what a model would say.

use crate::error::{Error, Result};
use crate::load::Model;
use crate::run::{Prompt, Read, Sites};
use crate::tensor::Matrix;
use crate::tokens::Encoded;

/// What a model said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The tokens that were generated.
    pub ids: Vec<u32>,
    /// Their text, as it continues the prompt.
    pub text: String,
}

/// A prompt's tokens, when the model can continue it.
///
/// # Errors
/// A prompt without tokens, one that is longer than the model takes, a token that the model has no embedding for.
pub fn prompt_of(model: &Model, prompt: &str) -> Result<Encoded> {
    let encoded = model.tokens.encode(prompt)?;
    let (count, most) = (encoded.ids.len(), model.net.shape.positions);
    if count == 0 {
        return Err(Error::input("the prompt has no tokens").hint("write a text that the model can continue"));
    }
    if count > most {
        return Err(
            Error::input(format!("the prompt has {count} tokens, the model takes {most}")).hint("shorten the prompt")
        );
    }
    match model.unknown(&encoded.ids) {
        None => Ok(encoded),
        Some(what) => Err(Error::input(what).hint(
            "tokenizer.json has tokens that the weights lack: leave them out of the prompt, or take the model's own \
             tokenizer.json",
        )),
    }
}

/// Up to `limit` tokens after a prompt, the most probable one each time. Stops before `stop(text so far)` is true.
///
/// # Errors
/// As [`prompt_of`].
pub async fn greedy(model: &Model, prompt: &str, limit: usize, stop: impl Fn(&str) -> bool) -> Result<Said> {
    Ok(continued(model, prompt, limit, stop).await?.0)
}

/// The same, and with the token that made it stop, if one did.
async fn continued(
    model: &Model,
    prompt: &str,
    limit: usize,
    stop: impl Fn(&str) -> bool,
) -> Result<(Said, Option<Said>)> {
    let mut ids = prompt_of(model, prompt)?.ids;
    let start = ids.len();
    let edited = model.edited();
    let mut said = Said::default();
    let mut cache = edited.capture(&[Prompt::plain(&ids)], &Matrix::default(), &Sites::to_extend()).await?;
    // The last token that is said need not be fed, so a prompt may fill the model's length.
    while ids.len() - start < limit && ids.len() <= model.net.shape.positions {
        let computed = cache.ids(0).len();
        edited.extend(&mut cache, 0, &ids[computed..]).await?;
        let read = Read { position: ids.len() - 1, tokens: Vec::new() };
        ids.push(edited.read(&cache, &[(0, read)]).await?[0].top);
        let text = model.tokens.decode(&ids[start..])?;
        let now = Said { ids: ids[start..].to_vec(), text };
        if stop(&now.text) {
            return Ok((said, Some(now)));
        }
        said = now;
    }
    Ok((said, None))
}

/// Marks that end a word, in the scripts that the families are trained on.
const ENDS: &str = ".,;:!?\"()[]{}…—。，、；：！？「」『』（）《》〈〉【】“”‘’«»";

/// The whole word that a model would say next; `text` is without its leading space. In a script that has no spaces between
/// words, up to the next mark.
///
/// # Errors
/// As [`prompt_of`].
pub async fn next_word(model: &Model, prompt: &str) -> Result<Said> {
    const MOST: usize = 8;
    let ended = |text: &str| {
        let word = text.trim_start();
        word.chars().any(|c| c.is_whitespace() || ENDS.contains(c)) && word.chars().any(char::is_alphanumeric)
    };
    let (mut said, with_end) = continued(model, prompt, MOST, ended).await?;
    if !said.text.chars().any(char::is_alphanumeric) {
        // One token may hold a word and what ends it.
        said = with_end.unwrap_or(said);
    }
    // A character may be cut where the tokens end.
    while said.text.ends_with('\u{fffd}') && said.ids.pop().is_some() {
        said.text = model.tokens.decode(&said.ids)?;
    }
    said.text = said.text.trim().to_string();
    Ok(said)
}

/// Vocabulary ids after these tokens, the most probable first.
pub async fn ranked(model: &Model, ids: &[u32]) -> Result<Vec<u32>> {
    let cache = model.edited().capture(&[Prompt::plain(ids)], &Matrix::default(), &Sites::end()).await?;
    let logits = model.edited().logits(&cache, 0, ids.len() - 1).await?;
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    Ok(order)
}

/// The model's most probable next token that does not begin the true answer: the answer to hold it against.
///
/// # Errors
/// When no other token is a word, or as [`prompt_of`].
pub async fn rival(model: &Model, prompt: &str, answer: &[u32]) -> Result<Said> {
    let ids = prompt_of(model, prompt)?.ids;
    for id in ranked(model, &ids).await?.into_iter().take(1000) {
        let text = model.tokens.decode(&[id])?.trim().to_string();
        let word = text.chars().any(char::is_alphanumeric) && !text.contains('\u{fffd}');
        if word && Some(&id) != answer.first() {
            return Ok(Said { ids: vec![id], text });
        }
    }
    Err(Error::input("no second answer was found").hint("name one yourself"))
}
