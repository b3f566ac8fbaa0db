//! Idura Verify (formerly Criipto Verify): Swedish BankID, Norwegian BankID and FrejaID over CIBA,
//! in poll mode.
//!
//! A request is made for one eID, of what that eID takes and nothing else: a Norwegian request has
//! no method for a binding message.
//!
//! [`client`] refuses a request for Swedish BankID without a binding message, and one for Norwegian
//! BankID with one. It compares every ID Token with its request, however the request was built:
//! `ssn` and `socialno`, when present, have to be the national id of a hint `sub:ssn:N`, and the
//! eID has to be the one asked for. Swedish BankID has to send `ssn`. For the others,
//! [`Authentication::person`](crate::Authentication::person) says whether anything was compared.
//!
//! ```
//! use ciba_core::providers::idura::{CallInitiator, SwedishBankId, SwedishPersonalNumber};
//!
//! let person = SwedishPersonalNumber::parse("196802020575")?;
//! let request = SwedishBankId::phone_authentication(person, CallInitiator::Company, "Example Bank support, case 4711")
//!     .into_request();
//! # let _ = request;
//! # Ok::<(), ciba_core::providers::idura::NationalIdError>(())
//! ```

use alloc::{string::String, sync::Arc};
use core::time::Duration;

use crate::{
    client::{ClientConfigBuilder, ClientId},
    client_auth::{BasicEncoding, ClientAuth},
    jose::JwsAlgorithm,
    secret::ClientSecret,
    url::UrlError,
    wire::{authorize::Acknowledgement, metadata::ProviderMetadata},
};

mod claims;
mod national_id;
mod request;
#[cfg(test)]
mod tests;

pub use crate::expect::Check;
pub use claims::IdTokenClaims;
pub use national_id::{NationalIdError, NorwegianNationalId, SwedishPersonalNumber};
pub use request::{
    CallInitiator, FreeForm, NorwegianBankId, SwedishBankId, binding_message_may_be_too_long,
};

/// `acr_values` of Swedish BankID.
pub const SWEDISH_BANKID: &str = "urn:grn:authn:se:bankid";
/// `acr_values` of Norwegian BankID.
pub const NORWEGIAN_BANKID: &str = "urn:grn:authn:no:bankid";
/// `acr_values` of FrejaID, as documented for the redirect flow; for CIBA it is an inference.
pub const FREJA_ID: &str = "urn:grn:authn:se:frejaid";

/// Fills in the two endpoints where the metadata document lacks them, as Idura's may:
/// `/ciba/bc-authorize` and `/oauth2/token` behind the issuer. Endpoints in the metadata stay.
///
/// # Errors
///
/// [`UrlError`] when the issuer cannot be continued by a path.
pub fn complete(metadata: ProviderMetadata) -> Result<ProviderMetadata, UrlError> {
    super::IDURA.complete(metadata)
}

/// Begins a configuration for Idura: endpoints completed, poll mode, client assertions for the
/// issuer that live 60 seconds, ID Tokens signed with RS256, and person and eID of every ID Token
/// compared with those that were asked for. What remains is [`ClientConfigBuilder::client_auth`].
///
/// # Errors
///
/// As [`complete`].
pub fn client(
    metadata: ProviderMetadata,
    client_id: ClientId,
) -> Result<ClientConfigBuilder, UrlError> {
    Ok(super::IDURA
        .client(metadata, client_id)?
        .id_token_algorithm(JwsAlgorithm::Rs256)
        .assertion_lifetime(Duration::from_secs(60)))
}

/// `private_key_jwt` with RS256, the only algorithm Idura documents, and the key's id in the
/// registered set.
#[must_use]
pub fn private_key_jwt(key_id: impl Into<Arc<str>>) -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Rs256, key_id: Some(key_id.into()) }
}

/// `client_secret_basic`, form-encoded: client ids at Idura have colons in them.
#[must_use]
pub const fn client_secret(secret: ClientSecret) -> ClientAuth {
    ClientAuth::ClientSecretBasic { secret, encoding: BasicEncoding::Encoded }
}

/// The two words that have to be read out to the person: Norwegian BankID shows three pairs and
/// only this one is right.
///
/// They are the provider's text: control characters are replaced, at most 1 KiB is kept.
#[must_use]
pub fn words_to_read_out(acknowledged: &Acknowledgement) -> Option<String> {
    let words = acknowledged.extra.find("bindingMessage")?.text()?;
    Some(crate::text::plain_at_most(&words, crate::bounds::TEXT_BYTES))
}

/// How far a person has come in Swedish BankID, read from
/// [`Wait::progress`](crate::Wait::progress). For an agent's screen only: nothing may be decided by
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Progress {
    /// The app has not been opened yet.
    AwaitingFirstInteraction,
    /// The question about the call is on the screen.
    AwaitingAcknowledgement,
    /// The question was answered; security code or biometrics are outstanding.
    AwaitingIdentification,
}

impl Progress {
    /// Reads the text of a pending answer; `None` when it is another.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "awaiting first user interaction" => Some(Self::AwaitingFirstInteraction),
            "awaiting user request acknowledgement" => Some(Self::AwaitingAcknowledgement),
            "awaiting user identification" => Some(Self::AwaitingIdentification),
            _ => None,
        }
    }
}
