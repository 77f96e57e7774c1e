use super::*;
use crate::protocol::{DeviceChoice, ModelRef, StudyCommand};
use crate::record::Settings;

fn queue(several: bool) -> Queue<()> {
    Queue::new(several)
}

fn push(queue: &mut Queue<()>, seat: u64, id: u32, ask: Command) {
    let _ = queue.push(SeatId(seat), Request { id, ask }, ());
}

fn study() -> Command {
    Command::Study(StudyCommand { facts: None, settings: Settings::default(), key: None })
}

fn load() -> Command {
    Command::Load { model: ModelRef::Bundled { name: "a".into() }, precision: None }
}

fn ids(queue: &mut Queue<()>, now: Instant) -> Vec<u32> {
    let mut ids = Vec::new();
    while let Some(job) = queue.next(Kind::Command, now) {
        ids.push(job.to.id);
        let _ = queue.done(Kind::Command);
    }
    ids
}

#[test]
fn pages_take_turns_and_each_keeps_its_order() {
    let (mut queue, now) = (queue(true), Instant::now());
    for id in 1..=3 {
        push(&mut queue, 1, id, Command::Studies);
    }
    push(&mut queue, 2, 11, Command::Cache);
    push(&mut queue, 2, 12, Command::Start { device: DeviceChoice::Cpu });
    assert_eq!(ids(&mut queue, now), [1, 11, 2, 12, 3]);
    // Who comes later does not wait behind all that another has asked.
    for id in 4..=6 {
        push(&mut queue, 1, id, Command::Studies);
    }
    push(&mut queue, 3, 31, Command::Studies);
    let first = ids(&mut queue, now);
    assert!(first.iter().position(|id| *id == 31).is_some_and(|at| at <= 1), "{first:?}");
}

#[test]
fn a_study_begins_when_what_was_asked_before_it_is_done() {
    let (mut queue, now) = (queue(false), Instant::now());
    push(&mut queue, 1, 1, load());
    push(&mut queue, 1, 2, study());
    push(&mut queue, 1, 3, Command::Cache);
    push(&mut queue, 1, 4, load());
    assert!(queue.next(Kind::Study, now).is_none(), "its model is not loaded");
    assert_eq!(queue.next(Kind::Command, now).map(|job| job.to.id), Some(1));
    assert!(queue.next(Kind::Study, now).is_none(), "its model is being loaded");
    let _ = queue.done(Kind::Command);
    // Another page's study may keep this one waiting for hours; a command need not wait with it.
    assert_eq!(ids(&mut queue, now), [3], "but another model is not loaded before the study has begun");
    assert_eq!(queue.next(Kind::Study, now).map(|job| job.to.id), Some(2));
    assert!(ids(&mut queue, now).is_empty(), "nor in a tab before it is over");
    assert!(!queue.gives_way(now), "so the study does not wait for it");
    let _ = queue.done(Kind::Study);
    assert_eq!(ids(&mut queue, now), [4]);
    let mut several = super::Queue::new(true);
    push(&mut several, 1, 1, study());
    push(&mut several, 1, 2, load());
    assert!(several.next(Kind::Study, now).is_some());
    assert_eq!(ids(&mut several, now), [2]);
}

#[test]
fn a_study_waits_for_commands_but_not_for_ever() {
    let (mut queue, start) = (queue(true), Instant::now());
    push(&mut queue, 1, 1, study());
    assert!(queue.next(Kind::Study, start).is_some() && !queue.gives_way(start));
    push(&mut queue, 2, 2, Command::Studies);
    push(&mut queue, 2, 3, Command::Studies);
    assert!(queue.gives_way(start));
    assert!(queue.next(Kind::Command, start).is_some() && queue.gives_way(start + PATIENCE));
    let _ = queue.done(Kind::Command);
    // The next command waits for a turn of the study, and then the study for the command.
    assert!(queue.next(Kind::Command, start + PATIENCE).is_none());
    assert!(!queue.gives_way(start + PATIENCE));
    let later = start + PATIENCE + TURN;
    assert!(queue.gives_way(later));
    assert_eq!(queue.next(Kind::Command, later).map(|job| job.to.id), Some(3));
    let _ = queue.done(Kind::Command);
    assert!(!queue.gives_way(later));
    // One that is cancelled goes to its end at once.
    push(&mut queue, 2, 4, Command::Studies);
    queue.cancel(Address { seat: SeatId(1), id: 1 });
    assert!(!queue.gives_way(later) && queue.is_cancelled(Kind::Study));
}

