//! Frames arrive whole and in order, and one channel does not wait for another.

use std::time::Instant;

use bytes::Bytes;
use sterna_link::limit::FRAME_BYTES_MAX;
use sterna_link::{Channel, LinkSettings};

use crate::support::{Member, assert_linked, linked, linked_pair, members, settings, wait_until};

#[test]
fn frames_arrive_in_order_both_ways() {
    const COUNT: u32 = 20_000;
    let ([low, high], [to_high, to_low]) = linked_pair();
    std::thread::scope(|scope| {
        for link in [&to_high, &to_low] {
            scope.spawn(move || {
                for number in 0..COUNT {
                    link.send(Channel::ALL[number as usize % 3], Bytes::from(number.to_be_bytes().to_vec()));
                }
            });
        }
        for (member, from) in [(&low, 1), (&high, 0)] {
            let mut next = [0, 1, 2];
            for _ in 0..COUNT {
                let (slot, channel, bytes, _) = member.frame();
                let number = u32::from_be_bytes(bytes[..].try_into().unwrap());
                assert_eq!((slot, number), (from, next[channel as usize]));
                next[channel as usize] += 3;
            }
        }
    });
    let counted = |member: &Member| {
        let traffic = member.watch.read()[0].traffic;
        (traffic.iter().map(|each| each.frames_in).sum(), traffic.iter().map(|each| each.frames_out).sum())
    };
    let all: (u64, u64) = (COUNT.into(), COUNT.into());
    wait_until("all are counted", || counted(&low) == all && counted(&high) == all);
    low.links.stop();
    high.links.stop();
}

#[test]
fn the_largest_frame_arrives_and_a_larger_one_ends_the_link() {
    let ([low, high], [to_high, to_low]) = linked_pair();
    let largest = Bytes::from((0..FRAME_BYTES_MAX).map(|at| at as u8).collect::<Vec<_>>());
    to_high.send(Channel::Transfer, largest.clone());
    let (_, channel, bytes, _) = high.frame();
    assert_eq!(channel, Channel::Transfer);
    assert!(bytes == largest);
    to_low.send(Channel::Log, Bytes::from(vec![0; FRAME_BYTES_MAX + 1]));
    low.down(1);
    high.down(0);
    let links = [low.up(1).1, high.up(0).1];
    assert_linked(&[low, high], &links);
}

#[test]
fn a_queue_that_overflows_ends_the_link_and_a_new_one_comes() {
    let members = members(2);
    let small = |slot| LinkSettings { queue_bytes_max: 100_000, ..settings(slot, &members) };
    let ([low, high], [to_high, _]) = linked([small(0), small(1)]);
    // More at once than the queue may hold, whatever the other thread has written meanwhile.
    to_high.send(Channel::Forward, Bytes::from(vec![1; 200_000]));
    to_high.send(Channel::Log, Bytes::from_static(b"lost with the link"));
    low.down(1);
    high.down(0);
    let links = [low.up(1).1, high.up(0).1];
    to_high.send(Channel::Log, Bytes::from_static(b"for a link that is gone"));
    assert_linked(&[low, high], &links);
}

#[test]
fn a_slow_transfer_does_not_delay_the_log() {
    let members = members(2);
    let small = |slot| LinkSettings { unhandled_bytes_max: 1 << 20, ..settings(slot, &members) };
    let ([low, high], [to_high, _]) = linked([small(0), small(1)]);
    const CHUNK_BYTES: usize = 1 << 20;
    const CHUNKS: usize = 30;
    for _ in 0..CHUNKS {
        to_high.send(Channel::Transfer, Bytes::from(vec![0; CHUNK_BYTES]));
    }
    // It does not handle the first chunk, and so takes no other.
    let (_, channel, _, unhandled) = high.frame();
    assert_eq!(channel, Channel::Transfer);
    let start = Instant::now();
    for number in 0..1000_u32 {
        to_high.send(Channel::Log, Bytes::from(number.to_be_bytes().to_vec()));
        let (_, channel, bytes, _) = high.frame();
        assert_eq!((channel, &bytes[..]), (Channel::Log, &number.to_be_bytes()[..]));
    }
    assert!(start.elapsed().as_secs() < 5, "{:?} for 1000 frames", start.elapsed());
    drop(unhandled);
    for _ in 1..CHUNKS {
        assert_eq!(high.frame().1, Channel::Transfer);
    }
    low.assert_quiet();
}
