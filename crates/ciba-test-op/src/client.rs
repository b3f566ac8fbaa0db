//! Registered clients.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ciba_core::{
    ClientSecret, DeliveryMode,
    config::AuthMethod,
    crypto::Hash,
    http::{LoopbackHttp, Url},
    jose::JwsAlgorithm,
};
use serde_json::Value;

use crate::{jws, message::Incoming};

/// A registered client.
// OP-06
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Client {
    /// The client id.
    pub id: String,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// The accepted audiences of its assertions.
    // OP-11
    pub audience: AudienceMode,
    /// Its delivery mode. The token endpoint answers push clients with `unauthorized_client`.
    pub delivery: DeliveryMode,
    /// Its notification endpoint: https, or http on a loopback address. Ping and push clients need
    /// one; that of a poll client is not called.
    pub notification_endpoint: Option<String>,
    /// Whether it may send a `user_code`; otherwise the parameter is ignored.
    // OP-21
    pub user_code: bool,
    /// The algorithm of its signed authentication requests. If there is one, unsigned requests are
    /// refused.
    // OP-25
    pub request_signing_alg: Option<JwsAlgorithm>,
    /// Public JWKs for signed requests, in addition to those of `private_key_jwt`.
    pub keys: Vec<Value>,
    /// Whether its access tokens are bound to its certificate ([RFC 8705 section
    /// 3](https://www.rfc-editor.org/rfc/rfc8705#section-3)).
    pub certificate_bound: bool,
    /// Whether its access tokens are bound to the key of its DPoP proofs, which are then required
    /// ([RFC 9449 section 5.2](https://www.rfc-editor.org/rfc/rfc9449#section-5.2)). A proof of any
    /// other client binds its tokens as well.
    pub dpop_bound: bool,
    /// Whether it may use CIBA; otherwise its requests are refused with `unauthorized_client`.
    // OP-16
    pub ciba: bool,
    /// Whether it may use refresh tokens; otherwise the scope `offline_access` has no effect.
    pub refresh: bool,
    /// The algorithm of its ID Tokens. Default: RS256.
    // OP-63
    pub id_token_alg: JwsAlgorithm,
    /// The algorithm of its signed UserInfo answers. Default: none, they are plain JSON.
    pub userinfo_alg: Option<JwsAlgorithm>,
}

impl Client {
    /// Creates a poll client that may use CIBA, with ID Tokens in RS256.
    #[must_use]
    pub fn new(id: impl Into<String>, authentication: ClientAuthentication) -> Self {
        Self {
            id: id.into(),
            authentication,
            audience: AudienceMode::CibaDefault,
            delivery: DeliveryMode::Poll,
            notification_endpoint: None,
            user_code: false,
            request_signing_alg: None,
            keys: Vec::new(),
            certificate_bound: false,
            dpop_bound: false,
            ciba: true,
            refresh: true,
            id_token_alg: JwsAlgorithm::Rs256,
            userinfo_alg: None,
        }
    }

    /// Creates a client with `private_key_jwt` and one public JWK. The algorithms are those of the
    /// JWK's `alg`, or else those of its kind.
    #[must_use]
    pub fn with_key(id: impl Into<String>, public_jwk: Value) -> Self {
        Self::new(
            id,
            ClientAuthentication::PrivateKeyJwt { keys: vec![public_jwk], algorithms: Vec::new() },
        )
    }

    /// Sets the algorithm of its ID Tokens.
    #[must_use]
    pub fn id_token_alg(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token_alg = algorithm;
        self
    }

    /// Sets the algorithm of its signed UserInfo answers, which is not an HMAC.
    #[must_use]
    pub fn userinfo_alg(mut self, algorithm: JwsAlgorithm) -> Self {
        self.userinfo_alg = Some(algorithm);
        self
    }

    /// Sets the delivery mode to ping, and the notification endpoint.
    #[must_use]
    pub fn ping(self, notification_endpoint: impl Into<String>) -> Self {
        Self {
            delivery: DeliveryMode::Ping,
            notification_endpoint: Some(notification_endpoint.into()),
            ..self
        }
    }

