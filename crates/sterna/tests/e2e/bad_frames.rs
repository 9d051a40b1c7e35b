//! Clients that break the WebSocket protocol: each is closed with the code of its fault, and nobody else notices.

use flate2::{Compress, Compression, FlushCompress};
use serde_json::json;
use sterna_wire::websocket::Opcode;

use crate::native::{Incoming, Native, masked};
use crate::process::resident_bytes;
use crate::support::{Member, TOKEN};

/// Bytes of a frame: the first byte, then a payload masked with zeros.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// What permessage-deflate makes of a payload (RFC 7692, 7.2.1).
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut deflater = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(payload.len() / 100 + 1024);
    deflater.compress_vec(payload, &mut out, FlushCompress::Sync).expect("memory is enough");
    out.truncate(out.len() - 4);
    out
}

#[test]
fn each_violation_closes_its_connection_with_its_code_and_no_other() {
    let member = Member::start(&[]);
    let mut bystander = Native::connect(&member.address(), Some(TOKEN));
    let too_large = [&[0x81, 0x80 | 127][..], &(10_u64 << 30).to_be_bytes(), &[0; 4]].concat();
    let begun = raw(0x01, b"{\"op\":");
    let cases: &[(&str, Vec<u8>, u16, &str)] = &[
        ("an unmasked frame", b"\x81\x02{}".to_vec(), 1002, "not masked"),
        ("reserved bit 1 without compression", raw(0xc1, b"{}"), 1002, "reserved bit"),
        ("reserved bit 2", raw(0xa1, b"{}"), 1002, "reserved bit"),
        ("reserved bit 3", raw(0x91, b"{}"), 1002, "reserved bit"),
        ("a reserved data opcode", raw(0x83, b"{}"), 1002, "opcode 3"),
        ("a reserved control opcode", raw(0x8b, b""), 1002, "opcode 11"),
        ("a fragmented ping", raw(0x09, b""), 1002, "fragmented"),
        ("a ping of 126 bytes", raw(0x89, &[7; 126]), 1002, "more than 125"),
        ("a continuation of nothing", raw(0x80, b"x"), 1002, "no message to continue"),
        ("a message inside a message", [begun, raw(0x81, b"{}")].concat(), 1002, "inside a fragmented"),
        ("a length of 8 bytes for 5", b"\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0hello".to_vec(), 1002, "shortest"),
        ("a close of one byte", raw(0x88, b"\x03"), 1002, "one byte"),
        ("a close with a code nobody may send", raw(0x88, &1005_u16.to_be_bytes()), 1002, "1005"),
        ("a text that is not UTF-8", raw(0x81, b"\"\xff\xfe\""), 1007, "UTF-8"),
        ("a text that is cut inside a character", raw(0x81, b"\xe2\x82"), 1007, "UTF-8"),
        ("a close reason that is not UTF-8", raw(0x88, b"\x03\xe8\xff"), 1007, "UTF-8"),
        ("a frame of 10 GiB", too_large, 1009, "larger than"),
        (
            "fragments beyond the bound",
            [raw(0x01, &[b' '; 400_000]), raw(0x00, &[b' '; 400_000])].concat(),
            1009,
            "larger",
        ),
        ("a binary frame", raw(0x82, b"{}"), 1003, "binary_frame"),
    ];
    for (name, bytes, code, reason) in cases {
        for connected in [false, true] {
            let mut client = Native::open(&member.address());
            if connected {
                client.begin(None);
            }
            // The server may have closed before it has taken all.
            let _ = client.try_send(bytes);
            let close = client.close();
            assert_eq!(close.0, *code, "{name}: {close:?}");
            assert!(close.1.contains(reason), "{name}: {close:?}");
        }
        bystander.assert_alive();
    }
    bystander.publish_ok("/after/all", "of them");
}

#[test]
fn frames_in_any_pieces_are_one_request() {
    let member = Member::start(&[]);
    let mut client = Native::connect(&member.address(), None);
    let ping = br#"{"op":"ping","id":1}"#;
    let fragments: Vec<u8> = [raw(0x01, &ping[..5]), raw(0x89, b"between"), raw(0x80, &ping[5..])].concat();
    for byte in fragments {
        client.send_bytes(&[byte]);
    }
    assert_eq!(client.next(), Incoming::Pong(b"between".to_vec()));
    assert_eq!(client.frame(), json!({"op": "pong", "id": 1}));
}

#[test]
fn a_compressed_bomb_is_refused_before_it_costs_memory() {
    let member = Member::start(&[]);
    let bomb = deflated(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 200_000, "{} bytes are within the bound of a frame", bomb.len());
    let mut first = Native::open_compressed(&member.address());
    first.begin(None);
    let before = resident_bytes(member.id());
    for _ in 0..8 {
        let mut client = Native::open_compressed(&member.address());
        client.begin(None);
        client.send_bytes(&raw(0xc1, &bomb));
        let (code, reason) = client.close();
        assert_eq!((code, reason.contains("larger than")), (1009, true), "{reason}");
    }
    let grown = resident_bytes(member.id()).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");

    first.send_bytes(&raw(0xc1, &deflated(br#"{"op":"ping","id":4711}"#)));
    assert_eq!(first.frame(), json!({"op": "pong", "id": 4711}), "what is compressed and small is welcome");
    first.send_bytes(&raw(0xc1, b"no deflate stream"));
    assert_eq!(first.close().0, 1002);
}

#[test]
fn a_client_that_closes_gets_its_code_back() {
    let member = Member::start(&[]);
    for (sent, expected) in [(1000, 1000), (1001, 1001), (4999, 4999)] {
        let mut client = Native::connect(&member.address(), None);
        let mut payload = u16::to_be_bytes(sent).to_vec();
        payload.extend(b"done");
        client.send_bytes(&masked(Opcode::Close, &payload));
        assert_eq!(client.close().0, expected);
    }
    let mut client = Native::connect(&member.address(), None);
    client.send_bytes(&masked(Opcode::Close, b""));
    assert_eq!(client.close().0, 1000);
}
