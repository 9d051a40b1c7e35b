//! What the load has heard, counted by the beginning of each text: the server's encoder writes `op` first.

use crate::error::Failure;

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections whose session stands.
    pub(crate) ready: u64,
    /// Subscriptions that stand.
    pub(crate) subscribed: u64,
    /// Messages received, of whatever type.
    pub(crate) messages: u64,
    /// Publishes accepted, of those that asked for a result.
    pub(crate) accepted: u64,
    /// Publishes refused.
    pub(crate) refused: u64,
}

impl Counts {
    /// Counts one text.
    ///
    /// # Errors
    /// The server refused a request or said something that no run asks for.
    pub(super) fn hear(&mut self, text: &str) -> Result<(), Failure> {
        let Some(operation) = text.strip_prefix("{\"op\":\"") else {
            return Err(unexpected(text));
        };
        if operation.starts_with("message\"") {
            self.messages += 1;
        } else if operation.starts_with("published\"") {
            if operation.contains("\"status\":\"OK\"") {
                self.accepted += 1;
            } else {
                self.refused += 1;
            }
        } else if operation.starts_with("subscribed\"") {
            self.subscribed += 1;
        } else if operation.starts_with("connected\"") {
            self.ready += 1;
        } else {
            return Err(unexpected(text));
        }
        Ok(())
    }
}

fn unexpected(text: &str) -> Failure {
    let shown: String = text.chars().take(200).collect();
    Failure::broken(format!("the server says {shown}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sterna_model::{
        Accepted, Code, DeliveryMode, Kind, Message, Position, Qos, Record, Recovery, Reply, ServerInfo,
        SessionId, Subject,
    };
    use sterna_wire::native;

    use super::*;

    fn text(reply: &Reply) -> String {
        let mut out = Vec::new();
        native::encode_reply(reply, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn published(outcome: Result<Accepted, Code>) -> Reply {
        Reply::Published { id: Some(1), closure: "OK".into(), outcome, detail: None }
    }

    #[test]
    fn what_our_encoder_writes_is_counted() {
        let info = ServerInfo {
            software: "sterna",
            mode: DeliveryMode::Guaranteed,
            message_bytes_max: 1,
            keep_alive_ms: 1,
        };
        let connected =
            Reply::Connected { session: SessionId(1), info: Arc::new(info), token_expires_in_ms: None };
        let subscribed = Reply::Subscribed {
            id: None,
            subject: "/a".into(),
            recovery: Recovery::Fresh,
            position: Position::new(1, 2),
            missed: None,
        };
        let record = Record {
            group: Default::default(),
            position: Position::new(1, 2),
            time_ms: 3,
            message: Message {
                subject: Subject::parse("/a").unwrap(),
                content: Box::from(*b"x"),
                closure: "".into(),
                reply_to: None,
                retained: true,
                qos: Qos::Guaranteed,
                compression: None,
            },
        };
        let mut message = Vec::new();
        native::encode_message(Kind::Update, &record, &mut message);
        let accepted = published(Ok(Accepted { position: None, duplicate: false }));
        let refused = published(Err(Code::MemoryFull));

        let mut counts = Counts::default();
        for text in [
            text(&connected),
            text(&subscribed),
            String::from_utf8(message).unwrap(),
            text(&accepted),
            text(&refused),
        ] {
            counts.hear(&text).unwrap();
        }
        let expected = Counts { ready: 1, subscribed: 1, messages: 1, accepted: 1, refused: 1 };
        assert_eq!(counts, expected);
    }

    #[test]
    fn an_error_ends_the_run() {
        let error = text(&Reply::error(None, Code::SubjectInvalid));
        assert!(Counts::default().hear(&error).unwrap_err().to_string().contains("subject_invalid"));
    }
}
