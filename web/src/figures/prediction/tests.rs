use super::super::sample;
use super::*;
use engram_core::metrics::predictions;
use engram_core::record::Answers;

fn found(record: &Record) -> Prediction {
    predictions(record).into_iter().next().expect("an answer")
}

#[test]
fn layers_have_their_means_in_two_panels() {
    let record = sample::swept("tiny");
    let figure = by_layer("tiny", &record, &found(&record));
    assert_eq!(
        (figure.title.as_str(), figure.along.clone()),
        ("tiny, ROME", Along::Layers { count: 3, own: vec![1, 2, 3] })
    );
    let names = |at: usize| figure.panels[at].lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["rewrite score"], vec!["residual, subject-last"]), "no whole answers");
    assert_eq!(figure.column(1), "At layer 2: rewrite score 0.708 ± 0.125; residual, subject-last 0.300 ± 0.100");
    let said = figure.sentence();
    assert!(said.starts_with("tiny, ROME: rewrite score from 0.") && said.contains("to 0.708 at layer 2;"), "{said}");
    let (head, rows) = figure.numbers();
    assert_eq!((head.len(), rows.len(), rows[2][0].as_str()), (3, 3, "3"));
    // The band counts, the other lines' errors do not.
    let highest = figure.panels[0].values().into_iter().fold(0.0, f64::max);
    assert!((highest - 0.8333).abs() < 1e-3, "{highest}");
}

#[test]
fn outcomes_that_some_layers_lack_are_dashes() {
    let mut record = sample::swept("tiny");
    let whole = Answers {
        nll_true: [1.0, 2.0],
        nll_new: [2.0, 1.0],
        argmax_true: [1, 0],
        argmax_new: [0, 1],
        tokens: [1, 1],
        kept: 0,
    };
    record.edits.iter_mut().flatten().filter(|edit| edit.layer == 2).for_each(|edit| edit.answers = Some(whole));
    let figure = by_layer("tiny", &record, &found(&record));
    assert_eq!(figure.panels[0].lines[1].name, "ES");
    let (_, rows) = figure.numbers();
    assert_eq!([rows[0][2].as_str(), rows[1][2].as_str()], ["–", "1.000 ± 0.000"]);
    assert!(!figure.column(0).contains("ES") && figure.column(1).contains("ES 1.000"));
}

#[test]
fn every_fact_and_layer_is_a_dot_of_its_depth() {
    let record = sample::swept("tiny");
    let scatter = dots("tiny", &record, &found(&record)).expect("dots");
    assert_eq!((scatter.dots.len(), scatter.shades.len()), (12, 3));
    assert_eq!(scatter.shades.iter().map(|shade| shade.0).collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
    assert!(scatter.shades[0].1 != scatter.shades[2].1 && scatter.shades[0].1.starts_with('#'));
    let last = scatter.dots.last().expect("a dot");
    assert_eq!(last.words, "The capital of land 3 is: layer 1 of 3, tracing effect 0.700, rewrite score 0.867");
    assert_eq!((last.series, scatter.x.name), (0, "tracing effect: residual, subject-last"));
    let mut one = record.clone();
    one.model.layers = 1;
    assert_eq!(depth(0, one.model.layers).0, 0.0, "a single layer has no depth to divide by");
}

#[test]
fn models_stand_beside_each_other_and_few_are_not_correlated() {
    let record = sample::swept("a");
    let answer = found(&record);
    let rows = models([("a", &record, &answer)]);
    assert_eq!((rows[0].name.as_str(), rows[0].kept), ("a", [None, Some(2.0 / 3.0)]));
    let scores = rows[0].scores.map(|score| score.map(|score| (score * 1000.0).round()));
    assert_eq!(scores, [Some(529.0), Some(708.0), Some(475.0)]);
    assert_eq!(over_models(&[rows[0].clone(), rows[0].clone()]), "Over 2 models no correlation is told.");
    let row =
        |r: f64, score: f64| Model { name: String::new(), kept: [Some(r), None], scores: [None, None, Some(score)] };
    let four = [row(0.1, 0.2), row(0.2, 0.4), row(0.3, 0.6), row(0.4, 0.8)];
    assert_eq!(over_models(&four), "Over models R and the mean rewrite score go together with r = 1.00 (n = 4).");
    assert_eq!(over_models(&four[..3]), "Over 3 models no correlation is told.");
    assert_eq!(pearson(&[[1.0, 2.0], [1.0, 3.0]]), None, "one of them does not vary");
}

#[test]
fn an_axis_has_no_step_for_a_hair_below_zero() {
    assert_eq!(seen(vec![0.5, -0.002, 0.0]), [0.5, 0.0]);
    assert_eq!(seen(vec![0.05, -0.002]), [0.05, -0.002]);
    assert_eq!(seen(vec![-0.3, -0.1]), [-0.3, -0.1], "all of them below zero");
}

#[test]
fn only_edits_at_several_layers_are_a_question() {
    assert!(is_swept(&sample::swept("a")) && !is_swept(&sample::record()));
    let stopped = Record { edits: None, ..sample::swept("a") };
    assert!(!is_swept(&stopped));
}
