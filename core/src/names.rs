//! Names from a server that become names of files or parts of addresses. Nothing of them may lead elsewhere.

/// One name of a file or folder, without anything that a file system could read as more than that.
pub fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.') && !name.ends_with('.')
}

/// A path of a file within a model: plain names, `/` between them.
pub fn is_inside(path: &str) -> bool {
    path.len() <= 1000 && path.split('/').all(is_plain)
}

/// A model on a hub as a person names it: `owner/name`, `@revision` where one is wanted, `:FILE.gguf` for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubId<'a> {
    /// `owner/name`, or an old name without an owner.
    pub name: &'a str,
    /// Branch, tag or commit.
    pub revision: Option<&'a str>,
    /// A GGUF file of the repository.
    pub file: Option<&'a str>,
}

impl<'a> HubId<'a> {
    /// Takes a text apart; `None` where it names no model.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, file) = match text.split_once(':') {
            Some((rest, file)) => (rest, Some(file)),
            None => (text, None),
        };
        let (name, revision) = match rest.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (rest, None),
        };
        let named = name.split('/').count() <= 2 && is_inside(name) && !name.contains("..");
        let found = named && revision.is_none_or(is_inside) && file.is_none_or(|file| is_inside(file) && is_gguf(file));
        found.then_some(Self { name, revision, file })
    }

    /// One of the repository's files.
    pub fn of(&self, file: &str) -> String {
        let revision = self.revision.map(|revision| format!("@{revision}")).unwrap_or_default();
        format!("{}{revision}:{file}", self.name)
    }
}

/// Whether a name is that of a GGUF file.
pub fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// Most GGUF files that are listed.
const MOST_LISTED: usize = 30;

/// The GGUF files among a repository's that can be named, with their sizes, and one of them to show how: the smallest.
/// `None` where there are none.
pub fn ggufs(files: &[(String, Option<u64>)], bytes: impl Fn(u64) -> String) -> Option<(String, String)> {
    let mut found: Vec<_> = files.iter().filter(|(name, _)| is_gguf(name) && is_inside(name)).collect();
    found.sort();
    let smallest = found.iter().min_by_key(|(_, size)| size.unwrap_or(u64::MAX))?.0.clone();
    let one = |(name, size): &&(String, Option<u64>)| match size {
        Some(size) => format!("{name} ({})", bytes(*size)),
        None => name.clone(),
    };
    let mut list: Vec<String> = found.iter().take(MOST_LISTED).map(one).collect();
    list.extend(found.len().checked_sub(MOST_LISTED).filter(|more| *more > 0).map(|more| format!("and {more} more")));
    Some((list.join(", "), smallest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_a_hub_are_named() {
        let id = |name, revision, file| Some(HubId { name, revision, file });
        assert_eq!(HubId::parse("gpt2"), id("gpt2", None, None));
        assert_eq!(HubId::parse("a/b@refs/pr/1"), id("a/b", Some("refs/pr/1"), None));
        assert_eq!(HubId::parse("a/b:c-Q4_K_M.gguf"), id("a/b", None, Some("c-Q4_K_M.gguf")));
        let whole = HubId::parse("a/b@v1:q4/c.GGUF");
        assert_eq!(whole, id("a/b", Some("v1"), Some("q4/c.GGUF")));
        assert_eq!(whole.map(|id| id.of("d.gguf")).as_deref(), Some("a/b@v1:d.gguf"));
        for wrong in [
            "",
            "a/b/c",
            "a/",
            "a b",
            "a/b@",
            "a/b:",
            "a/b:c.bin",
            "a/b:../c.gguf",
            "a/b:c.gguf@v1",
            "../x",
            "C:\\x.gguf",
        ] {
            assert_eq!(HubId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn gguf_files_are_listed() {
        let file = |name: &str, size| (name.to_owned(), size);
        let files = [
            file("m-Q8_0.gguf", Some(9)),
            file("README.md", Some(1)),
            file("m-Q4_0.gguf", Some(5)),
            file("a b.gguf", None),
        ];
        let list = ggufs(&files, |size| format!("{size} B"));
        assert_eq!(list, Some(("m-Q4_0.gguf (5 B), m-Q8_0.gguf (9 B)".into(), "m-Q4_0.gguf".into())));
        assert_eq!(ggufs(&files[1..2], |_| String::new()), None);
        let many: Vec<_> = (0..40).map(|at| file(&format!("{at:02}.gguf"), None)).collect();
        assert!(ggufs(&many, |_| String::new()).is_some_and(|(list, _)| list.ends_with("29.gguf, and 10 more")));
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_plain() {
        for name in
            ["", ".", "..", "/abs", "a/b", "a\\b", "C:x", "a b", "x\0", ".hidden", "dot.", "é", &"x".repeat(201)]
        {
            assert!(!is_plain(name), "{name:?}");
        }
        for name in ["0123abcd", "model-00001-of-00002.safetensors", "5f3c-12ab", "abc--gzip"] {
            assert!(is_plain(name), "{name}");
        }
        assert!(is_inside("onnx/model.safetensors"));
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\..\\b"] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
