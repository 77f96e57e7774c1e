//! What a failed download means, and what to do next. The hub says why it refuses in `X-Error-Code` and
//! `X-Error-Message`, which `huggingface_hub` goes by too.

use std::time::Duration;

use engram_core::{Error, names};
use url::Url;

use super::client::{Fault, Meta, Refusal};
use super::download::Job;
use crate::render::text::bytes;

/// The longest wait that a server may ask for.
const PATIENCE: Duration = Duration::from_secs(30);

impl Fault {
    /// How long to wait before it is tried again, for the so-manieth time; `None` where that is of no use.
    pub(super) fn pause(&self, failures: usize) -> Option<Duration> {
        let next = Duration::from_millis(250 << failures.min(5));
        match self {
            Self::Passing { .. } => Some(next),
            Self::Refused(refusal) if matches!(refusal.status, 408 | 429 | 500..) => match refusal.after {
                Some(after) => Some(Duration::from_secs(after)).filter(|after| *after <= PATIENCE),
                None => Some(next),
            },
            Self::Refused(_) | Self::Final(_) => None,
        }
    }
}

impl Refusal {
    /// The model and its revision are there, and this file is not.
    pub(super) fn is_absent(&self) -> bool {
        self.status == 404 && (self.code == "EntryNotFound" || self.code.is_empty())
    }
}

impl Job<'_> {
    /// A file that a model needs is not there. A repository of GGUF files is told what there is.
    pub(super) fn absent(&self, file: &str) -> anyhow::Error {
        let said = Error::input(format!("{} on {} has no {file}", self.id, self.hub.endpoint));
        let files = self.client.files(self.named.name, self.named.revision.unwrap_or("main")).unwrap_or_default();
        if let Some((list, one)) = names::ggufs(&files, bytes) {
            return Error::input(format!("{}; it has these GGUF files: {list}", said.message()))
                .hint(format!("name one of them: --model {}", self.named.of(&one)))
                .into();
        }
        said.hint(match self.named.file {
            Some(_) => "check the id, the revision and the file's name",
            None => {
                "check the id and the revision; a model needs config.json, tokenizer.json and safetensors weights, or \
                 a GGUF file, which is named OWNER/NAME:FILE.gguf"
            }
        })
        .into()
    }

    /// An answer that no hub gives.
    pub(super) fn no_hub(&self, meta: &Meta, url: &Url) -> Error {
        let page = meta.kind.trim_start().to_ascii_lowercase().starts_with("text/html");
        let what = if page { "a web page" } else { "something else" };
        let asked = meta.location.as_ref().unwrap_or(url);
        Error::io(format!("{}: {asked} is no hub: it answered with {what}, without the header X-Repo-Commit", self.id))
            .hint(
                "the network may want you to sign in first (open any page in a browser), or a proxy or firewall answers \
                 instead of the hub; check HF_ENDPOINT",
            )
    }

    pub(super) fn explain(&self, fault: Fault, url: &Url) -> Error {
        match fault {
            Fault::Final(error) => error,
            Fault::Refused(refusal) => self.refused(&refusal),
            Fault::Passing { what, .. } => Error::io(format!(
                "{} is not complete in the cache, and {url} failed: {what}",
                self.id
            ))
            .hint(
                "check the network and run the same command again (the downloaded part is kept), set HF_ENDPOINT to a \
                     mirror, or name a local model folder",
            ),
        }
    }

    /// A stop while waiting.
    pub(super) fn explain_stop(&self, fault: Fault) -> Error {
        match fault {
            Fault::Final(error) => error,
            _ => Error::cancelled(),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Error {
        let Refusal { status, code, message, url, after } = refusal;
        let (id, name, endpoint) = (self.id, self.named.name, &self.hub.endpoint);
        let token = self.hub.token.as_ref().map(|token| token.from.as_str());
        match (code.as_str(), status, token) {
            ("GatedRepo", _, None) => {
                Error::input(format!("{id} is gated: its terms have to be accepted first")).hint(format!(
                    "accept them at {endpoint}/{name}, then set HF_TOKEN to an access token of the same account \
                     ({endpoint}/settings/tokens)"
                ))
            }
            ("GatedRepo", _, Some(token)) => Error::input(format!(
                "{id} is gated, and the account of your access token ({token}) has no access"
            ))
            .hint(format!(
                "accept its terms at {endpoint}/{name} with that account; a request may have to be granted, and \
                         a fine-grained token needs the permission to read gated models"
            )),
            ("RevisionNotFound", ..) => {
                let revision = self.named.revision.unwrap_or("main");
                Error::input(format!("{name} has no revision {revision}"))
                    .hint(format!("its branches, tags and commits are listed at {endpoint}/{name}/tree/main"))
            }
            (_, 401, Some(token)) if code != "RepoNotFound" => {
                Error::input(format!("{endpoint} refuses your access token ({token}): {}", or(message, "HTTP 401")))
                    .hint(format!(
                        "it has expired or is not whole: make a new one at {endpoint}/settings/tokens, or remove it \
                         (a public model needs none)"
                    ))
            }
            ("RepoNotFound", ..) | (_, 401, None) => Error::input(format!(
                "{endpoint} has no model {name}, or it is private (HTTP {status})"
            ))
            .hint(match token {
                None => "check the id; a private model needs HF_TOKEN, an access token of an account that may read it",
                Some(_) => "check the id, and that the account of your access token may read it",
            }),
            (_, 403, _) if message.contains("is disabled") => {
                Error::input(format!("{endpoint} has disabled {name}: {message}")).hint("use another model or mirror")
            }
            (_, 403, _) => {
                Error::input(format!("{id}: access denied (HTTP 403) at {url}: {}", or(message, "no reason given")))
                    .hint(format!("check the permissions of your access token at {endpoint}/settings/tokens"))
            }
            (_, 429, _) => {
                let wait = after.map_or("a few minutes".to_owned(), |after| format!("{after} s"));
                Error::io(format!("{id}: too many requests (HTTP 429) at {url}")).hint(format!(
                    "try again in {wait}; with HF_TOKEN set the limits are higher; the downloaded part is kept"
                ))
            }
            _ => Error::io(format!("{id}: HTTP {status} at {url}{}", suffix(message)))
                .hint("try again later, or set HF_ENDPOINT to a mirror; the downloaded part is kept"),
        }
    }
}

fn or<'a>(message: &'a str, other: &'a str) -> &'a str {
    if message.is_empty() { other } else { message }
}

fn suffix(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
