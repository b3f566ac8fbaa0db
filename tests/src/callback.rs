//! Calls of the notification endpoint, by the reference provider or by someone else.

use ciba_core::{
    http::{Body, Headers},
    notification::Notification,
};
use serde_json::{Value, json};

use crate::model::{Forgery, Provider};

/// A call of the notification endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// The bearer token.
    pub bearer: Bearer,
    /// The request that it names: 0 is the one that exists.
    pub id: u8,
    /// The body.
    pub content: Content,
}

/// The bearer token of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// The token of the flow.
    Ours,
    /// The right key, and a secret whose last character differs.
    WrongSecret,
    /// The key alone.
    Cut,
    /// The right token and one more character.
    Longer,
    /// The token of another flow.
    OtherFlow,
}

/// The body of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A ping.
    Ping,
    /// A push of tokens.
    Tokens(Forgery),
    /// A push of an error.
    Error(&'static str),
    /// Tokens and an error, which is ambiguous.
    Both,
    /// No `auth_req_id`.
    NoId,
    /// An `auth_req_id` that is a number.
    IdNotText,
    /// An empty `auth_req_id`.
    IdEmpty,
    /// Not JSON.
    NotJson,
    /// The same member twice.
    Duplicate,
    /// A ping with the media type of a form.
    MediaType,
    /// A ping of 20 KiB.
    Large,
}

/// The contents that are malformed in every delivery mode.
pub const BROKEN: [Content; 6] = [
    Content::NoId,
    Content::IdNotText,
    Content::IdEmpty,
    Content::NotJson,
    Content::Duplicate,
    Content::MediaType,
];

impl Callback {
    /// A ping of the provider.
    pub const PING: Self = Self { bearer: Bearer::Ours, id: 0, content: Content::Ping };

    /// Creates a push of tokens by the provider.
    #[must_use]
    pub const fn tokens(forgery: Forgery) -> Self {
        Self { bearer: Bearer::Ours, id: 0, content: Content::Tokens(forgery) }
    }

    /// Creates a push of an error by the provider.
    #[must_use]
    pub const fn error(code: &'static str) -> Self {
        Self { bearer: Bearer::Ours, id: 0, content: Content::Error(code) }
    }

    /// Returns the id that it names.
    #[must_use]
    pub fn auth_req_id(&self) -> String {
        if self.id == 0 {
            Provider::AUTH_REQ_ID.to_owned()
        } else {
            format!("another-id-{}", self.id)
        }
    }

    /// Returns the call as it arrives. `token` is that of the flow, `now` the provider's clock in
    /// seconds.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected before its body is read, although it is a POST with a bearer token.
    pub fn send(&self, op: &mut Provider, token: &str, now: u64) -> Notification {
        let bearer = match self.bearer {
            Bearer::Ours => token.to_owned(),
            Bearer::WrongSecret => {
                let last = if token.ends_with('A') { 'E' } else { 'A' };
                format!("{}{last}", &token[..token.len() - 1])
            }
            Bearer::Cut => token[..22.min(token.len())].to_owned(),
            Bearer::Longer => format!("{token}A"),
            Bearer::OtherFlow => "B".repeat(token.len()),
        };
        let media_type = match self.content {
            Content::MediaType => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let headers: Headers =
            [("authorization", format!("Bearer {bearer}").as_str()), ("content-type", media_type)]
                .into_iter()
                .collect();
        let body = self.body(op, now);
        Notification::receive("POST", &headers, Body::from(body))
            .expect("a POST with a bearer token")
    }

    fn body(&self, op: &mut Provider, now: u64) -> Vec<u8> {
        let id = self.auth_req_id();
        let mut body = match self.content {
            Content::Tokens(forgery) => op.tokens(&id, forgery, now),
            Content::Both => {
                let mut both = op.tokens(&id, Forgery::None, now);
                both["error"] = "access_denied".into();
                both
            }
            Content::Error(code) => json!({"error": code, "error_description": "as told"}),
            Content::Large => json!({"padding": "x".repeat(20 * 1024)}),
            _ => json!({}),
        };
        body["auth_req_id"] = match self.content {
            Content::NoId => Value::Null,
            Content::IdNotText => 7.into(),
            Content::IdEmpty => "".into(),
            _ => id.into(),
        };
        let text = body.to_string();
        match self.content {
            Content::NotJson => text[..text.len() - 1].to_owned(),
            Content::Duplicate => text.replacen('{', "{\"auth_req_id\":\"x\",", 1),
            _ => text,
        }
        .into_bytes()
    }
}
