//! The authentication request (CIBA Core 7.1): its parameters and the expectations of the result.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, time::Duration};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    client::{ClientConfig, MessageRule},
    crypto::entropy::Entropy,
    expect::{AcrRule, Check, Expectations, ExpectedEid, Presence},
    granted::Requested,
    jose::base64url,
    json::Object,
    person::{self, ExpectedPerson},
    profile::Profile,
    secret::{CompactIdToken, LoginHint, LoginHintToken, UserCode},
    time::Timestamp,
    wire::number,
};

mod check;
mod error;
mod parameters;
mod saved;
#[cfg(test)]
mod tests;

pub use error::RequestError;
pub(crate) use parameters::ParameterValue;
pub(crate) use saved::SavedRequest;

/// A hint that identifies the person to authenticate. A request has exactly one ([CIBA Core 7.1]).
///
/// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
// REQ-AREQ-07
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// `login_hint`, which is sent unchanged.
    // REQ-AREQ-08
    Login(LoginHint),
    /// `login_hint_token`, which is sent unchanged.
    // REQ-AREQ-09
    LoginToken(LoginHintToken),
    /// `id_token_hint`: a signed ID Token of this issuer for this client, which may have expired.
    // REQ-AREQ-10, REQ-AREQ-11
    IdToken(CompactIdToken),
}

/// An authentication request.
///
/// It is checked by [`Flow::start`](crate::Flow::start), which reports an invalid request before
/// anything is sent.
///
/// Parameters with an empty value are not sent. `Debug` shows no values that could be secrets or
/// personal data.
// REQ-AREQ-05
#[derive(Clone)]
#[must_use = "a request is sent by a flow"]
pub struct AuthRequest {
    hint: Hint,
    openid: bool,
    scope: Vec<String>,
    acr_values: Vec<String>,
    binding_message: Option<String>,
    message_rule: MessageRule,
    user_code: Option<UserCode>,
    requested_expiry: Option<Duration>,
    details: Vec<AuthorizationDetail>,
    details_json: Option<String>,
    resources: Vec<String>,
    extra: Vec<(String, ExtraValue)>,
    unique_context: bool,
    headers: Vec<(String, String)>,
    /// Whether a difference between what was requested and what was granted is a failure.
    require_granted: bool,
    /// Whether a hint `sub:ssn:N` names a person by number even if the configuration does not say
    /// so.
    by_number: bool,
    /// Whether `authenticationtype` is compared with the eID. The configuration decides if this is
    /// `None`.
    eid: Option<Check>,
    expectations: Expectations,
}

impl AuthRequest {
    /// Creates a request for the scope `openid`.
    pub fn new(hint: Hint) -> Self {
        Self {
            hint,
            openid: true,
            scope: Vec::new(),
            acr_values: Vec::new(),
            binding_message: None,
            message_rule: MessageRule::Free,
            user_code: None,
            requested_expiry: None,
            details: Vec::new(),
            details_json: None,
            resources: Vec::new(),
            extra: Vec::new(),
            unique_context: false,
            headers: Vec::new(),
            require_granted: false,
            by_number: false,
            eid: None,
            expectations: Expectations::default(),
        }
    }

    /// Creates a request with a `login_hint`, for example an account name or a telephone number
    /// ([CIBA Core 7.1](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_request)).
    pub fn login(hint: impl Into<LoginHint>) -> Self {
        Self::new(Hint::Login(hint.into()))
    }

    /// Creates a request with a `login_hint_token`.
    pub fn login_hint_token(token: impl Into<LoginHintToken>) -> Self {
        Self::new(Hint::LoginToken(token.into()))
    }

    /// Creates a request with an `id_token_hint`: an ID Token that this issuer issued to this
    /// client earlier.
    pub fn id_token_hint(token: impl Into<CompactIdToken>) -> Self {
        Self::new(Hint::IdToken(token.into()))
    }

