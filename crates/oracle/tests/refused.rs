//! One history for each fault: in order until one thing is changed in it.

mod support;

use std::slice::from_ref;

use sterna_model::{Kind, Position, Qos, Seq, Subject};
use sterna_oracle::{Beginning, ContentId, Delivery, Fault, Observation, Oracle, SubscriberId};
use support::{
    acknowledged, at, attempt, attempt_as, begin, complete, conflated, disconnected, duplicate, fault_of,
    fresh, gap, got, got_as, judge, published, refused, reset, standard, unknown, update,
};

const ONE: SubscriberId = SubscriberId(1);

fn content(id: u64) -> ContentId {
    ContentId(id)
}

/// Three messages, all seen by a subscriber that stays.
fn flow() -> Vec<Observation> {
    [vec![begin(1, fresh(at(0)))], published(1..=3), vec![update(1, 1), update(2, 2), update(3, 3)]].concat()
}

/// A subscriber that has 1..=2, is away, and recovers 3..=4.
fn recovery() -> Vec<Observation> {
    [
        vec![begin(1, fresh(at(0)))],
        published(1..=2),
        vec![update(1, 1), update(2, 2), disconnected(1)],
        published(3..=4),
        vec![
            begin(1, complete(at(2), at(4))),
            got(Kind::Recovered, at(3), 3),
            got(Kind::Recovered, at(4), 4),
        ],
        published(5..=5),
        vec![update(5, 5)],
    ]
    .concat()
}

/// A subscriber that has 1, is away, and comes back when 2..=3 are gone.
fn after_gap() -> Vec<Observation> {
    [
        vec![begin(1, fresh(at(0)))],
        published(1..=1),
        vec![update(1, 1), disconnected(1)],
        published(2..=5),
        vec![
            begin(1, gap(at(1), at(5), Some((2, 3)))),
            got(Kind::Historical, at(4), 4),
            got(Kind::Historical, at(5), 5),
        ],
        published(6..=6),
        vec![update(6, 6)],
    ]
    .concat()
}

#[test]
fn a_message_that_nobody_published() {
    let fault = fault_of(&flow(), &[update(3, 3)], &[update(3, 3), update(4, 99)]);
    assert_eq!(fault, Fault::Invention { content: content(99) });
    assert_eq!(judge(&[acknowledged(99, at(1))]), Err(Fault::Invention { content: content(99) }));
}

#[test]
fn a_message_of_another_subject() {
    let mut elsewhere = attempt(9);
    let Observation::Attempt { subject, .. } = &mut elsewhere else { unreachable!() };
    *subject = Subject::parse("/elsewhere").expect("a subject");
    let fault = fault_of(&flow(), &[update(3, 3)], &[update(3, 3), elsewhere, update(4, 9)]);
    assert_eq!(fault, Fault::Invention { content: content(9) });
}

#[test]
fn a_refused_message_that_is_delivered_later_or_was_before() {
    let history = [begin(1, fresh(at(0))), attempt(1), unknown(1), update(1, 1)];
    for wrong in [[refused(1), update(1, 1)], [update(1, 1), refused(1)]] {
        let fault = fault_of(&history, &[unknown(1), update(1, 1)], &wrong);
        assert_eq!(fault, Fault::RefusedDelivered { content: content(1) });
    }
}

#[test]
fn a_refused_message_that_is_delivered_before_its_retry() {
    let history =
        [begin(1, fresh(at(0))), attempt(1), refused(1), attempt(1), update(1, 1), acknowledged(1, at(1))];
    let fault = fault_of(&history, &[attempt(1), update(1, 1)], &[update(1, 1), attempt(1)]);
    assert_eq!(fault, Fault::RefusedDelivered { content: content(1) });
}

#[test]
fn two_answers_to_one_publish() {
    let fault = fault_of(&flow(), &[acknowledged(1, at(1))], &[acknowledged(1, at(1)), refused(1)]);
    assert_eq!(fault, Fault::AnsweredTwice { content: content(1) });
}

