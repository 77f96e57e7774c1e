//! How a result page is cited: a BibTeX entry of what its records know. Author and year are not among that.

use super::article::{Article, title};
use crate::words;

/// The entry.
pub fn bibtex(article: &Article<'_>) -> String {
    let title = title::title(article);
    let mut digests: Vec<String> = Vec::new();
    for record in article.records {
        let digest = words::short_digest(&record.model.weights_sha256).trim_end_matches('…').to_owned();
        if !digest.is_empty() && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    let program = article.records.first().map(|record| words::short(&words::visible(&record.program), 60));
    let fields = [
        ("title", title.title),
        (
            "howpublished",
            format!("Result page, {}", program.filter(|name| !name.is_empty()).unwrap_or("engram".into())),
        ),
        ("note", format!("Weights SHA-256 {}", digests.join(", "))),
    ];
    let field = |(name, value): (&str, String)| format!("  {name} = {{{}}}", escaped(&value));
    let fields: Vec<String> = fields.into_iter().filter(|(_, value)| !value.ends_with(' ')).map(field).collect();
    format!("@misc{{{},\n{}\n}}", title.stem, fields.join(",\n"))
}

/// A text within braces: what TeX would take for its own is written out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '{' | '}' | '%' | '&' | '#' | '_' | '$' => out.extend(['\\', c]),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;

    #[test]
    fn an_entry_has_what_the_record_knows() {
        let mut record = sample::record();
        record.model.weights_sha256 = "b179c9523d0e".repeat(5) + "abcd";
        let said = bibtex(&Article::new(&[record], &MetricConvention::default()));
        assert!(said.starts_with("@misc{engram-tiny,\n  title = {Where tiny stores its facts"), "{said}");
        assert!(said.contains("SHA-256 b179c9523d0e}") && said.ends_with("\n}"), "{said}");
    }

    #[test]
    fn names_cannot_leave_their_braces() {
        assert_eq!(escaped("a_b}{\\%"), "a\\_b\\}\\{\\textbackslash{}\\%");
    }
}