    /// Adds space-separated scope values ([CIBA Core 7.1], [RFC 6749 section 3.3]).
    ///
    /// `openid` is sent first unless it is listed here. Repeated values are sent once.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    /// [RFC 6749 section 3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    // REQ-AREQ-06
    pub fn scope(mut self, scope: &str) -> Self {
        for value in scope.split(' ').filter(|value| !value.is_empty()) {
            if !self.scope.iter().any(|known| known == value) {
                self.scope.push(value.into());
            }
        }
        self
    }

    /// Makes a plain OAuth request without `openid`, as providers such as those of CAMARA expect.
    ///
    /// The response then need not contain an ID Token. If there is one, it is verified as usual.
    // Ruling 5.
    pub const fn without_openid(mut self) -> Self {
        self.openid = false;
        self
    }

    /// Sets `acr_values`, in order of preference ([CIBA Core 7.1]). The `acr` claim is compared with
    /// them.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    // REQ-AREQ-19
    pub fn acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets `binding_message`, a short text that is shown on both devices ([CIBA Core 7.1]).
    ///
    /// Providers restrict its length and characters in different ways; see
    /// [`ClientConfigBuilder::binding_messages`](crate::ClientConfigBuilder::binding_messages).
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    // REQ-AREQ-20
    pub fn binding_message(mut self, message: impl Into<String>) -> Self {
        self.binding_message = Some(message.into());
        self
    }

    /// Sets `user_code`, for clients that are registered for it ([CIBA Core 7.1.2]).
    ///
    /// It is never saved, so ask the person for it for every request.
    ///
    /// [CIBA Core 7.1.2]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.2
    pub fn user_code(mut self, code: UserCode) -> Self {
        self.user_code = Some(code);
        self
    }

