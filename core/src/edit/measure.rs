//! What edits do: to their own prompts, paraphrases and neighbours, and to unrelated facts. Every edit is an overlay of
//! single runs, so many are measured together and the model is never changed.

use super::editor::{EditBatch, EditTarget, Evidence, Solved};
use super::fluency::generations;
use super::probes::{Probe, Probes, Score, Whole};
use crate::error::{Error, Result};
use crate::facts::Implied;
use crate::record::{Answers, EditRecord, ImpliedAnswer, Settings, Shift, Unrelated};
use crate::run::Sites;
use crate::tensor::Overlay;

/// An edit, measured.
#[derive(Debug, Clone)]
pub struct MeasuredEdit {
    /// Its record.
    pub record: EditRecord,
    /// The change of the weights.
    pub overlay: Overlay,
}

/// One target's edit: what is watched around it.
struct Watched<'a> {
    target: &'a EditTarget<'a>,
    evidence: &'a Evidence,
    solved: &'a Solved,
    /// The fact itself, its paraphrases, its neighbours twice, what follows from it, the unrelated facts.
    probes: Vec<Probe>,
    paraphrases: Vec<String>,
    neighbourhood: Vec<String>,
    /// The neighbours once more, behind the edited statement.
    plus: Vec<String>,
    /// Those whose answers follow.
    portability: Vec<Implied>,
    unrelated: Vec<usize>,
}

/// Share of the memory for activations that the captured prompts of a group of edits may take.
const KEPT: u64 = 8;

/// Measures edits of a batch, made by the settings' method of that place, and gives each to `done`, in their order; its error stops the work. Edits are measured in
/// groups: a prompt that several of a group watch is computed once.
///
/// # Errors
/// When a prompt does not fit the model, `done` stops the work, or the device fails.
pub async fn measure(
    batch: &EditBatch<'_>,
    (method, solved): (usize, &[Solved]),
    settings: &Settings,
    done: &mut dyn FnMut(MeasuredEdit) -> Result<()>,
) -> Result<()> {
    let all: Vec<(&Solved, usize)> =
        solved.iter().flat_map(|one| (0..one.targets.len()).map(move |i| (one, i))).collect();
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let mut probes = Probes::new(batch, settings.answer);
        let mut watched = Vec::new();
        for &(one, i) in rest {
            let target = &batch.targets[one.targets[i]];
            watched.push(watch(&mut probes, target, &one.evidence[i], one)?);
            let overlays = watched.iter().map(|watched: &Watched<'_>| &watched.solved.overlay);
            let row = Sites::for_overlays(&batch.model.net, overlays).row_bytes(&batch.model.net);
            // A device computes a capture in one piece.
            let most = if batch.model.compute.is_cpu() { usize::MAX } else { batch.model.plan.rows };
            let bytes = row.saturating_mul(probes.rows() as u64);
            if bytes > batch.model.plan.bytes / KEPT || probes.rows() > most {
                break;
            }
        }
        rest = &rest[watched.len()..];
        let (overlays, of) = distinct(&watched);
        let captured = probes.capture(&overlays).await?;
        let lists: Vec<&[Probe]> = watched.iter().map(|watched| watched.probes.as_slice()).collect();
        let before = captured.before(&lists).await?;
        // As many at a time as one batch has room for, so that finished ones are kept while others are computed.
        let mut start = 0;
        while start < watched.len() {
            let mut rows = 0;
            let fits = watched[start..].iter().take_while(|watched| {
                rows += watched.probes.iter().map(|probe| probe.rows).sum::<usize>();
                rows <= batch.model.plan.rows
            });
            let end = start + fits.count().max(1);
            // An edit that failed changes nothing, and its run would have nothing to go on from.
            let made = |at: &usize| !watched[*at].solved.overlay.terms.is_empty();
            let asked: Vec<(usize, &[Probe])> = (start..end).filter(made).map(|at| (of[at], lists[at])).collect();
            let mut found = captured.after(&overlays, &asked).await?.into_iter();
            let one = |at: usize| if made(&at) { found.next() } else { Some(before[at].clone()) };
            let after: Vec<Vec<Score>> = (start..end).filter_map(one).collect();
            for ((watched, before), after) in watched[start..end].iter().zip(&before[start..end]).zip(&after) {
                let generations = generations(batch, watched.target, &watched.solved.overlay, settings).await?;
                done(MeasuredEdit {
                    record: EditRecord { generations, ..watched.record(method, before, after) },
                    overlay: watched.solved.overlay.clone(),
                })?;
            }
            start = end;
        }
    }
    Ok(())
}

