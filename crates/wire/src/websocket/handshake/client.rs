//! The client's side of the handshake: the request's head out, the answer's headers in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::header::{self, has_token};
use super::{HandshakeError, extension};

/// Value of `Sec-WebSocket-Key` for 16 random bytes, new for each connection.
#[must_use]
pub fn request_key(random: [u8; 16]) -> String {
    BASE64.encode(random)
}

/// A client's wish to switch to WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeOffer<'a> {
    /// Host, with the port unless it is the scheme's own.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// From [`request_key`].
    pub key: &'a str,
    /// Subprotocol to offer.
    pub protocol: Option<&'a str>,
    /// Whether to offer permessage-deflate.
    pub deflate: bool,
}

/// What the server agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeAnswer {
    /// The offered subprotocol is spoken.
    pub protocol: bool,
    /// Messages may be compressed, in both directions.
    pub deflate: bool,
}

impl UpgradeOffer<'_> {
    /// Appends the head of the request, with its empty line, to `out`. The fields must not contain line breaks.
    pub fn write(&self, out: &mut Vec<u8>) {
        for part in ["GET ", self.path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        header::write("Host", self.host, out);
        header::write(header::UPGRADE, "websocket", out);
        header::write(header::CONNECTION, "Upgrade", out);
        header::write(header::VERSION, "13", out);
        header::write(header::KEY, self.key, out);
        if let Some(protocol) = self.protocol {
            header::write(header::PROTOCOL, protocol, out);
        }
        if self.deflate {
            header::write(header::EXTENSIONS, extension::OFFER, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Checks the server's answer: its status, and its headers as (name, value) (RFC 6455, 4.1).
    ///
    /// # Errors
    /// What is missing, wrong or was not offered.
    pub fn verify<'a>(
        &self,
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<UpgradeAnswer, HandshakeError> {
        if status != 101 {
            return Err(HandshakeError::StatusUnexpected(status));
        }
        let (mut upgrade, mut connection, mut accept) = (false, false, false);
        let mut answer = UpgradeAnswer { protocol: false, deflate: false };
        for (name, value) in headers {
            let is = |expected: &str| name.eq_ignore_ascii_case(expected);
            if is(header::UPGRADE) {
                upgrade |= has_token(value, "websocket");
            } else if is(header::CONNECTION) {
                connection |= has_token(value, "upgrade");
            } else if is(header::ACCEPT) {
                accept = value.trim_ascii() == header::accept_for(self.key.as_bytes()).as_bytes();
            } else if is(header::PROTOCOL) {
                if self.protocol.map(str::as_bytes) != Some(value.trim_ascii()) {
                    return Err(HandshakeError::ProtocolUnexpected);
                }
                answer.protocol = true;
            } else if is(header::EXTENSIONS) {
                if !self.deflate || answer.deflate {
                    return Err(HandshakeError::ExtensionUnexpected);
                }
                extension::verify(value)?;
                answer.deflate = true;
            }
        }
        match (upgrade, connection, accept) {
            (false, _, _) => Err(HandshakeError::NotWebSocket),
            (_, false, _) => Err(HandshakeError::ConnectionMissing),
            (_, _, false) => Err(HandshakeError::AcceptInvalid),
            _ => Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::UpgradeRequest;
    use super::*;

    const OFFER: UpgradeOffer<'_> = UpgradeOffer {
        host: "localhost:8800",
        path: "/ws",
        key: "dGhlIHNhbXBsZSBub25jZQ==",
        protocol: Some("sterna.v1"),
        deflate: true,
    };

    /// Headers of a head, without its first line.
    fn headers(head: &[u8]) -> Vec<(&str, &[u8])> {
        let lines = str::from_utf8(head).unwrap().strip_suffix("\r\n\r\n").unwrap().split("\r\n").skip(1);
        lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name, value.as_bytes()))
            .collect()
    }

    #[test]
    fn our_server_accepts_our_offer_and_our_client_its_answer() {
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        OFFER.write(&mut request);
        assert!(request.starts_with(b"GET /ws HTTP/1.1\r\nHost: localhost:8800\r\n"));
        let upgrade = UpgradeRequest::read(headers(&request), &["sterna.v1"]).unwrap();
        upgrade.write_answer(&mut answer);
        assert_eq!(OFFER.verify(101, headers(&answer)), Ok(UpgradeAnswer { protocol: true, deflate: true }));
        let plain = UpgradeOffer { protocol: None, deflate: false, ..OFFER };
        assert_eq!(plain.verify(101, headers(&answer)), Err(HandshakeError::ProtocolUnexpected));
        let without_deflate = UpgradeOffer { deflate: false, ..OFFER };
        assert_eq!(without_deflate.verify(101, headers(&answer)), Err(HandshakeError::ExtensionUnexpected));
        let other_key = UpgradeOffer { key: "AAAAAAAAAAAAAAAAAAAAAA==", ..OFFER };
        assert_eq!(other_key.verify(101, headers(&answer)), Err(HandshakeError::AcceptInvalid));
    }

    #[test]
    fn an_answer_that_does_not_switch_is_refused() {
        let upgrade = ("upgrade", b"websocket".as_slice());
        assert_eq!(OFFER.verify(200, []), Err(HandshakeError::StatusUnexpected(200)));
        assert_eq!(OFFER.verify(101, []), Err(HandshakeError::NotWebSocket));
        assert_eq!(OFFER.verify(101, [upgrade]), Err(HandshakeError::ConnectionMissing));
        assert_eq!(
            OFFER.verify(101, [upgrade, ("connection", b"upgrade".as_slice())]),
            Err(HandshakeError::AcceptInvalid)
        );
    }

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        assert_eq!(request_key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }
}
