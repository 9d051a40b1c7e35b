//! Random numbers that a seed repeats.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed in the environment variable `STERNA_E2E_SEED`, else one of the time; printed, so that a failure can be
    /// repeated.
    pub(crate) fn seed() -> u64 {
        let given = std::env::var("STERNA_E2E_SEED").ok();
        let seed =
            given.map(|seed| seed.parse().expect("STERNA_E2E_SEED is a number")).unwrap_or_else(|| {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                u64::try_from(since.expect("after 1970").as_micros()).expect("before the year 500,000")
            });
        println!("STERNA_E2E_SEED={seed}");
        seed
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something with a probability of 1 in `of` happens.
    pub(crate) fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}
