//! REST: one publish or one question a request, over the same session and core as everything else.

use std::sync::Arc;

use sterna_broker::core::{Cut, Event, Reading};
use sterna_broker::session::Output;
use sterna_model::{Code, Kind, Record, Recovery, Reply, Request, Start, Subject, SubscribeItem};
use sterna_wire::http::{Request as HttpRequest, Response, Violation};
use sterna_wire::rest::{self, ConsumeResult};

use super::Shard;
use super::connection::{Answer, Protocol, Waiting};
use super::reply::recovery_header;

impl Shard {
    pub(super) fn produce(&mut self, index: u32, mut request: HttpRequest) {
        if !self.settings.rest_enabled {
            self.respond_rest(index, &request, Response::error(Code::RestDisabled, None));
            return;
        }
        let produce = match rest::decode_produce(&mut request, self.now.unix_ms) {
            Ok(produce) => produce,
            Err(refusal) => {
                self.respond_rest(index, &request, Response::from(&refusal));
                return;
            }
        };
        let closure = produce.publish.closure.clone();
        let subject = produce.subject.clone();
        self.wait(index, request, Answer::Produce { subject: subject.clone(), closure });
        if self.connect_for(index, produce.token.as_deref()) {
            let publish = Request::Publish {
                // Any id: a result is wanted also for an empty closure.
                id: Some(0),
                subject,
                reply_to: None,
                publish: Box::new(produce.publish),
            };
            self.request_for(index, publish);
        }
    }

    /// A produce request whose body was too large has its own form of answer.
    pub(super) fn refuse_produce(&self, request: &HttpRequest, violation: &Violation) -> Response {
        if violation.code != Code::MessageTooLarge || !self.settings.rest_enabled {
            return Response::from(violation);
        }
        match rest::decode_produce(&mut request.clone(), self.now.unix_ms) {
            Ok(produce) => {
                rest::produce_result(&produce.subject, &produce.publish.closure, &Err(violation.code))
            }
            Err(refusal) => Response::from(&refusal),
        }
    }

    pub(super) fn consume(&mut self, index: u32, request: HttpRequest) {
        if !self.settings.rest_enabled {
            self.respond_rest(index, &request, Response::error(Code::RestDisabled, None));
            return;
        }
        let consume = match rest::decode_consume(&request) {
            Ok(consume) => consume,
            Err(refusal) => {
                self.respond_rest(index, &request, Response::from(&refusal));
                return;
            }
        };
        let answer =
            Answer::Consume { subject: consume.subject.clone(), wait_ms: consume.wait_seconds * 1000 };
        self.wait(index, request, answer);
        if !self.connect_for(index, consume.token.as_deref()) {
            return;
        }
        let readable = self.readable(index, &consume.subject);
        self.log_read(index, &consume.subject, readable.as_ref().err().copied());
        let name = match readable {
            Ok(name) => name,
            Err(code) => {
                self.answer(index, Response::error(code, None));
                return;
            }
        };
        let reading = match consume.start {
            Start { resume: Some(position), .. } => Reading::After(position),
            Start { history: 0, .. } => Reading::Snapshot,
            Start { history, .. } => Reading::History(history),
        };
        let to = self.connection_id(index);
        self.push_to_core(Event::Read { to, name, reading });
    }

    fn readable(&mut self, index: u32, subject: &str) -> Result<Subject, Code> {
        let name = Subject::parse(subject).map_err(|_| Code::SubjectInvalid)?;
        let allowed = self.connection(index).session.may_subscribe(&name);
        if allowed { Ok(name) } else { Err(Code::SubscribeDenied) }
    }

    /// The core has answered a consume request.
    pub(super) fn on_answer(
        &mut self,
        index: u32,
        name: &Subject,
        cut: Cut,
        messages: &[(Kind, Arc<Record>)],
    ) {
        let Protocol::Waiting(waiting) = &mut self.connection(index).protocol else { return };
        let Answer::Consume { subject, wait_ms } = &waiting.answer else { return };
        let wait_ms = *wait_ms;
        let mut result = ConsumeResult::new(subject);
        for (kind, record) in messages {
            result.push(*kind, record);
        }
        let recovery = recovery_header(cut.recovery);
        if messages.is_empty() && wait_ms > 0 && cut.recovery != Recovery::Gap {
            // Nothing yet: subscribes from here, and answers with the first message.
            waiting.answer = Answer::Poll { result, recovery };
            self.set_deadline(index, wait_ms);
            let start = Start { history: 0, resume: Some(cut.position) };
            let item = SubscribeItem { subject: name.as_str().into(), start, conflation_ms: 0 };
            self.request_for(index, Request::Subscribe { id: None, items: vec![item] });
            self.fetch_more(index);
            if self.connection(index).has_ended() {
                self.end_poll(index, None);
            }
        } else {
            self.metrics.messages_out.add(messages.len() as u64);
            self.answer(index, result.into_response().header("Sterna-Recovery", recovery));
        }
    }

