//! Whether a model fits: what it takes of a device and of main memory, held against what there is, before its first tensor is
//! read. Loading, `--precision auto`, `engram doctor` and the lab's card all ask here.

use crate::device::{Compute, GpuMemory};
use crate::error::{Error, Kind, Result};
use crate::memory::{self, said};
use crate::model::Survey;
use crate::record::{Precision, Settings};
use crate::run::Plan;
use serde::Serialize;

/// What a model takes, whatever it runs on.
#[derive(Debug, Clone, Copy)]
pub struct Takes {
    /// Its tensors and sizes.
    pub survey: Survey,
    /// Bytes of its tokenizer.json.
    pub tokenizer: u64,
}

/// A device and the machine around it, as far as fitting goes.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The CPU backend computes.
    pub cpu: bool,
    /// The device's own memory; `None` on the CPU, and where the driver does not tell.
    pub memory: Option<GpuMemory>,
    /// The device is imitated in software: its memory is main memory, whatever its driver says of it.
    pub software: bool,
    /// Largest buffer that can be bound.
    pub binding: u64,
    /// It has 16-bit numbers.
    pub halves: bool,
    /// Bytes of main memory that are free.
    pub host: u64,
    /// Bytes that activations may use where nothing better is known.
    pub activations: u64,
}

/// What a model takes of a place in one precision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// What matrices are held in.
    pub precision: Precision,
    /// Bytes of its tensors and position tables on the device.
    pub weights: u64,
    /// Bytes of the largest of them.
    pub largest: u64,
    /// Bytes of the largest buffer that is bound whole; larger vocabulary tables are split.
    pub binding: u64,
    /// Bytes of activations of the smallest batch that is planned.
    pub smallest_batch: u64,
    /// Bytes of activations of the planned batch.
    pub batch: u64,
    /// Tokens of the planned batch.
    pub rows: usize,
    /// Facts that are traced at a time.
    pub facts: usize,
    /// Bytes of main memory that loading needs at its peak.
    pub host: u64,
    /// What there is too little of.
    pub lack: Option<Lack>,
    /// The batch plan.
    #[serde(skip)]
    pub plan: Plan,
}

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Lack {
    /// The device's memory, for the weights and the smallest batch.
    Device {
        /// Bytes that are needed.
        needs: u64,
        /// Bytes that this program may have.
        free: u64,
    },
    /// The largest buffer that the device binds.
    Binding {
        /// Bytes of the largest matrix.
        needs: u64,
        /// Bytes that can be bound.
        most: u64,
    },
    /// Main memory.
    Host {
        /// Bytes that are needed.
        needs: u64,
        /// Bytes that are free.
        free: u64,
    },
}

/// What a tokenizer takes for each byte of its file, while it is read.
const TOKENIZER_TIMES: u64 = 10;
/// What everything else takes of main memory: captured runs of a few prompts, records, text.
const REST: u64 = 32 << 20;

/// Of a GPU's memory, for activations.
const LEAST_FREE: u64 = 256 << 20;
const MOST_FREE: u64 = 8 << 30;
/// `auto` takes f16 where f32 leaves less than this: batches would be small.
const BESIDE: u64 = 1 << 30;

impl Place {
    /// A device here and now.
    pub fn of(compute: &Compute) -> Self {
        Self {
            cpu: compute.is_cpu(),
            memory: compute.memory_now(),
            software: compute.adapter.as_ref().is_some_and(|adapter| adapter.kind == "Cpu"),
            binding: compute.binding_bytes(),
            halves: compute.has_halves(),
            host: memory::room(),
            activations: compute.free_bytes,
        }
    }

    /// Bytes of a vocabulary table that are read at a time and bound at once. In a browser a table passes through the tab's
    /// own small memory, in shards that are little to hold and not too many.
    pub fn table(&self, largest: u64) -> u64 {
        match cfg!(target_family = "wasm") && !self.cpu {
            true => self.binding.min((largest / 16).max(24 << 20)),
            false => self.binding,
        }
    }

    /// The device's memory, where it is not main memory.
    pub fn own_memory(&self) -> Option<GpuMemory> {
        self.memory.filter(|_| !self.software)
    }

    /// Bytes that activations may use beside so many of weights.
    fn beside(&self, weights: u64) -> u64 {
        match self.own_memory() {
            _ if self.cpu => (self.host.saturating_sub(weights) / 2).min(self.activations),
            Some(memory) => (memory.usable().saturating_sub(weights) / 4).clamp(LEAST_FREE, MOST_FREE),
            _ => self.activations,
        }
    }
}

impl Takes {
    /// What it takes there.
    pub fn on(&self, place: &Place, precision: Precision) -> Fit {
        let Self { survey, tokenizer } = self;
        let halved = |bytes: u64| if precision == Precision::F16 { bytes / 2 } else { bytes };
        let weights = survey.bytes - survey.matrices + halved(survey.matrices);
        let (largest, whole) = (halved(survey.largest), halved(survey.whole));
        let plan = Plan::sized(&survey.sizes, place.cpu, place.beside(weights), place.binding);
        let smallest_batch = Plan::least_activations(&survey.sizes);
        // A tensor is held twice where it is turned, or goes to another device.
        let held = match place.cpu {
            true => weights.saturating_add(survey.largest),
            false => 2 * survey.largest.min(survey.whole.max(place.table(survey.largest))),
        };
        let imitated = if place.software { weights } else { 0 };
        let host = [held, imitated, smallest_batch, TOKENIZER_TIMES.saturating_mul(*tokenizer), REST];
        let host = host.into_iter().fold(0, u64::saturating_add);
        let needs = weights.saturating_add(smallest_batch);
        let lack = match place.own_memory() {
            _ if whole > place.binding => Some(Lack::Binding { needs: whole, most: place.binding }),
            Some(memory) if needs > memory.usable() => Some(Lack::Device { needs, free: memory.usable() }),
            _ if host > place.host => Some(Lack::Host { needs: host, free: place.host }),
            _ => None,
        };
        Fit {
            precision,
            weights,
            largest,
            binding: whole.max(largest.min(place.table(largest))),
            smallest_batch,
            batch: plan.activations(&survey.sizes),
            rows: plan.rows,
            facts: plan.facts(survey.sizes.layers, Settings::default().trace_batch),
            host,
            lack,
            plan,
        }
    }

