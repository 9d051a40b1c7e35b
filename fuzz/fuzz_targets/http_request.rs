//! Any bytes on a new connection to the client port, read as HTTP.
#![no_main]

#[path = "../../crates/wire/tests/http_support/mod.rs"]
mod http_support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_support::check_http_request(data));
