//! `unsubscribe`: ends subscriptions.

use sterna_model::Request;

use super::frame::{Fault, Field, Fields};
use super::json::{Object, push_text};

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[Field::Op, Field::Id, Field::Subjects])?;
    let id = fields.id()?;
    let items = fields.take_subjects()?;
    if !items.iter().all(|item| item.is_text) {
        return Err(Fault::parameter(Field::Subjects, "texts", "an object among them"));
    }
    let subjects = items.into_iter().map(|item| item.subject.into()).collect();
    Ok(Request::Unsubscribe { id, subjects })
}

pub(super) fn encode(id: Option<u64>, subjects: &[Box<str>], out: &mut Vec<u8>) {
    Object::begin(out)
        .text("op", "unsubscribe")
        .number("id", id)
        .list("subjects", subjects, |out, subject| push_text(out, subject))
        .end();
}