#[test]
fn a_retry_that_is_accepted_again() {
    let history = [attempt(1), acknowledged(1, at(1)), attempt(1), duplicate(1, at(1))];
    let fault = fault_of(&history, &[duplicate(1, at(1))], &[acknowledged(1, at(1))]);
    assert_eq!(fault, Fault::AcceptedTwice { content: content(1) });
    let fault = fault_of(&history, &[duplicate(1, at(1))], &[acknowledged(1, at(2))]);
    assert_eq!(fault, Fault::Doubled { content: content(1), first: at(1), second: at(2) });
}

#[test]
fn a_first_attempt_that_is_called_a_duplicate() {
    let fault = fault_of(&flow(), &[acknowledged(1, at(1))], &[duplicate(1, at(1))]);
    assert_eq!(fault, Fault::FalseDuplicate { content: content(1) });
}

#[test]
fn positions_that_do_not_fit_the_qos() {
    let without = Observation::Acknowledged { content: content(1), position: None, duplicate: false };
    for wrong in [without, acknowledged(1, at(0))] {
        let fault = fault_of(&flow(), &[acknowledged(1, at(1))], &[wrong]);
        assert_eq!(fault, Fault::PositionUnfit { content: content(1) });
    }
    let history = [attempt_as(1, Qos::Standard, true), acknowledged(1, at(1))];
    assert_eq!(judge(&history), Err(Fault::PositionUnfit { content: content(1) }));
}

#[test]
fn a_message_that_was_altered() {
    for (qos, retained, field) in [(Qos::Standard, true, "qos"), (Qos::Guaranteed, false, "retained flag")] {
        let delivery = Delivery { kind: Kind::Update, position: at(3), qos, content: content(3), retained };
        let fault = fault_of(&flow(), &[update(3, 3)], &[got_as(1, delivery)]);
        assert_eq!(fault, Fault::Altered { content: content(3), field });
    }
}

#[test]
fn two_messages_in_one_place() {
    let two = |content| {
        let delivery = Delivery {
            kind: Kind::Update,
            position: at(1),
            qos: Qos::Guaranteed,
            content: ContentId(content),
            retained: true,
        };
        got_as(2, delivery)
    };
    let history =
        [begin(1, fresh(at(0))), begin(2, fresh(at(0))), attempt(1), attempt(2), update(1, 1), two(1)];
    let fault = fault_of(&history, &[two(1)], &[two(2)]);
    let expected = Fault::PositionTaken { position: at(1), first: content(1), second: content(2) };
    assert_eq!(fault, expected);
    let fault = fault_of(&flow(), &[acknowledged(2, at(2))], &[acknowledged(2, at(1))]);
    assert_eq!(fault, expected);
}

#[test]
fn one_message_in_two_places() {
    let doubled = Fault::Doubled { content: content(3), first: at(3), second: at(4) };
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &[update(3, 3), update(4, 3)]), doubled);
    // After a change of epoch it may be placed anew, but not if the new epoch has saved it where it was.
    let later = Position::new(8, 4);
    let delivery = Delivery {
        kind: Kind::Historical,
        position: at(3),
        qos: Qos::Guaranteed,
        content: content(3),
        retained: true,
    };
    let saved = [update(3, 3), attempt(3), duplicate(3, later), begin(9, fresh(later)), got_as(9, delivery)];
    let doubled = Fault::Doubled { content: content(3), first: at(3), second: later };
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &saved), doubled);
}

#[test]
fn a_place_before_messages_and_cuts_that_had_passed() {
    let history = [attempt(2), acknowledged(2, at(2)), attempt(1), unknown(1)];
    let fault = fault_of(&history, &[unknown(1)], &[acknowledged(1, at(1))]);
    assert_eq!(fault, Fault::PlacedInThePast { content: content(1), position: at(1), past: at(2) });
    // A subscriber that is told a cut in the future would silently miss what comes before it.
    let fault = fault_of(&flow(), &[begin(1, fresh(at(0)))], &[begin(1, fresh(at(2)))]);
    assert_eq!(fault, Fault::PlacedInThePast { content: content(1), position: at(1), past: at(2) });
}

