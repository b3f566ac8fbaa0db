//! What a driver has to have for a configuration; checked before anything is saved or sent.

use core::fmt;

use super::ClientConfig;
use crate::{client_auth::ClientAuth, wire::metadata::DeliveryMode};

/// What a driver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a driver that does not say what it has would be believed to have it"
)]
pub struct Equipment {
    /// A client certificate to show (RFC 8705).
    pub certificate: bool,
    /// A private key to sign with.
    pub signer: bool,
    /// A notification endpoint (CIBA 9).
    pub inbox: bool,
}

/// What a driver lacks for a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lacking {
    /// The client authenticates, or binds its tokens, with a certificate (RFC 8705).
    Certificate,
    /// The client signs assertions or requests.
    Signer,
    /// Notifications have to arrive: in push mode always, in ping mode unless the policy has the
    /// flow polled at times anyway ([`Policy::ping_backstop`](crate::Policy::ping_backstop)).
    Inbox,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "this client needs a client certificate, and the driver has none",
            Self::Signer => "this client signs with a private key, and the driver has no signer",
            Self::Inbox => "this client is notified by the provider, and the driver has no inbox",
        })
    }
}

impl core::error::Error for Lacking {}

impl ClientConfig {
    /// What a driver with this equipment lacks for flows of this configuration, if anything.
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
            DeliveryMode::Ping => !self.policy.ping_backstop,
            DeliveryMode::Push => true,
        };
        [
            (shows && !has.certificate, Lacking::Certificate),
            (signs && !has.signer, Lacking::Signer),
            (is_notified && !has.inbox, Lacking::Inbox),
        ]
        .into_iter()
        .find_map(|(lacks, what)| lacks.then_some(what))
    }
}
