//! Serializes a named value, for options that are saved beside a flow. An unknown name is an error: it
//! must not fall back to a default.

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

use super::choices::{self, Named};

pub(super) fn serialize<T: Named, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.map(T::name).serialize(to)
}

pub(super) fn deserialize<'a, T: Named, D: Deserializer<'a>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let Some(name) = Option::<String>::deserialize(from)? else { return Ok(None) };
    choices::by_name(&name).map(Some).ok_or_else(|| D::Error::custom("an unknown name"))
}
