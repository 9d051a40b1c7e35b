//! Frames out. Messages are never fragmented: a receiver's bound counts whole messages anyway.

use std::ops::Deref;

use super::close::close_payload;
use super::frame::{FIN, HEADER_BYTES_MAX, LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES, MASKED, RSV1};
use super::{Opcode, mask};

/// The header of a frame; it dereferences to its bytes.
#[derive(Clone, Copy, Debug)]
pub struct HeaderBytes {
    bytes: [u8; HEADER_BYTES_MAX],
    used: usize,
}

impl HeaderBytes {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Header of a server's frame: for a payload that is written from where it lies. `compressed` says that the payload
/// comes from [`Deflater::compress`](super::Deflater::compress).
#[must_use]
pub fn header(opcode: Opcode, payload_bytes: usize, compressed: bool) -> HeaderBytes {
    header_with(opcode, payload_bytes, compressed, None)
}

/// Appends a server's frame to `out`.
pub fn frame(opcode: Opcode, payload: &[u8], compressed: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&header(opcode, payload.len(), compressed));
    out.extend_from_slice(payload);
}

/// Appends a server's frame whose payload `fill` appends: without a copy if its length is between 126 and 65,535 bytes,
/// as that of most messages.
pub fn frame_with(opcode: Opcode, compressed: bool, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    const HEADER_BYTES_TYPICAL: usize = 4;
    let begin = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES_TYPICAL]);
    let payload_at = out.len();
    fill(out);
    let header = header(opcode, out.len() - payload_at, compressed);
    out.splice(begin..payload_at, header.iter().copied());
}

/// Appends a client's frame to `out`. The key must be new and not to be foreseen for each frame (RFC 6455, 5.3).
pub fn masked_frame(opcode: Opcode, payload: &[u8], compressed: bool, key: [u8; 4], out: &mut Vec<u8>) {
    out.extend_from_slice(&header_with(opcode, payload.len(), compressed, Some(key)));
    let payload_at = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[payload_at..], key, 0);
}

/// Appends a server's close frame to `out`. A reason above 123 bytes is cut at a character's end.
pub fn close(code: u16, reason: &str, out: &mut Vec<u8>) {
    frame(Opcode::Close, &close_payload(code, reason), false, out);
}

/// Appends a server's ping to `out`; the payload has at most 125 bytes.
pub fn ping(payload: &[u8], out: &mut Vec<u8>) {
    frame(Opcode::Ping, payload, false, out);
}

/// Appends a server's pong to `out`, with the payload of the ping it answers.
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    frame(Opcode::Pong, payload, false, out);
}

fn header_with(opcode: Opcode, payload_bytes: usize, compressed: bool, key: Option<[u8; 4]>) -> HeaderBytes {
    debug_assert!(!opcode.is_control() || payload_bytes < usize::from(LENGTH_IN_2_BYTES));
    let mut header = HeaderBytes { bytes: [0; HEADER_BYTES_MAX], used: 0 };
    let masked = if key.is_some() { MASKED } else { 0 };
    header.push(&[FIN | if compressed { RSV1 } else { 0 } | opcode as u8]);
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short), _) if short < LENGTH_IN_2_BYTES => header.push(&[masked | short]),
        (_, Ok(length)) => {
            header.push(&[masked | LENGTH_IN_2_BYTES]);
            header.push(&length.to_be_bytes());
        }
        _ => {
            header.push(&[masked | LENGTH_IN_8_BYTES]);
            header.push(&(payload_bytes as u64).to_be_bytes());
        }
    }
    header.push(key.as_ref().map_or(&[], |key| key.as_slice()));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_filled_in_gives_the_frame_of_a_payload_given() {
        for length in [0, 1, 125, 126, 1000, 65_535, 65_536, 100_000] {
            let payload = vec![b'x'; length];
            let (mut given, mut filled) = (b"before".to_vec(), b"before".to_vec());
            frame(Opcode::Text, &payload, true, &mut given);
            frame_with(Opcode::Text, true, &mut filled, |out| out.extend_from_slice(&payload));
            assert_eq!(filled, given, "{length}");
        }
    }
}