#[test]
fn a_message_without_a_subscription() {
    for wrong in [vec![], vec![begin(1, fresh(at(0))), disconnected(1)]] {
        let fault = fault_of(&flow(), &[begin(1, fresh(at(0)))], &wrong);
        assert_eq!(fault, Fault::NotSubscribed { subscriber: ONE });
    }
}

#[test]
fn promises_that_contradict_their_positions() {
    let begins =
        |beginning| fault_of(&recovery(), &[begin(1, complete(at(2), at(4)))], &[begin(1, beginning)]);
    let later = Position::new(8, 4);
    for beginning in [
        Beginning { resume: Some(at(2)), ..fresh(at(4)) },
        Beginning { resume: None, ..complete(at(2), at(4)) },
        reset(at(2), at(4)),
        complete(at(2), later),
        complete(at(2), at(1)),
        gap(at(2), later, Some((3, 4))),
        Beginning { missed: Some((Seq(3), Seq(4))), ..complete(at(2), at(4)) },
    ] {
        assert!(matches!(begins(beginning), Fault::RecoveryUnfit { .. }), "{beginning}");
    }
}

#[test]
fn a_missed_range_that_cannot_be_right() {
    for (from, to) in [(1, 3), (3, 3), (2, 6), (3, 2)] {
        let right = begin(1, gap(at(1), at(5), Some((2, 3))));
        let wrong = begin(1, gap(at(1), at(5), Some((from, to))));
        let fault = fault_of(&after_gap(), &[right], &[wrong]);
        assert_eq!(fault, Fault::MissedUnfit { from: Seq(from), to: Seq(to) });
    }
}

#[test]
fn a_missed_range_that_is_too_wide_or_too_narrow() {
    let right = begin(1, gap(at(1), at(5), Some((2, 3))));
    let fault = fault_of(&after_gap(), from_ref(&right), &[begin(1, gap(at(1), at(5), Some((2, 4))))]);
    assert_eq!(fault, Fault::MissedDelivered { position: at(4) });
    for missed in [Some((2, 2)), None] {
        let fault = fault_of(&after_gap(), from_ref(&right), &[begin(1, gap(at(1), at(5), missed))]);
        let expected = at(missed.map_or(2, |_| 3));
        assert_eq!(fault, Fault::Hole { subscriber: ONE, expected });
    }
}

#[test]
fn a_client_that_resumes_from_where_it_is_not() {
    for resume in [at(1), at(3)] {
        let right = [begin(1, complete(at(2), at(4))), got(Kind::Recovered, at(3), 3)];
        let wrong = [begin(1, complete(resume, at(4))), got(Kind::Recovered, at(3), 3)];
        let fault = fault_of(&recovery(), &right, &wrong);
        let (earliest, latest) = (at(2), at(2));
        assert_eq!(fault, Fault::ResumedElsewhere { subscriber: ONE, resume, earliest, latest });
    }
}

#[test]
fn a_message_that_comes_twice() {
    let twice = |seq| Fault::Duplicate { subscriber: ONE, position: at(seq) };
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &[update(3, 3), update(3, 3)]), twice(3));
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &[update(3, 3), update(1, 1)]), twice(1));
    let recovered = got(Kind::Recovered, at(3), 3);
    assert_eq!(
        fault_of(&recovery(), from_ref(&recovered), &[recovered.clone(), recovered.clone()]),
        twice(3)
    );
    let historical = got(Kind::Historical, at(4), 4);
    assert_eq!(
        fault_of(&after_gap(), from_ref(&historical), &[historical.clone(), historical.clone()]),
        twice(4)
    );
    let update_twice = [update(5, 5), update(5, 5)];
    assert_eq!(fault_of(&conflated_flow(), &[update(5, 5)], &update_twice), twice(5));
    let history = [begin(1, fresh(at(0))), attempt_as(1, Qos::Standard, true), standard(at(0), 1)];
    let fault = fault_of(&history, &[standard(at(0), 1)], &[standard(at(0), 1), standard(at(0), 1)]);
    assert_eq!(fault, twice(0));
}

