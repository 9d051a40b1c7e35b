//! The core answers every subscribe of `conformance/recovery.json` as written there.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod support;

use serde_json::Value;
use sterna_broker::core::{CoreLimits, Effect, Event, PublishEvent, SubscribeEvent};
use sterna_model::{ConnectionId, DeliveryMode, Kind, Message, Position, Qos, Seq, ShardId, Start, Subject};
use support::Single;

const VECTORS: &str = include_str!("../../../conformance/recovery.json");
const NOW_MS: u64 = 1_000_000;
const EXPIRE_MS: u64 = 1000;
const WHO: ConnectionId = ConnectionId { shard: ShardId(0), index: 0, generation: 0 };

#[test]
fn every_subscribe_is_answered_as_written() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 30, "there are cases");
    for case in cases {
        let mut core = published(case);
        let (answer, follows) = subscribe(&mut core, case);
        let name = case["name"].as_str().unwrap();
        assert_eq!(answer, case["answer"], "{name}");
        assert_eq!(follows, case["follows"], "{name}");
    }
}

fn subject() -> Subject {
    Subject::parse("/s").unwrap()
}

fn number(value: &Value) -> Option<u64> {
    (!value.is_null()).then(|| value.as_u64().unwrap())
}

/// A core with the case's messages, of which the history still holds as many as it says.
fn published(case: &Value) -> Single {
    let kept = usize::try_from(number(&case["history_kept"]).unwrap()).unwrap();
    let limits = CoreLimits {
        mode: DeliveryMode::Guaranteed,
        history_messages_max: kept.max(1),
        history_expire_ms: EXPIRE_MS,
        snapshot_expire_ms: None,
        cache_bytes_max: 1_000_000,
        shards: 1,
    };
    let mut core = Single::new(number(&case["epoch"]).unwrap(), limits, NOW_MS);
    for written in case["published"].as_array().unwrap() {
        let mut message = Message::new(subject(), written["content"].as_str().unwrap().as_bytes());
        message.retained = written["retained"].as_bool().unwrap_or(true);
        message.qos = written["qos"].as_str().map_or(Qos::Guaranteed, |qos| Qos::from_name(qos).unwrap());
        let publish =
            PublishEvent { from: WHO, id: None, wants_result: false, message, stamp: None, received_us: 0 };
        core.handle(NOW_MS, Event::Publish(Box::new(publish)));
    }
    if kept == 0 {
        core.tick(NOW_MS + 2 * EXPIRE_MS);
    }
    core
}

/// What is answered and what follows, in the words of the file.
fn subscribe(core: &mut Single, case: &Value) -> (Value, Value) {
    let start = &case["subscribe"];
    let resume = &start["resume"];
    let resume = (!resume.is_null())
        .then(|| Position::new(number(&resume["epoch"]).unwrap(), number(&resume["seq"]).unwrap()));
    let history = u32::try_from(number(&start["history"]).unwrap()).unwrap();
    let event = SubscribeEvent {
        from: WHO,
        id: None,
        name: subject(),
        start: Start { history, resume },
        conflation_ms: 0,
    };
    let effects = core.handle(NOW_MS + 2 * EXPIRE_MS, Event::Subscribe(event));
    let [Effect::Subscribed { cut, page, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(page.next.is_none(), "one page holds it all");
    let missed = cut.missed.map(|(Seq(from), Seq(to))| serde_json::json!({ "from": from, "to": to }));
    let answer = serde_json::json!({
        "recovery": cut.recovery.name(),
        "epoch": cut.position.epoch.0,
        "seq": cut.position.seq.0,
        "missed": missed,
    });
    let message = |(kind, record): &(Kind, std::sync::Arc<sterna_model::Record>)| {
        serde_json::json!({
            "type": kind.name(),
            "seq": record.position.seq.0,
            "content": std::str::from_utf8(&record.message.content).unwrap(),
        })
    };
    (answer, page.messages.iter().map(message).collect())
}
