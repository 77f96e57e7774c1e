//! The formulas of METHODS as presentation MathML, with the same in plain text. A test holds the plain text to METHODS.

use super::Piece;

/// A formula: its MathML, and METHODS' own line in plain text.
const fn formula(mathml: &'static str, words: &'static str) -> Piece {
    Piece::Formula { mathml, words }
}

/// Eq. 1.
pub const SUFFICIENCY: Piece = formula(
    r#"<math display="block"><msub><mi>s</mi><mi>l</mi></msub><mo>=</mo><msub><mi>p</mi><mtext>patch</mtext></msub><mo stretchy="false">(</mo><mi>l</mi><mo stretchy="false">)</mo><mo>−</mo><msub><mi>p</mi><mtext>corrupt</mtext></msub></math>"#,
    "s_l = p_patch(l) - p_corrupt",
);

/// A fact's dominant layer.
pub const DOMINANT: Piece = formula(
    r#"<math display="block"><msubsup><mi>l</mi><mi>f</mi><mo>*</mo></msubsup><mo>=</mo><munder><mi>argmax</mi><mi>l</mi></munder><mspace width="0.17em"></mspace><msub><mi>s</mi><mi>l</mi></msub></math>"#,
    "l_f* = argmax_l s_l",
);

/// Necessity.
pub const NECESSITY: Piece = formula(
    r#"<math display="block"><msub><mi mathvariant="normal">Δ</mi><mtext>nec</mtext></msub><mo>=</mo><msub><mi>p</mi><mtext>clean</mtext></msub><mo>−</mo><msub><mi>p</mi><mtext>ablated</mtext></msub></math>"#,
    "Δ_nec = p_clean - p_ablated",
);

/// Eq. 2.
pub const MLP_RATIO: Piece = formula(
    r#"<math display="block"><msub><mi>r</mi><mtext>MLP</mtext></msub><mo>=</mo><mfrac><mrow><mo stretchy="false" form="prefix">|</mo><msub><mi mathvariant="normal">Δ</mi><mtext>MLP</mtext></msub><mo stretchy="false" form="postfix">|</mo></mrow><mrow><mo stretchy="false" form="prefix">|</mo><msub><mi mathvariant="normal">Δ</mi><mtext>attn</mtext></msub><mo stretchy="false" form="postfix">|</mo><mo>+</mo><mo stretchy="false" form="prefix">|</mo><msub><mi mathvariant="normal">Δ</mi><mtext>MLP</mtext></msub><mo stretchy="false" form="postfix">|</mo><mo>+</mo><mi>ε</mi></mrow></mfrac></math>"#,
    "r_MLP = |Δ_MLP| / (|Δ_attn| + |Δ_MLP| + ε)",
);

/// Eq. 3. The maximum is over the numerator, as `metrics::fact_redundancy` has it.
pub const REDUNDANCY: Piece = formula(
    r#"<math display="block"><msub><mi>R</mi><mi>f</mi></msub><mo>=</mo><mfrac><mrow><munder><mi>max</mi><mrow><mi>l</mi><mo>≠</mo><msup><mi>l</mi><mo>*</mo></msup></mrow></munder><mspace width="0.17em"></mspace><mrow><mo>(</mo><msub><mi>p</mi><mrow><mtext>ablated</mtext><mo>+</mo><mtext>patch</mtext><mo stretchy="false">(</mo><mi>l</mi><mo stretchy="false">)</mo></mrow></msub><mo>−</mo><msub><mi>p</mi><mtext>corrupt</mtext></msub><mo>)</mo></mrow></mrow><mrow><msub><mi mathvariant="normal">Δ</mi><mtext>nec</mtext></msub><mo>+</mo><mi>ε</mi></mrow></mfrac></math>"#,
    "R_f = max_{l != l*} (p_{ablated+patch(l)} - p_corrupt) / (Δ_nec + ε)",
);

