//! Properties of the codec: what one side writes the other reads as the same, whatever the texts hold.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use sterna_model::limit::{CONFLATION_MS_MAX, HISTORY_MAX, PUBLISHER_ID_BYTES_MAX};
use sterna_model::{
    Accepted, Code, Compression, DeliveryMode, GroupId, Kind, Message, Position, Publish, PublisherStamp,
    Qos, Record, Recovery, Reply, Request, Seq, ServerInfo, SessionId, Start, Subject, SubscribeItem,
};
use sterna_wire::native::{
    ServerFrame, decode, decode_server, encode_message, encode_message_body, encode_reply, encode_request,
};

mod native_reply;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..10_u64, 0..1_u64 << 53]
}

fn id() -> impl Strategy<Value = Option<u64>> {
    option::of(number())
}

/// Texts of all characters, those that need escapes among them.
fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["\\PC{0,12}", "[\\x00-\\x7f]{0,80}", "[a\"\\\\\n\u{2028}]{0,80}"]
        .prop_map(String::into_boxed_str)
}

fn content() -> impl Strategy<Value = Box<[u8]>> {
    let bytes = vec(any::<u8>(), 0..100).prop_map(Vec::into_boxed_slice);
    prop_oneof![bytes, text().prop_map(|text| text.as_bytes().into())]
}

fn compression() -> impl Strategy<Value = Option<Compression>> {
    option::of(proptest::sample::select(&Compression::ALL[..]))
}

fn qos() -> impl Strategy<Value = Qos> {
    prop_oneof![Just(Qos::Standard), Just(Qos::Guaranteed)]
}

fn position() -> impl Strategy<Value = Position> {
    (number(), number()).prop_map(|(epoch, seq)| Position::new(epoch, seq))
}

fn item() -> impl Strategy<Value = SubscribeItem> {
    (text(), 0..=HISTORY_MAX, option::of(position()), prop_oneof![Just(0), 0..=CONFLATION_MS_MAX]).prop_map(
        |(subject, history, resume, conflation_ms)| SubscribeItem {
            subject,
            start: Start { history, resume },
            conflation_ms,
        },
    )
}

fn stamp() -> impl Strategy<Value = PublisherStamp> {
    let publisher =
        text().prop_filter("within its bound", |text| (1..=PUBLISHER_ID_BYTES_MAX).contains(&text.len()));
    (publisher, number()).prop_map(|(publisher, seq)| PublisherStamp { publisher, seq })
}

