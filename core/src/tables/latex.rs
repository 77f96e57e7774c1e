//! LaTeX of a table, for papers: booktabs inside a table environment, numbers rounded as in Markdown.

use super::{Align, Cell, Column, Table, grouped, rounded};
use crate::text::is_hidden;

/// Names that are mathematics, and how LaTeX sets them. Longer ones first where one begins another.
const MATH: [(&str, &str); 12] = [
    ("|Δp|", r"$|\Delta p|$"),
    ("Δ_nec", r"$\Delta_{\mathrm{nec}}$"),
    ("Δ_attn", r"$\Delta_{\mathrm{attn}}$"),
    ("Δ_MLP", r"$\Delta_{\mathrm{MLP}}$"),
    ("r_MLP", r"$r_{\mathrm{MLP}}$"),
    ("p(true)", r"$p(\mathrm{true})$"),
    ("p(false)", r"$p(\mathrm{false})$"),
    ("10⁹", r"$10^{9}$"),
    ("l_f*", r"$l_f^{*}$"),
    ("l*", r"$l^{*}$"),
    ("[0, 1]", r"$[0, 1]$"),
    ("80 %", r"80\,\%"),
];

/// Columns whose whole name is one symbol.
const SYMBOLS: [&str; 3] = ["L", "C", "R"];

impl Table {
    /// LaTeX: a `table` with caption, label `tab:engram-N`, a booktabs `tabular` and the notes in footnote size below it.
    /// Needs `\usepackage{booktabs}`. Every text is escaped, so a model's name cannot bring commands of its own.
    pub fn to_latex(&self) -> String {
        let align = |column: &Column| if column.align == Align::Left { 'l' } else { 'r' };
        let columns: String = self.columns.iter().map(align).collect();
        let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
        let mut out = String::from("% needs \\usepackage{booktabs}\n\\begin{table}[ht]\n  \\centering\n");
        out += &format!("  \\caption{{{}}}\n  \\label{{tab:engram-{}}}\n", prose(&self.title), self.number);
        out += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
        out += &line(self.columns.iter().map(|column| heading(&column.name)).collect());
        out += "    \\midrule\n";
        for row in &self.rows {
            out += &line(row.iter().map(cell).collect());
        }
        out += "    \\bottomrule\n  \\end{tabular}\n";
        if !self.notes.is_empty() {
            out += "  \\par\\medskip\n  \\begin{minipage}{\\linewidth}\\footnotesize\n";
            let notes: Vec<String> = self.notes.iter().map(|note| format!("    {}", prose(note))).collect();
            out += &notes.join("\\par\n");
            out += "\n  \\end{minipage}\n";
        }
        out + "\\end{table}\n"
    }
}

/// A column's name.
fn heading(name: &str) -> String {
    if SYMBOLS.contains(&name) { format!("${name}$") } else { prose(name) }
}

/// A value as [`Cell::display`] rounds it.
fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => prose(text),
        Cell::Count(count) => grouped(*count).replace(',', "{,}"),
        Cell::Number { value, decimals } => format!("${}$", rounded(*value, *decimals)),
        Cell::Share(share) => format!("{}/{} ({}\\,\\%)", share.count, share.of, rounded(share.share * 100.0, 1)),
        Cell::Mean { mean, decimals } => match mean.sem {
            Some(sem) => format!("${} \\pm {}$", rounded(mean.mean, *decimals), rounded(sem, *decimals)),
            None => format!("${}$", rounded(mean.mean, *decimals)),
        },
        Cell::Missing => "--".into(),
    }
}

