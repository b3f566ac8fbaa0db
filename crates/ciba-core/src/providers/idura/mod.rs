//! Idura Verify (formerly Criipto Verify): Swedish BankID, Norwegian BankID and FrejaID over CIBA,
//! in poll mode.
//!
//! A request is built for one eID and offers only the options of that eID: a Norwegian request, for
//! example, has no method for a binding message.
//!
//! [`client`] rejects a request for Swedish BankID without a binding message, and one for Norwegian
//! BankID with one. It compares every ID Token with its request, no matter how the request was built:
//! `ssn` and `socialno`, if present, must be the national id of a hint `sub:ssn:N`, and the eID must
//! be the requested one. Swedish BankID must send `ssn`. For the others,
//! [`Authentication::person`](crate::Authentication::person) tells whether the person was compared.
//!
//! # Examples
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
    client::{BasicEncoding, ClientAuth, ClientConfigBuilder, ClientId},
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

/// The `acr_values` of Swedish BankID.
pub const SWEDISH_BANKID: &str = "urn:grn:authn:se:bankid";
/// The `acr_values` of Norwegian BankID.
pub const NORWEGIAN_BANKID: &str = "urn:grn:authn:no:bankid";
/// The `acr_values` of FrejaID. They are documented for the redirect flow and presumed for CIBA.
pub const FREJA_ID: &str = "urn:grn:authn:se:frejaid";

/// Adds the two endpoints if the metadata lacks them, as Idura's document may:
/// `/ciba/bc-authorize` and `/oauth2/token` relative to the issuer. Endpoints in the metadata are
/// kept.
///
/// # Errors
///
/// Returns [`UrlError`] if the issuer followed by the path is not a valid URL.
pub fn complete(metadata: ProviderMetadata) -> Result<ProviderMetadata, UrlError> {
    super::IDURA.complete(metadata)
}

/// Begins a configuration for Idura.
///
/// It uses poll mode, completes the endpoints, makes client assertions for the issuer that are valid
/// for 60 seconds, expects ID Tokens signed with RS256, and compares person and eID of every ID
/// Token with the requested ones. Only [`ClientConfigBuilder::client_auth`] remains to be set.
///
/// # Errors
///
/// Like [`complete`].
pub fn client(
    metadata: ProviderMetadata,
    client_id: ClientId,
) -> Result<ClientConfigBuilder, UrlError> {
    Ok(super::IDURA
        .client(metadata, client_id)?
        .id_token_algorithm(JwsAlgorithm::Rs256)
        .assertion_lifetime(Duration::from_secs(60)))
}

/// Returns `private_key_jwt` with RS256, the only algorithm that Idura documents, and the id of the
/// key in the registered set.
#[must_use]
pub fn private_key_jwt(key_id: impl Into<Arc<str>>) -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Rs256, key_id: Some(key_id.into()) }
}

/// Returns `client_secret_basic` with form encoding, because client ids at Idura contain colons.
#[must_use]
pub const fn client_secret(secret: ClientSecret) -> ClientAuth {
    ClientAuth::ClientSecretBasic { secret, encoding: BasicEncoding::Encoded }
}

/// Returns the two words that must be read to the person: Norwegian BankID shows three pairs of
/// words, of which only this one is right.
///
/// The string comes from the provider. Control characters are replaced, and it is truncated to
/// 1 KiB.
#[must_use]
pub fn words_to_read_out(acknowledged: &Acknowledgement) -> Option<String> {
    let words = acknowledged.extra.find("bindingMessage")?.text()?;
    Some(crate::text::plain_at_most(&words, crate::bounds::TEXT_BYTES))
}

/// The progress of a person in Swedish BankID, from [`Wait::progress`](crate::Wait::progress).
///
/// It is meant for display only and must not be used for decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Progress {
    /// The app has not been opened yet.
    AwaitingFirstInteraction,
    /// The app shows the question about the call.
    AwaitingAcknowledgement,
    /// The question was answered. The security code or biometrics are still missing.
    AwaitingIdentification,
}

impl Progress {
    /// Reads the description of a pending answer. Returns `None` for an unknown one.
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
