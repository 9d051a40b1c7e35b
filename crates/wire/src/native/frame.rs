//! A client's frame taken apart: which fields stand in it, and typed access that says what is wrong with them.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use sterna_model::Code;
use sterna_model::limit::SUBJECTS_PER_REQUEST_MAX;

use super::subscribe::Item;

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

            fn from_name(name: &str) -> Option<Self> {
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
fn shown(name: &str) -> Box<str> {
    name.chars().take(NAME_SHOWN_CHARS_MAX).collect::<String>().into()
}

/// The fields of one object. Whether they fit together is the operation's business.
pub(super) struct Fields<'a> {
    values: [Value<'a>; Field::ALL.len()],
    /// First name that no operation knows.
    unknown: Option<Box<str>>,
}

impl<'a> Fields<'a> {
    /// Takes the frame `text` apart.
    pub(super) fn read(text: &'a str) -> Result<Self, Fault> {
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = json.deserialize_map(FieldsVisitor { nested: Place::Frame });
        fields.and_then(|fields| json.end().map(|()| fields)).map_err(|error| Fault::malformed(&error))
    }

    fn put(&mut self, field: Field, value: Value<'a>) {
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

/// What stands in a field. Texts borrow from the frame unless they had escapes in them.
#[derive(Default)]
pub(super) enum Value<'a> {
    #[default]
    Absent,
    Flag(bool),
    Number(u64),
    Text(Cow<'a, str>),
    /// Items read so far, at most one more than is allowed; or what is wrong with one of them.
    List(Result<Vec<Item<'a>>, Fault>),
    Object(Box<Fields<'a>>),
    /// What no field expects, in words.
    Other(&'static str),
}

/// For error texts; never shows a text, which may be a secret.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "a text of {} bytes", text.len()),
            Self::List(Ok(items)) if items.len() > SUBJECTS_PER_REQUEST_MAX => f.write_str("a longer list"),
            Self::List(Ok(items)) if items.is_empty() => f.write_str("an empty list"),
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Where a value stands, and so what may be nested in it: a frame's field may hold a list, an element of
/// the list may be an object, a field of that object holds neither. Anything deeper is skipped unread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Frame,
    Element,
    Item,
}

struct FieldsVisitor {
    nested: Place,
}

impl<'a> Visitor<'a> for FieldsVisitor {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields { values: Default::default(), unknown: None };
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Ok(field) => fields.put(field, map.next_value_seed(self.nested)?),
                Err(name) => {
                    fields.unknown.get_or_insert(name);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A name in an object: one we know, or the start of what it is instead.
struct Key(Result<Field, Box<str>>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                Ok(Key(Field::from_name(name).ok_or_else(|| shown(name))))
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'a> DeserializeSeed<'a> for Place {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Place {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value<'a>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'a>, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value<'a>, E> {
        Ok(Value::Other("a negative number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value<'a>, E> {
        Ok(Value::Other("a number that is not written as a whole one"))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Value<'a>, A::Error> {
        let list =
            if self == Self::Frame { Value::List(read_items(&mut seq)?) } else { Value::Other("a list") };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        if self == Self::Element {
            let fields = FieldsVisitor { nested: Self::Item }.visit_map(map)?;
            return Ok(Value::Object(Box::new(fields)));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}

/// Reads at most one item more than is allowed; a faulty item ends the reading.
fn read_items<'a, A: SeqAccess<'a>>(seq: &mut A) -> Result<Result<Vec<Item<'a>>, Fault>, A::Error> {
    let mut items = Vec::new();
    while items.len() <= SUBJECTS_PER_REQUEST_MAX
        && let Some(element) = seq.next_element_seed(Place::Element)?
    {
        match Item::read(element) {
            Ok(item) => items.push(item),
            Err(fault) => return Ok(Err(fault)),
        }
    }
    Ok(Ok(items))
}
