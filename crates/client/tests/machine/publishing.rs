//! Publishes: each gets exactly one result, through refusals and lost connections.

use sterna_client::{Full, Settings};
use sterna_model::{Message, Qos};

use crate::scene::{PING, Scene, message, published, refused, settings};

#[test]
fn a_publish_carries_its_stamp_and_gets_its_result() {
    let mut scene = Scene::connected();
    assert_eq!(scene.publish("/a", "1"), 1);
    assert_eq!(
        scene.effects(),
        [r#"{"op":"publish","id":1,"subject":"/a","content":"1","publisher":"p","publisher_seq":1}"#]
    );
    scene.frame(&published(1, 9));
    assert_eq!(scene.events(), ["PUBLISH_OK 1 7:9"]);
    assert_eq!(scene.machine.unanswered(), 0);
    scene.frame(&published(1, 9));
    assert!(scene.events().is_empty(), "one result each");
}

#[test]
fn a_missing_result_has_the_server_pinged_soon() {
    let mut scene = Scene::connected();
    scene.advance(10_000);
    scene.publish("/a", "1");
    assert_eq!(scene.effects().len(), 1);
    scene.advance(2_000);
    scene.publish("/a", "2");
    assert_eq!(scene.effects().len(), 1);
    scene.advance(999);
    assert!(scene.effects().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), [PING], "3 s after the first one");
    scene.frame(r#"{"op":"pong"}"#);
    scene.advance(2_999);
    assert!(scene.effects().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), [PING], "it is there, but the result is not");
}

#[test]
fn large_contents_have_time_to_arrive() {
    let mut scene = Scene::connected();
    for _ in 0..32 {
        scene.publish("/a", &"x".repeat(1_000));
    }
    scene.effects();
    scene.advance(4_999);
    assert!(scene.effects().is_empty(), "16 bytes a millisecond");
    scene.advance(1);
    assert_eq!(scene.effects(), [PING]);
}

#[test]
fn refusals_that_would_come_again_are_final() {
    for (status, code, name, told) in [
        ("DENIED", 4034, "publish_denied", "PUBLISH_DENIED 1 4034"),
        ("FAILED", 4007, "subject_invalid", "PUBLISH_FAILED 1 4007"),
        ("FAILED", 4014, "publisher_sequence_too_old", "PUBLISH_FAILED 1 4014"),
        ("MESSAGE_SIZE_LIMIT_EXCEEDED", 4010, "message_too_large", "MESSAGE_SIZE_LIMIT_EXCEEDED 1 4010"),
    ] {
        let mut scene = Scene::connected();
        scene.publish("/a", "1");
        scene.frame(&refused(1, status, code, name));
        assert_eq!(scene.events(), [told]);
        assert_eq!(scene.machine.unanswered(), 0);
    }
}

#[test]
fn a_message_above_the_servers_bound_is_not_even_sent() {
    let mut scene = Scene::connected();
    scene.publish("/a", &"x".repeat(1_001));
    scene.publish("/a", &"x".repeat(1_000));
    assert_eq!(scene.effects().len(), 1);
    assert_eq!(scene.events(), ["MESSAGE_SIZE_LIMIT_EXCEEDED 1 4010"]);
}

