//! Replays the fuzzer's corpora: each file that was ever interesting stays a test.
#![allow(clippy::disallowed_methods, reason = "the corpus lies in files; only the crate itself is pure")]

mod http_support;

use std::fs;
use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is part of the project") {
        check(&fs::read(entry.expect("the folder can be read").path()).expect("the file can be read"));
        files += 1;
    }
    assert!(files > 0, "{} is empty", corpus.display());
}

#[test]
fn the_corpus_of_http_requests_is_survived() {
    replay("http_request", http_support::check_http_request);
}

#[test]
fn the_corpus_of_resume_tokens_is_survived() {
    replay("sse_resume_token", http_support::check_resume_token);
}
