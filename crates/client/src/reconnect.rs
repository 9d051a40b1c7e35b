//! How long to wait before the next try: of a connection, and of a request that met a busy server.

use sterna_model::Random;

/// First pause after a request met a busy server, milliseconds; it doubles with each that follows.
const BUSY_PAUSE_MS_MIN: u64 = 100;
/// Longest such pause, milliseconds.
const BUSY_PAUSE_MS_MAX: u64 = 10_000;

/// When a client connects again. The first retries are quick; then the policy decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// Unit of the quick retries, milliseconds: the n-th waits n units less a random part of one.
    pub quick_initial_ms: u64,
    /// Number of quick retries.
    pub quick_retries_max: u32,
    /// What follows them.
    pub policy: ReconnectPolicy,
    /// Unit of the policy, milliseconds.
    pub interval_ms: u64,
    /// Longest delay, milliseconds.
    pub delay_ms_max: u64,
}

/// How delays grow after the quick retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectPolicy {
    /// They do not: each is one interval.
    ConstantWindow,
    /// The n-th is `interval * 2^n` less a random part of `interval * n`, and at most the longest delay.
    TruncatedExponential,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            quick_initial_ms: 500,
            quick_retries_max: 3,
            policy: ReconnectPolicy::TruncatedExponential,
            interval_ms: 20_000,
            delay_ms_max: 360_000,
        }
    }
}

impl Reconnect {
    /// Delay before a retry, milliseconds. `retry` counts from 1.
    pub(crate) fn delay_ms(&self, retry: u32, random: &mut Random) -> u64 {
        let delay_ms = if retry <= self.quick_retries_max {
            let initial_ms = self.quick_initial_ms;
            initial_ms.saturating_mul(u64::from(retry)) - random.below(initial_ms)
        } else {
            let retry = u64::from(retry - self.quick_retries_max);
            match self.policy {
                ReconnectPolicy::ConstantWindow => self.interval_ms,
                ReconnectPolicy::TruncatedExponential => {
                    let full_ms = self.interval_ms.saturating_mul(1 << retry.min(32));
                    full_ms.saturating_sub(random.below(self.interval_ms.saturating_mul(retry)))
                }
            }
        };
        delay_ms.min(self.delay_ms_max)
    }
}

/// Pause before a refused request is sent again, milliseconds. `refusals` counts from 1.
pub(crate) fn busy_pause_ms(refusals: u32, random: &mut Random) -> u64 {
    let full_ms = (BUSY_PAUSE_MS_MIN << refusals.saturating_sub(1).min(16)).min(BUSY_PAUSE_MS_MAX);
    full_ms - random.below(full_ms / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(reconnect: &Reconnect, retry: u32) -> (u64, u64) {
        let mut random = Random::new(3);
        let delays: Vec<u64> = (0..2_000).map(|_| reconnect.delay_ms(retry, &mut random)).collect();
        (*delays.iter().min().unwrap(), *delays.iter().max().unwrap())
    }

    #[test]
    fn delays_lie_where_the_documented_formulas_say() {
        let reconnect = Reconnect::default();
        for (retry, least, most) in [
            (1, 0, 500),
            (2, 500, 1_000),
            (3, 1_000, 1_500),
            (4, 20_000, 40_000),
            (5, 40_000, 80_000),
            (6, 100_000, 160_000),
            (9, 360_000, 360_000),
            (u32::MAX, 360_000, 360_000),
        ] {
            let (shortest, longest) = bounds(&reconnect, retry);
            assert!(shortest >= least && longest <= most, "retry {retry}: {shortest} to {longest}");
            let spread = (most - least) * 9 / 10;
            assert!(longest - shortest >= spread, "retry {retry}: {shortest} to {longest} is no spread");
        }
    }

    #[test]
    fn a_constant_window_does_not_grow() {
        let reconnect = Reconnect { policy: ReconnectPolicy::ConstantWindow, ..Reconnect::default() };
        assert_eq!(bounds(&reconnect, 4), (20_000, 20_000));
        assert_eq!(bounds(&reconnect, 400), (20_000, 20_000));
    }

    #[test]
    fn pauses_of_a_busy_server_double_up_to_their_bound_with_a_random_half() {
        let mut random = Random::new(5);
        for (refusals, most) in [(1, 100), (2, 200), (5, 1_600), (8, 10_000), (u32::MAX, 10_000)] {
            for _ in 0..200 {
                let pause_ms = busy_pause_ms(refusals, &mut random);
                assert!((most / 2..=most).contains(&pause_ms), "{refusals}: {pause_ms}");
            }
        }
    }
}
