//! What a caller expects of the ID Token beyond the specification's own checks. Data, so that a snapshot can hold it.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, time::Duration};

use crate::{error::Untrusted, jose::scalar::Scalar, secret::ExpectedText};

/// Expectations of one request; part of the snapshot until the flow is settled.
///
/// They run after all standard checks, and one that is not met suppresses the tokens like any other (REQ-IDT-39).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The `acr` values asked for, and how strictly they are held to.
    pub(crate) acr_values: Vec<String>,
    pub(crate) acr: Option<AcrRule>,
    /// The oldest acceptable `auth_time`; makes the claim mandatory (REQ-IDT-25).
    pub(crate) max_age: Option<Duration>,
    /// Whether `auth_time` has to be there (REQ-META-22).
    pub(crate) auth_time_required: bool,
    /// The only acceptable `sub` (REQ-IDT-16, REQ-IDT-17).
    pub(crate) subject: Option<String>,
    /// The `nonce` that was sent as an extension parameter (REQ-IDT-23).
    pub(crate) nonce: Option<String>,
    pub(crate) claims: Vec<ExpectedClaim>,
}

/// How the `acr` claim is held to the values asked for (REQ-IDT-24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AcrRule {
    /// When present it must be one of them.
    #[default]
    IfPresent,
    /// It must be present and one of them.
    Require,
    /// It is reported and never a reason to refuse.
    Report,
}

/// Whether a claim has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Checked when it is there.
    IfPresent,
    /// It has to be there.
    Required,
}

/// One claim and the text it has to have. `Debug` does not show the text: it may be a national id.
#[derive(Clone, PartialEq, Eq)]
pub struct ExpectedClaim {
    pub(crate) name: String,
    pub(crate) text: ExpectedText,
    pub(crate) matching: Matching,
    pub(crate) presence: Presence,
    /// The check that fails.
    pub(crate) check: Untrusted,
}

/// How a claim's text is compared. A number or a boolean is compared as JSON writes it; a list or an object never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// Equal, byte for byte.
    Equal,
    /// Equal, or the expected text followed by `:` and more: `urn:grn:authn:no:bankid:high` refines `urn:grn:authn:no:bankid`.
    EqualOrRefined,
}

impl Expectations {
    /// Nothing beyond the specification's own checks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds `acr` to these values instead of those the request asks for (REQ-IDT-24). Empty texts are left out.
    #[must_use]
    pub fn acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.acr_values.extend(values.into_iter().map(Into::into).filter(|value| !value.is_empty()));
        self
    }

    /// How strictly `acr` is held to the values asked for. [`AcrRule::Require`] without any value asks for presence.
    #[must_use]
    pub const fn acr(mut self, rule: AcrRule) -> Self {
        self.acr = Some(rule);
        self
    }

    /// The person was authenticated at most this long before the answer arrived; `auth_time` has to be there then
    /// (REQ-IDT-25). The configured clock tolerance is added.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// `auth_time` has to be there, as for a client registered with `require_auth_time` (REQ-META-22).
    #[must_use]
    pub const fn require_auth_time(mut self) -> Self {
        self.auth_time_required = true;
        self
    }

    /// The only acceptable `sub` (REQ-IDT-17). With an `id_token_hint` its own `sub` is expected without saying so.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The `nonce` that was sent as an extension parameter; it has to come back (REQ-IDT-23). Without this a token with
    /// a `nonce` is refused.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// A claim that has to be there with this text.
    #[must_use]
    pub fn claim(self, name: impl Into<String>, text: impl Into<ExpectedText>) -> Self {
        self.claim_with(name, text, Matching::Equal, Presence::Required)
    }

    /// A claim that is compared as told.
    #[must_use]
    pub fn claim_with(
        self,
        name: impl Into<String>,
        text: impl Into<ExpectedText>,
        matching: Matching,
        presence: Presence,
    ) -> Self {
        self.expect(name.into(), text.into(), matching, presence, Untrusted::ExpectedClaim)
    }

    /// As [`Self::claim_with`], failing as a check of its own.
    pub(crate) fn expect(
        mut self,
        name: String,
        text: ExpectedText,
        matching: Matching,
        presence: Presence,
        check: Untrusted,
    ) -> Self {
        self.claims.push(ExpectedClaim { name, text, matching, presence, check });
        self
    }

    /// Earlier expectations and then these: what is not said anew stays, and so do all expected claims.
    pub(crate) fn after(self, earlier: Self) -> Self {
        Self {
            acr_values: if self.acr_values.is_empty() { earlier.acr_values } else { self.acr_values },
            acr: self.acr.or(earlier.acr),
            max_age: self.max_age.or(earlier.max_age),
            auth_time_required: self.auth_time_required || earlier.auth_time_required,
            subject: self.subject.or(earlier.subject),
            nonce: self.nonce.or(earlier.nonce),
            claims: earlier.claims.into_iter().chain(self.claims).collect(),
        }
    }

    /// Whether they cannot be met without an ID Token.
    pub(crate) fn need_an_id_token(&self) -> bool {
        self.subject.is_some()
            || self.nonce.is_some()
            || self.max_age.is_some()
            || self.auth_time_required
            || self.acr == Some(AcrRule::Require)
            || self.claims.iter().any(|expected| expected.presence == Presence::Required)
    }

    /// Every expected claim, in order.
    pub(crate) fn check<'a, 'b: 'a>(&self, claim: impl Fn(&str) -> Option<&'a Scalar<'b>>) -> Result<(), Untrusted> {
        self.claims.iter().try_for_each(|expected| match expected.accepts(claim(&expected.name)) {
            true => Ok(()),
            false => Err(expected.check),
        })
    }
}

impl ExpectedClaim {
    fn accepts(&self, claim: Option<&Scalar<'_>>) -> bool {
        match claim {
            None | Some(Scalar::Null) => self.presence == Presence::IfPresent,
            Some(Scalar::Text(text)) => self.matches(text),
            Some(Scalar::Bool(value)) => self.matches(&value.to_string()),
            Some(Scalar::Whole(value)) => self.matches(&value.to_string()),
            Some(Scalar::Negative(value)) => self.matches(&value.to_string()),
            Some(Scalar::Fraction(_) | Scalar::Texts(_) | Scalar::Other) => false,
        }
    }

    fn matches(&self, text: &str) -> bool {
        let expected = self.text.expose();
        match self.matching {
            Matching::Equal => text == expected,
            Matching::EqualOrRefined => {
                text.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
        }
    }
}

impl fmt::Debug for ExpectedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedClaim").field("name", &self.name).field("check", &self.check).finish_non_exhaustive()
    }
}

impl fmt::Debug for Expectations {
    /// Subject and nonce are told by their presence only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectations")
            .field("acr_values", &self.acr_values)
            .field("acr", &self.acr)
            .field("max_age", &self.max_age)
            .field("auth_time_required", &self.auth_time_required)
            .field("subject", &self.subject.is_some())
            .field("nonce", &self.nonce.is_some())
            .field("claims", &self.claims)
            .finish()
    }
}
