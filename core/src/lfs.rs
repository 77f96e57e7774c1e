//! Git LFS: a clone without it has small text files in the place of the large ones.

use crate::Error;

/// How such files begin; the second is the extension's name from before its release.
const BEGINNINGS: [&[u8]; 2] =
    [b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/"];

/// Whether a file that begins so is a pointer to the content and not the content. 48 bytes are enough.
pub fn pointer(first: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| first.starts_with(beginning))
}

/// The error for such a file; its place is added with [`Error::at`].
pub fn refusal() -> Error {
    Error::input("this is a Git LFS pointer, not the file itself")
        .hint("run `git lfs pull` in its folder, or download the file by itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_known() {
        let whole = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        assert!(pointer(whole.as_bytes()) && pointer(&whole.as_bytes()[..48.min(whole.len())]));
        assert!(!pointer(b"version 1") && !pointer(b"") && !pointer(b"{\"version\": \"https://git-lfs\"}"));
        let said = refusal().at("facts.json").to_string();
        assert!(said.starts_with("facts.json: this is a Git LFS pointer") && said.contains("git lfs pull"), "{said}");
    }
}
