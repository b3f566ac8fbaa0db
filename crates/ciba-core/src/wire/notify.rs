//! What a provider sends to our notification endpoint: a ping (CIBA 10.2), or a push of tokens
//! (CIBA 10.3.1) or of an error (CIBA 12). The call has the form of an answer, so it is read like
//! one.

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

/// A notification that names a request; whether it is ours is for the flow to say.
pub(crate) struct NotificationBody {
    pub(crate) auth_req_id: AuthReqId,
    content: Content,
}

/// What a push delivers.
#[derive(Debug)]
pub(crate) enum Delivery {
    Tokens(Box<ReceivedTokens>),
    Error(Box<ServerAnswer>),
}

/// Reads a notification as far as both kinds are alike: one JSON object with a usable `auth_req_id`
/// (REQ-PING-12,
/// REQ-PUSH-03).
pub(crate) fn read(message: &Response) -> Result<NotificationBody, Fault> {
    const MEMBER: &str = "auth_req_id";
    let mut content = Content::read(message);
    let id = match &mut content {
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
    /// Whether it holds what only a push delivers.
    pub(crate) fn has_tokens(&self) -> bool {
        const NAMES: [&str; 3] = ["access_token", "id_token", "refresh_token"];
        match &self.content {
            Content::Error(error) => error.has_any(&NAMES),
            Content::Object(object) => {
                NAMES.iter().any(|name| object.get(name).is_some_and(|value| !value.is_null()))
            }
            Content::Unusable(_) => false,
        }
    }

    /// What a push delivers. One that holds an error and tokens is neither (REQ-PUSH-04).
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
