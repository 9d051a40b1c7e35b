//! From what a client read back to what the server wrote.

use std::sync::Arc;

use sterna_model::{Reply, ServerInfo, SessionId};
use sterna_wire::native::ServerFrame;

/// The reply that a server writes as this frame; none for messages and for what is not of version 1.
pub(crate) fn to_reply(frame: ServerFrame) -> Option<Reply> {
    Some(match frame {
        ServerFrame::Connected {
            session,
            server,
            delivery,
            message_bytes_max,
            keep_alive_ms,
            token_expires_in_ms,
            ..
        } => Reply::Connected {
            session: SessionId(u64::from_str_radix(&session, 16).ok()?),
            info: Arc::new(ServerInfo {
                software: Box::leak(server),
                mode: delivery,
                message_bytes_max: usize::try_from(message_bytes_max).ok()?,
                keep_alive_ms,
            }),
            token_expires_in_ms,
        },
        ServerFrame::Subscribed { id, subject, recovery, position, missed } => {
            Reply::Subscribed { id, subject, recovery, position, missed }
        }
        ServerFrame::Unsubscribed { id, subject } => Reply::Unsubscribed { id, subject },
        ServerFrame::Published { id, closure, outcome: Ok(accepted) } => {
            Reply::Published { id, closure, outcome: Ok(accepted), detail: None }
        }
        ServerFrame::Published { id, closure, outcome: Err(refused) } => {
            let outcome = Err(refused.refusal.code()?);
            Reply::Published { id, closure, outcome, detail: refused.detail }
        }
        ServerFrame::Error { id, refusal, subject, detail } => {
            Reply::Error { id, code: refusal.code()?, subject, detail }
        }
        ServerFrame::Pong { id } => Reply::Pong { id },
        ServerFrame::TokenRenewed { id, expires_in_ms } => Reply::TokenRenewed { id, expires_in_ms },
        ServerFrame::TokenToExpire { expires_in_ms } => Reply::TokenToExpire { expires_in_ms },
        ServerFrame::GoingAway { reconnect_after_ms, servers } => {
            Reply::GoingAway { reconnect_after_ms, servers }
        }
        ServerFrame::Message { .. } | ServerFrame::Other { .. } => return None,
    })
}
