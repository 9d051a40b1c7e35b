//! The seed of a test of chance.

/// The seed in the environment variable `STERNA_E2E_SEED`, else one of the time; printed, so that a failure can be
/// repeated.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("STERNA_E2E_SEED").ok();
    let seed = given.map(|seed| seed.parse().expect("STERNA_E2E_SEED is a number")).unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::try_from(since.expect("after 1970").as_micros()).expect("before the year 500,000")
    });
    println!("STERNA_E2E_SEED={seed}");
    seed
}
