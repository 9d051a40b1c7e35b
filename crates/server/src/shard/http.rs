//! HTTP on the client port: which request is for whom, and the answers that need no session.

use std::rc::Rc;

use sterna_model::Code;
use sterna_wire::http::{Limits, Method, Outcome, Request, Response, Violation};

use super::Shard;
use super::connection::{Connection, Flag, Protocol};
use crate::pages;

/// The value of the `Date` header, made once a second.
#[derive(Debug, Default)]
pub(super) struct HttpDate {
    unix_seconds: u64,
    text: Rc<str>,
}

impl HttpDate {
    fn at(&mut self, unix_ms: u64) -> Rc<str> {
        if self.unix_seconds != unix_ms / 1000 {
            self.unix_seconds = unix_ms / 1000;
            self.text = sterna_wire::http::date(self.unix_seconds).into();
        }
        self.text.clone()
    }
}

impl Shard {
    /// Takes bytes of requests; returns how much of the input is done with.
    pub(super) fn feed_http(&mut self, index: u32, input: &[u8]) -> usize {
        let limits = Limits { body_bytes_max: self.settings.rules.info.message_bytes_max };
        let Connection { protocol: Protocol::Http(decoder), .. } = self.connection(index) else {
            return input.len();
        };
        let begins = !decoder.is_mid_request();
        match decoder.next(input, &limits) {
            Ok(step) => {
                match step.outcome {
                    // From its first byte on; more bytes give no more time.
                    Outcome::NeedMore if begins => {
                        self.set_deadline(index, self.settings.handshake_timeout_ms);
                    }
                    Outcome::NeedMore => {}
                    Outcome::Continue100 => {
                        self.send(index, super::outbox::Frame::constant(Response::CONTINUE));
                    }
                    Outcome::Request(request) => {
                        self.set_deadline(index, self.settings.http_idle_timeout_ms);
                        self.on_http_request(index, request);
                    }
                }
                step.consumed
            }
            Err(violation) => {
                self.on_http_violation(index, &violation);
                input.len()
            }
        }
    }

    fn on_http_violation(&mut self, index: u32, violation: &Violation) {
        self.metrics.refused_requests.add(1);
        let response = match &violation.request {
            Some(request) if request.path() == "/rest/produce" => self.refuse_produce(request, violation),
            _ => Response::from(violation),
        };
        self.send_last_response(index, &response);
        self.end_behind_answer(index);
    }

    fn on_http_request(&mut self, index: u32, request: Request) {
        if request.is_websocket_upgrade() {
            match &*request.path() {
                "/" | "/ws" => self.upgrade(index, &request),
                _ => self.respond(index, &request, &Response::error(Code::NotFound, None)),
            }
            return;
        }
        let path = request.path().into_owned();
        let methods = methods(&path);
        match request.method {
            Method::Options => {
                let response = self.settings.origins.preflight(request.header("origin"));
                self.respond(index, &request, &response);
            }
            method if !allows(methods, method) => {
                self.respond(index, &request, &Response::method_not_allowed(methods));
            }
            _ => match &*path {
                "/rest/produce" => self.produce(index, request),
                "/rest/consume" => self.consume(index, request),
                "/sse" => self.open_stream(index, &request),
                "/health" | "/health/live" | "/health/ready" => {
                    let response = self.status.health(&path);
                    self.respond(index, &request, &response);
                }
                _ => {
                    let root = self.settings.document_root.as_deref();
                    let file = root.and_then(|root| super::files::read(root, &request));
                    let response = file.unwrap_or_else(|| pages::find(&path));
                    self.respond(index, &request, &response);
                }
            },
        }
    }

    /// Sends the response, and closes behind it if the client or a drain wants that.
    pub(super) fn respond(&mut self, index: u32, request: &Request, response: &Response) {
        if response.status() >= 400 {
            self.metrics.refused_requests.add(1);
        }
        self.send_response(index, request, response);
        if !request.keep_alive || self.drain.is_some() {
            self.end_behind_answer(index);
        }
    }

    /// Sends the bytes of a response, and nothing more.
    pub(super) fn send_response(&mut self, index: u32, request: &Request, response: &Response) {
        let date = self.date.at(self.now.unix_ms);
        self.send_with(index, |out| response.encode(request, &date, out));
    }

    /// The same behind which the connection is to be closed, when there is no request.
    pub(super) fn send_last_response(&mut self, index: u32, response: &Response) {
        let date = self.date.at(self.now.unix_ms);
        self.send_with(index, |out| response.encode_last(&date, out));
    }

    /// Ends the connection when what was answered is written.
    pub(super) fn end_behind_answer(&mut self, index: u32) {
        let connection = self.connection(index);
        connection.state.set(Flag::CloseWhenFlushed);
        connection.protocol = Protocol::Closing;
    }
}

/// The methods that a path takes, as in an `Allow` header.
fn methods(path: &str) -> &'static str {
    match path {
        "/rest/produce" => "POST, OPTIONS",
        _ => "GET, HEAD, OPTIONS",
    }
}

fn allows(methods: &str, method: Method) -> bool {
    match method {
        Method::Get | Method::Head => methods.starts_with("GET"),
        Method::Post => methods.starts_with("POST"),
        Method::Options => true,
        Method::Other => false,
    }
}
