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

#[cfg(test)]
mod tests {
    use super::*;

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
