//! A member that goes away.

use crate::scene::{PING, Scene, published, settings, subscribed};

const GOING_AWAY: &str = r#"{"op":"notice","notice":"going_away","reconnect_after_ms":4000,"servers":[]}"#;

#[test]
fn the_client_is_served_until_the_time_it_was_told_and_then_goes_elsewhere_at_once() {
    let mut scene = Scene::connected();
    scene.frame(GOING_AWAY);
    assert_eq!(scene.events(), ["GOING_AWAY 4000"]);
    scene.advance(3_000);
    let first = scene.publish("/a", "1");
    assert_eq!(scene.effects().len(), 1, "it is sent");
    scene.frame(&published(first, 1));
    assert_eq!(scene.events(), ["PUBLISH_OK 1 7:1"]);
    scene.advance(999);
    assert!(scene.effects().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), ["close", "open a:1"]);
    assert!(scene.events()[0].starts_with("SERVER_DOWN a:1: 4301 going_away"));
}

#[test]
fn when_it_is_time_results_come_first_and_new_requests_wait() {
    let mut scene = Scene::connected();
    let first = scene.publish("/a", "1");
    scene.frame(GOING_AWAY);
    scene.effects();
    scene.advance(4_000);
    let second = scene.publish("/a", "2");
    scene.subscribe("/a", Default::default());
    assert_eq!(scene.effects(), [PING]);
    scene.frame(&published(first, 1));
    assert_eq!(scene.effects(), ["close"]);
    scene.events();
    scene.advance(1);
    scene.join();
    let sent = scene.effects();
    assert!(sent[2].starts_with(r#"{"op":"subscribe","#), "{sent:?}");
    assert!(sent[3].contains(&format!(r#""publisher_seq":{second}"#)), "{sent:?}");
    scene.frame(&published(second, 2));
    scene.frame(&subscribed("/a", "fresh", 7, 2));
    assert_eq!(scene.events()[2..], ["PUBLISH_OK 2 7:2", "SUBSCRIBE_ALLOW /a 7:2 fresh"]);
}

#[test]
fn results_are_awaited_for_a_bounded_time() {
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.effects();
    scene.frame(GOING_AWAY);
    scene.advance(6_999);
    assert_eq!(scene.effects(), [PING]);
    scene.advance(1);
    assert_eq!(scene.effects(), ["close", "open a:1"]);
    scene.join();
    assert!(scene.effects()[1].contains(r#""publisher":"p","publisher_seq":1"#), "it is sent again");
}

#[test]
fn members_that_the_notice_names_come_first_and_then_the_own_list() {
    let mut scene = Scene::connected_with(settings(&["wss://a:1/ws"]));
    scene.frame(
        r#"{"op":"notice","notice":"going_away","reconnect_after_ms":10,"servers":["b:2","no address:x"]}"#,
    );
    scene.advance(10);
    assert_eq!(scene.effects(), ["close", "open wss://b:2/ws"]);
    scene.lose();
    scene.advance(2_000);
    assert_eq!(scene.effects(), ["open wss://a:1/ws"]);
}

#[test]
fn of_several_members_that_are_named_the_first_is_taken() {
    let mut scene = Scene::connected();
    scene.frame(
        r#"{"op":"notice","notice":"going_away","reconnect_after_ms":10,"servers":["d:4","c:3","b:2"]}"#,
    );
    scene.advance(10);
    assert_eq!(scene.effects(), ["close", "open d:4"]);
}

#[test]
fn a_named_server_that_rejects_the_client_does_not_end_its_attempts() {
    let mut scene = Scene::connected();
    scene.frame(r#"{"op":"notice","notice":"going_away","reconnect_after_ms":10,"servers":["b:2"]}"#);
    scene.advance(10);
    assert_eq!(scene.effects(), ["close", "open b:2"]);
    scene.close(4031, "token_invalid");
    scene.advance(2_000);
    assert_eq!(scene.effects(), ["open a:1"]);
    scene.close(4031, "token_invalid");
    assert!(scene.events().iter().any(|event| event.starts_with("CONNECT_DENY")), "the own list decides");
}

#[test]
fn a_member_that_closes_before_the_client_does_is_left_in_the_same_way() {
    let mut scene = Scene::connected();
    scene.publish("/a", "1");
    scene.frame(GOING_AWAY);
    scene.effects();
    scene.advance(100);
    scene.close(4301, "going_away");
    scene.advance(3_899);
    assert!(scene.effects().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), ["open a:1"]);
}
