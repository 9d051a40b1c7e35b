//! The rules of the client, frame by frame, without a socket.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod connecting;
mod leaving;
mod publishing;
mod retrying;
mod scene;
mod storm;
mod subscribing;
mod tokens;
