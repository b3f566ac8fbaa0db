//! For scripts: one JSON object per line on standard output, each with `event` and `at`.
//!
//! Events and failures are serialized by core. JSON of a provider is copied as it was received, and
//! nothing in it is interpreted.

use std::{borrow::Cow, io, path::Path};

use ciba_core::{
    Authentication, ClientConfig, Event, Failure, Person, Timestamp, answer::Deviation,
    evidence::Difference, json::JsonObject, tokens::UserInfo,
};
use ciba_std::CallError;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use super::{
    claims::{claims, lifetime},
    json_text::{compact, escaped},
    terminal::Terminal,
    voice::{Started, Voice},
};
use crate::{listen::Refusal, stdio::try_put, time};

/// The voice of `--output json`.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) show_tokens: bool,
}

impl Voice for Json {
    fn started(&mut self, to: &mut Terminal, started: &Started<'_>) {
        to.line(line("started", started));
    }

    fn event(&mut self, to: &mut Terminal, event: &Event) {
        to.line(match event {
            // Core's serializer may round a number of the provider.
            Event::Acknowledgement(acknowledgement) => line(
                "acknowledged",
                Acknowledged {
                    expires_in: acknowledgement.expires_in.as_secs(),
                    interval: acknowledgement.interval.as_secs(),
                    extra: Received::of(&acknowledgement.extra),
                    deviations: &acknowledgement.deviations,
                },
            ),
            event => written(&Stamped { event, at: time::now() }),
        });
    }

    fn notification_refused(&mut self, to: &mut Terminal, status: u16, refusal: Refusal) {
        to.line(line("notification_refused", Refused { status, reason: refusal.name() }));
    }

    fn authenticated(
        &mut self,
        _: &mut Terminal,
        authentication: &Authentication,
        _: &ClientConfig,
    ) -> io::Result<()> {
        try_put(&line("authenticated", Authenticated::of(authentication, self.show_tokens)))
    }

    fn userinfo(&mut self, _: &mut Terminal, user_info: &UserInfo) -> io::Result<()> {
        let members = Fetched {
            subject: user_info.subject(),
            signed: user_info.is_signed(),
            claims: Received(user_info.claims_text()),
        };
        try_put(&line("userinfo", members))
    }

    fn userinfo_failed(&mut self, to: &mut Terminal, error: &CallError) {
        to.line(match error {
            CallError::Failed(failure) => line("userinfo_failed", failure),
            CallError::NotPossible(_) => line("userinfo_failed", Unfetched::new("not_possible")),
            _ => line("userinfo_failed", Unfetched::new("bug")),
        });
    }

    fn failed(&mut self, to: &mut Terminal, failure: &Failure, state: Option<&Path>) {
        let state = state.map(|path| path.display().to_string());
        to.line(line("failed", Failed { failure, state }));
    }
}

/// One event with its members.
#[derive(Serialize)]
struct Line<T> {
    event: &'static str,
    at: Timestamp,
    #[serde(flatten)]
    members: T,
}

/// One event of core, which names itself.
#[derive(Serialize)]
struct Stamped<'a> {
    #[serde(flatten)]
    event: &'a Event,
    at: Timestamp,
}

#[derive(Serialize)]
struct Acknowledged<'a> {
    expires_in: u64,
    interval: u64,
    extra: Received<'a>,
    #[serde(skip_serializing_if = "<[Deviation]>::is_empty")]
    deviations: &'a [Deviation],
}

#[derive(Serialize)]
struct Refused {
    status: u16,
    reason: &'static str,
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(flatten)]
    failure: &'a Failure,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

#[derive(Serialize)]
struct Fetched<'a> {
    subject: &'a str,
    signed: bool,
    claims: Received<'a>,
}

/// Claims that could not be requested.
#[derive(Serialize)]
struct Unfetched {
    failure: &'static str,
}

impl Unfetched {
    const fn new(failure: &'static str) -> Self {
        Self { failure }
    }
}

#[derive(Serialize)]
struct Authenticated<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    person: Person,
    received_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Claims<'a>>,
    scope: &'a str,
    granted: Granted<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_granted: Option<NotGranted<'a>>,
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    has_refresh_token: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Deviation>,
    #[serde(flatten)]
    tokens: Option<Tokens<'a>>,
}

