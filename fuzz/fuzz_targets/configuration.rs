//! Any text as every source of configuration at once.
#![no_main]

#[path = "../../crates/config/tests/configuration/any_sources.rs"]
mod any_sources;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_sources::check_sources(&String::from_utf8_lossy(data)));
