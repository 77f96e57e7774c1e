//! What the targets share. The functions that they call, and the inputs that they begin from, are the ordinary tests' own.

#[path = "../../tests/src/everything.rs"]
pub mod everything;

#[path = "../../tests/src/outside"]
pub mod outside {
    //! See tests/src/outside.rs.
    pub mod files;
    #[cfg(feature = "engine")]
    pub mod models;
    pub mod seeds;
}

use std::path::Path;

/// Before a target's first run: puts the inputs to begin from into its corpus, which is no part of the repository.
pub fn begin(kind: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(kind);
    let good = outside::seeds::good(kind).into_iter().enumerate().map(|(at, bytes)| (format!("good-{at}"), bytes));
    let put = |(name, bytes): (String, Vec<u8>)| std::fs::write(corpus.join(name), bytes);
    let all = good.chain(outside::seeds::hostile(kind)).map(put);
    let written = std::fs::create_dir_all(&corpus).and_then(|()| all.collect::<std::io::Result<()>>());
    written.unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
}
