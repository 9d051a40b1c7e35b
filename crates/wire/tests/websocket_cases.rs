//! The case classes of the Autobahn test suite as a table, so that every machine judges: what a server's decoder must
//! make of a client's bytes. The numbers are Autobahn's. Each case runs in one piece, in octets and in odd chops.

mod websocket_support;

use sterna_wire::websocket::{Deflater, Opcode, Role, Violation, frame, masked_frame};
use websocket_support::{Peer, Seen};

const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
const KEY: [u8; 4] = [0xA5, 0x00, 0xFF, 0x3C];

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A masked frame with any first byte.
fn sent(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    masked_frame(Opcode::Binary, payload.as_ref(), false, KEY, &mut out);
    out[0] = first;
    out
}

fn text(text: impl Into<String>) -> Seen {
    Seen::Text(text.into())
}

fn judge_with(deflate: bool, case: &str, frames: &[Vec<u8>], expected: &[Seen]) {
    let bytes = frames.concat();
    for chop in [usize::MAX, 997, 1] {
        if chop == 1 && bytes.len() > 20_000 {
            continue;
        }
        let mut peer = Peer::new(Role::Server, deflate, MESSAGE_BYTES_MAX);
        let seen = peer.read_in_chunks(&bytes, &[chop]);
        assert!(seen == expected, "case {case} in chops of {chop}: {}", brief(&seen));
    }
}

fn judge(case: &str, frames: &[Vec<u8>], expected: &[Seen]) {
    judge_with(false, case, frames, expected);
}

fn brief(seen: &[Seen]) -> String {
    format!("{seen:?}").chars().take(200).collect()
}

#[test]
fn class_1_framing() {
    for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = "*".repeat(length);
        judge("1.1", &[sent(FIN | TEXT, &payload)], &[text(payload.as_str())]);
        judge("1.2", &[sent(FIN | BINARY, &payload)], &[Seen::Binary(payload.into_bytes())]);
    }
}

#[test]
fn class_2_pings_and_pongs() {
    for payload in [b"".as_slice(), b"Hello, world!", &[0x00, 0xFF, 0xFE, 0xFD, 0xFC], &[0xFE; 125]] {
        judge("2.1-2.4", &[sent(FIN | PING, payload)], &[Seen::Ping(payload.to_vec())]);
        judge("2.7-2.8", &[sent(FIN | PONG, payload)], &[Seen::Pong(payload.to_vec())]);
    }
    judge("2.5", &[sent(FIN | PING, [0xFE; 126])], &[Seen::Refused(Violation::ControlTooLarge)]);
    let pings: Vec<_> = (0..10).map(|number| sent(FIN | PING, format!("payload-{number}"))).collect();
    let seen: Vec<_> = (0..10).map(|number| Seen::Ping(format!("payload-{number}").into_bytes())).collect();
    judge("2.10-2.11", &pings, &seen);
}

#[test]
fn class_3_reserved_bits() {
    let refused = Seen::Refused(Violation::ReservedBit);
    for bits in 1..8u8 {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            let frames = [
                sent(FIN | TEXT, "Hello"),
                sent(FIN | bits << 4 | opcode, "\u{3}\u{f0}Hello"),
                sent(FIN | PING, ""),
            ];
            judge("3", &frames, &[text("Hello"), refused.clone()]);
        }
    }
}

#[test]
fn class_4_reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "reserved"] {
            let frames = [sent(FIN | TEXT, "Hello"), sent(FIN | opcode, payload), sent(FIN | PING, "")];
            judge("4", &frames, &[text("Hello"), Seen::Refused(Violation::ReservedOpcode(opcode))]);
        }
    }
}

#[test]
fn class_5_fragmentation() {
    let ping = || sent(FIN | PING, "ping");
    let seen_ping = || Seen::Ping(b"ping".to_vec());
    let (one, two, last) = (|| sent(TEXT, "one"), || sent(CONTINUATION, "two"), || sent(FIN, "three"));

    judge("5.1", &[sent(PING, "one"), last()], &[Seen::Refused(Violation::ControlFragmented)]);
    judge("5.2", &[sent(PONG, "one"), last()], &[Seen::Refused(Violation::ControlFragmented)]);
    judge("5.3-5.5", &[one(), last()], &[text("onethree")]);
    judge("5.6-5.8", &[one(), ping(), last()], &[seen_ping(), text("onethree")]);
    let orphan = Seen::Refused(Violation::ContinuationUnexpected);
    judge("5.9-5.11", &[last(), sent(FIN | TEXT, "Hello")], std::slice::from_ref(&orphan));
    judge("5.12-5.14", &[two(), sent(FIN | TEXT, "Hello")], std::slice::from_ref(&orphan));
    judge("5.15", &[one(), last(), two(), sent(FIN | TEXT, "four")], &[text("onethree"), orphan]);
    judge("5.18", &[one(), sent(FIN | TEXT, "two")], &[Seen::Refused(Violation::ContinuationMissing)]);
    let frames = [one(), two(), ping(), two(), two(), ping(), last()];
    judge("5.19-5.20", &frames, &[seen_ping(), seen_ping(), text("onetwotwotwothree")]);
    judge("5.x empty", &[sent(TEXT, ""), sent(CONTINUATION, ""), sent(FIN, "")], &[text("")]);
}

