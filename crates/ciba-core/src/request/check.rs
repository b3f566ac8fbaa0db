//! The checks of a request before it is sent.

use alloc::{string::String, vec::Vec};

use super::{AuthRequest, Hint, RequestError, signed_claims, subject_of};
use crate::{
    client::{ClientConfig, MessageRule, header_fault},
    expect::{Check, Presence},
    json::{Object, Raw},
    person,
    profile::Profile,
    time::Timestamp,
    wire::{metadata::DeliveryMode, number},
};

/// Parameters that callers cannot add: those of CIBA Core 7.1 and its extensions that have a method
/// of their own, those of client authentication and of the token request, and those with a meaning
/// only at the authorization endpoint.
// REQ-AREQ-24, REQ-AREQ-29. Registered claims are included because a signed request contains them.
pub(super) const RESERVED_PARAMETERS: [&str; 34] = [
    "scope",
    "client_notification_token",
    "acr_values",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
    "authorization_details",
    "resource",
    "request",
    "request_uri",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "auth_req_id",
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "response_type",
    "response_mode",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "code_verifier",
];

impl AuthRequest {
    /// Checks whether this client can send the request to this provider now.
    pub(crate) fn check(&self, config: &ClientConfig, now: Timestamp) -> Result<(), RequestError> {
        // The provider would refuse the request without saying that the secret has expired.
        if config.auth.secret().is_some() && config.secret_expires_at.is_some_and(|end| end <= now)
        {
            return Err(RequestError::SecretExpired);
        }
        // The hint comes first: the other rules depend on the person whom it names.
        self.check_hint(config)?;
        self.check_scope()?;
        self.check_person(config)?;
        // The parameter is space-separated, so a value with a space would become two.
        if !self.acr_values.iter().all(|value| is_word(value)) {
            return refuse("acr_values", "a value is empty or has a space or control character");
        }
        if self
            .binding_message
            .as_ref()
            // Refused and not removed: the person compares this message with what the device shows
            // (REQ-AERR-10).
            .is_some_and(|message| message.chars().any(char::is_control))
        {
            return refuse("binding_message", "it has a control character");
        }
        // Before the rule of the provider, because the eID gives the more specific reason.
        let by_eid = config.persons.eid_messages.then(|| self.eids(config));
        let reason =
            by_eid.and_then(|eids| person::against_message(eids, self.shown_binding_message()));
        let reason = reason
            .or_else(|| config.request_style.binding_message.against(self.shown_binding_message()));
        if let Some(reason) = reason {
            return refuse("binding_message", reason);
        }
        // The rule of a typed request, which applies under every configuration.
        match (self.message_rule, self.shown_binding_message()) {
            (MessageRule::Required, None) => {
                return refuse("binding_message", "this eID requires one");
            }
            (MessageRule::Refused, Some(_)) => {
                return refuse("binding_message", "this eID accepts none");
            }
            (MessageRule::Free | MessageRule::Required | MessageRule::Refused, _) => {}
        }
        // The code is a secret of the person, so it is not sent where it is not expected.
        if self.user_code.is_some() && !config.user_codes {
            return refuse("user_code", "the client is not configured for user codes");
        }
        if self
            // The parameter is a whole number of seconds; a fraction would be dropped silently.
            .requested_expiry
            .is_some_and(|lifetime| lifetime.is_zero() || lifetime.subsec_nanos() != 0)
        {
            return refuse("requested_expiry", "it is not a positive whole number of seconds");
        }
        self.check_details(config)?;
        if !self.resources.iter().all(|uri| is_absolute_uri(uri)) {
            return refuse("resource", "it is not an absolute URI without a fragment");
        }
        self.check_extra(config)?;
        self.check_context(config)?;
        self.check_headers(config)
    }

