//! The authentication request of CIBA 7.1: what to ask, and what to expect of the answer.

use alloc::{string::String, vec::Vec};

use crate::{
    client::ClientConfig,
    expect::Expectations,
    secret::{CompactIdToken, LoginHint, LoginHintToken},
    wire::form::Form,
};

/// Who is to be authenticated: exactly one hint, by construction (CIBA 7.1, REQ-AREQ-07).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// `login_hint`.
    Login(LoginHint),
    /// `login_hint_token`.
    LoginToken(LoginHintToken),
    /// `id_token_hint`.
    IdToken(CompactIdToken),
}

/// One authentication request.
#[derive(Debug, Clone)]
pub struct AuthRequest {
    pub(crate) hint: Hint,
    pub(crate) expectations: Expectations,
}

impl AuthRequest {
    /// Whether this client can send it to this provider.
    pub(crate) fn check(&self, config: &ClientConfig) -> Result<(), RequestError> {
        let _ = config;
        todo!()
    }

    /// Writes every parameter of CIBA 7.1 into the form, credentials aside.
    pub(crate) fn write(&self, form: &mut Form, config: &ClientConfig) {
        let _ = (form, config);
        todo!()
    }

    /// Header fields the caller added.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        todo!()
    }

    /// The scope that is asked for, in the order given.
    pub(crate) fn scope_text(&self) -> String {
        todo!()
    }

    /// Whether an ID Token is owed (ruling 5).
    pub(crate) fn wants_id_token(&self) -> bool {
        todo!()
    }
}

/// A request as it stands in a snapshot: without its user code, which is never saved (ruling 16).
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedRequest<'a> {
    // The mirror of every field of `AuthRequest`; see `saved.rs` for the others.
    placeholder: alloc::borrow::Cow<'a, str>,
}

impl<'a> SavedRequest<'a> {
    pub(crate) fn save(request: &'a AuthRequest) -> Self {
        let _ = request;
        todo!()
    }

    /// Whether the request had a user code.
    pub(crate) fn had_user_code(&self) -> bool {
        todo!()
    }

    /// `None` when it is damaged.
    pub(crate) fn load(self) -> Option<AuthRequest> {
        todo!()
    }
}

/// Why a request was refused before anything was sent; names the parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A value that cannot be sent.
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

#[allow(dead_code)]
fn _placeholder(_: Vec<u8>) {}
