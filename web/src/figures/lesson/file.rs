//! A lesson's file.

use super::ask::{self, Ask};
use super::markdown::{Block, Gathered};
use super::values::{self, Scope};

/// The file that names the others, beside them.
pub const INDEX: &str = "index.txt";

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Its title.
    pub title: String,
    /// Its steps, at least one.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its title.
    pub title: String,
    /// What is read before the question.
    pub text: Vec<Block>,
    /// The question.
    pub ask: Ask,
    /// What is said when it is measured.
    pub told: Vec<Block>,
    /// What one would have expected, and why.
    pub expected: Vec<Block>,
}

/// The lessons' files, in their order: a line of the index each.
///
/// # Errors
/// On a name that could lead elsewhere, or where there is none.
pub fn names(index: &str) -> Result<Vec<String>, Flaw> {
    let lines = index.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let name = |(at, line): (usize, &str)| match line.ends_with(".md") && !line.contains(['/', '\\', ':', '?', '%']) {
        true => Ok(line.to_owned()),
        false => {
            Err(Flaw { line: at + 1, what: format!("`{line}` is not the name of a Markdown file in this folder") })
        }
    };
    let names: Vec<String> = lines.map(name).collect::<Result<_, _>>()?;
    match names.is_empty() {
        true => Err(Flaw { line: 1, what: "no lesson is named".into() }),
        false => Ok(names),
    }
}

/// A step as far as it is read.
struct Open<'a> {
    title: String,
    line: usize,
    ask: Option<(usize, Vec<&'a str>)>,
    /// Text, result, expected.
    parts: [Gathered; 3],
    at: usize,
}

/// Reads a file.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str) -> Result<Lesson, Flaw> {
    let (mut title, mut steps, mut open) = (None, Vec::new(), None::<Open<'_>>);
    // Where an ask block began, while it is open.
    let mut fence = None;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let flaw = |what: &str| Err(Flaw { line: number, what: what.to_owned() });
        let bare = line.trim();
        if fence.is_some() {
            match (bare.starts_with("```"), open.as_mut().and_then(|step| step.ask.as_mut())) {
                (true, _) => fence = None,
                (false, Some((_, lines))) => lines.push(line),
                (false, None) => {}
            }
        } else if let Some(kind) = bare.strip_prefix("```") {
            let Some(step) = open.as_mut() else { return flaw("a block stands before the first step (`## Title`)") };
            if kind.trim() != "ask" {
                return flaw("only ```ask blocks are known");
            }
            if step.ask.is_some() {
                return flaw("the step has a second ```ask block; give it a step of its own (`## Title`)");
            }
            step.ask = Some((number + 1, Vec::new()));
            fence = Some(number);
        } else if let Some(name) = bare.strip_prefix("### ") {
            let Some(step) = open.as_mut() else { return flaw("`###` stands before the first step (`## Title`)") };
            step.at = match name.trim() {
                "Result" => 1,
                "Expected" => 2,
                _ => return flaw("a part of a step is `### Result` or `### Expected`"),
            };
        } else if let Some(name) = bare.strip_prefix("## ") {
            steps.extend(open.take().map(closed).transpose()?);
            let parts = Default::default();
            open = Some(Open { title: name.trim().to_owned(), line: number, ask: None, parts, at: 0 });
        } else if let Some(name) = bare.strip_prefix("# ") {
            if title.replace(name.trim().to_owned()).is_some() {
                return flaw("the file has a second title; steps begin with `## `");
            }
        } else if bare.starts_with('#') {
            return flaw("a title is `# `, a step `## `, a part of a step `### `, with a space behind");
        } else if let Some(step) = open.as_mut() {
            step.parts[step.at].take(number, line);
        } else if !bare.is_empty() && !bare.starts_with("<!--") {
            return flaw("text stands before the first step (`## Title`)");
        }
    }
    if let Some(line) = fence {
        return Err(Flaw { line, what: "the ```ask block does not end; close it with ```".into() });
    }
    steps.extend(open.map(closed).transpose()?);
    let title = title.ok_or(Flaw { line: 1, what: "the file has no title; its first line is `# Title`".into() })?;
    match steps.is_empty() {
        true => Err(Flaw { line: 1, what: "the lesson has no step; each begins with `## Title`".into() }),
        false => Ok(Lesson { title, steps }),
    }
}

/// A step whose lines are all there.
fn closed(open: Open<'_>) -> Result<Step, Flaw> {
    let Open { title, line, ask, parts, .. } = open;
    let Some((first, lines)) = ask else {
        return Err(Flaw { line, what: format!("the step “{title}” has no ```ask block") });
    };
    let ask = ask::read(first, &lines)?;
    let [text, told, expected] = parts.map(|part| part.read().map_err(|(line, what)| Flaw { line, what }));
    let (text, told, expected) = (text?, told?, expected?);
    if told.is_empty() {
        return Err(Flaw { line, what: format!("the step “{title}” has no `### Result`") });
    }
    let scope = Scope { beside: ask.beside.is_some(), edits: ask.edits };
    for (blocks, known) in [(&text, None), (&told, Some(scope)), (&expected, Some(scope))] {
        for block in blocks {
            for piece in block.pieces.iter().filter(|piece| piece.value) {
                values::known(&piece.text, known).map_err(|what| Flaw { line: block.line, what })?;
            }
        }
    }
    Ok(Step { title, text, ask, told, expected })
}
