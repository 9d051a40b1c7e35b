//! The id of an event: the positions of all subjects of its stream, so that a reconnect resumes each exactly.

use std::fmt::{self, Write};

use sterna_model::Position;

use crate::http::Refusal;

/// Where a stream stands in each of its subjects.
///
/// The text is `item` for a stream of one subject, `list.item.item...` for more, with the items in the order
/// of the request. An item is `epoch:seq`, or `seq` alone where the epoch is that of the item before, or `-`
/// where nothing was received. `list` is a checksum of the subjects: an id that came with another list of
/// subjects is refused instead of resuming the wrong ones. All numbers are in base 36. So the ids of a stream
/// have at most `8 + 28 * SSE_SUBJECTS_MAX` bytes, and about 7 for each subject in practice.
///
/// Set a subject's position to that of each message as it is written. A fresh subscription, a gap and a reset
/// begin with the snapshot and some history, which may end below the cut: behind the last of them, or with the
/// `subscribed` event if there is none, set the position of the cut. So a reconnect never asks for more, nor for
/// less, than what was published since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    /// Of the list of subjects, if there are several.
    list_checksum: Option<u32>,
    positions: Box<[Option<Position>]>,
}

impl ResumeToken {
    /// The place of a fresh stream.
    #[must_use]
    pub fn new(subjects: &[&str]) -> Self {
        Self {
            list_checksum: (subjects.len() > 1).then(|| checksum(subjects)),
            positions: vec![None; subjects.len()].into(),
        }
    }

    /// Reads the id that a client gave back.
    ///
    /// # Errors
    /// It is not the id of a stream of these subjects.
    pub fn decode(text: &str, subjects: &[&str]) -> Result<Self, Refusal> {
        Self::parse(text, subjects).ok_or_else(|| {
            Refusal::parameter("last_event_id", "expected an id of a stream of the same subjects")
        })
    }

    fn parse(text: &str, subjects: &[&str]) -> Option<Self> {
        let mut token = Self::new(subjects);
        let mut fields = text.split('.');
        if let Some(checksum) = token.list_checksum
            && from_base36(fields.next()?)? != u64::from(checksum)
        {
            return None;
        }
        let mut epoch = None;
        for position in &mut token.positions {
            let item = fields.next()?;
            if item == "-" {
                continue;
            }
            let seq = match item.split_once(':') {
                Some((new_epoch, seq)) => {
                    epoch = Some(from_base36(new_epoch)?);
                    seq
                }
                None => item,
            };
            *position = Some(Position::new(epoch?, from_base36(seq)?));
        }
        fields.next().is_none().then_some(token)
    }

    /// Position of the subject with that number in the request; none if nothing was received.
    #[must_use]
    pub fn position(&self, index: usize) -> Option<Position> {
        self.positions[index]
    }

    /// Moves the subject with that number in the request.
    pub fn set(&mut self, index: usize, position: Position) {
        self.positions[index] = Some(position);
    }

    /// Appends the `id` line that goes directly before a shared event, so that both count together or not at
    /// all. Nothing is appended as long as nothing was received.
    pub fn write_id_line(&self, out: &mut Vec<u8>) {
        if self.positions.iter().any(Option::is_some) {
            out.extend_from_slice(format!("id: {self}\n").as_bytes());
        }
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of_val(&*self.positions)
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(checksum) = self.list_checksum {
            write!(f, "{}.", Base36(checksum.into()))?;
        }
        let mut epoch = None;
        for (index, position) in self.positions.iter().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            match position {
                None => f.write_char('-')?,
                Some(position) if epoch == Some(position.epoch) => write!(f, "{}", Base36(position.seq.0))?,
                Some(position) => write!(f, "{}", Id(*position))?,
            }
            epoch = position.map(|position| position.epoch).or(epoch);
        }
        Ok(())
    }
}

/// The id of a stream of one subject at this position.
pub(super) struct Id(pub(super) Position);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Base36(self.0.epoch.0), Base36(self.0.seq.0))
    }
}

struct Base36(u64);

impl fmt::Display for Base36 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 36 {
            Self(self.0 / 36).fmt(f)?;
        }
        let digit = u32::try_from(self.0 % 36).expect("a remainder of 36 is small");
        f.write_char(char::from_digit(digit, 36).expect("it is a digit of base 36"))
    }
}

/// Reads what [`Base36`] writes, and nothing else.
fn from_base36(text: &str) -> Option<u64> {
    let is_canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
        && (text.len() == 1 || !text.starts_with('0'));
    if is_canonical { u64::from_str_radix(text, 36).ok() } else { None }
}

/// FNV-1a over the subjects, each with an end that no subject contains.
fn checksum(subjects: &[&str]) -> u32 {
    let bytes = subjects.iter().flat_map(|subject| subject.bytes().chain([b'\n']));
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