fn conflated_flow() -> Vec<Observation> {
    [vec![begin(1, conflated(fresh(at(0))))], published(1..=5), vec![update(2, 2), update(5, 5)]].concat()
}

#[test]
fn a_message_that_comes_after_a_later_one() {
    let fault = fault_of(&conflated_flow(), &[update(5, 5)], &[update(5, 5), update(4, 4)]);
    assert_eq!(fault, Fault::WentBack { subscriber: ONE, position: at(4), at: at(5) });
    let history = [published(1..=3), vec![begin(1, fresh(at(3)))]].concat();
    let right = [begin(1, fresh(at(3)))];
    let fault = fault_of(&history, &right, &[right[0].clone(), update(2, 2)]);
    assert_eq!(fault, Fault::WentBack { subscriber: ONE, position: at(2), at: at(3) });
    let history = [flow(), vec![attempt_as(9, Qos::Standard, true), standard(at(3), 9)]].concat();
    let fault = fault_of(&history, &[standard(at(3), 9)], &[standard(at(2), 9)]);
    assert_eq!(fault, Fault::WentBack { subscriber: ONE, position: at(2), at: at(3) });
}

#[test]
fn two_messages_in_the_wrong_order() {
    let right = [update(2, 2), update(3, 3)];
    let fault = fault_of(&flow(), &right, &[update(3, 3), update(2, 2)]);
    assert_eq!(fault, Fault::Hole { subscriber: ONE, expected: at(2) });
}

#[test]
fn a_message_that_is_left_out() {
    let hole = |seq| Fault::Hole { subscriber: ONE, expected: at(seq) };
    assert_eq!(fault_of(&flow(), &[update(2, 2)], &[]), hole(2));
    assert_eq!(fault_of(&recovery(), &[got(Kind::Recovered, at(3), 3)], &[]), hole(3));
    assert_eq!(fault_of(&recovery(), &[got(Kind::Recovered, at(4), 4)], &[]), hole(4));
    assert_eq!(fault_of(&after_gap(), &[got(Kind::Historical, at(4), 4)], &[]), hole(4));
    assert_eq!(fault_of(&after_gap(), &[got(Kind::Historical, at(5), 5)], &[]), hole(5));
    let history = [flow(), vec![attempt_as(9, Qos::Standard, true), standard(at(3), 9)]].concat();
    assert_eq!(fault_of(&history, &[update(3, 3)], &[]), hole(3));
}

#[test]
fn an_epoch_that_changes_in_silence() {
    let position = Position::new(8, 4);
    let wrong = [update(3, 3), attempt(4), got(Kind::Update, position, 4)];
    let fault = fault_of(&flow(), &[update(3, 3)], &wrong);
    assert_eq!(fault, Fault::EpochUnannounced { subscriber: ONE, at: at(3), position });
}

#[test]
fn kinds_that_have_no_place() {
    let unfit = |kind, seq| Fault::KindUnfit { subscriber: ONE, kind, position: at(seq) };
    for kind in [Kind::Recovered, Kind::Historical, Kind::Snapshot] {
        assert_eq!(fault_of(&flow(), &[update(2, 2)], &[got(kind, at(2), 2)]), unfit(kind, 2));
    }
    for kind in [Kind::Update, Kind::Historical, Kind::Snapshot] {
        let right = [got(Kind::Recovered, at(4), 4)];
        assert_eq!(fault_of(&recovery(), &right, &[got(kind, at(4), 4)]), unfit(kind, 4));
    }
    let snapshots = [got(Kind::Historical, at(4), 4), got(Kind::Snapshot, at(5), 5)];
    let fault = fault_of(&after_gap(), &[got(Kind::Historical, at(4), 4)], &snapshots);
    assert_eq!(fault, unfit(Kind::Snapshot, 5));
    let history = [begin(1, fresh(at(0))), attempt_as(1, Qos::Standard, true), standard(at(0), 1)];
    let kind = Kind::Historical;
    let stored = Delivery { kind, position: at(0), qos: Qos::Standard, content: content(1), retained: true };
    assert_eq!(fault_of(&history, &[standard(at(0), 1)], &[got_as(1, stored)]), unfit(kind, 0));
}

