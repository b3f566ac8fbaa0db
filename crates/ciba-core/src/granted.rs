//! Comparison of what the provider granted with what was requested (RFC 6749 section 5.1, RFC 8707,
//! RFC 9396 section 7).

use alloc::{
    borrow::{Cow, ToOwned as _},
    string::String,
    vec::Vec,
};

use crate::{
    fault::{Expected, Found, Rejection, Untrusted},
    jose::base64url,
    json::{Object, Raw},
    wire::{Deviation, token::ReceivedTokens},
};

/// The maximum length of numbers that are compared by value. Up to here, `f64` represents all of
/// them distinctly.
const LONGEST_NUMBER: usize = 15;

/// What a request asked for, kept until the response arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) scope: String,
    /// The `authorization_details` as they were sent.
    pub(crate) details: Option<String>,
    pub(crate) resources: Vec<String>,
    /// Whether a difference is a failure.
    pub(crate) required: bool,
}

/// The difference between what was requested and what was granted.
///
/// If the provider does not state the scope, the requested one was granted
/// ([RFC 6749 section 5.1]). `authorization_details` and resources that it does not state count as
/// not granted, because a provider that does not support them ignores them silently. An object of
/// `authorization_details` is granted if a granted object has all its members with the same values;
/// additional members are enrichment by the provider ([RFC 9396 section 7.1]).
///
/// [RFC 6749 section 5.1]: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
/// [RFC 9396 section 7.1]: https://www.rfc-editor.org/rfc/rfc9396#section-7.1
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference<'a> {
    /// The scope values that were requested and not granted.
    pub scope: Vec<&'a str>,
    /// The objects of `authorization_details` that were requested and not granted, as JSON text.
    pub authorization_details: Vec<&'a str>,
    /// The resources that were requested and are not stated as granted.
    pub resources: Vec<&'a str>,
    /// The objects of `authorization_details` that were granted without having been requested, as
    /// JSON text.
    pub unasked_authorization_details: Vec<&'a str>,
}

impl Difference<'_> {
    /// Returns `true` if everything that was requested was granted, and no other
    /// `authorization_details`.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.scope.is_empty()
            && self.authorization_details.is_empty()
            && self.resources.is_empty()
            && self.unasked_authorization_details.is_empty()
    }
}

/// Compares what was requested with what was granted.
pub(crate) fn difference<'a>(
    requested: &'a Requested,
    tokens: &'a ReceivedTokens,
) -> Difference<'a> {
    // RFC 6749 section 5.1: `scope` may be left out if it is what was requested.
    let scope = tokens.scope.as_deref().unwrap_or(&requested.scope);
    let has = |value: &&str| scope.split(' ').any(|granted| granted == *value);
    let resources = resources(tokens).unwrap_or_default();
    let details = tokens.extra.find(DETAILS).and_then(Raw::items);
    let mut granted: Vec<Option<Raw<'_>>> = details.into_iter().flatten().map(Some).collect();
    // Compared as JSON and not as text: a provider may format and enrich them.
    let wanted = requested.details.as_deref().and_then(Raw::parse).and_then(Raw::items);
    let mut withheld = Vec::new();
    for wanted in wanted.into_iter().flatten() {
        // Each granted object can satisfy only one requested object.
        match granted
            .iter_mut()
            .find(|granted| granted.is_some_and(|granted| covers(granted, wanted)))
        {
            Some(found) => *found = None,
            None => withheld.push(wanted.json()),
        }
    }
    Difference {
        scope: requested
            .scope
            .split(' ')
            .filter(|value| !value.is_empty() && !has(value))
            .collect(),
        authorization_details: withheld,
        resources: requested
            .resources
            .iter()
            .map(String::as_str)
            .filter(|requested| !resources.iter().any(|granted| granted == *requested))
            .collect(),
        unasked_authorization_details: granted.into_iter().flatten().map(Raw::json).collect(),
    }
}

/// Returns the rejection of a response if the request demands that everything is granted.
pub(crate) fn against(requested: &Requested, tokens: &ReceivedTokens) -> Option<Rejection> {
    // An unusable scope counts as absent in the result (ruling 33), which would mean that
    // everything was granted.
    if requested.required && tokens.deviations.contains(&Deviation::ScopeUnusable) {
        return Some(
            Untrusted::NotGranted
                .at("scope", Found::AnotherValue)
                .expecting(Expected::text(&requested.scope)),
        );
    }
    let difference = requested
        .required
        .then(|| difference(requested, tokens))
        .filter(|difference| !difference.is_empty())?;
    let check = Untrusted::NotGranted;
    Some(if !difference.scope.is_empty() {
        let granted = tokens
            .scope
            .as_deref()
            .unwrap_or_default()
            .split(' ')
            .filter(|value| !value.is_empty());
        check.at("scope", Found::texts(granted)).expecting(Expected::text(&requested.scope))
    } else if !difference.resources.is_empty() {
        check.at("resource", Found::AnotherValue)
    } else {
        // The details may contain personal data, so they are not shown.
        check.at(DETAILS, Found::AnotherValue)
    })
}