    /// Sets the delivery mode to push, and the notification endpoint.
    #[must_use]
    pub fn push(self, notification_endpoint: impl Into<String>) -> Self {
        Self {
            delivery: DeliveryMode::Push,
            notification_endpoint: Some(notification_endpoint.into()),
            ..self
        }
    }

    /// Allows user codes.
    #[must_use]
    pub fn user_code(self) -> Self {
        Self { user_code: true, ..self }
    }

    /// Accepts only authentication requests that are signed with this algorithm.
    #[must_use]
    pub fn request_signing_alg(self, algorithm: JwsAlgorithm) -> Self {
        Self { request_signing_alg: Some(algorithm), ..self }
    }

    /// Adds a public JWK for signed requests.
    #[must_use]
    pub fn key(mut self, public_jwk: Value) -> Self {
        self.keys.push(public_jwk);
        self
    }

    /// Binds its access tokens to its certificate.
    #[must_use]
    pub fn certificate_bound(self) -> Self {
        Self { certificate_bound: true, ..self }
    }

    /// Requires DPoP proofs, to whose key its access tokens are bound.
    #[must_use]
    pub fn dpop_bound(self) -> Self {
        Self { dpop_bound: true, ..self }
    }

    /// Sets the accepted audiences of assertions.
    #[must_use]
    pub fn audience(mut self, mode: AudienceMode) -> Self {
        self.audience = mode;
        self
    }
}

/// The length of an algorithm's hash.
fn hash_bytes(algorithm: JwsAlgorithm) -> usize {
    match algorithm.hash() {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    }
}

/// How a client authenticates.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `private_key_jwt`.
    PrivateKeyJwt {
        /// The public JWKs.
        keys: Vec<Value>,
        /// The allowed algorithms; empty for all that the keys allow.
        algorithms: Vec<JwsAlgorithm>,
    },
    /// `client_secret_jwt`.
    ClientSecretJwt {
        /// The secret.
        secret: ClientSecret,
        /// HS256, HS384 or HS512.
        algorithm: JwsAlgorithm,
    },
    /// `client_secret_basic`.
    ClientSecretBasic {
        /// The secret.
        secret: ClientSecret,
        /// Whether id and secret are compared without form-decoding, as by some providers.
        // OP-09
        raw: bool,
    },
    /// `client_secret_post`.
    ClientSecretPost {
        /// The secret.
        secret: ClientSecret,
    },
    /// `tls_client_auth`: a certificate for this subject from an authority that the listener trusts.
    TlsClientAuth {
        /// The subject in the form of RFC 4514: `CN=app,O=Example`.
        subject: String,
    },
    /// `self_signed_tls_client_auth`: exactly one of these certificates.
    SelfSignedTlsClientAuth {
        /// The certificates in DER.
        certificates: Vec<Vec<u8>>,
    },
    /// `none`: only `client_id` in the body.
    None,
}

impl ClientAuthentication {
    /// Creates `self_signed_tls_client_auth` with the certificates of a key set: the first of each
    /// `x5c` ([RFC 8705 section 2.2](https://www.rfc-editor.org/rfc/rfc8705#section-2.2)).
    #[must_use]
    pub fn self_signed(keys: &[Value]) -> Self {
        let certificate = |jwk: &Value| STANDARD.decode(jwk.get("x5c")?.get(0)?.as_str()?).ok();
        Self::SelfSignedTlsClientAuth {
            certificates: keys.iter().filter_map(certificate).collect(),
        }
    }

    /// Returns the registered name of the method.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PrivateKeyJwt { .. } => AuthMethod::PrivateKeyJwt,
            Self::ClientSecretJwt { .. } => AuthMethod::ClientSecretJwt,
            Self::ClientSecretBasic { .. } => AuthMethod::ClientSecretBasic,
            Self::ClientSecretPost { .. } => AuthMethod::ClientSecretPost,
            Self::TlsClientAuth { .. } => AuthMethod::TlsClientAuth,
            Self::SelfSignedTlsClientAuth { .. } => AuthMethod::SelfSignedTlsClientAuth,
            Self::None => AuthMethod::None,
        }
        .name()
    }
}

