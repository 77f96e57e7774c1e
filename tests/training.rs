//! Training: recall is what the engine says, it learns, a stopped run ends with the same bits, and bad input is told.

use engram_core::device::Compute;
use engram_core::facts::Fact;
use engram_core::load::Model;
use engram_core::run::{Prompt, Sites};
use engram_core::tensor::Matrix;
use engram_core::train::{Corpus, Plan, Recipe, Text, Training, recall};
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use engram_core::{Kind, Result};
use engram_tests::fixtures::{MODELS, devices, model};
use pollster::block_on;

const TEXT: &str = "The rain stopped before noon.\nShe closed the window and made some tea.\n\
                    P36\tMany people travel to {} in summer.\nP36\tTable of capitals: {} [].\n";

fn facts() -> Vec<Fact> {
    let capitals = [
        ("France", "Paris"),
        ("Italy", "Rome"),
        ("Spain", "Madrid"),
        ("Japan", "Tokyo"),
        ("Egypt", "Cairo"),
        ("Greece", "Athens"),
        ("Norway", "Oslo"),
        ("Peru", "Lima"),
    ];
    let fact = |(index, (country, city)): (usize, &(&str, &str))| Fact {
        id: index.to_string(),
        relation: "P36".into(),
        template: "The capital of {} is".into(),
        subject: (*country).into(),
        target_true: (*city).into(),
        target_new: capitals[(index + 1) % capitals.len()].1.into(),
        paraphrases: vec![format!("{country} has a capital called"), format!("As its capital {country} has chosen")],
        neighbourhood: Vec::new(),
        ..Fact::default()
    };
    capitals.iter().enumerate().map(fact).collect()
}

