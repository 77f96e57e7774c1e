//! The token that lets a page compute here. On a shared machine the loopback address belongs to everybody, so it is wanted there
//! too; the link that is printed has it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use engram_core::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Bytes of a token.
const BYTES: usize = 32;

/// Bytes that nobody can guess.
///
/// # Panics
/// When the system has none.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random numbers");
    bytes
}

/// A secret.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn new() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(random::<BYTES>()))
    }

    /// The one in a file that only its owner can read, made when missing: pages that a browser opens again still know it.
    ///
    /// # Errors
    /// When the file cannot be read or written, or others can read it.
    pub fn kept(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::io(format!("{}: {error}", path.display()))
                .hint("the engine's token is kept there; --no-token does without one on a machine of your own")
        };
        match fs::read_to_string(path) {
            Ok(text) => {
                private(path)?;
                let token = Self(text.trim().to_owned());
                if token.is_whole() {
                    return Ok(token);
                }
                fs::remove_file(path).map_err(failed)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let token = Self::new();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| file.write_all(token.0.as_bytes()));
        written.map_err(failed)?;
        Ok(token)
    }

    fn is_whole(&self) -> bool {
        BASE64_URL_SAFE_NO_PAD.decode(&self.0).is_ok_and(|bytes| bytes.len() == BYTES)
    }

    /// Its text, for the link.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether somebody knows it; how long that takes says nothing of it.
    pub fn is(&self, offered: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        digest(&self.0).ct_eq(&digest(offered)).into()
    }
}

/// What stands for the token once: a browser is started with an address that everybody on the machine can read in the list of
/// processes.
pub struct Ticket(Mutex<Option<(Token, Instant)>>);

/// How long a ticket is good for.
const GOOD: Duration = Duration::from_secs(120);

impl Ticket {
    /// None is out.
    pub const fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// A new one in place of the last.
    pub fn issue(&self) -> String {
        let token = Token::new();
        let text = token.text().to_owned();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((token, Instant::now()));
        text
    }

    /// Whether somebody has it; it is good no more then.
    pub fn take(&self, offered: &str) -> bool {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = out.as_ref().is_some_and(|(token, issued)| issued.elapsed() < GOOD && token.is(offered));
        if good {
            *out = None;
        }
        good
    }
}

/// Refuses a file that others can read.
#[cfg(unix)]
fn private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_or(0, |about| about.permissions().mode());
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(Error::input(format!("{}: others can read the engine's token", path.display()))
            .hint(format!("delete it, or run `chmod 600 {}`", path.display()))),
    }
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once() {
        let ticket = Ticket::none();
        assert!(!ticket.take(""));
        let (old, new) = (ticket.issue(), ticket.issue());
        assert!(!ticket.take(&old) && ticket.take(&new) && !ticket.take(&new));
    }

    #[test]
    fn it_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state").join("token");
        let token = Token::kept(&path).expect("a token");
        assert!(token.text().len() == 43 && token.is(token.text()) && !token.is("") && !token.is(&token.text()[1..]));
        assert_eq!(Token::kept(&path).expect("a token").text(), token.text());
        assert_ne!(Token::new().text(), token.text());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("rights");
            assert!(Token::kept(&path).err().is_some_and(|error| error.to_string().contains("others can read")));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("rights");
        }
        fs::write(&path, "half").expect("a file");
        assert!(Token::kept(&path).expect("a new one").is_whole());
    }
}
