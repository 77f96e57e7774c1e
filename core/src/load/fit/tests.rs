use super::*;
use crate::model::Sizes;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// A model of four billion parameters, of a shape as they have it; its largest tensor is the vocabulary table.
fn model() -> Takes {
    let sizes = Sizes { layers: 32, vocab: 128_000, widest: 10_240, row: 4 * (8 * 2_560 + 4 * 10_240) };
    let matrices = 16 * GIB;
    let survey = Survey { bytes: matrices + 8 * MIB, matrices, largest: 1250 * MIB, whole: 100 * MIB, sizes };
    Takes { survey, tokenizer: 9 * MIB }
}

/// A card with so much memory.
fn card(all: u64) -> Place {
    Place {
        cpu: false,
        memory: Some(GpuMemory { all, free: None }),
        software: false,
        binding: 2 * GIB,
        halves: true,
        host: 32 * GIB,
        activations: 2 * GIB,
    }
}

#[test]
fn half_of_the_matrices_and_nothing_else_is_saved() {
    let [full, half] = [Precision::F32, Precision::F16].map(|precision| model().on(&card(24 * GIB), precision));
    assert_eq!((full.weights, half.weights), (16 * GIB + 8 * MIB, 8 * GIB + 8 * MIB));
    assert_eq!((full.largest, half.largest), (1250 * MIB, 625 * MIB));
    assert_eq!(full.smallest_batch, 64 * 4 * (8 * 2_560 + 4 * 10_240) + 128_000 * 8);
    assert_eq!(full.host, half.host, "numbers are read as f32 in either");
    assert!(full.batch > full.smallest_batch && half.rows >= full.rows && full.facts >= 4, "{full:?}");
}

#[test]
fn a_card_between_the_two_takes_f16_and_says_why() {
    let (place, model) = (card(12 * GIB), model());
    assert_eq!(
        model.verdict(&place, Precision::F32),
        "fits in f16 (8.0 GiB), not in f32: it needs 16.0 GiB of the device's memory, and 12.0 GiB are free"
    );
    let (precision, why) = model.choose(&place, None);
    assert_eq!(
        (precision, why.as_deref()),
        (Precision::F16, Some("f16, since f32 needs 16.0 GiB and room for batches, and 12.0 GiB are free"))
    );
    assert_eq!(model.choose(&place, Some(Precision::F32)), (Precision::F32, None), "who asks gets it");
    let refused = model.refuse("four-billion", &place, Precision::F32).expect_err("16 GiB in 12");
    assert_eq!(refused.kind, Kind::Memory);
    assert_eq!(
        refused.message(),
        "the model four-billion does not fit in f32: it needs 16.0 GiB of the device's memory, and 12.0 GiB are free"
    );
    assert_eq!(refused.next_step(), Some("use --precision f16"));
    assert_eq!(refused.page_step(), Some("choose the precision f16"));
}

#[test]
fn what_fits_nowhere_is_refused_with_both_numbers() {
    let (place, model) = (card(6 * GIB), model());
    let told = model.verdict(&place, Precision::F32);
    assert!(told.starts_with("does not fit: in f32 it needs 16.0 GiB"), "{told}");
    assert!(told.contains("6.0 GiB are free; in f16 it needs 8.0 GiB"), "{told}");
    assert_eq!(model.choose(&place, None).0, Precision::F16);
    let refused = model.refuse("x", &place, Precision::F16).expect_err("8 GiB in 6");
    assert_eq!(refused.next_step(), Some("take a smaller model, or use --device cpu"));
    let plain = Place { halves: false, ..place };
    assert!(
        model.verdict(&plain, Precision::F32).ends_with("no 16-bit numbers"),
        "{}",
        model.verdict(&plain, Precision::F32)
    );
    assert_eq!(model.choose(&plain, None), (Precision::F32, None), "an adapter without f16 gets f32");
    assert_eq!(model.advice(&plain, Precision::F32)[0], "take a smaller model, or use --device cpu");
}

