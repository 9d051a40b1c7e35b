//! Changes of members as they stand in the log.

use bytes::{BufMut, Bytes, BytesMut};

use super::VERSION;
use super::read::{DecodeError, Reader};
use crate::identity::NodeId;
use crate::membership::Change;

const ADMIT: u8 = 0;
const DISMISS: u8 = 1;
const REPLACE: u8 = 2;
const SETTLE: u8 = 3;
const RAISE: u8 = 4;

pub(crate) fn encode_change(change: &Change) -> Bytes {
    let mut out = BytesMut::with_capacity(24);
    out.put_u8(VERSION);
    match change {
        Change::Admit { slot, nonce, level_max } => {
            out.put_u8(ADMIT);
            out.put_u16(slot.0);
            out.put_u128(nonce.0);
            out.put_u16(level_max.0);
        }
        Change::Dismiss { node } => {
            out.put_u8(DISMISS);
            out.put_u64(node.0);
        }
        Change::Replace { old, new } => {
            out.put_u8(REPLACE);
            out.put_u64(old.0);
            out.put_u64(new.0);
        }
        Change::Settle => out.put_u8(SETTLE),
        Change::Raise { level } => {
            out.put_u8(RAISE);
            out.put_u16(level.0);
        }
    }
    out.freeze()
}

pub(crate) fn decode_change(bytes: &Bytes) -> Result<Change, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let version = reader.byte("change")?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let change = match reader.byte("change")? {
        ADMIT => Change::Admit { slot: reader.slot()?, nonce: reader.nonce()?, level_max: reader.level()? },
        DISMISS => Change::Dismiss { node: NodeId(reader.eight("change")?) },
        REPLACE => {
            Change::Replace { old: NodeId(reader.eight("change")?), new: NodeId(reader.eight("change")?) }
        }
        SETTLE => Change::Settle,
        RAISE => Change::Raise { level: reader.level()? },
        _ => return Err(DecodeError::Value("change")),
    };
    reader.end()?;
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Level, Nonce, Slot};

    #[test]
    fn changes_are_read_as_they_were_written_and_nothing_else_is() {
        let changes = [
            Change::Admit { slot: Slot(4), nonce: Nonce(u128::MAX - 1), level_max: Level(7) },
            Change::Dismiss { node: NodeId(1005) },
            Change::Replace { old: NodeId(2), new: NodeId(1009) },
            Change::Settle,
            Change::Raise { level: Level(u16::MAX) },
        ];
        for change in changes {
            let bytes = encode_change(&change);
            assert_eq!(decode_change(&bytes), Ok(change));
            for cut in 0..bytes.len() {
                assert!(decode_change(&bytes.slice(..cut)).is_err(), "{change:?} cut at {cut}");
            }
            let longer = [bytes.as_ref(), &[0]].concat();
            assert_eq!(decode_change(&Bytes::from(longer)), Err(DecodeError::Trailing(1)));
        }
    }
}
