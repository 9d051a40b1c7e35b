//! Whoever does not belong here is refused, is told why, and disturbs nobody.

use std::net::TcpListener;
use std::time::Duration;

use sterna_link::handshake::{Hello, Message, NO_SLOT, Purpose, Welcome};
use sterna_link::limit::HALF_OPEN_PER_ADDRESS_MAX;
use sterna_link::{ClusterKey, LinkSettings, Refusal};

use crate::raw::{Raw, hello};
use crate::support::{Member, assert_linked, linked, linked_pair, members, settings};

/// The hello that the member of slot 0 sends to slot 1, whose place a listener takes.
fn overheard_hello(list: &[String]) -> (TcpListener, Raw, Hello) {
    let listener = TcpListener::bind(&list[1]).unwrap();
    let mut raw = Raw::over(listener.accept().unwrap().0);
    let Message::Hello(hello) = raw.read() else { panic!("a dial begins with a hello") };
    (listener, raw, hello)
}

/// The fingerprint of the cluster, which is no secret: a member says it to whoever it dials.
fn overheard_fingerprint() -> (Vec<String>, [Member; 2], [sterna_link::Link; 2], [u8; 32]) {
    let list = members(2);
    let low = Member::start(settings(0, &list));
    let fingerprint = overheard_hello(&list).2.fingerprint;
    let high = Member::start(settings(1, &list));
    let links = [low.up(1).1, high.up(0).1];
    (list, [low, high], links, fingerprint)
}

#[test]
fn strangers_are_refused_with_the_reason_and_disturb_nobody() {
    let (list, members, links, fingerprint) = overheard_fingerprint();
    let own = Hello { fingerprint, ..hello() };
    let refused = |hello: Hello, refusal| {
        let mut raw = Raw::connect(&list[0], Purpose::Log);
        raw.send(&Message::Hello(hello));
        raw.assert_refused(refusal);
    };
    refused(hello(), Refusal::OtherCluster);
    refused(Hello { versions: (2, 3), ..own.clone() }, Refusal::Version);
    refused(Hello { from: 0, ..own.clone() }, Refusal::OwnSlot);
    refused(Hello { from: 2, ..own.clone() }, Refusal::WrongSlot);
    refused(Hello { from: NO_SLOT, ..own.clone() }, Refusal::WrongSlot);
    refused(Hello { to: 1, ..own.clone() }, Refusal::WrongSlot);
    let advertised = vec!["two hosts:8800".to_owned()];
    refused(Hello { advertised, ..own.clone() }, Refusal::Advertised);
    refused(Hello { purpose: Purpose::Forward, ..own.clone() }, Refusal::WrongPort);
    refused(Hello { purpose: Purpose::Admin, from: NO_SLOT, ..own.clone() }, Refusal::WrongPort);

    for purpose in [Purpose::Log, Purpose::Forward, Purpose::Transfer, Purpose::Admin] {
        let mut guess = Raw::connect(&list[0], purpose);
        guess.send(&Message::Hello(Hello { purpose, ..own.clone() }));
        let Message::Welcome(welcome) = guess.read() else { panic!("a hello like this is welcome") };
        assert_eq!((welcome.slot, welcome.nonce), (0, 1));
        guess.send(&Message::Proof([0; 32]));
        guess.assert_refused(Refusal::Password);
    }
    assert_linked(&members, &links);
}

#[test]
fn garbage_is_refused_before_anything_is_allocated() {
    let (members, links) = linked_pair();
    let entry = &members[1].watch.read()[0].member;
    let mut http = Raw::connect(entry, Purpose::Log);
    http.send_bytes(b"GE");
    http.assert_refused(Refusal::Oversized);
    let mut largest = Raw::connect(entry, Purpose::Transfer);
    largest.send_bytes(&[0xFF; 2]);
    largest.assert_refused(Refusal::Oversized);
    let mut noise = Raw::connect(entry, Purpose::Forward);
    noise.send_bytes(&[0, 5, 1, b'S', b'T', b'L', b'X']);
    noise.assert_refused(Refusal::Malformed);
    let mut early = Raw::connect(entry, Purpose::Admin);
    early.send(&Message::Proof([0; 32]));
    early.assert_refused(Refusal::Malformed);
    assert_linked(&members, &links);
}

#[test]
fn a_handshake_that_was_overheard_is_worth_nothing() {
    let list = members(2);
    let low = Member::start(settings(0, &list));
    let (listener, mut raw, hello) = overheard_hello(&list);
    assert_eq!((hello.from, hello.to, hello.nonce), (0, 1, 1));
    raw.send(&Message::Welcome(Welcome {
        version: 1,
        slot: 1,
        nonce: 66,
        challenge: hello.challenge,
        fingerprint: hello.fingerprint,
        software: "false/1".to_owned(),
        advertised: vec![],
    }));
    let Message::Proof(proof) = raw.read() else { panic!("whoever dials proves first") };
    // Sent back, it is the proof of the other role.
    raw.send(&Message::Proof(proof));
    raw.assert_closed();
    drop(listener);

    let high = Member::start(settings(1, &list));
    let links = [low.up(1).1, high.up(0).1];
    // Sent again, it is the proof of another challenge.
    let mut again = Raw::connect(&list[1], Purpose::Log);
    again.send(&Message::Hello(hello));
    assert!(matches!(again.read(), Message::Welcome(_)));
    again.send(&Message::Proof(proof));
    again.assert_refused(Refusal::Password);
    assert_linked(&[low, high], &links);
}

#[test]
fn slow_handshakes_end_and_leave_room_for_members() {
    let list = members(2);
    let hasty = |slot| LinkSettings { handshake: Duration::from_millis(500), ..settings(slot, &list) };
    let low = Member::start(hasty(0));
    let mut slow: Vec<_> =
        (0..HALF_OPEN_PER_ADDRESS_MAX).map(|_| Raw::connect(&list[0], Purpose::Log)).collect();
    for raw in &mut slow {
        raw.send_bytes(&[0]);
    }
    // One more from there is closed without a word.
    Raw::connect(&list[0], Purpose::Log).assert_closed();
    for raw in slow {
        raw.assert_closed();
    }
    let high = Member::start(hasty(1));
    let links = [low.up(1).1, high.up(0).1];
    assert_linked(&[low, high], &links);
}

#[test]
fn members_with_another_password_or_list_are_not_linked() {
    let list = members(4);
    let (wrong, reversed) = (list.clone(), [&list[..2], &[list[3].clone(), list[2].clone()]].concat());
    let (good, links) = linked([settings(0, &list), settings(1, &list)]);
    let strangers = [
        Member::start(LinkSettings { key: ClusterKey::new(b"Secret"), ..settings(2, &wrong) }),
        Member::start(settings(2, &reversed)),
    ];
    // Long enough for several dials in each direction.
    for stranger in &strangers {
        assert!(stranger.events.recv_timeout(Duration::from_secs(1)).is_err());
    }
    for member in &good {
        member.assert_quiet();
    }
    assert_linked(&good, &links);
}