#[test]
fn a_snapshot_that_is_out_of_date() {
    let history = [published(1..=3), vec![begin(1, fresh(at(3))), got(Kind::Snapshot, at(3), 3)]].concat();
    let fault = fault_of(&history, &[got(Kind::Snapshot, at(3), 3)], &[got(Kind::Snapshot, at(2), 2)]);
    assert_eq!(fault, Fault::SnapshotStale { subscriber: ONE, position: at(2), newer: at(3) });
}

#[test]
fn a_snapshot_that_is_not_retained() {
    let history = [attempt_as(1, Qos::Guaranteed, false), acknowledged(1, at(1)), begin(1, fresh(at(1)))];
    let (kind, position, qos) = (Kind::Snapshot, at(1), Qos::Guaranteed);
    let snapshot = got_as(1, Delivery { kind, position, qos, content: content(1), retained: false });
    let right = [begin(1, fresh(at(1)))];
    let fault = fault_of(&history, &right, &[right[0].clone(), snapshot]);
    assert_eq!(fault, Fault::SnapshotNotRetained { content: content(1) });
}

#[test]
fn seqs_that_are_left_out() {
    let history = published(1..=3);
    let fault = fault_of(&history, &[acknowledged(3, at(3))], &[acknowledged(3, at(5))]);
    assert_eq!(fault, Fault::SeqsLeftOut { missing: 2, unplaced: 0 });
    let unanswered = [attempt(9), unknown(9), acknowledged(3, at(5))];
    let fault = fault_of(&history, &[acknowledged(3, at(3))], &unanswered);
    assert_eq!(fault, Fault::SeqsLeftOut { missing: 2, unplaced: 1 });
}

#[test]
fn a_message_that_a_subscriber_never_gets() {
    let lost = |at, last| Fault::Lost { subscriber: ONE, at, last };
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &[]), lost(at(2), at(3)));
    assert_eq!(fault_of(&conflated_flow(), &[update(5, 5)], &[]), lost(at(2), at(5)));
    let later = Position::new(8, 1);
    let wrong = [update(3, 3), attempt(4), acknowledged(4, later)];
    assert_eq!(fault_of(&flow(), &[update(3, 3)], &wrong), lost(at(3), later));
    let history = [
        published(1..=2),
        vec![
            begin(1, complete(at(0), at(2))),
            got(Kind::Recovered, at(1), 1),
            got(Kind::Recovered, at(2), 2),
        ],
    ]
    .concat();
    assert_eq!(fault_of(&history, &[got(Kind::Recovered, at(2), 2)], &[]), lost(at(1), at(2)));
}

#[test]
fn a_test_that_uses_a_content_id_twice() {
    let fault = fault_of(&flow(), &[attempt(2)], &[attempt(2), attempt_as(2, Qos::Standard, true)]);
    assert_eq!(fault, Fault::ContentReused { content: content(2) });
}

#[test]
fn a_violation_tells_what_happened_just_before() {
    let mut oracle = Oracle::new();
    let mut history =
        [vec![begin(1, fresh(at(0)))], published(1..=30), vec![update(2, 2)]].concat().into_iter();
    let violation = history.find_map(|observation| oracle.observe(observation).err()).expect("a hole");
    let text = violation.to_string();
    assert!(text.starts_with("/s: subscriber 1 misses 7:1 without having been told\n"), "{text}");
    assert!(
        text.ends_with("\n    content 30 acknowledged at 7:30\n    subscriber 1 gets update 7:2 content 2"),
        "{text}"
    );
    assert_eq!(violation.recent.len(), 16);
}
