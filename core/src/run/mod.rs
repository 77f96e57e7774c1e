//! The run engine: capture prompts, change their activations at named sites, resume them. This is the only place where
//! activations are read or changed.
//!
//! A change after block `l` at position `i` leaves blocks `<= l` and positions `< i` as they were. So an
//! [`ActivationCache`] keeps what was computed of prompts, and a [`PatchedRun`] (one changed copy of one of them) computes
//! only what its changes can reach. Runs of many facts, layers and positions go through the blocks together, as packed
//! rows that enter where they begin to differ ([`schedule`] plans it, [`pass`] does it). On the CPU each pass is one
//! thread's; no number depends on how rows are divided.

mod back;
mod cache;
mod change;
mod check;
pub mod counts;
mod finite;
mod gradient;
mod intervention;
mod metric;
mod pass;
mod plan;
mod readout;
mod schedule;
mod tables;

pub use crate::tensor::vocabulary::Readout;
pub use cache::{ActivationCache, Sites};
pub use gradient::{Gradient, Label, Wanted};
pub use intervention::{Change, Columns, Intervention, PatchedRun, Prompt, Read, Source};
pub use metric::{Metric, Weighted};
pub use plan::{Plan, with_halving};

use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::model::Transformer;
use crate::tensor::{Matrix, Overlay, Rows};
use burn::Device;
use check::Scope;
use pass::{Ground, Pass, Passed};
use schedule::Schedule;

/// A model with edits in force, ready to run.
#[derive(Clone, Copy)]
pub struct Edited<'a> {
    /// The model.
    pub net: &'a Transformer,
    /// Where it computes; the host where there is none.
    pub device: Option<&'a Device>,
    /// How much at a time.
    pub plan: Plan,
    /// The edits that every run carries.
    pub overlays: &'a [Overlay],
}

/// Patched runs, and what they refer to.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The runs.
    pub runs: &'a [PatchedRun],
    /// Rows of [`Source::Constant`].
    pub constants: &'a Matrix,
    /// Edits that single runs carry.
    pub overlays: &'a [Overlay],
}

impl<'a> Request<'a> {
    /// Runs without constants and edits of their own.
    pub fn of(runs: &'a [PatchedRun]) -> Self {
        const NONE: &Matrix = &Matrix { values: Vec::new(), width: 0 };
        Self { runs, constants: NONE, overlays: &[] }
    }
}

impl<'a> Edited<'a> {
    /// Runs prompts from the embedding on and keeps what `keep` names; `constants` are the rows of their changes.
    ///
    /// # Errors
    /// When a prompt cannot be run, memory is short, or the work was cancelled.
    pub async fn capture(self, prompts: &[Prompt], constants: &Matrix, keep: &Sites) -> Result<ActivationCache> {
        if prompts.is_empty() {
            return Err(Error::input("no prompts to run").hint("give at least one"));
        }
        let scope = Scope { net: self.net, cache: None, constants, overlays: &[] };
        prompts.iter().try_for_each(|prompt| scope.prompt(prompt))?;
        counts::prompts(prompts);
        self.overlays.iter().try_for_each(|overlay| scope.overlay(overlay))?;
        let all: usize = prompts.iter().map(|prompt| prompt.ids.len()).sum();
        // On a device a cache is one chunk, and what is kept of it in one place.
        let most = if self.device.is_none() { self.plan.pass_rows(all) } else { usize::MAX };
        let schedules = schedule::captures(&scope, prompts, most, true);
        let rows: usize = schedules.iter().map(|schedule| schedule.rows.len()).sum();
        if self.device.is_none() {
            let kept = keep.numbers(self.net.shape.layers, |layer, site| scope.width(layer, site)) as u64;
            let peak = self.net.shape.row_bytes().saturating_mul(rows.min(most.saturating_mul(plan::threads())) as u64);
            let bytes = (4 * kept).saturating_mul(rows as u64).saturating_add(peak);
            memory::reserve_batch(bytes, &format!("computing {rows} tokens at once"))?;
        }
        let ground = Ground { edited: self, cache: None, constants, overlays: &[], keep };
        let passed =
            self.passes(&schedules, |schedule| Pass::new(ground, schedule, Some(&schedule.ids(prompts)))).await?;
        let mut cache = ActivationCache {
            constants: constants.clone(),
            sites: keep.clone(),
            overlays: self.overlays.to_vec(),
            ..ActivationCache::default()
        };
        for (chunk, (schedule, passed)) in schedules.iter().zip(passed).enumerate() {
            cache.add(chunk, schedule, prompts, passed);
        }
        Ok(cache)
    }

