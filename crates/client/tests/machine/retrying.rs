//! When and where the client comes back.

use sterna_client::{Reconnect, Settings};

use crate::scene::{Scene, server, settings};

/// Delay until the next attempt, which fails as well.
fn delay_ms(scene: &mut Scene) -> u64 {
    let before_ms = scene.now_ms;
    let at_ms = scene.machine.deadline_ms().expect("an attempt is planned");
    scene.advance(at_ms - before_ms);
    assert!(scene.effects()[0].starts_with("open "));
    scene.lose();
    at_ms - before_ms
}

#[test]
fn retries_are_quick_first_and_then_ever_slower() {
    let mut scene = Scene::connected();
    scene.lose();
    let delays: Vec<u64> = (0..9).map(|_| delay_ms(&mut scene)).collect();
    for (index, (least, most)) in
        [(1, 500), (500, 1_000), (1_000, 1_500), (20_000, 40_000), (40_000, 80_000)].into_iter().enumerate()
    {
        assert!((least..=most).contains(&delays[index]), "{delays:?}");
    }
    assert_eq!(delays[8], 360_000);
}

#[test]
fn only_a_session_that_stood_for_some_time_ends_the_row_of_retries() {
    let mut scene = Scene::connected();
    for _ in 0..4 {
        scene.lose();
        let at_ms = scene.machine.deadline_ms().unwrap();
        scene.advance(at_ms - scene.now_ms);
        scene.join();
    }
    scene.lose();
    assert!(scene.machine.deadline_ms().unwrap() - scene.now_ms >= 20_000, "the connection flaps");
    scene.advance(80_000);
    scene.join();
    scene.advance(10_000);
    scene.lose();
    assert!(scene.machine.deadline_ms().unwrap() - scene.now_ms <= 500);
}

#[test]
fn a_member_that_failed_is_left_for_another_one() {
    let mut scene = Scene::new(settings(&["a:1", "b:2"]));
    scene.machine.connect();
    let mut opened = scene.effects();
    for _ in 0..5 {
        scene.lose();
        scene.advance(400_000);
        opened.extend(scene.effects());
    }
    for pair in opened.windows(2) {
        assert_ne!(pair[0], pair[1], "{opened:?}");
    }
}

#[test]
fn the_weight_decides_who_is_tried_first() {
    for seed in 0..50 {
        let mut heavy = server("b:2");
        heavy.weight = 100;
        let mut light = server("a:1");
        light.weight = 0;
        let mut machine =
            sterna_client::machine::Machine::new(Settings::new(vec![light, heavy.clone()]), seed);
        machine.connect();
        assert_eq!(machine.poll_effect(), Some(sterna_client::machine::Effect::Open(heavy)));
    }
}

#[test]
fn failures_are_told_from_the_configured_number_on_and_losses_always() {
    let mut scene = Scene::new(Settings { notify_after_failed_attempts: 3, ..settings(&["a:1"]) });
    scene.machine.connect();
    for _ in 0..2 {
        scene.lose();
        assert!(scene.events().is_empty());
        scene.advance(2_000);
    }
    scene.lose();
    assert_eq!(scene.events(), ["SERVER_DOWN a:1: connection reset"]);
    scene.advance(400_000);
    scene.join();
    scene.events();
    scene.lose();
    assert_eq!(scene.events(), ["SERVER_DOWN a:1: connection reset"]);
}

#[test]
fn connect_ends_the_wait() {
    let reconnect = Reconnect { quick_retries_max: 0, ..Reconnect::default() };
    let mut scene = Scene::connected_with(Settings { reconnect, ..settings(&["a:1"]) });
    scene.lose();
    scene.advance(1_000);
    assert!(scene.effects().is_empty());
    scene.machine.connect();
    assert_eq!(scene.effects(), ["open a:1"]);
}
