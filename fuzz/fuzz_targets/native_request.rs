//! Any text frame of a client of the native protocol.
#![no_main]

#[path = "../../crates/wire/tests/native_check/mod.rs"]
mod native_check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| native_check::check_request(data));
