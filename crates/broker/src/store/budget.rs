//! The cache's share of `Memory`: what is used, and whether more fits.

/// Counts bytes against a bound. Admission asks first; what was admitted is always counted.
#[derive(Debug)]
pub(super) struct Budget {
    used: usize,
    max: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Self {
        Self { used: 0, max }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Whether `more` bytes fit once `freed` bytes are gone.
    pub(super) fn fits(&self, more: usize, freed: usize) -> bool {
        self.used + more <= self.max + freed
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.used += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.used = self.used.checked_sub(bytes).expect("only what was added is removed");
    }
}