impl<'a> Authenticated<'a> {
    fn of(authentication: &'a Authentication, show_tokens: bool) -> Self {
        let refresh_token = authentication.refresh_token().map(|token| token.expose());
        Self {
            subject: authentication.subject().ok(),
            person: authentication.person(),
            received_at: authentication.received_at(),
            claims: authentication.id_token().map(|_| Claims(authentication)),
            scope: authentication.scope(),
            granted: Granted {
                scope: authentication.scope(),
                authorization_details: authentication.authorization_details().map(Received),
                resources: authentication.resources(),
            },
            not_granted: NotGranted::of(authentication.difference()),
            token_type: authentication.token_type(),
            expires_in: lifetime(authentication).map(|life| life.as_secs()),
            has_refresh_token: refresh_token.is_some(),
            deviations: authentication.deviations().collect(),
            tokens: show_tokens.then(|| Tokens {
                access_token: authentication.access_token().expose(),
                id_token: authentication.id_token().map(|token| token.compact().expose()),
                refresh_token,
            }),
        }
    }
}

/// What was granted, as far as the provider says so; a scope that it does not name is the one
/// requested.
#[derive(Serialize)]
struct Granted<'a> {
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<Received<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<Cow<'a, str>>>,
}

/// What was requested and not granted, and what was granted without having been requested.
#[derive(Serialize)]
struct NotGranted<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scope: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<Received<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_asked_for: Vec<Received<'a>>,
}

impl<'a> NotGranted<'a> {
    /// `None` if there is no difference.
    fn of(difference: Difference<'a>) -> Option<Self> {
        if difference.is_empty() {
            return None;
        }
        let received = |values: Vec<&'a str>| values.into_iter().map(Received).collect();
        Some(Self {
            scope: difference.scope,
            authorization_details: received(difference.authorization_details),
            resources: difference.resources,
            not_asked_for: received(difference.unasked_authorization_details),
        })
    }
}

/// The tokens themselves, with `--show-tokens` only.
#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// The verified claims.
struct Claims<'a>(&'a Authentication);

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(claims(self.0).map(|(name, value)| (name, Received(value))))
    }
}

/// JSON text of another party, copied as it was received.
struct Received<'a>(&'a str);

impl<'a> Received<'a> {
    fn of(object: &'a JsonObject) -> Self {
        Self(object.as_json())
    }
}

impl Serialize for Received<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text: &RawValue = serde_json::from_str(self.0).map_err(S::Error::custom)?;
        text.serialize(to)
    }
}

/// The line of one event.
pub(crate) fn line(event: &'static str, members: impl Serialize) -> String {
    written(&Line { event, at: time::now(), members })
}

fn written(line: &impl Serialize) -> String {
    // Serialization cannot fail: every name is a string, every number is finite, and the received
    // text is valid JSON.
    escaped(&compact(&serde_json::to_string(line).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use ciba_core::text::is_plain;
    use serde_json::json;

    use super::*;

    /// REQ-AERR-15
    #[test]
    fn invisible_characters_are_escaped_without_changing_the_value() {
        #[derive(Serialize)]
        struct Hidden<'a> {
            text: &'a str,
            raw: Received<'a>,
        }

        let hidden = "a\u{1b}\u{61c}\u{200b}\u{202e}\u{2028}\u{feff}\u{e000}\u{e0041}z\u{10ffff}";
        let raw = "\"\u{202e}\u{e0001}\"";
        let line = line("x", Hidden { text: hidden, raw: Received(raw) });
        assert!(line.chars().all(is_plain), "{line:?}");
        assert!(line.contains(r"\u202e\udb40\udc01"), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["text"], &value["raw"]), (&json!(hidden), &json!("\u{202e}\u{e0001}")));
    }

    #[test]
    fn values_of_the_provider_are_copied_as_received() {
        #[derive(Serialize)]
        struct Extra<'a> {
            extra: Received<'a>,
        }

        let received =
            "{ \"n\" : 1.10e400,\n\"big\":123456789012345678901,\"half\":\"\\ud800 \\\" \" }";
        let line = line("x", Extra { extra: Received(received) });
        let copied = r#""extra":{"n":1.10e400,"big":123456789012345678901,"half":"\ud800 \" "}}"#;
        assert!(line.starts_with(r#"{"event":"x","at":"20"#), "{line}");
        assert!(line.ends_with(copied), "{line}");
    }

    #[test]
    fn an_event_starts_with_its_name_and_has_the_time() {
        let line = written(&Stamped { event: &Event::Notified, at: Timestamp::EPOCH });
        assert_eq!(line, r#"{"event":"notified","at":"1970-01-01T00:00:00.000Z"}"#);
    }
}
