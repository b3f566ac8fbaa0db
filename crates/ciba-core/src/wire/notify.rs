//! The requests that a provider sends to the notification endpoint: a ping (CIBA Core 10.2), or a
//! push of tokens (CIBA Core 10.3.1) or of an error (CIBA Core 12). They have the form of a
//! response, so they are read like one.

use alloc::boxed::Box;

use crate::{
    endpoint::Endpoint,
    fault::Fault,
    secret::AuthReqId,
    time::Timestamp,
    wire::{
        Response, ServerAnswer, authorize,
        server_answer::Content,
        token::{self, ReceivedTokens, TokenRules},
    },
};

/// A notification with an `auth_req_id`. The flow decides whether it is its own.
pub(crate) struct NotificationBody {
    pub(crate) auth_req_id: AuthReqId,
    content: Content,
}

/// The content of a push.
#[derive(Debug)]
pub(crate) enum Delivery {
    Tokens(Box<ReceivedTokens>),
    Error(Box<ServerAnswer>),
}

/// Reads the parts that all notifications share: one JSON object with a usable `auth_req_id`.
// REQ-PING-12, REQ-PUSH-03
pub(crate) fn read(message: &Response) -> Result<NotificationBody, Fault> {
    const MEMBER: &str = "auth_req_id";
    let mut content = Content::read(message);
    let id = match &mut content {
        // An error push names the request in the same member (CIBA Core 12).
        Content::Error(error) => error.take(MEMBER),
        Content::Object(object) => object.take(MEMBER),
        Content::Unusable(fault) => return Err(*fault),
    };
    let id =
        id.ok_or(Fault::MissingMember(MEMBER))?.text().filter(|id| authorize::is_auth_req_id(id));
    let auth_req_id = AuthReqId::new(id.ok_or(Fault::BadMember(MEMBER))?);
    Ok(NotificationBody { auth_req_id, content })
}

impl NotificationBody {
    /// Whether it contains tokens, which only a push delivers.
    pub(crate) fn has_tokens(&self) -> bool {
        const NAMES: [&str; 3] = ["access_token", "id_token", "refresh_token"];
        match &self.content {
            Content::Error(error) => error.has_any(&NAMES),
            Content::Object(object) => {
                // Some serializers write every member they know, so `null` counts as absent.
                NAMES.iter().any(|name| object.get(name).is_some_and(|value| !value.is_null()))
            }
            Content::Unusable(_) => false,
        }
    }

    /// Reads the content of a push. A push that contains both an error and tokens is rejected.
    // REQ-PUSH-04
    pub(crate) fn delivery(
        self,
        message: &Response,
        rules: TokenRules<'_>,
        now: Timestamp,
    ) -> Result<Delivery, Fault> {
        match self.content {
            Content::Error(error)
                if error.has_any(&["access_token", "id_token", "refresh_token"]) =>
            {
                Err(Fault::BadMember("error"))
            }
            Content::Error(error) => {
                let answer = ServerAnswer::new(Endpoint::Notification, message, Some(error), now);
                Ok(Delivery::Error(Box::new(answer)))
            }
            Content::Object(object) => {
                token::tokens(object, rules).map(|tokens| Delivery::Tokens(Box::new(tokens)))
            }
            Content::Unusable(fault) => Err(fault),
        }
    }
}
