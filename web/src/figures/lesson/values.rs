//! The numbers that a lesson's texts can name, from what the engine has measured.

use super::ask::Ask;
use super::markdown::{Block, Piece, Style};
use crate::words;
use engram_core::metrics::{fact_redundancy, follows, harms_neighbour, harms_unrelated, sufficiency};
use engram_core::protocol::Edited;
use engram_core::record::{PatchPosition, Record, Traced};

/// What the engine has measured for a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The trace: a record of one fact.
    pub record: Record,
    /// The same of the second model.
    pub beside: Option<Record>,
    /// The edit, where one was made.
    pub edited: Option<Box<Edited>>,
    /// What the model itself says.
    pub greedy: String,
}

/// What a step measures, so which names its texts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    /// There is a second model.
    pub(super) beside: bool,
    /// There is an edit.
    pub(super) edits: bool,
}

/// A value for each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Recovery with the clean state of the subject's last token put back.
    Subject,
    /// The same of the prompt's last token.
    Last,
    /// Probability lost without the block.
    Block,
    /// Without its attention.
    Attention,
    /// Without its MLP.
    Mlp,
    /// What the head reads after the layer.
    Lens,
    /// The second pass: the dominant block removed, the clean state put back after another one.
    Second,
}

const CURVES: [(&str, Curve); 7] = [
    ("subject", Curve::Subject),
    ("last", Curve::Last),
    ("block", Curve::Block),
    ("attention", Curve::Attention),
    ("mlp", Curve::Mlp),
    ("lens", Curve::Lens),
    ("second", Curve::Second),
];

impl Curve {
    pub(super) fn named(name: &str) -> Option<Self> {
        CURVES.into_iter().find(|curve| curve.0 == name).map(|curve| curve.1)
    }

    /// What its values are.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Subject | Self::Last => Kind::Recovery,
            Self::Block | Self::Attention | Self::Mlp => Kind::Points,
            Self::Lens | Self::Second => Kind::Percent,
        }
    }

    /// Where the state is put back, of a recovery.
    pub(super) fn position(self) -> Option<PatchPosition> {
        match self {
            Self::Subject => Some(PatchPosition::SubjectLast),
            Self::Last => Some(PatchPosition::LastToken),
            _ => None,
        }
    }

    /// What it is, beside a figure.
    pub(super) fn title(self, answer: &str) -> String {
        match self {
            Self::Subject => format!("Recovery of “{answer}”, last subject token put back"),
            Self::Last => format!("Recovery of “{answer}”, last token put back"),
            Self::Block => format!("Points of “{answer}” lost without a block"),
            Self::Attention => format!("Points of “{answer}” lost without a block’s attention"),
            Self::Mlp => format!("Points of “{answer}” lost without a block’s MLP"),
            Self::Lens => format!("“{answer}”, read after a layer"),
            Self::Second => format!("“{answer}”, block removed, one state put back"),
        }
    }

    /// Its values.
    pub(super) fn of(self, traced: &Traced) -> Vec<Option<f64>> {
        let (clean, effect) = (f64::from(traced.p_clean), f64::from(traced.p_clean) - f64::from(traced.p_corrupt));
        let recovery = |position| {
            let curve = sufficiency(traced, position).unwrap_or_default();
            curve.into_iter().map(|gain| Some(gain / effect).filter(|share| share.is_finite())).collect()
        };
        let lost = |left: &[f32]| left.iter().map(|p| Some(clean - f64::from(*p))).collect();
        match self {
            Self::Subject => recovery(PatchPosition::SubjectLast),
            Self::Last => recovery(PatchPosition::LastToken),
            Self::Block => lost(&traced.without_block),
            Self::Attention => lost(&traced.without_attention),
            Self::Mlp => lost(&traced.without_mlp),
            Self::Lens => traced.lens.iter().flat_map(|lens| &lens.p_true).map(|p| Some(f64::from(*p))).collect(),
            Self::Second => {
                let second = traced.redundancy.get(&PatchPosition::SubjectLast);
                second.iter().flat_map(|second| &second.patched).map(|p| p.map(f64::from)).collect()
            }
        }
    }
}

/// A number of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// At a layer, from 1.
    At(usize),
    /// The layer of the highest value.
    Layer,
    /// The highest value.
    Peak,
    /// The first layer with half of that.
    From,
    /// The mean.
    Mean,
}

/// A number of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Old(usize),
    New(usize),
    Layer,
    Follow,
    Wordings,
    Harmed,
    Neighbours,
    Flipped,
    Unrelated,
}

const EDITS: [(&str, Edit); 11] = [
    ("edit.old", Edit::Old(0)),
    ("edit.old-after", Edit::Old(1)),
    ("edit.new", Edit::New(0)),
    ("edit.new-after", Edit::New(1)),
    ("edit.layer", Edit::Layer),
    ("edit.follow", Edit::Follow),
    ("edit.wordings", Edit::Wordings),
    ("edit.harmed", Edit::Harmed),
    ("edit.neighbours", Edit::Neighbours),
    ("edit.unrelated-harmed", Edit::Flipped),
    ("edit.unrelated", Edit::Unrelated),
];

