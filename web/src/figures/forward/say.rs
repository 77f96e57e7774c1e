//! What is to be said of one layer of the forward pass, in a sentence with its numbers.

use super::Head;
use crate::figures::trace::{CARRIES, Piece, Story, TraceMaps, Tracks};
use crate::words;
use engram_core::metrics::PEAK;
use engram_core::protocol::MapSite;

/// What happens at a layer. `whole` is the finding of the whole trace, `heads` what the layer's heads give the subject's last token.
pub fn say(maps: &TraceMaps, whole: &Story, tracks: &Tracks, heads: &[Head], layer: usize) -> Story {
    let text = |text: String| Piece::Text(text);
    let answer = || Piece::Answer(maps.answer.clone());
    let at =
        |row: usize| maps.line(MapSite::Residual, row).get(layer.wrapping_sub(1)).copied().flatten().unwrap_or(0.0);
    let two = |value: f64| words::fixed(value, 2);
    let Some(row) = maps.subject_last().filter(|_| whole.warning.is_none() || whole.warning == Some("No peak")) else {
        // Nothing is restored; what the lens reads is there all the same.
        return Story { more: read(maps, tracks, layer), ..whole.clone() };
    };
    let [subject, last] = whole.names.clone();
    let (own, end) = (at(row), at(maps.last()));
    let alone = row == maps.last();
    let averaged = maps.rows.get(row).is_some_and(|row| row.averaged);
    // Averaged rows have no token of their own.
    let named = if averaged { format!("the {subject}") } else { format!("“{subject}”") };
    let start = text(format!("Layer {layer}: "));
    let (head, more) = if whole.moved == Some(layer) {
        let head = vec![
            start,
            text("attention moves ".into()),
            answer(),
            text(" from ".into()),
            Piece::Subject(named.clone()),
            text(if averaged { " to the last token." } else { " to the last token " }.into()),
        ];
        let named = [Piece::Token(format!("“{last}”")), text(".".into())];
        let head = head.into_iter().chain(named.into_iter().filter(|_| !averaged)).collect();
        let look = heads.iter().find(|head| head.top).map(|head| {
            format!("Head {} gives “{subject}” {:.0} % of its attention. ", head.number, 100.0 * head.share)
        });
        let after = format!("After this layer, “{last}” restores {} and “{subject}” {}.", two(end), two(own));
        (head, format!("{}{after}", look.unwrap_or_default()))
    } else if !alone && end >= CARRIES {
        let first = tracks.rank.get(layer - 1) == Some(&1);
        let earlier = tracks.rank.iter().take(layer - 1).rposition(|rank| *rank == 1);
        let told = match (first, earlier) {
            (true, _) => ", and the model would say it.".to_owned(),
            (false, Some(at)) => format!("; the model would no longer say it (it did at layer {}).", at + 1),
            (false, None) => "; the model would not say it yet.".into(),
        };
        let head = vec![start, text("the last token carries ".into()), answer(), text(told)];
        (head, format!("“{last}” restores {}, “{subject}” {}. {}", two(end), two(own), read(maps, tracks, layer)))
    } else if own >= CARRIES {
        let rest = match alone {
            true => ".",
            false => "; the last token does not have it yet.",
        };
        let head = vec![start, Piece::Subject(named.clone()), text(" carries ".into()), answer(), text(rest.into())];
        let alone = format!("Put back alone, the state of “{subject}” here restores {} of the answer.", two(own));
        (head, format!("{alone} {}", read(maps, tracks, layer)))
    } else if own >= PEAK || end >= PEAK {
        let head = match (own >= PEAK, end >= PEAK && !alone) {
            (true, true) => {
                vec![
                    start,
                    Piece::Subject(named.clone()),
                    text(" and the last token each carry some of ".into()),
                    answer(),
                    text(".".into()),
                ]
            }
            (true, false) => {
                vec![start, Piece::Subject(named.clone()), text(" carries some of ".into()), answer(), text(".".into())]
            }
            _ => vec![start, text("the last token carries some of ".into()), answer(), text(".".into())],
        };
        let both = if alone {
            format!("“{subject}” restores {}.", two(own))
        } else {
            format!("“{subject}” restores {}, “{last}” {}.", two(own), two(end))
        };
        (head, format!("{both} {}", read(maps, tracks, layer)))
    } else {
        let head = vec![
            start,
            text("neither ".into()),
            Piece::Subject(named),
            text(" nor the last token carries ".into()),
            answer(),
            text(" alone.".into()),
        ];
        (head, read(maps, tracks, layer))
    };
    Story { head, more, warning: None, ..whole.clone() }
}

