//! Bounds of requests, each at its edge and one beyond, and how a refused frame is answered. The rules without
//! long inputs are in conformance/requests.json.

use sterna_model::limit::{
    CLIENT_NAME_BYTES_MAX, CLOSURE_BYTES_MAX, PUBLISHER_ID_BYTES_MAX, SUBJECTS_PER_REQUEST_MAX,
    TOKEN_BYTES_MAX,
};
use sterna_model::{Code, Reply, Request};
use sterna_wire::native::{Refused, decode};

fn refused(frame: &str) -> Refused {
    decode(frame).expect_err(&format!("accepted: {frame:.200}"))
}

#[test]
fn texts_are_bounded_in_bytes() {
    type Frame = fn(&str) -> String;
    let bounds: [(&str, usize, Frame); 5] = [
        ("token", TOKEN_BYTES_MAX, |text| format!(r#"{{"op":"connect","token":"{text}"}}"#)),
        ("token", TOKEN_BYTES_MAX, |text| format!(r#"{{"op":"token","token":"{text}"}}"#)),
        ("client", CLIENT_NAME_BYTES_MAX, |text| format!(r#"{{"op":"connect","client":"{text}"}}"#)),
        ("closure", CLOSURE_BYTES_MAX, |text| {
            format!(r#"{{"op":"publish","subject":"/a","content":"x","closure":"{text}"}}"#)
        }),
        ("publisher", PUBLISHER_ID_BYTES_MAX, |text| {
            format!(
                r#"{{"op":"publish","subject":"/a","content":"x","publisher":"{text}","publisher_seq":1}}"#
            )
        }),
    ];
    for (field, bytes_max, frame) in bounds {
        // Characters of two bytes: a bound in characters would let twice as much pass.
        let longest = "ü".repeat(bytes_max / 2);
        decode(&frame(&longest)).unwrap_or_else(|refused| panic!("{field}: {refused:?}"));
        let refused = refused(&frame(&format!("{longest}x")));
        assert_eq!(refused.code, Code::ParameterInvalid, "{field}");
        assert!(refused.detail.starts_with(field), "{field}: {}", refused.detail);
        assert_eq!(refused.closure, None, "{field}: a closure that is too long is not repeated");
    }
}

#[test]
fn subjects_are_bounded_in_number() {
    for op in ["subscribe", "unsubscribe"] {
        let frame = |count: usize| {
            let subjects = vec![r#""/a""#; count].join(",");
            format!(r#"{{"op":"{op}","id":7,"subjects":[{subjects}]}}"#)
        };
        assert!(decode(&frame(SUBJECTS_PER_REQUEST_MAX)).is_ok(), "{op}");
        let refused = refused(&frame(SUBJECTS_PER_REQUEST_MAX + 1));
        assert_eq!((refused.code, refused.id), (Code::ParameterInvalid, Some(7)), "{op}");
        assert!(refused.detail.starts_with("subjects"), "{}", refused.detail);
    }
}

#[test]
fn a_long_list_is_refused_for_its_first_faulty_item() {
    let rest = vec!["{}"; 5 * SUBJECTS_PER_REQUEST_MAX].join(",");
    let refused = refused(&format!(r#"{{"op":"subscribe","subjects":["/a",5,{rest}],"id":7}}"#));
    assert_eq!(refused.detail.as_ref(), "subjects: expected texts or objects, found 5 among them");
    assert_eq!(refused.id, Some(7));
}

#[test]
fn depth_is_no_danger() {
    for place in ["", r#""op":"subscribe","subjects":"#, r#""op":"subscribe","subjects":[{"subject":"#] {
        let bomb = format!("{{{place}{}", "[".repeat(1_000_000));
        assert_eq!(refused(&bomb).code, Code::MalformedFrame, "{place}");
        let bomb = format!("{{{place}{}", r#"{"subjects":"#.repeat(100_000));
        assert_eq!(refused(&bomb).code, Code::MalformedFrame, "{place}");
    }
}

#[test]
fn a_refused_publish_is_answered_by_its_one_result() {
    let refused = refused(r#"{"op":"publish","id":4,"closure":"c1","subject":"/a"}"#);
    let detail = Some(refused.detail.clone());
    assert_eq!(detail.as_deref(), Some("content: expected a text, found nothing"));
    let outcome = Err(Code::ParameterInvalid);
    let expected = Reply::Published { id: Some(4), closure: "c1".into(), outcome, detail };
    assert_eq!(refused.into_reply(), expected);
}

#[test]
fn any_other_refused_frame_is_answered_by_an_error_with_the_detail() {
    let expected =
        |id, code, detail: &str| Reply::Error { id, code, subject: None, detail: Some(detail.into()) };
    let found = |frame| refused(frame).into_reply();
    let detail = "token: expected a text of 1 to 8192 bytes, found a text of 0 bytes";
    assert_eq!(
        found(r#"{"op":"token","id":6,"token":""}"#),
        expected(Some(6), Code::ParameterInvalid, detail)
    );
    let detail = "not JSON at line 1 column 14";
    assert_eq!(found(r#"{"op":"ping",}"#), expected(None, Code::MalformedFrame, detail));
    assert_eq!(found("[]"), expected(None, Code::MalformedFrame, "a JSON object is expected"));
}

#[test]
fn details_hold_no_values_that_could_be_secret() {
    let secret = "S3CR3T";
    for frame in [
        format!(r#"{{"op":"token","token":["{secret}"]}}"#),
        format!(r#"{{"op":"connect","version":"{secret}"}}"#),
        format!(r#"{{"op":"connect","client":"{}"}}"#, secret.repeat(100)),
        format!(r#""{secret}""#),
        format!(r#"{{"op":"ping"}} {secret}"#),
    ] {
        let detail = refused(&frame).detail;
        assert!(!detail.contains(secret), "{detail}");
    }
}

#[test]
fn a_long_unknown_name_is_repeated_in_part() {
    let name = "ü".repeat(5000);
    assert_eq!(refused(&format!(r#"{{"op":"ping","{name}":1}}"#)).detail.as_ref(), "ü".repeat(64));
    assert_eq!(refused(&format!(r#"{{"op":"{name}"}}"#)).code, Code::ParameterInvalid);
}

#[test]
fn what_the_session_judges_is_passed_on() {
    let subject = "/".repeat(3000);
    let frame = format!(r#"{{"op":"publish","subject":"{subject}","content":"","reply_to":""}}"#);
    let Ok(Request::Publish { subject: read, reply_to, publish, .. }) = decode(&frame) else {
        panic!("not a publish");
    };
    assert_eq!((&*read, reply_to.as_deref(), publish.content.len()), (&*subject, Some(""), 0));
}
