//! DEFLATE as permessage-deflate uses it (RFC 7692, 7.2): one message at a time, no context kept between messages,
//! so that one inflater and one deflater serve all connections of a thread.

use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Violation;

/// End of the empty block that a flush appends; the sender strips it and the receiver adds it again.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
const INFLATED_BYTES_MIN: usize = 4 * 1024;

/// Inflates one message at a time, into a buffer of its own.
#[derive(Default)]
pub(super) struct Inflater {
    /// Made on first use: many threads never need it.
    stream: Option<Box<Decompress>>,
    /// Initialised as far as it is long, so that nothing is zeroed again for the next message.
    inflated: Vec<u8>,
}

impl Inflater {
    /// Inflates a message's payload. The result never grows beyond `bytes_max`, whatever the payload promises.
    pub(super) fn inflate(&mut self, payload: &[u8], bytes_max: usize) -> Result<&[u8], Violation> {
        let Self { stream, inflated } = self;
        let stream = stream.get_or_insert_with(|| Box::new(Decompress::new(false)));
        stream.reset(false);
        let mut filled = 0;
        for part in [payload, &TAIL] {
            filled = inflate_part(stream, part, inflated, filled, bytes_max)?;
        }
        Ok(&inflated[..filled])
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.inflated.capacity()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

/// Inflates `part` behind the first `filled` bytes of `inflated`; gives how many are filled then.
fn inflate_part(
    stream: &mut Decompress,
    mut part: &[u8],
    inflated: &mut Vec<u8>,
    mut filled: usize,
    bytes_max: usize,
) -> Result<usize, Violation> {
    // One byte more than allowed tells "exactly full" from "too large".
    let room = bytes_max.saturating_add(1);
    loop {
        if filled == inflated.len() {
            let grown = (2 * filled).max(INFLATED_BYTES_MIN).min(room);
            inflated.reserve_exact(grown - filled);
            inflated.resize(grown, 0);
        }
        let end = inflated.len().min(room);
        let (read_before, written_before) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress(part, &mut inflated[filled..end], FlushDecompress::None)
            .map_err(|_| Violation::InvalidDeflate)?;
        // Both differences are lengths of slices.
        part = &part[(stream.total_in() - read_before) as usize..];
        filled += (stream.total_out() - written_before) as usize;
        if filled > bytes_max {
            return Err(Violation::TooLarge { bytes_max });
        }
        match status {
            // A sender may end a stream within the message; another may follow (RFC 7692, 7.2.3.4).
            Status::StreamEnd => stream.reset(false),
            Status::Ok | Status::BufError if filled == end => {}
            Status::Ok | Status::BufError if part.is_empty() => return Ok(filled),
            Status::Ok => {}
            Status::BufError => return Err(Violation::InvalidDeflate),
        }
    }
}

/// Compresses one message at a time. The result holds for every connection whose
/// [`PerMessageDeflate::may_compress`](super::PerMessageDeflate::may_compress) allows the message's length, so it is
/// made once and sent to all. About 300 KB once used: keep one per thread.
pub struct Deflater {
    /// Made on first use: many threads never need it.
    stream: Option<Box<Compress>>,
    level: Compression,
}

impl Deflater {
    /// A deflater of the given level, 1 (fastest) to 9 (smallest).
    #[must_use]
    pub fn new(level: u8) -> Self {
        Self { stream: None, level: Compression::new(u32::from(level.clamp(1, 9))) }
    }

    /// Appends the compressed form of a message's payload to `out`; it belongs into frames marked as compressed.
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let stream = self.stream.get_or_insert_with(|| Box::new(Compress::new(self.level, false)));
        stream.reset();
        let mut rest = payload;
        loop {
            // Enough for the stream's worst case and its flush, so that one round does as a rule.
            out.reserve(rest.len() + rest.len() / 8 + 64);
            let read_before = stream.total_in();
            stream
                .compress_vec(rest, out, FlushCompress::Sync)
                .expect("compressing fails only for an inconsistent stream state");
            rest = &rest[(stream.total_in() - read_before) as usize..];
            // Room left in the output means that the flush is complete.
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        debug_assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("level", &self.level).finish_non_exhaustive()
    }
}
