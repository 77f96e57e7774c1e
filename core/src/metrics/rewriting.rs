//! Editing as the field measures it (METHODS, section 4): each measure with the dialect that it belongs to, before and after.

use super::{Mean, Share, Verdict, judge, ngram_entropy};
use crate::record::{Answers, EditRecord, Shift};
use serde::{Deserialize, Serialize};

/// Who computes a measure this way: numbers of two dialects are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Meng et al. 2022, CounterFact: which answer's mean `-log p` over its tokens is smaller.
    Rome,
    /// The same for neighbours behind the edited statement (Hoelscher-Obermaier et al. 2023).
    #[serde(rename = "counterfact+")]
    CounterFactPlus,
    /// As Meng et al. 2022 take it, with this program's own words instead of NLTK's.
    #[serde(rename = "rome-words")]
    RomeWords,
    /// EasyEdit: the share of an answer's tokens that are the most probable ones, teacher-forced.
    Easyedit,
    /// The whole answer by greedy decoding, nothing forced.
    Greedy,
}

impl Dialect {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rome => "rome",
            Self::CounterFactPlus => "counterfact+",
            Self::RomeWords => "rome, own words",
            Self::Easyedit => "easyedit",
            Self::Greedy => "greedy",
        }
    }
}

/// A measure of edits: a share, or a difference of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Efficacy score: on the prompt the new answer is the likelier.
    Es,
    /// Efficacy magnitude: on the prompt, `p(new) - p(true)`.
    Em,
    /// Paraphrase score.
    Ps,
    /// Paraphrase magnitude.
    Pm,
    /// Neighbourhood score: for a neighbour the true answer is the likelier.
    Ns,
    /// Neighbourhood magnitude: `p(true) - p(new)`.
    Nm,
    /// For a neighbour behind the edited statement the true answer is the likelier.
    NsPlus,
    /// Fluency: the entropy of words' pairs and triples in what the model writes about the subject, in bits ([`ngram_entropy`]).
    Ge,
    /// On the prompt, greedy decoding gives the whole new answer.
    Exact,
    /// The same on paraphrases.
    ExactParaphrase,
    /// On the prompt, the share of the new answer's tokens that are the most probable ones.
    Reliability,
    /// The same on paraphrases.
    Generalization,
    /// For neighbours, the share of the true answer's positions whose most probable token is the same before and after.
    Locality,
    /// On prompts whose answers follow from the new one, the share of their tokens that are the most probable ones.
    Portability,
}

impl Measure {
    /// All of them, dialect after dialect.
    pub const ALL: [Self; 14] = [
        Self::Es,
        Self::Em,
        Self::Ps,
        Self::Pm,
        Self::Ns,
        Self::Nm,
        Self::NsPlus,
        Self::Ge,
        Self::Exact,
        Self::ExactParaphrase,
        Self::Reliability,
        Self::Generalization,
        Self::Locality,
        Self::Portability,
    ];

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es => "ES",
            Self::Em => "EM",
            Self::Ps => "PS",
            Self::Pm => "PM",
            Self::Ns => "NS",
            Self::Nm => "NM",
            Self::NsPlus => "NS+",
            Self::Ge => "GE",
            Self::Exact => "exact match",
            Self::ExactParaphrase => "exact match, paraphrases",
            Self::Reliability => "reliability",
            Self::Generalization => "generalization",
            Self::Locality => "locality",
            Self::Portability => "portability",
        }
    }

    /// Whose it is.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Es | Self::Em | Self::Ps | Self::Pm | Self::Ns | Self::Nm => Dialect::Rome,
            Self::NsPlus => Dialect::CounterFactPlus,
            Self::Ge => Dialect::RomeWords,
            Self::Exact | Self::ExactParaphrase => Dialect::Greedy,
            Self::Reliability | Self::Generalization | Self::Locality | Self::Portability => Dialect::Easyedit,
        }
    }

    /// Its value for one edit, before (0) or after (1): over paraphrases and neighbours the mean; `None` where the edit has none
    /// of them, or its record comes from a program that did not measure it.
    pub fn of(self, edit: &EditRecord, at: usize) -> Option<f64> {
        let on_prompt = |value: &dyn Fn(&Answers) -> f64| edit.answers.as_ref().map(value);
        let over = |shifts: &[Shift], value: &dyn Fn(&Answers) -> f64| {
            Mean::of(shifts.iter().filter_map(|shift| shift.answers.as_ref()).map(value)).map(|mean| mean.mean)
        };
        let (paraphrases, neighbours) = (&edit.paraphrases, &edit.neighbourhood);
        let truth = |holds: bool| f64::from(u8::from(holds));
        // Not the platform's exp: tables of a record are the same bytes wherever they are made.
        let p = |nll: f32| libm::exp(-f64::from(nll));
        let newer = |answers: &Answers| truth(answers.nll_true[at] > answers.nll_new[at]);
        let older = |answers: &Answers| truth(answers.nll_true[at] < answers.nll_new[at]);
        let gain = |answers: &Answers| p(answers.nll_new[at]) - p(answers.nll_true[at]);
        let exact = |answers: &Answers| truth(answers.argmax_new[at] == answers.tokens[1]);
        let forced = |answers: &Answers| answers.argmax_new[at] as f64 / answers.tokens[1].max(1) as f64;
        let kept = |answers: &Answers| match at {
            0 => 1.0,
            _ => answers.kept as f64 / answers.tokens[0].max(1) as f64,
        };
        match self {
            Self::Es => on_prompt(&newer),
            Self::Em => on_prompt(&gain),
            Self::Ps => over(paraphrases, &newer),
            Self::Pm => over(paraphrases, &gain),
            Self::Ns => over(neighbours, &older),
            Self::Nm => over(neighbours, &|answers| -gain(answers)),
            Self::NsPlus => over(&edit.neighbourhood_plus, &older),
            Self::Ge => {
                let all = edit.generations.iter().filter_map(|one| ngram_entropy(&one.texts[at]));
                Mean::of(all).map(|mean| mean.mean)
            }
            Self::Exact => on_prompt(&exact),
            Self::ExactParaphrase => over(paraphrases, &exact),
            Self::Reliability => on_prompt(&forced),
            Self::Generalization => over(paraphrases, &forced),
            Self::Locality => over(neighbours, &kept),
            Self::Portability => {
                let all = edit.portability.iter().map(|one| one.argmax[at] as f64 / one.tokens.max(1) as f64);
                Mean::of(all).map(|mean| mean.mean)
            }
        }
    }
}

