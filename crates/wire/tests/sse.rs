//! Server-Sent Events: the request, the lines, and the resume token, judged by a reader after the HTML standard.

use proptest::prelude::*;
use sterna_model::limit::SSE_SUBJECTS_MAX;
use sterna_model::{Code, Position, Start};
use sterna_wire::http::{Decoder, Limits, Outcome, Refusal, Request};
use sterna_wire::sse::{
    KEEP_ALIVE, ResumeToken, Stream, decode_stream, error_event, message_event, retry, subscribed_event,
};

fn request(query: &str, headers: &str) -> Request {
    let bytes = format!("GET /sse?{query} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let step = Decoder::default().next(bytes.as_bytes(), &Limits { body_bytes_max: 0 });
    let Ok(Outcome::Request(request)) = step.map(|step| step.outcome) else {
        panic!("not a request: {query}")
    };
    request
}

fn stream(query: &str, headers: &str) -> Result<Stream, Refusal> {
    decode_stream(&request(query, headers))
}

/// An event as a browser dispatches it, and the last event id it then has.
#[derive(Debug, PartialEq, Eq)]
struct Dispatched {
    name: String,
    data: String,
    id: String,
}

/// What a browser makes of a stream (HTML standard, 9.2.6), and the last event id at the end.
fn browser(bytes: &[u8]) -> (Vec<Dispatched>, String) {
    let (mut events, mut last_id) = (Vec::new(), String::new());
    let (mut name, mut data, mut id) = (String::new(), String::new(), String::new());
    let text = str::from_utf8(bytes).expect("events are UTF-8").replace("\r\n", "\n").replace('\r', "\n");
    // What stands behind the last line end is an incomplete line, which never counts.
    let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    for line in lines.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                last_id.clone_from(&id);
                let data = std::mem::take(&mut data);
                let name = std::mem::take(&mut name);
                if let Some(data) = data.strip_suffix('\n') {
                    events.push(Dispatched { name, data: data.into(), id: last_id.clone() });
                }
            }
            "event" => name = value.into(),
            "data" => data += &format!("{value}\n"),
            "id" => id = value.into(),
            _ => {}
        }
    }
    (events, last_id)
}

#[test]
fn request_names_its_subjects_and_their_common_settings() {
    let headers = "Authorization: Bearer t\r\n";
    let stream = stream("subject=/a&history=5&subject=/b%20c&conflation_ms=100&token=q", headers).unwrap();
    assert_eq!(stream.token.as_deref(), Some("t"));
    let start = Start { history: 5, resume: None };
    let items: Vec<_> = stream.items.iter().map(|i| (&*i.subject, i.start, i.conflation_ms)).collect();
    assert_eq!(items, [("/a", start, 100), ("/b c", start, 100)]);
}

#[test]
fn last_event_id_resumes_and_the_header_goes_before_the_parameter() {
    let resume = |query: &str, headers: &str| stream(query, headers).unwrap().items[0].start.resume;
    assert_eq!(resume("subject=/a&last_event_id=k:1", ""), Some(Position::new(20, 1)));
    assert_eq!(resume("subject=/a&last_event_id=k:1", "Last-Event-ID: k:z\r\n"), Some(Position::new(20, 35)));
    assert_eq!(resume("subject=/a&last_event_id=k:1", "Last-Event-ID:\r\n"), Some(Position::new(20, 1)));
    assert_eq!(resume("subject=/a", "Last-Event-ID: \r\n"), None);
}

#[test]
fn bad_requests_are_refused_by_name() {
    let too_many: String = (0..=SSE_SUBJECTS_MAX).map(|n| format!("subject=/{n}&")).collect();
    for (query, code, detail) in [
        ("", Code::ParameterInvalid, "subject: it is missing"),
        (&too_many, Code::ParameterInvalid, "subject: expected at most 100 of it"),
        ("subject=/a&subject=/b&subject=/a", Code::ParameterInvalid, "subject: expected each subject once"),
        (
            "subject=/a&conflation_ms=60001",
            Code::ParameterInvalid,
            "conflation_ms: expected a number from 0 to 60000",
        ),
        ("subject=/a&seq=1", Code::UnknownField, "seq"),
        (
            "subject=/a&last_event_id=x",
            Code::ParameterInvalid,
            "last_event_id: expected an id of a stream of the same subjects",
        ),
    ] {
        let refusal = stream(query, "").unwrap_err();
        assert_eq!((refusal.code, &*refusal.detail), (code, detail), "{query}");
    }
}

#[test]
fn events_are_these_lines() {
    let mut out = Vec::new();
    subscribed_event(b"{\"subject\":\"/a\"}", None, &mut out);
    message_event(b"{\"seq\":36}", Some(Position::new(1_790_000_000, 36)), &mut out);
    message_event(b"{\"seq\":37}", None, &mut out);
    error_event(b"{\"code\":4300}", &mut out);
    retry(1500, &mut out);
    out.extend_from_slice(KEEP_ALIVE);
    assert_eq!(
        str::from_utf8(&out).unwrap(),
        "event: subscribed\ndata: {\"subject\":\"/a\"}\n\n\
         id: tlpwu8:10\nevent: message\ndata: {\"seq\":36}\n\n\
         event: message\ndata: {\"seq\":37}\n\n\
         event: error\ndata: {\"code\":4300}\n\n\
         retry: 1500\n\n\
         : keep-alive\n\n"
    );
}

