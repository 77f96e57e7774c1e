//! Gradients of a loss with respect to every tensor of every family: what training rests on.

use super::directions;
use engram_core::model::loader::Loader;
use engram_core::model::{Parameter, Parameters, Transformer, build};
use engram_core::run::{Edited, Label, Plan, Prompt};
use engram_core::tensor::Vector;
use engram_core::weights::Checkpoint;
use engram_tests::fixtures::{MODELS, Reference, devices, fixture};
use engram_tests::naive::Plain;
use engram_tests::oracle::Random;
use pollster::block_on;
use std::collections::BTreeMap;

/// A fixture's tensors as parameters of a training, on the host or on a device.
struct Trained {
    config: serde_json::Value,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Trained {
    fn of(name: &str) -> Self {
        let checkpoint = block_on(Checkpoint::open(&fixture("models").join(name), None)).expect("a checkpoint");
        let mut tensors = BTreeMap::new();
        for (name, info) in checkpoint.tensors() {
            let values = block_on(checkpoint.read_f32(name)).expect("a tensor");
            tensors.insert(name.clone(), (info.shape.clone(), values));
        }
        Self { config: checkpoint.config().clone(), tensors }
    }

    /// The model, with some tensor moved.
    fn net(&self, device: Option<&burn::Device>, moved: Option<(&str, &[f32], f32)>) -> Transformer {
        let parameters = Parameters::new(device, Box::new(|name, _| panic!("{name} is not in the file")));
        for (name, (shape, values)) in &self.tensors {
            let mut values = values.clone();
            if let Some((_, by, sign)) = moved.filter(|(moved, ..)| moved == name) {
                values.iter_mut().zip(by).for_each(|(x, by)| *x += sign * by);
            }
            parameters.set(name, Parameter { shape: shape.clone(), values: Vector::new(values, device) });
        }
        block_on(build(&self.config, &Loader::training(&parameters))).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Every fixture that training could have made: it writes text models, under the names of their own class.
fn trained_models() -> impl Iterator<Item = &'static str> {
    MODELS.into_iter().filter(|name| *name != "gemma3-multimodal")
}

/// Prompts that begin alike, and labels at some of their positions, several at one of them.
fn batch(name: &str) -> (Vec<Prompt>, Vec<Label>) {
    let reference = Reference::of(name);
    let mut prompts: Vec<Prompt> = (0..3).map(|p| Prompt::plain(&reference.ids(p))).collect();
    prompts.push(Prompt::plain(&prompts[0].ids[..3]));
    let label = |prompt, position, token| Label { prompt, position, token };
    let labels = vec![
        label(0, 1, 40),
        label(0, 4, 17),
        label(1, 1, 41),
        label(1, 6, 5),
        label(2, 0, 3),
        label(2, 7, 100),
        label(3, 2, 9),
        label(3, 2, 10),
    ];
    (prompts, labels)
}

/// The mean cross-entropy by full forwards in f64.
fn naive(net: &Transformer, prompts: &[Prompt], labels: &[Label]) -> f64 {
    let plain = Plain::of_net(net, &[]);
    let runs: Vec<_> = prompts.iter().map(|prompt| plain.forward(&prompt.ids, &[], &[], &[], &[])).collect();
    let one = |label: &Label| {
        let logits = &runs[label.prompt].exact[label.position];
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        max + logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln() - logits[label.token as usize]
    };
    labels.iter().map(one).sum::<f64>() / labels.len() as f64
}

fn loss(
    net: &Transformer,
    device: Option<&burn::Device>,
    (prompts, labels): &(Vec<Prompt>, Vec<Label>),
    skip: &[bool],
) -> (f32, BTreeMap<String, Vec<f32>>) {
    let plan = Plan::of(net, device.is_none(), 1 << 30, u64::MAX);
    let edited = Edited { net, device, plan, overlays: &[] };
    let (loss, grads) = block_on(edited.loss(prompts, labels, skip)).unwrap_or_else(|error| panic!("{error}"));
    let values = |x: Vector| block_on(x.values()).expect("numbers");
    (loss, grads.into_iter().map(|(name, x)| (name, values(x))).collect())
}

/// Without a block of a model.
fn without(net: &Transformer, block: usize) -> Transformer {
    let mut net = net.clone();
    net.blocks.remove(block);
    net.shape.layers -= 1;
    net
}

#[test]
fn every_tensor_has_the_gradient_of_naive_differences() {
    for name in trained_models() {
        let trained = Trained::of(name);
        let all = batch(name);
        let (prompts, labels) = &all;
        let net = trained.net(None, None);
        let layers = net.shape.layers;
        for skipped in [None, Some(1), Some(layers - 1)] {
            let cut = |net: &Transformer| skipped.map_or_else(|| net.clone(), |block| without(net, block));
            let skip: Vec<bool> = (0..layers).map(|block| Some(block) == skipped).collect();
            let (found, grads) = loss(&net, None, &all, &skip);
            let want = naive(&cut(&net), prompts, labels);
            assert!((f64::from(found) - want).abs() <= 1e-5 * want, "{name}: {found}, not {want}");
            let mut random = Random::new(2);
            let mut worst = 0.0f64;
            for (tensor, (_, values)) in &trained.tensors {
                let own = skipped.is_some_and(|block| tensor.contains(&format!(".{block}.")));
                let Some(grad) = grads.get(tensor) else {
                    assert!(own, "{name}: {tensor} has no gradient");
                    continue;
                };
                assert!(!own, "{name}: {tensor} of a block that was left out has a gradient");
                assert_eq!(grad.len(), values.len());
                for by in directions(grad, &mut random) {
                    // Stored numbers are no multiples of anything, so the steps are those that f32 made of them; of
                    // Gemma's norms, when one was added.
                    let one = if name.starts_with("gemma") && tensor.contains("norm") { 1.0 } else { 0.0 };
                    let made = |sign: f32| values.iter().zip(&by).map(move |(x, by)| (x + sign * by) + one);
                    let way: Vec<f64> = made(1.0).zip(made(-1.0)).map(|(a, b)| f64::from(a) - f64::from(b)).collect();
                    let moved = |sign| naive(&cut(&trained.net(None, Some((tensor, &by, sign)))), prompts, labels);
                    let want = moved(1.0) - moved(-1.0);
                    let got: f64 = grad.iter().zip(&way).map(|(a, b)| f64::from(*a) * b).sum();
                    let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
                    let size = length(&mut grad.iter().map(|&x| f64::from(x))) * length(&mut way.iter().copied());
                    let apart = (got - want).abs() / size.max(1e-12);
                    assert!(apart <= 1e-4, "{name}, {tensor}: {got:e}, not {want:e} (of {size:e})");
                    worst = worst.max(apart);
                }
            }
            println!("{name}, without block {skipped:?}: {} tensors, {worst:.1e} of their length", grads.len());
        }
    }
}

#[test]
fn threads_move_no_bit_and_devices_agree() {
    for name in trained_models() {
        let trained = Trained::of(name);
        // Enough rows for several passes.
        let (prompts, labels) = batch(name);
        let times = 20;
        let many = (0..times).flat_map(|_| prompts.clone()).collect();
        let again = |time: usize| labels.iter().map(move |label| Label { prompt: label.prompt + time * 4, ..*label });
        let all: (Vec<Prompt>, Vec<Label>) = (many, (0..times).flat_map(again).collect());
        let net = trained.net(None, None);
        let want = loss(&net, None, &all, &[]);
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            assert_eq!(pool.install(|| loss(&net, None, &all, &[])), want, "{name}: {threads} threads");
        }
        for compute in devices().into_iter().filter(|compute| !compute.is_cpu()) {
            let device = compute.device.as_ref();
            let (found, grads) = loss(&trained.net(device, None), device, &all, &[]);
            assert!((found - want.0).abs() <= 1e-5 * want.0, "{name} on {}: {found}", compute.info.name);
            assert!(grads.keys().eq(want.1.keys()));
            for (tensor, want) in &want.1 {
                let size = want.iter().fold(1e-4f32, |most, x| most.max(x.abs()));
                let apart = engram_tests::fixtures::difference(&grads[tensor], want) / size;
                assert!(apart <= 2e-4, "{name} on {}, {tensor}: {apart:e}", compute.info.name);
            }
        }
    }
}
