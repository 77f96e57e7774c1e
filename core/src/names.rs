//! Names from a server that become names of files or parts of addresses, of which nothing may lead elsewhere; and names of
//! tensors as they are told.

use std::fmt;

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

/// A tensor's name for people. Names of tensors count layers from 0 where everything else counts them from 1, so one that
/// names a layer says which it is: `` `model.layers.0.mlp.down_proj.weight` (layer 1 = model.layers.0) ``.
pub fn tensor(name: &str) -> Told<'_> {
    Told(name)
}

/// See [`tensor`].
#[derive(Debug, Clone, Copy)]
pub struct Told<'a>(&'a str);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)?;
        match layer_of(self.0) {
            Some((layer, stem)) => write!(f, " (layer {layer} = {stem})"),
            None => Ok(()),
        }
    }
}

/// The layer that a tensor's name is about, from 1, and the part of the name that says so.
pub fn layer_of(name: &str) -> Option<(usize, &str)> {
    let mut end = 0;
    let mut before = "";
    for part in name.split('.') {
        end += part.len();
        if let Ok(index) = part.parse::<usize>()
            && ["layers", "h", "blk"].contains(&before)
        {
            return Some((index.checked_add(1)?, &name[..end]));
        }
        before = part;
        end += 1;
    }
    None
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

    #[test]
    fn a_tensor_says_which_layer_it_is_of() {
        let told = |name| tensor(name).to_string();
        assert_eq!(told("model.layers.0.mlp.w"), "`model.layers.0.mlp.w` (layer 1 = model.layers.0)");
        assert_eq!(
            told("transformer.h.11.attn.c_attn.weight").split(" (").nth(1),
            Some("layer 12 = transformer.h.11)")
        );
        assert_eq!(told("blk.3.attn_q.weight").split(" (").nth(1), Some("layer 4 = blk.3)"));
        for plain in ["token_embd.weight", "", "layers", "layers.x.1", "model.experts.3.w", "h.99999999999999999999.w"]
        {
            assert_eq!(told(plain), format!("`{plain}`"));
        }
        assert_eq!(layer_of(&format!("h.{}.w", usize::MAX)), None);
    }
}
