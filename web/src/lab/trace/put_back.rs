//! What the model would say with the looked-at cell put back: the engine is asked while the cursor rests.

use super::maps::Maps;
use super::run::Tracer;
use engram_core::protocol::{Command, Event, MapSite, Word};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::HashMap;
use std::time::Duration;

/// How long the cursor rests before the engine is asked.
const REST: Duration = Duration::from_millis(120);

/// A cell of a map: its site, its position in the corrupted prompt, its layer.
type Place = (MapSite, usize, usize);

fn key((site, position, layer): Place) -> (u8, usize, usize) {
    (site as u8, position, layer)
}

/// The cell that is looked at.
pub(super) fn place(maps: Maps) -> Option<Place> {
    let at = maps.cursor.get()?;
    let position = maps.maps.with(|maps| match maps.as_ref()?.rows.get(at.row)?.at.as_slice() {
        [position] => Some(*position),
        _ => None,
    })?;
    Some((maps.view.get().site, position, at.layer))
}

/// The words; `None` where nothing was traced here, or they are not there yet.
pub(super) fn says(tracer: Tracer, maps: Maps) -> Signal<Option<Vec<Word>>> {
    let known = RwSignal::new(HashMap::<(u8, usize, usize), Vec<Word>>::new());
    let question = tracer.at_hand();
    Effect::new(move |_| {
        question.track();
        known.set(HashMap::new());
    });
    let place = Memo::new(move |_| place(maps));
    let (timer, busy) = (StoredValue::new(None::<TimeoutHandle>), StoredValue::new(false));
    let same = question;
    let ask = move || {
        if busy.get_value() {
            return;
        }
        busy.set_value(true);
        spawn_local(async move {
            // The cursor may have gone on while the engine answered.
            while let (Some(question), Some(place)) = (question.get_untracked(), place.get_untracked()) {
                if known.with_untracked(|known| known.contains_key(&key(place))) {
                    break;
                }
                let (site, position, layer) = place;
                let asked = question.clone();
                let ask = Command::PutBack { question: asked.clone(), site, position, layer };
                let now = move || same.get_untracked().as_ref() == Some(&asked);
                match tracer.engine.last("reading the next words", ask).await {
                    Ok((Event::Words(_), _)) if !now() => continue,
                    Ok((Event::Words(words), _)) => known.update(|known| {
                        known.insert(key(place), words);
                    }),
                    // The map does not need it.
                    _ => break,
                }
            }
            busy.set_value(false);
        });
    };
    Effect::new(move |_| {
        let wanted = question.with(Option::is_some)
            && place.get().is_some_and(|place| known.with(|known| !known.contains_key(&key(place))));
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        timer.set_value(wanted.then(|| set_timeout_with_handle(ask, REST).ok()).flatten());
    });
    Signal::derive(move || known.with(|known| known.get(&key(place.get()?)).cloned()))
}
