//! The digest that every journal line carries. It includes the predecessor's, so a line that is changed, missing, moved
//! or from elsewhere is found at its place, and what precedes it is known to be whole.

use crate::hex;
use sha2::{Digest, Sha256};

/// What stands between a line's JSON, its closing brace left out, and its digest.
const KEY: &[u8] = b",\"sha256\":\"";
const END: &[u8] = b"\"}";
/// Letters of a digest.
const LETTERS: usize = 64;

/// Where a chain of lines is: the digest of its last line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain(String);

impl Chain {
    /// Makes a JSON object the next line: its digest as the last key, and a newline.
    pub fn seal(&mut self, json: &[u8]) -> Vec<u8> {
        let open = json.strip_suffix(b"}").unwrap_or(json);
        self.step(open, b"}");
        [open, KEY, self.0.as_bytes(), END, b"\n"].concat()
    }

    /// Goes on over a line, its newline left out: its JSON, where it carries the digest that follows from what precedes it.
    pub fn opened(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let sealed = Sealed::of(line)?;
        self.follow(&sealed).then(|| sealed.json())
    }

    /// Goes on over a line; whether it carries the digest that follows from what precedes it.
    pub(super) fn follow(&mut self, line: &Sealed<'_>) -> bool {
        self.step(line.open, b"}");
        self.0.as_bytes() == line.digest
    }

    /// Goes on over a line without a digest, as older programs wrote them. The next digest includes it.
    pub(super) fn pass(&mut self, line: &[u8]) {
        self.step(line, b"");
    }

    fn step(&mut self, open: &[u8], close: &[u8]) {
        let mut digest = Sha256::new();
        digest.update(&self.0);
        digest.update(open);
        digest.update(close);
        self.0 = hex(&digest.finalize());
    }
}

/// A line that carries a digest.
pub(super) struct Sealed<'a> {
    /// Its JSON without the digest and without the closing brace.
    open: &'a [u8],
    digest: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Takes a line apart, its newline left out; `None` when no digest stands at its end.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let (rest, digest) = line.strip_suffix(END)?.split_last_chunk::<LETTERS>()?;
        Some(Self { open: rest.strip_suffix(KEY)?, digest })
    }

    /// Its JSON without the digest.
    pub(super) fn json(&self) -> Vec<u8> {
        [self.open, b"}"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As docs/RECORD.md has it: each digest is of the predecessor's digest and the line without its own.
    #[test]
    fn a_chain_is_what_the_documentation_says() {
        let mut chain = Chain::default();
        let lines = [r#"{"engram":1,"facts":[]}"#, r#"{"order":0}"#];
        let written: Vec<Vec<u8>> = lines.iter().map(|line| chain.seal(line.as_bytes())).collect();
        let first = hex(&Sha256::digest(lines[0]));
        assert_eq!(written[0], format!("{{\"engram\":1,\"facts\":[],\"sha256\":\"{first}\"}}\n").into_bytes());
        let second = hex(&Sha256::digest(format!("{first}{}", lines[1])));
        assert_eq!(written[1], format!("{{\"order\":0,\"sha256\":\"{second}\"}}\n").into_bytes());
        let mut reader = Chain::default();
        for (line, json) in written.iter().zip(lines) {
            let sealed = Sealed::of(&line[..line.len() - 1]).expect("it carries a digest");
            assert_eq!(sealed.json(), json.as_bytes());
            assert!(reader.follow(&sealed));
        }
        assert_eq!(reader, chain);
    }
}