    /// A waiting consume request ends: with a message, or with nothing because its time is over.
    pub(super) fn end_poll(&mut self, index: u32, message: Option<(Kind, &Record)>) {
        let Some(connection) = self.table.get_mut(index) else { return };
        let Protocol::Waiting(waiting) = &mut connection.protocol else { return };
        let Answer::Poll { result, recovery } = &mut waiting.answer else { return };
        let (mut result, recovery) = (std::mem::take(result), *recovery);
        if let Some((kind, record)) = message {
            self.metrics.messages_out.add(1);
            result.push(if kind == Kind::Update { Kind::Recovered } else { kind }, record);
        }
        self.answer(index, result.into_response().header("Sterna-Recovery", recovery));
    }

    /// The reply to a session's request decides an HTTP request that waits.
    pub(super) fn answer_with_reply(&mut self, index: u32, reply: &Reply) {
        let Protocol::Waiting(waiting) = &self.connection(index).protocol else { return };
        let response = match (reply, &waiting.answer) {
            (Reply::Published { outcome, .. }, Answer::Produce { subject, closure }) => {
                rest::produce_result(subject, closure, outcome)
            }
            (Reply::Error { code, .. }, Answer::Produce { subject, closure }) => {
                rest::produce_result(subject, closure, &Err(*code))
            }
            (Reply::Error { code, detail, .. }, _) => Response::error(*code, detail.as_deref()),
            _ => return,
        };
        self.answer(index, response);
    }

    /// The request waits for the core from here on.
    fn wait(&mut self, index: u32, request: HttpRequest, answer: Answer) {
        let waiting = Waiting { request, rest: Vec::new(), answer };
        self.connection(index).protocol = Protocol::Waiting(Box::new(waiting));
        self.start_session(index);
    }

    /// Connects the request's session; if its token is refused, answers the request and returns false.
    fn connect_for(&mut self, index: u32, token: Option<&str>) -> bool {
        let connect = Request::Connect { version: 1, token: token.map(Into::into), client: None };
        self.with_session(index, |session, world| {
            let me = (world.me, world.number);
            session.handle_request(world.now, me, &world.settings.rules, connect, world.out);
        });
        match Self::refusal(&self.outputs) {
            Some(code) => {
                self.outputs.clear();
                self.answer_with_reply(index, &Reply::error(None, code));
                false
            }
            None => {
                self.outputs.retain(|output| !matches!(output, Output::Reply(Reply::Connected { .. })));
                true
            }
        }
    }

    fn request_for(&mut self, index: u32, request: Request) {
        self.with_session(index, |session, world| {
            let me = (world.me, world.number);
            session.handle_request(world.now, me, &world.settings.rules, request, world.out);
        });
        self.do_outputs(index);
    }

    /// Answers the request that waits; the connection is ready for the next one.
    fn answer(&mut self, index: u32, response: Response) {
        let connection = self.connection(index);
        let fresh = Protocol::Http(sterna_wire::http::Decoder::default());
        let Protocol::Waiting(waiting) = std::mem::replace(&mut connection.protocol, fresh) else { return };
        self.forget_session(index);
        let Waiting { request, mut rest, .. } = *waiting;
        self.set_deadline(index, self.settings.http_idle_timeout_ms);
        self.respond_rest(index, &request, response);
        self.account(index);
        self.feed(index, &mut rest);
        self.end_if_ended(index);
        if self.table.get(index).is_some() {
            self.resume_reading(index);
        }
    }

    fn respond_rest(&mut self, index: u32, request: &HttpRequest, response: Response) {
        let response = response.cors(request.header("origin"), &self.settings.origins);
        self.respond(index, request, &response);
    }
}
