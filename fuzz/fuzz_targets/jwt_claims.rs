//! Any bytes as the claims of a token whose signature was good.
#![no_main]

#[path = "../../crates/auth/tests/claims_support/mod.rs"]
mod claims_support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| claims_support::check_claims(data));