/// A number by its name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    Layers,
    Tokens,
    Clean,
    Corrupt,
    Redundancy,
    Ablated,
    Curve(Curve, Of),
    Edit(Edit),
}

impl Name {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "layers" => Self::Layers,
            "tokens" => Self::Tokens,
            "clean" => Self::Clean,
            "corrupt" => Self::Corrupt,
            "redundancy" => Self::Redundancy,
            "second.ablated" => Self::Ablated,
            _ => match EDITS.into_iter().find(|edit| edit.0 == text) {
                Some((_, edit)) => Self::Edit(edit),
                None => {
                    let (curve, of) = text.split_once('.')?;
                    let of = match of {
                        "layer" => Of::Layer,
                        "peak" => Of::Peak,
                        "from" => Of::From,
                        "mean" => Of::Mean,
                        _ => Of::At(of.parse().ok().filter(|layer| *layer > 0)?),
                    };
                    Self::Curve(Curve::named(curve)?, of)
                }
            },
        })
    }

    fn of(self, record: &Record, edited: Option<&Edited>) -> Option<f64> {
        let traced = record.facts.first()?.traced()?;
        Some(match self {
            Self::Layers => record.model.layers as f64,
            Self::Tokens => traced.tokens.len() as f64,
            Self::Clean => traced.p_clean.into(),
            Self::Corrupt => traced.p_corrupt.into(),
            Self::Redundancy => {
                let (restored, necessity) = fact_redundancy(traced, PatchPosition::SubjectLast)?;
                // As eq. 3 is read: clipped, and 0 where it is no number.
                let share = restored / necessity;
                if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
            }
            Self::Ablated => traced.redundancy.get(&PatchPosition::SubjectLast)?.ablated as f64,
            Self::Curve(curve, of) => of.of(&curve.of(traced))?,
            Self::Edit(edit) => edit.of(edited?),
        })
    }

    fn kind(self) -> Kind {
        match self {
            Self::Clean | Self::Corrupt | Self::Edit(Edit::Old(_) | Edit::New(_)) => Kind::Percent,
            Self::Redundancy => Kind::Recovery,
            Self::Curve(curve, Of::At(_) | Of::Peak | Of::Mean) => curve.kind(),
            _ => Kind::Count,
        }
    }
}

/// The place of the highest value, from 0; the first of equal ones.
pub(super) fn highest(values: &[Option<f64>]) -> Option<usize> {
    let known = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    known.reduce(|best, one| if one.1 > best.1 { one } else { best }).map(|best| best.0)
}

impl Of {
    fn of(self, values: &[Option<f64>]) -> Option<f64> {
        let peak = || values.get(highest(values)?).copied().flatten();
        let known = || values.iter().filter_map(|value| *value);
        Some(match self {
            Self::At(layer) => (*values.get(layer - 1)?)?,
            Self::Layer => highest(values)? as f64 + 1.0,
            Self::Peak => peak()?,
            Self::From => {
                let half = peak()? / 2.0;
                values.iter().position(|value| value.is_some_and(|value| value >= half))? as f64 + 1.0
            }
            Self::Mean => known().sum::<f64>() / Some(known().count()).filter(|count| *count > 0)? as f64,
        })
    }
}

impl Edit {
    fn of(self, edited: &Edited) -> f64 {
        let record = &edited.record;
        match self {
            Self::Old(after) => [record.p_true, record.p_true_after][after].into(),
            Self::New(after) => [record.p_false, record.p_false_after][after].into(),
            Self::Layer => record.layer as f64,
            Self::Follow => record.paraphrases.iter().filter(|shift| follows(shift)).count() as f64,
            Self::Wordings => record.paraphrases.len() as f64,
            Self::Harmed => record.neighbourhood.iter().filter(|shift| harms_neighbour(shift)).count() as f64,
            Self::Neighbours => record.neighbourhood.len() as f64,
            Self::Flipped => record.unrelated.iter().filter(|one| harms_unrelated(one)).count() as f64,
            Self::Unrelated => record.unrelated.len() as f64,
        }
    }
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A probability.
    Percent,
    /// A difference of two.
    Points,
    Recovery,
    Count,
}

/// A number for people.
pub(super) fn written(value: f64, kind: Kind) -> String {
    match kind {
        Kind::Points => format!("{} points", words::fixed(value * 100.0, 1)),
        Kind::Percent => words::percent_of(value),
        Kind::Recovery => words::fixed(value, 2),
        Kind::Count => words::fixed(value, 0),
    }
}

/// A number, or a name of one, of either model.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Term {
    Number(f64),
    Named { name: Name, beside: bool },
}

