//! The block of a step that says what is asked: lines `name = value`, as TOML writes them.

use super::file::Flaw;
use super::values::{Curve, Expression, Scope};

/// How a reader predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predict {
    /// One of the prompt's tokens.
    Token,
    /// One of the model's layers.
    Layer,
    /// One of the block's options.
    Option,
    /// A number.
    Number,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The clean and the corrupted run alone.
    Runs,
    /// The clean run alone.
    Clean,
    /// Recovery by the token put back, after this layer.
    Tokens(usize),
    /// A value for each layer.
    Layers(Curve),
    /// The mean of these.
    Mean(Curve),
    /// Both answers before and after an edit.
    Edit,
    /// What an edit does elsewhere.
    Price,
}

/// What a step asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The question.
    pub question: String,
    /// The model that answers.
    pub model: String,
    /// A second model, which gets the same question.
    pub beside: Option<String>,
    /// The prompt.
    pub prompt: String,
    /// Its subject.
    pub subject: String,
    /// What the subject is replaced by; empty for a name with as many tokens.
    pub instead: String,
    /// True answer; empty for the model's own.
    pub target: String,
    /// The new answer of an edit.
    pub new: String,
    /// The layer of an edit.
    pub layer: Option<usize>,
    /// The fact is edited, too.
    pub edits: bool,
    /// What is drawn.
    pub show: Vec<Show>,
    /// How a reader predicts.
    pub predict: Predict,
    /// What is predicted; without it the highest bar.
    pub of: Option<Expression>,
    /// Options, each for a range of the value.
    pub options: Vec<String>,
    /// Where the ranges end.
    pub bounds: Vec<f64>,
    /// How far a prediction may be off.
    pub within: f64,
    /// How much lower than the highest bar a predicted bar may be.
    pub near: f64,
    /// What one would expect, drawn as a line.
    pub expect: Option<Expression>,
    /// What one would expect of a bar is that much for each bar up to it.
    pub rising: bool,
    /// The reader writes prompt and subject.
    pub own: bool,
}

/// A value of the block.
enum Value {
    Text(String),
    Number(f64),
    Flag(bool),
    Texts(Vec<String>),
    Numbers(Vec<f64>),
}

/// Reads a value.
fn value(text: &str) -> Result<Value, &'static str> {
    let text = text.trim();
    let quoted = |text: &str| text.trim().strip_prefix('"')?.strip_suffix('"').map(|inner| inner.replace("\\\"", "\""));
    if let Some(list) = text.strip_prefix('[') {
        let inner =
            list.strip_suffix(']').ok_or("a list ends with `]`, on the same line")?.trim().trim_end_matches(',');
        if inner.starts_with('"') {
            // Commas within quotation marks belong to a text.
            let parts: Option<Vec<String>> =
                inner.split("\",").map(|part| quoted(&format!("{}\"", part.trim().trim_end_matches('"')))).collect();
            return parts.map(Value::Texts).ok_or("each text of a list stands in quotation marks");
        }
        let numbers: Result<Vec<f64>, _> = inner.split(',').map(|part| part.trim().parse()).collect();
        return numbers.map(Value::Numbers).map_err(|_| "a list holds numbers, or texts in quotation marks");
    }
    if let Some(inner) = quoted(text) {
        return Ok(Value::Text(inner));
    }
    match text {
        "true" | "false" => Ok(Value::Flag(text == "true")),
        _ => text.parse().map(Value::Number).map_err(|_| "a text stands in quotation marks: \"like this\""),
    }
}

/// What can be drawn, by its name.
fn show(text: &str) -> Option<Show> {
    let text = text.trim();
    Some(match text {
        "runs" => Show::Runs,
        "clean" => Show::Clean,
        "edit" => Show::Edit,
        "price" => Show::Price,
        _ => match text.split_once(' ') {
            Some(("tokens", layer)) => Show::Tokens(layer.parse().ok().filter(|layer| *layer > 0)?),
            Some(("mean", curve)) => Show::Mean(Curve::named(curve)?),
            _ => Show::Layers(Curve::named(text)?),
        },
    })
}

