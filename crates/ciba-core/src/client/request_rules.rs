//! How authentication requests are written and signed for one provider.

use alloc::{string::String, sync::Arc};
use core::time::Duration;

use super::binding_message::BindingMessageRule;
use crate::jose::JwsAlgorithm;

/// The provider's preferences for requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestStyle {
    pub(crate) binding_message: BindingMessageRule,
    /// Whether the lifetime is sent as `request_expiry`.
    // DV-29
    pub(crate) request_expiry: bool,
    /// Whether the authentication request contains `grant_type`.
    pub(crate) grant_type: bool,
    /// Whether the requested lifetime limits the flow, whatever the acknowledgement says.
    pub(crate) requested_expiry_counts: bool,
    /// Whether `authorization_details` only control how the person is prompted, so that no response
    /// grants them.
    pub(crate) details_are_not_granted: bool,
    /// Whether a difference between what was requested and what was granted is a failure.
    pub(crate) require_granted: bool,
}

/// How authentication requests are signed.
#[derive(Debug, Clone)]
pub(crate) struct RequestObjectRules {
    /// The registered `backchannel_authentication_request_signing_alg`.
    // REQ-META-06
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) key_id: Option<Arc<str>>,
    /// The issuer, unless configured otherwise.
    // REQ-SIGN-04
    pub(crate) audience: String,
    pub(crate) options: RequestObjectOptions,
}

/// The options of signed requests.
#[derive(Debug, Clone)]
pub(crate) struct RequestObjectOptions {
    /// `exp` minus `iat`; 300 seconds by default.
    // REQ-SIGN-05
    pub(crate) lifetime: Duration,
    /// How far `iat` is in the past; zero by default.
    // REQ-SIGN-06
    pub(crate) backdating: Duration,
    /// `iat` minus `nbf`; 10 seconds by default.
    // REQ-SIGN-07
    pub(crate) not_before: Duration,
    pub(crate) typ: bool,
    pub(crate) client_id_claim: bool,
    pub(crate) numeric_expiry: bool,
}

impl Default for RequestObjectOptions {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            backdating: Duration::ZERO,
            not_before: Duration::from_secs(10),
            typ: true,
            client_id_claim: false,
            numeric_expiry: false,
        }
    }
}
