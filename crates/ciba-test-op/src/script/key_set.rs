//! Changes to the published keys.

use serde_json::{Map, Value};

/// A change to the published keys or to the signing key.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KeySetEdit {
    /// First step of a rotation: also publishes the next keys.
    PublishNext,
    /// Second step of a rotation: signs with the next keys.
    SignWithNext,
    /// Third step of a rotation: no longer publishes the old keys.
    RetireOld,
    /// Rotates without notice: from now on, signs with the next keys and publishes only them.
    RotateAtOnce,
    /// Replaces the members of `keys` by these values, valid or not.
    Replace(Vec<Value>),
    /// Inserts values before the valid keys.
    Prepend(Vec<Value>),
    /// Sets members of every published key.
    SetMembers(Map<String, Value>),
    /// Removes a member of every published key (`kid`, `alg`, `use`).
    RemoveMember(String),
    /// Replaces the document by these bytes.
    Document(Vec<u8>),
}
