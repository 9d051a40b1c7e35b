//! Links between members over real sockets on loopback addresses.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod administration;
mod bad;
mod frames;
mod lifetime;
mod raw;
mod support;
mod tls;
