//! Arrow keys through things in a row: what replaces a slider beside a figure.

use leptos::ev;

/// Whether views are only printed: then nothing answers to a key, and nothing may say that it does.
pub(crate) const STILL: bool = cfg!(feature = "print");

/// The place that a key leads to among so many; `None` for keys that lead nowhere. A key that leads somewhere does not scroll the page.
pub(crate) fn walked(event: &ev::KeyboardEvent, now: Option<usize>, last: usize, far: usize) -> Option<usize> {
    if event.ctrl_key() || event.alt_key() || event.meta_key() {
        return None;
    }
    let found = led(&event.key(), now, last, far)?;
    event.prevent_default();
    Some(found)
}

fn led(key: &str, now: Option<usize>, last: usize, far: usize) -> Option<usize> {
    let forth = |by: usize| now.map_or(0, |now| (now + by).min(last));
    let back = |by: usize| now.map_or(last, |now| now.saturating_sub(by));
    match key {
        "ArrowRight" | "ArrowUp" => Some(forth(1)),
        "ArrowLeft" | "ArrowDown" => Some(back(1)),
        "PageUp" => Some(forth(far)),
        "PageDown" => Some(back(far)),
        "Home" => Some(0),
        "End" => Some(last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::led;

    #[test]
    fn keys_lead_to_places_and_stop_at_the_ends() {
        let from = |key, now| led(key, now, 4, 3);
        assert_eq!([from("ArrowRight", None), from("ArrowLeft", None)], [Some(0), Some(4)]);
        assert_eq!([from("ArrowRight", Some(4)), from("ArrowDown", Some(0))], [Some(4), Some(0)]);
        assert_eq!([from("PageUp", Some(0)), from("End", Some(0)), from("Home", Some(3))], [Some(3), Some(4), Some(0)]);
        assert_eq!(from("a", Some(1)), None);
    }
}
