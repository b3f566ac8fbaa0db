//! How failures and evidence are serialized: in the form of the `ciba` command's JSON output. The
//! names of enums are serialized by the macro that declares them.
//!
//! Nothing here can be deserialized, so a failure or an authentication cannot be made from JSON.

use alloc::boxed::Box;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::{
    endpoint::Endpoint,
    error::{Failure, LostAnswer, UnreachableTarget},
    fault::{Cause, ExchangeProblem, Expected, Found, Rejection},
    flow::CallFailure,
    person::Person,
    time::Timestamp,
    wire::{ErrorCode, ServerAnswer},
};

/// Serializes as `{"compared":true,"by":…}` or `{"compared":false,"reason":…}`.
impl Serialize for Person {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("compared", &self.is_compared())?;
        match self {
            Self::Compared(by) => map.serialize_entry("by", by)?,
            Self::NotCompared(reason) => map.serialize_entry("reason", reason)?,
        }
        map.end()
    }
}

/// Serializes as an object: `failure` is its [name](Failure::name), the other members are there as
/// far as they are known. `error`, `error_description`, `www_authenticate` and `excerpt` are the
/// server's own words: bounded and without tokens, but untrusted.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let answer = self.server_answer();
        Members {
            failure: self.name(),
            rejection: match self {
                Self::Untrusted(rejection) => Some(rejection),
                _ => None,
            },
            cause: cause(self),
            member: match self {
                Self::ProviderMisbehaved(misbehaviour) => misbehaviour.fault.member(),
                _ => None,
            },
            attempts: match self {
                Self::Unreachable(unreachable) => Some(unreachable.attempts),
                Self::Indeterminate(indeterminacy) => Some(indeterminacy.attempts),
                _ => None,
            }
            // One attempt is the normal case and worth no member.
            .filter(|attempts| *attempts > 1),
            error: answer.and_then(ServerAnswer::code),
            error_description: answer.and_then(ServerAnswer::description),
            // A notification is a request: it has no status.
            status: answer
                .filter(|answer| answer.endpoint() != Endpoint::Notification)
                .map(ServerAnswer::status),
            www_authenticate: answer.and_then(ServerAnswer::www_authenticate),
            excerpt: answer.map(ServerAnswer::excerpt).filter(|excerpt| !excerpt.is_empty()),
            endpoint: answer.map(ServerAnswer::endpoint).or_else(|| endpoint(self)),
        }
        .serialize(to)
    }
}

/// Serializes as an object with the members of a [`Failure`]; `failure` is its
/// [name](CallFailure::name).
impl Serialize for CallFailure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let answer = self.answer();
        let (mut rejection, mut cause, mut attempts) = (None, None, None);
        match self {
            Self::Untrusted(found) => rejection = Some(found),
            Self::Misbehaved(misbehaviour) => cause = Some(misbehaviour.fault.name()),
            Self::Unanswered { cause: last, attempts: made } => {
                (cause, attempts) = (Some(last.name()), Some(*made));
            }
            Self::RefreshLost(problem) | Self::KeysUnavailable(problem) => {
                cause = Some(problem.name());
            }
            Self::Refused(_) | Self::Unavailable(_) | Self::PrivateKey(_) | Self::Abandoned => {}
        }
        Members {
            failure: self.name(),
            rejection,
            cause: cause.filter(|name| *name != Cause::Unknown.name()),
            member: match self {
                Self::Misbehaved(misbehaviour) => misbehaviour.fault.member(),
                _ => None,
            },
            attempts: attempts.filter(|attempts| *attempts > 1),
            error: answer.and_then(ServerAnswer::code),
            error_description: answer.and_then(ServerAnswer::description),
            status: answer.map(ServerAnswer::status),
            www_authenticate: answer.and_then(ServerAnswer::www_authenticate),
            excerpt: answer.map(ServerAnswer::excerpt).filter(|excerpt| !excerpt.is_empty()),
            endpoint: match self {
                Self::Misbehaved(misbehaviour) => Some(misbehaviour.endpoint),
                Self::KeysUnavailable(_) => Some(Endpoint::KeySet),
                _ => answer.map(ServerAnswer::endpoint),
            },
        }
        .serialize(to)
    }
}

#[derive(Serialize)]
struct Members<'a> {
    failure: &'static str,
    #[serde(flatten)]
    rejection: Option<&'a Rejection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    www_authenticate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint>,
}

/// What went wrong with an exchange, or with an answer.
fn cause(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::ProviderMisbehaved(misbehaviour) => Some(misbehaviour.fault.name()),
        Failure::Unreachable(unreachable) => unreachable.problem.map(ExchangeProblem::name),
        Failure::Indeterminate(indeterminacy) => match indeterminacy.lost {
            LostAnswer::KeySet(problem) => Some(problem.name()),
            _ => indeterminacy.cause.map(Cause::name),
        },
        _ => None,
    }
    // An unknown cause says no more than an absent one.
    .filter(|name| *name != Cause::Unknown.name())
}

