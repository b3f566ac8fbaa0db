//! What a caller expects of the ID Token beyond the specification's own checks. Data, so that a
//! snapshot can hold it.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, time::Duration};

use crate::{
    fault::{Rejection, Untrusted},
    jose::scalar::Scalar,
    person::{ComparedBy, ExpectedPerson, NotCompared, Person},
    secret::ExpectedText,
    time::Timestamp,
};

/// Expectations of one request; part of the snapshot until the flow is settled.
///
/// They run after all standard checks, and one that is not met suppresses the tokens like any other
/// (REQ-IDT-39).
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
    /// Whether the person has to be compared; the configuration decides where nothing is said.
    pub(crate) person: Option<Presence>,
    /// The person named by number, and the eIDs that were asked for: made from request and
    /// configuration.
    pub(crate) by_number: Option<ExpectedPerson>,
    pub(crate) eid: Option<ExpectedEid>,
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

/// Whether something in the ID Token is compared with what was asked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// If it is present, it has to match.
    #[default]
    IfPresent,
    /// It has to be present and match.
    Require,
    /// It is not compared.
    Off,
}

/// The eIDs that were asked for, any of which may have been used, and whether the token has to say
/// which was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedEid {
    pub(crate) values: Vec<String>,
    pub(crate) presence: Presence,
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

/// How a claim's text is compared. A number or a boolean is compared as JSON writes it; a list or
/// an object never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// Equal, byte for byte.
    Equal,
    /// Equal, or the expected text followed by `:` and more: `urn:grn:authn:no:bankid:high` refines
    /// `urn:grn:authn:no:bankid`.
    EqualOrRefined,
}

impl Expectations {
    /// Nothing beyond the specification's own checks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares `acr` with these values instead of those the request asks for (REQ-IDT-24). Empty
    /// strings are left out.
    #[must_use]
    pub fn acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.acr_values
            .extend(values.into_iter().map(Into::into).filter(|value| !value.is_empty()));
        self
    }

    /// How strictly `acr` is compared with the values asked for. [`AcrRule::Require`] without any
    /// value asks for presence.
    #[must_use]
    pub const fn acr(mut self, rule: AcrRule) -> Self {
        self.acr = Some(rule);
        self
    }

    /// The person was authenticated at most this long before the answer arrived; `auth_time` has to
    /// be there then (REQ-IDT-25). The configured clock tolerance is added.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// `auth_time` has to be there, as for a client registered with `require_auth_time`
    /// (REQ-META-22).
    #[must_use]
    pub const fn require_auth_time(mut self) -> Self {
        self.auth_time_required = true;
        self
    }

    /// The only acceptable `sub` (REQ-IDT-17). With an `id_token_hint` its own `sub` is expected
    /// without saying so.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The `nonce` that was sent as an extension parameter; it has to come back (REQ-IDT-23).
    /// Without this a token with a `nonce` is refused.
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

    /// Whether the person has to be compared with the one the request names: by the national id of
    /// the hint, by an expected `sub`, or by the `sub` of an `id_token_hint`. With
    /// [`Presence::Required`] an ID Token that does not show it is refused, and so is a request
    /// whose hint no claim of an ID Token repeats. With [`Presence::IfPresent`] Swedish BankID may
    /// leave out `ssn`, which it has to send otherwise. A claim that is present is always compared.
    #[must_use]
    pub const fn person(mut self, presence: Presence) -> Self {
        self.person = Some(presence);
        self
    }

    /// Earlier expectations and then these: what the later ones leave open stays, and so do all
    /// expected claims.
    pub(crate) fn after(self, earlier: Self) -> Self {
        Self {
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
            person: self.person.or(earlier.person),
            by_number: self.by_number.or(earlier.by_number),
            eid: self.eid.or(earlier.eid),
        }
    }

    /// Whether anything is expected that only an ID Token shows.
    pub(crate) fn need_an_id_token(&self) -> bool {
        *self != Self::default()
    }

    /// Whether a person is named with whom an ID Token can be compared.
    pub(crate) const fn name_a_person(&self) -> bool {
        self.by_number.is_some() || self.subject.is_some()
    }

    /// Whether the value of a claim is needed for [`Self::check`].
    pub(crate) fn look_at(&self, name: &str) -> bool {
        self.claims.iter().any(|expected| expected.name == name)
            || (self.by_number.is_some() && ExpectedPerson::looks_at(name))
            || (self.eid.is_some() && ExpectedEid::CLAIMS.contains(&name))
    }

    /// Every expected claim, in order. `sub` was compared before.
    pub(crate) fn check<'a, 'b: 'a>(
        &self,
        claim: impl Fn(&str) -> Option<&'a Scalar<'b>>,
        now: Timestamp,
    ) -> Result<Person, Rejection> {
        for expected in &self.claims {
            let found = claim(&expected.name);
            if !expected.accepts(found) {
                // What such a claim says may be about a person.
                return Err(expected.check.at(expected.name.clone(), Scalar::closed(found)));
            }
        }
        if self.eid.as_ref().is_some_and(|eid| !eid.accepts(&claim)) {
            return Err(Untrusted::AnotherEid.into());
        }
        let by_number =
            self.by_number.as_ref().map(|person| person.check(&claim, now)).transpose()?;
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
    /// Where a token says which eID was used. Idura has it in the first and sends no `acr`; should
    /// one come it may be refined too.
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
            Matching::EqualOrRefined => is_or_refines(text, expected),
        }
    }
}

/// Equal, or followed by `:` and more.
pub(crate) fn is_or_refines(text: &str, expected: &str) -> bool {
    text.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
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
            .field("person", &self.person)
            .field("by_number", &self.by_number)
            .field("eid", &self.eid)
            .finish()
    }
}
