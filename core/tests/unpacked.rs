//! Small files that unpack to much, or that a reader could make much of: read, or refused, in memory of the order of
//! what they hold. Every allocation is counted.

use engram_core::record::{FactSource, ModelInfo, Record, Settings};
use engram_core::{facts, journal, pack};
use flate2::{Compression, write::GzEncoder};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator with a tally.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn came(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both live while it is copied.
        came(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What came of it, and the most bytes that were held beside what there was.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let out = work();
    (out, PEAK.load(Ordering::Relaxed) - before)
}

fn gzip(parts: &[(&str, usize)]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for (text, times) in parts {
        let block = text.repeat(1000);
        for _ in 0..times / 1000 {
            encoder.write_all(block.as_bytes()).expect("in memory");
        }
        encoder.write_all(text.repeat(times % 1000).as_bytes()).expect("in memory");
    }
    encoder.finish().expect("in memory")
}

const MIB: usize = 1 << 20;

/// A record with one fact, into which `more` is put.
fn record(more: &str) -> String {
    let record = Record {
        engram: 1,
        program: "test".into(),
        settings: Settings::default(),
        model: ModelInfo { layers: 2, ..ModelInfo::default() },
        device: Default::default(),
        source: FactSource::default(),
        facts: vec![],
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    };
    let text = String::from_utf8(journal::to_json(&record).expect("a record")).expect("UTF-8");
    let fact = "{\"order\":0,\"id\":\"7\",\"relation\":\"\",\"prompt\":\"A is\",\"subject\":\"A\",\"target_true\":\"b\",\
                \"target_new\":\"c\",\"outcome\":\"validated\",\"tokens\":[],\"subject_span\":[0,0],\"corrupt_tokens\":[],\
                \"corrupt_span\":[0,0],\"p_clean\":1,\"p_corrupt\":0,\"p_false\":0,\"without_block\":[],\
                \"without_attention\":[],\"without_mlp\":[],MORE}";
    text.replace("\"facts\":[]", &format!("\"facts\":[{}]", fact.replace("MORE", more)))
}

/// One test, because the tally is of the whole process.
#[test]
fn memory_is_of_the_order_of_what_files_hold() {
    // 8 MB of zeros in a record: a list longer than any model is deep, told with its place.
    let zeros = record(&format!("\"patched\":{{\"subject-last\":[{}0]}}", "0,".repeat(4 * MIB)));
    let (found, peak) = measured(|| journal::from_bytes("r", zeros.as_bytes()));
    let said = found.expect_err("no model has so many layers").to_string();
    assert!(said.contains("r: facts[0] (id 7): a list of more than 10000 entries"), "{said}");
    assert!(peak < MIB, "{peak} bytes for {}", zeros.len());

    // The same where nothing of it is wanted.
    let zeros = record(&format!("\"patched\":{{}},\"later\":[{}0]", "0,".repeat(4 * MIB)));
    let (found, peak) = measured(|| journal::from_bytes("r", zeros.as_bytes()));
    assert_eq!(found.expect("unknown keys are passed over").facts.len(), 1);
    assert!(peak < MIB, "{peak} bytes for {}", zeros.len());

    // And packed: some kilobytes that unpack to eight megabytes.
    let parts = record("\"patched\":{},\"later\":[0MANY]");
    let (head, tail) = parts.split_once("MANY").expect("the mark");
    let packed = gzip(&[(head, 1), (",0", 4 * MIB), (tail, 1)]);
    let (found, peak) = measured(|| journal::from_bytes("r", &packed));
    assert_eq!(found.expect("the packed record reads").facts.len(), 1);
    assert!(peak < 2 * MIB, "{peak} bytes for {} packed", packed.len());

    // A settings tree that a tagged type would have gathered first.
    let text = record("\"patched\":{}");
    let text = text.replace("\"corruption\":{", &format!("\"corruption\":{{\"x\":[{}0],", "0,".repeat(4 * MIB)));
    let (found, peak) = measured(|| journal::from_bytes("r", text.as_bytes()));
    assert!(found.is_ok() && peak < MIB, "{peak} bytes: {:?}", found.err());

    // Facts: lists where texts are wanted, and records without end.
    let lists = gzip(&[("[{\"subject\":\"A\",\"prompt\":\"A is\",\"attribute\":[0", 1), (",[]", 4 * MIB), ("]}]", 1)]);
    let (found, peak) = measured(|| facts::parse("f.json.gz", &lists));
    let said = found.expect_err("a list is no answer").to_string();
    assert!(said.contains("record 1: attribute is a list"), "{said}");
    assert!(peak < 2 * MIB, "{peak} bytes for {} packed", lists.len());

    let prompts = gzip(&[
        ("[{\"subject\":\"A\",\"prompt\":\"A is\",\"attribute\":\"b\",\"paraphrase_prompts\":[\"\"", 1),
        (",\"\"", 4 * MIB),
        ("]}]", 1),
    ]);
    let (found, peak) = measured(|| facts::parse("f.json.gz", &prompts));
    let said = found.expect_err("too many").to_string();
    assert!(said.contains("paraphrase_prompts has more than 10000 entries"), "{said}");
    assert!(peak < 4 * MIB, "{peak} bytes for {} packed", prompts.len());

    // 89 kB that unpack to 90 MB: no file of facts packs so well.
    let bomb = gzip(&[("[", 1), ("{\"subject\":\"A\",\"prompt\":\"A is\",\"attribute\":\"b\"},", 2 * MIB)]);
    assert!(bomb.len() < 400_000, "{}", bomb.len());
    let (found, peak) = measured(|| facts::parse("f.json.gz", &bomb));
    let said = found.expect_err("too much").to_string();
    assert!(said.contains("unpacks to more than 64 MiB") && said.contains("hint"), "{said}");
    assert!(peak < MIB, "{peak} bytes for {} packed", bomb.len());

    // Records without anything, behind a good one.
    let good = "[{\"subject\":\"A\",\"prompt\":\"A is\",\"attribute\":\"b\"}";
    let empty = gzip(&[(good, 1), (",{}", 100_000), ("]", 1)]);
    let (found, peak) = measured(|| facts::parse("f.json.gz", &empty));
    assert_eq!(found.expect("a good one is there").warnings[0].split(':').next(), Some("100000 facts are excluded"));
    assert!(peak < 80 * MIB, "{peak} bytes for a hundred thousand facts");

    // One text, and one row of a table, without end.
    let long = gzip(&[("[{\"subject\":\"A\",\"attribute\":\"b\",\"prompt\":\"A is", 1), ("x", 4 * MIB), ("\"}]", 1)]);
    let (found, peak) = measured(|| facts::parse("f.json.gz", &long));
    let said = found.expect_err("no prompt is so long").to_string();
    assert!(said.contains("record 1: prompt has 4194308 bytes; at most 65536"), "{said}");
    assert!(peak < 16 * MIB, "{peak} bytes");
    let open = gzip(&[("prompt,subject,target\n\"", 1), ("A is,\n", 2 * MIB)]);
    let (found, peak) = measured(|| facts::parse("f.csv.gz", &open));
    let said = found.expect_err("a quote is open").to_string();
    assert!(said.contains("is a quote left open?"), "{said}");
    assert!(peak < 8 * MIB, "{peak} bytes");

    // Parquet: a long text for many rows, a list without end, a page without end.
    #[cfg(feature = "parquet")]
    for (name, wanted, most) in [
        ("dictionary", "unpacks to too much text", 160 * MIB),
        ("list", "a list of the Parquet file has too many entries", 32 * MIB),
        ("page", "a page of the Parquet file unpacks to more than 8 MiB", 16 * MIB),
    ] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/hostile/facts");
        let bytes = std::fs::read(format!("{folder}/{name}.parquet")).expect("a fixture");
        assert!(bytes.len() < 40_000, "{name}: {}", bytes.len());
        let (found, peak) = measured(|| facts::parse("f.parquet", &bytes));
        let said = found.expect_err(name).to_string();
        assert!(said.contains(wanted), "{name}: {said}");
        assert!(peak < most, "{name}: {peak} bytes for {}", bytes.len());
    }

    // What a page or a link carries.
    let payload = |json: &str, zeros: usize| {
        let mut bytes = b"engram\x00\x01".to_vec();
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json.as_bytes());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes).expect("in memory");
        (0..zeros / MIB).for_each(|_| encoder.write_all(&vec![0; MIB]).expect("in memory"));
        encoder.finish().expect("in memory")
    };
    let (found, peak) =
        measured(|| pack::unpack(&payload("{\"records\":[],\"counts\":[],\"facts\":[],\"edits\":[]}", 100 * MIB)));
    assert!(found.is_err_and(|error| error.to_string().contains("unpacks to more than 64 MiB")));
    assert!(peak < 4 * MIB, "{peak} bytes");
    let counts = format!("{{\"records\":[],\"counts\":[{}[0,0]],\"facts\":[],\"edits\":[]}}", "[0,0],".repeat(5 * MIB));
    let packed = payload(&counts, 0);
    let (found, peak) = measured(|| pack::unpack(&packed));
    assert!(found.is_err_and(|error| error.to_string().contains("a list of more than 1000 entries")));
    assert!(peak < counts.len() + 2 * MIB, "{peak} bytes for {} unpacked", counts.len());
}
