//! The form of a request in a snapshot.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AuthRequest, ExtraValue, Hint};
use crate::{
    client::MessageRule,
    expect::{Check, SavedExpectations},
    json::SavedJson,
};

type Text<'a> = Cow<'a, str>;

/// A request without its user code, which is never saved.
// Ruling 16.
#[derive(Serialize, Deserialize)]
// A member that this version does not know may be a check of a later one. Resuming without it would
// accept more than the caller allowed.
#[serde(deny_unknown_fields)]
pub(crate) struct SavedRequest<'a> {
    hint: SavedHint<'a>,
    openid: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scope: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    acr_values: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding_message: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "is_free")]
    message_rule: MessageRule,
    had_user_code: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested_expiry: Option<u64>,
    /// The text that is sent, because parsing and formatting numbers might change them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extra: Vec<(Text<'a>, SavedJson)>,
    /// The extra parameters that are not strings, as JSON text. Earlier versions wrote them to
    /// `extra` as JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extra_json: Vec<(Text<'a>, Text<'a>)>,
    #[serde(default, skip_serializing_if = "is_false")]
    unique_context: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(Text<'a>, Text<'a>)>,
    #[serde(default, skip_serializing_if = "is_false")]
    require_granted: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    by_number: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eid: Option<Check>,
    expectations: SavedExpectations<'a>,
}

// A mirror, because a `Hint` is a secret that must not be serialized anywhere else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedHint<'a> {
    Login(Text<'a>),
    LoginToken(Text<'a>),
    IdToken(Text<'a>),
}

impl<'a> SavedRequest<'a> {
    pub(crate) fn save(request: &'a AuthRequest) -> Self {
        // Every field is named, so that a new one cannot be forgotten.
        let AuthRequest {
            hint,
            openid,
            scope,
            acr_values,
            binding_message,
            message_rule,
            user_code,
            requested_expiry,
            details: _,
            details_json: _,
            resources,
            extra,
            unique_context,
            headers,
            require_granted,
            by_number,
            eid,
            expectations,
        } = request;
        Self {
            hint: match hint {
                Hint::Login(hint) => SavedHint::Login(hint.expose().into()),
                Hint::LoginToken(token) => SavedHint::LoginToken(token.expose().into()),
                Hint::IdToken(token) => SavedHint::IdToken(token.expose().into()),
            },
            openid: *openid,
            scope: borrowed(scope),
            acr_values: borrowed(acr_values),
            binding_message: binding_message.as_deref().map(Cow::from),
            message_rule: *message_rule,
            // Only whether there was one, so that resuming can say why it is not possible (ruling
            // 16).
            had_user_code: user_code.is_some(),
            requested_expiry: requested_expiry.map(|lifetime| lifetime.as_secs()),
            // As text, so that the resumed request sends the same bytes.
            details: Some(request.details_text()).filter(|text| !text.is_empty()),
            resources: borrowed(resources),
            extra: extra
                .iter()
                .filter_map(|(name, value)| match value {
                    ExtraValue::Text(text) => Some((name.into(), SavedJson::Text(text.clone()))),
                    ExtraValue::Json(_) => None,
                })
                .collect(),
            extra_json: extra
                .iter()
                .filter_map(|(name, value)| match value {
                    ExtraValue::Text(_) => None,
                    ExtraValue::Json(json) => Some((name.into(), json.into())),
                })
                .collect(),
            unique_context: *unique_context,
            headers: borrowed_pairs(headers),
            require_granted: *require_granted,
            by_number: *by_number,
            eid: *eid,
            expectations: SavedExpectations::save(expectations),
        }
    }

    /// Whether the request had a user code.
    pub(crate) const fn had_user_code(&self) -> bool {
        self.had_user_code
    }

    /// Loads the request, which must be checked again before it is sent.
    pub(crate) fn load(self) -> AuthRequest {
        AuthRequest {
            hint: match self.hint {
                SavedHint::Login(hint) => Hint::Login(hint.into_owned().into()),
                SavedHint::LoginToken(token) => Hint::LoginToken(token.into_owned().into()),
                SavedHint::IdToken(token) => Hint::IdToken(token.into_owned().into()),
            },
            openid: self.openid,
            scope: owned(self.scope),
            acr_values: owned(self.acr_values),
            binding_message: self.binding_message.map(Cow::into_owned),
            message_rule: self.message_rule,
            // Such a request is not resumed before it was sent, and afterwards the code has no use.
            user_code: None,
            requested_expiry: self.requested_expiry.map(Duration::from_secs),
            details: Vec::new(),
            details_json: self.details.map(Cow::into_owned),
            resources: owned(self.resources),
            extra: self
                .extra
                .into_iter()
                .map(from_saved)
                .chain(self.extra_json.into_iter().map(from_json))
                .collect(),
            unique_context: self.unique_context,
            headers: owned_pairs(self.headers),
            require_granted: self.require_granted,
            by_number: self.by_number,
            eid: self.eid,
            expectations: self.expectations.load(),
        }
    }
}

fn from_saved((name, value): (Text<'_>, SavedJson)) -> (String, ExtraValue) {
    let value = match value {
        SavedJson::Text(text) => ExtraValue::Text(text),
        // Written by an earlier version.
        SavedJson::Json(json) => ExtraValue::Json(json),
    };
    (name.into_owned(), value)
}

fn from_json((name, json): (Text<'_>, Text<'_>)) -> (String, ExtraValue) {
    (name.into_owned(), ExtraValue::Json(json.into_owned()))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
fn is_free(rule: &MessageRule) -> bool {
    *rule == MessageRule::Free
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

fn borrowed(texts: &[String]) -> Vec<Text<'_>> {
    texts.iter().map(Cow::from).collect()
}

fn borrowed_pairs(pairs: &[(String, String)]) -> Vec<(Text<'_>, Text<'_>)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn owned(texts: Vec<Text<'_>>) -> Vec<String> {
    texts.into_iter().map(Cow::into_owned).collect()
}

fn owned_pairs(pairs: Vec<(Text<'_>, Text<'_>)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
