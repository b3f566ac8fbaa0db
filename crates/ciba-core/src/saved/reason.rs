//! The reasons of failures in a snapshot: causes, troubles and failed checks.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};

use serde::{Deserialize, Serialize};

use super::fault::SavedFault;
use crate::{
    bounds,
    error::KeyProblem,
    fault::{Cause, Detail, ExchangeProblem, Expected, Found, Rejection, TYPES, Untrusted},
    jose::{JwsAlgorithm, SignatureLength},
    text,
    time::Timestamp,
};

type Text<'a> = Cow<'a, str>;

/// The cause for which no response was received.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedCause<'a> {
    name: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<u8>,
}

impl SavedCause<'_> {
    /// Saves a cause, except an unknown one.
    pub(crate) fn save(cause: Option<Cause>) -> Option<Self> {
        // A missing cause is read as unknown.
        let cause = cause.filter(|cause| *cause != Cause::Unknown)?;
        Some(Self { name: cause.name().into(), alert: cause.alert().map(|alert| alert.0) })
    }

    pub(crate) fn load(saved: Option<Self>) -> Option<Cause> {
        saved.map(|saved| Cause::from_name(&saved.name, saved.alert))
    }
}

// A mirror, because the JSON of the command is only a name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedExchangeProblem<'a> {
    Unanswered(SavedCause<'a>),
    Unusable { fault: SavedFault, status: u16 },
}

impl SavedExchangeProblem<'_> {
    pub(crate) fn save(problem: ExchangeProblem) -> Self {
        match problem {
            ExchangeProblem::Unanswered(cause) => Self::Unanswered(SavedCause {
                name: cause.name().into(),
                alert: cause.alert().map(|alert| alert.0),
            }),
            ExchangeProblem::Unusable { fault, status } => {
                Self::Unusable { fault: SavedFault(fault), status }
            }
        }
    }

    pub(crate) fn load(self) -> ExchangeProblem {
        match self {
            Self::Unanswered(cause) => {
                ExchangeProblem::Unanswered(Cause::from_name(&cause.name, cause.alert))
            }
            Self::Unusable { fault, status } => {
                ExchangeProblem::Unusable { fault: fault.0, status }
            }
        }
    }
}

