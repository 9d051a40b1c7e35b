//! What must hold for any frame: asked by the fuzzer and, for its corpus, by an ordinary test.

use serde_json::Value;
use sterna_model::{Code, Reply};
use sterna_wire::native::{ServerFrame, decode, decode_server, encode_reply, encode_request};

/// Bytes of a detail: it may repeat a part of the frame, never all of it.
const DETAIL_BYTES_MAX: usize = 400;

/// Feeds a frame to both sides' readers.
pub(crate) fn check_request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let is_object = matches!(serde_json::from_str(text), Ok(Value::Object(_)));
    match decode(text) {
        Ok(request) => {
            assert!(is_object);
            let mut frame = Vec::new();
            encode_request(&request, &mut frame);
            let frame = String::from_utf8(frame).expect("JSON is text");
            assert_eq!(decode(&frame), Ok(request), "{frame}");
        }
        Err(refused) => {
            assert!(!(is_object && refused.code == Code::MalformedFrame), "an object is a frame");
            assert!(refused.detail.len() <= DETAIL_BYTES_MAX, "{}", refused.detail);
            check_answer(refused.publish, &refused.into_reply());
        }
    }
    let _ = decode_server(text);
}

/// A refused frame is answered by a frame that any client can read.
fn check_answer(is_publish: bool, reply: &Reply) {
    let mut frame = Vec::new();
    encode_reply(reply, &mut frame);
    let answer = decode_server(std::str::from_utf8(&frame).expect("JSON is text")).expect("we wrote it");
    match answer {
        ServerFrame::Published { outcome, .. } => assert!(is_publish && outcome.is_err()),
        other => assert!(!is_publish && matches!(other, ServerFrame::Error { .. })),
    }
}
