//! Greedy continuation of a prompt: what a model would say.

use crate::error::{Error, Result};
use crate::load::Model;
use crate::run::{Edited, Prompt, Read, Sites};
use crate::tensor::Matrix;
use crate::tokens::Encoded;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A generator of its own for each purpose and name, so that draws do not depend on what else is drawn.
pub(crate) fn generator(seed: u64, purpose: &str, id: &str) -> ChaCha8Rng {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(purpose.as_bytes());
    digest.update([0]);
    digest.update(id.as_bytes());
    ChaCha8Rng::from_seed(digest.finalize().into())
}

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

/// Texts that the model goes on with from each of some beginnings, up to so many tokens each, the beginning's included; every
/// next token is drawn from the `top` most probable ones by their probabilities. The beginning is part of the text. Edits in
/// force are left out.
///
/// # Errors
/// As [`prompt_of`].
pub async fn sampled(model: &Model, starts: &[(&str, usize)], top: usize, seed: u64) -> Result<Vec<String>> {
    let edited = Edited { overlays: &[], ..model.edited() };
    let before = model.tokens.before().len();
    let mut all = Vec::with_capacity(starts.len());
    for (at, &(start, length)) in starts.iter().enumerate() {
        all.push((prompt_of(model, start)?.ids, before + length, generator(seed, "sampled", &at.to_string())));
    }
    let most = model.net.shape.positions;
    loop {
        let growing = |(ids, length, _): &(Vec<u32>, usize, _)| ids.len() < (*length).min(most);
        let prompts: Vec<Prompt> = all.iter().filter(|one| growing(one)).map(|(ids, ..)| Prompt::plain(ids)).collect();
        if prompts.is_empty() {
            break;
        }
        // They are short, so reading them anew all together is quicker than one at a time from what was kept.
        let cache = edited.capture(&prompts, &Matrix::default(), &Sites::end()).await?;
        for (prompt, (ids, _, generator)) in all.iter_mut().filter(|one| growing(one)).enumerate() {
            let logits = edited.logits(&cache, prompt, ids.len() - 1).await?;
            ids.push(drawn(&logits, top, generator));
        }
    }
    all.iter().map(|(ids, ..)| model.tokens.decode(ids)).collect()
}

/// A text that begins with a prompt and has so many tokens, the prompt's included, by a model with these edits; every next token is drawn from the
/// `top` most probable ones. Draws are of the seed and a name.
///
/// # Errors
/// As [`prompt_of`].
pub async fn sampled_on(
    model: &Model,
    edited: Edited<'_>,
    prompt: &str,
    length: usize,
    top: usize,
    (seed, name): &(u64, String),
) -> Result<String> {
    let mut ids = prompt_of(model, prompt)?.ids;
    let length = (model.tokens.before().len() + length).min(model.net.shape.positions);
    let mut generator = generator(*seed, "text", name);
    let mut cache = edited.capture(&[Prompt::plain(&ids)], &Matrix::default(), &Sites::to_extend()).await?;
    while ids.len() < length {
        let computed = cache.ids(0).len();
        edited.extend(&mut cache, 0, &ids[computed..]).await?;
        let logits = edited.logits(&cache, 0, ids.len() - 1).await?;
        ids.push(drawn(&logits, top, &mut generator));
    }
    model.tokens.decode(&ids)
}

/// One of the `top` largest logits' places, by their probabilities among themselves.
fn drawn(logits: &[f32], top: usize, generator: &mut impl Rng) -> u32 {
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let value = |id: u32| logits[id as usize];
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
    order.truncate(top.max(1));
    let weights: Vec<f64> = order.iter().map(|&id| f64::from(value(id) - value(order[0])).exp()).collect();
    let mut point = generator.random::<f64>() * weights.iter().sum::<f64>();
    for (&id, weight) in order.iter().zip(&weights) {
        point -= weight;
        if point < 0.0 {
            return id;
        }
    }
    order[order.len() - 1]
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
