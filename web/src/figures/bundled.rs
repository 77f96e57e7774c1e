//! The models that come with the page, told before anything is loaded. A test holds the numbers against the models'
//! own files.

use crate::state::BUNDLED;

/// A bundled model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// Name.
    pub name: &'static str,
    /// Family, for people.
    pub family: &'static str,
    /// Blocks.
    pub layers: usize,
    /// Residual width.
    pub width: usize,
    /// Parameters.
    pub parameters: u64,
    /// Bytes of its weights.
    pub bytes: u64,
    /// What is special about it.
    pub about: &'static str,
}

/// All of them, in the order in which they are offered.
pub const ALL: [Bundled; BUNDLED.len()] = [
    Bundled {
        name: BUNDLED[0],
        family: "gemma2",
        layers: 8,
        width: 128,
        parameters: 1_773_696,
        bytes: 3_557_080,
        about: "Its facts pass the last token of the subject: seven of its layers see two tokens only, so a name is put \
                together at its last token, and one layer takes the fact to the end of the prompt.",
    },
    Bundled {
        name: BUNDLED[1],
        family: "llama",
        layers: 8,
        width: 128,
        parameters: 1_837_184,
        bytes: 3_682_224,
        about: "Its blocks were rarely left out while training, so it is the less redundant half of a pair with \
                engram-qwen2.",
    },
    Bundled {
        name: BUNDLED[2],
        family: "qwen2",
        layers: 8,
        width: 128,
        parameters: 1_839_232,
        bytes: 3_688_752,
        about: "Its blocks were often left out while training, so it is the more redundant half of the pair.",
    },
    Bundled {
        name: BUNDLED[3],
        family: "gemma2",
        layers: 8,
        width: 128,
        parameters: 1_839_232,
        bytes: 3_688_136,
        about: "Norms around every sublayer, soft-caps, and sliding windows.",
    },
    Bundled {
        name: BUNDLED[4],
        family: "phi",
        layers: 8,
        width: 128,
        parameters: 2_111_744,
        bytes: 4_235_248,
        about: "Attention and MLP read the same input; biases everywhere.",
    },
    Bundled {
        name: BUNDLED[5],
        family: "llama",
        layers: 12,
        width: 160,
        parameters: 3_833_760,
        bytes: 7_679_240,
        about: "Half as deep again as engram-llama and twice its size: the baseline of Stage 2.",
    },
];

/// What a reader of its results must know of a bundled model, in a line; `None` for others.
pub fn told(name: &str) -> Option<String> {
    let known = BUNDLED.iter().position(|one| *one == name)?;
    Some(match known {
        0 => format!(
            "{name} is a small teaching model, trained on these facts and built so that one layer moves the fact."
        ),
        _ => format!("{name} is a small model that was trained on the bundled facts."),
    })
}

/// Parameters of the smallest one, for estimates.
pub const SMALLEST: Bundled = ALL[0];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_cards_tell_what_the_files_hold() -> Result<(), Box<dyn std::error::Error>> {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models");
        assert_eq!(std::fs::read_dir(&models)?.count(), ALL.len());
        for model in ALL {
            let folder = models.join(model.name);
            let card = std::fs::read_to_string(folder.join("README.md"))?;
            let line = format!(
                "A {} of {} layers, width {}, {} parameters",
                model.family, model.layers, model.width, model.parameters
            );
            assert!(card.contains(&line), "{}: {line}", model.name);
            assert_eq!(std::fs::metadata(folder.join("model.safetensors"))?.len(), model.bytes, "{}", model.name);
        }
        Ok(())
    }
}