impl Term {
    fn read(text: &str, scope: Scope) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let (bare, beside) = text.strip_prefix("beside.").map_or((text, false), |bare| (bare, true));
        let name = Name::read(bare)
            .ok_or_else(|| format!("`{text}` is not a value that a lesson has (docs/LESSONS.md lists them)"))?;
        match (name, beside) {
            (_, true) if !scope.beside => Err(format!("`{text}` needs a second model: `beside = \"…\"`")),
            (Name::Edit(_), true) => Err(format!("`{text}`: only the first model is edited")),
            (Name::Edit(_), _) if !scope.edits => Err(format!("`{text}` needs an edit: `measure = \"edit\"`")),
            _ => Ok(Self::Named { name, beside }),
        }
    }

    fn of(self, measured: &Measured) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Named { name, beside: true } => name.of(measured.beside.as_ref()?, None),
            Self::Named { name, beside: false } => name.of(&measured.record, measured.edited.as_deref()),
        }
    }
}

/// A value, a difference or a quotient of two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expression {
    first: Term,
    then: Option<(char, Term)>,
}

impl Expression {
    /// Reads one.
    pub(super) fn read(text: &str, scope: Scope) -> Result<Self, String> {
        let split = [" - ", " / "].into_iter().find_map(|sign| Some((sign, text.split_once(sign)?)));
        let Some((sign, (first, second))) = split else {
            return Ok(Self { first: Term::read(text, scope)?, then: None });
        };
        let sign = if sign == " - " { '-' } else { '/' };
        Ok(Self { first: Term::read(first, scope)?, then: Some((sign, Term::read(second, scope)?)) })
    }

    /// Its value.
    pub fn of(&self, measured: &Measured) -> Option<f64> {
        let first = self.first.of(measured)?;
        let value = match self.then {
            None => first,
            Some(('-', second)) => first - second.of(measured)?,
            Some((_, second)) => first / second.of(measured)?,
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// The curve whose highest layer, or first with half of that, it is.
    pub(super) fn layer_of(&self) -> Option<Curve> {
        match (self.first, self.then) {
            (Term::Named { name: Name::Curve(curve, Of::Layer | Of::From), .. }, None) => Some(curve),
            _ => None,
        }
    }

    /// It is about the second model.
    pub fn is_beside(&self) -> bool {
        matches!(self.first, Term::Named { beside: true, .. })
    }

    pub(super) fn kind(&self) -> Kind {
        match self.first {
            Term::Named { name, .. } if name.kind() != Kind::Count || self.then.is_none_or(|then| then.0 == '-') => {
                name.kind()
            }
            _ => Kind::Recovery,
        }
    }
}

/// Whether a text in braces is one that is known where it stands: before the question (no scope) nothing is measured yet.
pub(super) fn known(name: &str, scope: Option<Scope>) -> Result<(), String> {
    match (name, scope) {
        ("subject" | "instead" | "prompt" | "model" | "beside" | "new", _) => Ok(()),
        ("answer" | "mine" | "best" | "says", Some(_)) => Ok(()),
        (_, None) => Err(format!(
            "`{{{name}}}` is measured when the prediction is made; before the question stand only {{prompt}}, {{subject}}, {{instead}}, {{model}}, {{beside}} and {{new}}"
        )),
        (_, Some(scope)) => Expression::read(name, scope).map(|_| ()),
    }
}

/// Fills the values in. `mine` and `best` are the prediction and what was measured in its place, in words.
pub fn filled(blocks: &[Block], ask: &Ask, measured: Option<&Measured>, mine: &str, best: &str) -> Vec<Block> {
    let fact = measured.and_then(|measured| measured.record.facts.first());
    let scope = Scope { beside: ask.beside.is_some(), edits: ask.edits };
    let one = |piece: &Piece| {
        if !piece.value {
            return piece.clone();
        }
        let (text, style) = match piece.text.as_str() {
            "subject" => (ask.subject.clone(), Style::Subject),
            "answer" => (fact.map(|fact| fact.target_true.trim().to_owned()).unwrap_or_default(), Style::Answer),
            "instead" => (ask.instead.clone(), piece.style),
            "prompt" => (ask.prompt.replacen("{}", &ask.subject, 1), piece.style),
            "model" => (ask.model.clone(), piece.style),
            "beside" => (ask.beside.clone().unwrap_or_default(), piece.style),
            "new" => (ask.new.clone(), Style::New),
            "says" => (measured.map(|measured| measured.greedy.trim().to_owned()).unwrap_or_default(), piece.style),
            "mine" => (mine.to_owned(), piece.style),
            "best" => (best.to_owned(), piece.style),
            name => {
                let value = Expression::read(name, scope)
                    .ok()
                    .zip(measured)
                    .and_then(|(read, measured)| Some(written(read.of(measured)?, read.kind())));
                // What this fact does not have: no second pass where nothing is localized.
                (value.unwrap_or_else(|| "(not measured)".into()), piece.style)
            }
        };
        Piece { text: words::visible(&text), style, value: true }
    };
    blocks.iter().map(|block| Block { pieces: block.pieces.iter().map(one).collect(), ..block.clone() }).collect()
}