    /// Sets `requested_expiry` in whole seconds, at least one ([CIBA Core 7.1]).
    ///
    /// The provider may ignore it; the lifetime in the acknowledgement applies.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    pub const fn requested_expiry(mut self, lifetime: Duration) -> Self {
        self.requested_expiry = Some(lifetime);
        self
    }

    /// Adds an object to `authorization_details` ([RFC 9396]). Can be called repeatedly.
    ///
    /// [RFC 9396]: https://www.rfc-editor.org/rfc/rfc9396
    pub fn authorization_detail(mut self, detail: AuthorizationDetail) -> Self {
        self.details.push(detail);
        self
    }

    /// Sets the complete `authorization_details` as the text of a JSON array, which is sent
    /// unchanged. Cannot be combined with [`Self::authorization_detail`].
    pub fn authorization_details_json(mut self, json: impl Into<String>) -> Self {
        self.details_json = Some(json.into());
        self
    }

    /// Adds a `resource`, an absolute URI without a fragment ([RFC 8707 section 2]). Can be called
    /// repeatedly.
    ///
    /// [RFC 8707 section 2]: https://www.rfc-editor.org/rfc/rfc8707#section-2
    pub fn resource(mut self, uri: impl Into<String>) -> Self {
        self.resources.push(uri.into());
        self
    }

    /// Sets expectations of the ID Token beyond those of the specification.
    ///
    /// They are merged with earlier ones, so that the checks of a preset are kept: expected claims
    /// are combined, and for everything else the last value counts.
    pub fn expecting(mut self, expectations: Expectations) -> Self {
        self.expectations = expectations.after(self.expectations);
        self
    }

    /// Sets whether the person must be compared, like [`Expectations::person`]. The last value
    /// counts.
    pub fn person_check(self, presence: Presence) -> Self {
        self.expecting(Expectations::new().person(presence))
    }

    /// Rejects a response that does not show that the named person approved. This is
    /// [`Expectations::person`] with [`Presence::Required`].
    pub fn require_person(self) -> Self {
        self.person_check(Presence::Required)
    }

    /// Rejects a response that grants something other than what was requested; see
    /// [`Difference`](crate::evidence::Difference).
    ///
    /// Use it for payments, for example: a provider that ignores `authorization_details` did not
    /// show the amount to the person.
    pub const fn require_granted(mut self) -> Self {
        self.require_granted = true;
        self
    }

    /// Adds a parameter that the protocol does not define ([CIBA Core 7.1]).
    ///
    /// Parameters that the protocol defines, and those of client authentication and of the
    /// authorization endpoint, are rejected. `nonce` and `max_age` are allowed, and the
    /// corresponding claims are checked.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    // REQ-AREQ-24, REQ-AREQ-29
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra.push((name.into(), ExtraValue::Text(value.into())));
        self
    }

    /// Like [`Self::extra`], for a parameter that is defined as a number, array or object, such as
    /// `request_context` of FAPI-CIBA.
    ///
    /// A form contains its JSON text, a signed request the JSON value ([CIBA Core 7.1.1]). `null` is
    /// rejected.
    ///
    /// [CIBA Core 7.1.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.1
    // REQ-SIGN-01
    pub fn extra_json(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.push((name.into(), ExtraValue::new(&value.into())));
        self
    }

    /// States that the parameters of this request distinguish it from every other, so that it needs
    /// no binding message ([FAPI-CIBA 5.2.2], item 2). This is not sent.
    ///
    /// [FAPI-CIBA 5.2.2]: https://openid.net/specs/openid-financial-api-ciba-ID1.html#rfc.section.5.2.2
    // REQ-FAPI-05
    pub const fn unique_context(mut self) -> Self {
        self.unique_context = true;
        self
    }

    /// Adds a header field to the request, for example `Prefer`. Fields that belong to the protocol
    /// or to HTTP are rejected.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the hint.
    #[must_use]
    pub const fn hint(&self) -> &Hint {
        &self.hint
    }

    /// Sets whether the requested eID accepts a binding message.
    pub(crate) const fn message_rule(mut self, rule: MessageRule) -> Self {
        self.message_rule = rule;
        self
    }

    /// Compares number and eID with the rules of Idura, under any configuration.
    pub(crate) const fn named_by_number(mut self, by_number: bool) -> Self {
        self.by_number = by_number;
        self
    }

    /// Sets how the eID is compared, under any configuration.
    pub(crate) const fn eid_check(mut self, check: Check) -> Self {
        self.eid = Some(check);
        self
    }

    /// Returns the binding message to show on this device as well.
    // REQ-SEC-13
    #[must_use]
    pub fn shown_binding_message(&self) -> Option<&str> {
        // An empty message is not sent, so the person could not compare it.
        self.binding_message.as_deref().filter(|message| !message.is_empty())
    }

    /// Returns the header fields added by the caller.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Returns the requested scope, in the order given.
    pub(crate) fn scope_text(&self) -> String {
        let openid = (self.openid && !self.names_openid()).then_some("openid");
        let scope: Vec<&str> =
            openid.into_iter().chain(self.scope.iter().map(String::as_str)).collect();
        scope.join(" ")
    }

    /// Returns what the response is compared with.
    // Ruling 41.
    pub(crate) fn requested(&self, config: &ClientConfig) -> Requested {
        let details = self.details_text();
        // Some providers act on the details without returning them, so a difference would be a
        // false alarm.
        let are_granted = !details.is_empty() && !config.request_style.details_are_not_granted;
        Requested {
            scope: self.scope_text(),
            details: are_granted.then(|| details.into_owned()),
            resources: self.resources.clone(),
            required: self.require_granted || config.request_style.require_granted,
        }
    }

    /// Whether an ID Token is required.
    // Ruling 5.
    pub(crate) const fn wants_id_token(&self) -> bool {
        self.openid
    }

    /// Returns the expectations of an ID Token that answers this request, for
    /// [`ClientConfig::validate_id_token`]. A flow does this itself.
    #[must_use]
    pub fn expectations(&self, config: &ClientConfig) -> Expectations {
        self.effective_expectations(config)
    }

    /// Combines the expectations of the caller, of the parameters and of the registration.
    // REQ-META-22, REQ-AREQ-19, REQ-IDT-16, REQ-IDT-23, REQ-IDT-25
    pub(crate) fn effective_expectations(&self, config: &ClientConfig) -> Expectations {
        let mut expectations = self.expectations.clone();
        // What the caller expects explicitly takes precedence over what follows from parameters.
        if expectations.acr_values.is_empty() {
            expectations.acr_values = self.eids(config).to_vec();
        }
        self.expect_eid(config, &mut expectations);
        if expectations.nonce.is_none() {
            expectations.nonce = self.extra_value("nonce").map(Into::into);
        }
        // `check_extra` rejects a value that is not a number.
        let asked = self.extra_value("max_age").and_then(number::digits).map(Duration::from_secs);
        expectations.max_age =
            // The shorter one, because each of them was asked for.
            expectations.max_age.into_iter().chain(asked.or(config.registered.max_age)).min();
        expectations.acr = expectations.acr.or(config.id_token.acr);
        // A requested `acr` must be returned (FAPI-CIBA 5.2.3.1 item 3, REQ-FAPI-06).
        if matches!(config.profile, Profile::FapiCiba(_)) && !expectations.acr_values.is_empty() {
            expectations.acr = Some(AcrRule::Require);
        }
        // A request can add this check but not remove a registered one.
        expectations.auth_time_required |= config.registered.require_auth_time;
        // The hint names the person, so the result must be about the same one (REQ-IDT-16).
        if let (None, Hint::IdToken(token)) = (&expectations.subject, &self.hint) {
            expectations.subject = signed_claims(token.expose()).as_mut().and_then(subject_of);
        }
        // After everything that a request can set, because no request may relax it.
        if config.persons.required {
            expectations.person = Some(Presence::Required);
        }
        expectations.by_number = self
            .number(config)
            .map(|number| ExpectedPerson::new(number, self.eids(config), expectations.person));
        expectations
    }

    /// Returns the `acr_values` that count as requested.
    fn eids<'a>(&'a self, config: &'a ClientConfig) -> &'a [String] {
        // OIDC Registration 2: the registered values are defaults, so a request replaces them.
        if self.acr_values.is_empty() { &config.registered.acr_values } else { &self.acr_values }
    }

    /// Whether a login hint `sub:ssn:N` names a person by number.
    // Ruling 24.
    const fn is_by_number(&self, config: &ClientConfig) -> bool {
        self.by_number || config.persons.by_number
    }

    /// Returns the number that names the person.
    fn number(&self, config: &ClientConfig) -> Option<&str> {
        match &self.hint {
            Hint::Login(hint) if self.is_by_number(config) => person::hinted_number(hint),
            Hint::Login(_) | Hint::LoginToken(_) | Hint::IdToken(_) => None,
        }
    }

    /// Adds the expectation of the eID. If it is compared, `acr` need not equal a requested value,
    /// because it may refine one.
    fn expect_eid(&self, config: &ClientConfig, expectations: &mut Expectations) {
        let check = match self.eid {
            Some(check) => check,
            None if config.persons.eid_claim => Check::default(),
            None => return,
        };
        let presence = match check {
            Check::IfPresent => Some(Presence::IfPresent),
            Check::Require => Some(Presence::Required),
            Check::Off => None,
        };
        let values = self.eids(config).to_vec();
        // Without requested values, there is nothing to compare the eID with.
        if !values.is_empty() {
            expectations.eid = presence.map(|presence| ExpectedEid { values, presence });
            expectations.acr = expectations.acr.or(Some(AcrRule::Report));
        }
    }

    /// Returns the requested lifetime.
    pub(crate) const fn requested_lifetime(&self) -> Option<Duration> {
        self.requested_expiry
    }

    /// Identifies the person that the request prompts: the kind of the hint, and a string that is
    /// the same for all spellings of one number.
    pub(crate) fn person(&self, config: &ClientConfig, now: Timestamp) -> (u8, Zeroizing<String>) {
        // The letter separates the kinds of hints: equal strings of two kinds may name two persons.
        let (kind, text) = match (&self.hint, self.number(config)) {
            (Hint::Login(_), Some(number)) => (b'n', person::in_one_spelling(number, now)),
            (Hint::Login(hint), None) => (b'l', hint.expose().into()),
            (Hint::LoginToken(token), _) => (b't', token.expose().into()),
            (Hint::IdToken(token), _) => (b'i', token.expose().into()),
        };
        // Hints and national ids are personal data, so the copy is wiped.
        (kind, Zeroizing::new(text))
    }

    fn names_openid(&self) -> bool {
        self.scope.iter().any(|value| value == "openid")
    }

    /// Returns the text of an extra parameter.
    fn extra_value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.extra.iter().find(|(known, _)| known == name)?;
        let (ExtraValue::Text(text) | ExtraValue::Json(text)) = value;
        Some(text.as_str()).filter(|text| !text.is_empty())
    }

    const fn has_details(&self) -> bool {
        self.details_json.is_some() || !self.details.is_empty()
    }

    fn details_text(&self) -> Cow<'_, str> {
        match &self.details_json {
            Some(text) => text.into(),
            None if self.details.is_empty() => "".into(),
            None => {
                let details: Value = self.details.iter().map(|detail| detail.0.clone()).collect();
                alloc::format!("{details}").into()
            }
        }
    }
}

