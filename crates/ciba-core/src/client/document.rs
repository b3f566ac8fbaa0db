//! A registration document: what a provider returned when the client was registered (OIDC
//! Registration 3.2, RFC 7591 section 3.2.1).

mod members;

use alloc::{
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use serde::de::DeserializeOwned;

use super::{
    auth::{AuthMethod, BasicEncoding, ClientAuth},
    builder::ClientConfigBuilder,
    certificate::CertificateSubject,
    config_error::{ConfigError, ConfigErrors},
    id::ClientId,
};
use crate::{
    jose::JwsAlgorithm,
    json::{JsonObject, Raw},
    secret::ClientSecret,
    time::Timestamp,
    url::{LoopbackHttp, Url},
    wire::metadata::DeliveryMode,
};

/// The client metadata that a provider returned to a registration request, or a configuration file
/// with the same members
/// ([OIDC Registration 3.2](https://openid.net/specs/openid-connect-registration-1_0.html#RegistrationResponse)).
///
/// In addition to the registered members, such a file can name the provider with `issuer`. Members
/// that this client does not use are ignored, as a registration response may contain any; for a
/// configuration file, see [`Self::check_members`]. `Debug` shows only the names of the members.
///
/// ```
/// # use ciba_core::config::Registration;
/// let registration = Registration::from_json(r#"{
///     "issuer": "https://op.example",
///     "client_id": "my-client",
///     "client_secret": "a secret",
///     "token_endpoint_auth_method": "client_secret_post"
/// }"#)?;
/// assert_eq!(registration.client_id().as_str(), "my-client");
/// # Ok::<(), ciba_core::config::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Registration {
    client_id: ClientId,
    members: JsonObject,
}

/// The credentials of a client, which a registration does not contain.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// The algorithm and the id of the private key that signs.
    pub key: Option<(JwsAlgorithm, Option<Arc<str>>)>,
    /// The client secret, which takes precedence over that of the registration.
    pub secret: Option<ClientSecret>,
}

impl Credentials {
    /// Creates credentials from the algorithm and the id of the private key, and the client secret.
    #[must_use]
    pub const fn new(
        key: Option<(JwsAlgorithm, Option<Arc<str>>)>,
        secret: Option<ClientSecret>,
    ) -> Self {
        Self { key, secret }
    }
}

