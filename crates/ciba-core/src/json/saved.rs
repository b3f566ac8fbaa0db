//! The form of a [`JsonObject`] in a snapshot: a string that holds its JSON text.
//!
//! It is not nested JSON, because a database may parse and rewrite snapshots as JSON with a library
//! that gives some member names a meaning. Snapshots of earlier versions hold the object itself.

use alloc::{borrow::Cow, string::String};
use core::fmt;

use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
    ser::Serializer,
};

use super::JsonObject;

/// A [`JsonObject`] as stored in a snapshot.
#[derive(Default)]
pub(crate) struct SavedJsonObject<'a>(Cow<'a, JsonObject>);

impl<'a> SavedJsonObject<'a> {
    pub(crate) const fn save(members: &'a JsonObject) -> Self {
        Self(Cow::Borrowed(members))
    }

    pub(crate) fn load(self) -> JsonObject {
        self.0.into_owned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for SavedJsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_json())
    }
}

impl<'de> Deserialize<'de> for SavedJsonObject<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match SavedJson::deserialize(deserializer)? {
            SavedJson::Text(text) | SavedJson::Json(text) => text,
        };
        JsonObject::from_json(&text)
            .map(|members| Self(Cow::Owned(members)))
            .map_err(|_| D::Error::custom("not members"))
    }
}

/// A JSON value in a snapshot: the content of a string, or the JSON text of any other value.
pub(crate) enum SavedJson {
    Text(String),
    Json(String),
}

impl Serialize for SavedJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (Self::Text(text) | Self::Json(text)) = self;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for SavedJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Earlier versions wrote the value itself, of any type.
        deserializer.deserialize_any(Rewrite)
    }
}

struct Rewrite;

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl SavedJson {
    fn into_json(self) -> String {
        match self {
            Self::Text(text) => json(&text),
            Self::Json(text) => text,
        }
    }
}

impl<'de> Visitor<'de> for Rewrite {
    type Value = SavedJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(SavedJson::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(SavedJson::Text(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(SavedJson::Json(json(&value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(SavedJson::Json(json(&value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(SavedJson::Json(json(&value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(SavedJson::Json(json(&value)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(SavedJson::Json("null".into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut text = String::from("[");
        while let Some(item) = seq.next_element::<SavedJson>()? {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&item.into_json());
        }
        text.push(']');
        Ok(SavedJson::Json(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut text = String::from("{");
        while let Some((name, value)) = map.next_entry::<String, SavedJson>()? {
            // The form of a number if `serde_json` has the feature `arbitrary_precision`.
            if let ("$serde_json::private::Number", "{", SavedJson::Text(digits)) =
                (&*name, &*text, &value)
            {
                return Ok(SavedJson::Json(digits.clone()));
            }
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&json(&name));
            text.push(':');
            text.push_str(&value.into_json());
        }
        text.push('}');
        Ok(SavedJson::Json(text))
    }
}
