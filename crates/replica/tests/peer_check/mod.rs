//! What must hold for any bytes from another member: asked by the fuzzer and, for its corpus, by an ordinary test.

use bytes::Bytes;
use sterna_replica::codec::{decode, encode};

/// What is read is written the same, byte by byte, but for what a later version may have appended: a frame has one form.
/// Whether the bytes were a frame.
pub(crate) fn check_frame(data: &[u8]) -> bool {
    match decode(&Bytes::copy_from_slice(data)) {
        Ok(frame) => {
            assert!(data.starts_with(&encode(&frame)), "{frame:?}");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
