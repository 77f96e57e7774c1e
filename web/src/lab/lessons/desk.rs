//! What the screen knows: the lessons' files, the open step, the prediction, and what was measured.

use crate::figures::lesson::{self, Ask, Flaw, INDEX, Lesson, Outcome, Predict, Show, Step};
use crate::figures::question::Asked;
use crate::files;
use crate::lab::Tab;
use crate::lab::browser::focus_soon;
use crate::lab::trace::Tracer;
use crate::state::{LabState, LessonPlace, ViewState};
use engram_core::{Error, Result};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The folder of the lessons, beside the page.
const FOLDER: &str = "lessons";

/// The files with their names; without a lesson where one cannot be read.
pub(super) type Files = Vec<(String, Option<Lesson>)>;

/// A step with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Now {
    /// The lesson, from 1.
    pub(super) lesson: usize,
    /// The step, from 1.
    pub(super) at: usize,
    /// The lesson's title, and how many steps it has.
    pub(super) title: String,
    pub(super) of: usize,
    /// The step, with the question of the address where that asks one.
    pub(super) step: Step,
}

/// A handle: copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    pub(super) tracer: Tracer,
    /// The files.
    pub(super) all: RwSignal<Files>,
    opened: StoredValue<bool>,
    /// The open step; none where the list is shown.
    pub(super) now: Memo<Option<Now>>,
    /// What can be chosen: the prompt's tokens, or the layers; empty until they are known.
    pub(super) labels: RwSignal<Vec<String>>,
    /// The prediction.
    pub(super) mine: RwSignal<Option<f64>>,
    /// What runs, in words.
    pub(super) busy: RwSignal<Option<String>>,
    /// How the prediction ended.
    pub(super) found: RwSignal<Option<Outcome>>,
    /// Counts what was begun, so that a late answer knows that it is late.
    pub(super) turn: StoredValue<usize>,
}

impl Desk {
    pub(super) fn new(tracer: Tracer) -> Self {
        let all = RwSignal::new(Files::new());
        let now = Memo::new(move |_| {
            let lab = tracer.page.lab.with(|lab| (lab.tab == Tab::Lessons).then(|| lab.clone()))?;
            all.with(|all| now(all, &lab))
        });
        let desk = Self {
            tracer,
            all,
            opened: StoredValue::new(false),
            now,
            labels: RwSignal::default(),
            mine: RwSignal::new(None),
            busy: RwSignal::new(None),
            found: RwSignal::new(None),
            turn: StoredValue::new(0),
        };
        // Another step begins anew; another question of the same step keeps the prediction.
        Effect::new(move |before: Option<Option<(usize, usize, String)>>| {
            let now = now.get()?;
            let place = (now.lesson, now.at, now.step.ask.model.clone());
            let same = now.step.ask.own && before.flatten().as_ref() == Some(&place);
            let mine = desk.mine.get_untracked().filter(|_| same);
            desk.again();
            desk.mine.set(mine);
            if !same {
                desk.prepare(now);
            }
            Some(place)
        });
        desk
    }

    /// Fetches the files, once.
    pub(super) fn open(self) {
        if self.opened.try_update_value(|opened| std::mem::replace(opened, true)) == Some(false) {
            spawn_local(async move { self.fetch().await });
        }
    }

    /// Nothing is predicted, nothing shown.
    pub(super) fn again(self) {
        self.turn.update_value(|turn| *turn += 1);
        self.mine.set(None);
        self.found.set(None);
        self.busy.set(None);
    }

    /// Goes to a step; without a lesson to the list.
    pub(super) fn go(self, lesson: Option<usize>, step: usize) {
        let place = LessonPlace { lesson, step: Some(step), own: false };
        self.tracer.page.lab.update(|lab| lab.lesson = place);
        window().scroll_to_with_x_and_y(0.0, 0.0);
        focus_soon("#lesson-title");
    }

    /// The step that follows, where there is one.
    pub(super) fn next(self, now: &Now) -> Option<(usize, usize)> {
        if now.at < now.of {
            return Some((now.lesson, now.at + 1));
        }
        let more = self.all.with_untracked(|all| all.len() > now.lesson);
        more.then_some((now.lesson + 1, 1))
    }

