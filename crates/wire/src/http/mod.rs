//! HTTP/1.1 without I/O and without a buffer per idle connection: requests, responses, a small client side.

mod body;
pub mod client;
mod cors;
mod date;
mod decoder;
mod head;
mod headers;
mod parameters;
mod percent;
mod request;
mod response;
mod violation;

pub use cors::OriginPolicy;
pub use date::date;
pub use decoder::{Decoder, Limits, Outcome, Step};
pub use headers::Headers;
pub use parameters::{Parameters, Refusal};
pub use request::{Method, Request};
pub use response::Response;
pub use violation::Violation;