fn publish() -> impl Strategy<Value = Publish> {
    (content(), text(), any::<bool>(), qos(), compression(), option::of(stamp())).prop_map(
        |(content, closure, retained, qos, compression, stamp)| Publish {
            content,
            closure,
            retained,
            qos,
            compression,
            stamp,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let filled = || text().prop_filter("not empty", |text| !text.is_empty());
    prop_oneof![
        (any::<u32>(), option::of(filled()), option::of("[ -~]{0,100}")).prop_map(
            |(version, token, client)| Request::Connect { version, token, client: client.map(Into::into) }
        ),
        (id(), vec(item(), 1..5)).prop_map(|(id, items)| Request::Subscribe { id, items }),
        (id(), vec(text(), 1..5)).prop_map(|(id, subjects)| Request::Unsubscribe { id, subjects }),
        (id(), text(), option::of(text()), publish()).prop_map(|(id, subject, reply_to, publish)| {
            Request::Publish { id, subject, reply_to, publish: Box::new(publish) }
        }),
        id().prop_map(|id| Request::Ping { id }),
        (id(), filled()).prop_map(|(id, token)| Request::RenewToken { id, token }),
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    vec("[^/\\x00-\\x1f\\x7f]{1,8}", 1..4)
        .prop_map(|path| Subject::parse(&format!("/{}", path.join("/"))).expect("it is made of segments"))
}

fn record() -> impl Strategy<Value = Record> {
    let message = (subject(), option::of(subject()), publish()).prop_map(|(subject, reply_to, publish)| {
        let (message, _) = publish.into_message(subject, reply_to);
        message
    });
    (position(), number(), message).prop_map(|(position, time_ms, message)| Record {
        group: GroupId::default(),
        position,
        time_ms,
        message,
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(vec![Kind::Update, Kind::Snapshot, Kind::Recovered, Kind::Historical])
}

fn connected() -> impl Strategy<Value = Reply> {
    let mode = prop_oneof![Just(DeliveryMode::Standard), Just(DeliveryMode::Guaranteed)];
    (any::<u64>(), mode, any::<u32>(), number(), id()).prop_map(
        |(session, mode, bytes, keep_alive_ms, token_expires_in_ms)| Reply::Connected {
            session: SessionId(session),
            info: Arc::new(ServerInfo {
                software: "sterna/0.0.0",
                mode,
                message_bytes_max: bytes as usize,
                keep_alive_ms,
            }),
            token_expires_in_ms,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    let code = || proptest::sample::select(Code::ALL);
    let recovery =
        proptest::sample::select(vec![Recovery::Fresh, Recovery::Complete, Recovery::Gap, Recovery::Reset]);
    let missed = option::of((number(), number()).prop_map(|(from, to)| (Seq(from), Seq(to))));
    let accepted = (option::of(position()), any::<bool>())
        .prop_map(|(position, duplicate)| Accepted { position, duplicate });
    prop_oneof![
        connected(),
        (id(), text(), recovery, position(), missed).prop_map(|(id, subject, recovery, position, missed)| {
            Reply::Subscribed { id, subject, recovery, position, missed }
        }),
        (id(), text()).prop_map(|(id, subject)| Reply::Unsubscribed { id, subject }),
        (id(), text(), accepted).prop_map(|(id, closure, accepted)| {
            Reply::Published { id, closure, outcome: Ok(accepted), detail: None }
        }),
        (id(), text(), code(), option::of(text())).prop_map(|(id, closure, code, detail)| {
            Reply::Published { id, closure, outcome: Err(code), detail }
        }),
        (id(), code(), option::of(text()), option::of(text()))
            .prop_map(|(id, code, subject, detail)| Reply::Error { id, code, subject, detail }),
        id().prop_map(|id| Reply::Pong { id }),
        (id(), id()).prop_map(|(id, expires_in_ms)| Reply::TokenRenewed { id, expires_in_ms }),
        number().prop_map(|expires_in_ms| Reply::TokenToExpire { expires_in_ms }),
        (number(), vec(text(), 0..3))
            .prop_map(|(reconnect_after_ms, servers)| Reply::GoingAway { reconnect_after_ms, servers }),
    ]
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("JSON is text")
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(request in request()) {
        let frame = written(|out| encode_request(&request, out));
        prop_assert_eq!(decode(&frame), Ok(request), "{}", frame);
    }

    #[test]
    fn a_message_is_read_as_it_was_written(kind in kind(), record in record()) {
        let frame = written(|out| encode_message(kind, &record, out));
        let body = written(|out| encode_message_body(kind, &record, out));
        prop_assert_eq!(format!("{{\"op\":\"message\",{}", &body[1..]), frame.as_str());
        let read = decode_server(&frame);
        prop_assert_eq!(read, Ok(ServerFrame::Message { kind, record: Box::new(record) }), "{}", frame);
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(reply in reply()) {
        let frame = written(|out| encode_reply(&reply, out));
        let read = decode_server(&frame).unwrap();
        prop_assert_eq!(native_reply::to_reply(read), Some(reply), "{}", frame);
    }

    /// A foreign JSON implementation is the judge.
    #[test]
    fn texts_are_written_as_json_has_it(text in text()) {
        let request = Request::RenewToken { id: None, token: text.clone() };
        let frame = written(|out| encode_request(&request, out));
        prop_assert_eq!(&frame, &format!(r#"{{"op":"token","token":{}}}"#, Value::from(&*text)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = decode(&text);
        let _ = decode_server(&text);
    }

    /// Wherever a frame is cut, it is refused as malformed.
    #[test]
    fn a_cut_frame_is_malformed(request in request(), at in any::<proptest::sample::Index>()) {
        let frame = written(|out| encode_request(&request, out));
        let at = frame.floor_char_boundary(at.index(frame.len()));
        prop_assert_eq!(decode(&frame[..at]).unwrap_err().code, Code::MalformedFrame);
    }
}

#[test]
fn a_default_message_has_no_optional_fields() {
    let message = Message::new(Subject::parse("/a").unwrap(), *b"x");
    let record = Record { group: GroupId::default(), position: Position::new(7, 1), time_ms: 5, message };
    let frame = written(|out| encode_message(Kind::Update, &record, out));
    let expected =
        r#"{"op":"message","subject":"/a","type":"update","epoch":7,"seq":1,"time_ms":5,"content":"x"}"#;
    assert_eq!(frame, expected);
}
