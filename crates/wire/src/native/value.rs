//! The JSON of a client's frame, read in one pass and without a tree: flat fields, and one list of items.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use sterna_model::limit::SUBJECTS_PER_REQUEST_MAX;

use super::frame::{Fault, Field, Fields, shown};
use super::subscribe::Item;

/// Reads `text`, which has to be one object and nothing else, into `fields`.
pub(super) fn read_object<'a>(text: &'a str, fields: &mut Fields<'a>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(FieldsVisitor { nested: Place::Frame, fields })?;
    json.end()
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

struct FieldsVisitor<'a, 'f> {
    nested: Place,
    fields: &'f mut Fields<'a>,
}

impl<'a> Visitor<'a> for FieldsVisitor<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Ok(field) => self.fields.put(field, map.next_value_seed(self.nested)?),
                Err(name) => {
                    self.fields.put_unknown(name);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
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
            let mut fields = Box::<Fields<'a>>::default();
            FieldsVisitor { nested: Self::Item, fields: &mut fields }.visit_map(map)?;
            return Ok(Value::Object(fields));
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
