//! Subscriptions: asked for, answered, resumed, denied.

use sterna_model::{Position, Start, SubscribeItem};

use crate::scene::{Scene, delivered, error, settings, subscribed};

const FRESH: Start = Start { history: 0, resume: None };

/// A scene that is subscribed to `/a`, with messages up to 7:6.
fn subscribed_to_a() -> Scene {
    let mut scene = Scene::connected();
    scene.subscribe("/a", FRESH);
    scene.frame(&subscribed("/a", "fresh", 7, 5));
    scene.frame(&delivered("/a", "snapshot", 7, 5));
    scene.frame(&delivered("/a", "update", 7, 6));
    scene.effects();
    scene.events();
    scene
}

/// The subscribe request of a client that came back.
fn request_after_loss(scene: &mut Scene) -> String {
    scene.lose();
    scene.effects();
    scene.rejoin();
    scene.events();
    let sent = scene.effects();
    assert_eq!(sent.len(), 3, "{sent:?}");
    sent[2].clone()
}

#[test]
fn a_subscription_made_before_the_connection_is_asked_for_with_it() {
    let mut scene = Scene::new(settings(&["a:1"]));
    scene.subscribe("/a", Start { history: 5, resume: None });
    scene.machine.connect();
    scene.join();
    let sent = scene.effects();
    assert_eq!(sent[2], r#"{"op":"subscribe","id":1,"subjects":[{"subject":"/a","history":5}]}"#);
}

#[test]
fn messages_come_through_and_those_of_other_subjects_do_not() {
    let mut scene = Scene::connected();
    scene.subscribe("/a", FRESH);
    assert_eq!(scene.effects(), [r#"{"op":"subscribe","id":1,"subjects":["/a"]}"#]);
    scene.frame(&subscribed("/a", "fresh", 7, 5));
    scene.frame(&delivered("/a", "snapshot", 7, 5));
    scene.frame(&delivered("/b", "update", 7, 6));
    scene.frame(&delivered("/a", "update", 7, 6));
    assert_eq!(
        scene.events(),
        ["SUBSCRIBE_ALLOW /a 7:5 fresh", "MESSAGE snapshot /a 7:5", "MESSAGE update /a 7:6"]
    );
}

#[test]
fn a_reconnect_resumes_from_the_last_position_and_tells_what_is_promised() {
    let mut scene = subscribed_to_a();
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#"[{"subject":"/a","epoch":7,"seq":6}]"#), "{request}");
    scene.frame(&subscribed("/a", "complete", 7, 8));
    scene.frame(&delivered("/a", "recovered", 7, 7));
    assert_eq!(scene.events(), ["DATA_SYNC /a 7:8 ", "MESSAGE recovered /a 7:7"]);
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":7"#), "complete does not move the position: {request}");
    scene.frame(
        r#"{"op":"subscribed","subject":"/a","recovery":"gap","epoch":7,"seq":20,"missed":{"from":8,"to":19}}"#,
    );
    assert_eq!(scene.events(), ["DATA_RESYNC /a 7:20 gap missed 8-19"]);
    scene.frame(&delivered("/a", "snapshot", 7, 20));
    scene.events();
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":20"#), "{request}");
    scene.frame(&subscribed("/a", "reset", 9, 2));
    assert_eq!(scene.events(), ["DATA_RESYNC /a 9:2 reset"]);
}

#[test]
fn a_position_never_goes_back() {
    let mut scene = subscribed_to_a();
    scene.frame(&subscribed("/a", "fresh", 7, 9));
    // The snapshot may be older than the cut, and a standard message has the position of the one before it.
    scene.frame(&delivered("/a", "snapshot", 7, 4));
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":9"#), "{request}");
}

#[test]
fn a_subscription_that_was_cut_off_in_its_past_begins_anew() {
    let mut scene = Scene::connected();
    scene.subscribe("/a", Start { history: 3, resume: None });
    scene.frame(&subscribed("/a", "fresh", 7, 5));
    scene.frame(&delivered("/a", "historical", 7, 3));
    let request = request_after_loss(&mut scene);
    assert!(request.ends_with(r#"[{"subject":"/a","history":3}]}"#), "{request}");
    scene.frame(&subscribed("/a", "fresh", 7, 5));
    assert_eq!(scene.events(), ["DATA_RESYNC /a 7:5 fresh"], "the user has to begin anew as well");
    for seq in 3..=5 {
        scene.frame(&delivered("/a", "historical", 7, seq));
    }
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":5"#), "the past was whole: {request}");
}

#[test]
fn a_subscription_without_a_past_resumes_from_its_cut() {
    // Nothing was ever published there.
    let mut scene = Scene::connected();
    scene.subscribe("/a", FRESH);
    scene.frame(&subscribed("/a", "fresh", 7, 0));
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":0"#), "{request}");
    // Nothing of what was is retained: after a while it is clear that nothing comes.
    scene.frame(&subscribed("/a", "fresh", 7, 4));
    scene.advance(2_000);
    let request = request_after_loss(&mut scene);
    assert!(request.contains(r#""epoch":7,"seq":4"#), "{request}");
}

#[test]
fn a_resume_from_a_position_of_an_earlier_run_is_answered_as_such() {
    let mut scene = Scene::connected();
    scene.subscribe("/a", Start { history: 2, resume: Some(Position::new(7, 3)) });
    let sent = scene.effects();
    assert!(sent[0].contains(r#"{"subject":"/a","epoch":7,"seq":3,"history":2}"#), "{sent:?}");
    scene.frame(&subscribed("/a", "complete", 7, 5));
    assert_eq!(scene.events(), ["SUBSCRIBE_ALLOW /a 7:5 "]);
    assert_eq!(scene.machine.subjects().collect::<Vec<_>>(), [("/a", Some(Position::new(7, 3)))]);
}

#[test]
fn unsubscribe_ends_the_messages_and_is_confirmed() {
    let mut scene = subscribed_to_a();
    scene.machine.unsubscribe(["/a".into(), "/unknown".into()]);
    assert_eq!(scene.effects(), [r#"{"op":"unsubscribe","id":2,"subjects":["/a"]}"#]);
    scene.frame(&delivered("/a", "update", 7, 7));
    scene.frame(r#"{"op":"unsubscribed","id":2,"subject":"/a"}"#);
    assert_eq!(scene.events(), ["UNSUBSCRIBED /a"]);
    scene.lose();
    scene.rejoin();
    assert_eq!(scene.effects().len(), 2, "only open and connect");
}

#[test]
fn a_late_unsubscribed_does_not_end_a_new_subscription() {
    let mut scene = subscribed_to_a();
    scene.machine.unsubscribe(["/a".into()]);
    scene.subscribe("/a", FRESH);
    scene.frame(r#"{"op":"unsubscribed","id":2,"subject":"/a"}"#);
    scene.frame(&subscribed("/a", "fresh", 7, 6));
    assert_eq!(scene.events(), ["UNSUBSCRIBED /a", "SUBSCRIBE_ALLOW /a 7:6 fresh"]);
}

#[test]
fn a_denied_subscription_is_forgotten_and_the_others_stay() {
    let mut scene = Scene::connected();
    let items = ["/a", "/b"].map(|subject| SubscribeItem {
        subject: subject.into(),
        start: FRESH,
        conflation_ms: 100,
    });
    scene.machine.subscribe(items, scene.now_ms);
    scene.frame(&error(r#""id":1,"subject":"/a","#, 4033, "subscribe_denied"));
    scene.frame(&subscribed("/b", "fresh", 7, 0));
    assert_eq!(scene.events(), ["SUBSCRIBE_DENY /a 4033", "SUBSCRIBE_ALLOW /b 7:0 fresh"]);
    let request = {
        scene.effects();
        request_after_loss(&mut scene)
    };
    assert!(request.contains(r#""subject":"/b""#) && !request.contains("/a"), "{request}");
    assert!(request.contains(r#""conflation_ms":100"#), "{request}");
}

#[test]
fn a_request_that_is_refused_as_a_whole_denies_all_of_it() {
    let mut scene = Scene::connected();
    scene.subscribe("/a", FRESH);
    scene.subscribe("/b", FRESH);
    scene.frame(&error(r#""id":2,"#, 4003, "parameter_invalid"));
    assert_eq!(scene.events(), ["SUBSCRIBE_DENY /b 4003"]);
}

#[test]
fn a_subscription_that_the_server_ends_is_forgotten() {
    let mut scene = subscribed_to_a();
    scene.frame(&error(r#""subject":"/a","#, 4033, "subscribe_denied"));
    scene.frame(r#"{"op":"unsubscribed","subject":"/a"}"#);
    assert_eq!(scene.events(), ["SUBSCRIBE_DENY /a 4033"]);
    assert_eq!(scene.machine.subjects().count(), 0);
}

#[test]
fn a_busy_server_is_asked_again_after_a_pause() {
    let mut scene = Scene::connected();
    scene.subscribe("/a", FRESH);
    scene.effects();
    for (id, pause_ms) in [(1, 100), (2, 200), (3, 400)] {
        scene.frame(&error(&format!(r#""id":{id},"subject":"/a","#), 4200, "memory_full"));
        assert!(scene.effects().is_empty());
        scene.advance(pause_ms);
        assert!(scene.effects()[0].contains(&format!(r#""id":{}"#, id + 1)));
    }
    scene.frame(&subscribed("/a", "fresh", 7, 0));
    assert_eq!(scene.events(), ["SUBSCRIBE_ALLOW /a 7:0 fresh"]);
}

#[test]
fn a_member_that_is_behind_is_left_for_another_one() {
    let mut scene = subscribed_to_a();
    request_after_loss(&mut scene);
    scene.frame(&error(r#""id":2,"subject":"/a","#, 4304, "member_behind"));
    assert_eq!(scene.effects(), ["close"]);
    let events = scene.events();
    assert!(events[0].starts_with("SERVER_DOWN a:1: 4304 member_behind"), "{events:?}");
    scene.rejoin();
    assert!(scene.effects()[2].contains(r#""epoch":7,"seq":6"#));
}

#[test]
fn many_subjects_go_into_requests_that_every_server_takes() {
    let mut scene = Scene::connected();
    let subjects: Vec<String> = (0..1_000).map(|index| format!("/{}/{index}", "s".repeat(100))).collect();
    let items = subjects.iter().map(|subject| SubscribeItem {
        subject: subject.as_str().into(),
        start: FRESH,
        conflation_ms: 60_000,
    });
    scene.machine.subscribe(items, scene.now_ms);
    let sent = scene.effects();
    assert!(sent.len() > 10 && sent.iter().all(|frame| frame.len() < 16_384), "{}", sent.len());
    for subject in &subjects {
        assert_eq!(sent.iter().filter(|frame| frame.contains(&format!("{subject}\""))).count(), 1);
    }
    scene.machine.unsubscribe(subjects.iter().map(|subject| subject.as_str().into()));
    assert!(scene.effects().iter().all(|frame| frame.len() < 16_384));
}
