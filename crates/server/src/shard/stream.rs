//! Server-sent events: a session whose requests come from the address, and whose replies are events.

use sterna_broker::session::Messages;
use sterna_model::{Kind, Reply, Request, SubjectId};
use sterna_wire::http::{Method, Request as HttpRequest, Response};
use sterna_wire::{native, sse};

use super::Shard;
use super::connection::{EventStream, Protocol};
use super::outbox::Frame;
use crate::delivery::event_bytes;

impl Shard {
    pub(super) fn open_stream(&mut self, index: u32, request: &HttpRequest) {
        let origin = request.header("origin");
        let stream = match sse::decode_stream(request) {
            Ok(stream) => stream,
            Err(refusal) => {
                let response = Response::from(&refusal).cors(origin, &self.settings.origins);
                self.respond(index, request, &response);
                return;
            }
        };
        let names: Vec<Box<str>> = stream.items.iter().map(|item| item.subject.clone()).collect();
        let subjects = vec![None; names.len()];
        self.start_session(index);
        let connect = Request::Connect { version: 1, token: stream.token, client: None };
        let subscribe = Request::Subscribe { id: None, items: stream.items };
        self.with_session(index, |session, world| {
            for request in [connect, subscribe] {
                let me = (world.me, world.number);
                session.handle_request(world.now, me, &world.settings.rules, request, world.out);
            }
        });
        // A stream is all or nothing: what cannot be subscribed to is said with a status, before it begins.
        let refusal = Self::refusal(&self.outputs);
        self.log_connect(index, "", refusal);
        if let Some(code) = refusal {
            self.outputs.clear();
            self.forget_session(index);
            let response = Response::error(code, None).cors(origin, &self.settings.origins);
            self.respond(index, request, &response);
            return;
        }
        let head = Response::event_stream().cors(origin, &self.settings.origins);
        self.send_response(index, request, &head);
        if request.method == Method::Head {
            self.outputs.clear();
            self.forget_session(index);
            self.end_behind_answer(index);
            return;
        }
        let stream = EventStream { resume: stream.resume, names, subjects };
        self.connection(index).protocol = Protocol::EventStream(Box::new(stream));
        self.event_streams += 1;
        self.set_keep_alive(index);
        self.do_outputs(index);
        self.fetch_more(index);
    }

    /// The first messages of a subject, behind the event that says what is promised about the past.
    pub(super) fn send_stream_start(
        &mut self,
        index: u32,
        reply: &Reply,
        subject: SubjectId,
        messages: Messages,
    ) {
        let Protocol::EventStream(stream) = &mut self.connection(index).protocol else { return };
        let Reply::Subscribed { subject: name, position, .. } = reply else { return };
        let single = stream.is_single();
        if let Some(at) = stream.names.iter().position(|known| known == name) {
            stream.subjects[at] = Some(subject);
        }
        if messages.is_empty() {
            stream.note(subject, *position);
        }
        let mut out = Vec::new();
        let mut json = Vec::new();
        native::encode_reply(reply, &mut json);
        if !single && messages.is_empty() {
            stream.resume.write_id_line(&mut out);
        }
        sse::subscribed_event(&json, (single && messages.is_empty()).then_some(*position), &mut out);
        self.send(index, Frame::own(&out));
        self.send_stream_messages(index, subject, messages, Some(*position));
    }

    /// Messages one by one; `cut` is the position that stands for the last of them, if they begin a
    /// subscription.
    pub(super) fn send_stream_messages(
        &mut self,
        index: u32,
        subject: SubjectId,
        messages: Messages,
        cut: Option<sterna_model::Position>,
    ) {
        let count = messages.len();
        for (at, (kind, record)) in messages.into_iter().enumerate() {
            let position = match cut {
                Some(cut) if at + 1 == count && kind == Kind::Snapshot => cut,
                _ => record.position,
            };
            let Protocol::EventStream(stream) = &mut self.connection(index).protocol else { return };
            stream.note(subject, position);
            let mut out = Vec::new();
            stream.resume.write_id_line(&mut out);
            out.extend_from_slice(&event_bytes(kind, &record, false));
            self.send(index, Frame::own(&out));
        }
    }
}
