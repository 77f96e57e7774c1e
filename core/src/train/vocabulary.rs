//! A byte-level BPE tokenizer of the size that a recipe asks for (Sennrich et al. 2016; GPT-2's byte alphabet).

use super::recipe::Recipe;
use super::text::Corpus;
use crate::error::{Error, Result};
use serde_json::json;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, TokenizerBuilder};

/// Ends a text, begins it in families with BOS, and fills batches.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// `tokenizer.json` for a recipe, and `tokenizer_config.json` for other programs.
pub(super) fn train(corpus: &Corpus, recipe: &Recipe) -> Result<(String, String)> {
    let failed = |error: tokenizers::Error| Error::input(format!("cannot train a tokenizer: {error}"));
    let bos = begins_with_bos(recipe);
    let special = AddedToken::from(END_OF_TEXT, true);
    let mut trainer = BpeTrainer::builder()
        .vocab_size(recipe.vocabulary())
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(vec![special])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let bytes = ByteLevel::default().add_prefix_space(false);
    let mut tokenizer = TokenizerBuilder::default()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::NormalizerWrapper>)
        .with_pre_tokenizer(Some(bytes))
        .with_decoder(Some(bytes))
        .with_post_processor(None::<tokenizers::PostProcessorWrapper>)
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, corpus.for_tokenizer().into_iter()).map_err(failed)?;
    let size = tokenizer.get_vocab_size(true);
    if size != recipe.vocabulary() {
        return Err(Error::input(format!("the text gives {size} tokens, the recipe asks for {}", recipe.vocabulary()))
            .hint("lower `config.vocab_size` in the recipe or train on more text"));
    }
    let json = tokenizer.to_string(false).map_err(failed)?;
    let json = match bos {
        false => json,
        true => with_bos(&json)?,
    };
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos.then_some(END_OF_TEXT),
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "model_max_length": recipe.config["max_position_embeddings"],
    });
    Ok((json, format!("{config:#}\n")))
}

/// Llama's and Gemma's tokenizers put a BOS before every text, Qwen's and Phi's do not.
fn begins_with_bos(recipe: &Recipe) -> bool {
    matches!(recipe.config["model_type"].as_str(), Some("llama" | "gemma2" | "gemma3_text"))
}

fn with_bos(json: &str) -> Result<String> {
    let failed = |error: String| Error::input(format!("cannot give the tokenizer a BOS: {error}"));
    let mut tokenizer: tokenizers::Tokenizer =
        json.parse().map_err(|error: tokenizers::Error| failed(error.to_string()))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{END_OF_TEXT} $A"))
        .map_err(failed)?
        .special_tokens(vec![(END_OF_TEXT, 0)])
        .build()
        .map_err(|error| failed(error.to_string()))?;
    tokenizer.with_post_processor(Some(template));
    tokenizer.to_string(false).map_err(|error| failed(error.to_string()))
}
