//! Texts from outside as Markdown and CSV show them: nothing in them acts.

use crate::text::visible;

/// A text within a line of Markdown, as CommonMark and GitHub's dialect read it. Names stay legible in the source: a sign
/// is escaped only where it could mean something.
pub(super) fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let after = rest.clone().next();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let acts = match c {
            '\\' | '`' | '[' | ']' | '|' | '~' | '$' => true,
            // Before a space, or between a letter and a comma, it begins no emphasis; what is not begun is not ended.
            '*' => after.is_some_and(|c| !(c.is_whitespace() || word(before) && c.is_ascii_punctuation())),
            // Within a word it is a letter.
            '_' => !(word(before) && word(after)),
            // Addresses become links by themselves.
            ':' => rest.as_str().starts_with("//"),
            '.' if out.ends_with("www") => true,
            // A heading, a list, a rule: at a line's beginning only, and -0.5 is none.
            '#' | '+' | '-' | '=' => out.is_empty() && after.is_none_or(|next| next.is_whitespace() || next == c),
            '.' | ')' => is_number(&out) && after.is_none_or(char::is_whitespace),
            _ => false,
        };
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if acts => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Digits and nothing else: what stands before the dot of a list's item.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text as a field of CSV. Spreadsheets take one that begins like a formula for one, and run it: an apostrophe in front
/// tells them that it is a text (OWASP, CSV injection). They also read the wide forms of these signs.
pub fn csv_text(text: &str) -> String {
    let formula = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    match text.trim_start_matches(' ').starts_with(formula) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_acts_in_markdown() {
        let cases = [
            (r"<img src=x onerror=alert(1)>", r"&lt;img src=x onerror=alert(1)&gt;"),
            (r"[click](javascript:alert(1))", r"\[click\](javascript:alert(1))"),
            (r"![x](http://e.example/a.png)", r"!\[x\](http\://e.example/a.png)"),
            (r"[x]: javascript:alert(1)", r"\[x\]: javascript:alert(1)"),
            ("https://e.example www.e.example", r"https\://e.example www\.e.example"),
            ("&#106;avascript", "&amp;#106;avascript"),
            ("`code` | $x$ ~~no~~", r"\`code\` \| \$x\$ \~\~no\~\~"),
            ("**bold** _it_ a_b", r"\*\*bold** \_it\_ a_b"),
            ("a\n# b\r\u{202e}\0", "a⏎# b␍\\\\u{202e}␀"),
            ("# a", r"\# a"),
            ("- a", r"\- a"),
            ("1. a", r"1\. a"),
            ("12) a", r"12\) a"),
            ("---", r"\---"),
            ("\\", "\\\\"),
        ];
        for (text, wanted) in cases {
            assert_eq!(markdown(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_stay_legible() {
        for name in [
            "HuggingFaceTB/SmolLM2-135M-Instruct",
            "Qwen2.5-0.5B",
            "l* is the layer",
            "at l*, over",
            "r_MLP",
            "a@main (2)",
            "–",
            "-0.50",
            "1.5",
        ] {
            assert_eq!(markdown(name), name);
        }
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", " =1"] {
            assert_eq!(csv_text(text), format!("'{text}"));
        }
        for text in ["a=1", "l*", "–", "", "'x", "org/name"] {
            assert_eq!(csv_text(text), text);
        }
    }
}
