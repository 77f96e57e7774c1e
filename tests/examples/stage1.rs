//! Stage 1 of the first N CounterFact facts on a model, timed: `stage1 MODEL [TOKENIZER] FACTS N [ROWS] [GROUP]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use engram_core::{device::Compute, facts, model::Model, record::Settings, trace, weights::Checkpoint};
use pollster::block_on;
use std::{path::Path, time::Instant};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let t = Instant::now();
    let checkpoint = block_on(Checkpoint::open(Path::new(&args[0]), None)).unwrap();
    let mut model = block_on(Model::load(&checkpoint, "m", Compute::cpu("x"), &|_, _| {})).unwrap();
    println!("load {:?} limits {:?}", t.elapsed(), model.limits);
    let file = facts::parse("f", &std::fs::read(&args[1]).unwrap()).unwrap();
    let n: usize = args[2].parse().unwrap();
    if let Some(rows) = args.get(3) {
        model.limits.rows = rows.parse().unwrap();
    }
    let group: usize = args.get(4).map_or(2, |g| g.parse().unwrap());
    let order = facts::shuffled(file.facts.len(), 42);
    let settings = Settings::default();
    let t = Instant::now();
    let prepared: Vec<_> = order
        .iter()
        .filter_map(|&i| trace::prepare(&model.tokens, &file.facts[i], &settings).unwrap().ok())
        .take(n)
        .collect();
    println!(
        "prepare {:?}, mean T {}",
        t.elapsed(),
        prepared.iter().map(|p| p.clean.len()).sum::<usize>() as f32 / n as f32
    );
    let t = Instant::now();
    for group in prepared.chunks(group) {
        let refs: Vec<_> = group.iter().collect();
        let traced = block_on(trace::stage1(&model, &refs, &settings)).unwrap();
        std::hint::black_box(&traced);
    }
    println!("{} s/fact", t.elapsed().as_secs_f64() / n as f64);
}
