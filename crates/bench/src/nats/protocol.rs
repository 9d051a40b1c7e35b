//! What a NATS server says to a client, and what a client of the load says to it.
//!
//! Source: "Client Protocol" in the documentation of NATS.

use std::io::Write;

use crate::error::{Failure, Result};

/// Longest line that is taken.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Largest message that is taken.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The first words of each connection.
pub(super) const GREETING: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"sterna-bench\",\"version\":\"1\"}\r\n";
/// Answers a ping.
pub(super) const PONG: &[u8] = b"PONG\r\n";

/// One word of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A message's payload.
    Message(&'a [u8]),
    Ping,
    Pong,
    /// What the server tells of itself, or a consent.
    Other,
}

/// The word at the beginning of `bytes` and its length; none while it is incomplete.
///
/// # Errors
/// The server complains, or says what no run asks for.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Word<'_>, usize)>> {
    let Some(line_bytes) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > LINE_BYTES_MAX { Err(unexpected(bytes)) } else { Ok(None) };
    };
    let (line, length) = (bytes[..line_bytes].trim_ascii_end(), line_bytes + 1);
    let word = match line.split(|byte| *byte == b' ').next() {
        Some(b"MSG") => return message(line, &bytes[length..], length),
        Some(b"PING") => Word::Ping,
        Some(b"PONG") => Word::Pong,
        Some(b"INFO" | b"+OK") => Word::Other,
        _ => return Err(unexpected(line)),
    };
    Ok(Some((word, length)))
}

/// `MSG subject sid [reply] bytes`, then so many bytes and an end of line.
fn message<'a>(line: &[u8], rest: &'a [u8], head: usize) -> Result<Option<(Word<'a>, usize)>> {
    let last = line.rsplit(|byte| *byte == b' ').next().and_then(|number| std::str::from_utf8(number).ok());
    let count = last.and_then(|number| number.parse::<usize>().ok());
    let count = count.filter(|count| *count <= PAYLOAD_BYTES_MAX).ok_or_else(|| unexpected(line))?;
    let all = count + 2;
    Ok((rest.len() >= all).then(|| (Word::Message(&rest[..count]), head + all)))
}

/// Appends a publish whose answer comes to `reply`.
pub(super) fn publish(subject: &str, reply: &str, payload: &[u8], out: &mut Vec<u8>) {
    write!(out, "PUB {subject} {reply} {}\r\n", payload.len()).expect("a Vec takes everything");
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Appends a subscription.
pub(super) fn subscribe(subject: &str, out: &mut Vec<u8>) {
    write!(out, "SUB {subject} 1\r\n").expect("a Vec takes everything");
}

pub(super) fn unexpected(what: &[u8]) -> Failure {
    let shown = String::from_utf8_lossy(&what[..what.len().min(200)]).into_owned();
    Failure::broken(format!("the NATS server says {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_one_by_one_and_only_when_they_are_whole() {
        let bytes = b"INFO {}\r\nPING\r\nMSG _INBOX.1 1 4\r\nab\r\n\r\nMSG a 1 reply 0\r\n\r\n+OK\r\n";
        let expected = [Word::Other, Word::Ping, Word::Message(b"ab\r\n"), Word::Message(b""), Word::Other];
        for split in 0..bytes.len() {
            let mut rest = &bytes[..];
            let mut heard = Vec::new();
            // What has come in at first may end anywhere.
            let mut known = split;
            while !rest.is_empty() {
                match next(&rest[..known]).unwrap() {
                    Some((word, length)) => {
                        heard.push(word);
                        rest = &rest[length..];
                        known -= length;
                    }
                    None => known = rest.len(),
                }
            }
            assert_eq!(heard, expected, "split at {split}");
        }
    }

    #[test]
    fn a_complaint_or_a_huge_message_ends_the_run() {
        let complaint = next(b"-ERR 'Authorization Violation'\r\n").unwrap_err();
        assert!(complaint.to_string().contains("Authorization Violation"));
        assert!(next(b"MSG a 1 99999999\r\n").is_err());
        assert!(next(b"MSG a 1 x\r\n").is_err());
        assert!(next(&[b'x'; LINE_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_publish_names_its_inbox_and_its_length() {
        let mut out = Vec::new();
        subscribe("_INBOX.1", &mut out);
        publish("a.b", "_INBOX.1", b"hello", &mut out);
        assert_eq!(out, b"SUB _INBOX.1 1\r\nPUB a.b _INBOX.1 5\r\nhello\r\n");
    }
}