#[test]
fn class_6_valid_utf8() {
    for valid in [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{1fffe}\u{10fffe}",
    ] {
        judge("6.2.1", &[sent(FIN | TEXT, valid)], &[text(valid)]);
        let mut octets: Vec<_> = valid.bytes().map(|byte| sent(CONTINUATION, [byte])).collect();
        octets[0][0] = TEXT;
        octets.push(sent(FIN, ""));
        judge("6.2.3", &octets, &[text(valid)]);
    }
}

#[test]
fn class_6_invalid_utf8() {
    let refused = [Seen::Refused(Violation::InvalidUtf8)];
    for invalid in [
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited".as_slice(),
        b"\x80",
        b"\xBF",
        b"\xC0 \xC1 ",
        b"\xC3",
        b"\xE0\x80",
        b"\xF0\x80\x80",
        b"\xFE",
        b"\xC0\xAF",
        b"\xE0\x9F\xBF",
        b"\xF0\x8F\xBF\xBF",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
    ] {
        judge("6.3-6.21", &[sent(FIN | TEXT, invalid)], &refused);
        let (head, tail) = invalid.split_at(invalid.len() / 2);
        judge("6.3-6.21", &[sent(TEXT, head), sent(FIN, tail)], &refused);
    }
}

#[test]
fn class_6_4_invalid_utf8_fails_fast() {
    let valid = "κόσμε".as_bytes();
    let mut peer = Peer::new(Role::Server, false, MESSAGE_BYTES_MAX);
    assert_eq!(peer.read(&sent(TEXT, valid)), [], "6.4.1");
    assert_eq!(peer.read(&sent(CONTINUATION, b"\xF4\x90")), [Seen::Refused(Violation::InvalidUtf8)], "6.4.1");

    let mut peer = Peer::new(Role::Server, false, MESSAGE_BYTES_MAX);
    assert_eq!(peer.read(&sent(TEXT, [valid, b"\xF4"].concat())), [], "6.4.2: may still become valid");
    assert_eq!(peer.read(&sent(CONTINUATION, b"\x90")), [Seen::Refused(Violation::InvalidUtf8)], "6.4.2");

    let whole = sent(FIN | TEXT, [valid, b"\xF4\x90\x80\x80edited"].concat());
    let (chop, rest) = whole.split_at(6 + valid.len());
    let mut peer = Peer::new(Role::Server, false, MESSAGE_BYTES_MAX);
    assert_eq!(peer.read(chop), [], "6.4.3");
    assert_eq!(peer.read(&rest[..1]), [], "6.4.4: may still become valid");
    assert_eq!(peer.read(&rest[1..2]), [Seen::Refused(Violation::InvalidUtf8)], "6.4.4");
}

#[test]
fn class_7_close() {
    let close = |code: u16, reason: &[u8]| sent(FIN | CLOSE, [&code.to_be_bytes(), reason].concat());
    let seen = |code, reason: &str| [Seen::Close(Some(code), reason.to_owned())];

    judge("7.1.5", &[sent(TEXT, "fragment1"), close(1000, b"")], &seen(1000, ""));
    judge("7.3.1", &[sent(FIN | CLOSE, "")], &[Seen::Close(None, String::new())]);
    judge("7.3.2", &[sent(FIN | CLOSE, "a")], &[Seen::Refused(Violation::CloseTruncated)]);
    judge("7.3.3", &[close(1000, b"")], &seen(1000, ""));
    judge("7.3.4", &[close(1000, b"Hello World!")], &seen(1000, "Hello World!"));
    judge("7.3.5", &[close(1000, &[b'*'; 123])], &seen(1000, &"*".repeat(123)));
    judge("7.3.6", &[close(1000, &[b'*'; 124])], &[Seen::Refused(Violation::ControlTooLarge)]);
    judge("7.5.1", &[close(1000, b"\xCE\xBA\xED\xA0\x80")], &[Seen::Refused(Violation::InvalidUtf8)]);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        judge("7.7", &[close(code, b"")], &seen(code, ""));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        judge("7.9, 7.13", &[close(code, b"")], &[Seen::Refused(Violation::CloseCode(code))]);
    }
}

#[test]
fn class_9_limits() {
    let payload = "x".repeat(1024 * 1024);
    judge("9.1", &[sent(FIN | TEXT, &payload)], &[text(payload.as_str())]);
    judge("9.2", &[sent(FIN | BINARY, &payload)], &[Seen::Binary(payload.clone().into_bytes())]);
    for fragment_bytes in [64, 1024, 65_536] {
        let mut frames: Vec<_> =
            payload.as_bytes().chunks(fragment_bytes).map(|part| sent(CONTINUATION, part)).collect();
        frames[0][0] = TEXT;
        frames.push(sent(FIN, ""));
        judge("9.3-9.4", &frames, &[text(payload.as_str())]);
    }
    let too_large = Seen::Refused(Violation::TooLarge { bytes_max: MESSAGE_BYTES_MAX });
    judge("above the bound", &[sent(FIN | BINARY, vec![0; MESSAGE_BYTES_MAX + 1])], &[too_large]);
}

