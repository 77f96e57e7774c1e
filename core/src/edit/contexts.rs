//! Context prefixes (Meng et al. 2022): short texts of the model's own that stand before the prompt, so that an edit holds
//! whatever was said before it.

use crate::error::Result;
use crate::facts::{Fact, SLOT};
use crate::generate::sampled;
use crate::load::Model;

/// Words that prefixes begin with, as EasyEdit has them: not every tokenizer has a token that begins a text.
const STARTS: [&str; 5] = ["The", "Therefore", "Because", "I", "You"];
/// Tokens of a prefix, its first word included.
const LENGTHS: [usize; 2] = [5, 10];
/// Prefixes of each word and length.
const EACH: usize = 2;
/// The next token is drawn from so many.
const TOP: usize = 5;

/// Prefixes of a model, as templates with the prompt's place: `"The best way to. {}"`. The bare prompt is not among them.
///
/// # Errors
/// When the device fails.
pub async fn contexts(model: &Model, seed: u64) -> Result<Vec<String>> {
    let starts: Vec<(&str, usize)> =
        LENGTHS.iter().flat_map(|&length| STARTS.map(|start| (start, length))).flat_map(|one| [one; EACH]).collect();
    let texts = sampled(model, &starts, TOP, seed).await?;
    Ok(texts.iter().map(|text| format!("{}. {SLOT}", cleaned(text))).collect())
}

/// A text without what would be taken for the prompt's place, in one line.
fn cleaned(text: &str) -> String {
    let plain: String = text.chars().map(|c| if "{}".contains(c) || c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A fact whose prompt stands in a context.
pub(super) fn within(context: &str, fact: &Fact) -> Fact {
    Fact { template: context.replacen(SLOT, &fact.template, 1), ..fact.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_no_place_but_the_prompts() {
        assert_eq!(cleaned("The {best}\n\n way\t to"), "The best way to");
        let fact = Fact { template: "{} is in".into(), subject: "Paris".into(), ..Fact::default() };
        let fact = within("The {best} way. {}".replace(['{', '}'], "").replace("way. ", "way. {}").as_str(), &fact);
        assert_eq!((fact.prompt().as_str(), fact.subject_chars()), ("The best way. Paris is in", 14..19));
    }
}
