//! Any frame of another member of the cluster.
#![no_main]

#[path = "../../crates/replica/tests/peer_check/mod.rs"]
mod peer_check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    peer_check::check_frame(data);
});
