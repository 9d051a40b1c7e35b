//! A client's frame taken apart: which fields stand in it, and typed access that says what is wrong with them.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use sterna_model::Code;
use sterna_model::limit::SUBJECTS_PER_REQUEST_MAX;

use super::subscribe::Item;
use super::value::{self, Value};

/// Largest number that every JSON implementation keeps exactly: 2^53 - 1 (RFC 8259, section 6).
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Characters of an unknown name that are repeated to the client.
const NAME_SHOWN_CHARS_MAX: usize = 64;

macro_rules! fields {
    ($($variant:ident $name:literal,)*) => {
        /// A field that some request has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field {
            $($variant,)*
        }

        impl Field {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Op "op",
    Id "id",
    Version "version",
    Token "token",
    Client "client",
    Subjects "subjects",
    Subject "subject",
    Epoch "epoch",
    Seq "seq",
    History "history",
    ConflationMs "conflation_ms",
    Content "content",
    Encoding "encoding",
    Closure "closure",
    Retained "retained",
    Qos "qos",
    ReplyTo "reply_to",
    Compressed "compressed",
    Compression "compression",
    Publisher "publisher",
    PublisherSeq "publisher_seq",
}

/// Why a frame is refused.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) detail: Box<str>,
}

impl Fault {
    /// The value of a field is not what it should be.
    pub(super) fn parameter(field: Field, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let detail = format!("{}: expected {expected}, found {found}", field.name()).into();
        Self { code: Code::ParameterInvalid, detail }
    }

    /// A field is not there.
    pub(super) fn missing(field: Field, expected: impl fmt::Display) -> Self {
        Self::parameter(field, expected, "nothing")
    }

    pub(super) fn unknown_operation(name: &str) -> Self {
        Self { code: Code::UnknownOperation, detail: shown(name) }
    }

    fn unknown_field(name: &str) -> Self {
        Self { code: Code::UnknownField, detail: shown(name) }
    }

    fn malformed(error: &serde_json::Error) -> Self {
        let detail = if error.is_data() {
            "a JSON object is expected".into()
        } else {
            format!("not JSON at line {} column {}", error.line(), error.column()).into()
        };
        Self { code: Code::MalformedFrame, detail }
    }
}

/// A client's own word, cut to a length that is fit to repeat.
pub(super) fn shown(name: &str) -> Box<str> {
    name.chars().take(NAME_SHOWN_CHARS_MAX).collect::<String>().into()
}

/// The fields of one object. Whether they fit together is the operation's business.
#[derive(Default)]
pub(super) struct Fields<'a> {
    values: [Value<'a>; Field::ALL.len()],
    /// First name that no operation knows.
    unknown: Option<Box<str>>,
}

impl<'a> Fields<'a> {
    /// Takes the frame `text` apart, into fields that are empty.
    pub(super) fn read(&mut self, text: &'a str) -> Result<(), Fault> {
        value::read_object(text, self).map_err(|error| Fault::malformed(&error))
    }

    /// Notes a name that no operation knows.
    pub(super) fn put_unknown(&mut self, name: Box<str>) {
        self.unknown.get_or_insert(name);
    }

    /// Notes the value of a field; a second one makes the field unusable.
    pub(super) fn put(&mut self, field: Field, value: Value<'a>) {
        let slot = &mut self.values[field as usize];
        *slot = if matches!(slot, Value::Absent) { value } else { Value::Other("the field more than once") };
    }

    fn get(&self, field: Field) -> &Value<'a> {
        &self.values[field as usize]
    }

    /// Refuses a field that is not one of `known`.
    pub(super) fn allow(&self, known: &[Field]) -> Result<(), Fault> {
        if let Some(name) = &self.unknown {
            return Err(Fault::unknown_field(name));
        }
        let stray = |field: &&Field| !matches!(self.get(**field), Value::Absent) && !known.contains(*field);
        Field::ALL.iter().find(stray).map_or(Ok(()), |field| Err(Fault::unknown_field(field.name())))
    }

    /// The text in `field`, if there is one; its length has to lie in `bytes`.
    pub(super) fn text(&self, field: Field, bytes: RangeInclusive<usize>) -> Result<Option<&str>, Fault> {
        match self.get(field) {
            Value::Absent => Ok(None),
            Value::Text(text) if bytes.contains(&text.len()) => Ok(Some(text)),
            other => {
                let (min, max) = (bytes.start(), bytes.end());
                Err(Fault::parameter(field, format_args!("a text of {min} to {max} bytes"), other))
            }
        }
    }

    /// Takes the text of any length out of `field`, if there is one.
    pub(super) fn take_text(&mut self, field: Field) -> Result<Option<Cow<'a, str>>, Fault> {
        match std::mem::take(&mut self.values[field as usize]) {
            Value::Absent => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(Fault::parameter(field, "a text", other)),
        }
    }

    /// As [`Self::take_text`], where a text has to be.
    pub(super) fn take_required_text(&mut self, field: Field) -> Result<Cow<'a, str>, Fault> {
        self.take_text(field)?.ok_or_else(|| Fault::missing(field, "a text"))
    }

    /// What the name in `field` stands for, if there is one; `expected` lists the names that `parse` knows.
    pub(super) fn named<T>(
        &self,
        field: Field,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let value = self.get(field);
        let named = match value {
            Value::Absent => return Ok(None),
            Value::Text(name) => parse(name),
            _ => None,
        };
        named.map(Some).ok_or_else(|| Fault::parameter(field, expected, value))
    }

    /// The whole number in `field`, if there is one; `max` is at most [`NUMBER_MAX`].
    pub(super) fn number(&self, field: Field, max: u64) -> Result<Option<u64>, Fault> {
        match self.get(field) {
            Value::Absent => Ok(None),
            Value::Number(number) if *number <= max => Ok(Some(*number)),
            other => Err(Fault::parameter(field, format_args!("a whole number from 0 to {max}"), other)),
        }
    }

    /// As [`Self::number`], for the fields that are kept in 32 bits.
    pub(super) fn number_u32(&self, field: Field, max: u32) -> Result<Option<u32>, Fault> {
        let number = self.number(field, max.into())?;
        Ok(number.map(|number| u32::try_from(number).expect("max fits into 32 bits")))
    }

    /// `true` or `false` in `field`, if it is there.
    pub(super) fn flag(&self, field: Field) -> Result<Option<bool>, Fault> {
        match self.get(field) {
            Value::Absent => Ok(None),
            Value::Flag(flag) => Ok(Some(*flag)),
            other => Err(Fault::parameter(field, "true or false", other)),
        }
    }

    /// Takes the list of subjects, which has to be there and not empty.
    pub(super) fn take_subjects(&mut self) -> Result<Vec<Item<'a>>, Fault> {
        match std::mem::take(&mut self.values[Field::Subjects as usize]) {
            Value::List(Ok(items)) if (1..=SUBJECTS_PER_REQUEST_MAX).contains(&items.len()) => Ok(items),
            Value::List(Err(fault)) => Err(fault),
            other => {
                let expected = format_args!("a list of 1 to {SUBJECTS_PER_REQUEST_MAX} subjects");
                Err(Fault::parameter(Field::Subjects, expected, other))
            }
        }
    }

    /// The number that the client wants to see again in the replies.
    pub(super) fn id(&self) -> Result<Option<u64>, Fault> {
        self.number(Field::Id, NUMBER_MAX)
    }
}