/// The overlays once each, and each target's place among them: targets that were edited together share one.
fn distinct(watched: &[Watched<'_>]) -> (Vec<Overlay>, Vec<usize>) {
    let (mut overlays, mut of) = (Vec::new(), Vec::with_capacity(watched.len()));
    for (at, one) in watched.iter().enumerate() {
        if at == 0 || !std::ptr::eq(watched[at - 1].solved, one.solved) {
            overlays.push(one.solved.overlay.clone());
        }
        of.push(overlays.len() - 1);
    }
    (overlays, of)
}

fn watch<'a>(
    probes: &mut Probes<'_>,
    target: &'a EditTarget<'a>,
    evidence: &'a Evidence,
    solved: &'a Solved,
) -> Result<Watched<'a>> {
    let EditTarget { fact, tokens, .. } = target;
    let missing = || Error::input(format!("\"{}\" is too long", fact.prompt())).hint("shorten the prompt");
    let own = probes.add_ids(&tokens.clean, [&tokens.answer, &tokens.answer_new]).ok_or_else(missing)?;
    let mut all = vec![own];
    let answers = [fact.target_true.as_str(), fact.target_new.as_str()];
    let mut texts = |prompts: &[String]| -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for text in prompts {
            if let Some(probe) = probes.add(text, answers)? {
                all.push(probe);
                kept.push(text.clone());
            }
        }
        Ok(kept)
    };
    let (paraphrases, neighbourhood) = (texts(&fact.paraphrases)?, texts(&fact.neighbourhood)?);
    // CounterFact+ (Hoelscher-Obermaier et al. 2023).
    let behind = |prompt: &String| format!("{} {}. {prompt}", fact.prompt(), fact.target_new.trim());
    let plus = texts(&neighbourhood.iter().map(behind).collect::<Vec<_>>())?;
    let mut portability = Vec::new();
    for implied in &fact.portability {
        if let Some(probe) = probes.add(&implied.prompt, [&implied.answer; 2])? {
            all.push(probe);
            portability.push(implied.clone());
        }
    }
    let mut unrelated = Vec::new();
    for (order, other) in &target.unrelated {
        if let Some(probe) = probes.add(&other.prompt(), [&other.target_true, &other.target_new])? {
            all.push(probe);
            unrelated.push(*order);
        }
    }
    Ok(Watched { target, evidence, solved, probes: all, paraphrases, neighbourhood, plus, portability, unrelated })
}

/// Both whole answers before and after.
fn answers(before: &Score, after: &Score) -> Option<Answers> {
    let ([yes, no], [yes_after, no_after]) = (before.whole.as_ref()?, after.whole.as_ref()?);
    let both = |value: fn(&Whole) -> f32, one: &Whole, two: &Whole| [value(one), value(two)];
    Some(Answers {
        nll_true: both(|whole| whole.nll, yes, yes_after),
        nll_new: both(|whole| whole.nll, no, no_after),
        argmax_true: [yes.argmax, yes_after.argmax],
        argmax_new: [no.argmax, no_after.argmax],
        tokens: [yes.tops.len(), no.tops.len()],
        kept: yes.tops.iter().zip(&yes_after.tops).filter(|(before, after)| before == after).count(),
    })
}

impl Watched<'_> {
    fn record(&self, method: usize, before: &[Score], after: &[Score]) -> EditRecord {
        let Self { target, evidence, .. } = self;
        let mut scores = before.iter().zip(after);
        let (own, own_after) = scores.next().expect("the fact itself is watched");
        let shift = |prompt: &String, (before, after): (&Score, &Score)| Shift {
            prompt: prompt.clone(),
            p_true: [before.p[0], after.p[0]],
            p_false: [before.p[1], after.p[1]],
            answers: answers(before, after),
        };
        let mut shifts = |prompts: &[String]| -> Vec<Shift> {
            prompts.iter().zip(&mut scores).map(|(prompt, scores)| shift(prompt, scores)).collect()
        };
        let (paraphrases, neighbourhood) = (shifts(&self.paraphrases), shifts(&self.neighbourhood));
        let neighbourhood_plus = shifts(&self.plus);
        let implied = |(Implied { prompt, answer }, (before, after)): (&Implied, (&Score, &Score))| {
            let [before, after] = [before, after].map(|score| score.whole.as_ref().map(|[whole, _]| whole));
            let (before, after) = (before?, after?);
            let argmax = [before.argmax, after.argmax];
            Some(ImpliedAnswer { prompt: prompt.clone(), answer: answer.clone(), argmax, tokens: before.tops.len() })
        };
        let portability: Vec<Option<ImpliedAnswer>> = self.portability.iter().zip(&mut scores).map(implied).collect();
        let unrelated = self.unrelated.iter().zip(scores).map(|(&fact, (before, after))| Unrelated {
            fact,
            p_true: [before.p[0], after.p[0]],
            flipped: before.top != after.top,
        });
        EditRecord {
            fact: target.order,
            layer: target.layer,
            seed: evidence.seed,
            p_true: own.p[0],
            p_false: own.p[1],
            p_true_after: own_after.p[0],
            p_false_after: own_after.p[1],
            loss: evidence.loss.clone(),
            relative_change: evidence.relative_change,
            residual: evidence.residual,
            // No weight was changed.
            restored: true,
            paraphrases,
            neighbourhood,
            neighbourhood_plus,
            generations: Vec::new(),
            target_new_id: target.fact.target_new_id.clone(),
            portability: portability.into_iter().flatten().collect(),
            unrelated: unrelated.collect(),
            method,
            answers: answers(own, own_after),
            relative_norm: evidence.failed.is_none().then_some(evidence.relative_norm),
            search: evidence.search.clone(),
            without_losses: false,
            retrace: None,
            failed: evidence.failed.clone(),
        }
    }
}
