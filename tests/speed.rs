//! `cargo bench`: forwards of 1, 8 and 64 prompts; Stage 1 of a fact, resumed and naive; then Stage 1 of twenty facts
//! beside naive full forwards of the same engine and, where `ENGRAM_PYTHON` (a python with torch and transformers) and
//! `ENGRAM_HF_FOLDER` (SmolLM2 as written by reference/smollm2.py) are set, beside PyTorch in the same run.
//! `-- plan` measures batch sizes, `-- compare` only the comparison (`naive` with naive forwards, here and in PyTorch; `ten` for prompts of ten tokens), `-- gradient` v*-shaped gradients of 32 facts beside PyTorch's, `-- edit` whole searches, `-- sweep` searches at every layer. Needs SmolLM2 beside the checkout; a tiny fixture model stands in for it, which says little.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use criterion::{Criterion, criterion_group};
use engram_core::device::Compute;
use engram_core::edit::{EditBatch, EditTarget, Solved, complete, solve, tokens_of};
use engram_core::facts::{Fact, SLOT, parse, shuffled};
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::record::{EditMethod, EditSettings, PatchPosition, Rome, Settings, Traced, ValueSearch};
use engram_core::run::{
    ActivationCache, Change, Intervention, Metric, PatchedRun, Prompt, Read, Request, Sites, Source, Weighted, counts,
};
use engram_core::tensor::{Matrix, gflops};
use engram_core::trace::{TokenizedFact, stage1, tokenize};
use engram_tests::fixtures::{fixture, open, shared};
use engram_tests::naive::stage1_naive;
use pollster::block_on;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

fn model() -> Model {
    let cpu = Compute::cpu("benchmark");
    match shared("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf") {
        Some(path) => open(&path, None, &cpu),
        None => open(&fixture("models/llama"), None, &cpu),
    }
}

/// CounterFact in the order of a study.
fn counterfact() -> Vec<Fact> {
    let facts: Vec<Fact> = match shared("data/counterfact.json") {
        Some(path) => parse("counterfact.json", &std::fs::read(path).expect("facts")).expect("facts").facts,
        None => vec![Fact {
            id: "0".into(),
            relation: "P36".into(),
            template: "The capital of {} is".into(),
            subject: "France".into(),
            target_true: "Paris".into(),
            target_new: "Rome".into(),
            paraphrases: Vec::new(),
            neighbourhood: Vec::new(),
            ..Fact::default()
        }],
    };
    shuffled(facts.len(), Settings::default().seed).into_iter().map(|at| facts[at].clone()).collect()
}

/// The first facts of the study order that can be tokenized, known to the model or not.
fn facts(model: &Model, n: usize) -> Vec<TokenizedFact> {
    let (settings, facts) = (Settings::default(), counterfact());
    let prepared = facts.iter().filter_map(|fact| tokenize(model, fact, &settings).expect("tokens").ok());
    let ten = std::env::args().any(|arg| arg == "ten");
    prepared.filter(|fact| !ten || fact.clean.len() == 10).take(n).collect()
}

fn resumed(model: &Model, facts: &[TokenizedFact]) -> Vec<Traced> {
    resumed_by(model, facts, Settings::default().trace_batch)
}

fn resumed_by(model: &Model, facts: &[TokenizedFact], batch: usize) -> Vec<Traced> {
    let settings = Settings::default();
    let mut out = Vec::new();
    for group in facts.chunks(batch) {
        let group: Vec<&TokenizedFact> = group.iter().collect();
        out.extend(block_on(stage1(model, &group, &settings)).expect("stage 1"));
    }
    out
}

