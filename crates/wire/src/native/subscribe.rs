//! `subscribe`: subjects, each with its own start.

use std::borrow::Cow;

use sterna_model::limit::{CONFLATION_MS_MAX, HISTORY_MAX};
use sterna_model::{Position, Request, Start, SubscribeItem};

use super::frame::{Fault, Field, Fields, NUMBER_MAX};
use super::json::{Object, push_text};
use super::value::Value;

/// One element of `subjects`: a text, or an object with settings of its own.
pub(super) struct Item<'a> {
    pub(super) subject: Cow<'a, str>,
    /// Whether it was a text, which is all that `unsubscribe` takes.
    pub(super) is_text: bool,
    resume: Option<Position>,
    settings: Settings,
}

/// The fields that stand in an item or, for all items without them, in the frame.
struct Settings {
    history: Option<u32>,
    conflation_ms: Option<u32>,
}

impl Settings {
    fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let history = fields.number(Field::History, NUMBER_MAX)?;
        Ok(Self {
            history: history.map(|history| u32::try_from(history).unwrap_or(u32::MAX).min(HISTORY_MAX)),
            conflation_ms: fields.number_u32(Field::ConflationMs, CONFLATION_MS_MAX)?,
        })
    }
}

impl<'a> Item<'a> {
    /// Reads an element of the list.
    pub(super) fn read(element: Value<'a>) -> Result<Self, Fault> {
        match element {
            Value::Text(subject) => {
                let settings = Settings { history: None, conflation_ms: None };
                Ok(Self { subject, is_text: true, resume: None, settings })
            }
            Value::Object(mut fields) => {
                fields.allow(&[
                    Field::Subject,
                    Field::Epoch,
                    Field::Seq,
                    Field::History,
                    Field::ConflationMs,
                ])?;
                let subject = fields.take_required_text(Field::Subject)?;
                let settings = Settings::read(&fields)?;
                Ok(Self { subject, is_text: false, resume: read_position(&fields)?, settings })
            }
            other => {
                let found = format_args!("{other} among them");
                Err(Fault::parameter(Field::Subjects, "texts or objects", found))
            }
        }
    }

    fn into_subscribe_item(self, defaults: &Settings) -> SubscribeItem {
        let history = self.settings.history.or(defaults.history).unwrap_or(0);
        let conflation_ms = self.settings.conflation_ms.or(defaults.conflation_ms).unwrap_or(0);
        SubscribeItem {
            subject: self.subject.into(),
            start: Start { history, resume: self.resume },
            conflation_ms,
        }
    }
}

fn read_position(fields: &Fields<'_>) -> Result<Option<Position>, Fault> {
    match (fields.number(Field::Epoch, NUMBER_MAX)?, fields.number(Field::Seq, NUMBER_MAX)?) {
        (Some(epoch), Some(seq)) => Ok(Some(Position::new(epoch, seq))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Fault::missing(Field::Seq, "a number beside epoch")),
        (None, Some(_)) => Err(Fault::missing(Field::Epoch, "a number beside seq")),
    }
}

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[Field::Op, Field::Id, Field::Subjects, Field::History, Field::ConflationMs])?;
    let id = fields.id()?;
    let items = fields.take_subjects()?;
    let defaults = Settings::read(fields)?;
    let items = items.into_iter().map(|item| item.into_subscribe_item(&defaults)).collect();
    Ok(Request::Subscribe { id, items })
}

pub(super) fn encode(id: Option<u64>, items: &[SubscribeItem], out: &mut Vec<u8>) {
    Object::begin(out).text("op", "subscribe").number("id", id).list("subjects", items, push_item).end();
}

fn push_item(out: &mut Vec<u8>, item: &SubscribeItem) {
    let (history, conflation_ms) = (u64::from(item.start.history), u64::from(item.conflation_ms));
    if item.start == Start::default() && conflation_ms == 0 {
        return push_text(out, &item.subject);
    }
    Object::begin(out)
        .text("subject", &*item.subject)
        .number("epoch", item.start.resume.map(|position| position.epoch.0))
        .number("seq", item.start.resume.map(|position| position.seq.0))
        .number("history", (history != 0).then_some(history))
        .number("conflation_ms", (conflation_ms != 0).then_some(conflation_ms))
        .end();
}