    /// Computes more tokens behind a captured prompt, and keeps of them what was kept of it; what is there is not computed
    /// again.
    ///
    /// # Errors
    /// When the prompt's keys were not captured ([`Sites::to_extend`]) or it is changed, the tokens do not fit the model, or
    /// the work was cancelled.
    pub async fn extend(self, cache: &mut ActivationCache, prompt: usize, ids: &[u32]) -> Result<()> {
        let kept = check::kept(cache, prompt)?;
        if !cache.keeps_attention(1) || !kept.interventions.is_empty() || cache.overlays != self.overlays {
            return Err(Error::input(
                "nothing can be put behind a prompt that is changed, or whose keys were not kept",
            )
            .hint("capture the plain prompt to be extended, with the same edits in force"));
        }
        let constants = Matrix::default();
        let scope = Scope { net: self.net, cache: None, constants: &constants, overlays: &[] };
        scope.prompt(&Prompt { ids: [&kept.ids, ids].concat(), interventions: Vec::new() })?;
        if ids.is_empty() {
            return Ok(());
        }
        let keep = cache.sites.clone();
        let schedule = schedule::extend(self.net.shape.layers, cache, prompt, ids.len());
        let ground = Ground { edited: self, cache: Some(cache), constants: &constants, overlays: &[], keep: &keep };
        let mut pass = Pass::new(ground, &schedule, Some(ids));
        stepping(|| pass.step()).await?;
        let passed = pass.finish();
        cache.grow(prompt, ids, passed);
        Ok(())
    }

    /// Runs patched runs and reads their predictions, in the order of the request and of each run's reads.
    ///
    /// # Errors
    /// When a run refers to what is not there, memory is short, a number is none, or the work was cancelled.
    pub async fn resume(self, cache: &ActivationCache, request: &Request<'_>) -> Result<Vec<Vec<Readout>>> {
        let &Request { runs, constants, overlays } = request;
        let scope = self.resumable(cache, request)?;
        let (all, _) = schedule::rows(&scope, request);
        let most = self.plan.pass_rows(all);
        let schedules = schedule::resumes(&scope, request, most);
        counts::passes(&schedules);
        if self.plan.cpu {
            let rows = all.min(most.saturating_mul(plan::threads()));
            let bytes = self.net.shape.row_bytes().saturating_mul(rows as u64);
            memory::reserve_batch(bytes, &format!("computing {rows} rows at once"))?;
        }
        let keep = Sites::end();
        let ground = Ground { edited: self, cache: Some(cache), constants, overlays, keep: &keep };
        let readouts = self.read_passes(&schedules, ground, runs).await;
        let readouts = match readouts {
            Err(error) if error.kind == Kind::Numeric => {
                cache.check_finite().await?;
                return Err(error);
            }
            other => other?,
        };
        let mut out: Vec<Vec<Readout>> = vec![Vec::new(); runs.len()];
        for (at, readouts) in readouts.into_iter().flatten() {
            out[at] = readouts;
        }
        Ok(out)
    }

    /// What a request may refer to, when all of it is there.
    fn resumable<'s>(self, cache: &'s ActivationCache, request: &Request<'s>) -> Result<Scope<'s>>
    where
        'a: 's,
    {
        let &Request { runs, constants, overlays } = request;
        if cache.overlays != self.overlays {
            return Err(Error::input("the prompts were captured with other edits in force").hint("capture them again"));
        }
        let scope = Scope { net: self.net, cache: Some(cache), constants, overlays };
        (0..runs.len()).try_for_each(|at| scope.run(runs, at))?;
        overlays.iter().try_for_each(|overlay| scope.overlay(overlay))?;
        match schedule::lacks(&scope, request) {
            None => Ok(scope),
            Some(what) => Err(Error::input(format!("a run needs what was not captured: {what}"))
                .hint("capture the prompts to be resumed")),
        }
    }

