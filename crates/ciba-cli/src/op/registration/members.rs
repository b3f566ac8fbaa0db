//! The members of client metadata: those that the test provider supports, those that it rejects, and
//! those that it ignores.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

/// One client of the file. Each member occurs once.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.0.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!(
                            "{:?} is there twice",
                            ciba_core::text::plain(&name)
                        )));
                    }
                    members.0.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Members {
    /// The value of a member; null is absent.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        let text = |value: &'_ Value| format!("{name} is {} and has to be a string", kind(value));
        self.get(name).map(|value| value.as_str().ok_or_else(|| text(value))).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        let wrong =
            |value: &Value| format!("{name} is {} and has to be true or false", kind(value));
        let flag = self.get(name).map(|value| value.as_bool().ok_or_else(|| wrong(value)));
        Ok(flag.transpose()?.unwrap_or_default())
    }

    /// An array of strings.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let texts = value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        texts.map(Some).ok_or_else(|| format!("{name} has to be an array of strings"))
    }

    /// The keys of a key set, all of them public.
    pub(super) fn keys(&self, name: &str) -> Result<Option<Vec<Value>>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let keys = value.get("keys").and_then(Value::as_array);
        let keys = keys.filter(|keys| keys.iter().all(Value::is_object));
        let keys =
            keys.ok_or_else(|| format!("{name} has to be a JWK Set: an object with `keys`"))?;
        // "k" is the value of a symmetric key.
        let is_private = |key: &Value| {
            ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|part| key.get(part).is_some())
        };
        if keys.iter().any(is_private) {
            return Err(format!(
                "{name} holds a private key: register what `ciba key public` shows"
            ));
        }
        Ok(Some(keys.clone()))
    }

    /// Rejects members that are unknown or request something unsupported; returns the names of those
    /// without effect.
    pub(super) fn check(&self) -> Result<Vec<&str>, String> {
        let mut unused = Vec::new();
        for (name, value) in &self.0 {
            // `client_name#de` is `client_name` in German (OpenID Connect Registration 2.1).
            let plain = name.split('#').next().unwrap_or_default();
            let known = |names: &[&str]| names.contains(&plain);
            if let Some((_, usual, why)) = NOT_OFFERED.iter().find(|(refused, ..)| *refused == name)
            {
                if !value.is_null() && !usual.contains(&value.to_string().trim_matches('"')) {
                    return Err(format!("{name}: {why}"));
                }
            } else if known(&UNUSED) {
                unused.push(plain);
            } else if !known(&READ) && !known(&OWN) {
                let all = READ
                    .iter()
                    .chain(&UNUSED)
                    .chain(NOT_OFFERED.iter().map(|(refused, ..)| refused));
                return Err(format!(
                    "{:?} is not a member of client metadata{}",
                    shown(name),
                    suggestion(name, all)
                ));
            }
        }
        Ok(unused)
    }
}

/// The error of an unknown value, with the most similar known one.
pub(super) fn unknown<'a>(
    member: &str,
    value: &str,
    known: impl IntoIterator<Item = &'a &'a str>,
) -> String {
    format!("{member}: this provider does not know {:?}{}", shown(value), suggestion(value, known))
}

/// The members that are read.
const READ: [&str; 14] = [
    "client_id",
    "client_secret",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "jwks",
    "grant_types",
    "id_token_signed_response_alg",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
    "tls_client_auth_subject_dn",
    "tls_client_certificate_bound_access_tokens",
    "dpop_bound_access_tokens",
];
/// The members that `ciba op` adds to the metadata in client.json.
const OWN: [&str; 10] = [
    "issuer",
    "provider",
    "profile",
    "key_file",
    "dpop_key_file",
    "ca_file",
    "cert_file",
    "cert_key_file",
    "listen_cert_file",
    "listen_key_file",
];

