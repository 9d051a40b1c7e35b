//! Any text as the Last-Event-ID of an event stream.
#![no_main]

#[path = "../../crates/wire/tests/http_support/mod.rs"]
mod http_support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_support::check_resume_token(data));