/// `‖ΔW‖ / ‖W‖` from which on an edit is called disabling. Edits that worked have had up to 1.5 (docs/RESULTS.md).
pub const DISABLING: f32 = 10.0;

/// What edits of one method did, over facts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Each measure before the edit and after it, over the edits that have it.
    pub measures: Vec<(Measure, [Option<Mean>; 2])>,
    /// `S`, the harmonic mean of the means of ES, PS and NS, before and after; without a standard error.
    pub harmonic: [Option<f64>; 2],
    /// Edits that took the old answer and did not bring the new one.
    pub silenced: Option<Share>,
    /// Edits that are ten times as large as the matrix that they change ([`DISABLING`]), of those whose size is known.
    pub disabling: Option<Share>,
    /// Edits that failed, of all.
    pub failed: Option<Share>,
    /// Median of `‖ΔW‖ / ‖W‖`.
    pub relative_norm: Option<f64>,
}

/// Scores of edits of one method; those that failed count as what they left: everything as it was.
pub fn scores<'a>(edits: impl IntoIterator<Item = &'a EditRecord>) -> Scores {
    let edits: Vec<&EditRecord> = edits.into_iter().collect();
    let over = |measure: Measure, at| Mean::of(edits.iter().filter_map(|edit| measure.of(edit, at)));
    let harmonic = |at| {
        let parts = [Measure::Es, Measure::Ps, Measure::Ns].map(|measure| over(measure, at).map(|mean| mean.mean));
        let [Some(es), Some(ps), Some(ns)] = parts else { return None };
        let all = [es, ps, ns];
        // With one of them at zero it is zero.
        Some(if all.contains(&0.0) { 0.0 } else { 3.0 / all.iter().map(|x| 1.0 / x).sum::<f64>() })
    };
    let of =
        |holds: &dyn Fn(&EditRecord) -> bool| Share::new(edits.iter().filter(|edit| holds(edit)).count(), edits.len());
    let mut norms: Vec<f32> = edits.iter().filter_map(|edit| edit.relative_norm).collect();
    norms.sort_by(f32::total_cmp);
    Scores {
        measures: Measure::ALL.map(|measure| (measure, [over(measure, 0), over(measure, 1)])).into(),
        harmonic: [harmonic(0), harmonic(1)],
        silenced: of(&|edit| judge(edit).verdict == Verdict::Silenced),
        disabling: Share::new(norms.iter().filter(|norm| **norm >= DISABLING).count(), norms.len()),
        failed: of(&|edit| edit.failed.is_some()),
        relative_norm: median(&norms),
    }
}

/// The middle of sorted numbers, or the mean of the two in the middle.
fn median(sorted: &[f32]) -> Option<f64> {
    let upper = f64::from(*sorted.get(sorted.len() / 2)?);
    let lower = f64::from(sorted[(sorted.len() - 1) / 2]);
    Some(f64::midpoint(lower, upper))
}

