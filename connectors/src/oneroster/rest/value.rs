//! A value of a record, borrowed from the bytes it came in, whatever the server made of it.
//!
//! Absent may be missing, `null`, `""` or `[]`; numbers and booleans come as themselves or as text (standards §1.7).
//! Nothing is judged here but that it is JSON: a value of the wrong kind is lost where it is wanted, and told.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The most fields of an object within a record: more are no record.
const MOST_FIELDS: usize = 256;

/// One value.
pub(super) enum Value<'a> {
    /// Nothing, in one of its shapes.
    Nothing,
    /// A text, trimmed; a whole number or a boolean as text.
    Text(Cow<'a, str>),
    /// A list that is not empty.
    Many(Vec<Value<'a>>),
    /// An object that is not empty.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
    /// A number that is not whole.
    Odd,
}

impl Value<'_> {
    /// A field of an object; nothing for everything else.
    pub(super) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Map(fields) => fields
                .iter()
                .find(|(found, _)| found == name)
                .map_or(&Value::Nothing, |(_, value)| value),
            _ => &Value::Nothing,
        }
    }

    /// What a list holds; one that is no list stands for a list of itself.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::Nothing => &[],
            Self::Many(items) => items,
            one => std::slice::from_ref(one),
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a reference points at. Its `href` is not looked at: servers write it in many ways (standards §1.7).
    pub(super) fn key(&self) -> Option<&str> {
        self.field("sourcedId").text()
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Nothing)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(match text.trim() {
            "" => Value::Nothing,
            text => Value::Text(Cow::Borrowed(text)),
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(match text.trim() {
            "" => Value::Nothing,
            text => Value::Text(Cow::Owned(text.to_owned())),
        })
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(if yes { "true" } else { "false" })))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Odd)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            if !matches!(item, Value::Nothing) {
                found.push(item);
            }
        }
        Ok(if found.is_empty() {
            Value::Nothing
        } else {
            Value::Many(found)
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value<'de>, A::Error> {
        let mut found: Vec<(Cow<'de, str>, Value<'de>)> = Vec::new();
        while let Some(Name(name)) = fields.next_key()? {
            if found.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::duplicate_field("in an object"));
            }
            if found.len() >= MOST_FIELDS {
                return Err(A::Error::custom("too many fields"));
            }
            found.push((name, fields.next_value()?));
        }
        Ok(if found.is_empty() {
            Value::Nothing
        } else {
            Value::Map(found)
        })
    }
}

/// The name of a field, borrowed where it can be.
pub(super) struct Name<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(NameVisitor)
    }
}

/// Whether a value says anything. Nothing of it is kept.
pub(super) struct Holds(pub(super) bool);

impl<'de> Deserialize<'de> for Holds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HoldsVisitor)
    }
}

struct HoldsVisitor;

impl<'de> Visitor<'de> for HoldsVisitor {
    type Value = Holds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Holds, E> {
        Ok(Holds(false))
    }

    fn visit_str<E>(self, text: &str) -> Result<Holds, E> {
        Ok(Holds(!text.trim().is_empty()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Holds, E> {
        Ok(Holds(true))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Holds, E> {
        Ok(Holds(true))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Holds, E> {
        Ok(Holds(true))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Holds, E> {
        Ok(Holds(true))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Holds, A::Error> {
        let mut holds = false;
        while let Some(Holds(one)) = items.next_element()? {
            holds |= one;
        }
        Ok(Holds(holds))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Holds, A::Error> {
        let mut holds = false;
        while fields.next_key::<IgnoredAny>()?.is_some() {
            let Holds(one) = fields.next_value()?;
            holds |= one;
        }
        Ok(Holds(holds))
    }
}
