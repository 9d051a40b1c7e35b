//! Opcodes and frame headers (RFC 6455, 5.2): what a header says on its own, whatever came before it.

use sterna_model::limit::CONTROL_PAYLOAD_BYTES_MAX;

use super::Violation;

/// Longest header: two bytes, a length of eight, a mask key of four.
pub(super) const HEADER_BYTES_MAX: usize = 14;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
pub(super) const MASKED: u8 = 0x80;
/// In place of a length of up to 125 bytes: the length is in the next 2 bytes.
pub(super) const LENGTH_IN_2_BYTES: u8 = 126;
/// In place of a length of up to 125 bytes: the length is in the next 8 bytes.
pub(super) const LENGTH_IN_8_BYTES: u8 = 127;

const RSV2_AND_RSV3: u8 = 0x30;
const OPCODE_BITS: u8 = 0x0F;
const LENGTH_BITS: u8 = 0x7F;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of the connection, with code and reason.
    Close = 0x8,
    /// To be answered with a pong of the same payload.
    Ping = 0x9,
    /// Answer to a ping, or a sign of life.
    Pong = 0xA,
}

impl Opcode {
    /// Whether this is a control frame: small, never fragmented, allowed between the fragments of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    fn from_bits(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            reserved => return Err(Violation::ReservedOpcode(reserved)),
        })
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) last: bool,
    /// RSV1: on a message's first frame, the message is compressed.
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) payload_bytes: u64,
}

impl Header {
    /// Reads a header and its length from the beginning of `bytes`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// What is wrong with the header by itself.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let Some((payload_bytes, length_bytes)) = read_length(second & LENGTH_BITS, rest)? else {
            return Ok(None);
        };
        let (mask, mask_bytes) = match second & MASKED {
            0 => (None, 0),
            _ => match rest[length_bytes..].first_chunk::<4>() {
                Some(key) => (Some(*key), 4),
                None => return Ok(None),
            },
        };
        let header = Self {
            last: first & FIN != 0,
            compressed: first & RSV1 != 0,
            opcode: Opcode::from_bits(first & OPCODE_BITS)?,
            mask,
            payload_bytes,
        };
        if first & RSV2_AND_RSV3 != 0 {
            return Err(Violation::ReservedBit);
        }
        if header.opcode.is_control() {
            header.check_control()?;
        }
        Ok(Some((header, 2 + length_bytes + mask_bytes)))
    }

    fn check_control(&self) -> Result<(), Violation> {
        if self.compressed {
            return Err(Violation::ReservedBit);
        }
        if !self.last {
            return Err(Violation::ControlFragmented);
        }
        if self.payload_bytes > CONTROL_PAYLOAD_BYTES_MAX as u64 {
            return Err(Violation::ControlTooLarge);
        }
        Ok(())
    }
}

/// Payload length, and how many bytes of `rest` it took; `None` if they are not there yet.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let (length, length_bytes, shortest) = match short {
        LENGTH_IN_2_BYTES => match rest.first_chunk() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2, u64::from(LENGTH_IN_2_BYTES)),
            None => return Ok(None),
        },
        LENGTH_IN_8_BYTES => match rest.first_chunk() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8, u64::from(u16::MAX) + 1),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, 0),
    };
    if length < shortest || length > i64::MAX as u64 {
        return Err(Violation::LengthForm);
    }
    Ok(Some((length, length_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_header_is_incomplete() {
        let longest = [0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        for end in 0..longest.len() {
            assert_eq!(Header::read(&longest[..end]), Ok(None), "{end}");
        }
        let header = Header {
            last: true,
            compressed: false,
            opcode: Opcode::Binary,
            mask: Some([1, 2, 3, 4]),
            payload_bytes: 65_536,
        };
        assert_eq!(Header::read(&longest), Ok(Some((header, HEADER_BYTES_MAX))));
    }

    #[test]
    fn lengths_must_be_in_their_shortest_form() {
        assert_eq!(Header::read(&[0x82, 126, 0, 125]), Err(Violation::LengthForm));
        assert_eq!(Header::read(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), Err(Violation::LengthForm));
        assert_eq!(Header::read(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(Violation::LengthForm));
        assert!(Header::read(&[0x82, 126, 0, 126]).is_ok());
        assert!(Header::read(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]).is_ok());
    }
}
