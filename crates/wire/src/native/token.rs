//! `token`: replaces the token of the live session.

use sterna_model::Request;
use sterna_model::limit::TOKEN_BYTES_MAX;

use super::frame::{Fault, Field, Fields};
use super::json::Object;

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[Field::Op, Field::Id, Field::Token])?;
    let id = fields.id()?;
    let token = fields.text(Field::Token, 1..=TOKEN_BYTES_MAX)?;
    let token = token.ok_or_else(|| Fault::missing(Field::Token, "a text"))?.into();
    Ok(Request::RenewToken { id, token })
}

pub(super) fn encode(id: Option<u64>, token: &str, out: &mut Vec<u8>) {
    Object::begin(out).text("op", "token").number("id", id).text("token", token).end();
}
