//! Golden bytes of the WebSocket codec, and what it promises about copies and memory.

mod websocket_support;

use sterna_wire::websocket::{
    Decoder, Deflater, Event, Opcode, Role, Shared, Violation, close, frame, header, masked_frame, ping, pong,
};
use websocket_support::{Peer, Seen};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn server() -> Peer {
    Peer::new(Role::Server, true, 1024 * 1024)
}

fn client() -> Peer {
    Peer::new(Role::Client, true, 1024 * 1024)
}

fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

#[test]
fn frames_of_the_rfcs_examples_are_read_and_written() {
    // RFC 6455, 5.7
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    assert_eq!(client().read(&unmasked), [text("Hello")]);
    assert_eq!(server().read(&masked), [text("Hello")]);
    let mut out = Vec::new();
    frame(Opcode::Text, b"Hello", false, &mut out);
    masked_frame(Opcode::Text, b"Hello", false, KEY, &mut out);
    ping(b"Hello", &mut out);
    pong(b"Hello", &mut out);
    close(1000, "ok", &mut out);
    let control =
        [0x89, 5, 72, 101, 108, 108, 111, 0x8A, 5, 72, 101, 108, 108, 111, 0x88, 4, 0x03, 0xE8, 111, 107];
    assert_eq!(out, [unmasked.as_slice(), &masked, &control].concat());

    assert_eq!(client().read(&[0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F]), [text("Hello")]);
    assert_eq!(*header(Opcode::Binary, 256, false), [0x82, 0x7E, 0x01, 0x00]);
    assert_eq!(*header(Opcode::Binary, 65_536, false), [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(*header(Opcode::Text, 125, true), [0xC1, 125]);
    assert_eq!(*header(Opcode::Text, 126, true), [0xC1, 126, 0, 126]);
    assert_eq!(*header(Opcode::Text, 65_535, false), [0x81, 126, 0xFF, 0xFF]);
}

#[test]
fn compressed_frames_of_the_rfcs_examples_are_read_and_written() {
    // RFC 7692, 7.2.3.1 to 7.2.3.5
    for payload in [
        [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00].as_slice(),
        &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
        &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
        &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
    ] {
        let framed = [&[0xC1, payload.len() as u8], payload].concat();
        assert_eq!(client().read(&framed), [text("Hello")], "{payload:02x?}");
    }
    let fragments = [0x41, 0x03, 0xF2, 0x48, 0xCD, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00];
    assert_eq!(client().read(&fragments), [text("Hello")]);
    assert_eq!(client().read(&[0xC1, 0x01, 0x00]), [text("")]);

    let mut out = Vec::new();
    Deflater::new(6).compress(b"Hello", &mut out);
    assert_eq!(out, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
    out.clear();
    Deflater::new(6).compress(b"", &mut out);
    assert_eq!(out, [0x00]);
}

#[test]
fn a_message_that_lies_whole_in_the_input_is_neither_copied_nor_allocated() {
    let message = vec![b'x'; 1024];
    let mut sent = Vec::new();
    for _ in 0..3 {
        masked_frame(Opcode::Text, &message, false, KEY, &mut sent);
        masked_frame(Opcode::Ping, b"p", false, KEY, &mut sent);
    }
    let (mut decoder, mut shared) = (Decoder::new(Role::Server, true), Shared::default());
    let input_range = sent.as_ptr_range();
    let mut out = Vec::with_capacity(8 * 1024);
    let mut at = 0;
    while at < sent.len() {
        let step = decoder.next(&mut sent[at..], &mut shared, 2048).unwrap();
        at += step.consumed;
        match step.event.unwrap() {
            Event::Text(text) => {
                assert!(input_range.contains(&text.as_ptr()));
                frame(Opcode::Text, text.as_bytes(), false, &mut out);
            }
            Event::Ping(payload) => {
                assert!(input_range.contains(&payload.as_ptr()));
                pong(payload, &mut out);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((decoder.held_bytes(), shared.held_bytes()), (0, 0));
    }
    assert_eq!(out.len(), 3 * (4 + 1024 + 2 + 1));
}

#[test]
fn a_message_whose_header_came_alone_is_not_copied_either() {
    let mut sent = Vec::new();
    masked_frame(Opcode::Binary, &[7; 300], false, KEY, &mut sent);
    let (mut decoder, mut shared) = (Decoder::new(Role::Server, false), Shared::default());
    let (head, payload) = sent.split_at_mut(8);
    assert_eq!(decoder.next(head, &mut shared, 300).unwrap().event, None);
    assert!(decoder.held_bytes() > 0);
    let payload_range = payload.as_ptr_range();
    let Some(Event::Binary(bytes)) = decoder.next(payload, &mut shared, 300).unwrap().event else { panic!() };
    assert!(payload_range.contains(&bytes.as_ptr()) && bytes == [7; 300]);
    assert_eq!((decoder.held_bytes(), shared.held_bytes()), (0, 0));
}

#[test]
fn a_declared_length_reserves_nothing() {
    let max = 100 * 1024 * 1024;
    let mut peer = Peer::new(Role::Server, false, max);
    // 64 MB declared, 3 bytes sent
    let sent = [0x82, 0xFF, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, b'a', b'b', b'c'];
    assert_eq!(peer.read(&sent), []);
    assert!(peer.decoder.held_bytes() < 512, "{}", peer.decoder.held_bytes());
}

#[test]
fn a_length_above_the_bound_is_refused_from_the_header() {
    let mut peer = Peer::new(Role::Server, false, 1000);
    let too_large = Violation::TooLarge { bytes_max: 1000 };
    assert_eq!(peer.read(&[0x82, 0xFE, 0x03, 0xE9, 1, 2, 3, 4]), [Seen::Refused(too_large)]);
    assert_eq!(peer.decoder.held_bytes(), 0);
    assert_eq!(too_large.close_code(), 1009);

    // 600 bytes, and a continuation that declares 401 more
    let mut peer = Peer::new(Role::Server, false, 1000);
    let first = [[0x02, 0xFE, 0x02, 0x58, 0, 0, 0, 0].as_slice(), &[b'x'; 600]].concat();
    assert_eq!(peer.read(&first), []);
    assert_eq!(peer.read(&[0x80, 0xFE, 0x01, 0x91, 0, 0, 0, 0]), [Seen::Refused(too_large)]);
}

#[test]
fn a_control_frame_may_be_larger_than_the_bound_of_messages() {
    let mut sent = Vec::new();
    masked_frame(Opcode::Ping, &[1; 125], false, KEY, &mut sent);
    assert_eq!(Peer::new(Role::Server, false, 10).read(&sent), [Seen::Ping(vec![1; 125])]);
}

#[test]
fn a_finished_message_leaves_nothing_behind() {
    let mut sent = Vec::new();
    masked_frame(Opcode::Text, &[b'x'; 5000], false, KEY, &mut sent);
    let mut peer = server();
    for _ in 0..3 {
        assert_eq!(peer.read(&sent[..3000]), []);
        assert!(peer.decoder.held_bytes() > 2900);
        assert_eq!(peer.read(&sent[3000..]), [Seen::Text("x".repeat(5000))]);
        assert_eq!(peer.decoder.held_bytes(), 0);
    }
}
