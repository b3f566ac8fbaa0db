//! The check that a driver has what a configuration needs, made before anything is saved or sent.

use core::fmt;

use super::ClientConfig;
use crate::{client::ClientAuth, wire::metadata::DeliveryMode};

/// What a driver provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a driver that does not state a new member would count as having it"
)]
pub struct Equipment {
    /// A client certificate ([RFC 8705]).
    ///
    /// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
    pub certificate: bool,
    /// A signer with a private key.
    pub signer: bool,
    /// A signer with the private key to which tokens are bound ([RFC 9449]).
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    pub dpop_key: bool,
    /// A notification endpoint ([CIBA Core 9]).
    ///
    /// [CIBA Core 9]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.9
    pub inbox: bool,
}

/// What a driver lacks for a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lacking {
    /// A certificate, with which the client authenticates or to which its tokens are bound
    /// ([RFC 8705]).
    ///
    /// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
    Certificate,
    /// A signer for assertions or requests.
    Signer,
    /// A signer for DPoP proofs ([RFC 9449]).
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    DpopKey,
    /// An inbox for notifications. It is required in push mode, and in ping mode if
    /// [`Policy::ping_backstop`](crate::Policy::ping_backstop) is off.
    Inbox,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => {
                "this client requires a client certificate, but the driver has none"
            }
            Self::Signer => "this client signs with a private key, but the driver has no signer",
            Self::DpopKey => {
                "the tokens of this client are bound to a key, but the driver has no DPoP key"
            }
            Self::Inbox => "this client is notified by the provider, but the driver has no inbox",
        })
    }
}

impl core::error::Error for Lacking {}

impl ClientConfig {
    /// Returns what a driver with this equipment lacks for flows of this configuration, if anything.
    #[must_use]
    pub fn lacks(&self, has: Equipment) -> Option<Lacking> {
        use crate::endpoint::Endpoint::{BackchannelAuthentication, Token};
        let shows = [BackchannelAuthentication, Token]
            .into_iter()
            .any(|endpoint| self.presents_certificate(endpoint));
        let signs = matches!(self.auth, ClientAuth::PrivateKeyJwt { .. })
            || self.request_object.as_ref().is_some_and(|rules| !rules.algorithm.is_symmetric());
        let is_notified = match self.delivery {
            DeliveryMode::Poll => false,
            // With the backstop, the flow polls even if no ping arrives. A push client cannot poll.
            DeliveryMode::Ping => !self.policy.ping_backstop,
            DeliveryMode::Push => true,
        };
        [
            (shows && !has.certificate, Lacking::Certificate),
            (signs && !has.signer, Lacking::Signer),
            (self.dpop.is_some() && !has.dpop_key, Lacking::DpopKey),
            (is_notified && !has.inbox, Lacking::Inbox),
        ]
        .into_iter()
        .find_map(|(lacks, what)| lacks.then_some(what))
    }
}
