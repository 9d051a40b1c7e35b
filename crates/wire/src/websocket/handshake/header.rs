//! Header values that both sides write or read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

pub(super) const UPGRADE: &str = "Upgrade";
pub(super) const CONNECTION: &str = "Connection";
pub(super) const VERSION: &str = "Sec-WebSocket-Version";
pub(super) const KEY: &str = "Sec-WebSocket-Key";
pub(super) const ACCEPT: &str = "Sec-WebSocket-Accept";
pub(super) const PROTOCOL: &str = "Sec-WebSocket-Protocol";
pub(super) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// Ends the hashed text: proves that the server has read the key as a WebSocket key (RFC 6455, 1.3).
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
pub(super) fn accept_for(key: &[u8]) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(ACCEPT_SUFFIX);
    BASE64.encode(hash.digest().bytes())
}

/// Appends a header line to `out`.
pub(super) fn write(name: &str, value: &str, out: &mut Vec<u8>) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The elements of a comma-separated list, trimmed.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a comma-separated list has this token, in any case.
pub(super) fn has_token(value: &[u8], token: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_that_of_the_rfcs_example() {
        assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
