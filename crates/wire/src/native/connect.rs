//! `connect`: the first request of every session.

use sterna_model::Request;
use sterna_model::limit::{CLIENT_NAME_BYTES_MAX, TOKEN_BYTES_MAX};

use super::frame::{Fault, Field, Fields};
use super::json::Object;

/// The version a client speaks that names none.
const VERSION_DEFAULT: u32 = 1;

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[Field::Op, Field::Version, Field::Token, Field::Client])?;
    Ok(Request::Connect {
        version: fields.number_u32(Field::Version, u32::MAX)?.unwrap_or(VERSION_DEFAULT),
        token: fields.text(Field::Token, 1..=TOKEN_BYTES_MAX)?.map(Into::into),
        client: fields.text(Field::Client, 0..=CLIENT_NAME_BYTES_MAX)?.map(Into::into),
    })
}

pub(super) fn encode(version: u32, token: Option<&str>, client: Option<&str>, out: &mut Vec<u8>) {
    Object::begin(out)
        .text("op", "connect")
        .number("version", u64::from(version))
        .text("token", token)
        .text("client", client)
        .end();
}
