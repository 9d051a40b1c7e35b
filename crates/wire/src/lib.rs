//! Bytes to words and back: WebSocket frames, HTTP/1.1, the native JSON protocol, REST bodies, SSE lines. Sans-IO.

pub mod http;
pub mod native;
pub mod rest;
pub mod sse;
pub mod websocket;
