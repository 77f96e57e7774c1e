//! Greedy continuation of a prompt: what a model would say.

use crate::error::{Error, Result};
use crate::model::Model;
use crate::run::{Prompt, logits_of, predict};

/// Up to `limit` tokens after a prompt, the most probable one each time. Stops before `stop(text so far)` is true.
pub async fn greedy(model: &Model, prompt: &str, limit: usize, stop: impl Fn(&str) -> bool) -> Result<String> {
    let mut ids = model.tokens.encode(prompt)?.ids;
    let start = ids.len();
    let mut said = String::new();
    while ids.len() - start < limit && ids.len() < model.decoder.shape().positions {
        ids.push(ranked(model, &ids).await?[0]);
        let text = model.tokens.decode(&ids[start..])?;
        if stop(&text) {
            break;
        }
        said = text;
    }
    Ok(said)
}

/// The whole word that a model would say next, without its leading space.
pub async fn next_word(model: &Model, prompt: &str) -> Result<String> {
    let ended = |text: &str| {
        let word = text.trim_start();
        word.chars().any(|c| c.is_whitespace() || ".,;:!?\"()".contains(c)) && word.chars().any(char::is_alphanumeric)
    };
    let word = greedy(model, prompt, 8, ended).await?;
    Ok(word.trim().to_string())
}

/// Vocabulary ids after these tokens, the most probable first.
pub async fn ranked(model: &Model, ids: &[u32]) -> Result<Vec<u32>> {
    let prompts = [Prompt { ids: ids.to_vec(), ..Prompt::default() }];
    let base = predict(model.decoder.as_ref(), &model.compute.device, &prompts, None).await?;
    let logits = logits_of(model.decoder.as_ref(), &base, 0, ids.len() - 1).await?;
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    Ok(order)
}

/// The model's most probable next token that does not begin the target: the answer to hold it against.
pub async fn rival(model: &Model, prompt: &str, target: &str) -> Result<String> {
    let ids = model.tokens.encode(prompt)?.ids;
    let own = model.tokens.answer(prompt, target)?.ok().and_then(|ids| ids.first().copied());
    for id in ranked(model, &ids).await?.into_iter().take(1000) {
        let text = model.tokens.decode(&[id])?.trim().to_string();
        let first = model.tokens.answer(prompt, &text)?.ok().and_then(|ids| ids.first().copied());
        if text.chars().any(char::is_alphanumeric) && first == Some(id) && Some(id) != own {
            return Ok(text);
        }
    }
    Err(Error::input("no second answer was found").hint("name one yourself (--target-new)"))
}
