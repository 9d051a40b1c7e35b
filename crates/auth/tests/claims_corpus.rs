//! Replays the fuzzer's corpus: each file that was ever interesting stays a test.
#![allow(clippy::disallowed_methods, reason = "the corpus lies in files")]

mod claims_support;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_of_claims_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/jwt_claims");
    let mut files = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is part of the project") {
        let path = entry.expect("the corpus can be listed").path();
        claims_support::check_claims(&fs::read(path).expect("the corpus can be read"));
        files += 1;
    }
    assert!(files > 0, "{} is empty", corpus.display());
}
