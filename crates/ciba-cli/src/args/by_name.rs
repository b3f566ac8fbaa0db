//! A signature algorithm beside a saved flow: by its name, and never one that is not known, which
//! would fall back to another.

use ciba_core::jose::JwsAlgorithm;
use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

pub(super) fn serialize<S: Serializer>(
    algorithm: &Option<JwsAlgorithm>,
    to: S,
) -> Result<S::Ok, S::Error> {
    algorithm.map(JwsAlgorithm::name).serialize(to)
}

pub(super) fn deserialize<'a, D: Deserializer<'a>>(
    from: D,
) -> Result<Option<JwsAlgorithm>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    name.map(|name| super::values::algorithm(&name).map_err(D::Error::custom)).transpose()
}