/// What the logit lens reads after a layer.
fn read(maps: &TraceMaps, tracks: &Tracks, layer: usize) -> String {
    let at = layer.wrapping_sub(1);
    match (tracks.top.get(at), tracks.lens.get(at), tracks.rank.get(at)) {
        (Some(top), Some(p), Some(rank)) => {
            let top = top.trim_start_matches('·');
            let (p, rank) = (words::percent_of(*p), words::grouped(*rank));
            format!("Read here, the model would say “{top}”; {} has {p}, rank {rank}.", maps.answer)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::heads;
    use super::*;
    use crate::figures::trace::machu;
    use engram_core::record::{Reason, Traced};

    fn told(traced: Traced, layer: usize) -> (String, String) {
        let fact = machu::fact(traced);
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let tracks = Tracks::of(&fact, &maps).expect("it is traced");
        let whole = Story::of(&maps, &fact, [None, None], None, false);
        let said = say(&maps, &whole, &tracks, &heads(&[vec![0.0, 0.1, 0.82, 0.0, 0.08]], 2), layer);
        (said.text(), said.more)
    }

    #[test]
    fn each_layer_has_its_sentence() {
        let (head, more) = told(machu::traced(), 2);
        assert_eq!(head, "Layer 2: “Picchu” carries Peru; the last token does not have it yet.");
        assert_eq!(
            more,
            "Put back alone, the state of “Picchu” here restores 1.00 of the answer. Read here, the model would say “the”; \
             Peru has <0.1 %, rank 500."
        );
        let (head, more) = told(machu::traced(), 4);
        assert_eq!(head, "Layer 4: “Picchu” and the last token each carry some of Peru.");
        assert!(more.starts_with("“Picchu” restores 0.40, “of” 0.50."), "{more}");
        let (head, more) = told(machu::traced(), 5);
        assert_eq!(head, "Layer 5: attention moves Peru from “Picchu” to the last token “of”.");
        assert_eq!(
            more,
            "Head 1 gives “Picchu” 82 % of its attention. After this layer, “of” restores 0.90 and “Picchu” 0.00."
        );
        let (head, more) = told(machu::traced(), 6);
        assert_eq!(head, "Layer 6: the last token carries Peru, and the model would say it.");
        assert!(more.ends_with("the model would say “Peru”; Peru has 90.0 %, rank 1."), "{more}");
        let mut fell = machu::traced();
        fell.lens.as_mut().expect("a lens").rank_true = vec![9, 9, 9, 1, 1, 3];
        let (head, _) = told(fell, 6);
        assert_eq!(head, "Layer 6: the last token carries Peru; the model would no longer say it (it did at layer 5).");
    }

    #[test]
    fn without_an_effect_only_the_lens_is_read() {
        let fact = machu::dropped(machu::traced(), Reason::NotKnown);
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let tracks = Tracks::of(&fact, &maps).expect("it is traced");
        let whole = Story::of(&maps, &fact, [Some(" Chile"), None], None, false);
        let said = say(&maps, &whole, &tracks, &[], 3);
        assert_eq!(said.warning, Some("Not known"));
        assert!(said.more.starts_with("Read here, the model would say “a”"), "{}", said.more);
    }
}
