//! A client publishes: state, size, subject and permission are judged here; the rest is the core's.

use sterna_model::{Code, ConnectionId, Message, Publish, PublisherStamp, Qos, Reply, Subject};

use super::{Now, Output, Refusal, Rules, Session};
use crate::core::{Event, PublishEvent};

impl Session {
    #[expect(clippy::too_many_arguments, reason = "the parts of one request and their context")]
    pub(super) fn handle_publish(
        &mut self,
        now: Now,
        from: ConnectionId,
        rules: &Rules,
        id: Option<u64>,
        subjects: (&str, Option<&str>),
        publish: Publish,
        out: &mut Vec<Output>,
    ) {
        let closure = publish.closure.clone();
        match self.judge_publish(rules, subjects, publish) {
            Ok((message, stamp)) => out.push(Output::Core(Event::Publish(Box::new(PublishEvent {
                from,
                id,
                wants_result: id.is_some() || !closure.is_empty(),
                // A standard message is never recognised: it has no position to answer with.
                stamp: stamp.filter(|_| message.qos == Qos::Guaranteed),
                message,
                received_us: now.monotonic_us,
            })))),
            Err((code, detail)) => {
                out.push(Output::Reply(Reply::Published { id, closure, outcome: Err(code), detail }));
            }
        }
    }

    fn judge_publish(
        &self,
        rules: &Rules,
        (subject, reply_to): (&str, Option<&str>),
        publish: Publish,
    ) -> Result<(Message, Option<PublisherStamp>), Refusal> {
        let refuse = |code| Err((code, None));
        let Some(identity) = &self.identity else { return refuse(Code::ConnectRequired) };
        if !self.address_may_publish {
            return refuse(Code::AddressDenied);
        }
        if publish.content.is_empty() {
            return refuse(Code::ContentEmpty);
        }
        if publish.content.len() > rules.info.message_bytes_max {
            return refuse(Code::MessageTooLarge);
        }
        let parse = |text| {
            Subject::parse(text).map_err(|error| (Code::SubjectInvalid, Some(error.to_string().into())))
        };
        let subject = parse(subject)?;
        let reply_to = reply_to.map(parse).transpose()?;
        if subject.is_reserved() {
            return refuse(Code::SubjectReserved);
        }
        if !identity.permissions.may_publish(&subject) {
            return refuse(Code::PublishDenied);
        }
        Ok(publish.into_message(subject, reply_to))
    }
}
