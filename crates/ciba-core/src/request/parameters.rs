//! The parameters of a request, from which both the form and the claims of a signed request are
//! made.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use super::{AuthRequest, ExtraValue, Hint};
use crate::{
    client::RequestStyle,
    secret::UserCode,
    wire::{form::Form, token::GRANT_TYPE},
};

/// The value of a parameter, with its defined type. The form contains all values as text, and a
/// signed request keeps their JSON types.
// REQ-SIGN-01
pub(crate) enum ParameterValue<'a> {
    Text(Cow<'a, str>),
    /// `requested_expiry`.
    Seconds(u64),
    /// JSON text.
    Json(Cow<'a, str>),
    /// A parameter that may be repeated (RFC 8707 section 2.1).
    Texts(&'a [String]),
}

impl ParameterValue<'_> {
    /// Whether the value is empty. Empty parameters are not sent.
    // REQ-AREQ-05
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::Json(text) => text.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            Self::Seconds(_) => false,
        }
    }
}

impl AuthRequest {
    /// Returns all parameters (CIBA Core 7.1) except credentials. The request has been checked
    /// before.
    pub(crate) fn parameters<'a>(
        &'a self,
        style: &RequestStyle,
        token: Option<&'a str>,
    ) -> Vec<(&'a str, ParameterValue<'a>)> {
        let text = |text: &'a str| ParameterValue::Text(text.into());
        let hint = match &self.hint {
            Hint::Login(hint) => ("login_hint", text(hint.expose())),
            Hint::LoginToken(token) => ("login_hint_token", text(token.expose())),
            Hint::IdToken(token) => ("id_token_hint", text(token.expose())),
        };
        let mut parameters = Vec::from([
            ("scope", ParameterValue::Text(self.scope_text().into())),
            // Empty in poll mode, and removed below with the other empty parameters.
            ("client_notification_token", text(token.unwrap_or_default())),
            hint,
            ("acr_values", ParameterValue::Text(self.acr_values.join(" ").into())),
            ("binding_message", text(self.binding_message.as_deref().unwrap_or_default())),
            ("user_code", text(self.user_code.as_ref().map(UserCode::expose).unwrap_or_default())),
        ]);
        if let Some(lifetime) = self.requested_expiry {
            let name = if style.request_expiry { "request_expiry" } else { "requested_expiry" };
            parameters.push((name, ParameterValue::Seconds(lifetime.as_secs())));
        }
        if style.grant_type {
            parameters.push(("grant_type", text(GRANT_TYPE)));
        }
        parameters.push(("authorization_details", ParameterValue::Json(self.details_text())));
        parameters.push(("resource", ParameterValue::Texts(&self.resources)));
        for (name, value) in &self.extra {
            let value = match value {
                ExtraValue::Text(value) => text(value),
                ExtraValue::Json(value) => ParameterValue::Json(value.into()),
            };
            parameters.push((name, value));
        }
        // RFC 6749 section 3.1: a parameter without a value counts as omitted.
        parameters.retain(|(_, value)| !value.is_empty());
        parameters
    }

    /// Writes all parameters into the form of an unsigned request.
    pub(crate) fn write(&self, style: &RequestStyle, form: &mut Form, token: Option<&str>) {
        for (name, value) in self.parameters(style, token) {
            match value {
                ParameterValue::Text(text) | ParameterValue::Json(text) => form.push(name, &text),
                ParameterValue::Seconds(seconds) => form.push(name, &format!("{seconds}")),
                ParameterValue::Texts(texts) => texts.iter().for_each(|text| form.push(name, text)),
            }
        }
    }
}
