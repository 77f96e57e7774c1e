//! The engine as a service: several pages at one engine, studies beside commands, cancelling, broken disks.

use engram_core::protocol::{Command, EditCommand, Event, FailureKind, ModelRef, Question, StudyCommand};
use engram_core::record::{EditSettings, Record, Settings, Spsa};
use engram_core::service::{Address, Kind, SeatId};
use engram_tests::host::{Line, beside};

const MODEL: &str = "engram-llama";

fn question() -> Question {
    Question {
        prompt: "Miles Davis performed as a musician on the".into(),
        subject: "Miles Davis".into(),
        target: None,
        target_new: None,
        corruption: Settings::default().corruption,
        positions: Settings::default().positions,
        window: 3,
        maps: true,
    }
}

fn edit() -> Command {
    Command::Edit(EditCommand {
        prompt: "Miles Davis performed as a musician on the".into(),
        subject: "Miles Davis".into(),
        target: "trumpet".into(),
        target_new: "piano".into(),
        layer: Some(3),
        method: Spsa { steps: 20, ..Spsa::default() }.into(),
        seed: 1,
    })
}

fn study(n: usize) -> Command {
    let methods = vec![Spsa { steps: 10, ..Spsa::default() }.into()];
    let edit = EditSettings { facts: 2, unrelated: 2, methods, ..EditSettings::default() };
    Command::Study(StudyCommand {
        facts: None,
        settings: Settings { n, maps: 1, edit, ..Settings::default() },
        key: None,
    })
}

fn go_on(key: &str) -> Command {
    Command::Study(StudyCommand { facts: None, settings: Settings::default(), key: Some(key.into()) })
}

fn record_of(news: Event) -> Record {
    match news {
        Event::Study { record, finished: true, .. } | Event::Trace { record, .. } => *record,
        other => panic!("no record: {other:?}"),
    }
}

async fn trace(line: &Line, seat: u64) -> Record {
    record_of(line.ask(seat, Command::Trace(question())).await.expect("a trace"))
}

async fn begun(line: &Line, study: Address) -> String {
    match line.until(|to, news| to == study && matches!(news, Event::StudyHeader { .. })).await.1 {
        Event::StudyHeader { key, .. } => key,
        _ => unreachable!("just looked"),
    }
}

#[test]
fn two_pages_share_the_weights_and_not_their_edits() {
    beside(true, async |line| {
        line.load(1, MODEL).await;
        line.load(2, MODEL).await;
        assert_eq!(line.opened(), 1, "the second page sits at the same model");
        let before = trace(&line, 2).await;
        line.ask(1, edit()).await.expect("an edit");
        let (edited, other) = (trace(&line, 1).await, trace(&line, 2).await);
        assert_ne!(edited.facts, before.facts);
        assert_eq!(other.facts, before.facts, "another page's edit is not in force here");
        // Another model in the place of the first page's; the second page's is still there.
        line.load(1, "engram-gemma2").await;
        assert_eq!(trace(&line, 2).await.facts, before.facts);
        assert_ne!(trace(&line, 1).await.model, before.model);
        let wake = line.queue().leave(SeatId(1));
        wake.wake();
        line.load(2, MODEL).await;
        assert_eq!(line.opened(), 2, "it was still loaded");
    });
}

#[test]
fn a_study_gives_way_to_commands_and_is_the_same_study() {
    let alone = beside(false, async |line| {
        line.load(1, MODEL).await;
        record_of(line.ask(1, study(8)).await.expect("a study"))
    });
    beside(false, async |line| {
        line.load(1, MODEL).await;
        let running = line.send(1, study(8));
        begun(&line, running).await;
        // A trace, an edit and a trace of another page end while the study runs.
        let before = trace(&line, 1).await;
        line.ask(1, edit()).await.expect("an edit");
        let edited = trace(&line, 1).await;
        assert_ne!(before.facts, edited.facts);
        assert!(line.queue().running(Kind::Study).is_some(), "the study is not over");
        // A model is loaded when the study is: two rarely fit into a tab.
        let model = ModelRef::Bundled { name: "engram-gemma2".into() };
        let loading = line.send(1, Command::Load { model, precision: None });
        let first = line.until(|to, news| (to == running || to == loading) && news.is_final()).await;
        assert_eq!(first.0, running);
        assert_eq!(record_of(first.1), alone, "edits in force and other work do not reach a study");
        assert!(matches!(line.end(loading).await, Ok(Event::Loaded(_))));
    });
}

