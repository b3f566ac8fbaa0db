//! Expectations of the ID Token beyond the checks of the specification. They are plain data, so that
//! a snapshot can contain them.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, time::Duration};

mod rules;
mod saved;

pub(crate) use rules::is_or_refines;
pub use rules::{AcrRule, Check, Matching, Presence};
pub(crate) use saved::SavedExpectations;

use crate::{
    fault::{Expected, Rejection, Untrusted},
    jose::scalar::Scalar,
    person::{ComparedBy, ExpectedPerson, NotCompared, Person},
    secret::ExpectedText,
    time::Timestamp,
};

/// The expectations of one request about its ID Token.
///
/// They are checked after all standard checks. If one is not met, the tokens are withheld, as for
/// any other failed check. They are part of the snapshot until the flow ends.
// REQ-IDT-39
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The requested `acr` values.
    pub(crate) acr_values: Vec<String>,
    pub(crate) acr: Option<AcrRule>,
    /// The maximum age of `auth_time`. Setting it makes the claim mandatory.
    // REQ-IDT-25
    pub(crate) max_age: Option<Duration>,
    /// Whether `auth_time` is required.
    // REQ-META-22
    pub(crate) auth_time_required: bool,
    /// The only acceptable `sub`.
    // REQ-IDT-16, REQ-IDT-17
    pub(crate) subject: Option<String>,
    /// The `nonce` that was sent as an extension parameter.
    // REQ-IDT-23
    pub(crate) nonce: Option<String>,
    pub(crate) claims: Vec<ExpectedClaim>,
    /// The only acceptable trust framework of `verified_claims`.
    pub(crate) trust_framework: Option<String>,
    /// Whether the person must be compared. The configuration decides if this is `None`.
    pub(crate) person: Option<Presence>,
    /// The person named by number. Derived from request and configuration, like the eIDs.
    pub(crate) by_number: Option<ExpectedPerson>,
    pub(crate) eid: Option<ExpectedEid>,
}

/// The name under which [`Expectations::check`] looks up the trust framework of `verified_claims`.
pub(crate) const TRUST_FRAMEWORK: &str = "verified_claims/verification/trust_framework";

/// The requested eIDs, any of which may have been used, and whether the token must say which one
/// was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedEid {
    pub(crate) values: Vec<String>,
    pub(crate) presence: Presence,
}

/// A claim and its expected value. `Debug` does not show the value, which may be a national id.
#[derive(Clone, PartialEq, Eq)]
pub struct ExpectedClaim {
    pub(crate) name: String,
    pub(crate) text: ExpectedText,
    pub(crate) matching: Matching,
    pub(crate) presence: Presence,
    /// The check that fails if the claim does not match.
    pub(crate) check: Untrusted,
}

