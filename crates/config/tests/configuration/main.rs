//! What a user of the configuration sees, from sources to values, messages and documents.

mod any_sources;
mod documents;
mod names;
mod relations;
mod robustness;
mod short;
mod sources;