/// The endpoint of a failure without an answer.
const fn endpoint(failure: &Failure) -> Option<Endpoint> {
    match failure {
        Failure::ProviderMisbehaved(misbehaviour) => Some(misbehaviour.endpoint),
        Failure::Unreachable(unreachable) => match unreachable.target {
            UnreachableTarget::Endpoint(endpoint) => Some(endpoint),
            UnreachableTarget::PrivateKey | UnreachableTarget::Person => None,
        },
        Failure::Indeterminate(indeterminacy) => Some(indeterminacy.endpoint()),
        _ => None,
    }
}

/// Serializes as an object with `check`, and `claim`, `found` and `expected` as far as they are
/// known. `found` is `null` for a missing claim, and absent where the value may say something about
/// a person.
impl Serialize for Rejection {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("check", &self.check())?;
        if let Some(claim) = self.member() {
            map.serialize_entry("claim", claim)?;
        }
        if let Some(found) = self.found().and_then(found) {
            map.serialize_entry("found", &found)?;
        }
        if let Some(wanted) = self.expected() {
            map.serialize_entry("expected", &expected(wanted))?;
        }
        map.end()
    }
}

/// A value a check found or expected: as itself, or as an object that names its kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Evidence<'a> {
    Nothing,
    Text(&'a str),
    Texts(&'a [Box<str>]),
    Time(Timestamp),
    Kind(Kind<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind<'a> {
    Type(&'a str),
    Milliseconds(u64),
    OutOfRange(bool),
    NotBefore(Timestamp),
    NotAfter(Timestamp),
    LaterThan(&'a str),
}

fn found(found: &Found) -> Option<Evidence<'_>> {
    Some(match found {
        Found::Missing => Evidence::Nothing,
        Found::AnotherType(kind) => Evidence::Kind(Kind::Type(kind)),
        Found::Text(text) => Evidence::Text(text),
        Found::Texts(texts) => Evidence::Texts(texts),
        Found::Time(at) => Evidence::Time(*at),
        Found::Milliseconds(number) => Evidence::Kind(Kind::Milliseconds(*number)),
        Found::OutOfRange => Evidence::Kind(Kind::OutOfRange(true)),
        // It may be personal data.
        Found::AnotherValue => return None,
    })
}

fn expected(expected: &Expected) -> Evidence<'_> {
    match expected {
        Expected::Text(text) => Evidence::Text(text),
        Expected::OneOf(texts) => Evidence::Texts(texts),
        Expected::NotBefore(at) => Evidence::Kind(Kind::NotBefore(*at)),
        Expected::NotAfter(at) => Evidence::Kind(Kind::NotAfter(*at)),
        Expected::LaterThan(claim) => Evidence::Kind(Kind::LaterThan(claim)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned as _, sync::Arc, vec};
    use core::time::Duration;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        ask::{Wait, WaitReason},
        error::{Indeterminacy, Setback, Unreachable},
        event::Event,
        fault::{Fault, Untrusted},
        flow::Stage,
        json::JsonObject,
        wire::{
            Deviation, Headers, Misbehaviour, Response, authorize::Acknowledgement,
            server_answer::Content,
        },
    };

    const AT: Timestamp = Timestamp::from_unix_millis(1_893_456_000_001);

    #[test]
    fn an_event_serializes_to_the_json_that_the_command_prints() {
        let acknowledgement = Acknowledgement {
            expires_in: Duration::from_millis(120_999),
            interval: Duration::from_secs(5),
            extra: JsonObject::from_json(r#"{"bindingMessage":"RED PANDA"}"#).unwrap(),
            deviations: vec![Deviation::LifetimeClamped],
        };
        let plain = Acknowledgement {
            deviations: vec![],
            extra: JsonObject::default(),
            ..acknowledgement.clone()
        };
        let wait =
            |because, progress| Event::Waiting(Wait::new(AT, Timestamp::EPOCH, because, progress));
        let table = [
            (
                Event::Requesting { endpoint: Endpoint::KeySet, attempt: 3 },
                json!({"event": "requesting", "endpoint": "key_set", "attempt": 3}),
            ),
            (
                Event::Acknowledgement(acknowledgement),
                json!({
                    "event": "acknowledged", "expires_in": 120, "interval": 5,
                    "extra": {"bindingMessage": "RED PANDA"}, "deviations": ["lifetime_clamped"],
                }),
            ),
            (
                Event::Acknowledgement(plain),
                json!({"event": "acknowledged", "expires_in": 120, "interval": 5, "extra": {}}),
            ),
            (Event::Notified, json!({"event": "notified"})),
            (
                wait(WaitReason::Setback(Setback::UnknownKey), None),
                json!({"event": "waiting", "until": "2030-01-01T00:00:00.001Z", "because": "unknown_key"}),
            ),
            (
                wait(WaitReason::Interval, Some(Arc::from("PIN entered"))),
                json!({
                    "event": "waiting", "until": "2030-01-01T00:00:00.001Z", "because": "interval",
                    "progress": "PIN entered",
                }),
            ),
        ];
        for (event, expected) in table {
            assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        }
    }

    #[test]
    fn a_failure_serializes_its_evidence() {
        let late = Untrusted::Expiry.at("exp", Found::Time(AT)).expecting(Expected::NotBefore(AT));
        let text =
            r#"{"error":"access_denied","error_description":"no","access_token":"a-secret"}"#;
        let answer = |endpoint| {
            let mut headers = Headers::new();
            headers.push("content-type", "application/json");
            headers.push("www-authenticate", "Bearer");
            let response = Response::new(400, headers, text.as_bytes().to_vec());
            let Content::Error(error) = Content::read(&response) else { panic!("it is an error") };
            Box::new(ServerAnswer::new(endpoint, &response, Some(error), AT))
        };
        let lost = |lost, attempts| Failure::Indeterminate(Indeterminacy::new(lost, attempts));
        let table: [(Failure, Value); 10] = [
            (Failure::Abandoned, json!({"failure": "abandoned"})),
            (Failure::Superseded, json!({"failure": "superseded"})),
            (Failure::Expired(None), json!({"failure": "expired"})),
            (
                Failure::Denied(answer(Endpoint::Token)),
                json!({
                    "failure": "denied", "error": "access_denied", "error_description": "no", "status": 400,
                    "www_authenticate": "Bearer", "endpoint": "token",
                }),
            ),
            (
                Failure::Denied(answer(Endpoint::Notification)),
                json!({
                    "failure": "denied", "error": "access_denied", "error_description": "no",
                    "www_authenticate": "Bearer", "endpoint": "notification",
                }),
            ),
            (
                Failure::Untrusted(late),
                json!({
                    "failure": "untrusted", "check": "expiry", "claim": "exp",
                    "found": "2030-01-01T00:00:00.001Z", "expected": {"not_before": "2030-01-01T00:00:00.001Z"},
                }),
            ),
            (
                Failure::ProviderMisbehaved(Misbehaviour {
                    fault: Fault::MissingMember("interval"),
                    endpoint: Endpoint::BackchannelAuthentication,
                    answer: None,
                }),
                json!({
                    "failure": "provider_misbehaved", "cause": "missing_member", "member": "interval",
                    "endpoint": "backchannel_authentication",
                }),
            ),
            (
                lost(LostAnswer::KeySet(ExchangeProblem::Unanswered(Cause::Timeout)), 1),
                json!({"failure": "indeterminate", "cause": "timeout", "endpoint": "key_set"}),
            ),
            (
                lost(LostAnswer::Outcome, 2),
                json!({"failure": "indeterminate", "attempts": 2, "endpoint": "token"}),
            ),
            (
                Failure::Unreachable(
                    Unreachable::new(UnreachableTarget::PrivateKey)
                        .because(Cause::Unknown.into(), 1),
                ),
                json!({"failure": "unreachable"}),
            ),
        ];
        for (failure, expected) in table {
            assert_eq!(serde_json::to_value(&failure).unwrap(), expected);
        }
    }

    #[test]
    fn evidence_is_serialized_without_personal_data() {
        let table = [
            (Found::Missing, json!({"found": null})),
            (Found::AnotherType("number"), json!({"found": {"type": "number"}})),
            (Found::text("a"), json!({"found": "a"})),
            (Found::texts(["a", "b"]), json!({"found": ["a", "b"]})),
            (Found::Milliseconds(7), json!({"found": {"milliseconds": 7}})),
            (Found::OutOfRange, json!({"found": {"out_of_range": true}})),
            (Found::AnotherValue, json!({})),
        ];
        for (found, expected) in table {
            let mut shown =
                serde_json::to_value(Untrusted::ExpectedClaim.at("ssn", found)).unwrap();
            let shown = shown.as_object_mut().unwrap();
            assert_eq!(shown.remove("check"), Some(json!("expected-claim")));
            assert_eq!(shown.remove("claim"), Some(json!("ssn")));
            assert_eq!(Value::Object(shown.to_owned()), expected);
        }
        let table = [
            (Expected::text("a"), json!("a")),
            (Expected::one_of(["a", "b"]), json!(["a", "b"])),
            (Expected::NotAfter(AT), json!({"not_after": "2030-01-01T00:00:00.001Z"})),
            (Expected::LaterThan("iat"), json!({"later_than": "iat"})),
        ];
        for (wanted, shown) in table {
            let rejection = Untrusted::IssuedAt.at("iat", Found::AnotherValue).expecting(wanted);
            assert_eq!(serde_json::to_value(rejection).unwrap()["expected"], shown);
        }
    }

    #[test]
    fn serialized_names_are_read_back_and_unknown_names_are_refused() {
        fn round<
            'a,
            T: Serialize + for<'de> Deserialize<'de> + PartialEq + core::fmt::Debug + 'a,
        >(
            all: impl IntoIterator<Item = &'a T>,
        ) {
            for word in all {
                let text = serde_json::to_string(word).unwrap();
                assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), word);
            }
            assert!(serde_json::from_str::<T>("\"nothing\"").is_err());
        }
        round(&Deviation::ALL);
        round(&Endpoint::ALL);
        round(&Stage::ALL);
        round(&Untrusted::ALL);
    }
}