/// Unsupported members, the values that request nothing special, and the reason.
const NOT_OFFERED: [(&str, &[&str], &str); 23] = [
    ("subject_type", &["public"], "this provider has public subject identifiers only"),
    ("sector_identifier_uri", &[], "this provider has public subject identifiers only"),
    ("jwks_uri", &[], "this provider fetches no keys: write them into jwks"),
    ("id_token_encrypted_response_alg", &[], NOT_ENCRYPTED),
    ("id_token_encrypted_response_enc", &[], NOT_ENCRYPTED),
    ("userinfo_encrypted_response_alg", &[], NOT_ENCRYPTED),
    ("userinfo_encrypted_response_enc", &[], NOT_ENCRYPTED),
    ("userinfo_signed_response_alg", &[], "UserInfo is plain JSON here"),
    (
        "request_object_encryption_alg",
        &[],
        "signed authentication requests are not encrypted (CIBA 7.1.1)",
    ),
    (
        "request_object_encryption_enc",
        &[],
        "signed authentication requests are not encrypted (CIBA 7.1.1)",
    ),
    ("require_auth_time", &["false"], "ID Tokens have no auth_time here"),
    ("default_max_age", &[], "ID Tokens have no auth_time here"),
    ("default_acr_values", &[], "acr_values is read from each request only"),
    ("tls_client_auth_san_dns", &[], BY_SUBJECT),
    ("tls_client_auth_san_uri", &[], BY_SUBJECT),
    ("tls_client_auth_san_ip", &[], BY_SUBJECT),
    ("tls_client_auth_san_email", &[], BY_SUBJECT),
    ("software_statement", &[], "this provider verifies no software statements"),
    ("require_signed_request_object", &["false"], BY_ALGORITHM),
    ("introspection_signed_response_alg", &[], "this provider has no introspection endpoint"),
    ("introspection_encrypted_response_alg", &[], "this provider has no introspection endpoint"),
    ("introspection_encrypted_response_enc", &[], "this provider has no introspection endpoint"),
    ("scope", &[], "every client may ask for every scope here"),
];
const NOT_ENCRYPTED: &str = "this provider encrypts nothing";
const BY_SUBJECT: &str = "certificates are told apart by tls_client_auth_subject_dn here";
const BY_ALGORITHM: &str = "name the algorithm in backchannel_authentication_request_signing_alg";

/// Members without effect on CIBA.
const UNUSED: [&str; 31] = [
    "redirect_uris",
    "response_types",
    "application_type",
    "contacts",
    "client_name",
    "logo_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "initiate_login_uri",
    "request_uris",
    "request_object_signing_alg",
    "software_id",
    "software_version",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "require_pushed_authorization_requests",
    "authorization_details_types",
    "use_mtls_endpoint_aliases",
    "client_registration_types",
    "organization_name",
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A name from the file, safe to show.
fn shown(name: &str) -> String {
    ciba_core::text::plain(&name.chars().take(100).collect::<String>())
}

fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a &'a str>) -> String {
    let near = known.into_iter().map(|known| (distance(name, known), *known)).min();
    match near {
        Some((distance, known)) if distance <= 2.max(name.len() / 4) => {
            format!("; did you mean {known:?}?")
        }
        _ => String::new(),
    }
}

/// The number of letters to insert, delete or replace to turn one name into the other, without regard
/// to case and the kind of dash.
fn distance(one: &str, other: &str) -> usize {
    let folded = |text: &str| -> Vec<char> {
        text.chars()
            .take(100)
            .map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() })
            .collect()
    };
    let (one, other) = (folded(one), folded(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, from) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (to_at, to) in other.iter().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[to_at + 1];
            row[to_at + 1] = changed.min(diagonal + 1).min(row[to_at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Vec<String>, String> {
        let members: Members = serde_json::from_str(json).map_err(|error| error.to_string())?;
        members.check().map(|unused| unused.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn each_registration_member_is_in_exactly_one_list() {
        let refused = NOT_OFFERED.iter().map(|(name, ..)| *name);
        let mut all: Vec<&str> =
            READ.iter().chain(&UNUSED).chain(&OWN).copied().chain(refused).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn any_one_letter_typo_in_a_known_member_is_refused_with_a_suggestion() {
        for known in READ.iter().chain(&UNUSED).chain(NOT_OFFERED.iter().map(|(name, ..)| name)) {
            let dropped = format!("{}{}", &known[..3], &known[4..]);
            let doubled = format!("{known}s");
            let dashed = known.replace('_', "-");
            let shouted = known.to_uppercase();
            for slip in [dropped, doubled, dashed, shouted] {
                if slip == **known || slip == "client_ur" {
                    continue;
                }
                let said = check(&format!("{{\"{slip}\":\"x\"}}")).expect_err(&slip);
                assert!(
                    said.contains("is not a member") && said.contains("did you mean"),
                    "{slip}: {said}"
                );
            }
        }
        let strange = check("{\"favourite_colour\":\"blue\"}").unwrap_err();
        assert!(!strange.contains("did you mean"), "{strange}");
    }

    #[test]
    fn an_unsupported_member_is_refused_unless_its_value_is_neutral() {
        for (name, usual, why) in NOT_OFFERED {
            for value in usual.iter().map(|value| value.to_string()).chain(["null".into()]) {
                let value = if value == "public" { "\"public\"".to_owned() } else { value };
                assert_eq!(check(&format!("{{\"{name}\":{value}}}")), Ok(Vec::new()), "{name}");
            }
            assert_eq!(
                check(&format!("{{\"{name}\":\"anything else\"}}")),
                Err(format!("{name}: {why}"))
            );
        }
        assert_eq!(
            check("{\"client_name#de\":\"Bank\",\"contacts\":[]}").unwrap(),
            ["client_name", "contacts"]
        );
        assert!(check("{\"client_id\":\"a\",\"client_id\":\"b\"}").unwrap_err().contains("twice"));
    }
}