/// Text with its mathematics set as such and everything else escaped.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // A name only where it is not a part of a longer word: `l*` is none in `model*`.
        let inside = text[..text.len() - rest.len()].chars().next_back().is_some_and(char::is_alphanumeric);
        match MATH.iter().find(|(name, _)| !inside && rest.starts_with(name)) {
            Some((name, math)) => {
                out += math;
                rest = &rest[name.len()..];
            }
            None => {
                escape(first, &mut out);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// One character as LaTeX shows it in text. What the usual fonts lack stays as it is: XeLaTeX and LuaLaTeX have it.
fn escape(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str(r"\textbackslash{}"),
        '{' | '}' | '$' | '&' | '#' | '_' | '%' => {
            out.push('\\');
            out.push(c);
        }
        '^' => out.push_str(r"\textasciicircum{}"),
        '~' => out.push_str(r"\textasciitilde{}"),
        '<' => out.push_str(r"\textless{}"),
        '>' => out.push_str(r"\textgreater{}"),
        '|' => out.push_str(r"\textbar{}"),
        '"' => out.push_str(r"{''}"),
        // After a row's end a star or a bracket would be the line break's own; a backtick turns a question mark round.
        '[' | ']' | '*' | '`' => {
            out.push('{');
            out.push(c);
            out.push('}');
        }
        // Two of them would become a dash or a quotation mark.
        '-' | '\'' if out.ends_with(c) => {
            out.push_str("{}");
            out.push(c);
        }
        '±' => out.push_str(r"$\pm$"),
        '×' => out.push_str(r"$\times$"),
        'Δ' => out.push_str(r"$\Delta$"),
        '–' => out.push_str("--"),
        '…' => out.push_str(r"\dots{}"),
        // Line ends, control and direction characters would change what follows, not be seen.
        c if is_hidden(c) => out.push(' '),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Mean, Share};
    use crate::tables::Shape;

    fn table() -> Table {
        let column = |name: &str, align, shape| Column { name: name.into(), align, shape };
        Table {
            number: 3,
            title: "Mechanism & compression".into(),
            columns: vec![
                column("model", Align::Left, Shape::Plain),
                column("l*", Align::Right, Shape::Plain),
                column("C", Align::Right, Shape::Plain),
                column("Δ_nec", Align::Right, Shape::Mean),
                column("facts per 10⁹ parameters", Align::Right, Shape::Plain),
                column("facts at l*", Align::Right, Shape::Share),
            ],
            rows: vec![
                vec![
                    Cell::Text(r"a_b%$\input{/etc/passwd}~^#&".into()),
                    Cell::Count(1_234),
                    Cell::Number { value: -0.0001, decimals: 3 },
                    Cell::Mean { mean: Mean { mean: 0.1274, sem: Some(0.01), n: 9 }, decimals: 3 },
                    Cell::Mean { mean: Mean { mean: -0.5, sem: None, n: 1 }, decimals: 1 },
                    Cell::Share(Share { count: 56, of: 460, share: 56.0 / 460.0 }),
                ],
                vec![
                    Cell::Text("model* -- 12 ×3\n\\\\".into()),
                    Cell::Missing,
                    Cell::Missing,
                    Cell::Missing,
                    Cell::Missing,
                    Cell::Missing,
                ],
            ],
            notes: vec!["r_MLP is a mean; |Δp| of p(true) is more than 80 %.".into(), "Second.".into()],
        }
    }

    #[test]
    fn a_table_with_everything() {
        let latex = table().to_latex();
        let expected = r"% needs \usepackage{booktabs}
\begin{table}[ht]
  \centering
  \caption{Mechanism \& compression}
  \label{tab:engram-3}
  \begin{tabular}{lrrrrr}
    \toprule
    model & $l^{*}$ & $C$ & $\Delta_{\mathrm{nec}}$ & facts per $10^{9}$ parameters & facts at $l^{*}$ \\
    \midrule
    a\_b\%\$\textbackslash{}input\{/etc/passwd\}\textasciitilde{}\textasciicircum{}\#\& & 1{,}234 & $0.000$ & $0.127 \pm 0.010$ & $-0.5$ & 56/460 (12.2\,\%) \\
    model{*} -{}- 12 $\times$3 \textbackslash{}\textbackslash{} & -- & -- & -- & -- & -- \\
    \bottomrule
  \end{tabular}
  \par\medskip
  \begin{minipage}{\linewidth}\footnotesize
    $r_{\mathrm{MLP}}$ is a mean; $|\Delta p|$ of $p(\mathrm{true})$ is more than 80\,\%.\par
    Second.
  \end{minipage}
\end{table}
";
        assert_eq!(latex, expected);
    }

    /// Whatever a text is, it opens and closes no group, no mathematics, no column, no comment and no row of its own.
    #[test]
    fn no_text_gets_out_of_its_cell() {
        let every: String = ('\0'..='\u{2fff}').collect();
        for text in [every.as_str(), r"}\end{table}\write18{x}", "&&\\\\&&", "%%", "$$\\(", "Δ_nec}{Δ_nec", "\\|Δp|"]
        {
            let out = prose(text);
            let plain = out.replace(r"\{", "").replace(r"\}", "").replace(r"\$", "").replace(r"\&", "");
            let plain = plain.replace(r"\%", "").replace(r"\#", "");
            let mut depth = 0_i32;
            for c in plain.chars() {
                depth += i32::from(c == '{') - i32::from(c == '}');
                assert!(depth >= 0, "{out}");
            }
            assert_eq!((depth, plain.matches('$').count() % 2), (0, 0), "{out}");
            assert!(!plain.contains(['&', '%', '#', '\n', '\r', '~']), "{out}");
            let commands: Vec<&str> = plain.split('\\').skip(1).collect();
            let known = ["text", "mathrm", "Delta", "pm", "times", "dots", ",", "_"];
            assert!(commands.iter().all(|one| known.iter().any(|name| one.starts_with(name))), "{commands:?}");
        }
    }
}
