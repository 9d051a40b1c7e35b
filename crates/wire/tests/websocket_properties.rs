//! Properties of the WebSocket codec over any messages, and any way to cut their bytes.

mod websocket_support;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use sterna_wire::websocket::{Deflater, Opcode, Role, frame, masked_frame};
use websocket_support::{Peer, Seen, check_server, client_frames};

const PAYLOAD_BYTES_MAX: usize = 4096;

/// One thing that a client says: what the server should see, and the frames.
#[derive(Clone, Debug)]
struct Said {
    seen: Seen,
    frames: Vec<u8>,
}

fn single() -> impl Strategy<Value = Seen> {
    let small = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        ".{0,300}".prop_map(Seen::Text),
        vec(any::<u8>(), 0..700).prop_map(Seen::Binary),
        small().prop_map(Seen::Ping),
        small().prop_map(Seen::Pong),
    ]
}

/// A message in any number of fragments, compressed or not, with a ping inside.
fn fragmented() -> impl Strategy<Value = Vec<Said>> {
    let cuts = vec(any::<proptest::sample::Index>(), 0..5);
    (".{0,300}", cuts, any::<bool>(), any::<[u8; 4]>()).prop_map(|(text, cuts, compressed, key)| {
        let payload = if compressed { compress(text.as_bytes()) } else { text.clone().into_bytes() };
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        ends.push(payload.len());
        ends.sort_unstable();
        let mut frames = Vec::new();
        let mut start = 0;
        for (number, end) in ends.iter().enumerate() {
            let first_at = frames.len();
            let opcode = if number == 0 { Opcode::Text } else { Opcode::Continuation };
            masked_frame(opcode, &payload[start..*end], compressed && number == 0, key, &mut frames);
            start = *end;
            if number + 1 < ends.len() {
                frames[first_at] &= !0x80;
                masked_frame(Opcode::Ping, b"in between", false, key, &mut frames);
            }
        }
        let ping = Said { seen: Seen::Ping(b"in between".to_vec()), frames: Vec::new() };
        let mut all = vec![ping; ends.len() - 1];
        all.push(Said { seen: Seen::Text(text), frames });
        all
    })
}

fn conversation() -> impl Strategy<Value = Vec<Said>> {
    let whole =
        single().prop_map(|seen| vec![Said { frames: client_frames(std::slice::from_ref(&seen)), seen }]);
    vec(prop_oneof![whole, fragmented()], 0..8).prop_map(|parts| parts.into_iter().flatten().collect())
}

fn compress(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new(6).compress(payload, &mut out);
    out
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_gives_the_same_events(said in conversation(), sizes in vec(1usize..200, 1..40)) {
        let bytes: Vec<u8> = said.iter().flat_map(|said| said.frames.clone()).collect();
        let expected: Vec<Seen> = said.into_iter().map(|said| said.seen).collect();
        let server = || Peer::new(Role::Server, true, PAYLOAD_BYTES_MAX);
        prop_assert_eq!(&server().read(&bytes), &expected);
        let mut peer = server();
        prop_assert_eq!(&peer.read_in_chunks(&bytes, &sizes), &expected);
        prop_assert_eq!(peer.decoder.held_bytes(), 0);
    }

    #[test]
    fn any_bytes_are_survived(data in vec(any::<u8>(), 0..600)) {
        check_server(&data);
    }

    #[test]
    fn frames_with_any_bits_are_survived(
        flags in any::<u8>(),
        chunk_bytes in any::<u8>(),
        frames in vec((any::<u8>(), ".{0,40}"), 0..6),
    ) {
        let mut data = vec![flags, chunk_bytes];
        for (first, payload) in frames {
            let first_at = data.len();
            masked_frame(Opcode::Text, payload.as_bytes(), false, [1, 2, 3, 4], &mut data);
            data[first_at] = first;
        }
        check_server(&data);
    }

    #[test]
    fn any_message_survives_compression(payload in vec(0u8..4, 0..3000), level in 1u8..=9) {
        let mut compressed = b"kept".to_vec();
        Deflater::new(level).compress(&payload, &mut compressed);
        prop_assert_eq!(&compressed[..4], b"kept");
        let mut sent = Vec::new();
        frame(Opcode::Binary, &compressed[4..], true, &mut sent);
        let seen = Peer::new(Role::Client, true, PAYLOAD_BYTES_MAX).read(&sent);
        prop_assert_eq!(seen, [Seen::Binary(payload)]);
    }

    #[test]
    fn any_compressed_bytes_are_survived(payload in vec(any::<u8>(), 0..100)) {
        let mut sent = Vec::new();
        frame(Opcode::Binary, &payload, true, &mut sent);
        prop_assert!(Peer::new(Role::Client, true, PAYLOAD_BYTES_MAX).read(&sent).len() <= 1);
    }
}
