//! Predictions: logits of the wanted rows, reduced to the wanted tokens before they leave the device.

use super::check::{self, Scope};
use super::schedule::Schedule;
use super::{ActivationCache, Edited, PatchedRun, Read, Readout, Sites};
use crate::error::{Error, Kind, Result};
use crate::model::{Site, Transformer};
use crate::tensor::{Matrix, Rows};

/// Rows that go through the head at a time on the CPU.
const HEAD_ROWS: usize = 64;

impl Edited<'_> {
    /// Predictions of captured prompts themselves: `(prompt, read)`.
    ///
    /// # Errors
    /// When a read lies outside its prompt, a number is none, or the device fails.
    pub async fn read(self, cache: &ActivationCache, reads: &[(usize, Read)]) -> Result<Vec<Readout>> {
        let constants = Matrix::default();
        let scope = Scope { net: self.net, cache: Some(cache), constants: &constants, overlays: &[] };
        for (prompt, read) in reads {
            scope.read(read, check::tokens(cache, *prompt)?)?;
        }
        let rows: Vec<u32> = reads.iter().map(|(prompt, read)| cache.row(*prompt, read.position)).collect();
        let asked: Vec<&[u32]> = reads.iter().map(|(_, read)| read.tokens.as_slice()).collect();
        match of(self, &cache.gather_end(&rows), &asked, false).await {
            Err(error) if error.kind == Kind::Numeric => {
                self.locate(cache, reads).await?;
                Err(error)
            }
            other => other,
        }
    }

    /// What the head reads from a captured position's residual stream after each block (logit lens), with ranks.
    ///
    /// # Errors
    /// When the stream was not captured there, a number is none, or the device fails.
    pub async fn lens(
        self,
        cache: &ActivationCache,
        prompt: usize,
        position: usize,
        tokens: &[u32],
    ) -> Result<Vec<Readout>> {
        let layers = self.net.shape.layers;
        if !(1..=layers).all(|layer| cache.has(layer, Site::Residual)) {
            return Err(only_predicted());
        }
        let row = cache.row(prompt, position);
        let rows = (1..=layers).map(|layer| ((layer, Site::Residual), row)).collect::<Vec<_>>();
        let rows = cache.rows_of(&rows)?;
        of(self, &rows, &vec![tokens; layers], true).await
    }

    /// All logits that the head reads from a captured position's residual stream after a block: `[vocab]`.
    ///
    /// # Errors
    /// When the stream was not captured there, or the device fails.
    pub async fn lens_logits(
        self,
        cache: &ActivationCache,
        prompt: usize,
        position: usize,
        layer: usize,
    ) -> Result<Vec<f32>> {
        self.net.logits(&stream(cache, prompt, position, layer)?).values().await
    }

    /// All logits of a captured position: `[vocab]`.
    ///
    /// # Errors
    /// When there is no such position, or the device fails.
    pub async fn logits(self, cache: &ActivationCache, prompt: usize, position: usize) -> Result<Vec<f32>> {
        let constants = Matrix::default();
        let scope = Scope { net: self.net, cache: Some(cache), constants: &constants, overlays: &[] };
        scope.read(&Read { position, tokens: Vec::new() }, check::tokens(cache, prompt)?)?;
        let row = cache.gather_end(&[cache.row(prompt, position)]);
        self.net.logits(&row).values().await
    }

    /// The error that names the layer and site of the first number that is none. A cache that kept less than
    /// every layer's stream has nothing to look at, so its prompts run once more.
    async fn locate(self, cache: &ActivationCache, reads: &[(usize, Read)]) -> Result<()> {
        if (0..=self.net.shape.layers).all(|layer| cache.has(layer, Site::Residual)) {
            return cache.check_finite().await;
        }
        for &(prompt, _) in reads {
            let kept = &cache.prompts[prompt];
            let again = super::Prompt { ids: kept.ids.clone(), interventions: kept.interventions.clone() };
            let again = self.capture(&[again], &cache.constants, &Sites::to_resume()).await?;
            again.check_finite().await?;
        }
        Ok(())
    }
}

fn only_predicted() -> Error {
    Error::input("the run was only predicted").hint("capture it to be resumed")
}

/// A captured position's residual stream after a block.
fn stream(cache: &ActivationCache, prompt: usize, position: usize, layer: usize) -> Result<Rows> {
    if !cache.has(layer, Site::Residual) {
        return Err(only_predicted());
    }
    Ok(cache.gather(layer, Site::Residual, &[cache.row(prompt, position)]))
}

/// Rows, each with the tokens that are asked of it.
type Asked<'a> = Vec<(u32, &'a [u32])>;

/// What is asked of the rows that a group reads, in their order; and for each run, how many of these are its own.
pub(super) fn asked<'a>(schedule: &Schedule, runs: &'a [PatchedRun]) -> (Asked<'a>, Vec<(usize, usize)>) {
    let (mut asked, mut order) = (Vec::new(), Vec::new());
    let rows = schedule.read_rows(schedule.rows.len());
    let shown = |row: u32| rows.binary_search(&row).expect("a row that is read goes on") as u32;
    for run in &schedule.runs {
        let reads = &runs[run.at].reads;
        for read in reads {
            let row = run.live[read.position].expect("a position that is read has a row");
            asked.push((shown(row), read.tokens.as_slice()));
        }
        order.push((run.at, reads.len()));
    }
    (asked, order)
}

