//! The server's side of the handshake: a request's headers in, the answer's head out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::header::{self, elements, has_token};
use super::{HandshakeError, PerMessageDeflate, extension};

/// A client's valid wish to switch to WebSocket, and what the answer to it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The first subprotocol of the client's list that we know.
    pub protocol: Option<&'static str>,
    /// Compression as negotiated; a server that does not want it sets `None` before it answers.
    pub deflate: Option<PerMessageDeflate>,
    accept: String,
}

impl UpgradeRequest {
    /// Checks the headers of a request, given as (name, value). That it is a GET of HTTP/1.1 is the caller's check.
    ///
    /// # Errors
    /// What is missing or wrong; [`HandshakeError::NotWebSocket`] if it is an ordinary request.
    pub fn read<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        protocols_known: &[&'static str],
    ) -> Result<Self, HandshakeError> {
        let (mut upgrade, mut connection, mut version) = (false, false, false);
        let (mut keys, mut protocol, mut deflate) = (Vec::new(), None, Ok(None));
        for (name, value) in headers {
            let is = |expected: &str| name.eq_ignore_ascii_case(expected);
            if is(header::UPGRADE) {
                upgrade |= has_token(value, "websocket");
            } else if is(header::CONNECTION) {
                connection |= has_token(value, "upgrade");
            } else if is(header::VERSION) {
                version = value.trim_ascii() == b"13";
            } else if is(header::KEY) {
                keys.push(value.trim_ascii());
            } else if is(header::PROTOCOL) {
                protocol = protocol.or_else(|| choose(value, protocols_known));
            } else if is(header::EXTENSIONS) && deflate == Ok(None) {
                deflate = extension::accept(value);
            }
        }
        if !upgrade {
            return Err(HandshakeError::NotWebSocket);
        }
        if !connection {
            return Err(HandshakeError::ConnectionMissing);
        }
        if !version {
            return Err(HandshakeError::VersionUnsupported);
        }
        match keys[..] {
            [key] if is_key(key) => Ok(Self { protocol, deflate: deflate?, accept: header::accept_for(key) }),
            _ => Err(HandshakeError::KeyInvalid),
        }
    }

    /// Appends the head of the answer, with its empty line, to `out`; frames follow.
    pub fn write_answer(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        header::write(header::UPGRADE, "websocket", out);
        header::write(header::CONNECTION, "Upgrade", out);
        header::write(header::ACCEPT, &self.accept, out);
        if let Some(protocol) = self.protocol {
            header::write(header::PROTOCOL, protocol, out);
        }
        if let Some(deflate) = self.deflate {
            header::write(header::EXTENSIONS, &deflate.answer(), out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The first offered subprotocol that is known.
fn choose(offered: &[u8], known: &[&'static str]) -> Option<&'static str> {
    elements(offered).find_map(|name| known.iter().copied().find(|known| known.as_bytes() == name))
}

fn is_key(key: &[u8]) -> bool {
    BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: [(&str, &str); 4] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn read(headers: &[(&str, &str)]) -> Result<UpgradeRequest, HandshakeError> {
        UpgradeRequest::read(
            headers.iter().map(|(name, value)| (*name, value.as_bytes())),
            &["sterna.v1", "mqtt"],
        )
    }

    fn answer(request: &UpgradeRequest) -> String {
        let mut out = Vec::new();
        request.write_answer(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_request_gets_a_plain_answer() {
        let request = read(&VALID).unwrap();
        assert_eq!((request.protocol, request.deflate), (None, None));
        assert_eq!(
            answer(&request),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }

    #[test]
    fn subprotocol_and_compression_are_chosen_over_several_header_lines() {
        let wishes = [
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Protocol", "mqtt, sterna.v1"),
            ("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"),
            ("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=10"),
        ];
        let request = read(&[VALID.as_slice(), &wishes].concat()).unwrap();
        assert_eq!(request.protocol, Some("mqtt"), "the client's order counts");
        let answer = answer(&request);
        assert!(answer.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{answer}");
        let extension = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10";
        assert!(answer.ends_with(&format!("\r\nSec-WebSocket-Extensions: {extension}\r\n\r\n")), "{answer}");
    }

    #[test]
    fn each_missing_or_wrong_header_has_its_error() {
        let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let [upgrade, connection, version, _] = VALID;
        for (headers, error, status) in [
            (vec![], HandshakeError::NotWebSocket, 426),
            (vec![("Upgrade", "h2c"), connection, version, key], HandshakeError::NotWebSocket, 426),
            (vec![upgrade, ("Connection", "close"), version, key], HandshakeError::ConnectionMissing, 400),
            (vec![upgrade, connection, key], HandshakeError::VersionUnsupported, 426),
            (vec![upgrade, connection, (version.0, "8"), key], HandshakeError::VersionUnsupported, 426),
            (vec![upgrade, connection, version], HandshakeError::KeyInvalid, 400),
            (vec![upgrade, connection, version, key, key], HandshakeError::KeyInvalid, 400),
            (vec![upgrade, connection, version, (key.0, "c2hvcnQ=")], HandshakeError::KeyInvalid, 400),
            (
                vec![upgrade, connection, version, (key.0, "no base64 at all")],
                HandshakeError::KeyInvalid,
                400,
            ),
            (
                vec![upgrade, connection, version, key, ("Sec-WebSocket-Extensions", "a b")],
                HandshakeError::ExtensionsMalformed,
                400,
            ),
        ] {
            assert_eq!(read(&headers), Err(error), "{headers:?}");
            assert_eq!(error.http_status(), status, "{error}");
        }
    }
}
