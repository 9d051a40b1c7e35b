//! Any bytes that a client may send on an open WebSocket connection.
#![no_main]

#[path = "../../crates/wire/tests/websocket_support/mod.rs"]
mod websocket_support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| websocket_support::check_server(data));