#[test]
fn a_page_that_goes_takes_its_commands_along_and_leaves_its_studies() {
    let (mut queue, now) = (queue(true), Instant::now());
    push(&mut queue, 1, 1, Command::Studies);
    push(&mut queue, 1, 2, Command::Cache);
    push(&mut queue, 1, 3, study());
    assert!(queue.next(Kind::Command, now).is_some());
    let _ = queue.leave(SeatId(1));
    assert!(queue.is_cancelled(Kind::Command) && queue.waiting(SeatId(1)) == 1);
    let _ = queue.done(Kind::Command);
    assert!(ids(&mut queue, now).is_empty() && queue.next(Kind::Study, now).is_some());
    assert_eq!((queue.left(), queue.left()), (vec![SeatId(1)], vec![]));
    let (one, two) = (Address { seat: SeatId(4), id: 1 }, Address { seat: SeatId(4), id: 2 });
    push(&mut queue, 4, 1, Command::Studies);
    push(&mut queue, 4, 2, Command::Studies);
    assert!(queue.cancel(two) && !queue.cancel(two), "it waited");
    assert!(queue.next(Kind::Command, now).is_some() && !queue.cancel(one), "it runs");
    let _ = queue.close();
    assert!(queue.is_closed() && queue.is_cancelled(Kind::Study));
}

#[test]
fn whoever_follows_a_study_can_let_it_go() {
    let (mut queue, now) = (queue(true), Instant::now());
    push(&mut queue, 1, 1, study());
    assert!(queue.next(Kind::Study, now).is_some());
    let [two, three, four] = [2, 3, 4].map(|seat| Address { seat: SeatId(seat), id: 9 });
    [two, three, four].into_iter().for_each(|to| queue.follow(to));
    assert!(queue.cancel(two) && !queue.cancel(two), "it has no other end");
    assert!(!queue.is_cancelled(Kind::Study), "the study goes on");
    let _ = queue.leave(SeatId(3));
    assert_eq!(queue.followers(), [four]);
    let _ = queue.done(Kind::Study);
    assert!(queue.followers().is_empty());
}

/// Random histories: every request is taken once or cancelled, a page's own in their order, and a study that runs is never kept
/// waiting for longer than one command after its patience is over.
#[test]
fn random_histories_lose_and_reorder_nothing() {
    let mut seed = 7u64;
    let mut random = |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    for _ in 0..10_000 {
        let (mut queue, mut now) = (queue(random(2) == 0), Instant::now());
        let (mut sent, mut taken, mut cancelled) = (Vec::new(), Vec::new(), Vec::new());
        let mut studies = Vec::new();
        let mut running: [Option<Address>; 2] = [None, None];
        let mut since = None;
        for id in 1..=20u32 {
            now += Duration::from_millis(random(2000) as u64);
            let to = Address { seat: SeatId(random(3) as u64), id };
            match random(6) {
                0..=2 => {
                    let ask = if random(5) == 0 { study() } else { Command::Studies };
                    studies.extend(matches!(ask, Command::Study(_)).then_some(to));
                    push(&mut queue, to.seat.0, id, ask);
                    sent.push(to);
                }
                3 if !sent.is_empty() => {
                    let to = sent[random(sent.len())];
                    if queue.cancel(to) {
                        assert!(!taken.contains(&to) && !cancelled.contains(&to), "it waited");
                        cancelled.push(to);
                    }
                }
                _ => {}
            }
            for (at, kind) in [Kind::Command, Kind::Study].into_iter().enumerate() {
                if running[at].is_some() && random(2) == 0 {
                    running[at] = None;
                    let _ = queue.done(kind);
                }
                if kind == Kind::Study && running[1].is_some() {
                    since = queue.gives_way(now).then(|| since.unwrap_or(now));
                    let waited = since.is_some_and(|since| now.duration_since(since) > PATIENCE);
                    assert!(
                        !waited || running[0].is_some() || queue.next(Kind::Command, now).is_none(),
                        "its turn comes"
                    );
                }
                if running[at].is_none()
                    && let Some(job) = queue.next(kind, now)
                {
                    taken.push(job.to);
                    running[at] = Some(job.to);
                }
            }
        }
        for (at, kind) in [Kind::Study, Kind::Command].into_iter().enumerate() {
            running[1 - at] = None;
            let _ = queue.done(kind);
        }
        loop {
            let before = taken.len();
            for kind in [Kind::Study, Kind::Command] {
                while let Some(job) = queue.next(kind, now + PATIENCE + TURN) {
                    taken.push(job.to);
                    let _ = queue.done(kind);
                }
            }
            if taken.len() == before {
                break;
            }
        }
        let mut all: Vec<Address> = taken.iter().chain(&cancelled).copied().collect();
        all.sort();
        assert_eq!(all, {
            sent.sort();
            sent
        });
        for seat in 0..3 {
            for kind in [false, true] {
                let own = taken.iter().filter(|to| to.seat == SeatId(seat) && studies.contains(to) == kind);
                let own: Vec<u32> = own.map(|to| to.id).collect();
                assert!(own.is_sorted(), "{own:?}");
            }
        }
    }
}
