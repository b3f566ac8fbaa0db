//! One JSON object a line: `event` and `at` first, then what the event says.

use std::fmt::Write as _;

use ciba_core::{
    Authentication, Cause, Deviation, Difference, Expected, Failure, Found, LostAnswer, Person,
    Rejection, Trouble, Untrusted, text::is_plain,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::time;

/// A line in the making. JsonObject keep their order, so that a person can read it too.
#[derive(Debug)]
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(event: &str) -> Self {
        Self(format!(r#"{{"event":"{event}","at":"{}""#, time::rfc3339(time::now())))
    }

    pub(crate) fn with(self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        self.with_json(name, &value)
    }

    /// A member whose value is JSON text: what a provider sent, as it sent it.
    pub(crate) fn with_json(mut self, name: &str, json: &str) -> Self {
        let _ = write!(self.0, r#","{name}":{}"#, escaped(&compact(json)));
        self
    }

    /// A member that is left out when there is nothing to say.
    pub(crate) fn some(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// JSON text on one line for a terminal: what would steer it, or not show, is escaped. JSON lets
/// these characters stand, and they occur within strings only.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Deviations of the provider that ended nothing, by name, when there are some.
pub(super) fn deviations(line: Line, deviations: impl Iterator<Item = Deviation>) -> Line {
    let names: Vec<&str> = deviations.map(Deviation::name).collect();
    line.some("deviations", (!names.is_empty()).then_some(names))
}

/// JSON text on one line: without the white space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        in_string ^= *c == '"' && !is_escaped;
        is_escaped = in_string && *c == '\\' && !is_escaped;
        in_string || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

/// The verified claims as one object; none without an ID Token.
fn claims(authentication: &Authentication) -> Option<String> {
    authentication.id_token()?;
    let name = |name: &str| serde_json::to_string(name).unwrap_or_default();
    let members: Vec<String> = super::claims(authentication)
        .map(|(claim, value)| format!("{}:{value}", name(&claim)))
        .collect();
    Some(format!("{{{}}}", members.join(",")))
}

pub(super) fn authenticated(authentication: &Authentication, show_tokens: bool) -> Line {
    let mut line = Line::new("authenticated")
        .some("subject", authentication.subject().ok())
        .with("person", person(authentication.person()))
        .with("received_at", time::rfc3339(authentication.received_at()));
    if let Some(claims) = claims(authentication) {
        line = line.with_json("claims", &claims);
    }
    let line =
        line.with("scope", authentication.scope()).with_json("granted", &granted(authentication));
    let difference = authentication.difference();
    let line = match difference.is_empty() {
        true => line,
        false => line.with_json("not_granted", &not_granted(&difference)),
    };
    let line = line
        .with("token_type", authentication.token_type())
        .some("expires_in", super::lifetime(authentication).map(|life| life.as_secs()))
        .with("has_refresh_token", authentication.refresh_token().is_some());
    let line = deviations(line, authentication.deviations());
    if !show_tokens {
        return line;
    }
    line.with("access_token", authentication.access_token().expose())
        .some("id_token", authentication.id_token().map(|token| token.compact().expose()))
        .some("refresh_token", authentication.refresh_token().map(|token| token.expose()))
}

/// What was granted, as far as the provider says so; a scope that it does not name is the one asked
/// for.
fn granted(authentication: &Authentication) -> String {
    let mut members = vec![("scope", json!(authentication.scope()).to_string())];
    members.extend(
        authentication
            .authorization_details()
            .map(|details| ("authorization_details", details.to_owned())),
    );
    members.extend(
        authentication.resources().map(|resources| ("resources", json!(resources).to_string())),
    );
    joined(&members)
}

/// What was asked for and not granted, and what was granted without having been asked for.
fn not_granted(difference: &Difference<'_>) -> String {
    let list = |name, texts: &[&str]| {
        (!texts.is_empty()).then(|| (name, format!("[{}]", texts.join(","))))
    };
    let quoted =
        |texts: &[&str]| texts.iter().map(|text| json!(text).to_string()).collect::<Vec<_>>();
    let (scope, resources) = (quoted(&difference.scope), quoted(&difference.resources));
    let borrowed =
        |texts: &'_ [String]| texts.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut members = Vec::new();
    members.extend((!scope.is_empty()).then(|| ("scope", format!("[{}]", borrowed(&scope)))));
    members.extend(list("authorization_details", &difference.authorization_details));
    members.extend(
        (!resources.is_empty()).then(|| ("resources", format!("[{}]", borrowed(&resources)))),
    );
    members.extend(list("not_asked_for", &difference.unasked_authorization_details));
    joined(&members)
}

fn joined(members: &[(&str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Whether the person was compared with the one who was named, and by what or why not.
fn person(person: Person) -> Value {
    match person {
        Person::Compared(by) => json!({"compared": true, "by": by.name()}),
        Person::NotCompared(why) => json!({"compared": false, "reason": why.name()}),
        other => json!({"compared": other.is_compared()}),
    }
}

/// What went wrong with an exchange, or with an answer.
fn cause(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::ProviderMisbehaved(misbehaviour) => Some(misbehaviour.fault.name()),
        Failure::Unreachable(unreachable) => unreachable.trouble.map(Trouble::name),
        Failure::Indeterminate(indeterminacy) => match indeterminacy.lost {
            LostAnswer::KeySet(trouble) => Some(trouble.name()),
            _ => indeterminacy.cause.map(Cause::name),
        },
        _ => None,
    }
    .filter(|name| *name != Cause::Unknown.name())
}

/// What a check found: `null` for nothing, an object for a value of another type; a value that may
/// say something about a person is left out.
fn found(found: &Found) -> Option<Value> {
    Some(match found {
        Found::Missing => Value::Null,
        Found::AnotherType(kind) => json!({"type": kind}),
        Found::Text(text) => json!(text),
        Found::Texts(texts) => json!(texts),
        Found::Time(at) => json!(time::rfc3339(*at)),
        Found::Milliseconds(number) => json!({"milliseconds": number}),
        Found::OutOfRange => json!({"out_of_range": true}),
        _ => return None,
    })
}

/// What a check expected; of a time, the earliest or the latest one.
fn expected(expected: &Expected) -> Value {
    match expected {
        Expected::Text(text) => json!(text),
        Expected::OneOf(texts) => json!(texts),
        Expected::NotBefore(at) => json!({"not_before": time::rfc3339(*at)}),
        Expected::NotAfter(at) => json!({"not_after": time::rfc3339(*at)}),
        Expected::LaterThan(claim) => json!({"later_than": claim}),
        other => json!(other.to_string()),
    }
}

pub(super) fn failed(failure: &Failure) -> Line {
    let check = failure.check().map(Untrusted::name);
    let rejection = match failure {
        Failure::Untrusted(rejection) => Some(rejection),
        _ => None,
    };
    let member = match failure {
        Failure::ProviderMisbehaved(misbehaviour) => misbehaviour.fault.member(),
        _ => None,
    };
    let attempts = match failure {
        Failure::Unreachable(unreachable) => Some(unreachable.attempts),
        Failure::Indeterminate(indeterminacy) => Some(indeterminacy.attempts),
        _ => None,
    };
    let answer = failure.server_answer();
    let endpoint = answer.map(|answer| answer.endpoint()).or(match failure {
        Failure::ProviderMisbehaved(misbehaviour) => Some(misbehaviour.endpoint),
        Failure::Unreachable(unreachable) => match unreachable.target {
            ciba_core::UnreachableTarget::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        },
        Failure::Indeterminate(indeterminacy) => Some(indeterminacy.endpoint()),
        _ => None,
    });
    Line::new("failed")
        .with("failure", failure.name())
        .some("check", check)
        .some("claim", rejection.and_then(Rejection::member))
        .some("found", rejection.and_then(Rejection::found).and_then(found))
        .some("expected", rejection.and_then(Rejection::expected).map(expected))
        .some("cause", cause(failure))
        .some("member", member)
        .some("attempts", attempts.filter(|attempts| *attempts > 1))
        .some("error", answer.and_then(|answer| answer.code()).map(|code| code.name()))
        .some("error_description", answer.and_then(|answer| answer.description()))
        .some("status", answer.and_then(crate::exit::status))
        .some("www_authenticate", answer.and_then(|answer| answer.www_authenticate()))
        .some(
            "excerpt",
            answer.map(|answer| answer.excerpt()).filter(|excerpt| !excerpt.is_empty()),
        )
        .some("endpoint", endpoint.map(|endpoint| endpoint.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-AERR-15
    #[test]
    fn what_does_not_show_is_escaped_and_stays_what_it_is() {
        let hidden = "a\u{1b}\u{61c}\u{200b}\u{202e}\u{2028}\u{feff}\u{e000}\u{e0041}z\u{10ffff}";
        let line = Line::new("x")
            .with("text", hidden)
            .with_json("raw", &format!("\"{}\"", "\u{202e}\u{e0001}"))
            .finish();
        assert!(line.chars().all(is_plain), "{line:?}");
        assert!(line.contains(r"\u202e\udb40\udc01"), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["text"], &value["raw"]), (&json!(hidden), &json!("\u{202e}\u{e0001}")));
    }

    #[test]
    fn a_line_is_one_json_object_with_its_members_in_order() {
        let line = Line::new("x")
            .with("text", "a\n\"b\"")
            .some("nothing", None::<&str>)
            .with("n", 3)
            .finish();
        assert!(!line.contains('\n') && line.starts_with(r#"{"event":"x","at":"20"#), "{line}");
        assert!(line.ends_with(r#","text":"a\n\"b\"","n":3}"#), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 4);
    }
}
