//! The wire formats: HTTP messages, and for each endpoint a function that builds the request and one
//! that processes the response. This layer does not know the configuration; it takes borrowed values
//! and returns typed ones.

pub(crate) mod authorize;
mod challenge;
mod exchange;
pub(crate) mod form;
#[cfg(feature = "http")]
mod http;

mod deviation;
mod dpop_nonce;
mod message;
pub(crate) mod metadata;
mod misbehaviour;
pub(crate) mod notify;
pub(crate) mod number;
#[cfg(test)]
mod properties;
mod retry_after;
pub(crate) mod revocation;
pub(crate) mod server_answer;
pub(crate) mod token;
pub(crate) mod userinfo;

pub(crate) use crate::json::JsonObject;
pub use deviation::Deviation;
pub(crate) use dpop_nonce::DpopNonce;
pub use exchange::{Exchange, ExchangeObserver};
pub use message::{Headers, Method, Request, Response};
pub use misbehaviour::Misbehaviour;
pub use server_answer::{ErrorCode, ServerAnswer, UnknownCode};