/// The member defined by RFC 9396.
pub(crate) const DETAILS: &str = "authorization_details";

/// Returns the resources for which the access token is valid, as far as they are stated: by a member
/// of the response, or by `aud` if the access token is a JWT (RFC 9068).
// The signature of the JWT need not be verified: it was received in the same response over the same
// connection.
pub(crate) fn resources(tokens: &ReceivedTokens) -> Option<Vec<Cow<'_, str>>> {
    let said =
        ["resource", "audience", "aud"].iter().find_map(|name| texts(tokens.extra.find(name)?));
    said.or_else(|| {
        let mut parts = tokens.access_token.expose().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        // Five parts are an encrypted token, which only the resource server can read.
        if parts.next().is_some() {
            return None;
        }
        let claims = Object::parse(&base64url::decode(payload)?).ok()?;
        let audiences = texts(claims.get("aud")?)?;
        Some(audiences.into_iter().map(|audience| Cow::Owned(audience.into_owned())).collect())
    })
}

/// Reads a string or an array of strings.
fn texts(value: Raw<'_>) -> Option<Vec<Cow<'_, str>>> {
    match value.items() {
        Some(items) => items.map(Raw::text).collect(),
        None => value.text().map(|text| Vec::from([text])),
    }
}

/// Whether a granted value covers a requested one: objects may have additional members, everything
/// else must be equal.
fn covers(granted: Raw<'_>, requested: Raw<'_>) -> bool {
    if let (Some(granted), Some(requested)) = (unique_members(granted), unique_members(requested)) {
        let member =
            |name: &str| granted.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        return requested.iter().all(|(name, requested)| {
            // `null` in a request asks for nothing.
            requested.is_null() || member(name).is_some_and(|granted| covers(granted, *requested))
        });
    }
    if let (Some(granted), Some(requested)) = (granted.items(), requested.items()) {
        let (granted, requested): (Vec<_>, Vec<_>) = (granted.collect(), requested.collect());
        // Arrays of actions, accounts and so on have no order. A longer array would grant more.
        return granted.len() == requested.len()
            && requested
                .iter()
                .all(|requested| granted.iter().any(|granted| covers(*granted, *requested)))
            && granted
                .iter()
                .all(|granted| requested.iter().any(|requested| covers(*granted, *requested)));
    }
    if let (Some(granted), Some(requested)) = (granted.text(), requested.text()) {
        return granted == requested;
    }
    if let (Some(granted), Some(requested)) = (granted.number(), requested.number()) {
        return granted == requested
            || (is_short(granted)
                && is_short(requested)
                && value_of(granted) == value_of(requested));
    }
    granted.boolean().is_some() && granted.boolean() == requested.boolean()
}

/// Returns the members of an object, or `None` if a name occurs twice, because parsers disagree on
/// which one counts.
fn unique_members(value: Raw<'_>) -> Option<Vec<(Cow<'_, str>, Raw<'_>)>> {
    let members: Vec<_> = value.members()?.collect();
    let is_unique = |at: usize, name: &str| {
        !members.iter().skip(at.saturating_add(1)).any(|(other, _)| other == name)
    };
    members
        .iter()
        .enumerate()
        .all(|(at, (name, _))| is_unique(at, name))
        .then(|| members.to_owned())
}

fn is_short(number: &str) -> bool {
    number.len() <= LONGEST_NUMBER
}

fn value_of(number: &str) -> Option<f64> {
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::json::JsonObject;

    fn tokens(access_token: &str, scope: Option<&str>, extra: &str) -> ReceivedTokens {
        ReceivedTokens {
            access_token: access_token.into(),
            token_type: "Bearer".into(),
            id_token: None,
            refresh_token: None,
            expires_in: None,
            scope: scope.map(Into::into),
            extra: JsonObject::from_json(extra).unwrap(),
            deviations: Vec::new(),
        }
    }

    fn requested(scope: &str, details: Option<&str>, resources: &[&str]) -> Requested {
        let resources = resources.iter().map(|&resource| resource.into()).collect();
        Requested {
            scope: scope.into(),
            details: details.map(Into::into),
            resources,
            required: false,
        }
    }

    /// REQ-TOK-08
    #[test]
    fn an_authorization_detail_is_granted_by_an_object_with_all_its_members() {
        const ASKED: &str = r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay","show"],"n":1}"#;
        for (granted, is_granted, unasked) in [
            (ASKED, true, 0),
            // In a different order, with white space, escapes, and additional members.
            (
                r#"{ "n": 1.0, "actions": ["show", "pay"], "amount": {"value": "129.00", "currency": "\u0053EK"}, "type": "payment", "id": "x" }"#,
                true,
                0,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"1290.00"},"actions":["pay","show"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"EUR","value":"129.00"},"actions":["pay","show"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":129.00},"actions":["pay","show"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay","show","all"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay","pay"],"n":1}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay","show"],"n":2}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","amount":{"currency":"SEK","value":"129.00"},"actions":["pay","show"]}"#,
                false,
                1,
            ),
            (
                r#"{"type":"payment","n":1,"n":2,"amount":{"currency":"SEK","value":"129.00"},"actions":["pay","show"]}"#,
                false,
                1,
            ),
            (r#"{"type":"account"}"#, false, 1),
            (r#""payment""#, false, 1),
        ] {
            let tokens = tokens("a", None, &format!(r#"{{"authorization_details":[{granted}]}}"#));
            let details = format!("[{ASKED}]");
            let requested = requested("openid", Some(&details), &[]);
            let difference = difference(&requested, &tokens);
            assert_eq!(difference.authorization_details.is_empty(), is_granted, "{granted}");
            assert_eq!(difference.unasked_authorization_details.len(), unasked, "{granted}");
            assert_eq!(difference.is_empty(), is_granted, "{granted}");
        }
    }

    #[test]
    fn one_granted_object_satisfies_one_requested_detail() {
        let details = r#"[{"type":"a"},{"type":"a"},{"type":"b"}]"#;
        let requested = requested("openid", Some(details), &[]);
        for (granted, withheld, unasked) in [
            (r#"[{"type":"a"},{"type":"a"},{"type":"b"}]"#, 0, 0),
            (r#"[{"type":"a"},{"type":"b"}]"#, 1, 0),
            (r#"[{"type":"b"},{"type":"c"},{"type":"a"},{"type":"a"}]"#, 0, 1),
            ("[]", 3, 0),
            ("{}", 3, 0),
            ("null", 3, 0),
            ("7", 3, 0),
        ] {
            let tokens = tokens("a", None, &format!(r#"{{"authorization_details":{granted}}}"#));
            let difference = difference(&requested, &tokens);
            let found = (
                difference.authorization_details.len(),
                difference.unasked_authorization_details.len(),
            );
            assert_eq!(found, (withheld, unasked), "{granted}");
        }
        assert_eq!(difference(&requested, &tokens("a", None, "{}")).authorization_details.len(), 3);
    }

    #[test]
    fn numbers_too_long_to_convert_are_equal_only_digit_by_digit() {
        let covers = |granted, requested| {
            covers(Raw::parse(granted).unwrap(), Raw::parse(requested).unwrap())
        };
        assert!(
            covers("1.50", "1.5")
                && covers("1e2", "100")
                && covers("12345678901234567890", "12345678901234567890")
        );
        assert!(
            !covers("12345678901234567890", "12345678901234567891")
                && !covers("1", "true")
                && !covers("1", "\"1\"")
        );
        assert!(
            covers("true", "true")
                && !covers("true", "false")
                && !covers("null", "true")
                && !covers("true", "null")
        );
    }

    /// REQ-TOK-07a
    /// REQ-TOK-07b
    #[test]
    fn an_absent_scope_counts_as_granted_but_an_absent_resource_does_not() {
        let requested =
            requested("openid email", None, &["https://api.example", "https://b.example"]);
        // `{"aud":"https://api.example"}`, and an array of both.
        let one = format!("e30.{}.c2ln", base64url::encode(br#"{"aud":"https://api.example"}"#));
        let both = format!(
            "e30.{}.c2ln",
            base64url::encode(br#"{"aud":["account","https://b.example","https://api.example"]}"#)
        );
        for (access_token, scope, extra, withheld_scope, withheld) in [
            ("opaque", None, "{}", 0, 2),
            ("opaque", Some("openid"), "{}", 1, 2),
            ("opaque", Some(""), "{}", 2, 2),
            ("opaque", Some("openid email more"), r#"{"resource":"https://api.example"}"#, 0, 1),
            ("opaque", None, r#"{"audience":["https://b.example","https://api.example"]}"#, 0, 0),
            ("opaque", None, r#"{"aud":["https://b.example",7]}"#, 0, 2),
            (&*one, None, "{}", 0, 1),
            (&*both, None, "{}", 0, 0),
            // The response takes precedence over the token.
            (&*both, None, r#"{"resource":[]}"#, 0, 2),
            ("a.b.c", None, "{}", 0, 2),
            ("a.b.c.d.e", None, "{}", 0, 2),
        ] {
            let tokens = tokens(access_token, scope, extra);
            let difference = difference(&requested, &tokens);
            assert_eq!(
                (difference.scope.len(), difference.resources.len()),
                (withheld_scope, withheld),
                "{access_token} {extra}"
            );
        }
    }
}