    /// The precision that is taken, and why where nobody asked for it: f32, or f16 where f32 does not fit or leaves no room
    /// for batches.
    pub fn choose(&self, place: &Place, wanted: Option<Precision>) -> (Precision, Option<String>) {
        if let Some(wanted) = wanted {
            return (wanted, None);
        }
        let full = self.on(place, Precision::F32);
        let why = match (full.lack, place.own_memory()) {
            _ if !place.halves => None,
            (Some(lack @ Lack::Binding { .. }), _) => Some(format!("f16, since in f32 {lack}")),
            (_, Some(memory)) if full.needs().saturating_add(BESIDE) > memory.usable() => Some(format!(
                "f16, since f32 needs {} and room for batches, and {} are free",
                said(full.needs()),
                said(memory.usable())
            )),
            _ => None,
        };
        (if why.is_some() { Precision::F16 } else { Precision::F32 }, why)
    }

    /// Whether it fits there in the precision that would be taken, in a sentence with numbers.
    pub fn verdict(&self, place: &Place, taken: Precision) -> String {
        let [full, half] = [Precision::F32, Precision::F16].map(|precision| self.on(place, precision));
        let fit = if taken == Precision::F16 { half } else { full };
        let beside = match (place.cpu || place.software, place.memory) {
            (true, _) => format!("{} of {} of main memory", said(fit.host), said(place.host)),
            (_, Some(memory)) => format!("{} of {}", said(fit.needs()), said(memory.usable())),
            _ => format!("{}; the driver does not tell how much memory there is", said(fit.needs())),
        };
        let half_fits = place.halves && half.lack.is_none();
        match (fit.lack, full.lack) {
            (_, Some(lack)) if half_fits => format!("fits in f16 ({}), not in f32: {lack}", said(half.needs())),
            (None, _) => format!("fits in {}: {beside}", taken.name()),
            (Some(lack), _) if place.cpu => format!("does not fit: {lack}"),
            (Some(lack), _) if !place.halves => format!("does not fit: {lack}; this adapter has no 16-bit numbers"),
            _ => {
                let told = |fit: Fit| fit.lack.map_or_else(|| "it fits".to_owned(), |lack| lack.to_string());
                format!("does not fit: in f32 {}; in f16 {}", told(full), told(half))
            }
        }
    }

    /// What to do where it does not fit: on a command line, and in the page.
    pub fn advice(&self, place: &Place, precision: Precision) -> [&'static str; 2] {
        let other = precision == Precision::F32 && place.halves && self.on(place, Precision::F16).lack.is_none();
        match (other, place.cpu) {
            (true, _) => ["use --precision f16", "choose the precision f16"],
            (_, true) => {
                ["close other programs, or take a smaller model", "take a smaller model, or a device with more memory"]
            }
            (_, false) => {
                ["take a smaller model, or use --device cpu", "take a smaller model, or switch the device to CPU"]
            }
        }
    }

    /// Refuses what cannot fit, and makes sure of main memory.
    ///
    /// # Errors
    /// When something is lacking; the error says how much.
    pub fn refuse(&self, name: &str, place: &Place, precision: Precision) -> Result<Fit> {
        let fit = self.on(place, precision);
        match fit.lack {
            Some(lack @ (Lack::Device { .. } | Lack::Binding { .. })) => {
                let [step, page] = self.advice(place, precision);
                let what = format!("the model {name} does not fit in {}: {lack}", precision.name());
                Err(Error::new(Kind::Memory, what).hint(step).in_page(page))
            }
            // The system knows best how much main memory it can give.
            _ => memory::reserve(fit.host, &format!("the model {name}")).map(|()| fit),
        }
    }
}

impl Fit {
    /// Bytes of the device's memory without which nothing can be computed.
    pub fn needs(&self) -> u64 {
        self.weights.saturating_add(self.smallest_batch)
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Device { needs, free } => {
                write!(f, "it needs {} of the device's memory, and {} are free", said(needs), said(free))
            }
            Self::Binding { needs, most } => {
                write!(f, "one matrix takes {}, and the device binds at most {}", said(needs), said(most))
            }
            Self::Host { needs, free } => {
                write!(f, "it needs {} of main memory, and {} are free", said(needs), said(free))
            }
        }
    }
}

impl Compute {
    /// The same, with this model's matrices held in the wanted precision, or without one in the one that suits it.
    ///
    /// # Errors
    /// Where the device has no numbers of this kind.
    pub fn suiting(mut self, takes: &Takes, wanted: Option<Precision>) -> Result<Self> {
        let (precision, why) = takes.choose(&Place::of(&self), wanted);
        if let Some(why) = why {
            self.why = format!("{}; {why}", self.why);
        }
        self.holding(precision)
    }
}

#[cfg(test)]
mod tests;
