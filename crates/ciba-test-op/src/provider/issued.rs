//! The tokens that the provider issued.

use std::sync::Arc;

use ciba_core::Timestamp;

use super::transaction::Record;
use crate::message::ExchangeId;

/// An issued access token.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) token: String,
    pub(super) client_id: String,
    pub(super) subject: String,
    /// The number of the authentication it results from.
    pub(super) authentication: usize,
    /// The certificate it is bound to.
    pub(super) bound: Option<String>,
    /// The key it is bound to.
    pub(super) dpop_key: Option<String>,
    pub(super) until: Timestamp,
}

/// An issued refresh token.
#[derive(Debug)]
pub(super) struct RefreshToken {
    pub(super) token: String,
    /// The authentication it results from, and what was granted.
    pub(super) grant: Arc<Record>,
    /// The request that used it, if any.
    pub(super) used: Option<ExchangeId>,
    pub(super) until: Timestamp,
}