impl Registration {
    /// Reads a registration.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] if it is not exactly one JSON object, or has no valid `client_id`.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        // Some editors write a byte order mark, which is not part of JSON.
        let members = JsonObject::from_json(json.trim_start_matches('\u{feff}')).map_err(|_| {
            ConfigError::Invalid {
                member: "the registration",
                reason: "it is not one JSON object with unique member names",
            }
        })?;
        let client_id: Option<String> = members.get("client_id").map_err(|_| wrong("client_id"))?;
        let client_id = client_id.ok_or(ConfigError::Missing { member: "client_id" })?;
        Ok(Self { client_id: ClientId::new(client_id)?, members })
    }

    /// Returns the client id.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Returns the issuer, if the file names it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Invalid`] if the member is not a string.
    pub fn issuer(&self) -> Result<Option<String>, ConfigError> {
        self.get("issuer")
    }

    /// Reads a member into a type; `None` if it is missing or `null`.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Invalid`] if the value does not fit the type.
    pub fn get<T: DeserializeOwned>(&self, member: &'static str) -> Result<Option<T>, ConfigError> {
        self.members.get(member).map_err(|_| wrong(member))
    }

    /// Returns the members. They may include the client secret.
    #[must_use]
    pub const fn members(&self) -> &JsonObject {
        &self.members
    }

    /// Checks that every member is one that this client uses, a registered one that has no effect
    /// here, or one whose name begins with `x_`, which is free for other programs.
    ///
    /// For configuration files: a member that is misspelt and ignored would be an option that does
    /// not apply.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigErrors`] with every [unknown](ConfigError::Unknown) member.
    pub fn check_members(&self) -> Result<(), ConfigErrors> {
        let unknown: Vec<ConfigError> = self
            .members
            .iter()
            .filter(|(name, _)| !members::is_known(name))
            .map(|(name, _)| ConfigError::Unknown { member: name.to_string() })
            .collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors::new(unknown)),
        }
    }

    /// Returns the registered algorithm of the client's private key: that of assertions or, without
    /// one, that of signed requests.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Invalid`] if one of these members is not the name of an algorithm.
    pub fn signing_algorithm(&self) -> Result<Option<JwsAlgorithm>, ConfigError> {
        let named = |member| {
            let name: Option<String> = self.get(member)?;
            let of = |name: String| JwsAlgorithm::from_name(&name).ok_or(wrong(member));
            name.map(of).transpose()
        };
        let (assertion, request) = (named(ASSERTION_ALG)?, named(REQUEST_ALG)?);
        // HS256, HS384 and HS512 use the client secret and no private key.
        Ok(assertion.or(request).filter(|algorithm| !algorithm.is_symmetric()))
    }

    /// Sets all options that were registered. `loopback` applies to the notification endpoint.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigErrors`] with every member that cannot be used, and with the secret or key
    /// that the registered authentication method requires but `credentials` does not contain.
    pub fn configure(
        &self,
        builder: ClientConfigBuilder,
        credentials: &Credentials,
        loopback: LoopbackHttp,
    ) -> Result<ClientConfigBuilder, ConfigErrors> {
        let mut read = Reader { members: &self.members, findings: Vec::new() };
        let mut builder = builder;
        if let Some(auth) = read.auth(credentials) {
            builder = builder.client_auth(auth);
        }
        if let Some(algorithm) = read.algorithm("id_token_signed_response_alg") {
            builder = builder.id_token_algorithm(algorithm);
        }
        if let Some(algorithm) = read.algorithm("userinfo_signed_response_alg") {
            builder = builder.userinfo_algorithm(algorithm);
        }
        if let Some(algorithm) = read.algorithm(REQUEST_ALG) {
            let key_id = credentials.key.as_ref().and_then(|(_, key_id)| key_id.clone());
            builder = builder.signed_requests(algorithm, key_id);
        }
        let delivery = read.named("backchannel_token_delivery_mode", DeliveryMode::from_name);
        if let Some(mode) = delivery {
            builder = builder.delivery(mode);
        }
        // In poll mode nothing is ever sent to the endpoint (REQ-META-05).
        if delivery.is_some_and(|mode| mode != DeliveryMode::Poll) {
            let parsed = |text: &str| Url::parse_with(text, loopback).ok();
            if let Some(url) = read.named(NOTIFICATION_ENDPOINT, parsed) {
                builder = builder.notification_endpoint(url);
            }
        } else {
            // Read in this mode too, so that a value of the wrong type is always reported.
            read.get::<String>(NOTIFICATION_ENDPOINT);
        }
        for (member, set) in SWITCHES {
            // An absent member means `false` for each of these.
            if read.get(member) == Some(true) {
                builder = set(builder);
            }
        }
        let mut has_subject = false;
        for (member, subject) in CertificateSubject::KINDS {
            let Some(value) = read.get(member) else { continue };
            // With two, nothing says which one the provider compares (REQ-META-19).
            if has_subject {
                let reason = "another certificate subject is registered, and only one is allowed";
                read.findings.push(ConfigError::Invalid { member, reason });
            }
            has_subject = true;
            builder = builder.certificate_subject(subject(value));
        }
        if let Some(age) = read.get("default_max_age") {
            builder = builder.default_max_age(Duration::from_secs(age));
        }
        if let Some(values) = read.get::<Vec<String>>("default_acr_values") {
            builder = builder.default_acr_values(values);
        }
        if let Some(expires_at) = read.get("client_secret_expires_at") {
            builder = builder.client_secret_expires_at(Timestamp::from_unix_secs(expires_at));
        }
        let jwks = self.members.find("jwks").filter(|jwks| !jwks.is_null());
        // An unreadable set must not pass for an absent one, because its keys are to be checked.
        if jwks.is_some_and(|jwks| jwks.member("keys").and_then(Raw::items).is_none()) {
            read.findings.push(wrong("jwks"));
        }
        for key in self.public_keys() {
            builder = builder.public_key(key.json());
        }
        match read.findings.is_empty() {
            true => Ok(builder),
            false => Err(ConfigErrors::new(read.findings)),
        }
    }

    fn public_keys(&self) -> impl Iterator<Item = Raw<'_>> {
        let keys = self.members.find("jwks").and_then(|jwks| jwks.member("keys"));
        keys.and_then(Raw::items).into_iter().flatten()
    }

    /// Returns `true` if it lists the client's public keys.
    #[must_use]
    pub fn lists_keys(&self) -> bool {
        self.public_keys().next().is_some()
    }
}

const METHOD: &str = "token_endpoint_auth_method";
const ASSERTION_ALG: &str = "token_endpoint_auth_signing_alg";
const NOTIFICATION_ENDPOINT: &str = "backchannel_client_notification_endpoint";
const REQUEST_ALG: &str = "backchannel_authentication_request_signing_alg";

