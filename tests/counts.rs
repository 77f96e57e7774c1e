//! How often a study tokenizes a fact and computes its prompts from the embedding on. Alone in its process: it counts for all of it.

use engram_core::device::Compute;
use engram_core::facts::{Fact, FactFile};
use engram_core::record::{EditLayers, PatchPosition, Record, Settings, Spsa};
use engram_core::run::counts;
use engram_core::study::{self, Event, Observer};
use engram_tests::fixtures::{Reference, model};
use pollster::block_on;

struct Quiet;

impl Observer for Quiet {
    fn event(&mut self, _: Event<'_>) -> engram_core::Result<()> {
        Ok(())
    }
}

#[test]
fn a_fact_is_tokenized_once_and_its_prompts_are_run_as_rarely_as_can_be() {
    let mut model = model("llama", &Compute::cpu("tests"));
    let reference = Reference::of("llama");
    let text = |key: &str| reference.json[key].as_str().expect(key).to_owned();
    let (prompt, subject) = (reference.json["prompts"][0]["text"].as_str().expect("text"), text("subject"));
    let fact = Fact {
        id: "0".into(),
        relation: "P36".into(),
        template: prompt.replacen(&subject, "{}", 1),
        subject,
        target_true: reference.json["answer"]["text"].as_str().expect("answer").trim().into(),
        target_new: "London".into(),
        ..Fact::default()
    };
    let facts = FactFile::of("one", vec![fact]);
    let mut settings = Settings { n: 1, maps: 1, stages: vec![1, 2, 3], min_effect: -1.0, ..Settings::default() };
    settings.edit.facts = 1;
    settings.edit.methods = vec![Spsa { steps: 3, ..Spsa::default() }.into()];
    settings.edit.layers = EditLayers::of([2]);
    settings.edit.min_p_false = 0.0;
    let header = block_on(study::header(&model, &facts, settings, "test")).expect("a header");
    counts::start();
    let record: Record = block_on(study::run(&mut model, &facts, header, &mut Quiet)).expect("a study");
    let counts = counts::take();
    let (_, traced) = record.validated().next().expect("a validated fact");
    assert!(traced.maps.is_some() && traced.lens.is_some() && record.edits.as_ref().is_some_and(|e| e.len() == 1));
    assert!(
        [PatchPosition::SubjectLast, PatchPosition::LastToken]
            .iter()
            .any(|position| traced.redundancy.contains_key(position))
    );

    let times = |prompt: usize| counts.prompts.get(&reference.ids(prompt)).copied().unwrap_or(0);
    assert_eq!(counts.facts, 1);
    // Screening, Stage 1, maps, lens and redundancy together; v* and the edit's measurement.
    assert_eq!(times(0), 2, "the clean prompt");
    // Screening and all of Stage 1; without block l* it is another prompt.
    assert_eq!(times(1), 1, "the corrupted prompt");
}