    /// The step's question, for Trace.
    pub(super) fn asked(self, ask: &Ask) -> Asked {
        let Ask { prompt, subject, target, new, instead, .. } = ask.clone();
        Asked { prompt, subject, target, new, instead, ..Asked::default() }
    }

    /// Asks the step's question on the Trace screen.
    pub(super) fn trace(self) {
        let Some(Now { step: Step { ask, .. }, .. }) = self.now.get_untracked() else { return };
        self.tracer.draft.fill(self.asked(&ask));
        self.tracer.page.lab.update(|lab| {
            lab.model.clone_from(&ask.model);
            lab.tab = Tab::Trace;
        });
        self.tracer.run();
    }

    /// The address of a step, with its question where that is not the file's own.
    pub(super) fn address(self, now: &Now) -> Option<String> {
        let own = self.tracer.page.lab.with_untracked(|lab| lab.lesson.own);
        let place = LessonPlace { lesson: Some(now.lesson), step: Some(now.at), own };
        let mut lab = LabState { tab: Tab::Lessons, lesson: place, ..LabState::default() };
        if own {
            lab.model.clone_from(&now.step.ask.model);
            self.asked(&now.step.ask).write(&mut lab);
        }
        files::page_address(&[], &ViewState::default(), &lab)
    }
}

/// The step that the address names, in bounds.
fn now(all: &[(String, Option<Lesson>)], lab: &LabState) -> Option<Now> {
    let number = lab.lesson.lesson?;
    let lesson = all.get(number - 1)?.1.as_ref()?;
    let at = lab.lesson.step.unwrap_or(1).min(lesson.steps.len());
    let mut step = lesson.steps.get(at - 1)?.clone();
    let asked = Asked::of(lab);
    if lab.lesson.own && (!asked.prompt.is_empty() || step.ask.own) {
        let Asked { prompt, subject, target, instead, .. } = asked;
        step.ask = Ask { prompt, subject, target, instead, ..step.ask };
        if !lab.model.is_empty() {
            step.ask.model.clone_from(&lab.model);
        }
    }
    Some(Now { lesson: number, at, title: lesson.title.clone(), of: lesson.steps.len(), step })
}

impl Desk {
    /// Reads all files of the folder. What is wrong with one is told with its line, and the others are there all the same.
    async fn fetch(self) {
        let page = self.tracer.page;
        let names = match text(INDEX).await.and_then(|index| lesson::names(&index).map_err(|flaw| told(INDEX, &flaw))) {
            Ok(names) => names,
            Err(error) => return page.complain(&error),
        };
        let mut all = Files::new();
        for name in names {
            let read = text(&name).await.and_then(|text| lesson::read(&text).map_err(|flaw| told(&name, &flaw)));
            if let Err(error) = &read {
                page.complain(error);
            }
            all.push((name, read.ok()));
        }
        self.all.set(all);
    }
}

/// A file as text.
async fn text(name: &str) -> Result<String> {
    let path = format!("{FOLDER}/{name}");
    let bytes = files::beside(&path, true).await?;
    String::from_utf8(bytes).map_err(|_| {
        Error::input(format!("{path}: it is no UTF-8 text")).hint("save it as UTF-8, then reload the page")
    })
}

/// What is wrong with a file, and where.
fn told(name: &str, flaw: &Flaw) -> Error {
    Error::input(format!("{FOLDER}/{name}, line {}: {}", flaw.line, flaw.what))
        .hint("mend the file and reload the page; docs/LESSONS.md says what it holds")
}

/// Whether a reader chooses among things that the model must name first.
pub(super) fn waits(ask: &Ask) -> bool {
    matches!(ask.predict, Predict::Token | Predict::Layer)
}

/// Whether the maps are needed, which cost most of a trace.
pub(super) fn maps(ask: &Ask) -> bool {
    ask.show.iter().any(|show| matches!(show, Show::Tokens(_)))
}