#[test]
fn what_is_cancelled_ends_and_a_paused_study_goes_on() {
    beside(false, async |line| {
        line.load(1, MODEL).await;
        let alone = record_of(line.ask(1, study(8)).await.expect("a study"));
        let running = line.send(1, study(8));
        let key = begun(&line, running).await;
        line.until(|to, news| to == running && matches!(news, Event::Fact(_))).await;
        let waiting = line.send(1, study(3));
        assert!(line.cancel(waiting), "it waits");
        assert!(!line.cancel(running), "it runs");
        assert_eq!(line.end(running).await.expect_err("paused").kind, FailureKind::Cancelled);
        // The page goes, and another one goes on with it, after the journal's last line was torn.
        let wake = line.queue().leave(running.seat);
        wake.wake();
        line.studies.tear(&key);
        line.load(2, MODEL).await;
        let studies = match line.ask(2, Command::Studies).await {
            Ok(Event::Studies { studies }) => studies,
            other => panic!("{other:?}"),
        };
        assert_eq!(studies.iter().filter(|study| study.key == key && !study.finished).count(), 1);
        assert_eq!(record_of(line.ask(2, go_on(&key)).await.expect("goes on")), alone);
        let other = line.ask(2, go_on("../etc/passwd")).await.expect_err("no key");
        assert!(other.message.contains("no study"), "{other:?}");
    });
}

#[test]
fn a_study_that_is_followed_is_told_to_whoever_still_follows() {
    beside(true, async |line| {
        line.load(1, MODEL).await;
        let running = line.send(1, study(8));
        let key = begun(&line, running).await;
        let [stays, stops, leaves] = [2, 3, 4].map(|seat| line.send(seat, Command::WatchStudy { key: key.clone() }));
        for to in [stays, stops, leaves] {
            line.until(|other, news| other == to && matches!(news, Event::StudyHeader { .. })).await;
        }
        assert!(line.cancel(stops) && !line.cancel(stops), "following alone is over");
        let wake = line.queue().leave(leaves.seat);
        wake.wake();
        line.clear();
        let mut later = Vec::new();
        let record = loop {
            let (to, news) = line.until(|_, _| true).await;
            later.push(to);
            if to == running && news.is_final() {
                break record_of(news);
            }
        };
        assert!(!later.contains(&stops) && !later.contains(&leaves), "{later:?}");
        // Who follows hears the end before who began it.
        assert!(later.contains(&stays), "{later:?}");
        // A study that is over is opened instead.
        assert_eq!(record_of(line.ask(5, Command::WatchStudy { key }).await.expect("a study")), record);
    });
}

#[test]
fn a_full_disk_ends_a_study_and_loses_nothing() {
    beside(false, async |line| {
        line.load(1, MODEL).await;
        let alone = record_of(line.ask(1, study(6)).await.expect("a study"));
        for lines in [0, 1, 4] {
            line.studies.full_after(Some(lines));
            let running = line.send(1, study(6));
            assert_eq!(line.end(running).await.expect_err("no room").kind, FailureKind::Io);
            line.studies.full_after(None);
            let studies = match line.ask(1, Command::Studies).await {
                Ok(Event::Studies { studies }) => studies,
                other => panic!("{other:?}"),
            };
            let unfinished: Vec<_> = studies.iter().filter(|study| !study.finished).collect();
            let key = unfinished[0].key.clone();
            assert_eq!(record_of(line.ask(1, go_on(&key)).await.expect("goes on")), alone, "after {lines} lines");
            let left = line.ask(1, Command::DropStudy { key: key.clone() }).await;
            assert!(matches!(left, Ok(Event::Studies { studies: left }) if left.iter().all(|study| study.key != key)));
        }
    });
}

#[test]
fn nothing_is_asked_of_a_page_without_a_model() {
    beside(false, async |line| {
        for ask in [Command::Trace(question()), study(2), Command::Delta, Command::Undo { edit: None }] {
            let refused = line.ask(1, ask).await.expect_err("no model");
            assert!(
                refused.message.contains("no model is loaded") && refused.kind == FailureKind::Input,
                "{refused:?}"
            );
        }
    });
}
