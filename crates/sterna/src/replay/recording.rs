//! One line of a recording: a message and when it was.

use serde::Deserialize;
use serde_json::value::RawValue;
use sterna_model::{Message, Subject, SubjectError};
use sterna_wire::native::{ServerFrame, decode_server};

use super::time::parse_iso;

/// A message and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) message: Message,
    /// Milliseconds since 1970; none comes right behind the one before it.
    pub(super) time_ms: Option<i64>,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("{0}; expected {{\"subject\": ..., \"content\": ..., \"time\": ...}}")]
    Json(#[from] serde_json::Error),
    #[error("a message as `sterna sub --json` prints them is expected: {0}")]
    Native(String),
    #[error("subject {0:?}: {1}")]
    Subject(String, SubjectError),
    #[error("content is empty")]
    Empty,
    #[error("time {0}: expected milliseconds since 1970, or a date such as \"2000-01-31T12:00:00Z\"")]
    Time(String),
}

/// A line as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    subject: String,
    /// A text is the content itself; any other value is, as it is written.
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

/// Only looked at to see whether the line is a frame of the native protocol.
#[derive(Deserialize)]
struct Operation {
    op: Option<String>,
}

impl Recorded {
    /// Reads a line: `{"subject","content","time"}`, or a message of the native protocol.
    pub(super) fn parse(line: &[u8]) -> Result<Self, LineError> {
        let Operation { op } = serde_json::from_slice(line)?;
        let recorded = if op.is_some() { parse_native(line)? } else { parse_fields(line)? };
        if recorded.message.content.is_empty() { Err(LineError::Empty) } else { Ok(recorded) }
    }
}

fn parse_native(line: &[u8]) -> Result<Recorded, LineError> {
    let text = str::from_utf8(line).map_err(|error| LineError::Native(error.to_string()))?;
    match decode_server(text) {
        Ok(ServerFrame::Message { record, .. }) => {
            Ok(Recorded { time_ms: i64::try_from(record.time_ms).ok(), message: record.message })
        }
        Ok(_) => Err(LineError::Native("this is another frame".to_owned())),
        Err(error) => Err(LineError::Native(error.to_string())),
    }
}

fn parse_fields(line: &[u8]) -> Result<Recorded, LineError> {
    let Fields { subject, content, time } = serde_json::from_slice(line)?;
    let subject = Subject::parse(&subject).map_err(|error| LineError::Subject(subject, error))?;
    let content = serde_json::from_str(content.get()).unwrap_or_else(|_| content.get().to_owned());
    let time_ms = time.map(parse_time).transpose()?;
    Ok(Recorded { message: Message::new(subject, content.into_bytes()), time_ms })
}

fn parse_time(time: &RawValue) -> Result<i64, LineError> {
    let written = time.get();
    let iso = serde_json::from_str::<String>(written).ok();
    iso.map_or_else(|| written.parse().ok(), |text| parse_iso(&text))
        .ok_or_else(|| LineError::Time(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (String, String, Option<i64>) {
        let Recorded { message, time_ms } = Recorded::parse(line.as_bytes()).unwrap();
        (message.subject.to_string(), String::from_utf8(message.content.into()).unwrap(), time_ms)
    }

    fn refused(line: &str) -> String {
        Recorded::parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn content_is_a_text_or_any_json_as_it_is_written() {
        for (content, expected) in [
            (r#""a \"b\" \u00fc""#, "a \"b\" ü"),
            (r#"{"b": 1.50, "a":[]}"#, r#"{"b": 1.50, "a":[]}"#),
            ("7", "7"),
        ] {
            let line = format!(r#"{{"subject":"/a","content":{content}}}"#);
            assert_eq!(parsed(&line), ("/a".into(), expected.into(), None));
        }
    }

    #[test]
    fn time_is_a_number_or_a_date() {
        for (time, expected) in [("1000", 1_000), ("-5", -5), (r#""1970-01-02""#, 86_400_000)] {
            let line = format!(r#"{{"time":{time},"subject":"/a","content":"x"}}"#);
            assert_eq!(parsed(&line).2, Some(expected));
        }
    }

    #[test]
    fn what_sub_prints_can_be_replayed() {
        let line = r#"{"op":"message","subject":"/a","type":"update","epoch":7,"seq":3,"time_ms":5,
            "content":"AP8=","encoding":"base64","closure":"c","retained":false}"#;
        let Recorded { message, time_ms } = Recorded::parse(line.as_bytes()).unwrap();
        assert_eq!((&*message.content, &*message.closure, message.retained), (&[0, 255][..], "c", false));
        assert_eq!(time_ms, Some(5));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            ("no", "expected ident"),
            (r#"{"subject":"/a"}"#, "missing field `content`"),
            (r#"{"subject":"/a","content":"x","retaind":true}"#, "unknown field `retaind`"),
            (r#"{"subject":"a","content":"x"}"#, "\"a\": a subject begins with '/'"),
            (r#"{"subject":"/a","content":""}"#, "content is empty"),
            (r#"{"subject":"/a","content":"x","time":"soon"}"#, "time \"soon\": expected"),
            (r#"{"subject":"/a","content":"x","time":1.5}"#, "time 1.5: expected"),
            (r#"{"op":"pong"}"#, "this is another frame"),
            (r#"{"op":"message","subject":"/a"}"#, "is missing"),
        ] {
            let error = refused(line);
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
