//! What a machine's devices do with it.

use super::model::{self, Shape};
use anyhow::Result;
use engram_core::device::{Compute, DeviceChoice, start_threads};
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::record::{Precision, Settings, Traced};
use engram_core::run::counts;
use engram_core::tensor::product_rate;
use engram_core::trace::{TokenizedFact, stage1};
use engram_core::weights::Checkpoint;
use pollster::block_on;
use std::time::Instant;

/// Facts that the CPU computes too, to be compared.
const COMPARED: usize = 2;

pub(super) fn run(shape: &Shape, count: usize) -> Result<()> {
    start_threads()?;
    let folder = tempfile::tempdir()?;
    eprintln!("making a model of {}'s size with random weights …", shape.name);
    model::write(shape, folder.path())?;
    let checkpoint = block_on(Checkpoint::open(folder.path(), None))?;
    let facts: Vec<TokenizedFact> = (0..count).map(fact).collect();
    let facts: Vec<&TokenizedFact> = facts.iter().collect();

    let cpu = Compute::cpu("asked for");
    let gpu = match block_on(Compute::choose(DeviceChoice::Gpu)) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            eprintln!("no GPU: {error}");
            None
        }
    };
    println!("| device | precision | s to load | s to the first fact | s a fact | TFLOP/s | largest difference |");
    println!("|---|---|---|---|---|---|---|");
    let want = study(&checkpoint, cpu, &facts[..COMPARED], None)?;
    for precision in [Precision::F32, Precision::F16] {
        let Some(gpu) = &gpu else { break };
        match gpu.clone().holding(precision) {
            Ok(gpu) => drop(study(&checkpoint, gpu, &facts, Some(&want))?),
            Err(error) => eprintln!("{}: {error}", precision.name()),
        }
    }
    let Some(device) = gpu.and_then(|gpu| gpu.device) else { return Ok(()) };
    println!("\nProducts of {}'s size, TFLOP/s:\n\n| rows | in → out | f32 | f16 |\n|---|---|---|---|", shape.name);
    for rows in [16, 64, 256, 1024, 4096] {
        for [input, out] in model::products(shape) {
            let rate = |precision| match block_on(product_rate(&device, precision, [rows, out, input])) {
                Ok(rate) => format!("{rate:.1}"),
                Err(error) => error.message().to_owned(),
            };
            println!("| {rows} | {input} → {out} | {} | {} |", rate(Precision::F32), rate(Precision::F16));
        }
    }
    Ok(())
}

/// Ten tokens, four of them the subject, and another four in their place; any numbers that the tokenizer has.
fn fact(at: usize) -> TokenizedFact {
    let ids =
        |from: usize, count: usize| (0..count).map(|i| (100 + (from + 37 * i) % 1500) as u32).collect::<Vec<u32>>();
    let (head, tail) = (ids(at, 2), ids(7 * at + 11, 4));
    let prompt = |subject: Vec<u32>| [head.clone(), subject, tail.clone()].concat();
    TokenizedFact {
        clean: prompt(ids(13 * at + 5, 4)),
        span: 2..6,
        corrupt: prompt(ids(17 * at + 3, 4)),
        corrupt_span: 2..6,
        shared: 2,
        answer: ids(19 * at + 1, 1),
        answer_new: ids(23 * at + 2, 1),
        draws: 1,
        id: at.to_string(),
    }
}

/// Stage 1 on a device: a row of the table, and the probabilities of the first facts.
fn study(
    checkpoint: &Checkpoint,
    compute: Compute,
    facts: &[&TokenizedFact],
    want: Option<&[f32]>,
) -> Result<Vec<f32>> {
    let (name, precision) = (compute.info.name.clone(), compute.info.precision);
    eprintln!("{name}, {} …", precision.name());
    let start = Instant::now();
    let model = block_on(Model::load(checkpoint, "random", compute, &|_, _| {}))?;
    // Whatever is still on its way has arrived when a number is read.
    block_on(model.net.block(1).norm.first())?;
    let load = start.elapsed().as_secs_f64();
    let settings = Settings::default();
    let batch = model.plan.facts(model.layers(), settings.trace_batch);
    let trace = || -> Result<Vec<Traced>> {
        let mut traced = Vec::new();
        for group in facts.chunks(batch) {
            traced.extend(block_on(stage1(&model, group, &settings))?);
        }
        Ok(traced)
    };
    let start = Instant::now();
    block_on(stage1(&model, &facts[..1], &settings))?;
    let first = start.elapsed().as_secs_f64();
    let traced = trace()?;
    counts::start();
    let start = Instant::now();
    trace()?;
    let seconds = start.elapsed().as_secs_f64() / facts.len() as f64;
    let work = work(&model, &counts::take()) / facts.len() as f64;
    let got: Vec<f32> = traced.iter().take(COMPARED).flat_map(probabilities).collect();
    let apart = want.map(|want| got.iter().zip(want).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())));
    let apart = apart.map_or("–".into(), |apart| format!("{apart:.1e}"));
    let (rate, precision) = (work / seconds / 1e12, precision.name());
    println!("| {name} | {precision} | {load:.1} | {first:.2} | {seconds:.4} | {rate:.2} | {apart} |");
    Ok(got)
}

/// Floating-point operations of the products that patched runs took.
fn work(model: &Model, counts: &counts::Counts) -> f64 {
    let sized = |attention: bool| {
        let mine = |(site, _): &(Site, &_)| matches!(site, Site::Query | Site::Heads) == attention;
        model.net.block(1).maps().filter(mine).map(|(_, map)| 2.0 * (map.out() * map.input) as f64).sum::<f64>()
    };
    let head = 2.0 * (model.net.shape.vocab * model.net.shape.width) as f64;
    counts.attention as f64 * sized(true) + counts.mlp as f64 * sized(false) + counts.reads as f64 * head
}

fn probabilities(traced: &Traced) -> Vec<f32> {
    let curves = traced.patched.values().chain([&traced.without_block, &traced.without_attention, &traced.without_mlp]);
    [vec![traced.p_clean, traced.p_corrupt], curves.flatten().copied().collect()].concat()
}
