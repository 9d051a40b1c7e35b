//! What the server says.

use sterna_model::Code;
use sterna_wire::native::{Refusal, ServerFrame, decode_server};

use super::Machine;
use super::connect::{Ended, Phase, Session};
use crate::{Event, SessionInfo};

impl Machine {
    /// A text frame came.
    pub fn on_frame(&mut self, text: &str, now_ms: u64) {
        if !matches!(self.phase, Phase::Greeting { .. } | Phase::Connected(_)) {
            return; // it was on its way when we closed
        }
        self.on_heard(now_ms);
        match decode_server(text) {
            Ok(frame) => {
                self.on_server_frame(frame, now_ms);
                self.leave(now_ms);
            }
            Err(error) => self.abandon(&Ended::Failed(error.to_string().into()), now_ms),
        }
    }

    fn on_server_frame(&mut self, frame: ServerFrame, now_ms: u64) {
        match frame {
            ServerFrame::Message { kind, record } => self.on_message(kind, record, now_ms),
            ServerFrame::Published { id, outcome, .. } => self.on_published(id, outcome, now_ms),
            ServerFrame::Subscribed { subject, recovery, position, missed, .. } => {
                self.on_subscribed(subject, recovery, position, missed, now_ms);
            }
            ServerFrame::Unsubscribed { id, subject } => self.on_unsubscribed(id, subject),
            ServerFrame::Connected {
                session,
                server,
                delivery,
                message_bytes_max,
                keep_alive_ms,
                token_expires_in_ms,
                ..
            } => {
                let message_bytes_max = usize::try_from(message_bytes_max).unwrap_or(usize::MAX);
                let info = SessionInfo { session, server, delivery, message_bytes_max, token_expires_in_ms };
                self.on_connected(info, keep_alive_ms, now_ms);
            }
            ServerFrame::Error { id, refusal, subject, detail } => {
                self.on_error(id, refusal, subject.as_deref(), detail, now_ms);
            }
            ServerFrame::TokenRenewed { expires_in_ms, .. } => self.on_token_renewed(expires_in_ms),
            ServerFrame::TokenToExpire { expires_in_ms } => self.tell(Event::TokenToExpire { expires_in_ms }),
            ServerFrame::GoingAway { reconnect_after_ms, servers } => {
                self.on_going_away(reconnect_after_ms, &servers, now_ms);
            }
            // A later server may say more than this client knows (F5).
            ServerFrame::Pong { .. } | ServerFrame::Other { .. } => {}
        }
    }

    fn on_connected(&mut self, info: SessionInfo, keep_alive_ms: u64, now_ms: u64) {
        let Phase::Greeting { server, .. } = &self.phase else { return };
        let server = server.clone();
        self.failed_attempts = 0;
        self.named.clear();
        self.avoid = None;
        self.phase = Phase::Connected(Session {
            server,
            message_bytes_max: info.message_bytes_max,
            keep_alive_ms: keep_alive_ms.clamp(KEEP_ALIVE_MS_MIN, KEEP_ALIVE_MS_MAX),
            since_ms: now_ms,
            heard_ms: now_ms,
            pinged_ms: None,
            leaving: None,
        });
        self.tell(Event::ConnectOk(info));
        self.request_subscriptions(now_ms);
        self.send_publishes(now_ms);
    }

    fn on_error(
        &mut self,
        id: Option<u64>,
        refusal: Refusal,
        subject: Option<&str>,
        detail: Option<Box<str>>,
        now_ms: u64,
    ) {
        if matches!(self.phase, Phase::Greeting { .. }) {
            return self.abandon(&Ended::Refused(refusal), now_ms);
        }
        if self.on_token_refused(id, &refusal) || self.on_subscribe_refused(id, subject, &refusal, now_ms) {
            return;
        }
        let nothing_was_lost = refusal.code() == Some(Code::NotSubscribed);
        if nothing_was_lost {
            return;
        }
        self.last_refusal = Some(refusal.clone());
        if refusal.code() == Some(Code::TokenExpired) {
            self.tell(Event::TokenExpired(refusal));
        } else {
            self.tell(Event::Refused { refusal, detail });
        }
    }
}

/// A server that claimed to speak more often would only be pinged for nothing.
const KEEP_ALIVE_MS_MIN: u64 = 1_000;
/// And one that claimed to speak less often would be missed too late.
const KEEP_ALIVE_MS_MAX: u64 = 600_000;