    /// All schedules' passes, in their order.
    async fn passes<'s>(
        self,
        schedules: &'s [Schedule],
        begin: impl Fn(&'s Schedule) -> Pass<'s> + Sync,
    ) -> Result<Vec<Passed>>
    where
        'a: 's,
    {
        #[cfg(not(target_family = "wasm"))]
        if self.device.is_none() {
            let run = |schedule| {
                let mut pass = begin(schedule);
                while pass.step() {}
                Ok(pass.finish())
            };
            return waves(schedules, run).await;
        }
        let mut out = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            let mut pass = begin(schedule);
            stepping(|| pass.step()).await?;
            out.push(pass.finish());
        }
        Ok(out)
    }

    /// All schedules' passes, and what their runs read.
    async fn read_passes(
        self,
        schedules: &[Schedule],
        ground: Ground<'_>,
        runs: &[PatchedRun],
    ) -> Result<Vec<Vec<(usize, Vec<Readout>)>>> {
        #[cfg(not(target_family = "wasm"))]
        if self.device.is_none() {
            let run = |schedule| {
                let mut pass = Pass::new(ground, schedule, None);
                while pass.step() {}
                let (asked, order) = readout::asked(schedule, runs);
                let readouts = readout::on_host(self.net, &pass.finish().end, &asked, false)?;
                Ok(readout::by_run(readouts, order))
            };
            return waves(schedules, run).await;
        }
        let mut out = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            let mut pass = Pass::new(ground, schedule, None);
            stepping(|| pass.step()).await?;
            let (asked, order) = readout::asked(schedule, runs);
            let readouts = readout::of(self, &pass.finish().end, &asked, false).await?;
            out.push(readout::by_run(readouts, order));
        }
        Ok(out)
    }
}

/// Takes steps until there are none, and gives way before each.
async fn stepping(mut step: impl FnMut() -> bool) -> Result<()> {
    loop {
        crate::pause::point().await?;
        if !step() {
            return Ok(());
        }
    }
}

/// Works on all items on all threads, a few at a time, so that the work can be cancelled in between.
#[cfg(not(target_family = "wasm"))]
async fn waves<'s, I: Sync, T: Send>(items: &'s [I], work: impl Fn(&'s I) -> Result<T> + Sync) -> Result<Vec<T>> {
    use rayon::prelude::*;
    let mut out = Vec::with_capacity(items.len());
    for wave in items.chunks(4 * plan::threads()) {
        crate::pause::point().await?;
        let done: Result<Vec<T>> = wave.par_iter().map(&work).collect();
        out.extend(done?);
    }
    Ok(out)
}

impl ActivationCache {
    /// Puts rows behind a prompt's. On a device a cache stays one chunk.
    fn grow(&mut self, prompt: usize, ids: &[u32], passed: Passed) {
        let (first, chunk) = (self.places.len() as u32, self.end.len() as u32);
        let joins = self.end.iter().any(|rows| rows.device().is_some());
        let place = |row: u32| if joins { (0, first + row) } else { (chunk, row) };
        self.places.extend((0..ids.len() as u32).map(place));
        let kept = &mut self.prompts[prompt];
        kept.ids.extend(ids);
        kept.rows.extend((0..ids.len() as u32).map(|row| first + row));
        let put = |chunks: &mut Vec<Rows>, rows: Rows| match chunks.pop() {
            Some(old) if joins => chunks.push(old.join(rows)),
            old => chunks.extend(old.into_iter().chain([rows])),
        };
        for (place, rows) in passed.kept {
            put(self.kept.entry(place).or_default(), rows);
        }
        for (layer, [keys, values]) in passed.attention {
            let kept = self.attention.entry(layer).or_default();
            put(&mut kept[0], keys);
            put(&mut kept[1], values);
        }
        put(&mut self.end, passed.end);
    }

    /// Adds a pass' prompts and what was kept of them.
    fn add(&mut self, chunk: usize, schedule: &Schedule, prompts: &[Prompt], passed: Passed) {
        let first = self.places.len() as u32;
        self.places.extend((0..schedule.rows.len() as u32).map(|row| (chunk as u32, row)));
        for run in &schedule.runs {
            let Prompt { ids, interventions } = prompts[run.at].clone();
            let rows = run.live.iter().map(|row| first + row.expect("every position of a prompt has a row")).collect();
            self.prompts.push(cache::Kept { ids, rows, interventions });
        }
        for (place, rows) in passed.kept {
            self.kept.entry(place).or_default().push(rows);
        }
        for (layer, [keys, values]) in passed.attention {
            let kept = self.attention.entry(layer).or_default();
            kept[0].push(keys);
            kept[1].push(values);
        }
        self.end.push(passed.end);
    }
}
