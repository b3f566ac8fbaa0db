//! How the client proves who it is, at the backchannel and the token endpoint alike (CIBA 4, 7.1, 10.1).

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    ask::Endpoint, client::ClientConfig, entropy::Entropy, jose::JwsAlgorithm, secret::ClientSecret, time::Timestamp,
};

/// A client authentication method with what it needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `private_key_jwt` (OIDC Core 9, RFC 7523): the key itself stays with the signer.
    PrivateKeyJwt {
        /// The algorithm the key is registered for.
        algorithm: JwsAlgorithm,
        /// The key's id in the registered set; always sent when known (REQ-AUTH-16).
        key_id: Option<Arc<str>>,
    },
    /// `client_secret_basic` (RFC 6749 2.3.1).
    ClientSecretBasic {
        /// The secret.
        secret: ClientSecret,
        /// How id and secret are encoded.
        encoding: BasicEncoding,
    },
    /// `client_secret_post` (RFC 6749 2.3.1).
    ClientSecretPost {
        /// The secret.
        secret: ClientSecret,
    },
    /// `client_secret_jwt` (OIDC Core 9).
    ClientSecretJwt {
        /// The secret: its UTF-8 octets are the HMAC key (REQ-AUTH-22).
        secret: ClientSecret,
        /// HS256, HS384 or HS512.
        algorithm: JwsAlgorithm,
    },
    /// `none`: a public client, for providers that list it (ruling 13).
    None,
}

/// How `client_secret_basic` encodes id and secret (ruling 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BasicEncoding {
    /// Form-encoded, as RFC 6749 2.3.1 says.
    #[default]
    Encoded,
    /// As they are, for servers that never decode; refused when the id has a colon.
    Raw,
}

/// Which audience a client assertion names, per endpoint (ruling 8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// The issuer, as one string (REQ-AUTH-10).
    #[default]
    Issuer,
    /// The URL of the endpoint that is called. Only for endpoints you pin: metadata could inject another audience
    /// (REQ-AUTH-11).
    Endpoint,
    /// A fixed text.
    Text(String),
}

/// A credential on its way into a request.
pub(crate) enum Credential {
    /// Complete.
    Ready(Applied),
    /// An assertion that a private key has to sign first.
    Unsigned(UnsignedAssertion),
}

/// What a credential adds to a request.
pub(crate) struct Applied {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

/// A client assertion without its signature.
pub(crate) struct UnsignedAssertion {
    /// `header.payload`, both encoded.
    pub(crate) signing_input: Vec<u8>,
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) key_id: Option<Arc<str>>,
}

impl UnsignedAssertion {
    /// Completes the assertion with the signature over its signing input.
    pub(crate) fn signed(signing_input: Vec<u8>, signature: &[u8], config: &ClientConfig) -> Applied {
        let _ = (signing_input, signature, config);
        todo!()
    }
}

/// A fresh credential for one request: a new `jti` every time (REQ-AUTH-12).
pub(crate) fn credential(config: &ClientConfig, endpoint: Endpoint, entropy: &Entropy, now: Timestamp) -> Credential {
    let _ = (config, endpoint, entropy, now);
    todo!()
}
