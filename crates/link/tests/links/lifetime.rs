//! Links come up whoever can dial, go down when the other side is gone or silent, and come again.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sterna_link::{Channel, LinkEvent, LinkSettings, StartError, start};

use crate::support::{Member, assert_linked, free_ports, linked, linked_pair, members, settings, wait_until};

#[test]
fn members_that_start_in_any_order_are_all_linked() {
    let list = members(5);
    let all: Vec<_> = [3, 0, 4, 2, 1].map(|slot| (slot, Member::start(settings(slot, &list)))).into();
    for (slot, member) in &all {
        let mut linked: Vec<_> = (0..4)
            .map(|_| match member.next() {
                LinkEvent::Up { slot, nonce, .. } if nonce == u128::from(slot) + 1 => slot,
                other => panic!("{other:?} instead of Up"),
            })
            .collect();
        linked.sort_unstable();
        assert_eq!(linked, (0..5).filter(|other| other != slot).collect::<Vec<_>>());
    }
    for (_, member) in &all {
        member.assert_quiet();
    }
}

#[test]
fn a_member_whose_name_the_other_cannot_resolve_is_linked_all_the_same() {
    let nameless = |slot: usize| {
        let mut list = members(2);
        list[slot] = format!("pod-{slot}.invalid:{}", free_ports());
        list
    };
    for list in [nameless(0), nameless(1)] {
        let (members, links) = linked([settings(0, &list), settings(1, &list)]);
        assert_linked(&members, &links);
    }
}

#[test]
fn a_member_is_alone_when_nobody_else_is_running_but_not_while_somebody_may_be() {
    let mut list = members(3);
    list[2] = format!("pod-2.invalid:{}", free_ports());
    let first = Member::start(settings(0, &list));
    wait_until("a machine refuses, a name has no address", || first.watch.is_alone());
    let _second = Member::start(settings(1, &list));
    first.up(1);
    wait_until("somebody is there", || !first.watch.is_alone());

    // Accepts, and says nothing: as a machine that is slow does.
    let list = members(2);
    let silent = std::net::TcpListener::bind(&list[1]).unwrap();
    let member = Member::start(settings(0, &list));
    let _dials = [silent.accept().unwrap(), silent.accept().unwrap()];
    assert!(!member.watch.is_alone(), "the first dial has failed by the second one");
}

#[test]
fn a_member_that_comes_back_has_another_nonce() {
    let ([low, high], [to_high, _]) = linked_pair();
    let list: Vec<String> = [&high, &low].map(|member| member.watch.read()[0].member.clone()).into();
    high.links.stop();
    low.down(1);
    wait_until("the status follows", || low.watch.read()[0].link.is_none());
    let again = Member::start(LinkSettings { nonce: 77, version: "sterna/9".into(), ..settings(1, &list) });
    let (nonce, to_again) = low.up(1);
    assert_eq!(nonce, 77);
    let status = low.watch.read()[0].link.clone().unwrap();
    assert_eq!((status.nonce, status.version.as_str()), (77, "sterna/9"));
    assert!(list[1].starts_with(&format!("{}:", status.address.ip())) || !status.dialled);
    let to_low = again.up(0).1;
    to_high.send(Channel::Log, Bytes::from_static(b"for the process that is gone"));
    assert_linked(&[low, again], &[to_again, to_low]);
}

#[test]
fn members_tell_each_other_where_clients_reach_them() {
    let list = members(2);
    let advertised = vec!["one.example:8800".to_owned(), "[2001:db8::1]:8800".to_owned()];
    let low = Member::start(LinkSettings { advertised: advertised.clone(), ..settings(0, &list) });
    let high = Member::start(settings(1, &list));
    let told = |member: &Member| match member.next() {
        LinkEvent::Up { advertised, .. } => advertised,
        other => panic!("{other:?} instead of Up"),
    };
    assert_eq!((told(&high), told(&low)), (advertised, vec![]));
}

#[test]
fn what_was_sent_before_a_stop_arrives() {
    let ([low, high], [to_high, _]) = linked_pair();
    for number in 0..1000_u32 {
        to_high.send(Channel::Forward, Bytes::from(number.to_be_bytes().to_vec()));
    }
    low.links.stop();
    for number in 0..1000_u32 {
        assert_eq!(high.frame().2, number.to_be_bytes()[..]);
    }
    high.down(0);
    // Those who are told of no event after the stop.
    assert!(low.events.iter().all(|event| matches!(event, LinkEvent::Frame { .. })));
}

#[test]
fn a_member_that_stands_still_is_down_in_time_and_comes_back() {
    let list = members(2);
    let silence = Duration::from_secs(1);
    let hasty = |slot| LinkSettings { silence, ..settings(slot, &list) };
    let low = Member::start(hasty(0));
    let ((sender, events), (resume, gate)) = (channel(), channel::<()>());
    let gate = std::sync::Mutex::new(gate);
    let high = Member::start_with(hasty(1), events, move |event| {
        // The thread of its links stands still, and with it all that it reads and writes.
        let stands_still = matches!(&event, LinkEvent::Frame { bytes, .. } if bytes == "stand still");
        drop(sender.send(event));
        if stands_still {
            let _ = gate.lock().unwrap().recv();
        }
    });
    let (to_high, _) = (low.up(1).1, high.up(0).1);
    let start = Instant::now();
    to_high.send(Channel::Log, Bytes::from_static(b"stand still"));
    low.down(1);
    let taken = start.elapsed();
    assert!(taken >= silence / 2 && taken < silence * 5, "{taken:?}");
    assert_eq!(high.frame().2, "stand still");
    high.assert_quiet();
    resume.send(()).unwrap();
    high.down(0);
    let links = [low.up(1).1, high.up(0).1];
    assert_linked(&[low, high], &links);
}

#[test]
fn an_idle_link_stays_up() {
    let list = members(2);
    let hasty = |slot| LinkSettings { silence: Duration::from_millis(400), ..settings(slot, &list) };
    let (members, links) = linked([hasty(0), hasty(1)]);
    // Five times the silence that would end it.
    assert!(members[0].events.recv_timeout(Duration::from_secs(2)).is_err());
    assert_linked(&members, &links);
}

#[test]
fn a_taken_port_is_told_at_once() {
    let list = members(1);
    let first = Member::start(settings(0, &list));
    match start(settings(0, &list), |_| {}) {
        Err(StartError::Bind(error)) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        other => panic!("{other:?}"),
    }
    first.links.stop();
}
