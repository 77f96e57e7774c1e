//! What stands between a prompt and its answer.

/// A space, or nothing where the prompt's end or its script leaves none: after an opening bracket or quotation mark, and
/// within Chinese, Japanese, Thai, Lao, Khmer and Burmese text.
pub fn joint(prompt: &str, answer: &str) -> &'static str {
    let prompt = prompt.trim_end();
    let Some(last) = prompt.chars().next_back() else { return "" };
    let first = answer.trim_start().chars().next().unwrap_or(' ');
    let without = opens(prompt, last) || (unspaced(last) && (unspaced(first) || !first.is_alphanumeric()));
    if without { "" } else { " " }
}

/// Is the prompt's last character an opening bracket or quotation mark? A straight mark opens after a space, and at the
/// beginning.
fn opens(prompt: &str, last: char) -> bool {
    match last {
        '(' | '[' | '{' | '<' | '“' | '‘' | '„' | '‚' | '«' | '‹' | '¿' | '¡' | '「' | '『' | '（' | '《' | '〈'
        | '【' | '［' | '｛' | '〔' => true,
        '"' | '\'' | '`' => {
            let before = prompt.trim_end_matches(last).chars().next_back();
            before.is_none_or(|c| c.is_whitespace() || "([{“‘—–".contains(c) || unspaced(c))
        }
        _ => false,
    }
}

/// Characters of scripts that put no spaces between words, and their punctuation.
fn unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{e7f}' | '\u{e80}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{2fdf}' | '\u{3000}'..='\u{30ff}' | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff65}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::joint;

    #[test]
    fn a_space_where_words_have_one() {
        for (prompt, answer) in [
            ("The capital of France is", "Paris"),
            ("The capital of France is ", "Paris"),
            ("He said \"yes\"", "and"),
            ("The dogs'", "owner"),
            ("서울은", "한국"),
            ("法国的首都是", "Paris"),
            ("3 *", "4"),
        ] {
            assert_eq!(joint(prompt, answer), " ", "{prompt}");
        }
    }

    #[test]
    fn none_where_they_have_none() {
        for (prompt, answer) in [
            ("法国的首都是", "巴黎"),
            ("フランスの首都は「", "パリ"),
            ("เมืองหลวงของฝรั่งเศสคือ", "ปารีส"),
            ("The capital of France is \"", "Paris"),
            ("The capital of France (", "Paris"),
            ("Its name is “", "Paris"),
            ("\"", "Paris"),
        ] {
            assert_eq!(joint(prompt, answer), "", "{prompt}");
        }
    }
}
