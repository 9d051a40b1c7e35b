//! Histories that keep every promise, each with something that looks suspicious and is allowed.

mod support;

use sterna_model::{Kind, Position, Qos};
use sterna_oracle::{ContentId, Delivery, Oracle, Summary};
use support::{
    acknowledged, at, attempt, attempt_as, begin, complete, conflated, disconnected, duplicate, fresh, gap,
    got, got_as, judge, published, refused, reset, standard, unknown, update,
};

#[test]
fn a_long_life_with_every_kind_of_start_is_accepted() {
    let later = |seq| Position::new(8, seq);
    let history = [
        published(1..=3),
        vec![
            begin(1, fresh(at(3))),
            got(Kind::Historical, at(2), 2),
            got(Kind::Historical, at(3), 3),
            attempt(4),
            update(4, 4),
            acknowledged(4, at(4)),
            disconnected(1),
        ],
        published(5..=6),
        vec![
            begin(1, complete(at(4), at(6))),
            got(Kind::Recovered, at(5), 5),
            got(Kind::Recovered, at(6), 6),
            disconnected(1),
        ],
        published(7..=20),
        vec![
            begin(1, gap(at(6), at(20), Some((7, 19)))),
            got(Kind::Snapshot, at(20), 20),
            attempt(21),
            acknowledged(21, at(21)),
            update(21, 21),
            disconnected(1),
            attempt(22),
            acknowledged(22, later(1)),
            begin(1, reset(at(21), later(1))),
            got(Kind::Snapshot, later(1), 22),
            attempt(23),
            acknowledged(23, later(2)),
            got(Kind::Update, later(2), 23),
        ],
    ]
    .concat();
    let expected = Summary {
        attempts: 23,
        acknowledged: 23,
        delivered: 9,
        fresh: 1,
        complete: 1,
        gaps: 1,
        resets: 1,
        ..Summary::default()
    };
    assert_eq!(judge(&history), Ok(expected));
}

#[test]
fn retries_after_refusals_and_silence_are_accepted() {
    let history = [
        begin(1, fresh(at(0))),
        attempt(1),
        refused(1),
        attempt(1),
        acknowledged(1, at(1)),
        update(1, 1),
        attempt(2),
        unknown(2),
        update(2, 2),
        attempt(2),
        duplicate(2, at(2)),
        attempt(3),
        unknown(3),
        attempt(2),
        refused(2),
    ];
    let summary = judge(&history).expect("in order");
    assert_eq!((summary.attempts, summary.refused, summary.unknown, summary.duplicates), (6, 2, 2, 1));
}

#[test]
fn an_unanswered_publish_may_fill_a_seq_that_nobody_has_seen() {
    let history =
        [attempt(1), acknowledged(1, at(1)), attempt(2), unknown(2), attempt(3), acknowledged(3, at(3))];
    assert!(judge(&history).is_ok());
}

#[test]
fn a_retry_across_epochs_may_be_placed_anew_if_it_was_never_acknowledged() {
    let later = Position::new(8, 1);
    let history = [
        begin(1, fresh(at(0))),
        attempt(1),
        update(1, 1),
        unknown(1),
        disconnected(1),
        attempt(1),
        acknowledged(1, later),
        begin(1, reset(at(1), later)),
        got(Kind::Snapshot, later, 1),
    ];
    assert!(judge(&history).is_ok());
}

#[test]
fn a_subscriber_that_left_is_owed_nothing() {
    let history = [vec![begin(1, fresh(at(0))), disconnected(1)], published(1..=3)].concat();
    assert!(judge(&history).is_ok());
}

#[test]
fn a_conflated_subscriber_may_skip_but_gets_the_last() {
    let history = [
        vec![begin(1, conflated(fresh(at(0))))],
        published(1..=5),
        vec![update(2, 2), update(5, 5), disconnected(1)],
        published(6..=7),
        vec![begin(1, conflated(complete(at(5), at(7)))), got(Kind::Recovered, at(7), 7)],
    ]
    .concat();
    assert!(judge(&history).is_ok());
}

#[test]
fn standard_messages_come_between_guaranteed_ones_or_not_at_all() {
    let snapshot = Delivery {
        kind: Kind::Snapshot,
        position: at(1),
        qos: Qos::Standard,
        content: ContentId(11),
        retained: true,
    };
    let history = [
        vec![begin(1, fresh(at(0))), attempt_as(10, Qos::Standard, true), standard(at(0), 10)],
        published(1..=1),
        vec![
            update(1, 1),
            attempt_as(11, Qos::Standard, true),
            standard(at(1), 11),
            attempt_as(12, Qos::Standard, true),
            disconnected(1),
            // It has no seq of its own, so a complete resume shows it again as the snapshot.
            begin(1, complete(at(1), at(1))),
            got_as(1, snapshot),
            begin(2, fresh(at(1))),
            got_as(2, snapshot),
        ],
    ]
    .concat();
    assert!(judge(&history).is_ok());
}

#[test]
fn a_replay_that_breaks_off_may_go_on_from_any_message_of_it_or_from_the_cut() {
    for resume in [3, 4] {
        let history = [
            published(1..=4),
            vec![
                begin(1, fresh(at(4))),
                got(Kind::Historical, at(2), 2),
                got(Kind::Historical, at(3), 3),
                disconnected(1),
                begin(1, complete(at(resume), at(4))),
            ],
            (resume < 4).then(|| got(Kind::Recovered, at(4), 4)).into_iter().collect(),
        ]
        .concat();
        assert!(judge(&history).is_ok(), "from {resume}");
    }
}

#[test]
fn a_gap_without_a_loss_is_one_whose_messages_all_follow() {
    let not_retained = Delivery {
        kind: Kind::Historical,
        position: at(4),
        qos: Qos::Guaranteed,
        content: ContentId(4),
        retained: false,
    };
    let history = [
        published(1..=3),
        vec![
            attempt_as(4, Qos::Guaranteed, false),
            acknowledged(4, at(4)),
            begin(1, gap(at(2), at(4), None)),
            got(Kind::Snapshot, at(3), 3),
            got_as(1, not_retained),
        ],
    ]
    .concat();
    assert!(judge(&history).is_ok());
}

#[test]
fn seqs_may_jump_when_subjects_may_be_forgotten() {
    let history = [attempt(1), acknowledged(1, at(1)), attempt(2), acknowledged(2, at(50))];
    let mut oracle = Oracle::new().allow_forgotten_subjects();
    for observation in history {
        oracle.observe(observation).expect("in order");
    }
    assert!(oracle.finish().is_ok());
}
