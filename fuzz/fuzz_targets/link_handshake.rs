//! Any first message of whoever connects to a member's port.
#![no_main]

use sterna_link::handshake::Message;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(
            Message::decode(&message.encode()).as_ref(),
            Ok(&message),
            "what was read can be said again"
        );
    }
});
