//! `ping`: asks for a sign of life.

use sterna_model::Request;

use super::frame::{Fault, Field, Fields};
use super::json::Object;

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[Field::Op, Field::Id])?;
    Ok(Request::Ping { id: fields.id()? })
}

pub(super) fn encode(id: Option<u64>, out: &mut Vec<u8>) {
    Object::begin(out).text("op", "ping").number("id", id).end();
}
