//! Real members judged over real sockets: each module is about one promise, each test names it.
//!
//! Time never decides here: a test waits for what must happen, and only a failing one waits long. What is random
//! prints its seed. `README.md` beside this file says what each module is about and which variables make it larger.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says its seed"
)]

#[path = "../support/mod.rs"]
mod support;

mod event_stream;
mod http;
mod listening;
mod members;
mod metrics;
mod native;
mod process;
mod random;
mod stream;
mod tokens;

mod bad_frames;
mod bad_http;
mod bad_peers;
mod bad_requests;
mod batching;
mod directed;
mod document_root;
mod entitlement;
mod floods;
mod limits;
mod lineages;
mod link_tls;
mod recovery;
mod signals;
mod slow_consumers;
mod slow_peers;
mod startup;
mod tls;
mod web;