/// Readouts run by run.
pub(super) fn by_run(readouts: Vec<Readout>, order: Vec<(usize, usize)>) -> Vec<(usize, Vec<Readout>)> {
    let mut readouts = readouts.into_iter();
    order.into_iter().map(|(at, count)| (at, readouts.by_ref().take(count).collect())).collect()
}

/// Rows of the stream, each with the tokens that are asked of it; on the host.
pub(super) fn on_host(net: &Transformer, x: &Rows, asked: &[(u32, &[u32])], ranks: bool) -> Result<Vec<Readout>> {
    let mut out = Vec::with_capacity(asked.len());
    for chunk in asked.chunks(HEAD_ROWS) {
        let rows: Vec<u32> = chunk.iter().map(|&(row, _)| row).collect();
        let tokens: Vec<&[u32]> = chunk.iter().map(|&(_, tokens)| tokens).collect();
        out.extend(net.read(&x.gather(&rows), &tokens, ranks));
    }
    finite(out)
}

/// The same, one row for each, wherever it is.
pub(super) async fn of<'t, A: Asks<'t>>(
    edited: Edited<'_>,
    x: &Rows,
    asked: &[A],
    ranks: bool,
) -> Result<Vec<Readout>> {
    let asked: Vec<(u32, &[u32])> = asked.iter().enumerate().map(|(at, one)| one.asks(at as u32)).collect();
    if x.device().is_none() {
        #[cfg(not(target_family = "wasm"))]
        {
            let chunks: Vec<&[(u32, &[u32])]> = asked.chunks(HEAD_ROWS).collect();
            let read = |chunk: &&[(u32, &[u32])]| on_host(edited.net, x, chunk, ranks);
            return Ok(super::waves(&chunks, read).await?.concat());
        }
        #[cfg(target_family = "wasm")]
        {
            let mut out = Vec::with_capacity(asked.len());
            for chunk in asked.chunks(HEAD_ROWS) {
                crate::pause::point().await?;
                out.extend(on_host(edited.net, x, chunk, ranks)?);
            }
            return Ok(out);
        }
    }
    let mut out = Vec::with_capacity(asked.len());
    for chunk in asked.chunks(edited.plan.head_rows.max(1)) {
        crate::pause::point().await?;
        let rows: Vec<u32> = chunk.iter().map(|&(row, _)| row).collect();
        let tokens: Vec<&[u32]> = chunk.iter().map(|&(_, tokens)| tokens).collect();
        let stream = x.gather(&rows);
        let logits = edited.net.logits(&stream);
        match ranks {
            true => out.extend(whole(&logits.values().await?, &tokens)),
            false => out.extend(reduce(&logits, &stream, &tokens).await?),
        }
    }
    finite(out)
}

/// A row and the tokens that are asked of it.
pub(super) trait Asks<'t> {
    /// `at` is the place in the list.
    fn asks(&self, at: u32) -> (u32, &'t [u32]);
}

impl<'t> Asks<'t> for &'t [u32] {
    fn asks(&self, at: u32) -> (u32, &'t [u32]) {
        (at, self)
    }
}

impl<'t> Asks<'t> for (u32, &'t [u32]) {
    fn asks(&self, _: u32) -> (u32, &'t [u32]) {
        *self
    }
}

/// Refuses numbers that are none; the sum under a softmax tells even where no token was asked for.
fn finite(readouts: Vec<(Readout, f32)>) -> Result<Vec<Readout>> {
    match readouts.iter().any(|(readout, sum)| readout.p.iter().chain([sum]).any(|x| !x.is_finite())) {
        true => Err(Error::numeric("a prediction is not a finite number")
            .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
            .in_page(crate::device::WRONG_NUMBERS)),
        false => Ok(readouts.into_iter().map(|(readout, _)| readout).collect()),
    }
}

/// On a device.
async fn reduce(logits: &Rows, stream: &Rows, tokens: &[&[u32]]) -> Result<Vec<(Readout, f32)>> {
    let k = tokens.iter().map(|tokens| tokens.len()).max().unwrap_or(0).max(1);
    let read = logits.readout(stream, tokens, k).values().await?;
    let one = |(row, tokens): (&[f32], &&[u32])| {
        let (p, logits) = (row[..tokens.len()].to_vec(), row[k..][..tokens.len()].to_vec());
        (Readout { p, logits, rank: Vec::new(), top: row[2 * k + 1] as u32 }, row[2 * k])
    };
    Ok(read.chunks_exact(2 * k + 2).zip(tokens).map(one).collect())
}

/// Readouts with ranks, of whole logits.
fn whole(logits: &[f32], tokens: &[&[u32]]) -> Vec<(Readout, f32)> {
    let vocab = logits.len() / tokens.len().max(1);
    let one = |(row, tokens): (&[f32], &&[u32])| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, |max, x| if x <= max { max } else { x });
        let sum: f64 = row.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        let rank = |token: usize| {
            let above = |&(at, &logit): &(usize, &f32)| logit > row[token] || (logit == row[token] && at < token);
            row.iter().enumerate().filter(above).count() as u32 + 1
        };
        let logits: Vec<f32> = tokens.iter().map(|&token| row[token as usize]).collect();
        let readout = Readout {
            p: logits.iter().map(|&logit| (f64::from(logit - max).exp() / sum) as f32).collect(),
            rank: tokens.iter().map(|&token| rank(token as usize)).collect(),
            top: row.iter().position(|&x| x == max).unwrap_or(0) as u32,
            logits,
        };
        (readout, sum as f32)
    };
    logits.chunks_exact(vocab).zip(tokens).map(one).collect()
}