#[test]
fn class_10_many_fragments() {
    let payload = "*".repeat(65_536);
    let mut frames: Vec<_> = payload.as_bytes().chunks(1300).map(|part| sent(CONTINUATION, part)).collect();
    frames[0][0] = TEXT;
    frames.last_mut().unwrap()[0] = FIN;
    judge("10.1.1", &frames, &[text(payload)]);
}

#[test]
fn masking_is_the_clients_and_only_the_clients() {
    let mut unmasked = Vec::new();
    frame(Opcode::Text, b"Hello", false, &mut unmasked);
    judge("5.1 of the RFC", &[unmasked], &[Seen::Refused(Violation::MaskMissing)]);
    let seen = Peer::new(Role::Client, false, 100).read(&sent(FIN | TEXT, "Hello"));
    assert_eq!(seen, [Seen::Refused(Violation::MaskUnexpected)]);
}

/// Text that compresses, and differs along its length.
fn lines(bytes: usize) -> String {
    let mut all: String =
        (0..).map(|n| format!("{{\"n\":{n},\"bid\":{}}}\n", n * 7919 % 1009)).take(bytes).collect();
    all.truncate(bytes);
    all
}

fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new(6).compress(payload, &mut out);
    out
}

const RSV1: u8 = 0x40;

#[test]
fn class_12_and_13_deflate() {
    for length in [0, 16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072] {
        let payload = lines(length);
        let deflated = compressed(payload.as_bytes());
        let whole = sent(FIN | RSV1 | TEXT, &deflated);
        let plain = sent(FIN | TEXT, &payload);
        let seen = [text(payload.as_str()), text(payload.as_str()), text(payload.as_str())];
        judge_with(true, "12.1.1-12.1.10", &[whole.clone(), plain, whole], &seen);
        for fragment_bytes in [256, 1024, 4096, 32_768] {
            let parts = deflated.chunks(fragment_bytes);
            let mut frames: Vec<_> = parts.map(|part| sent(CONTINUATION, part)).collect();
            frames[0][0] = RSV1 | TEXT;
            frames.insert(1, sent(FIN | PING, "between"));
            frames.push(sent(FIN, ""));
            judge_with(
                true,
                "12.1.11-12.1.18",
                &frames,
                &[Seen::Ping(b"between".to_vec()), text(payload.as_str())],
            );
        }
    }
}

#[test]
fn the_compression_bit_belongs_to_a_messages_first_frame() {
    let refused = [Seen::Refused(Violation::ReservedBit)];
    let deflated = compressed(b"Hello");
    judge_with(
        true,
        "continuation",
        &[sent(RSV1 | TEXT, &deflated[..3]), sent(FIN | RSV1, &deflated[3..])],
        &refused,
    );
    judge_with(true, "ping", &[sent(FIN | RSV1 | PING, "")], &refused);
    judge_with(true, "RSV2", &[sent(FIN | 0x20 | TEXT, "Hello")], &refused);
    judge_with(false, "not negotiated", &[sent(FIN | RSV1 | TEXT, &deflated)], &refused);
}

#[test]
fn inflating_stops_at_the_bound() {
    let bytes_max = 10_000;
    let refused = [Seen::Refused(Violation::TooLarge { bytes_max })];
    for (length, fits) in [(bytes_max, true), (bytes_max + 1, false), (50_000_000, false)] {
        let mut peer = Peer::new(Role::Server, true, bytes_max);
        let bomb = sent(FIN | RSV1 | BINARY, compressed(&vec![0; length]));
        if bomb.len() > bytes_max {
            continue; // refused from its header already
        }
        let seen = peer.read(&bomb);
        if fits {
            assert_eq!(seen, [Seen::Binary(vec![0; length])]);
        } else {
            assert_eq!(seen, refused, "{length}");
        }
        assert!(peer.shared.held_bytes() <= bytes_max + 1, "{}", peer.shared.held_bytes());
    }
}

#[test]
fn what_does_not_inflate_is_refused() {
    for garbage in [b"\x06\xFF".as_slice(), b"\xFF\xFF\xFF\xFF", b"\x00\x05\x00\x00\x00Hello"] {
        judge_with(
            true,
            "garbage",
            &[sent(FIN | RSV1 | BINARY, garbage)],
            &[Seen::Refused(Violation::InvalidDeflate)],
        );
    }
    let invalid_text = sent(FIN | RSV1 | TEXT, compressed(b"\xED\xA0\x80"));
    judge_with(true, "text", &[invalid_text], &[Seen::Refused(Violation::InvalidUtf8)]);
}
