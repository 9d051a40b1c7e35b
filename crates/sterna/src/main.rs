//! The one binary: serve, pub, sub, replay, config, bench.

fn main() {}
