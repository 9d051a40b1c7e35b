//! Keys for masked frames: not to be foreseen (RFC 6455, 5.3), so from the system, many at a time.

use std::io;

/// Bytes that are asked for at once.
const POOL_BYTES: usize = 1024;

/// A store of random bytes.
pub(super) struct MaskKeys {
    pool: [u8; POOL_BYTES],
    used: usize,
}

impl MaskKeys {
    pub(super) fn new() -> Self {
        Self { pool: [0; POOL_BYTES], used: POOL_BYTES }
    }

    pub(super) fn next(&mut self) -> io::Result<[u8; 4]> {
        if self.used == POOL_BYTES {
            getrandom::fill(&mut self.pool).map_err(io::Error::from)?;
            self.used = 0;
        }
        let (keys, _) = self.pool.as_chunks::<4>();
        let key = keys[self.used / 4];
        self.used += 4;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_also_beyond_one_pool() {
        let mut keys = MaskKeys::new();
        let mut seen: Vec<_> = (0..1_000).map(|_| keys.next().unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 990, "{}", seen.len());
    }
}