#[test]
fn data_never_ends_its_event() {
    for data in ["{\"a\":\n1}", "{}\n\nid: 1\nevent: evil\ndata: x\n\n", "a\rdata: b\r\rc", "{}\n"] {
        let mut out = Vec::new();
        message_event(data.as_bytes(), None, &mut out);
        let (events, _) = browser(&out);
        assert_eq!(events.len(), 1);
        assert_eq!((&*events[0].name, &*events[0].id), ("message", ""));
        assert_eq!(events[0].data, data.replace('\r', "\n"));
    }
}

#[test]
fn a_stream_cut_anywhere_resumes_behind_its_last_whole_event() {
    let subjects = ["/a", "/b"];
    let mut token = ResumeToken::new(&subjects);
    let mut out = Vec::new();
    let mut states = vec![(String::new(), 0)];
    for (index, seq) in [(0, 1), (1, 1), (0, 2), (1, 9), (0, 3)] {
        token.set(index, Position::new(7, seq));
        token.write_id_line(&mut out);
        message_event(format!("{{\"seq\":{seq}}}").as_bytes(), None, &mut out);
        states.push((token.to_string(), out.len()));
    }
    for cut in 0..=out.len() {
        let (events, id) = browser(&out[..cut]);
        let whole = states.iter().rposition(|(_, end)| *end <= cut).unwrap();
        assert_eq!((events.len(), id), (whole, states[whole].0.clone()), "cut at {cut}");
    }
}

#[test]
fn token_is_compact_and_exact() {
    let one = |positions: &[Option<Position>], subjects: &[&str]| {
        let mut token = ResumeToken::new(subjects);
        for (index, position) in positions.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))) {
            token.set(index, position);
        }
        token.to_string()
    };
    let at = |epoch, seq| Some(Position::new(epoch, seq));
    assert_eq!(one(&[at(1_790_000_000, 17)], &["/a"]), "tlpwu8:h");
    assert_eq!(one(&[None], &["/a"]), "-");
    let four = ["/a", "/b", "/c", "/d"];
    let checksum = one(&[], &four).strip_suffix(".-.-.-.-").unwrap().to_owned();
    assert_eq!(
        one(&[None, at(1_790_000_000, 17), None, at(1_790_000_000, 3)], &four),
        format!("{checksum}.-.tlpwu8:h.-.3")
    );
    assert_eq!(one(&[at(5, 1), at(5, 2), at(6, 3), at(5, 4)], &four), format!("{checksum}.5:1.2.6:3.5:4"));
    let mut line = Vec::new();
    ResumeToken::new(&four).write_id_line(&mut line);
    assert!(line.is_empty(), "an id of nothing would still be an id");
}

#[test]
fn token_of_other_subjects_is_refused() {
    let mut token = ResumeToken::new(&["/a", "/b"]);
    token.set(0, Position::new(7, 1));
    let text = token.to_string();
    assert_eq!(ResumeToken::decode(&text, &["/a", "/b"]), Ok(token));
    for others in [["/b", "/a"].as_slice(), &["/a", "/c"], &["/a"], &["/a", "/b", "/c"], &["/a/b", ""]] {
        assert_eq!(
            ResumeToken::decode(&text, others).unwrap_err().code,
            Code::ParameterInvalid,
            "{others:?}"
        );
    }
}

#[test]
fn malformed_tokens_are_refused() {
    for bad in [
        "",
        ".",
        "1",
        ":",
        "1:",
        ":1",
        "1:1:1",
        "1:1.",
        ".1:1",
        "1:1.1",
        "01:1",
        "1:01",
        "1:00",
        "+1:1",
        "1:-1",
        "A:1",
        "1:1 ",
        " 1:1",
        "--",
        "1:3w5e11264sgsg",
        "1:zzzzzzzzzzzzzzzzzzzz",
        "1:ü",
        "1:1\0",
    ] {
        assert!(ResumeToken::decode(bad, &["/a"]).is_err(), "{bad:?}");
    }
    assert!(ResumeToken::decode("1:3w5e11264sgsf", &["/a"]).is_ok(), "the largest number");
}

proptest! {
    #[test]
    fn token_gives_back_every_position(
        positions in proptest::collection::vec(
            proptest::option::of((prop_oneof![Just(7_u64), Just(8), any::<u64>()], any::<u64>())),
            1..SSE_SUBJECTS_MAX,
        ),
    ) {
        let names: Vec<String> = (0..positions.len()).map(|n| format!("/{n}")).collect();
        let subjects: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut token = ResumeToken::new(&subjects);
        for (index, position) in positions.iter().enumerate() {
            if let Some((epoch, seq)) = position {
                token.set(index, Position::new(*epoch, *seq));
            }
        }
        let text = token.to_string();
        prop_assert!(text.len() <= 8 + 28 * subjects.len());
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "fit for a header and an id line");
        let decoded = ResumeToken::decode(&text, &subjects).unwrap();
        for (index, position) in positions.iter().enumerate() {
            prop_assert_eq!(decoded.position(index), position.map(|(e, s)| Position::new(e, s)));
        }
        prop_assert_eq!(decoded, token);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-.:0-9a-z]{0,40}", subjects in 1_usize..4) {
        let subjects = &["/a", "/b", "/c"][..subjects];
        if let Ok(token) = ResumeToken::decode(&text, subjects) {
            prop_assert_eq!(ResumeToken::decode(&token.to_string(), subjects).unwrap(), token);
        }
    }
}