type Switch = fn(ClientConfigBuilder) -> ClientConfigBuilder;
const SWITCHES: [(&str, Switch); 5] = [
    ("backchannel_user_code_parameter", ClientConfigBuilder::user_codes),
    ("tls_client_certificate_bound_access_tokens", ClientConfigBuilder::certificate_bound_tokens),
    ("dpop_bound_access_tokens", ClientConfigBuilder::dpop_bound_tokens),
    ("use_mtls_endpoint_aliases", ClientConfigBuilder::use_mtls_endpoint_aliases),
    ("require_auth_time", ClientConfigBuilder::require_auth_time),
];

const fn wrong(member: &'static str) -> ConfigError {
    ConfigError::Invalid { member, reason: "the registration has a value there that is not known" }
}

/// Reads members and collects the errors.
struct Reader<'a> {
    members: &'a JsonObject,
    findings: Vec<ConfigError>,
}

impl Reader<'_> {
    fn get<T: DeserializeOwned>(&mut self, member: &'static str) -> Option<T> {
        self.members.get(member).unwrap_or_else(|_| {
            self.findings.push(wrong(member));
            None
        })
    }

    /// Reads a member whose value is a name.
    fn named<T>(&mut self, member: &'static str, of: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text: String = self.get(member)?;
        let named = of(&text);
        if named.is_none() {
            self.findings.push(wrong(member));
        }
        named
    }

    fn algorithm(&mut self, member: &'static str) -> Option<JwsAlgorithm> {
        self.named(member, JwsAlgorithm::from_name)
    }

    /// Returns the registered method with its credentials. Without a registered method, it is
    /// `private_key_jwt` if there is a key but no secret, and otherwise `client_secret_basic` (OIDC
    /// Registration 2).
    fn auth(&mut self, credentials: &Credentials) -> Option<ClientAuth> {
        // The secret of the caller takes precedence: a registration on disk may be older.
        let own = self.get::<String>("client_secret").map(ClientSecret::new);
        let secret = credentials.secret.clone().or(own);
        let key = credentials.key.clone();
        let algorithm = self.algorithm(ASSERTION_ALG);
        let is_named = self.members.find(METHOD).is_some_and(|method| !method.is_null());
        let method = match (self.named(METHOD, AuthMethod::from_name), &key, &secret) {
            (Some(method), ..) => method,
            // A method that is not known cannot be guessed, and a wrong one would expose the secret.
            (None, ..) if is_named => return None,
            (None, Some(_), None) => AuthMethod::PrivateKeyJwt,
            (None, _, Some(_)) => AuthMethod::ClientSecretBasic,
            (None, None, None) => return None,
        };
        let needs = match method {
            AuthMethod::ClientSecretBasic
            | AuthMethod::ClientSecretPost
            | AuthMethod::ClientSecretJwt => "client_secret",
            _ => "a key",
        };
        let made = match method {
            AuthMethod::PrivateKeyJwt => key.map(|(own, key_id)| ClientAuth::PrivateKeyJwt {
                // The provider accepts only the registered algorithm, even if the key allows
                // others.
                algorithm: algorithm.unwrap_or(own),
                key_id,
            }),
            AuthMethod::ClientSecretBasic => secret.map(|secret| ClientAuth::ClientSecretBasic {
                secret,
                // RFC 6749 section 2.3.1. No member of a registration names the other encoding.
                encoding: BasicEncoding::Encoded,
            }),
            AuthMethod::ClientSecretPost => {
                secret.map(|secret| ClientAuth::ClientSecretPost { secret })
            }
            AuthMethod::ClientSecretJwt => secret.map(|secret| ClientAuth::ClientSecretJwt {
                secret,
                // No default is specified. Of the three, HS256 accepts the shortest secrets.
                algorithm: algorithm.unwrap_or(JwsAlgorithm::Hs256),
            }),
            AuthMethod::TlsClientAuth => Some(ClientAuth::TlsClientAuth),
            AuthMethod::SelfSignedTlsClientAuth => Some(ClientAuth::SelfSignedTlsClientAuth),
            AuthMethod::None => Some(ClientAuth::None),
        };
        if made.is_none() {
            self.findings.push(ConfigError::Missing { member: needs });
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::client::{ClientConfig, testing};

    fn empty() -> ClientConfigBuilder {
        ClientConfig::builder(testing::metadata(), ClientId::new("client-1").unwrap())
    }

    fn read(json: &str, credentials: &Credentials) -> Result<ClientConfigBuilder, ConfigErrors> {
        let registration = Registration::from_json(json)?;
        registration.configure(empty(), credentials, LoopbackHttp::Refused)
    }

    #[test]
    fn every_member_that_is_read_is_known() {
        let subjects = CertificateSubject::KINDS.map(|(member, _)| member);
        let read = SWITCHES.map(|(name, _)| name).into_iter().chain(subjects);
        let named = [METHOD, ASSERTION_ALG, NOTIFICATION_ENDPOINT, REQUEST_ALG];
        for name in read.chain(named).chain(["jwks", "default_max_age", "client_secret", "x_mine"])
        {
            assert!(members::is_known(name), "{name}");
        }
        for name in ["", "x", "keyfile", "client_Id", "require_auth_tme"] {
            assert!(!members::is_known(name), "{name}");
        }
    }

    /// REQ-META-01a
    /// REQ-META-25
    #[test]
    fn a_written_registration_is_read_back() {
        let secret = || ClientSecret::new("a secret of thirty-two octets and more");
        let url = || Url::parse("https://client.example/notify").unwrap();
        let key = Some((JwsAlgorithm::Es256, Some("key-1".into())));
        let credentials = Credentials::new(key, Some(secret()));
        let algorithm = JwsAlgorithm::Es256;
        let by_key = ClientAuth::PrivateKeyJwt { algorithm, key_id: Some("key-1".into()) };
        let basic =
            ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded };
        let by_mac =
            ClientAuth::ClientSecretJwt { secret: secret(), algorithm: JwsAlgorithm::Hs256 };
        let subject = CertificateSubject::Dn("CN=client".into());
        for builder in [
            empty().client_auth(by_key.clone()),
            empty().client_auth(basic).id_token_algorithm(JwsAlgorithm::Es256),
            empty().client_auth(by_mac).delivery(DeliveryMode::Ping).notification_endpoint(url()),
            empty().client_auth(ClientAuth::ClientSecretPost { secret: secret() }).user_codes(),
            empty()
                .client_auth(ClientAuth::TlsClientAuth)
                .certificate_subject(subject)
                .certificate_bound_tokens()
                .use_mtls_endpoint_aliases(),
            empty()
                .client_auth(by_key)
                .delivery(DeliveryMode::Push)
                .notification_endpoint(url())
                .signed_requests(algorithm, Some("key-1".into()))
                .require_auth_time()
                .default_max_age(Duration::from_secs(600))
                .default_acr_values(["urn:example:acr"]),
        ] {
            let mut builder = builder;
            for rule in crate::client::MetadataRule::ALL {
                builder = builder.dangerously_ignore_metadata(rule);
            }
            let config = builder.build().unwrap();
            let document = config.registration_document().unwrap();
            let answer = document.replacen('{', r#"{"client_id":"client-1","#, 1);
            let mut builder = read(&answer, &credentials).unwrap();
            for rule in crate::client::MetadataRule::ALL {
                builder = builder.dangerously_ignore_metadata(rule);
            }
            let back = builder.build().unwrap();
            assert_eq!(back.registration_document().unwrap(), document);
            assert_eq!(format!("{:?}", back.auth()), format!("{:?}", config.auth()));
        }
    }

    #[test]
    fn every_error_in_a_registration_is_reported() {
        for (json, member) in [
            ("[]", "the registration"),
            (r#"{"client_id":"a","client_id":"b"}"#, "the registration"),
            ("{}", "client_id"),
            (r#"{"client_id":7}"#, "client_id"),
            (r#"{"client_id":"c","token_endpoint_auth_method":"magic"}"#, METHOD),
            (r#"{"client_id":"c","token_endpoint_auth_method":"private_key_jwt"}"#, "a key"),
            (
                r#"{"client_id":"c","token_endpoint_auth_method":"client_secret_jwt"}"#,
                "client_secret",
            ),
            (
                r#"{"client_id":"c","id_token_signed_response_alg":"none"}"#,
                "id_token_signed_response_alg",
            ),
            (r#"{"client_id":"c","require_auth_time":"yes"}"#, "require_auth_time"),
            (
                r#"{"client_id":"c","backchannel_client_notification_endpoint":["https://x"]}"#,
                NOTIFICATION_ENDPOINT,
            ),
            (
                r#"{"client_id":"c","tls_client_auth_san_dns":"c.example","tls_client_auth_subject_dn":"CN=c"}"#,
                "tls_client_auth_san_dns",
            ),
            (r#"{"client_id":"c","jwks":"{}"}"#, "jwks"),
            (r#"{"client_id":"c","jwks":{}}"#, "jwks"),
            (r#"{"client_id":"c","jwks":{"keys":{}}}"#, "jwks"),
            (
                r#"{"client_id":"c","backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"http://x"}"#,
                "backchannel_client_notification_endpoint",
            ),
        ] {
            let errors = read(json, &Credentials::default()).unwrap_err();
            let members: Vec<_> = errors.iter().map(ConfigError::member).collect();
            assert_eq!(members, [member], "{json}");
        }
    }
}
