//! Into a session, and denied one.

use sterna_client::Settings;
use sterna_client::machine::Ended;

use crate::scene::{CONNECTED, PING, Scene, error, settings};

#[test]
fn a_session_stands_after_the_connect_request_was_answered() {
    let mut scene = Scene::new(Settings { token: Some("t".into()), ..settings(&["a:1"]) });
    assert!(scene.effects().is_empty());
    scene.machine.connect();
    assert_eq!(scene.effects(), ["open a:1"]);
    scene.machine.on_open(scene.now_ms);
    assert_eq!(scene.effects(), [r#"{"op":"connect","version":1,"token":"t","client":"test/1"}"#]);
    assert_eq!(scene.events(), ["SERVER_UP a:1"]);
    scene.frame(CONNECTED);
    assert_eq!(scene.events(), ["CONNECT_OK"]);
    scene.machine.connect();
    assert!(scene.effects().is_empty(), "it is connected already");
}

#[test]
fn a_server_that_does_not_answer_the_connect_request_is_given_up() {
    let mut scene = Scene::new(settings(&["a:1"]));
    scene.machine.connect();
    scene.machine.on_open(scene.now_ms);
    scene.effects();
    scene.advance(9_999);
    assert!(scene.effects().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), ["close"]);
    let events = scene.events();
    assert_eq!(events[1..], ["SERVER_DOWN a:1: the server did not answer the connect request"]);
}

#[test]
fn a_denied_token_ends_all_attempts_until_there_is_another_one() {
    let mut scene = Scene::new(settings(&["a:1"]));
    scene.machine.connect();
    scene.machine.on_open(scene.now_ms);
    scene.effects();
    scene.frame(&error("", 4031, "token_invalid"));
    assert_eq!(scene.effects(), ["close"]);
    assert_eq!(scene.events(), ["SERVER_UP a:1", "CONNECT_DENY 4031"]);
    scene.advance(1_000_000);
    assert!(scene.effects().is_empty() && scene.events().is_empty());
    scene.machine.set_entitlement_token("better");
    assert_eq!(scene.effects(), ["open a:1"]);
    scene.machine.on_open(scene.now_ms);
    assert!(scene.effects()[0].contains(r#""token":"better""#));
}

#[test]
fn a_close_is_judged_by_its_class() {
    for (code, ends_in) in [
        (4006, "CONNECT_DENY 4006"),
        (4032, "CONNECT_DENY 4032"),
        (4199, "CONNECT_DENY 4199"),
        (1002, "CONNECT_DENY 4016"),
        (1003, "CONNECT_DENY 4015"),
        (1007, "CONNECT_DENY 4017"),
        (1009, "CONNECT_DENY 4011"),
        (
            4019,
            "SERVER_DOWN a:1: 4019 request_timeout: The request or handshake was not complete in time; send it faster.",
        ),
        (
            4201,
            "SERVER_DOWN a:1: 4201 too_many_connections: The server has as many connections as it may; retry after a pause or connect to another member.",
        ),
        (
            4300,
            "SERVER_DOWN a:1: 4300 slow_consumer: The client did not read fast enough for its subscriptions; reconnect and resume, or subscribe with conflation.",
        ),
        (4399, "SERVER_DOWN a:1: 4399 later"),
        (4499, "SERVER_DOWN a:1: 4499 later"),
        (1001, "SERVER_DOWN a:1: the server closed the connection with 1001 later"),
        (1011, "SERVER_DOWN a:1: the server closed the connection with 1011 later"),
        (3000, "SERVER_DOWN a:1: the server closed the connection with 3000 later"),
    ] {
        let mut scene = Scene::connected();
        scene.close(code, "later");
        assert_eq!(scene.events(), [ends_in], "{code}");
        scene.advance(400_000);
        let comes_back = scene.effects().contains(&"open a:1".to_owned());
        assert_eq!(comes_back, ends_in.starts_with("SERVER_DOWN"), "{code}");
    }
}

#[test]
fn an_error_before_the_close_explains_it() {
    let mut scene = Scene::connected();
    scene.frame(&error("", 4302, "keep_alive_timeout"));
    scene.close(4302, "keep_alive_timeout");
    assert_eq!(scene.events(), ["REFUSED 4302", "SERVER_DOWN a:1: 4302 keep_alive_timeout: Do."]);
}

#[test]
fn a_refused_upgrade_is_judged_by_its_code() {
    let refusal = |number, name: &str| {
        Ended::Refused(sterna_client::Refusal { number, name: name.into(), advice: "".into() })
    };
    let mut scene = Scene::new(settings(&["a:1"]));
    scene.machine.connect();
    scene.machine.on_ended(&refusal(4201, "too_many_connections"), scene.now_ms);
    assert_eq!(scene.events(), ["SERVER_DOWN a:1: 4201 too_many_connections"]);
    scene.advance(1_000);
    assert_eq!(scene.effects(), ["open a:1", "open a:1"]);
    scene.machine.on_ended(&refusal(4036, "origin_denied"), scene.now_ms);
    assert_eq!(scene.events(), ["CONNECT_DENY 4036"]);
}

#[test]
fn a_frame_that_cannot_be_read_ends_the_connection_and_the_client_comes_back() {
    for text in ["no JSON", r#"{"op":"message"}"#, r#"{"op":"connected"}"#] {
        let mut scene = Scene::connected();
        scene.frame(text);
        assert_eq!(scene.effects(), ["close"]);
        assert!(scene.events()[0].starts_with("SERVER_DOWN a:1: unreadable server frame"), "{text}");
        scene.advance(1_000);
        assert_eq!(scene.effects(), ["open a:1"]);
    }
}

#[test]
fn what_later_servers_add_is_passed_over() {
    let mut scene = Scene::connected();
    scene.frame(r#"{"op":"later","x":1}"#);
    scene.frame(r#"{"op":"notice","notice":"later"}"#);
    scene.frame(r#"{"op":"pong","later":true}"#);
    scene.frame(CONNECTED);
    assert!(scene.effects().is_empty() && scene.events().is_empty());
}

#[test]
fn a_silent_server_is_pinged_and_then_given_up() {
    let mut scene = Scene::connected();
    scene.advance(59_999);
    assert!(scene.effects().is_empty());
    scene.machine.on_heard(scene.now_ms);
    scene.advance(59_999);
    assert!(scene.effects().is_empty(), "a WebSocket ping is a sign of life");
    scene.advance(1);
    assert_eq!(scene.effects(), [PING]);
    scene.frame(r#"{"op":"pong"}"#);
    scene.advance(60_000);
    assert_eq!(scene.effects(), [PING]);
    scene.advance(4_999);
    assert!(scene.events().is_empty());
    scene.advance(1);
    assert_eq!(scene.effects(), ["close"]);
    assert_eq!(scene.events(), ["SERVER_DOWN a:1: nothing was heard from the server"]);
}

#[test]
fn disconnect_closes_and_stays_away_until_connect() {
    let mut scene = Scene::connected();
    scene.machine.disconnect(scene.now_ms);
    assert_eq!(scene.effects(), ["close"]);
    scene.advance(1_000_000);
    scene.machine.disconnect(scene.now_ms);
    assert!(scene.effects().is_empty() && scene.events().is_empty());
    scene.machine.connect();
    assert_eq!(scene.effects(), ["open a:1"]);
}

#[test]
fn frames_of_a_connection_that_was_given_up_mean_nothing() {
    let mut scene = Scene::connected();
    scene.machine.disconnect(scene.now_ms);
    scene.effects();
    scene.frame(CONNECTED);
    scene.close(4031, "token_invalid");
    assert!(scene.effects().is_empty() && scene.events().is_empty());
}
