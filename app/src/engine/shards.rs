//! Shards of a study: a plan's file and folder, the segments in it, the record that they make.

use super::load::load;
use super::stats::{attach, kept_in};
use super::study::{file_name, read_facts};
use super::{Planned, ShardState, ShareState, Studied};
use crate::bundled;
use crate::progress::{self, Progress};
use crate::wanted::{Facts, Model, Source};
use anyhow::Result;
use engram_core::device::DeviceChoice;
use engram_core::journal;
use engram_core::record::Settings;
use engram_core::study::shards::{
    Header, Known, Missing, Plan, PlannedModel, Segment, Shard, Share, Told, plan as plan_of, work,
};
use engram_core::{Error, Kind};
use pollster::block_on;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether files of others have come.
const LOOK: Duration = Duration::from_secs(1);

/// See [`super::plan`].
pub(super) fn plan(
    wanted: &Model,
    facts: &Facts,
    settings: &Settings,
    path: &Path,
    progress: &Progress,
) -> Result<Planned> {
    let read = read_facts(facts, progress)?;
    let bytes = match facts {
        Facts::File(file) => std::fs::read(file).map_err(|error| Error::io(format!("{}: {error}", file.display())))?,
        Facts::Bundled => bundled::FACTS.to_vec(),
    };
    let mut loaded = load(wanted, progress)?;
    attach(&mut loaded, wanted, &settings.edit, progress)?;
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let named = PlannedModel {
        source: match &wanted.source {
            Source::Path(path) => absolute(path).display().to_string(),
            other => other.name(),
        },
        tokenizer: wanted.tokenizer.as_ref().map(absolute),
        precision: wanted.precision,
        stats_text: wanted.stats_text.as_ref().map(|text| if text.exists() { absolute(text) } else { text.clone() }),
    };
    let plan = block_on(plan_of(&loaded.model, &read, settings.clone(), &super::program(), named))?;
    plan.write(path, &bytes)?;
    // The first facts are computed here, so that it is known how long all of them take. They count.
    let mut known = Known::open(path)?;
    let first = Shard { number: 0, of: 1 };
    if known.shares().is_empty() {
        progress.start("measuring", "units", Some(2), 0);
        let mut segment = Segment::begin(&Plan::segments(path), &header(&plan, first, &loaded.model))?;
        let count = Cell::new(0);
        let stop = || count.replace(count.get() + 1) >= 1 || progress::is_stopping();
        let done = block_on(work(&mut loaded.model, &mut known, (first, 1), &mut segment, &mut |_| {}, &stop));
        match done {
            Err(error) if error.kind != Kind::Cancelled => return Err(error.into()),
            _ => known.refresh()?,
        }
        progress.finish();
    }
    Ok(Planned { estimate: known.estimate(), plan })
}

fn header(plan: &Plan, shard: Shard, model: &engram_core::load::Model) -> Header {
    Header::new(&plan.id, shard, &host(), &model.compute, &super::program())
}

/// What the waves before this one lack, once it is all there or the time is over: on a network's disk files of other machines are seen
/// up to a minute late.
fn patiently(known: &mut Known, wave: u8, wait: Duration, progress: &Progress) -> Result<Option<Missing>> {
    let begun = Instant::now();
    loop {
        let missing = known.unfinished(wave)?;
        let Some(some) = missing else { return Ok(None) };
        let left = wait.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(Some(some));
        }
        if progress::is_stopping() {
            return Err(Error::cancelled().into());
        }
        let told = format!("waiting for {} units of wave {}", some.units.len(), some.wave);
        progress.start(&told, "seconds", None, begun.elapsed().as_secs());
        std::thread::sleep(left.min(LOOK));
        known.refresh()?;
    }
}

