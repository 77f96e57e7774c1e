//! What a model would take of the devices here, and whether that is there.

use super::Outlook;
use super::load::chosen;
use crate::wanted::Model;
use engram_core::device::{Compute, DeviceChoice};
use engram_core::load::Looked;
use engram_core::load::fit::{Place, Takes};
use engram_core::record::Precision;
use engram_core::{Kind, Result};

/// On the device that would compute, and on the CPU where that is another and nobody has chosen.
pub(super) fn of(wanted: &Model, looked: &Looked) -> anyhow::Result<Vec<Outlook>> {
    let (compute, takes) = (chosen(wanted, looked)?, &looked.takes);
    let both = wanted.device == DeviceChoice::Auto && !compute.is_cpu();
    let mut found = vec![on(compute, takes, wanted.precision)?];
    if both {
        found.push(on(Compute::cpu("with --device cpu"), takes, None)?);
    }
    Ok(found)
}

fn on(compute: Compute, takes: &Takes, wanted: Option<Precision>) -> Result<Outlook> {
    let place = Place::of(&compute);
    let fits = [Precision::F32, Precision::F16].into_iter().filter(|half| *half == Precision::F32 || place.halves);
    let fits = fits.map(|precision| takes.on(&place, precision)).collect();
    let binding = compute.adapter.as_ref().map(|_| place.binding);
    let outlook = |compute: &Compute, works, verdict, hint| Outlook {
        device: compute.info.clone(),
        why: compute.why.clone(),
        memory: place.own_memory(),
        software: place.software,
        binding,
        host: place.host,
        fits,
        works,
        verdict,
        hint,
    };
    match compute.clone().suiting(takes, wanted) {
        Ok(compute) => {
            let precision = compute.info.precision;
            let works = takes.on(&place, precision).lack.is_none();
            let hint = (!works).then(|| takes.advice(&place, precision)[0].to_owned());
            Ok(outlook(&compute, works, takes.verdict(&place, precision), hint))
        }
        // It has no numbers of this kind.
        Err(error) if error.kind == Kind::Device => {
            let hint = error.next_step().map(str::to_owned);
            Ok(outlook(&compute, false, error.message().to_owned(), hint))
        }
        Err(error) => Err(error),
    }
}
