//! Faults in a snapshot.

use alloc::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

type Text<'a> = Cow<'a, str>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedFault<'a> {
    Redirect,
    Status,
    MediaType,
    ContentCoding,
    TooLarge,
    NotJson,
    DuplicateMember,
    MissingMember(Text<'a>),
    WrongType(Text<'a>),
    BadMember(Text<'a>),
    AnotherMode,
}

/// The member names to which faults refer. An unknown saved name is shown as "a member".
const MEMBERS: [&str; 10] = [
    "auth_req_id",
    "expires_in",
    "interval",
    "access_token",
    "token_type",
    "id_token",
    "refresh_token",
    "scope",
    "error",
    "keys",
];

fn member(name: &str) -> &'static str {
    // A fault holds a static string, so only known names can be restored.
    MEMBERS.into_iter().find(|known| *known == name).unwrap_or("a member")
}

impl<'a> SavedFault<'a> {
    pub(crate) const fn save(fault: Fault) -> Self {
        match fault {
            Fault::Redirect => Self::Redirect,
            Fault::Status => Self::Status,
            Fault::MediaType => Self::MediaType,
            Fault::ContentCoding => Self::ContentCoding,
            Fault::TooLarge => Self::TooLarge,
            Fault::NotJson => Self::NotJson,
            Fault::DuplicateMember => Self::DuplicateMember,
            Fault::MissingMember(name) => Self::MissingMember(Cow::Borrowed(name)),
            Fault::WrongType(name) => Self::WrongType(Cow::Borrowed(name)),
            Fault::BadMember(name) => Self::BadMember(Cow::Borrowed(name)),
            Fault::AnotherMode => Self::AnotherMode,
        }
    }

    pub(crate) fn load(&self) -> Fault {
        match self {
            Self::Redirect => Fault::Redirect,
            Self::Status => Fault::Status,
            Self::MediaType => Fault::MediaType,
            Self::ContentCoding => Fault::ContentCoding,
            Self::TooLarge => Fault::TooLarge,
            Self::NotJson => Fault::NotJson,
            Self::DuplicateMember => Fault::DuplicateMember,
            Self::MissingMember(name) => Fault::MissingMember(member(name)),
            Self::WrongType(name) => Fault::WrongType(member(name)),
            Self::BadMember(name) => Fault::BadMember(member(name)),
            Self::AnotherMode => Fault::AnotherMode,
        }
    }
}