/// Concentration.
pub const CONCENTRATION: Piece =
    formula(r#"<math display="block"><mi>C</mi><mo>=</mo><mfrac><mi>K</mi><mi>L</mi></mfrac></math>"#, "C = K / L");

/// Eq. 4.
pub const RANK_ONE: Piece = formula(
    r#"<math display="block"><msup><mi>W</mi><mo>′</mo></msup><mo>=</mo><mi>W</mi><mo>+</mo><mfrac><mrow><mo stretchy="false">(</mo><msup><mi>v</mi><mo>*</mo></msup><mo>−</mo><mi>v</mi><mo stretchy="false">)</mo><msup><mi>k</mi><mi mathvariant="normal">T</mi></msup></mrow><mrow><msup><mi>k</mi><mi mathvariant="normal">T</mi></msup><mi>k</mi></mrow></mfrac></math>"#,
    "W' = W + (v* - v) kᵀ / (kᵀ k)",
);

/// What SPSA minimises.
pub const OBJECTIVE: Piece = formula(
    r#"<math display="block"><mi>f</mi><mo stretchy="false">(</mo><mi>v</mi><mo stretchy="false">)</mo><mo>=</mo><mtext>logit</mtext><mo stretchy="false">(</mo><msub><mi>y</mi><mtext>true</mtext></msub><mo stretchy="false">)</mo><mo>−</mo><mtext>logit</mtext><mo stretchy="false">(</mo><msub><mi>y</mi><mtext>false</mtext></msub><mo stretchy="false">)</mo></math>"#,
    "f(v) = logit(y_true) - logit(y_false)",
);

/// A step of SPSA.
pub const STEP: Piece = formula(
    r#"<math display="block"><mi>v</mi><mo>←</mo><mi>v</mi><mo>−</mo><mi>η</mi><mo>·</mo><mfrac><mrow><mi>f</mi><mo stretchy="false">(</mo><mi>v</mi><mo>+</mo><mi>ε</mi><mi>δ</mi><mo stretchy="false">)</mo><mo>−</mo><mi>f</mi><mo stretchy="false">(</mo><mi>v</mi><mo>−</mo><mi>ε</mi><mi>δ</mi><mo stretchy="false">)</mo></mrow><mrow><mn>2</mn><mi>ε</mi></mrow></mfrac><mo>·</mo><mi>δ</mi></math>"#,
    "v ← v - η · (f(v + εδ) - f(v - εδ)) / (2ε) · δ",
);

/// All of them.
pub const ALL: [Piece; 9] =
    [SUFFICIENCY, DOMINANT, NECESSITY, MLP_RATIO, REDUNDANCY, CONCENTRATION, RANK_ONE, OBJECTIVE, STEP];

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: &str = include_str!("../../../../../docs/METHODS.md");

    fn parts(piece: &Piece) -> (&'static str, &'static str) {
        match piece {
            Piece::Formula { mathml, words } => (mathml, words),
            Piece::Text(text) => panic!("no formula: {text}"),
        }
    }

    #[test]
    fn the_words_are_those_of_methods() {
        for piece in &ALL {
            let (_, words) = parts(piece);
            assert!(METHODS.contains(words), "{words}");
        }
    }

    #[test]
    fn tags_are_balanced() {
        for piece in &ALL {
            let (mathml, _) = parts(piece);
            assert!(mathml.starts_with(r#"<math display="block">"#) && mathml.ends_with("</math>"), "{mathml}");
            let mut open: Vec<(&str, usize)> = Vec::new();
            for tag in mathml.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
                if !tag.starts_with('/') {
                    open.last_mut().iter_mut().for_each(|parent| parent.1 += 1);
                    open.push((name, 0));
                    continue;
                }
                let (last, children) = open.pop().unwrap_or_default();
                assert_eq!(last, name, "{mathml}");
                // Elements that want a number of children.
                let wanted = match name {
                    "mfrac" | "msub" | "msup" | "munder" => 2,
                    "msubsup" => 3,
                    _ => children,
                };
                assert_eq!(children, wanted, "{name} in {mathml}");
            }
            assert!(open.is_empty(), "{mathml}");
        }
    }

    /// Letters and digits of a formula in the order in which they are read.
    fn letters(text: &str) -> String {
        text.chars().filter(|c| c.is_alphanumeric()).map(|c| if c == 'ᵀ' { 'T' } else { c }).collect()
    }

    #[test]
    fn mathml_says_what_the_words_say() {
        for piece in &ALL {
            let (mathml, words) = parts(piece);
            let text: String =
                mathml.split('<').filter_map(|rest| rest.split_once('>')).map(|(_, text)| text).collect();
            assert_eq!(letters(&text), letters(words), "{words}");
        }
    }
}
