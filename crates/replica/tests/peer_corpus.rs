//! Replays the fuzzer's corpus, whole, cut and changed: each file that was ever interesting stays a test.
#![expect(clippy::disallowed_methods, reason = "the corpus lies in files; only the crate itself is pure")]

mod peer_check;

use std::fs;
use std::path::Path;

use peer_check::check_frame;
use proptest::prelude::*;
use sterna_replica::codec::decode;

fn corpus() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/peer_frame");
    let entries = fs::read_dir(&corpus).expect("the corpus is part of the project");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", corpus.display());
    paths.iter().map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

#[test]
fn the_corpus_has_a_frame_of_each_kind_and_each_may_be_longer_but_not_cut() {
    let mut kinds = [false; 256];
    for frame in corpus() {
        if check_frame(&frame) {
            kinds[usize::from(frame[1])] = true;
            assert!((0..frame.len()).all(|end| !check_frame(&frame[..end])));
            let longer = decode(&[&frame[..], &[7, 8, 9]].concat().into());
            assert_eq!(longer, decode(&frame.into()), "what a later version appends is passed over");
        }
    }
    let missing: Vec<usize> = (1..=11).chain(16..=23).filter(|kind| !kinds[*kind]).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

proptest! {
    #[test]
    fn changed_frames_are_refused_or_have_one_form(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let files = corpus();
        let mut frame = files[file.index(files.len())].clone();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        check_frame(&frame);
    }
}
