//! Replays the fuzzer's corpus: each file that was ever interesting stays a test.

#![allow(clippy::disallowed_methods, reason = "the corpus lies in files; only the crate itself is pure")]

mod native_check;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_of_the_fuzz_target_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/native_request");
    let mut files = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is part of the project") {
        native_check::check_request(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "{} is empty", corpus.display());
}
