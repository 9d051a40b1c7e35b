//! The native protocol over WebSocket: the upgrade, frames in, what each frame leads to.

use sterna_model::limit::FRAME_OVERHEAD_BYTES_MAX;
use sterna_model::{Code, Request};
use sterna_wire::http::{Request as HttpRequest, Response};
use sterna_wire::native::{self, Refused};
use sterna_wire::websocket::{self, Decoder, Event, Role, UpgradeRequest, Violation};

use super::Shard;
use super::connection::{Flag, Protocol};

/// Subprotocols offered beside none.
const PROTOCOLS: &[&str] = &["sterna.v1"];
/// Content travels as JSON text: each byte takes at most this many (`\u0000`).
const ESCAPED_BYTES_MAX: usize = 6;

/// A frame, understood as far as it can be without its session.
enum Incoming {
    Request(Request),
    Refused(Refused),
    Binary,
    Ping(Box<[u8]>),
    Pong,
    Close(Option<u16>),
}

impl Shard {
    /// Answers an upgrade request; from here on the connection speaks WebSocket.
    pub(super) fn upgrade(&mut self, index: u32, request: &HttpRequest) {
        let origin = request.header("origin");
        if !self.settings.origins.allows(origin) {
            self.respond(index, request, &Response::error(Code::OriginDenied, None));
            return;
        }
        let mut upgrade = match UpgradeRequest::read(request.headers.iter(), PROTOCOLS) {
            Ok(upgrade) => upgrade,
            Err(error) => {
                let detail = error.to_string();
                let response = Response::error(error.code(), Some(&detail));
                self.respond(index, request, &response.header("Sec-WebSocket-Version", "13"));
                return;
            }
        };
        if self.settings.compression_threshold_bytes.is_none() {
            upgrade.deflate = None;
        }
        self.send_with(index, |out| upgrade.write_answer(out));
        let decoder = Decoder::new(Role::Server, upgrade.deflate.is_some());
        self.connection(index).protocol = Protocol::WebSocket(decoder, upgrade.deflate);
        self.start_session(index);
        self.websockets += 1;
        self.set_deadline(index, self.settings.handshake_timeout_ms);
    }

    /// Takes frames; returns how much of the input is done with.
    pub(super) fn feed_websocket(&mut self, index: u32, input: &mut [u8]) -> usize {
        let payload_bytes_max =
            self.settings.rules.info.message_bytes_max * ESCAPED_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX;
        let connection = self.table.get_mut(index).expect("the caller has just seen it");
        let Protocol::WebSocket(decoder, _) = &mut connection.protocol else { return input.len() };
        match decoder.next(input, &mut self.websocket, payload_bytes_max) {
            Ok(step) => {
                let consumed = step.consumed;
                if let Some(event) = step.event {
                    let incoming = understand(event);
                    self.on_incoming(index, incoming);
                }
                consumed
            }
            Err(violation) => {
                self.on_violation(index, violation);
                input.len()
            }
        }
    }

    fn on_incoming(&mut self, index: u32, incoming: Incoming) {
        match incoming {
            Incoming::Request(request) => self.on_request(index, request),
            Incoming::Refused(refused) => self.send_reply(index, &refused.into_reply()),
            Incoming::Binary => self.close(index, Code::BinaryFrame),
            Incoming::Ping(payload) => self.send_with(index, |out| websocket::pong(&payload, out)),
            Incoming::Pong => {}
            Incoming::Close(code) => {
                // Echoes the client's code (RFC 6455, 5.5.1).
                self.close_with(index, None, code.unwrap_or(1000), "");
            }
        }
    }

    fn on_request(&mut self, index: u32, request: Request) {
        let renews = matches!(request, Request::RenewToken { .. });
        let connects = match &request {
            Request::Connect { client, .. } => Some(client.clone().unwrap_or_default()),
            _ => None,
        };
        let denied = self.with_session(index, |session, world| {
            let me = (world.me, world.number);
            session.handle_request(world.now, me, &world.settings.rules, request, world.out);
            renews.then(|| session.end_denied(world.me, world.audiences, world.table, world.out))
        });
        self.forget_conflated(index, &denied.flatten().unwrap_or_default());
        if let Some(client) = &connects {
            self.log_connect(index, client, Self::refusal(&self.outputs));
        }
        self.do_outputs(index);
        self.fetch_more(index);
        let stands = self.table.get(index).is_some_and(|connection| connection.session.is_connected());
        if stands && (renews || connects.is_some()) {
            self.set_keep_alive(index);
        }
        if stands && connects.is_some() {
            self.tell_if_draining(index);
        }
    }

    fn on_violation(&mut self, index: u32, violation: Violation) {
        self.metrics.refused_requests.add(1);
        let reason = violation.to_string();
        // Close frames take 123 bytes of reason.
        let reason = reason.get(..123).unwrap_or(&reason);
        self.close_with(index, Some(violation.code()), violation.close_code(), reason);
    }

    /// Asks the core for more of what the session is waiting for, if the client keeps up.
    pub(super) fn fetch_more(&mut self, index: u32) {
        let room = self.settings.out_queue_bytes_max / 4;
        let Some(connection) = self.table.get(index) else { return };
        if connection.session.wants_more() && connection.queue.bytes() <= room {
            self.with_session(index, |session, world| session.fetch_more(world.me, world.out));
            self.do_outputs(index);
            self.resume_reading(index);
        }
    }

    /// Gives the connection a session that awaits its connect request.
    pub(super) fn start_session(&mut self, index: u32) {
        let connection = self.connection(index);
        let may_publish = connection.state.has(Flag::MayPublish);
        connection.session = sterna_broker::session::Session::new(may_publish);
    }
}

fn understand(event: Event<'_>) -> Incoming {
    match event {
        Event::Text(text) => match native::decode(text) {
            Ok(request) => Incoming::Request(request),
            Err(refused) => Incoming::Refused(refused),
        },
        Event::Binary(_) => Incoming::Binary,
        Event::Ping(payload) => Incoming::Ping(payload.into()),
        Event::Pong(_) => Incoming::Pong,
        Event::Close { code, .. } => Incoming::Close(code),
    }
}