/// What is wrong with the private key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedKeyProblem<'a> {
    Signer(Text<'a>),
    Length { algorithm: Text<'a>, found: usize, is_der: bool },
}

impl<'a> SavedKeyProblem<'a> {
    /// Saves a problem, except an unknown one.
    pub(crate) fn save(problem: &'a KeyProblem) -> Option<Self> {
        match problem {
            KeyProblem::Signer(words) => Some(Self::Signer((&**words).into())),
            KeyProblem::Length(SignatureLength { algorithm, found, is_der }) => {
                Some(Self::Length {
                    algorithm: algorithm.name().into(),
                    found: *found,
                    is_der: *is_der,
                })
            }
            KeyProblem::Unknown => None,
        }
    }

    pub(crate) fn load(self) -> Box<KeyProblem> {
        Box::new(match self {
            Self::Signer(words) => {
                // Sanitized again, because a store may have been edited.
                KeyProblem::Signer(text::plain_at_most(&words, bounds::TEXT_BYTES).into_boxed_str())
            }
            Self::Length { algorithm, found, is_der } => {
                match JwsAlgorithm::from_name(&algorithm) {
                    Some(algorithm) => {
                        KeyProblem::Length(SignatureLength { algorithm, found, is_der })
                    }
                    // An algorithm of a later version. The problem only explains, so the flow is
                    // resumed.
                    None => KeyProblem::Unknown,
                }
            }
        })
    }
}

/// A failed check with its evidence, or only its name, as earlier versions wrote it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SavedRejection<'a> {
    Name(Text<'a>),
    Detailed {
        check: Text<'a>,
        member: Text<'a>,
        found: SavedFound<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<SavedExpected<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<Text<'a>>,
    },
}

// Mirrors of the evidence. The JSON of the command omits what `Found` and `Expected` distinguish,
// and the originals hold static strings, which are looked up again when they are read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedFound<'a> {
    Missing,
    AnotherType(Text<'a>),
    Text(Text<'a>),
    Texts(Vec<Text<'a>>),
    Time(u64),
    Milliseconds(u64),
    OutOfRange,
    AnotherValue,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedExpected<'a> {
    Text(Text<'a>),
    OneOf(Vec<Text<'a>>),
    NotBefore(u64),
    NotAfter(u64),
    LaterThan(Text<'a>),
}

impl<'a> SavedRejection<'a> {
    pub(crate) fn save(rejection: &'a Rejection) -> Self {
        let check = rejection.check().name().into();
        let Some(Detail { member, found, expected, because }) = rejection.detail() else {
            return Self::Name(check);
        };
        let texts =
            |texts: &'a [Box<str>]| texts.iter().map(|text| Cow::Borrowed(&**text)).collect();
        let found = match found {
            Found::Missing => SavedFound::Missing,
            Found::AnotherType(kind) => SavedFound::AnotherType((*kind).into()),
            Found::Text(text) => SavedFound::Text((&**text).into()),
            Found::Texts(list) => SavedFound::Texts(texts(list)),
            Found::Time(time) => SavedFound::Time(time.unix_millis()),
            Found::Milliseconds(number) => SavedFound::Milliseconds(*number),
            Found::OutOfRange => SavedFound::OutOfRange,
            Found::AnotherValue => SavedFound::AnotherValue,
        };
        let expected = expected.as_ref().map(|expected| match expected {
            Expected::Text(text) => SavedExpected::Text((&**text).into()),
            Expected::OneOf(list) => SavedExpected::OneOf(texts(list)),
            Expected::NotBefore(time) => SavedExpected::NotBefore(time.unix_millis()),
            Expected::NotAfter(time) => SavedExpected::NotAfter(time.unix_millis()),
            Expected::LaterThan(claim) => SavedExpected::LaterThan((*claim).into()),
        });
        let because = because.as_deref().map(Into::into);
        Self::Detailed { check, member: (&**member).into(), found, expected, because }
    }

    pub(crate) fn load(self) -> Option<Rejection> {
        let (check, member, found, expected, because) = match self {
            Self::Name(check) => return Some(Untrusted::from_name(&check)?.into()),
            Self::Detailed { check, member, found, expected, because } => {
                (check, member, found, expected, because)
            }
        };
        let found = match found {
            SavedFound::Missing => Found::Missing,
            SavedFound::AnotherType(kind) => {
                // The evidence holds a static string, so only a known name can be restored.
                Found::AnotherType(TYPES.into_iter().find(|known| *known == kind)?)
            }
            SavedFound::Text(text) => Found::text(&text),
            SavedFound::Texts(texts) => Found::texts(texts.iter().map(AsRef::as_ref)),
            SavedFound::Time(time) => Found::Time(Timestamp::from_unix_millis(time)),
            SavedFound::Milliseconds(number) => Found::Milliseconds(number),
            SavedFound::OutOfRange => Found::OutOfRange,
            SavedFound::AnotherValue => Found::AnotherValue,
        };
        let rejection = Untrusted::from_name(&check)?.at(member.into_owned(), found);
        let rejection = match because {
            Some(why) => rejection.because(&why),
            None => rejection,
        };
        Some(match expected {
            None => rejection,
            Some(expected) => rejection.expecting(match expected {
                SavedExpected::Text(text) => Expected::text(&text),
                SavedExpected::OneOf(texts) => Expected::one_of(texts.iter().map(AsRef::as_ref)),
                SavedExpected::NotBefore(time) => {
                    Expected::NotBefore(Timestamp::from_unix_millis(time))
                }
                SavedExpected::NotAfter(time) => {
                    Expected::NotAfter(Timestamp::from_unix_millis(time))
                }
                // `iat` is the only claim that another one must be later than.
                SavedExpected::LaterThan(claim) if claim == "iat" => Expected::LaterThan("iat"),
                SavedExpected::LaterThan(_) => return None,
            }),
        })
    }
}
