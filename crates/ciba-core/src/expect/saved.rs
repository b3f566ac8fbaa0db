//! The form of expectations in a snapshot.

use alloc::{borrow::Cow, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AcrRule, Expectations, ExpectedClaim, ExpectedEid, Matching, Presence};
use crate::{
    fault::Untrusted,
    person::{Demand, ExpectedPerson},
    secret::ExpectedText,
};

type Text<'a> = Cow<'a, str>;

/// The caller's expectations of the ID Token.
#[derive(Serialize, Deserialize, Default)]
// A member of a later version may be an expectation. Ignoring it would drop a check.
#[serde(deny_unknown_fields)]
pub(crate) struct SavedExpectations<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    acr_values: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<AcrRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    auth_time: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<SavedClaim<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person_required: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_number: Option<SavedPerson<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust_framework: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eid: Option<SavedEid<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPerson<'a> {
    number: Text<'a>,
    demand: Demand,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedEid<'a> {
    values: Vec<Text<'a>>,
    required: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedClaim<'a> {
    name: Text<'a>,
    text: Text<'a>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    refined: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    any: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    required: bool,
    // An unknown name is an error, because an expectation must not be dropped.
    check: Untrusted,
}

impl<'a> SavedExpectations<'a> {
    pub(crate) fn save(expectations: &'a Expectations) -> Self {
        let claim = |claim: &'a ExpectedClaim| SavedClaim {
            name: claim.name.as_str().into(),
            text: claim.text.expose().into(),
            refined: claim.matching == Matching::EqualOrRefined,
            any: claim.matching == Matching::Any,
            required: claim.presence == Presence::Required,
            check: claim.check,
        };
        Self {
            acr_values: expectations.acr_values.iter().map(|value| value.as_str().into()).collect(),
            acr: expectations.acr,
            // A fraction of a second is dropped, which makes the check stricter.
            max_age: expectations.max_age.map(|age| age.as_secs()),
            auth_time: expectations.auth_time_required,
            sub: expectations.subject.as_deref().map(Into::into),
            nonce: expectations.nonce.as_deref().map(Into::into),
            claims: expectations.claims.iter().map(claim).collect(),
            person_required: expectations.person.map(|presence| presence == Presence::Required),
            by_number: expectations.by_number.as_ref().map(|person| SavedPerson {
                number: person.number.expose().into(),
                demand: person.demand,
            }),
            trust_framework: expectations.trust_framework.as_deref().map(Into::into),
            eid: expectations.eid.as_ref().map(|eid| SavedEid {
                values: eid.values.iter().map(|value| value.as_str().into()).collect(),
                required: eid.presence == Presence::Required,
            }),
        }
    }

    pub(crate) fn load(self) -> Expectations {
        let claim = |claim: SavedClaim<'_>| ExpectedClaim {
            name: claim.name.into_owned(),
            text: ExpectedText::new(claim.text),
            matching: match (claim.refined, claim.any) {
                (false, true) => Matching::Any,
                (true, _) => Matching::EqualOrRefined,
                (false, false) => Matching::Equal,
            },
            presence: presence(claim.required),
            check: claim.check,
        };
        Expectations {
            acr_values: self.acr_values.into_iter().map(Cow::into_owned).collect(),
            acr: self.acr,
            max_age: self.max_age.map(Duration::from_secs),
            auth_time_required: self.auth_time,
            subject: self.sub.map(Cow::into_owned),
            nonce: self.nonce.map(Cow::into_owned),
            claims: self.claims.into_iter().map(claim).collect(),
            person: self.person_required.map(presence),
            by_number: self.by_number.map(|person| ExpectedPerson {
                number: ExpectedText::new(person.number),
                demand: person.demand,
            }),
            trust_framework: self.trust_framework.map(Cow::into_owned),
            eid: self.eid.map(|eid| ExpectedEid {
                values: eid.values.into_iter().map(Cow::into_owned).collect(),
                presence: presence(eid.required),
            }),
        }
    }
}

const fn presence(required: bool) -> Presence {
    if required { Presence::Required } else { Presence::IfPresent }
}
