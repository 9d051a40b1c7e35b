//! Tokens: about to expire, renewed, refused, expired.

use sterna_client::Settings;

use crate::scene::{Scene, error, settings};

#[test]
fn a_token_is_renewed_in_the_live_session_and_used_for_the_next() {
    let mut scene = Scene::connected();
    scene.frame(r#"{"op":"notice","notice":"token_to_expire","expires_in_ms":60000}"#);
    assert_eq!(scene.events(), ["TOKEN_TO_EXPIRE 60000"]);
    scene.machine.set_entitlement_token("second");
    assert_eq!(scene.effects(), [r#"{"op":"token","id":1,"token":"second"}"#]);
    scene.frame(r#"{"op":"token_renewed","id":1,"expires_in_ms":3600000}"#);
    assert_eq!(scene.events(), ["TOKEN_RENEWED"]);
    scene.lose();
    scene.rejoin();
    assert!(scene.effects()[1].contains(r#""token":"second""#));
}

#[test]
fn a_refused_token_leaves_the_old_one_in_force() {
    let mut scene = Scene::connected_with(Settings { token: Some("first".into()), ..settings(&["a:1"]) });
    scene.machine.set_entitlement_token("second");
    scene.effects();
    scene.frame(&error(r#""id":1,"#, 4031, "token_invalid"));
    assert_eq!(scene.events(), ["TOKEN_INVALID 4031"]);
    scene.lose();
    scene.rejoin();
    assert!(scene.effects()[1].contains(r#""token":"first""#));
}

#[test]
fn an_expired_token_stops_the_client_until_it_gets_another_one() {
    let mut scene = Scene::connected();
    scene.frame(&error("", 4032, "token_expired"));
    scene.close(4032, "token_expired");
    assert_eq!(scene.events(), ["TOKEN_EXPIRED 4032", "CONNECT_DENY 4032"]);
    scene.advance(100_000);
    assert!(scene.effects().is_empty());
    scene.machine.set_entitlement_token("second");
    assert_eq!(scene.effects(), ["open a:1"]);
}

#[test]
fn a_token_that_came_just_too_late_is_tried_with_a_new_connection() {
    let mut scene = Scene::connected();
    scene.frame(&error("", 4032, "token_expired"));
    scene.machine.set_entitlement_token("second");
    scene.close(4032, "token_expired");
    scene.effects();
    scene.rejoin();
    assert!(scene.effects()[1].contains(r#""token":"second""#));
    assert!(!scene.events().iter().any(|event| event.starts_with("CONNECT_DENY")));
}
