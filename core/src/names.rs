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
