//! The client's private key, once for each algorithm it signs with.

use ciba_core::{Entropy, KeyOperation, SoftwareKey, machine::KeyPurpose};

/// The private keys of a client. The key file of the client may be registered for one algorithm of assertions and another of signed
/// requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyRing {
    pub(crate) assertions: Option<SoftwareKey>,
    pub(crate) requests: Option<SoftwareKey>,
    /// The key to which the tokens are bound.
    pub(crate) dpop: Option<SoftwareKey>,
}

impl From<SoftwareKey> for KeyRing {
    fn from(key: SoftwareKey) -> Self {
        Self { assertions: Some(key), requests: None, dpop: None }
    }
}

impl KeyRing {
    fn of(&self, purpose: KeyPurpose) -> Result<&SoftwareKey, &'static str> {
        let key = match purpose {
            KeyPurpose::ClientAssertion => self.assertions.as_ref(),
            KeyPurpose::RequestObject => self.requests.as_ref(),
            KeyPurpose::DpopProof => self.dpop.as_ref(),
            _ => None,
        };
        key.ok_or("there is no key for this")
    }
}

#[async_trait::async_trait]
impl ciba_reqwest::Signer for KeyRing {
    async fn sign(
        &self,
        operation: &KeyOperation,
        entropy: Entropy,
    ) -> Result<Vec<u8>, ciba_reqwest::SignerError> {
        Ok(self.of(operation.purpose())?.sign(operation, entropy)?)
    }
}

impl ciba_ureq::Signer for KeyRing {
    fn sign(
        &self,
        operation: &KeyOperation,
        entropy: Entropy,
    ) -> Result<Vec<u8>, ciba_ureq::SignerError> {
        Ok(self.of(operation.purpose())?.sign(operation, entropy)?)
    }
}