    fn check_hint(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let name = self.hint_name();
        let value = match &self.hint {
            Hint::Login(hint) => hint.expose(),
            Hint::LoginToken(token) => token.expose(),
            Hint::IdToken(token) => token.expose(),
        };
        if value.is_empty() {
            return refuse(name, "it is empty");
        }
        match &self.hint {
            Hint::Login(hint) if self.is_by_number(config) => {
                return person::against_hint(hint).map_or(Ok(()), |reason| refuse(name, reason));
            }
            Hint::Login(_) | Hint::LoginToken(_) => return Ok(()),
            Hint::IdToken(_) => {}
        }
        // Only the signed token inside has an issuer and a subject that can be compared.
        if value.split('.').count() == 5 {
            return refuse(name, "it is encrypted; send the signed token inside it");
        }
        let Some(mut claims) = signed_claims(value) else {
            return refuse(name, "it is not a signed ID Token");
        };
        // Expiry and signature are not checked: an old token is a good hint, and keys change
        // (REQ-AREQ-11).
        if claims.take("iss").and_then(Raw::text).as_deref() != Some(config.issuer.as_str()) {
            return refuse(name, "it is of another issuer");
        }
        let is_us = |value: Raw<'_>| value.text().as_deref() == Some(config.client_id.as_str());
        // `aud` is a string or an array of strings (RFC 7519 section 4.1.3).
        let is_for_us = |audience: Raw<'_>| match audience.items() {
            Some(mut audiences) => audiences.any(is_us),
            None => is_us(audience),
        };
        if !claims.take("aud").is_some_and(is_for_us) {
            return refuse(name, "it is for another client");
        }
        match (subject_of(&mut claims), &self.expectations.subject) {
            (None, _) => refuse(name, "it has no subject"),
            // No token could meet both, so the person is not prompted.
            (Some(hinted), Some(expected)) if hinted != *expected => {
                refuse(name, "another subject is expected")
            }
            (Some(_), _) => Ok(()),
        }
    }

    const fn hint_name(&self) -> &'static str {
        match &self.hint {
            Hint::Login(_) => "login_hint",
            Hint::LoginToken(_) => "login_hint_token",
            Hint::IdToken(_) => "id_token_hint",
        }
    }

    fn check_scope(&self) -> Result<(), RequestError> {
        let is_token = |value: &String| {
            value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        // RFC 6749 section 3.3. A space would add a second scope value.
        if !self.scope.iter().all(is_token) {
            return refuse("scope", "it has a character that is not allowed");
        }
        if !self.openid && self.names_openid() {
            return refuse("scope", "it has openid, but the request was made without openid");
        }
        Ok(())
    }

    /// Rejects expectations that only an ID Token can meet if none is required, and a required
    /// comparison of the person if there is nothing to compare.
    // Ruling 25.
    fn check_person(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let expected = self.effective_expectations(config);
        let asks_for_claims =
            ["nonce", "max_age"].iter().any(|name| self.extra_value(name).is_some());
        let needs_an_id_token = self.expectations.need_an_id_token()
            || self.eid == Some(Check::Require)
            || asks_for_claims
            || expected.name_a_person()
            || expected.person.is_some();
        if !self.openid && config.delivery == DeliveryMode::Push {
            return refuse(
                "scope",
                "it lacks openid, and only an ID Token binds pushed tokens to their request",
            );
        }
        if !self.openid && needs_an_id_token {
            return refuse(
                "scope",
                "it lacks openid, but something is expected that only an ID Token shows",
            );
        }
        // Reported before the prompt: the check could only fail after the person had approved.
        if expected.person == Some(Presence::Required) && !expected.name_a_person() {
            return refuse(
                self.hint_name(),
                "the person must be compared, but no ID Token repeats this hint",
            );
        }
        Ok(())
    }

    /// Checks `authorization_details` (RFC 9396 sections 2 and 10).
    fn check_details(&self, config: &ClientConfig) -> Result<(), RequestError> {
        const NAME: &str = "authorization_details";
        if self.details_json.is_some() && !self.details.is_empty() {
            return refuse(NAME, "it is given both as objects and as JSON text");
        }
        let text = self.details_text();
        let details: Vec<Raw<'_>> =
            Raw::parse(&text).and_then(Raw::items).into_iter().flatten().collect();
        if details.is_empty() && (self.details_json.is_some() || !text.is_empty()) {
            return refuse(NAME, "it is not a JSON array of objects, or an empty one");
        }
        for detail in details {
            // Parsers disagree on which of two members with the same name counts.
            let Ok(mut detail) = Object::parse(detail.json().as_bytes()) else {
                return refuse(
                    NAME,
                    "it contains something other than objects with unique member names",
                );
            };
            let Some(r#type) =
                detail.take_text("type").ok().flatten().filter(|name| !name.is_empty())
            else {
                return refuse(NAME, "an object has no type");
            };
            let listed = |types: &Vec<String>| types.contains(&r#type);
            if !config.authorization_details_types.as_ref().is_none_or(listed) {
                return refuse(
                    NAME,
                    "the provider does not list the type in authorization_details_types_supported",
                );
            }
        }
        Ok(())
    }

    fn check_extra(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &self.extra {
            if name.is_empty() {
                return refuse("extra", "a parameter has no name");
            }
            // Some servers compare names case-insensitively.
            let is_named = |known: &&str| known.eq_ignore_ascii_case(name);
            // Reserved only where the preset itself writes this parameter.
            let is_expiry = config.request_style.request_expiry && is_named(&"request_expiry");
            if is_expiry || RESERVED_PARAMETERS.iter().any(is_named) {
                return refuse(name, "the protocol's own parameters cannot be added as extra ones");
            }
            // A form has no `null`, so it would be sent as text.
            if value.is_null() {
                return refuse(name, "it is null; leave it out instead");
            }
            if seen.iter().any(is_named) {
                return refuse(name, "it is given twice");
            }
            seen.push(name);
        }
        // It becomes an expectation, so it must be readable.
        if self.extra_value("max_age").is_some_and(|age| number::digits(age).is_none()) {
            return refuse("max_age", "it is not a whole number of seconds");
        }
        match (self.extra_value("nonce"), &self.expectations.nonce) {
            // The ID Token can return only one of them.
            (Some(sent), Some(expected)) if sent != expected.as_str() => {
                refuse("nonce", "another one is expected")
            }
            _ => Ok(()),
        }
    }

    /// Checks that a FAPI request is unique or contains something that both devices show, and that
    /// it requests `openid`.
    // REQ-FAPI-05
    fn check_context(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let broken = |clause, reason| Err(RequestError::Profile { clause, reason });
        match config.profile {
            Profile::Plain => Ok(()),
            Profile::FapiCiba(_) if !self.openid => {
                broken("CIBA 7.1", "it does not request openid")
            }
            Profile::FapiCiba(_)
                if self.shown_binding_message().is_none()
                    && !self.has_details()
                    && !self.unique_context =>
            {
                broken(
                    "FAPI-CIBA 5.2.2 item 2",
                    "it has neither a binding message nor authorization_details, and is not stated to be unique",
                )
            }
            Profile::FapiCiba(_) => Ok(()),
        }
    }

    fn check_headers(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let is_fapi = matches!(config.profile, Profile::FapiCiba(_));
        for (name, value) in &self.headers {
            if let Some(reason) = header_fault(name, value, is_fapi) {
                return Err(RequestError::Header { name: name.clone(), reason });
            }
        }
        Ok(())
    }
}

fn refuse(name: &str, reason: &'static str) -> Result<(), RequestError> {
    Err(RequestError::Parameter { name: name.into(), reason })
}

fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether a string is an absolute URI without a fragment (RFC 3986 section 4.3, RFC 8707 section 2).
fn is_absolute_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        // Excludes `#`, which begins a fragment, and what no URI contains (RFC 3986 appendix A).
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte))
}
