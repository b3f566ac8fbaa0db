//! The form of [`Terms`] in a snapshot.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::grant::Terms;
use crate::{binding::Binding, expect::SavedExpectations, granted::Requested};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedTerms<'a> {
    scope: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    require_granted: bool,
    id_token_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<SavedBinding<'a>>,
    expectations: SavedExpectations<'a>,
}

impl<'a> SavedTerms<'a> {
    pub(super) fn save(terms: &'a Terms) -> Self {
        Self {
            scope: terms.requested.scope.as_str().into(),
            details: terms.requested.details.as_deref().map(Into::into),
            resources: terms
                .requested
                .resources
                .iter()
                .map(|resource| resource.as_str().into())
                .collect(),
            require_granted: terms.requested.required,
            id_token_required: terms.id_token_required,
            lifetime: terms.lifetime.map(millis),
            binding: SavedBinding::save(&terms.binding),
            expectations: SavedExpectations::save(&terms.expectations),
        }
    }

    pub(super) fn load(self) -> Box<Terms> {
        Box::new(Terms {
            requested: Requested {
                scope: self.scope.into_owned(),
                details: self.details.map(Cow::into_owned),
                resources: self.resources.into_iter().map(Cow::into_owned).collect(),
                required: self.require_granted,
            },
            id_token_required: self.id_token_required,
            lifetime: self.lifetime.map(Duration::from_millis),
            binding: match self.binding {
                None => Binding::Bearer,
                Some(SavedBinding::Certificate) => Binding::Certificate,
                Some(SavedBinding::Key(thumbprint)) => {
                    Binding::Dpop { thumbprint: thumbprint.as_ref().into() }
                }
            },
            expectations: self.expectations.load(),
        })
    }
}

/// How tokens are bound, unless they are bearer tokens.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedBinding<'a> {
    Key(Cow<'a, str>),
    Certificate,
}

impl<'a> SavedBinding<'a> {
    fn save(binding: &'a Binding) -> Option<Self> {
        match binding {
            Binding::Bearer => None,
            Binding::Dpop { thumbprint } => Some(Self::Key((&**thumbprint).into())),
            Binding::Certificate => Some(Self::Certificate),
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