#[test]
fn what_others_use_is_not_counted() {
    let used = Place { memory: Some(GpuMemory { all: 24 * GIB, free: Some(12 * GIB) }), ..card(0) };
    let (whole, model) = (card(24 * GIB), model());
    assert_eq!((model.choose(&whole, None).0, model.choose(&used, None).0), (Precision::F32, Precision::F16));
    assert_eq!(model.verdict(&whole, Precision::F32), "fits in f32: 16.0 GiB of 24.0 GiB");
    // It fits, and would compute in the smallest batches only.
    let tight = card(16 * GIB + 512 * MIB);
    assert_eq!(model.on(&tight, Precision::F32).lack, None);
    assert_eq!(model.choose(&tight, None).0, Precision::F16);
    assert_eq!(
        model.choose(&tight, None).1.as_deref(),
        Some("f16, since f32 needs 16.0 GiB and room for batches, and 16.5 GiB are free")
    );
    assert_eq!(model.verdict(&tight, Precision::F16), "fits in f16: 8.0 GiB of 16.5 GiB");
}

#[test]
fn a_driver_that_tells_nothing_is_said_to() {
    let (place, model) = (Place { memory: None, ..card(0) }, model());
    assert_eq!(model.choose(&place, None), (Precision::F32, None));
    let told = model.verdict(&place, Precision::F32);
    assert_eq!(told, "fits in f32: 16.0 GiB; the driver does not tell how much memory there is");
    assert_eq!(model.on(&place, Precision::F32).lack, None, "nothing is known to speak against it");
}

#[test]
fn a_matrix_is_bound_whole_and_a_table_is_not() {
    let (mut model, place) = (model(), Place { memory: None, binding: 128 * MIB, ..card(0) });
    let fit = model.on(&place, Precision::F32);
    assert_eq!((fit.lack, fit.binding), (None, 128 * MIB), "the table of 1250 MiB is split");
    model.survey.whole = 200 * MIB;
    assert_eq!(model.on(&place, Precision::F32).lack, Some(Lack::Binding { needs: 200 * MIB, most: 128 * MIB }));
    let (precision, why) = model.choose(&place, None);
    assert_eq!(precision, Precision::F16);
    assert_eq!(
        why.as_deref(),
        Some("f16, since in f32 one matrix takes 200 MiB, and the device binds at most 128 MiB")
    );
    assert_eq!(model.refuse("x", &place, Precision::F32).expect_err("it cannot be bound").kind, Kind::Memory);
}

#[test]
fn main_memory_counts_where_it_is_the_device() {
    let model = model();
    let cpu = Place { cpu: true, memory: None, binding: u64::MAX, halves: false, activations: 4 * GIB, ..card(0) };
    let told = model.verdict(&cpu, Precision::F32);
    assert!(told.starts_with("fits in f32: 17.4 GiB of 32.0 GiB"), "{told}");
    let small = Place { host: 12 * GIB, ..cpu };
    assert_eq!(
        model.verdict(&small, Precision::F32),
        "does not fit: it needs 17.4 GiB of main memory, and 12.0 GiB are free"
    );
    assert_eq!(model.choose(&small, None), (Precision::F32, None));
    assert_eq!(model.on(&small, Precision::F32).rows, 64, "no room is left beside the weights");
    // A software adapter's memory is main memory, whatever it says to have.
    let software = Place { software: true, host: 12 * GIB, ..card(2 * GIB) };
    assert!(matches!(model.on(&software, Precision::F32).lack, Some(Lack::Host { .. })));
    assert_eq!(model.on(&software, Precision::F16).lack, None);
    assert!(model.verdict(&software, Precision::F32).contains("of main memory, and 12.0 GiB are free"));
    assert_eq!(model.advice(&software, Precision::F32)[0], "use --precision f16");
}

#[test]
fn a_model_without_sizes_is_no_division_by_nothing() {
    let sizes = Sizes { layers: 0, vocab: 0, widest: 1, row: 0 };
    let model = Takes { survey: Survey { bytes: 0, matrices: 0, largest: 0, whole: 0, sizes }, tokenizer: u64::MAX };
    assert!(matches!(model.on(&card(GIB), Precision::F16).lack, Some(Lack::Host { .. })));
}
