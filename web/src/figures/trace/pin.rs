//! A pinned trace: the question that it answers, as it travels in the address, and how it is told from the shown one.

use crate::figures::question::Asked;
use crate::words;

/// A pinned question with its model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pin {
    /// The model's name.
    pub model: String,
    /// The question.
    pub asked: Asked,
}

/// Between the parts of a pin in the address.
const BETWEEN: char = '|';

/// A part without that sign in it.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace(BETWEEN, "%7C")
}

fn unescaped(part: &str) -> String {
    part.replace("%7C", "|").replace("%25", "%")
}

impl Pin {
    /// It as one value of the address.
    pub fn written(&self) -> String {
        let Asked { prompt, subject, target, new, noise, instead, window } = &self.asked;
        let (noise, window) = (if *noise { "1" } else { "" }, window.to_string());
        let window = if window == "0" { "" } else { &window };
        let parts = [self.model.as_str(), prompt, subject, target, new, noise, instead, window];
        let text = parts.map(escaped).join(&BETWEEN.to_string());
        text.trim_end_matches(BETWEEN).to_owned()
    }

    /// Reads it; `None` where it names no prompt.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(BETWEEN).map(unescaped);
        let mut next = || parts.next().unwrap_or_default();
        let (model, prompt, subject, target, new) = (next(), next(), next(), next(), next());
        let (noise, instead) = (next() == "1", next());
        let window = next().parse().unwrap_or(0);
        let asked = Asked { prompt, subject, target, new, noise, instead, window };
        (!asked.prompt.trim().is_empty()).then_some(Self { model, asked })
    }
}

/// What tells two traces from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The model's name.
    pub model: String,
    /// The prompt.
    pub prompt: String,
    /// What the subject is replaced by; `None` for noise.
    pub instead: Option<String>,
    /// Edits in force.
    pub edits: usize,
}

/// Names of the shown trace and of the pinned one by the first thing in which they differ.
pub fn names(this: &Side, pinned: &Side) -> [String; 2] {
    let quoted = |text: &str| format!("“{}”", words::short(&words::visible(text), 40));
    let both = [this, pinned];
    if this.model != pinned.model {
        both.map(|side| words::visible(&side.model))
    } else if this.edits != pinned.edits {
        both.map(|side| match side.edits {
            0 => "no edits".to_owned(),
            count => words::count(count, "edit"),
        })
    } else if this.prompt != pinned.prompt {
        both.map(|side| quoted(&side.prompt))
    } else if this.instead != pinned.instead {
        both.map(|side| side.instead.as_deref().map_or("noise".to_owned(), quoted))
    } else {
        ["this trace".into(), "the pinned one".into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_survives_the_address() {
        let asked = Asked {
            prompt: "The | capital, 7 %7C of {} is".into(),
            subject: "France".into(),
            instead: "A Random Person".into(),
            window: 3,
            ..Asked::default()
        };
        let pin = Pin { model: "engram-relay".into(), asked };
        assert_eq!(Pin::read(&pin.written()), Some(pin.clone()));
        let short = Pin { asked: Asked { instead: String::new(), window: 0, ..pin.asked }, ..pin };
        assert_eq!(short.written(), "engram-relay|The %7C capital, 7 %257C of {} is|France");
        assert_eq!(Pin::read(&short.written()), Some(short));
        for nothing in ["", "|", "engram-relay", "a| |b"] {
            assert_eq!(Pin::read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn traces_are_named_by_their_first_difference() {
        let one = Side { model: "a".into(), prompt: "p".into(), instead: Some("X".into()), edits: 0 };
        assert_eq!(names(&one, &Side { instead: None, ..one.clone() }), ["“X”", "noise"]);
        assert_eq!(names(&one, &Side { edits: 1, ..one.clone() }), ["no edits", "1 edit"]);
        assert_eq!(names(&one, &Side { model: "b".into(), edits: 1, ..one.clone() }), ["a", "b"]);
        assert_eq!(names(&one, &one), ["this trace", "the pinned one"]);
    }
}