/// Reads the block. `first` is the line of its first one.
pub(super) fn read(first: usize, lines: &[&str]) -> Result<Ask, Flaw> {
    let mut ask = Ask {
        question: String::new(),
        model: String::new(),
        beside: None,
        prompt: String::new(),
        subject: String::new(),
        instead: String::new(),
        target: String::new(),
        new: String::new(),
        layer: None,
        edits: false,
        show: vec![Show::Runs],
        predict: Predict::Layer,
        of: None,
        options: Vec::new(),
        bounds: Vec::new(),
        within: 0.0,
        near: 0.0,
        expect: None,
        rising: false,
        own: false,
    };
    // Expressions are read last: what they may name depends on the rest.
    let (mut of, mut expect) = (None, None);
    for (at, line) in lines.iter().enumerate().map(|(at, line)| (first + at, line.trim())) {
        let flaw = |what: String| Flaw { line: at, what };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, text) = line.split_once('=').ok_or_else(|| flaw(format!("`{line}` is no `name = value`")))?;
        let name = name.trim();
        let value = value(text).map_err(|why| flaw(format!("`{name}`: {why}")))?;
        let wrong = |what: &str| Err(flaw(format!("`{name}` is {what}")));
        match (name, value) {
            ("question", Value::Text(text)) => ask.question = text,
            ("model", Value::Text(text)) => ask.model = text,
            ("beside", Value::Text(text)) => ask.beside = Some(text),
            ("prompt", Value::Text(text)) => ask.prompt = text,
            ("subject", Value::Text(text)) => ask.subject = text,
            ("instead", Value::Text(text)) => ask.instead = text,
            ("target", Value::Text(text)) => ask.target = text,
            ("new", Value::Text(text)) => ask.new = text,
            ("layer", Value::Number(layer)) if layer >= 1.0 => ask.layer = Some(layer as usize),
            ("measure", Value::Text(text)) if ["trace", "edit"].contains(&text.as_str()) => ask.edits = text == "edit",
            ("measure", _) => return wrong("\"trace\" or \"edit\""),
            ("show", Value::Text(text)) => match text.split(',').map(show).collect() {
                Some(found) => ask.show = found,
                None => {
                    return wrong(
                        "\"runs\", \"clean\", \"tokens 4\" (after layer 4), \"edit\", \"price\", \"mean block\", or the name of a curve (docs/LESSONS.md); several with commas",
                    );
                }
            },
            ("predict", Value::Text(text)) => {
                ask.predict = match text.as_str() {
                    "token" => Predict::Token,
                    "layer" => Predict::Layer,
                    "option" => Predict::Option,
                    "number" => Predict::Number,
                    _ => return wrong("\"token\", \"layer\", \"option\" or \"number\""),
                }
            }
            ("of", Value::Text(text)) => of = Some((at, text)),
            ("expect", Value::Text(text)) => expect = Some((at, text)),
            ("options", Value::Texts(texts)) => ask.options = texts,
            ("bounds", Value::Numbers(numbers)) => ask.bounds = numbers,
            ("within", Value::Number(within)) => ask.within = within,
            ("near", Value::Number(near)) => ask.near = near,
            ("rising", Value::Flag(rising)) => ask.rising = rising,
            ("own", Value::Flag(own)) => ask.own = own,
            (
                "question" | "model" | "beside" | "prompt" | "subject" | "instead" | "target" | "new" | "show"
                | "predict" | "of" | "expect",
                _,
            ) => {
                return wrong("a text in quotation marks");
            }
            ("layer" | "within" | "near", _) => return wrong("a number"),
            ("rising" | "own", _) => return wrong("true or false"),
            ("options" | "bounds", _) => return wrong("a list: [\"one\", \"two\"] of options, [0.1, 0.5] of bounds"),
            _ => {
                return Err(flaw(format!("`{name}` is not a name that this block knows (docs/LESSONS.md lists them)")));
            }
        }
    }
    let scope = Scope { beside: ask.beside.is_some(), edits: ask.edits };
    let read = |found: Option<(usize, String)>| {
        let read = |(line, text): (usize, String)| Expression::read(&text, scope).map_err(|what| Flaw { line, what });
        found.map(read).transpose()
    };
    (ask.of, ask.expect) = (read(of)?, read(expect)?);
    whole(&ask).map_or(Ok(()), |what| Err(Flaw { line: first, what: what.to_owned() }))?;
    Ok(ask)
}

/// What is missing, or does not go together.
fn whole(ask: &Ask) -> Option<&'static str> {
    let first = ask.show.first();
    match ask.predict {
        _ if ask.question.is_empty() => Some("the block has no `question`"),
        _ if ask.model.is_empty() => Some("the block has no `model`"),
        _ if ask.prompt.is_empty() || ask.subject.is_empty() => Some("the block has no `prompt` or no `subject`"),
        _ if !ask.prompt.contains("{}") && !ask.prompt.contains(&ask.subject) => {
            Some("the `subject` is not in the `prompt`; spell it as it is written there")
        }
        _ if ask.edits && (ask.new.is_empty() || ask.layer.is_none()) => {
            Some("`measure = \"edit\"` needs `new`, the new answer, and `layer`")
        }
        Predict::Token if !matches!(first, Some(Show::Tokens(_))) => {
            Some("`predict = \"token\"` needs `show = \"tokens 4\"`, the layer whose states are put back")
        }
        Predict::Layer if ask.of.is_none() && !matches!(first, Some(Show::Layers(_))) => {
            Some("`predict = \"layer\"` needs `show`, a curve over layers, or `of`, a layer")
        }
        Predict::Option if ask.of.is_none() || ask.options.len() != ask.bounds.len() + 1 => {
            Some("`predict = \"option\"` needs `of`, and one bound less than options")
        }
        Predict::Number if ask.of.is_none() => Some("`predict = \"number\"` needs `of`, what is predicted"),
        _ => None,
    }
}
