//! Connect: the first request of a session.

use sterna_model::{Code, Reply, SessionId};

use super::{Now, Output, Rules, Session};

/// The protocol version this server speaks.
const VERSION: u32 = 1;

impl Session {
    pub(super) fn handle_connect(
        &mut self,
        now: Now,
        session: SessionId,
        rules: &Rules,
        version: u32,
        token: Option<&str>,
        out: &mut Vec<Output>,
    ) {
        if self.is_connected() {
            out.push(Output::Reply(Reply::error(None, Code::AlreadyConnected)));
            return;
        }
        if version != VERSION {
            out.push(Output::Reply(Reply::error(None, Code::VersionUnsupported)));
            out.push(Output::Close(Code::VersionUnsupported));
            return;
        }
        match rules.authority.verify(token, now.unix_ms / 1000) {
            Ok(identity) => {
                let identity = self.identity.insert(identity);
                out.push(Output::Reply(Reply::Connected {
                    session,
                    info: rules.info.clone(),
                    token_expires_in_ms: super::token::expires_in_ms(identity, now),
                }));
            }
            Err(code) => {
                out.push(Output::Reply(Reply::error(None, code)));
                out.push(Output::Close(code));
            }
        }
    }
}
