//! The access audit: a line for each connect, subscribe, unsubscribe, read and disconnect; never a token.

use sterna_model::{Code, Reply};

use super::Shard;
use crate::trace::ACCESS;

impl Shard {
    /// A client has asked for a session, and has got it unless there is a code.
    pub(super) fn log_connect(&self, index: u32, client: &str, code: Option<Code>) {
        if self.settings.access_log {
            let (session, peer) = (self.session_id(index), self.peer(index));
            tracing::info!(target: ACCESS, %session, %peer, client, code = number(code), "connect");
        }
    }

    /// A session has ended: with a code if the server ended it.
    pub(super) fn log_disconnect(&self, index: u32, code: Option<Code>) {
        if self.settings.access_log {
            let (session, peer) = (self.session_id(index), self.peer(index));
            tracing::info!(target: ACCESS, %session, %peer, code = number(code), "disconnect");
        }
    }

    /// A session's reply, if it is about a subject.
    pub(super) fn log_reply(&self, index: u32, reply: &Reply) {
        if !self.settings.access_log {
            return;
        }
        let (session, peer) = (self.session_id(index), self.peer(index));
        match reply {
            Reply::Subscribed { subject, recovery, .. } => {
                let recovery = recovery.name();
                tracing::info!(target: ACCESS, %session, %peer, subject = &**subject, recovery, code = 0, "subscribe");
            }
            Reply::Unsubscribed { subject, .. } => {
                tracing::info!(target: ACCESS, %session, %peer, subject = &**subject, code = 0, "unsubscribe");
            }
            Reply::Error { subject: Some(subject), code, .. } => {
                tracing::info!(target: ACCESS, %session, %peer, subject = &**subject, code = code.number(), "refused");
            }
            _ => {}
        }
    }

    /// A request over REST to read a subject.
    pub(super) fn log_read(&self, index: u32, subject: &str, code: Option<Code>) {
        if self.settings.access_log {
            let (session, peer) = (self.session_id(index), self.peer(index));
            tracing::info!(target: ACCESS, %session, %peer, subject, code = number(code), "read");
        }
    }

    /// Address of the client, or `-` when the system has forgotten it.
    pub(super) fn peer(&self, index: u32) -> String {
        let address = self.table.get(index).and_then(|connection| connection.socket.peer_addr().ok());
        address.map_or("-".to_owned(), |address| address.to_string())
    }
}

/// 0 is no code.
fn number(code: Option<Code>) -> u16 {
    code.map_or(0, Code::number)
}