/// The accepted audiences of client assertions.
// OP-11
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AudienceMode {
    /// The issuer, the token endpoint or the backchannel endpoint, as a string or in an array ([CIBA
    /// Core 7.1](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1)).
    #[default]
    CibaDefault,
    /// Only the issuer, as a string.
    IssuerOnly,
    /// The token endpoint, at both endpoints.
    TokenUrlOnly,
    /// The endpoint that is called.
    CalledUrlOnly,
}

impl Client {
    /// Whether the provider can deliver to it.
    // OP-06
    pub(crate) fn can_be_notified(&self) -> bool {
        match &self.notification_endpoint {
            // A poll client may have one, which is never called.
            Some(endpoint) => Url::parse_with(endpoint, LoopbackHttp::DangerouslyAllowed).is_ok(),
            None => self.delivery == DeliveryMode::Poll,
        }
    }

    /// The number of bytes that the secret needs for the client's HMAC algorithms, if it has fewer
    /// (RFC 7518 section 3.2).
    pub(crate) fn missing_secret_bytes(&self) -> Option<usize> {
        let assertions = match &self.authentication {
            ClientAuthentication::ClientSecretJwt { algorithm, .. } => Some(*algorithm),
            _ => None,
        };
        let algorithms = [assertions, Some(self.id_token_alg)].into_iter().flatten();
        let bytes =
            algorithms.filter(|algorithm| algorithm.is_symmetric()).map(hash_bytes).max()?;
        self.secret().is_some_and(|secret| secret.len() < bytes).then_some(bytes)
    }

    /// Whether its signed requests, if there are any, can be verified.
    pub(crate) fn can_sign_requests(&self) -> bool {
        self.request_signing_alg.is_none_or(|algorithm| {
            !algorithm.is_symmetric()
                && self.request_keys().any(|jwk| jws::algorithms_of(jwk).contains(&algorithm))
        })
    }

    /// Whether it authenticates with its certificate.
    pub(crate) const fn authenticates_by_certificate(&self) -> bool {
        matches!(
            self.authentication,
            ClientAuthentication::TlsClientAuth { .. }
                | ClientAuthentication::SelfSignedTlsClientAuth { .. }
        )
    }

    /// The certificate that its access tokens are bound to, if they are (RFC 8705 section 3).
    pub(crate) fn thumbprint(&self, request: &Incoming) -> Option<String> {
        let shown = request.certificate.as_ref().filter(|_| self.certificate_bound)?;
        Some(shown.thumbprint())
    }

    /// Whether FAPI-CIBA allows it (OP-66, OP-67).
    pub(crate) fn fits_fapi_ciba(&self) -> bool {
        let fits = |algorithm: &JwsAlgorithm| {
            matches!(algorithm, JwsAlgorithm::Ps256 | JwsAlgorithm::Es256)
        };
        let authentication = match &self.authentication {
            ClientAuthentication::PrivateKeyJwt { keys, algorithms } => {
                algorithms.iter().all(fits)
                    && keys.iter().any(|jwk| jws::algorithms_of(jwk).iter().any(fits))
            }
            ClientAuthentication::TlsClientAuth { .. }
            | ClientAuthentication::SelfSignedTlsClientAuth { .. } => true,
            ClientAuthentication::ClientSecretJwt { .. }
            | ClientAuthentication::ClientSecretBasic { .. }
            | ClientAuthentication::ClientSecretPost { .. }
            | ClientAuthentication::None => false,
        };
        let modulus = |jwk: &Value| jwk.get("n").and_then(Value::as_str).map(str::len);
        // 2048 bits are 342 characters of base64url.
        let long_enough = self.request_keys().filter_map(modulus).all(|length| length >= 342);
        authentication
            && long_enough
            && self.certificate_bound
            && self.delivery != DeliveryMode::Push
            && self.request_signing_alg.as_ref().is_some_and(fits)
            && fits(&self.id_token_alg)
    }

    /// The public keys of its signed requests.
    pub(crate) fn request_keys(&self) -> impl Iterator<Item = &Value> {
        let own: &[Value] = match &self.authentication {
            ClientAuthentication::PrivateKeyJwt { keys, .. } => keys,
            _ => &[],
        };
        self.keys.iter().chain(own)
    }
}