/// See [`super::shard`].
pub(super) fn shard(
    path: &Path,
    (shard, wave): (Shard, u8),
    device: DeviceChoice,
    wait: Duration,
    progress: &Progress,
) -> Result<std::result::Result<(), Missing>> {
    let mut known = Known::open(path)?;
    let plan = known.plan.clone();
    if wave > plan.waves {
        return Err(Error::input(format!("the plan has {} waves", plan.waves)).hint("merge it").into());
    }
    // Before anything is loaded.
    if let Some(missing) = patiently(&mut known, wave, wait, progress)? {
        return Ok(Err(missing));
    }
    let PlannedModel { source, tokenizer, precision, stats_text } = plan.model.clone();
    let wanted = Model { source: Source::parse(&source)?, tokenizer, device, precision, stats_text };
    let mut loaded = load(&wanted, progress)?;
    attach(&mut loaded, &wanted, &plan.header.settings.edit, progress)?;
    loaded.model.second_moments.store = Some(kept_in(Plan::moments(path)));
    block_on(plan.admit(&loaded.model, &known.facts, &super::program()))?;
    let header = header(&plan, shard, &loaded.model);
    if let Some(other) = known.shares_gpu(&header) {
        let (gpu, shard) = (&header.device.name, &other.shard);
        progress.warn(&format!("shard {shard} computes on this GPU too, or did a moment ago: {gpu}, {}", header.pci));
    }
    let mut segment = Segment::begin(&Plan::segments(path), &header)?;
    progress.start(&format!("wave {wave}, shard {shard}"), "units", None, 0);
    let mut tell = |told: Told| match told {
        Told::Units(0, of) => progress.start(&format!("wave {wave}, shard {shard}"), "units", Some(of as u64), 0),
        Told::Units(done, _) => progress.set(done as u64),
        Told::Within(..) => {}
    };
    let stop = progress::is_stopping;
    Ok(block_on(work(&mut loaded.model, &mut known, (shard, wave), &mut segment, &mut tell, &stop))?)
}

/// See [`super::merge`].
pub(super) fn merge(
    path: &Path,
    out: Option<&Path>,
    runs: bool,
    wait: Duration,
    progress: &Progress,
) -> Result<std::result::Result<Studied, Missing>> {
    let mut known = Known::open(path)?;
    let all = known.plan.waves + 1;
    let missing = patiently(&mut known, all, wait, progress)?;
    progress.finish();
    if let Some(missing) = missing {
        return Ok(Err(missing));
    }
    let mut record = known.record()?;
    if !runs {
        record.runs.clear();
    }
    let beside = path.parent().unwrap_or(Path::new("")).join(format!("{}.engram.json", file_name(&record.model.name)));
    let path = out.map_or(beside, Path::to_path_buf);
    journal::write(&path, &record)?;
    Ok(Ok(Studied { path, resumed: 0, record }))
}

/// See [`super::shard_states`].
pub(super) fn states(path: &Path) -> Result<ShardState> {
    let known = Known::open(path)?;
    let missing = known.unfinished(known.plan.waves + 1)?;
    let now = now_there(path);
    let silent = |written: Option<SystemTime>| Some(now?.duration_since(written?).unwrap_or_default().as_secs_f64());
    let state = |share: Share| {
        let silent = silent(share.written);
        ShareState {
            shard: share.header.shard,
            host: share.header.host,
            device: share.header.device.name,
            units: share.units,
            seconds: share.seconds,
            median: share.median,
            slower: share.slower,
            silent,
            at_work: silent.is_some_and(|silent| silent < 10.0 * share.median.max(6.0)),
        }
    };
    let processes: Vec<ShareState> = known.shares().into_iter().map(state).collect();
    let active = processes.iter().filter(|process| process.at_work).count();
    let left = missing.as_ref().map(|missing| known.seconds_for(&missing.units) / active.max(1) as f64);
    let (traced, of) = known.progress();
    Ok(ShardState {
        traced,
        of,
        waves: known.plan.waves,
        wave: missing.as_ref().map(|missing| missing.wave),
        units_left: missing.as_ref().map_or(0, |missing| missing.units.len()),
        owners: missing.iter().flat_map(Missing::owners).map(|shard| shard.to_string()).collect(),
        seconds_left: left.filter(|left| *left > 0.0),
        processes,
    })
}

/// This machine's name.
fn host() -> String {
    sysinfo::System::host_name().unwrap_or_else(|| "unknown".into())
}

/// What time it is by the clock of the plan's disk, which need not be this machine's.
fn now_there(path: &Path) -> Option<SystemTime> {
    let probe = Plan::folder(path).join(format!("now.{}", std::process::id()));
    std::fs::write(&probe, b"").ok()?;
    let now = probe.metadata().and_then(|about| about.modified()).ok();
    let _ = std::fs::remove_file(&probe);
    now
}
