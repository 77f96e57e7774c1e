//! Where the hub, its cache and the access token are, as `huggingface_hub` reads the same environment variables.

use std::path::PathBuf;
use std::time::Duration;

use super::{Hub, Token};

/// What the hub's own Python library waits for a server that says nothing.
const IDLE: Duration = Duration::from_secs(10);

impl Hub {
    /// As `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE` and their older names say.
    pub(crate) fn from_env() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    pub(super) fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let user = set("HOME").or_else(|| set("USERPROFILE")).map_or_else(std::env::temp_dir, PathBuf::from);
        let path = |name: &str| set(name).map(|path| expanded(&path, &user));
        let seconds = |name: &str| set(name).and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);

        let home = path("HF_HOME")
            .unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(|| user.join(".cache")).join("huggingface"));
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| home.join("hub"));
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let named = |name: &'static str| set(name).map(|value| (value, name.to_owned()));
        let stored = || Some((std::fs::read_to_string(&file).ok()?, file.display().to_string()));
        let token = named("HF_TOKEN").or_else(|| named("HUGGING_FACE_HUB_TOKEN")).or_else(stored);
        Self {
            cache,
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            token: token
                .map(|(value, from)| Token { value: value.trim().to_owned(), from })
                .filter(|token| !token.value.is_empty()),
            offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
                .into_iter()
                .find_map(set)
                .is_some_and(|on| is_true(&on)),
            links: !set("HF_HUB_DISABLE_SYMLINKS").is_some_and(|on| is_true(&on)),
            retries: 5,
            idle: seconds("HF_HUB_DOWNLOAD_TIMEOUT").filter(|idle| !idle.is_zero()).unwrap_or(IDLE),
        }
    }
}

/// The words that `huggingface_hub` takes for yes; `False` and `no` are none of them.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.trim().to_ascii_uppercase().as_str())
}

/// A path whose `~` at the beginning is the user's folder.
fn expanded(path: &str, user: &std::path::Path) -> PathBuf {
    match path.strip_prefix('~') {
        Some("") => user.to_owned(),
        Some(rest) if rest.starts_with(['/', '\\']) => user.join(&rest[1..]),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Hub::from(|wanted| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()))
    }

    #[test]
    fn only_a_yes_is_offline() {
        for (value, offline) in [("1", true), ("True", true), ("yes", true), ("ON", true)]
            .into_iter()
            .chain(["0", "False", "false", "no", "off", "", "2"].map(|value| (value, false)))
        {
            assert_eq!(hub(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
        assert!(hub(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
    }

    #[test]
    fn folders_and_tokens() {
        let home = ("HOME", "/u/ada");
        assert_eq!(hub(&[home]).cache, PathBuf::from("/u/ada/.cache/huggingface/hub"));
        assert_eq!(hub(&[home, ("XDG_CACHE_HOME", "/c")]).cache, PathBuf::from("/c/huggingface/hub"));
        assert_eq!(hub(&[home, ("HF_HOME", "~/hf")]).cache, PathBuf::from("/u/ada/hf/hub"));
        assert_eq!(hub(&[home, ("HUGGINGFACE_HUB_CACHE", "~")]).cache, PathBuf::from("/u/ada"));
        assert_eq!(
            hub(&[home, ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]).cache,
            PathBuf::from("/new")
        );
        assert_eq!(hub(&[home]).token.map(|token| token.value), None);
        let token = hub(&[home, ("HF_TOKEN", " hf_x\n")]).token.unwrap();
        assert_eq!((token.value.as_str(), token.from.as_str()), ("hf_x", "HF_TOKEN"));
        assert_eq!(hub(&[home, ("HF_ENDPOINT", "https://hub.example/")]).endpoint, "https://hub.example");
        assert!(!hub(&[home, ("HF_HUB_DISABLE_SYMLINKS", "1")]).links);
        assert_eq!(hub(&[home, ("HF_HUB_DOWNLOAD_TIMEOUT", "3")]).idle, Duration::from_secs(3));
    }
}