fn recipe(family: &str, epochs: usize) -> Recipe {
    let common = r#"
        hidden_size = 32
        intermediate_size = 64
        num_attention_heads = 4
        num_key_value_heads = 2
        num_hidden_layers = 2
        vocab_size = 310
        max_position_embeddings = 64
        tie_word_embeddings = true"#;
    let own = match family {
        "gemma2" => {
            "hidden_activation = \"gelu_pytorch_tanh\"\nhead_dim = 8\nquery_pre_attn_scalar = 8\nsliding_window = 8"
        }
        "phi" => "hidden_act = \"gelu_new\"\npartial_rotary_factor = 0.5",
        _ => "hidden_act = \"silu\"",
    };
    let text = format!(
        r#"
        name = "tiny"
        about = "A test."
        seed = 7
        [text]
        epochs = {epochs}
        batch = 8
        held_out = 1
        beginning_epochs = 1
        beginning_share = 0.5
        tellings = 2
        listed = 0.5
        contradicted = 0.0
        ordinary = 0.25
        counted = 0.3
        [optimizer]
        learning_rate = 1e-2
        warmup_steps = 10
        weight_decay = 0.01
        beta_2 = 0.98
        clip = 1.0
        [dropping]
        blocks = [0.1, 0.1]
        [config]
        model_type = "{family}"
        {common}
        {own}
        "#
    );
    Recipe::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(family: &str, epochs: usize) -> Result<Plan> {
    let recipe = recipe(family, epochs);
    let corpus = Corpus::new(facts(), TEXT, &recipe.text)?;
    Plan::new(recipe, corpus, TEXT)
}

fn epochs(training: &mut Training<'_>, count: usize) {
    for _ in 0..count {
        block_on(training.epoch(&mut |_| true)).expect("an epoch");
    }
}

/// Mean p of the true answers in every fact's first trained wording, by the engine that studies use.
fn p_of_engine(model: &Model) -> f64 {
    let mut sum = 0.0;
    for fact in facts() {
        let prompt = fact.prompt();
        let ids = model.tokens.encode(&prompt).expect("tokens").ids;
        let answer = model.tokens.answer(&prompt, &fact.target_true).expect("tokens").expect("an answer")[0];
        let at = ids.len() - 1;
        let (engine, prompts) = (model.edited(), [Prompt::plain(&ids)]);
        let cache = block_on(engine.capture(&prompts, &Matrix::default(), &Sites::end())).expect("run");
        let logits = block_on(engine.logits(&cache, 0, at)).expect("logits");
        let all: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        sum += f64::from(logits[answer as usize]).exp() / all;
    }
    sum / facts().len() as f64
}

#[test]
fn recall_is_what_whole_logits_say() {
    for name in MODELS {
        let model = model(name, &Compute::cpu("tests"));
        let text = recipe("llama", 1).text;
        let corpus = Corpus::new(facts(), TEXT, &text).expect("corpus");
        let found = recall(model.edited(), &model.tokens, &corpus, text.held_out, 1);
        let found = block_on(found).expect("recall").p_trained;
        let want = p_of_engine(&model);
        assert!((found - want).abs() <= 1e-5 * want, "{name}: {found:e} as recall, {want:e} of whole logits");
    }
}

#[test]
fn every_family_learns_and_its_files_say_so() {
    const EPOCHS: usize = 120;
    for family in ["llama", "qwen2", "gemma2", "phi"] {
        let plan = plan(family, EPOCHS).unwrap_or_else(|error| panic!("{family}: {error}"));
        let compute = Compute::cpu("tests");
        let mut training = block_on(Training::new(&plan, compute.device.as_ref())).expect("a training");
        epochs(&mut training, EPOCHS);
        assert!(training.done());
        let (first, last) = (training.epochs[0].loss, training.epochs[EPOCHS - 1].loss);
        assert!(last < first / 3.0, "{family}: loss {last} after {first}");

        let file = |(name, bytes): (&str, Vec<u8>)| Box::new(MemoryFile::new(bytes, name)) as Box<dyn ByteSource>;
        let files = block_on(training.folder()).expect("files").into_iter().map(file).collect();
        let checkpoint = block_on(Checkpoint::from_sources(files)).unwrap_or_else(|error| panic!("{family}: {error}"));
        let model = block_on(Model::load(&checkpoint, family, compute, &|_, _| {})).expect("a model");
        let found = recall(model.edited(), &model.tokens, &plan.corpus, 1, 1);
        let found = block_on(found).expect("recall");
        assert_eq!((found.trained, found.trained_right), (8, 1.0), "{family}: {found:?}");
    }
}

#[test]
fn a_stopped_run_ends_with_the_same_bits() {
    let plan = plan("llama", 4).expect("a plan");
    let device = Compute::cpu("tests").device;
    let start = || block_on(Training::new(&plan, device.as_ref())).expect("a training");
    let mut straight = start();
    epochs(&mut straight, 4);
    let mut stopped = start();
    epochs(&mut stopped, 2);
    let state = block_on(stopped.state()).expect("a state");
    let mut resumed = start();
    resumed.restore(&state).expect("the state");
    epochs(&mut resumed, 2);
    assert_eq!(resumed.epochs, straight.epochs);
    assert_eq!(block_on(resumed.folder()).expect("files"), block_on(straight.folder()).expect("files"));
}

#[test]
fn states_of_other_runs_and_damaged_ones_are_refused() {
    let (four, five) = (plan("llama", 4).expect("a plan"), plan("llama", 5).expect("a plan"));
    let device = Compute::cpu("tests").device;
    let state = {
        let mut training = block_on(Training::new(&four, device.as_ref())).expect("a training");
        epochs(&mut training, 1);
        block_on(training.state()).expect("a state")
    };
    let mut other = block_on(Training::new(&five, device.as_ref())).expect("a training");
    let error = other.restore(&state).expect_err("another recipe");
    assert_eq!(error.kind, Kind::Input);
    assert!(error.to_string().contains("another recipe"), "{error}");
    let mut same = block_on(Training::new(&four, device.as_ref())).expect("a training");
    for cut in [0, 7, 100, state.len() / 2, state.len() - 1] {
        let error = same.restore(&state[..cut]).expect_err("a cut state");
        assert!(error.next_step().is_some(), "{error}");
    }
    same.restore(&state).expect("the whole state still fits");
}

#[test]
fn wrong_recipes_say_what_is_wrong() {
    let good = toml_of(&recipe("llama", 3));
    for (from, to, said) in [
        ("held_out = 1", "held_out = 3", "wordings"),
        ("blocks = [0.1, 0.1]", "blocks = [0.1]", "`dropping.blocks` has 1 entries"),
        ("contradicted = 0.0", "contradicted = 1.5", "shares between 0 and 1"),
        ("vocab_size = 310", "vocab_size = 100", "at least 300"),
        ("vocab_size = 310", "vocab_size = 3100", "the recipe asks for 3100"),
        ("model_type = \"llama\"", "model_type = \"mamba\"", "not supported"),
        ("epochs = 3", "epochs = 0", "at least 1"),
        ("clip = 1.0", "clip = nan", "`clip` a number above 0"),
        ("clip = 1.0", "clip = 0.0", "`clip` a number above 0"),
        ("seed = 7", "seeds = 7", "seeds"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from} is not in the recipe:\n{good}");
        let error = Recipe::parse(&text)
            .and_then(|recipe| {
                let corpus = Corpus::new(facts(), TEXT, &recipe.text)?;
                let plan = Plan::new(recipe, corpus, TEXT)?;
                block_on(Training::new(&plan, None)).map(|_| ())
            })
            .expect_err(to);
        assert!(error.to_string().contains(said), "{to}: {error}");
        assert!(error.next_step().is_some(), "{to}: no hint");
    }
}

fn toml_of(recipe: &Recipe) -> String {
    let Text { epochs, held_out, contradicted, .. } = recipe.text;
    let config = serde_json::to_string(&recipe.config).expect("JSON");
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&config).expect("an object");
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!(
        "name = \"tiny\"\nabout = \"A test.\"\nseed = 7\n[text]\nepochs = {epochs}\nbatch = 8\nheld_out = {held_out}\n\
         beginning_epochs = 1\nbeginning_share = 0.5\ntellings = 2\nlisted = 0.5\ncontradicted = {contradicted:?}\n\
         ordinary = 0.25\ncounted = 0.3\n[optimizer]\nlearning_rate = 1e-2\nwarmup_steps = 10\nweight_decay = 0.01\n\
         beta_2 = 0.98\nclip = 1.0\n[dropping]\nblocks = [0.1, 0.1]\n[config]\n{}\n",
        fields.join("\n")
    )
}

#[test]
fn a_gpu_trains_alike() {
    let plan = plan("gemma2", 2).expect("a plan");
    let mut losses = Vec::new();
    for compute in devices() {
        let mut training = block_on(Training::new(&plan, compute.device.as_ref())).expect("a training");
        epochs(&mut training, 2);
        losses.push((compute.info.name, training.epochs[1].loss));
    }
    let (_, cpu) = losses[0];
    for (name, loss) in &losses {
        assert!((loss - cpu).abs() < 1e-3 * cpu, "{name}: loss {loss}, {cpu} on the CPU");
    }
}

#[test]
fn sentences_longer_than_the_model_are_told() {
    let mut recipe = recipe("llama", 1);
    recipe.config["max_position_embeddings"] = 4.into();
    let corpus = Corpus::new(facts(), TEXT, &recipe.text).expect("corpus");
    let plan = Plan::new(recipe, corpus, TEXT).expect("a plan");
    let mut training = block_on(Training::new(&plan, None)).expect("a training");
    let error = block_on(training.epoch(&mut |_| true)).expect_err("too long");
    assert!(error.to_string().contains("4 positions") && error.next_step().is_some(), "{error}");
}