fn benches(criterion: &mut Criterion) {
    let model = model();
    let facts = facts(&model, 64);
    let mut group = criterion.benchmark_group("forward");
    group.sample_size(10);
    for n in [1, 8, 64] {
        let prompts: Vec<Prompt> = facts.iter().cycle().take(n).map(|fact| Prompt::plain(&fact.clean)).collect();
        let reads: Vec<(usize, Read)> = prompts
            .iter()
            .enumerate()
            .map(|(at, prompt)| (at, Read { position: prompt.ids.len() - 1, tokens: vec![0] }))
            .collect();
        group.bench_function(format!("{n} prompts"), |bencher| {
            bencher.iter(|| {
                let cache = block_on(model.edited().capture(&prompts, &Matrix::default(), &Sites::end()));
                block_on(model.edited().read(&cache.expect("forward"), &reads)).expect("readouts")
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("stage 1 of a fact");
    group.sample_size(10);
    group.bench_function("resumed", |bencher| bencher.iter(|| resumed(&model, &facts[..1])));
    group.bench_function("naive", |bencher| bencher.iter(|| stage1_naive(&model, &facts[0])));
    group.finish();
}

/// Twenty facts: seconds a fact each way, and how far the numbers are apart. Threads are those of `RAYON_NUM_THREADS`,
/// PyTorch's as many.
fn compare() {
    let model = model();
    let facts = facts(&model, 20);
    let cells = 5 * model.layers();
    // The first time buffers are allocated, and the work is counted.
    counts::start();
    resumed(&model, &facts);
    let work = flops(&model, &counts::take()) / facts.len() as f64 / 1e9;
    let mut times: Vec<f64> = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        ours = resumed(&model, &facts);
        times.push(start.elapsed().as_secs_f64() / facts.len() as f64);
    }
    let resumed = times.iter().copied().fold(f64::INFINITY, f64::min);
    let threads = rayon::current_num_threads();
    println!("{}: {} facts, {cells} cells each, {threads} threads", model.info.name, facts.len());
    println!("resumed            {resumed:.3} s/fact, {work:.1} GFLOP, {:.0} GFLOP/s", work / resumed);
    let products = block_on(gflops(&model.compute)).expect("products");
    println!("one thread's products: {products:.0} GFLOP/s at most");
    let naive = std::env::args().any(|arg| arg == "naive");
    if naive {
        let sample = &facts[..facts.len().min(4)];
        let start = Instant::now();
        let naive: Vec<Traced> = sample.iter().map(|fact| stage1_naive(&model, fact)).collect();
        let full = start.elapsed().as_secs_f64() / sample.len() as f64;
        let apart = largest(&ours, naive.iter().map(curves));
        println!("naive, this engine {full:.3} s/fact ({:.1} x), largest |Δp| {apart:.1e}", full / resumed);
    }
    let threads = threads.to_string();
    let ways =
        [("batched", &["--batched", "--threads", &threads][..]), ("naive", &["--n", "5", "--threads", &threads])];
    for (name, more) in ways.into_iter().take(if naive { 2 } else { 1 }) {
        if let Some((seconds, theirs)) = python(&facts, more) {
            let apart = largest(&ours, theirs.into_iter());
            println!("{name}, PyTorch   {seconds:.3} s/fact ({:.2} x), largest |Δp| {apart:.1e}", seconds / resumed);
        }
    }
}

/// Floating-point operations of the products of patched runs; what attention and the rest take is left out.
fn flops(model: &Model, counts: &counts::Counts) -> f64 {
    let (mut attention, mut mlp) = (0, 0);
    for (site, map) in model.net.blocks[0].maps() {
        let size = 2 * map.out() * map.input;
        if matches!(site, Site::Query | Site::Heads) { attention += size } else { mlp += size }
    }
    let head = 2 * model.net.shape.vocab * model.net.shape.width;
    (counts.attention * attention + counts.mlp * mlp + counts.reads * head) as f64
}

/// The gradient of the answer's log-probability on what is added to the MLP's value at subject-last, in the middle of the
/// model, for 32 facts: the inner step of ROME's v*.
fn gradient() {
    let model = model();
    let facts = facts(&model, 32);
    let (layer, width) = (model.layers() / 2, model.net.shape.width);
    let prompts: Vec<Prompt> = facts.iter().map(|fact| Prompt::plain(&fact.clean)).collect();
    let add = |at: usize| {
        let s = facts[at].span.end - 1;
        let interventions = vec![Intervention::new(layer, Site::MlpValue, s..s + 1, Change::Add(Source::Constant(at)))];
        let reads = vec![Read { position: facts[at].clean.len() - 1, tokens: Vec::new() }];
        PatchedRun { prompt: at, interventions, overlay: None, reads }
    };
    let runs: Vec<PatchedRun> = (0..facts.len()).map(add).collect();
    let term = |run: usize| {
        let metric = Metric::LogProb { token: facts[run].answer[0] };
        Weighted { run, read: 0, metric, weight: 1.0 }
    };
    let terms: Vec<Weighted> = (0..runs.len()).map(term).collect();
    let constants = Matrix::new(vec![0.0; facts.len() * width], width);
    let capture = || {
        let keep = Sites::to_resume().with(Site::MlpValue, layer..=layer);
        block_on(model.edited().capture(&prompts, &Matrix::default(), &keep)).expect("a capture")
    };
    let step = |cache: &ActivationCache| {
        let request = Request { constants: &constants, ..Request::of(&runs) };
        block_on(model.edited().gradient(cache, &request, &terms, &[])).expect("gradients").constants
    };
    // Not timed: the first step allocates.
    step(&capture());
    let start = Instant::now();
    let cache = capture();
    let captured = start.elapsed().as_secs_f64();
    let mut steps = Vec::new();
    let mut ours = Matrix::default();
    for _ in 0..5 {
        let start = Instant::now();
        ours = step(&cache);
        steps.push(start.elapsed().as_secs_f64());
    }
    steps.sort_by(f64::total_cmp);
    let n = facts.len() as f64;
    println!(
        "{}: v* gradients of {n} facts at layer {layer}, {} threads",
        model.info.name,
        rayon::current_num_threads()
    );
    println!(
        "this engine      {:.1} ms a fact and step, {:.1} ms a fact once for the capture",
        steps[2] / n * 1e3,
        captured / n * 1e3
    );
    let Some((seconds, output)) = run_python(&facts, &["--n", "32", "--vstar", &layer.to_string()]) else { return };
    let theirs: Vec<Vec<f32>> = serde_json::from_slice(&output).expect("gradients");
    let theirs = theirs.concat();
    let most = theirs.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let apart = engram_tests::fixtures::difference(&ours.values, &theirs) / most;
    let per_fact = seconds["seconds"].as_f64().expect("seconds") / n;
    println!(
        "naive, PyTorch   {:.1} ms a fact and step ({:.1} x), largest difference {apart:.1e} of the largest number",
        per_fact * 1e3,
        per_fact * n / steps[2]
    );
}

/// ROME's search for v*: one fact at a time, many in a batch, and PyTorch with all prompts of a fact as one batch.
fn edit() {
    let model = model();
    let n = 32;
    let source = counterfact();
    let facts = usable(&model, &source, n);
    let layer = model.layers() / 5;
    let (method, mut settings) = rome();
    block_on(complete(&model, &mut settings.edit, settings.seed)).expect("contexts");
    let mut targets = Vec::new();
    for (order, &fact) in facts.iter().enumerate() {
        let tokens = tokens_of(&model, fact, &settings).expect("tokens");
        targets.push(EditTarget { order, fact, tokens, layer, unrelated: Vec::new(), alike: Vec::new() });
    }
    let search_of = |targets: &[EditTarget<'_>]| {
        let start = Instant::now();
        let batch = block_on(EditBatch::capture(&model, targets)).expect("prompts");
        let solved = block_on(solve(&batch, &method, &settings, &mut |_| Ok(()))).expect("edits");
        (start.elapsed().as_secs_f64(), solved)
    };
    // Not timed: the first search allocates.
    search_of(&targets[..1]);
    let few = 4;
    let alone: f64 = (0..few).map(|at| search_of(&targets[at..=at]).0).sum::<f64>() / few as f64;
    let (seconds, solved) = search_of(&targets);
    println!("{}: ROME's v* at layer {layer}, {} threads", model.info.name, rayon::current_num_threads());
    println!("this engine, one at a time      {alone:.2} s a fact");
    println!("this engine, {n} in a batch      {:.2} s a fact", seconds / n as f64);
    for (naive, what, few) in [(true, "one prompt at a time  ", 2), (false, "a fact's prompts batched", few)] {
        let Some((theirs_seconds, theirs)) = naive_search(&model, &settings, &targets[..few], naive) else { return };
        let apart = solved.iter().zip(&theirs).map(|(ours, theirs)| apart(ours, theirs)).fold(0.0f32, f32::max);
        println!(
            "PyTorch, {what} {theirs_seconds:.2} s a fact ({:.1} x one at a time, {:.1} x the batch); losses differ by {apart:.1e} at most",
            theirs_seconds / alone,
            theirs_seconds * n as f64 / seconds
        );
    }
}

/// ROME's search at every layer, as a study with `--edit-layers all` does it, and PyTorch with one prompt at a time at a few.
fn sweep() {
    let model = model();
    let layers = model.layers();
    let (method, mut settings) = rome();
    block_on(complete(&model, &mut settings.edit, settings.seed)).expect("contexts");
    let source = counterfact();
    let facts = usable(&model, &source, 2);
    let search_of = |targets: &[EditTarget<'_>]| {
        let start = Instant::now();
        let batch = block_on(EditBatch::capture(&model, targets)).expect("prompts");
        let solved = block_on(solve(&batch, &method, &settings, &mut |_| Ok(()))).expect("edits");
        (start.elapsed().as_secs_f64(), solved)
    };
    let mut targets = Vec::new();
    for (order, &fact) in facts.iter().enumerate() {
        for layer in 1..=layers {
            let tokens = tokens_of(&model, fact, &settings).expect("tokens");
            targets.push(EditTarget { order, fact, tokens, layer, unrelated: Vec::new(), alike: Vec::new() });
        }
    }
    search_of(&targets[..1]);
    let (seconds, solved) = search_of(&targets);
    let ours = seconds / targets.len() as f64;
    println!("{}: ROME's v* at each of {layers} layers, {} threads", model.info.name, rayon::current_num_threads());
    println!("this engine, all layers of two facts together   {ours:.2} s an edit");
    let (mut sum, few) = (0.0, [1, layers.div_ceil(2), layers]);
    for layer in few {
        let Some((seconds, losses)) = naive_search(&model, &settings, &targets[layer - 1..layer], true) else { return };
        let apart = apart(&solved[layer - 1], &losses[0]);
        println!(
            "PyTorch, one prompt at a time, layer {layer:>3}   {seconds:.2} s an edit; losses differ by {apart:.1e} at most"
        );
        sum += seconds;
    }
    let theirs = sum / few.len() as f64;
    println!(
        "so {:.1} x; for 50 facts at {layers} layers, extrapolated: {:.1} h, and {:.1} h here",
        theirs / ours,
        theirs * 50.0 * layers as f64 / 3600.0,
        ours * 50.0 * layers as f64 / 3600.0
    );
}

/// ROME without C, as published otherwise.
fn rome() -> (EditMethod, Settings) {
    let method = EditMethod::from(Rome { covariance: false, ..Rome::default() });
    (method, Settings { edit: EditSettings::of(method), ..Settings::default() })
}

/// The first facts that the model has tokens for.
fn usable<'a>(model: &Model, source: &'a [Fact], n: usize) -> Vec<&'a Fact> {
    let settings = Settings::default();
    let fits = |fact: &&Fact| tokenize(model, fact, &settings).is_ok_and(|tokens| tokens.is_ok());
    source.iter().filter(fits).take(n).collect()
}

/// PyTorch's seconds a target and its losses, for targets of one layer: one prompt at a time, or a fact's prompts as one batch.
fn naive_search(
    model: &Model,
    settings: &Settings,
    targets: &[EditTarget<'_>],
    naive: bool,
) -> Option<(f64, Vec<Vec<f32>>)> {
    let EditMethod::Rome(Rome { search, .. }) = settings.edit.method() else { unreachable!("ROME's search") };
    let rows = |target: &EditTarget<'_>| {
        let one = |template: String, answer: &[u32]| {
            let fact = Fact { template, ..target.fact.clone() };
            let encoded = model.tokens.encode(&fact.prompt()).expect("tokens");
            let s = encoded.span(&fact.subject_chars()).expect("a subject").end - 1;
            let ids = [encoded.ids.as_slice(), answer].concat();
            serde_json::json!({"ids": ids, "s": s})
        };
        let answer = &target.tokens.answer_new;
        let forced = &answer[..answer.len() - 1];
        let mut rows = vec![one(target.fact.template.clone(), forced)];
        rows.extend(
            settings.edit.contexts.iter().map(|context| one(context.replacen(SLOT, &target.fact.template, 1), forced)),
        );
        rows.push(one("{} is a".into(), &[]));
        serde_json::json!({"rows": rows, "answer": answer})
    };
    let list: Vec<_> = targets.iter().map(rows).collect();
    let ValueSearch { steps, lr, decay, kl, clamp, stop } = search;
    let asked = serde_json::json!({"layer": targets[0].layer, "steps": steps, "lr": lr, "decay": decay, "kl": kl, "clamp": clamp,
        "stop": stop, "naive": naive});
    let (said, output) = run_script(&list, &["--rome", &asked.to_string()])?;
    let theirs: Vec<Vec<f32>> = serde_json::from_slice(&output).expect("losses");
    Some((said["seconds"].as_f64().expect("seconds") / targets.len() as f64, theirs))
}

/// The largest relative difference of two searches' losses.
fn apart(ours: &Solved, theirs: &[f32]) -> f32 {
    let ours = &ours.evidence[0].loss;
    assert_eq!(ours.len(), theirs.len(), "steps");
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / b.abs().max(1e-2)).fold(0.0f32, f32::max)
}

/// Seconds a fact by rows and facts in a batch: where the defaults come from.
fn plan() {
    let mut model = model();
    let facts = facts(&model, 12);
    for rows in [256, 512, 1024, 2048, 4096] {
        let mut line = format!("{rows:>5} rows:");
        for batch in [1, 2, 4] {
            model.plan.rows = rows;
            let start = Instant::now();
            resumed_by(&model, &facts, batch);
            let seconds = start.elapsed().as_secs_f64() / facts.len() as f64;
            line.push_str(&format!("  {seconds:.3} s/fact by {batch}"));
        }
        println!("{line}");
    }
}

/// subject-last, last-token, block, attention, MLP.
fn curves(traced: &Traced) -> [Vec<f32>; 5] {
    [
        traced.patched[&PatchPosition::SubjectLast].clone(),
        traced.patched[&PatchPosition::LastToken].clone(),
        traced.without_block.clone(),
        traced.without_attention.clone(),
        traced.without_mlp.clone(),
    ]
}

fn largest(ours: &[Traced], theirs: impl Iterator<Item = [Vec<f32>; 5]>) -> f32 {
    let pairs = ours.iter().zip(theirs);
    pairs.map(|(a, b)| engram_tests::fixtures::difference(&curves(a).concat(), &b.concat())).fold(0.0, f32::max)
}

/// The published tools' way: transformers, eager, f32, hooks, one full forward a cell.
fn python(facts: &[TokenizedFact], more: &[&str]) -> Option<(f64, Vec<[Vec<f32>; 5]>)> {
    let (said, output) = run_python(facts, more)?;
    let out: Vec<serde_json::Value> = serde_json::from_slice(&output).expect("json");
    let theirs = out.iter().map(|fact| {
        ["patch_subject", "patch_last", "ablate_block", "ablate_attn", "ablate_mlp"]
            .map(|key| serde_json::from_value(fact[key].clone()).expect("a curve"))
    });
    Some((said["seconds_per_fact"].as_f64().expect("seconds"), theirs.collect()))
}

/// reference/baseline.py on these facts: the line that it prints, and what it writes.
fn run_python(facts: &[TokenizedFact], more: &[&str]) -> Option<(serde_json::Value, Vec<u8>)> {
    let list: Vec<_> = facts
        .iter()
        .map(|fact| {
            serde_json::json!({"clean_ids": fact.clean, "corrupt_ids": fact.corrupt, "s": fact.span.end - 1,
                "s_corrupt": fact.corrupt_span.end - 1, "answer": fact.answer[0]})
        })
        .collect();
    run_script(&list, more)
}

/// The script on any list of facts.
fn run_script(list: &[serde_json::Value], more: &[&str]) -> Option<(serde_json::Value, Vec<u8>)> {
    let python = std::env::var_os("ENGRAM_PYTHON")?;
    let folder = std::env::var_os("ENGRAM_HF_FOLDER")?;
    let work = tempfile::tempdir().expect("a folder");
    let (input, output) = (work.path().join("facts.json"), work.path().join("out.json"));
    std::fs::write(&input, serde_json::to_vec(&list).expect("json")).expect("written");
    let script: PathBuf = fixture("../reference/baseline.py");
    let run = Command::new(python)
        .arg(script)
        .args([std::ffi::OsStr::new("--model"), &folder, "--facts".as_ref(), input.as_ref()])
        .args(["--out".as_ref(), output.as_os_str()])
        .args(more)
        .output()
        .expect("python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said: serde_json::Value = serde_json::from_slice(&run.stdout).expect("one JSON line");
    println!("PyTorch: {said}");
    Some((said, std::fs::read(output).expect("what it wrote")))
}

criterion_group!(speed, benches);

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` want criterion's behaviour only.
    let plain = !std::env::args().any(|arg| arg == "--test" || arg == "--list");
    if std::env::args().any(|arg| arg == "plan") {
        return plan();
    }
    if std::env::args().any(|arg| arg == "edit") {
        return edit();
    }
    if std::env::args().any(|arg| arg == "sweep") {
        return sweep();
    }
    if std::env::args().any(|arg| arg == "gradient") {
        return gradient();
    }
    if !std::env::args().any(|arg| arg == "compare") {
        speed();
        Criterion::default().configure_from_args().final_summary();
    }
    if plain {
        compare();
    }
}