#[test]
fn a_busy_server_is_tried_again_after_growing_pauses_and_later_publishes_wait() {
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.effects();
    for pause_ms in [100, 200, 400, 800] {
        scene.frame(&refused(1, "FAILED", 4200, "memory_full"));
        scene.advance(pause_ms / 2 - 1);
        assert!(scene.effects().is_empty(), "before half of {pause_ms} ms");
        scene.advance(pause_ms / 2 + 1);
        assert_eq!(scene.effects().len(), 1, "after {pause_ms} ms");
    }
    scene.frame(&refused(1, "FAILED", 4200, "memory_full"));
    scene.publish("/a", "2");
    assert!(scene.effects().is_empty());
    scene.advance(1_600);
    let sent = scene.effects();
    assert!(sent[0].contains(r#""publisher_seq":1"#) && sent[1].contains(r#""publisher_seq":2"#), "{sent:?}");
    scene.frame(&published(1, 1));
    scene.frame(&refused(2, "FAILED", 4200, "memory_full"));
    scene.advance(100);
    assert_eq!(scene.effects().len(), 1, "pauses begin anew after a success");
    assert_eq!(scene.events(), ["PUBLISH_OK 1 7:1"]);
}

#[test]
fn publishes_that_were_on_their_way_to_a_busy_server_come_back_in_order() {
    let mut scene = Scene::connected();
    for content in ["1", "2", "3"] {
        scene.publish("/a", content);
    }
    scene.effects();
    for id in [1, 2, 3] {
        scene.frame(&refused(id, "FAILED", 4200, "memory_full"));
    }
    scene.advance(100);
    let sent = scene.effects();
    assert_eq!(sent.len(), 3, "one pause for all");
    assert!(sent.iter().zip(1..).all(|(frame, seq)| frame.contains(&format!(r#""publisher_seq":{seq}"#))));
}

#[test]
fn after_its_time_a_publish_fails_with_the_last_refusal() {
    let mut scene = Scene::connected_with(Settings { publish_timeout_ms: 1_000, ..settings(&["a:1"]) });
    scene.publish("/a", "1");
    scene.frame(&refused(1, "FAILED", 4200, "memory_full"));
    scene.advance(999);
    assert!(scene.events().is_empty());
    // It was sent again, so its result is open.
    scene.advance(1);
    assert_eq!(scene.events(), ["PUBLISH_FAILED 1 4200 uncertain"]);
    scene.frame(&published(1, 1));
    assert!(scene.events().is_empty(), "one result each");
}

#[test]
fn a_publish_that_no_connection_took_fails_for_certain() {
    let mut scene = Scene::new(Settings { publish_timeout_ms: 1_000, ..settings(&["a:1"]) });
    scene.machine.connect();
    scene.publish("/a", "1");
    scene.lose();
    scene.events();
    scene.advance(1_000);
    assert_eq!(scene.events(), ["PUBLISH_FAILED 1 0"]);
}

#[test]
fn a_lost_connection_is_made_good_by_the_same_stamp() {
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.publish("/a", "2");
    let sent = scene.effects();
    scene.frame(&published(1, 5));
    scene.lose();
    scene.publish("/a", "3");
    assert_eq!(scene.events(), ["PUBLISH_OK 1 7:5", "SERVER_DOWN a:1: connection reset"]);
    scene.rejoin();
    let again = scene.effects();
    assert_eq!(again[2], sent[1], "the very same frame");
    assert!(again[3].contains(r#""publisher_seq":3"#) && again.len() == 4, "{again:?}");
    scene.frame(r#"{"op":"published","id":2,"status":"OK","epoch":7,"seq":6,"duplicate":true}"#);
    scene.frame(&published(3, 7));
    assert_eq!(scene.events()[2..], ["PUBLISH_OK 2 7:6 duplicate", "PUBLISH_OK 3 7:7"]);
}

#[test]
fn a_refusal_after_a_lost_try_says_that_the_outcome_is_uncertain() {
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.lose();
    scene.rejoin();
    scene.events();
    scene.frame(&refused(1, "DENIED", 4034, "publish_denied"));
    assert_eq!(scene.events(), ["PUBLISH_DENIED 1 4034 uncertain"]);
}

#[test]
fn a_standard_message_is_never_sent_twice() {
    let standard = || Message { qos: Qos::Standard, ..message("/a", "1") };
    let mut scene = Scene::connected();
    scene.machine.publish(standard(), scene.now_ms).unwrap();
    scene.lose();
    scene.machine.publish(standard(), scene.now_ms).unwrap();
    assert_eq!(
        scene.events(),
        ["SERVER_DOWN a:1: connection reset", "PUBLISH_FAILED 1 0 uncertain"]
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    scene.effects();
    scene.rejoin();
    let sent = scene.effects();
    assert!(sent.len() == 3 && sent[2].contains(r#""publisher_seq":2"#), "{sent:?}");
    scene.frame(r#"{"op":"published","id":2,"status":"OK"}"#);
    assert_eq!(scene.events()[2..], ["PUBLISH_OK 2 -"]);
}

#[test]
fn a_member_without_quorum_is_left_and_the_publish_goes_to_another_one() {
    for (code, name) in [(4303, "no_quorum"), (4400, "internal"), (4999, "later")] {
        let mut scene = Scene::connected_with(settings(&["a:1", "b:2"]));
        scene.publish("/a", "1");
        scene.effects();
        scene.frame(&refused(1, "FAILED", code, name));
        assert_eq!(scene.effects(), ["close"], "{code}");
        assert!(scene.events()[0].contains(&format!("{code} {name}")), "{code}");
        scene.rejoin();
        assert!(scene.effects()[2].contains(r#""publisher_seq":1"#), "{code}");
        scene.frame(&published(1, 1));
        assert_eq!(scene.events()[2..], ["PUBLISH_OK 1 7:1"], "{code}");
    }
}

#[test]
fn a_denial_fails_what_waits_and_so_does_disconnect() {
    let mut scene = Scene::new(settings(&["a:1"]));
    scene.machine.connect();
    scene.publish("/a", "1");
    scene.machine.on_open(scene.now_ms);
    scene.frame(&crate::scene::error("", 4031, "token_invalid"));
    assert_eq!(scene.events()[1..], ["CONNECT_DENY 4031", "PUBLISH_DENIED 1 4031"]);
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.machine.disconnect(scene.now_ms);
    assert_eq!(scene.events(), ["PUBLISH_FAILED 1 0 uncertain"]);
}

#[test]
fn what_may_wait_is_bounded_by_number_and_by_bytes() {
    let mut scene = Scene::connected_with(Settings {
        unanswered_max: 2,
        unanswered_bytes_max: 100,
        ..settings(&["a:1"])
    });
    let mut publish = |content: &str| scene.machine.publish(message("/a", content), 0);
    assert_eq!(publish(&"x".repeat(200)), Ok(1), "one is always allowed");
    assert_eq!(publish("x"), Err(Full));
    scene.frame(&published(1, 1));
    let mut publish = |content: &str| scene.machine.publish(message("/a", content), 0);
    assert_eq!((publish("x"), publish("x"), publish("x")), (Ok(2), Ok(3), Err(Full)));
    scene.frame(&published(3, 2));
    assert_eq!(scene.publish("/a", "x"), 4);
}

#[test]
fn a_publish_that_waits_does_not_fall_out_of_the_clusters_window() {
    let mut scene = Scene::connected_with(Settings { unanswered_max: 10_000, ..settings(&["a:1"]) });
    scene.publish("/a", "1");
    for seq in 2..=512 {
        assert_eq!(scene.publish("/a", "x"), seq);
        scene.frame(&published(seq, seq));
    }
    assert_eq!(scene.machine.publish(message("/a", "x"), 0), Err(Full));
    scene.frame(&published(1, 513));
    assert_eq!(scene.publish("/a", "x"), 513);
}