/// What the field's measures say of one edit, a line each; nothing of a record without whole answers.
pub fn lines(edit: &EditRecord) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = &edit.failed {
        lines.push(format!("no edit was made: {why}"));
    }
    if let Some(answers) = &edit.answers {
        let exact = answers.argmax_new[1] == answers.tokens[1];
        let says = if exact { "gives the whole new answer" } else { "does not give the whole new answer" };
        lines.push(format!("greedy decoding {says} ({} of {} tokens)", answers.argmax_new[1], answers.tokens[1]));
        let of = |shifts: &[Shift], right: fn(&Answers) -> bool| {
            let all: Vec<&Answers> = shifts.iter().filter_map(|shift| shift.answers.as_ref()).collect();
            format!("{} of {}", all.iter().filter(|answers| right(answers)).count(), all.len())
        };
        let newer: fn(&Answers) -> bool = |answers| answers.nll_true[1] > answers.nll_new[1];
        let older: fn(&Answers) -> bool = |answers| answers.nll_true[1] < answers.nll_new[1];
        let mut parts = vec![format!("ES {}", u8::from(newer(answers)))];
        if !edit.paraphrases.is_empty() {
            parts.push(format!("PS {}", of(&edit.paraphrases, newer)));
        }
        if !edit.neighbourhood.is_empty() {
            parts.push(format!("NS {}", of(&edit.neighbourhood, older)));
        }
        if !edit.neighbourhood_plus.is_empty() {
            parts.push(format!("NS+ {}", of(&edit.neighbourhood_plus, older)));
        }
        lines.push(format!("CounterFact (rome): {}", parts.join(", ")));
    }
    if let Some(norm) = edit.relative_norm {
        let large =
            if norm >= DISABLING { ": a disabling edit, ten times as large as the matrix that it changes" } else { "" };
        lines.push(format!("‖ΔW‖ / ‖W‖ is {norm:.3}{large}"));
    }
    lines
}

/// Half of a mean's 95 % interval over facts: 1.96 standard errors.
pub fn interval(mean: &Mean) -> Option<f64> {
    mean.sem.map(|sem| 1.96 * sem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ImpliedAnswer;

    fn answers(nll_true: [f32; 2], nll_new: [f32; 2]) -> Option<Answers> {
        let (argmax_true, argmax_new) = ([2, 1], [0, 3]);
        Some(Answers { nll_true, nll_new, argmax_true, argmax_new, tokens: [2, 3], kept: 1 })
    }

    fn shift(nll_true: [f32; 2], nll_new: [f32; 2]) -> Shift {
        let answers = answers(nll_true, nll_new);
        Shift { prompt: String::new(), p_true: [0.0; 2], p_false: [0.0; 2], answers }
    }

    #[test]
    fn measures_are_the_fields() {
        let edit = EditRecord {
            answers: answers([0.5, 2.0], [3.0, 0.25]),
            paraphrases: vec![shift([1.0, 2.0], [2.0, 1.0]), shift([1.0, 1.0], [2.0, 1.0])],
            neighbourhood: vec![shift([1.0, 1.0], [2.0, 3.0]), shift([1.0, 2.0], [2.0, 1.0])],
            ..EditRecord::default()
        };
        let value = |measure: Measure, at| measure.of(&edit, at).expect("it has everything");
        assert_eq!([value(Measure::Es, 0), value(Measure::Es, 1)], [0.0, 1.0]);
        assert_eq!([value(Measure::Ps, 0), value(Measure::Ps, 1)], [0.0, 0.5], "equal ones do not count");
        assert_eq!([value(Measure::Ns, 0), value(Measure::Ns, 1)], [1.0, 0.5]);
        assert!((value(Measure::Em, 1) - ((-0.25f64).exp() - (-2.0f64).exp())).abs() < 1e-12);
        let nm = ((-1.0f64).exp() - (-3.0f64).exp() + (-2.0f64).exp() - (-1.0f64).exp()) / 2.0;
        assert!((value(Measure::Nm, 1) - nm).abs() < 1e-12);
        assert_eq!([value(Measure::Exact, 0), value(Measure::Exact, 1)], [0.0, 1.0]);
        assert_eq!([value(Measure::Reliability, 0), value(Measure::Locality, 1)], [0.0, 0.5]);
        let implied = |argmax| ImpliedAnswer { prompt: String::new(), answer: String::new(), argmax, tokens: 2 };
        let follows = EditRecord { portability: vec![implied([0, 2]), implied([1, 1])], ..EditRecord::default() };
        assert_eq!([0, 1].map(|at| Measure::Portability.of(&follows, at)), [Some(0.25), Some(0.75)]);
        let found = scores([&edit]);
        assert_eq!(found.harmonic[0], Some(0.0));
        assert!((found.harmonic[1].expect("S") - 3.0 / (1.0 + 2.0 + 2.0)).abs() < 1e-12);
        assert_eq!(Measure::Es.of(&EditRecord::default(), 1), None, "an old record has no whole answers");
    }

    #[test]
    fn large_edits_and_failed_ones_are_counted() {
        let edit = |norm: Option<f32>, failed: bool| EditRecord {
            relative_norm: norm,
            failed: failed.then(|| "why".into()),
            ..EditRecord::default()
        };
        let edits = [edit(Some(0.1), false), edit(Some(30.0), false), edit(None, true), edit(Some(0.2), false)];
        let found = scores(&edits);
        assert_eq!(found.disabling.map(|share| (share.count, share.of)), Some((1, 3)));
        assert_eq!(found.failed.map(|share| (share.count, share.of)), Some((1, 4)));
        assert_eq!(found.relative_norm, Some(f64::from(0.2f32)));
        assert_eq!(interval(&Mean { mean: 0.5, sem: Some(0.1), n: 3 }), Some(0.196));
    }
}