impl Expectations {
    /// Creates expectations that require nothing beyond the checks of the specification.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares `acr` with these values instead of those that the request asks for. Empty strings
    /// are ignored.
    // REQ-IDT-24
    #[must_use]
    pub fn acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.acr_values
            .extend(values.into_iter().map(Into::into).filter(|value| !value.is_empty()));
        self
    }

    /// Sets how `acr` is compared with the requested values. [`AcrRule::Require`] without values
    /// requires that the claim is present.
    #[must_use]
    pub const fn acr(mut self, rule: AcrRule) -> Self {
        self.acr = Some(rule);
        self
    }

    /// Requires that the person was authenticated at most this long before the response arrived,
    /// plus the configured clock skew. `auth_time` becomes mandatory.
    // REQ-IDT-25
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Requires `auth_time`, as for a client that is registered with `require_auth_time`
    /// ([OIDC Registration 2]).
    ///
    /// [OIDC Registration 2]: https://openid.net/specs/openid-connect-registration-1_0.html#rfc.section.2
    // REQ-META-22
    #[must_use]
    pub const fn require_auth_time(mut self) -> Self {
        self.auth_time_required = true;
        self
    }

    /// Sets the only acceptable `sub`. With an `id_token_hint`, its `sub` is expected without
    /// calling this.
    // REQ-IDT-17
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Requires the `nonce` that was sent as an extension parameter. Without this, a token with a
    /// `nonce` is rejected.
    // REQ-IDT-23
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Requires a claim with this value.
    #[must_use]
    pub fn claim(self, name: impl Into<String>, text: impl Into<ExpectedText>) -> Self {
        self.claim_with(name, text, Matching::Equal, Presence::Required)
    }

    /// Requires a claim whatever its value is, for example `txn`. An empty string, an array or an
    /// object does not count.
    #[must_use]
    pub fn claim_present(self, name: impl Into<String>) -> Self {
        self.claim_with(name, "", Matching::Any, Presence::Required)
    }

    /// Requires `verified_claims` whose `verification` names this `trust_framework`
    /// ([OpenID Connect for Identity Assurance]). If `verified_claims` is an array, each of its
    /// elements must name it.
    ///
    /// [OpenID Connect for Identity Assurance]: https://openid.net/specs/openid-connect-4-identity-assurance-1_0.html
    #[must_use]
    pub fn trust_framework(mut self, name: impl Into<String>) -> Self {
        self.trust_framework = Some(name.into());
        self
    }

    /// Expects a claim, with a given kind of comparison and presence.
    #[must_use]
    pub fn claim_with(
        mut self,
        name: impl Into<String>,
        text: impl Into<ExpectedText>,
        matching: Matching,
        presence: Presence,
    ) -> Self {
        let check = Untrusted::ExpectedClaim;
        self.claims.push(ExpectedClaim {
            name: name.into(),
            text: text.into(),
            matching,
            presence,
            check,
        });
        self
    }

    /// Sets whether the person must be compared with the one named by the request: by the national
    /// id in the hint, by an expected `sub`, or by the `sub` of an `id_token_hint`.
    ///
    /// With [`Presence::Required`], an ID Token that does not identify the person is rejected, and
    /// so is a request whose hint no claim repeats. With [`Presence::IfPresent`], Swedish BankID may
    /// omit `ssn`, which is otherwise required. A claim that is present is always compared.
    #[must_use]
    pub const fn person(mut self, presence: Presence) -> Self {
        self.person = Some(presence);
        self
    }

    /// Merges with earlier expectations: these take precedence, and expected claims are combined.
    pub(crate) fn after(self, earlier: Self) -> Self {
        Self {
            // The later expectation replaces values, and adds claims.
            acr_values: if self.acr_values.is_empty() {
                earlier.acr_values
            } else {
                self.acr_values
            },
            acr: self.acr.or(earlier.acr),
            max_age: self.max_age.or(earlier.max_age),
            auth_time_required: self.auth_time_required || earlier.auth_time_required,
            subject: self.subject.or(earlier.subject),
            nonce: self.nonce.or(earlier.nonce),
            claims: earlier.claims.into_iter().chain(self.claims).collect(),
            trust_framework: self.trust_framework.or(earlier.trust_framework),
            person: self.person.or(earlier.person),
            by_number: self.by_number.or(earlier.by_number),
            eid: self.eid.or(earlier.eid),
        }
    }

    /// Whether anything is expected that only an ID Token can show.
    pub(crate) fn need_an_id_token(&self) -> bool {
        // Compared as a whole, so that a new expectation cannot be forgotten here.
        *self != Self::default()
    }

    /// Whether a person is named with whom an ID Token can be compared.
    pub(crate) const fn name_a_person(&self) -> bool {
        self.by_number.is_some() || self.subject.is_some()
    }

    /// Whether [`Self::check`] needs the value of a claim.
    pub(crate) fn look_at(&self, name: &str) -> bool {
        self.claims.iter().any(|expected| expected.name == name)
            || (self.by_number.is_some() && ExpectedPerson::looks_at(name))
            || (self.eid.is_some() && ExpectedEid::CLAIMS.contains(&name))
    }

    /// Checks every expected claim, in order. `sub` has been compared before.
    pub(crate) fn check<'a, 'b: 'a>(
        &self,
        claim: impl Fn(&str) -> Option<&'a Scalar<'b>>,
        now: Timestamp,
    ) -> Result<Person, Rejection> {
        for expected in &self.claims {
            let found = claim(&expected.name);
            if !expected.accepts(found) {
                // The value may be personal data, so it is not shown.
                return Err(expected.check.at(expected.name.clone(), Scalar::closed(found)));
            }
        }
        if let Some(name) = &self.trust_framework {
            let found = claim(TRUST_FRAMEWORK);
            let is_named = match found {
                Some(Scalar::Text(text)) => text == name,
                Some(Scalar::Texts(texts)) => {
                    !texts.is_empty() && texts.iter().all(|text| text == name)
                }
                _ => false,
            };
            if !is_named {
                return Err(Untrusted::ExpectedClaim
                    .at("verified_claims", Scalar::open_text(found))
                    .expecting(Expected::text(name)));
            }
        }
        if self.eid.as_ref().is_some_and(|eid| !eid.accepts(&claim)) {
            return Err(Untrusted::AnotherEid.into());
        }
        let by_number =
            self.by_number.as_ref().map(|person| person.check(&claim, now)).transpose()?;
        // The number counts more than the subject: it is what the request named.
        let person = match (by_number, &self.subject) {
            (Some(compared @ Person::Compared(_)), _) => compared,
            (_, Some(_)) => Person::Compared(ComparedBy::Subject),
            (Some(not_compared), None) => not_compared,
            (None, None) => Person::NotCompared(NotCompared::NothingToCompare),
        };
        match self.person {
            Some(Presence::Required) if !person.is_compared() => {
                Err(Untrusted::AnotherPerson.into())
            }
            Some(Presence::Required | Presence::IfPresent) | None => Ok(person),
        }
    }
}

