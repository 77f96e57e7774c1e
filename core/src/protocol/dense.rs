//! Arrays of numbers travel beside an event's JSON: raw f32, little-endian, one after the other. As JSON they would take three times
//! the bytes and most of the time that sending takes.

use super::{Event, Failure, Message, from_json, to_json};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A message as it travels: its arrays are empty, and their lengths stand beside it.
#[derive(Serialize, Deserialize)]
struct Sent {
    id: u32,
    news: Event,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    arrays: Vec<u32>,
}

impl Event {
    /// Its arrays, always in the same order.
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        match self {
            Self::MapRow { values, .. } => vec![values],
            Self::Forward(layers) => layers.iter_mut().flat_map(|layer| &mut layer.attention).collect(),
            _ => Vec::new(),
        }
    }
}

impl Message {
    /// Its JSON, and the bytes beside it: a file's, or those of arrays. One that holds a number that is none becomes the failure
    /// that says so.
    pub fn sealed(self, file: Option<Vec<u8>>) -> (String, Option<Vec<u8>>) {
        let id = self.id;
        sealed(self, file).unwrap_or_else(|error| {
            let news = Event::Failed(Failure::from(&error));
            (to_json(&Self { id, news }).unwrap_or_default(), None)
        })
    }

    /// Reads a message. `beside` gives the bytes that came with it, where it has arrays.
    ///
    /// # Errors
    /// On anything that is not one, or other bytes than its arrays take.
    pub fn opened(json: &str, beside: impl FnOnce() -> Vec<u8>) -> Result<Self> {
        let Sent { id, mut news, arrays } = from_json(json)?;
        if arrays.is_empty() {
            return Ok(Self { id, news });
        }
        let bytes = beside();
        let wrong = |what: &str| Error::input(format!("a message's arrays cannot be read: {what}"));
        let slots = news.arrays();
        let all = arrays.iter().try_fold(0usize, |sum, &length| sum.checked_add(length as usize));
        if slots.len() != arrays.len() || all.and_then(|all| all.checked_mul(4)) != Some(bytes.len()) {
            return Err(wrong(&format!("{} bytes are beside {} arrays", bytes.len(), arrays.len())));
        }
        let mut numbers = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        for (slot, length) in slots.into_iter().zip(arrays) {
            *slot = numbers.by_ref().take(length as usize).collect();
            if slot.iter().any(|x| !x.is_finite()) {
                return Err(wrong("a number is not finite"));
            }
        }
        Ok(Self { id, news })
    }
}

fn sealed(Message { id, mut news }: Message, file: Option<Vec<u8>>) -> Result<(String, Option<Vec<u8>>)> {
    let taken: Vec<Vec<f32>> = news.arrays().into_iter().map(std::mem::take).collect();
    if taken.is_empty() {
        return Ok((to_json(&Sent { id, news, arrays: Vec::new() })?, file));
    }
    if taken.iter().flatten().any(|x| !x.is_finite()) {
        return Err(Error::numeric("a message cannot be sent: a number in it is not finite"));
    }
    let arrays = taken.iter().map(|array| array.len() as u32).collect();
    let bytes = taken.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    Ok((to_json(&Sent { id, news, arrays })?, Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{AfterLayer, MapSite, Word};

    fn row(values: Vec<f32>) -> Message {
        Message { id: 7, news: Event::MapRow { site: MapSite::Mlp, position: 2, values } }
    }

    #[test]
    fn arrays_travel_as_they_are() {
        let words = vec![Word { text: "a".into(), p: 0.5 }];
        let layer =
            |from: f32| AfterLayer { words: words.clone(), attention: vec![vec![from, 1e-30], vec![], vec![-0.0]] };
        let all = [
            row(vec![0.1, 0.2, f32::MIN_POSITIVE]),
            Message { id: 1, news: Event::Forward(vec![layer(0.25), layer(1.0)]) },
        ];
        for message in all {
            let (json, bytes) = message.clone().sealed(None);
            let bytes = bytes.expect("arrays");
            assert!(json.contains("\"arrays\":["), "{json}");
            assert_eq!(Message::opened(&json, || bytes.clone()).expect("a message"), message);
            for end in 0..bytes.len() {
                assert!(Message::opened(&json, || bytes[..end].to_vec()).is_err());
            }
            let nan = [&bytes[4..], &f32::NAN.to_le_bytes()].concat();
            assert!(Message::opened(&json, || nan).is_err());
        }
        // What has none keeps its file, and nobody looks for bytes.
        let (json, file) = Message { id: 3, news: Event::File { name: "f".into() } }.sealed(Some(vec![1]));
        assert_eq!((json.as_str(), file), (r#"{"id":3,"news":{"file":{"name":"f"}}}"#, Some(vec![1])));
        assert!(Message::opened(&json, || unreachable!("no arrays")).is_ok());
        // Arrays of an event that has none.
        let (json, _) = row(vec![1.0]).sealed(None);
        let other = json.replace(r#"{"map-row":{"site":"mlp","position":2,"values":[]}}"#, r#""begun""#);
        assert_ne!(json, other);
        assert!(Message::opened(&other, || vec![0; 4]).is_err());
    }

    #[test]
    fn a_number_that_is_none_becomes_a_failure() {
        let (json, bytes) = row(vec![0.5, f32::NAN]).sealed(None);
        assert_eq!(bytes, None);
        let read = Message::opened(&json, Vec::new).expect("a message");
        assert!(
            matches!(read, Message { id: 7, news: Event::Failed(failure) } if failure.message.contains("not finite"))
        );
    }
}
