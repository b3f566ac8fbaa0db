//! JSON objects of the protocol: UTF-8, one object and nothing behind it, no member name twice (rulings 6 and 7).

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde_json::Value;

use crate::error::Fault;

/// Members of a JSON object that the protocol does not define, as received, in order. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Members(Vec<(String, Value)>);

impl Members {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl FromIterator<(String, Value)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

/// A protocol object while its members are being taken out.
#[derive(Debug)]
pub(crate) struct Object(Members);

impl Object {
    /// Reads one object: [`Fault::NotJson`] or [`Fault::DuplicateMember`] otherwise.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let _ = bytes;
        todo!()
    }

    /// Takes a member out; JSON `null` counts as absent (ruling 15).
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let _ = name;
        todo!()
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Members {
        self.0
    }
}
