//! Messages over a socket: one binary frame each, a head and bytes beside it.
//!
//! ```text
//! u8 version | u8 kind | u16 0 | u32 n | u64 number | n bytes of JSON | bytes beside it, to the end
//! ```
//!
//! Numbers are little-endian. A page sends [`Kind::Join`] first, then [`Kind::Request`]s ([`super::Request`]), and now and then
//! [`Kind::Seen`] with the number of the last message that it has. An engine answers with [`Kind::Joined`] and numbered
//! [`Kind::Message`]s ([`super::Message`]); after a cut it sends those again that were not seen.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The version of the frames.
const VERSION: u8 = 1;
/// Bytes before the JSON.
const HEAD: usize = 16;
/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "engram.1";
/// Before the token among the offered subprotocols: a page cannot send headers of its own.
pub const TOKEN: &str = "engram.token.";
/// Before a ticket in a link, which stands for the token once: `engine/key` gives the token for it.
pub const TICKET: &str = "once.";
/// Closing code for a wrong token; a page sees no other refusal.
pub const WRONG_TOKEN: u16 = 4401;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page's first frame: [`Join`].
    Join,
    /// A [`super::Request`], with a file beside it where it has one.
    Request,
    /// The number of the last message that the page has; without JSON.
    Seen,
    /// An engine's first frame: [`Joined`].
    Joined,
    /// A numbered [`super::Message`].
    Message,
}

const KINDS: [Kind; 5] = [Kind::Join, Kind::Request, Kind::Seen, Kind::Joined, Kind::Message];

/// A page comes, or comes back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Join {
    /// The session that it had; its messages from the last seen one on are sent again.
    #[serde(default)]
    pub session: Option<String>,
}

/// A page is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// [`super::PROTOCOL`].
    pub protocol: u32,
    /// The session's name, for the next time.
    pub session: String,
    /// It is the one that the page had: nothing was lost.
    pub resumed: bool,
    /// The last of its requests that arrived; those after it are to be sent again.
    #[serde(default)]
    pub asked: u32,
}

/// What `engine` beside the page answers: whether there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// [`super::PROTOCOL`].
    pub protocol: u32,
    /// Program and version.
    pub program: String,
    /// The computer's name, for people.
    pub name: String,
    /// A token is needed.
    pub token: bool,
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Its number; of a [`Kind::Join`] the last message that the page has.
    pub number: u64,
    /// JSON.
    pub head: &'a str,
    /// Bytes beside it.
    pub bytes: &'a [u8],
}

/// Makes a frame.
///
/// # Panics
/// When the head has 4 GiB.
pub fn pack(kind: Kind, number: u64, head: &str, bytes: &[u8]) -> Vec<u8> {
    let place = KINDS.iter().position(|one| *one == kind).unwrap_or_default();
    let length = u32::try_from(head.len()).expect("a head below 4 GiB");
    let mut frame = Vec::with_capacity(HEAD + head.len() + bytes.len());
    frame.extend([VERSION, place as u8, 0, 0]);
    frame.extend(length.to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.extend(head.as_bytes());
    frame.extend(bytes);
    frame
}

/// Reads a frame.
///
/// # Errors
/// On anything that is none, saying what is wrong with it.
pub fn unpack(frame: &[u8]) -> Result<Frame<'_>> {
    let wrong = |what: String| Error::input(format!("a frame cannot be read: {what}"));
    let Some((start, rest)) = frame.split_at_checked(HEAD) else {
        return Err(wrong(format!("it has {} bytes", frame.len())));
    };
    if start[0] != VERSION {
        return Err(wrong(format!("it is of version {}, not {VERSION}", start[0]))
            .hint("reload the page: it and its engine are of different versions"));
    }
    let kind = KINDS.get(usize::from(start[1])).ok_or_else(|| wrong(format!("there is no kind {}", start[1])))?;
    let number = |at: usize, n: usize| start[at..at + n].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let length = number(4, 4) as usize;
    let (head, bytes) = rest
        .split_at_checked(length)
        .ok_or_else(|| wrong(format!("its head should have {length} bytes, {} are there", rest.len())))?;
    let head = std::str::from_utf8(head).map_err(|error| wrong(format!("its head is no text: {error}")))?;
    Ok(Frame { kind: *kind, number: number(8, 8), head, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        for (place, kind) in KINDS.into_iter().enumerate() {
            for (number, head, bytes) in [(0, "", &b""[..]), (u64::MAX, "{\"ä\":1}", b"\0\xff"), (7, "null", b"")] {
                let frame = pack(kind, number, head, bytes);
                assert_eq!(usize::from(frame[1]), place);
                assert_eq!(unpack(&frame).expect("a frame"), Frame { kind, number, head, bytes });
            }
        }
        // What is written once is read for ever.
        let golden = b"\x01\x04\0\0\x02\0\0\0\x05\0\0\0\0\0\0\0{}abc";
        assert_eq!(pack(Kind::Message, 5, "{}", b"abc"), golden);
    }

    #[test]
    fn what_is_no_frame_is_refused_in_words() {
        let frame = pack(Kind::Request, 1, "{}", b"");
        for end in 0..HEAD {
            assert!(unpack(&frame[..end]).is_err());
        }
        let refused = |frame: &[u8]| unpack(frame).expect_err("no frame").message().to_owned();
        assert!(refused(&frame[..HEAD + 1]).contains("should have 2 bytes, 1 are there"));
        let with = |at: usize, byte: u8| {
            let mut frame = frame.clone();
            frame[at] = byte;
            frame
        };
        assert!(refused(&with(0, 9)).contains("version 9"));
        assert!(refused(&with(1, 5)).contains("no kind 5"));
        assert!(refused(&with(7, 255)).contains("should have"));
        assert!(refused(&with(HEAD, 0xff)).contains("no text"));
    }
}