impl ExpectedEid {
    /// The claims that name the eID that was used. Idura sends the first and no `acr`. If there is
    /// an `acr`, it may be refined as well.
    const CLAIMS: [&'static str; 2] = ["authenticationtype", "acr"];

    fn accepts<'a, 'b: 'a>(&self, claim: &impl Fn(&str) -> Option<&'a Scalar<'b>>) -> bool {
        let fits = |name, presence| match claim(name) {
            None | Some(Scalar::Null) => presence == Presence::IfPresent,
            Some(value) => value
                .text()
                .is_some_and(|eid| self.values.iter().any(|asked| is_or_refines(eid, asked))),
        };
        let [eid, acr] = Self::CLAIMS;
        fits(eid, self.presence) && fits(acr, Presence::IfPresent)
    }
}

impl ExpectedClaim {
    fn accepts(&self, claim: Option<&Scalar<'_>>) -> bool {
        match claim {
            Some(Scalar::Fraction(_)) if self.matching == Matching::Any => true,
            // `null` counts as absent, as for every other claim.
            None | Some(Scalar::Null) => self.presence == Presence::IfPresent,
            Some(Scalar::Text(text)) => self.matches(text),
            Some(Scalar::Bool(value)) => self.matches(&value.to_string()),
            Some(Scalar::Whole(value)) => self.matches(&value.to_string()),
            Some(Scalar::Negative(value)) => self.matches(&value.to_string()),
            // A fraction has several forms in JSON, so it cannot be compared as text.
            Some(Scalar::Fraction(_) | Scalar::Texts(_) | Scalar::Other) => false,
        }
    }

    fn matches(&self, text: &str) -> bool {
        let expected = self.text.expose();
        match self.matching {
            // Not in constant time: the signature has been verified, so no stranger can probe
            // values.
            Matching::Equal => text == expected,
            Matching::EqualOrRefined => is_or_refines(text, expected),
            Matching::Any => !text.is_empty(),
        }
    }
}

impl fmt::Debug for ExpectedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedClaim")
            .field("name", &self.name)
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Expectations {
    /// Shows only whether subject and nonce are set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectations")
            .field("acr_values", &self.acr_values)
            .field("acr", &self.acr)
            .field("max_age", &self.max_age)
            .field("auth_time_required", &self.auth_time_required)
            .field("subject", &self.subject.is_some())
            .field("nonce", &self.nonce.is_some())
            .field("claims", &self.claims)
            .field("trust_framework", &self.trust_framework)
            .field("person", &self.person)
            .field("by_number", &self.by_number)
            .field("eid", &self.eid)
            .finish()
    }
}
