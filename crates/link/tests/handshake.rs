//! The messages of the handshake: golden bytes, and any bytes at all.

use proptest::prelude::*;
use sterna_link::handshake::{Hello, LinkId, Malformed, Message, Purpose, Welcome};
use sterna_link::limit::{ADVERTISED_MAX, HANDSHAKE_BYTES_MAX};

fn purposes() -> impl Strategy<Value = Purpose> {
    prop::sample::select(vec![Purpose::Log, Purpose::Forward, Purpose::Transfer, Purpose::Admin])
}

fn messages() -> impl Strategy<Value = Message> {
    let hash = any::<[u8; 32]>;
    let advertised = prop::collection::vec("[a-z]{1,60}:[1-9]", 0..=ADVERTISED_MAX);
    let rest = (any::<LinkId>(), hash(), hash(), "[!-~]{1,64}", advertised);
    let hello = (any::<(u8, u8)>(), purposes(), any::<(u16, u16)>(), any::<u128>(), rest.clone()).prop_map(
        |(versions, purpose, (from, to), nonce, (link, challenge, fingerprint, software, advertised))| {
            Message::Hello(Hello {
                versions,
                purpose,
                from,
                to,
                nonce,
                link,
                challenge,
                fingerprint,
                software,
                advertised,
            })
        },
    );
    let welcome = (any::<u8>(), any::<u16>(), any::<u128>(), rest).prop_map(
        |(version, slot, nonce, (_, challenge, fingerprint, software, advertised))| {
            Message::Welcome(Welcome { version, slot, nonce, challenge, fingerprint, software, advertised })
        },
    );
    prop_oneof![hello, welcome, hash().prop_map(Message::Proof), any::<u8>().prop_map(Message::Refuse)]
}

proptest! {
    #[test]
    fn messages_come_back_as_they_were(message in messages()) {
        let bytes = message.encode();
        prop_assert!(bytes.len() <= HANDSHAKE_BYTES_MAX);
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn any_bytes_are_a_message_or_none(bytes in prop::collection::vec(any::<u8>(), 0..HANDSHAKE_BYTES_MAX)) {
        if let Ok(message) = Message::decode(&bytes) {
            // Only what later versions may append is lost.
            let encoded = message.encode();
            prop_assert!(bytes.starts_with(&encoded) || encoded.strip_suffix(&[0]) == Some(&bytes[..]));
        }
    }

    #[test]
    fn a_changed_byte_is_seen_or_changes_the_message(message in messages(), at in any::<prop::sample::Index>(), flip in 1..=u8::MAX) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_ne!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn a_message_that_is_cut_is_none(message in messages(), at in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        let cut = at.index(bytes.len());
        match (Message::decode(&bytes[..cut]), message) {
            (Err(Malformed), _) => {}
            // What members send that do not know of advertised addresses.
            (Ok(cut), Message::Hello(hello)) => {
                prop_assert_eq!(cut, Message::Hello(Hello { advertised: vec![], ..hello }));
            }
            (Ok(cut), Message::Welcome(welcome)) => {
                prop_assert_eq!(cut, Message::Welcome(Welcome { advertised: vec![], ..welcome }));
            }
            (Ok(cut), _) => prop_assert!(false, "{:?}", cut),
        }
    }

    #[test]
    fn later_versions_may_append_to_the_first_two(message in messages(), more in prop::collection::vec(any::<u8>(), 1..50)) {
        let longer = [message.encode(), more].concat();
        match message {
            Message::Hello(_) | Message::Welcome(_) => prop_assert_eq!(Message::decode(&longer), Ok(message)),
            _ => prop_assert_eq!(Message::decode(&longer), Err(Malformed)),
        }
    }
}

#[test]
fn a_hello_has_the_bytes_of_the_document() {
    let hello = Message::Hello(Hello {
        versions: (1, 2),
        purpose: Purpose::Transfer,
        from: 3,
        to: 4,
        nonce: 5,
        link: [6; 16],
        challenge: [7; 32],
        fingerprint: [8; 32],
        software: "a/1".to_owned(),
        advertised: vec!["b:2".to_owned(), "c:3".to_owned()],
    });
    let expected = [
        &[1][..],
        b"STLK",
        &[1, 2, 2, 0, 3, 0, 4],
        &[0; 15],
        &[5],
        &[6; 16],
        &[7; 32],
        &[8; 32],
        b"\x03a/1",
        b"\x02\x03b:2\x03c:3",
    ]
    .concat();
    assert_eq!(hello.encode(), expected);
}

#[test]
fn software_that_would_spoil_a_log_is_refused() {
    let welcome = |software: &str| {
        let (challenge, fingerprint) = ([1; 32], [2; 32]);
        let message = Welcome {
            version: 1,
            slot: 0,
            nonce: 0,
            challenge,
            fingerprint,
            software: software.into(),
            advertised: vec![],
        };
        Message::decode(&Message::Welcome(message).encode())
    };
    assert!(welcome("sterna/0.1.0").is_ok());
    for bad in ["", "a b", "a\nb", "\u{1b}[31m", "\u{e9}", &"a".repeat(65)] {
        assert_eq!(welcome(bad), Err(Malformed), "{bad:?}");
    }
}
