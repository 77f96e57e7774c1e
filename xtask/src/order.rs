//! The order of core's modules: a module imports only from those before it, so that none has to be understood by way of one
//! that builds on it.

/// core's modules, what others build on first.
const ORDER: [&str; 37] = [
    "text",
    "error",
    "caught",
    "memory",
    "lfs",
    "foreign",
    "gz",
    "hex",
    "pause",
    "names",
    "record",
    "facts",
    "metrics",
    "journal",
    "protocol",
    "emit",
    "pack",
    "tables",
    "verify",
    "bounds",
    "rope",
    "tokens",
    "weights",
    "device",
    "tensor",
    "model",
    "run",
    "second_moment",
    "load",
    "generate",
    "trace",
    "edit",
    "question",
    "train",
    "study",
    "lab",
    "service",
];

/// Imports against the order in one file of core, one line each: `file:line: what`. Tests may import anything.
pub(crate) fn complaints(name: &str, text: &str) -> Vec<String> {
    let Some(path) = name.strip_prefix("core/src/") else { return Vec::new() };
    let own = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if own == "lib" || path.ends_with("tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let Some(place) = place(own) else { return vec![format!("{name}:1: {own} has no place in xtask/src/order.rs")] };
    let mut found = Vec::new();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let start = code[..at].rfind('\n').map_or(0, |end| end + 1);
        if code[start..at].trim_start().starts_with("//") {
            continue;
        }
        for module in imported(&code[at + "crate::".len()..]) {
            if module != own && self::place(module).is_some_and(|other| other > place) {
                found.push(format!("{name}:{line}: {own} must not import from {module}, which builds on it"));
            }
        }
    }
    found
}

fn place(module: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == module)
}

/// Modules that stand behind a `crate::`: one, or the heads of a list in braces.
fn imported(rest: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(list) = rest.strip_prefix('{') else { return vec![&rest[..name(rest)]] };
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let head = list[start..at].trim_start();
                heads.push(&head[..name(head)]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down() {
        let said = |name: &str, text: &str| complaints(name, text).join("\n");
        assert_eq!(said("core/src/run/pass.rs", "use crate::model::Site;\nuse crate::{gz, pause};\n"), "");
        assert!(
            said("core/src/model/site.rs", "//! x\nuse crate::run::Edited;\n").starts_with("core/src/model/site.rs:2:")
        );
        assert!(said("core/src/text.rs", "use crate::{gz, names};\n").contains("must not import from gz"));
        let nested = "use crate::{\n    error::{Error, Result},\n    gz,\n    lab::{Lab, Tell},\n};\n";
        assert_eq!(said("core/src/gz.rs", nested), "core/src/gz.rs:1: gz must not import from lab, which builds on it");
        assert!(said("core/src/new.rs", "").contains("no place"));
        assert_eq!(said("core/src/model/tests.rs", "use crate::run::Edited;\n"), "");
        assert_eq!(said("core/src/gz.rs", "#[cfg(test)]\nmod tests {\n    use crate::lab::Lab;\n}\n"), "");
        assert_eq!(said("app/src/lab.rs", "use crate::engine;\n"), "");
    }
}