/// The value of an extra parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ExtraValue {
    Text(String),
    /// JSON text, for a value that is not a string.
    // Kept as text from the start, so that no name in it can have a special meaning when a saved
    // request is read (ruling 28).
    Json(String),
}

impl ExtraValue {
    fn new(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            other => Self::Json(alloc::format!("{other}")),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Json(json) if json == "null")
    }
}

/// Returns a short code for [`AuthRequest::binding_message`]: six letters that are hard to confuse,
/// to show on this device and compare with those on the other.
// REQ-AREQ-20
#[must_use]
pub fn binding_code(entropy: Entropy) -> String {
    // Sixteen, so that four random bits select one without bias.
    const LETTERS: [char; 16] =
        ['A', 'C', 'D', 'E', 'F', 'H', 'J', 'K', 'M', 'N', 'P', 'R', 'T', 'W', 'X', 'Y'];
    let bytes = entropy.into_bytes();
    bytes.iter().take(6).filter_map(|byte| LETTERS.get(usize::from(byte & 0x0f))).collect()
}

/// Reads the claims of a compact JWS without verifying it. They are only used to check a hint that is
/// sent back to its issuer.
fn signed_claims(compact: &str) -> Option<Object> {
    let mut parts = compact.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    // Five parts are an encrypted token, any other number is no token.
    if parts.next().is_some() {
        return None;
    }
    Object::parse(&base64url::decode(payload)?).ok()
}

fn subject_of(claims: &mut Object) -> Option<String> {
    claims.take_text("sub").ok().flatten().filter(|subject| !subject.is_empty())
}

impl fmt::Debug for AuthRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only these: the other parameters may contain personal data.
        f.debug_struct("AuthRequest")
            .field("hint", &self.hint)
            .field("scope", &self.scope_text())
            .field("acr_values", &self.acr_values)
            .finish_non_exhaustive()
    }
}

/// An object of `authorization_details` ([RFC 9396 section 2]). `Debug` shows only its type.
///
/// [RFC 9396 section 2]: https://www.rfc-editor.org/rfc/rfc9396#section-2
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationDetail(Map<String, Value>);

impl AuthorizationDetail {
    /// Creates an object of the given type.
    #[must_use]
    pub fn new(r#type: impl Into<String>) -> Self {
        let mut members = Map::new();
        members.insert("type".into(), Value::String(r#type.into()));
        Self(members)
    }

    /// Sets a member.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }
}

impl fmt::Debug for AuthorizationDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationDetail")
            .field("type", &self.0.get("type"))
            .finish_non_exhaustive()
    }
}
