//! The provider's metadata document (OIDC Discovery 3 and 4, RFC 8414 3, CIBA 4).

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::fmt;

use crate::{
    endpoint::Endpoint,
    fault::{Expected, Fault, Found, Rejection, Untrusted},
    issuer::Issuer,
    jose::JwsAlgorithm,
    json::{Object, Raw},
    url::{LoopbackHttp, Url},
    wire::{JsonObject, Misbehaviour, Response, ServerAnswer},
};

/// How the result of an authentication reaches the client (CIBA 5). A client is registered for
/// exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryMode {
    /// The client asks the token endpoint until there is an answer.
    Poll,
    /// The provider tells the client when to ask.
    Ping,
    /// The provider delivers the tokens to the client.
    Push,
}

impl DeliveryMode {
    /// The registered name, as in `backchannel_token_delivery_mode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping => "ping",
            Self::Push => "push",
        }
    }

    /// The mode of that exact name (REQ-META-01).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Poll, Self::Ping, Self::Push].into_iter().find(|mode| mode.name() == name)
    }
}

/// What a provider offers, from its metadata document or made by hand.
///
/// A list that is `None` was not published and says nothing (save for the delivery modes, which a
/// document with a backchannel endpoint has to have); the pre-flight of
/// [`ClientConfigBuilder::build`](crate::ClientConfigBuilder::build) checks against the lists that
/// are there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderMetadata {
    /// The issuer; token `iss` values are compared with it byte by byte.
    pub issuer: Issuer,
    /// The backchannel authentication endpoint (CIBA 4).
    pub backchannel_authentication_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Option<Url>,
    /// Where the key set is.
    pub jwks_uri: Option<Url>,
    /// `backchannel_token_delivery_modes_supported`.
    pub delivery_modes: Option<Vec<DeliveryMode>>,
    /// `token_endpoint_auth_methods_supported`, also for the backchannel endpoint (CIBA 4).
    pub auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`; unknown names are dropped.
    pub auth_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `backchannel_authentication_request_signing_alg_values_supported` (CIBA 4); unknown names,
    /// `none` and MACs mean nothing.
    pub request_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `id_token_signing_alg_values_supported`; unknown names are dropped.
    pub id_token_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `backchannel_user_code_parameter_supported` (CIBA 4).
    pub user_code_supported: bool,
    /// `tls_client_certificate_bound_access_tokens` (RFC 8705 3.3).
    pub certificate_bound_tokens: Option<bool>,
    /// `mtls_endpoint_aliases` (RFC 8705 5).
    pub mtls_endpoint_aliases: MtlsEndpointAliases,
    /// `grant_types_supported`.
    pub grant_types: Option<Vec<String>>,
    /// `scopes_supported`.
    pub scopes: Option<Vec<String>>,
    /// `acr_values_supported`.
    pub acr_values: Option<Vec<String>>,
    /// `authorization_details_types_supported` (RFC 9396 10).
    pub authorization_details_types: Option<Vec<String>>,
    /// All other members, as received.
    pub extra: JsonObject,
    /// The lists of which only known values are kept above.
    pub(crate) listed: Vec<(&'static str, Vec<String>)>,
    /// Whether it comes from the provider's own document.
    pub(crate) published: bool,
    /// Whether that document itself has a backchannel endpoint, so that it has to say more about
    /// CIBA.
    pub(crate) describes_ciba: bool,
}

impl ProviderMetadata {
    /// Hand-made metadata: fill in the endpoints (REQ-DISC-25).
    #[must_use]
    pub fn by_hand(issuer: Issuer) -> Self {
        Self {
            issuer,
            backchannel_authentication_endpoint: None,
            token_endpoint: None,
            jwks_uri: None,
            delivery_modes: None,
            auth_methods: None,
            auth_signing_algs: None,
            request_signing_algs: None,
            id_token_signing_algs: None,
            user_code_supported: false,
            certificate_bound_tokens: None,
            mtls_endpoint_aliases: MtlsEndpointAliases::default(),
            grant_types: None,
            scopes: None,
            acr_values: None,
            authorization_details_types: None,
            extra: JsonObject::default(),
            listed: Vec::new(),
            published: false,
            describes_ciba: false,
        }
    }

    /// Reads a metadata document that must be of this issuer.
    ///
    /// # Errors
    ///
    /// [`MetadataError`]; nothing of the document is used then (REQ-DISC-04).
    pub fn from_json(issuer: &Issuer, document: &[u8]) -> Result<Self, MetadataError> {
        let unusable = MetadataError::unusable;
        let mut object = Object::parse(document).map_err(unusable)?;
        let named = object
            .take_text("issuer")
            .map_err(unusable)?
            .ok_or(unusable(Fault::MissingMember("issuer")))?;
        if named != issuer.as_str() {
            let rejection = Untrusted::DiscoveryIssuer.at("issuer", Found::text(&named));
            return Err(MetadataError::Untrusted(
                rejection.expecting(Expected::text(issuer.as_str())),
            ));
        }
        Self::read(issuer, object).map_err(unusable)
    }

    /// One of the lists of algorithms or delivery modes as it was received, values that are not
    /// known included; `None` when it is not published or is another list.
    #[must_use]
    pub fn listed(&self, member: &str) -> Option<&[String]> {
        self.listed.iter().find(|(name, _)| *name == member).map(|(_, list)| list.as_slice())
    }

    /// JsonObject that are used have to have the right type; the others are ignored (REQ-DISC-18).
    fn read(issuer: &Issuer, mut object: Object) -> Result<Self, Fault> {
        let loopback = issuer.loopback();
        let mut url = |name: &'static str| {
            let text = object.take_text(name)?;
            text.map(|text| Url::parse_with(&text, loopback))
                .transpose()
                .map_err(|_| Fault::BadMember(name))
        };
        let backchannel_authentication_endpoint = url("backchannel_authentication_endpoint")?;
        let describes_ciba = backchannel_authentication_endpoint.is_some();
        let token_endpoint = url("token_endpoint")?;
        let jwks_uri = url("jwks_uri")?;

        let user_code_supported = match object.take("backchannel_user_code_parameter_supported") {
            None => false,
            Some(value) => value
                .boolean()
                .ok_or(Fault::WrongType("backchannel_user_code_parameter_supported"))?,
        };

        // Only who uses the aliases is troubled by malformed ones.
        let mtls_endpoint_aliases = object
            .take("mtls_endpoint_aliases")
            .map_or_else(MtlsEndpointAliases::default, |value| {
                MtlsEndpointAliases::read(value, loopback)
            });
        let certificate_bound_tokens =
            object.take("tls_client_certificate_bound_access_tokens").and_then(Raw::boolean);

        let mut list = |name: &'static str| {
            texts(object.take(name)).map_err(|NotAList| Fault::WrongType(name))
        };
        let modes = list("backchannel_token_delivery_modes_supported")?;
        let auth_methods = list("token_endpoint_auth_methods_supported")?;
        let auth_signing_algs = list("token_endpoint_auth_signing_alg_values_supported")?;
        let request_signing_algs =
            list("backchannel_authentication_request_signing_alg_values_supported")?;
        let id_token_signing_algs = list("id_token_signing_alg_values_supported")?;
        let authorization_details_types = list("authorization_details_types_supported")?;
        let listed = [
            ("backchannel_token_delivery_modes_supported", &modes),
            ("token_endpoint_auth_signing_alg_values_supported", &auth_signing_algs),
            (
                "backchannel_authentication_request_signing_alg_values_supported",
                &request_signing_algs,
            ),
            ("id_token_signing_alg_values_supported", &id_token_signing_algs),
        ];
        let listed =
            listed.into_iter().filter_map(|(name, list)| Some((name, list.clone()?))).collect();
        let mut shown = |name: &str| texts(object.take(name)).unwrap_or_default();
        Ok(Self {
            issuer: issuer.clone(),
            backchannel_authentication_endpoint,
            token_endpoint,
            jwks_uri,
            delivery_modes: known(modes, DeliveryMode::from_name),
            auth_methods,
            auth_signing_algs: known(auth_signing_algs, JwsAlgorithm::from_name),
            request_signing_algs: known(request_signing_algs, JwsAlgorithm::from_name),
            id_token_signing_algs: known(id_token_signing_algs, JwsAlgorithm::from_name),
            user_code_supported,
            certificate_bound_tokens,
            mtls_endpoint_aliases,
            grant_types: shown("grant_types_supported"),
            scopes: shown("scopes_supported"),
            acr_values: shown("acr_values_supported"),
            authorization_details_types,
            extra: object.rest(),
            listed,
            published: true,
            describes_ciba,
        })
    }
}

/// Where clients that show a certificate call the endpoints (RFC 8705 5); other members mean
/// nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MtlsEndpointAliases {
    /// The backchannel authentication endpoint.
    pub backchannel_authentication_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Option<Url>,
    /// Something that should be a URL is none.
    pub(crate) malformed: bool,
}

impl MtlsEndpointAliases {
    fn read(value: Raw<'_>, loopback: LoopbackHttp) -> Self {
        let mut malformed = !value.is_object();
        let mut url = |name: &str| {
            let alias = value.member(name)?;
            let url = alias.text().and_then(|text| Url::parse_with(&text, loopback).ok());
            malformed |= url.is_none();
            url
        };
        Self {
            backchannel_authentication_endpoint: url("backchannel_authentication_endpoint"),
            token_endpoint: url("token_endpoint"),
            malformed,
        }
    }
}

struct NotAList;

/// The texts of an array; an empty array counts as absent (REQ-DISC-19), items of other types are
/// left out.
fn texts(value: Option<Raw<'_>>) -> Result<Option<Vec<String>>, NotAList> {
    let Some(value) = value else { return Ok(None) };
    let mut items = value.items().ok_or(NotAList)?.peekable();
    let has_items = items.peek().is_some();
    Ok(has_items.then(|| items.filter_map(Raw::text).map(Cow::into_owned).collect()))
}

/// The names that mean something here. A list without any stays a list: it says that nothing we
/// know is offered.
fn known<T>(names: Option<Vec<String>>, read: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    names.map(|names| names.iter().filter_map(|name| read(name)).collect())
}

/// Why a metadata document is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is malformed, or something else came in its place. The answer is there when it was
    /// fetched.
    Unusable(Misbehaviour),
    /// It is another issuer's.
    Untrusted(Rejection),
}

impl MetadataError {
    pub(crate) const fn unusable(fault: Fault) -> Self {
        Self::Unusable(Misbehaviour { fault, endpoint: Endpoint::Discovery, answer: None })
    }

    /// The same about a document that came in this answer.
    pub(crate) fn answered(self, response: &Response) -> Self {
        match self {
            Self::Unusable(found) => {
                let answer = Some(Box::new(ServerAnswer::of_document(found.endpoint, response)));
                Self::Unusable(Misbehaviour { answer, ..found })
            }
            Self::Untrusted(check) => Self::Untrusted(check),
        }
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(found) => {
                write!(f, "the metadata document cannot be used: {}", found.fault)
            }
            Self::Untrusted(check) => check.fmt(f),
        }
    }
}

impl core::error::Error for MetadataError {}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://op.example/t1/";

    fn read(document: &Value) -> Result<ProviderMetadata, MetadataError> {
        ProviderMetadata::from_json(
            &Issuer::parse(ISSUER).unwrap(),
            document.to_string().as_bytes(),
        )
    }

    fn with(name: &str, value: Value) -> Value {
        let mut document = json!({
            "issuer": ISSUER,
            "backchannel_authentication_endpoint": "https://op.example/ciba",
            "backchannel_token_delivery_modes_supported": ["poll", "ping", "x"],
            "jwks_uri": "https://keys.example/jwks",
            "token_endpoint": "https://op.example/token?tenant=a",
        });
        document[name] = value;
        document
    }

    /// REQ-DISC-06a
    /// REQ-DISC-07b
    /// REQ-DISC-16b
    /// REQ-DISC-20
    /// OPM-DSC-02
    /// OPM-DSC-03
    #[test]
    fn a_document_for_ciba_alone_is_read() {
        let metadata = read(&with("signed_metadata", json!("a.b.c"))).unwrap();
        assert_eq!(metadata.issuer.as_str(), ISSUER);
        assert_eq!(metadata.token_endpoint.unwrap().as_str(), "https://op.example/token?tenant=a");
        assert_eq!(
            metadata.backchannel_authentication_endpoint.unwrap().as_str(),
            "https://op.example/ciba"
        );
        assert_eq!(metadata.jwks_uri.unwrap().as_str(), "https://keys.example/jwks");
        assert_eq!(metadata.delivery_modes, Some(vec![DeliveryMode::Poll, DeliveryMode::Ping]));
        assert!(!metadata.user_code_supported && metadata.auth_methods.is_none());
    }

    /// REQ-DISC-24b
    /// REQ-DISC-04a
    /// OPM-DSC-01
    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        for other in [
            "https://op.example/t1",
            "https://op.example/t1//",
            "https://op.example:443/t1/",
            "HTTPS://op.example/t1/",
            "https://OP.example/t1/",
            "https://op.example/t1/x",
            "",
        ] {
            let error = read(&with("issuer", json!(other))).unwrap_err();
            let MetadataError::Untrusted(rejection) = error else { panic!("{other}") };
            assert_eq!(rejection.check(), Untrusted::DiscoveryIssuer);
            assert_eq!(rejection.found(), Some(&Found::text(other)));
            assert_eq!(rejection.expected(), Some(&Expected::text("https://op.example/t1/")));
        }
        assert_eq!(
            read(&json!({})).unwrap_err(),
            MetadataError::unusable(Fault::MissingMember("issuer"))
        );
        assert_eq!(
            read(&with("issuer", json!(5))).unwrap_err(),
            MetadataError::unusable(Fault::WrongType("issuer"))
        );
    }

    /// REQ-DISC-09
    /// REQ-DISC-16a
    /// REQ-DISC-18c
    /// OPM-DSC-07
    #[test]
    fn members_that_are_used_have_to_be_right_and_are_named_otherwise() {
        for (name, value) in [
            ("token_endpoint", json!(5)),
            ("token_endpoint", json!("http://op.example/token")),
            ("token_endpoint", json!("https://op.example/token#x")),
            ("token_endpoint", json!("/token")),
            ("token_endpoint", json!("")),
            ("backchannel_authentication_endpoint", json!("http://op.example/ciba")),
            ("backchannel_authentication_endpoint", json!(["https://op.example/ciba"])),
            ("jwks_uri", json!("http://127.0.0.1/jwks")),
            ("backchannel_user_code_parameter_supported", json!("true")),
            ("backchannel_token_delivery_modes_supported", json!("poll")),
            ("token_endpoint_auth_methods_supported", json!({})),
            ("token_endpoint_auth_signing_alg_values_supported", json!(true)),
            ("id_token_signing_alg_values_supported", json!("RS256")),
            ("authorization_details_types_supported", json!("t")),
        ] {
            assert_eq!(
                read(&with(name, value.clone())).unwrap_err(),
                MetadataError::unusable(match value {
                    Value::String(_) if !name.ends_with("supported") => Fault::BadMember(name),
                    _ => Fault::WrongType(name),
                }),
                "{value}"
            );
        }
    }

    /// REQ-DISC-18a
    /// REQ-DISC-18b
    /// REQ-DISC-23
    /// REQ-DISC-26
    #[test]
    fn unknown_and_unused_members_are_kept_whatever_they_are() {
        for value in [json!(5), json!({"a": [1]}), json!(null), json!("x")] {
            for name in
                ["logo", "scopes_supported", "authorization_endpoint", "mtls_endpoint_aliases"]
            {
                assert!(read(&with(name, value.clone())).is_ok(), "{name} {value}");
            }
        }
        let types = json!(["a", "b"]);
        let metadata =
            read(&with("backchannel_endpoint_login_hint_token_types_supported", types.clone()))
                .unwrap();
        assert_eq!(
            metadata.extra.get("backchannel_endpoint_login_hint_token_types_supported"),
            Ok(Some(types))
        );
        let metadata = read(&with("scopes_supported", json!(["openid", "payments"]))).unwrap();
        assert_eq!(metadata.scopes, Some(vec!["openid".to_string(), "payments".to_string()]));
    }

    /// REQ-DISC-19
    #[test]
    fn an_empty_list_is_an_absent_one_and_one_of_strangers_is_not() {
        let metadata =
            read(&with("backchannel_token_delivery_modes_supported", json!([]))).unwrap();
        assert_eq!(metadata.delivery_modes, None);
        let metadata =
            read(&with("id_token_signing_alg_values_supported", json!(["ES256K", "none", 7])))
                .unwrap();
        assert_eq!(metadata.id_token_signing_algs, Some(vec![]));
        let metadata =
            read(&with("id_token_signing_alg_values_supported", json!(["x", "PS256", "Ed25519"])))
                .unwrap();
        assert_eq!(
            metadata.id_token_signing_algs,
            Some(vec![JwsAlgorithm::Ps256, JwsAlgorithm::EdDsa])
        );
        let as_received = ["x", "PS256", "Ed25519"].map(String::from);
        assert_eq!(
            metadata.listed("id_token_signing_alg_values_supported"),
            Some(&as_received[..])
        );
        assert_eq!(metadata.listed("scopes_supported"), None);
    }

    /// OPM-DSC-08
    #[test]
    fn a_document_that_is_no_json_object_is_refused() {
        let issuer = Issuer::parse(ISSUER).unwrap();
        for (document, fault) in [
            ("<html>", Fault::NotJson),
            ("[]", Fault::NotJson),
            ("{\"issuer\":", Fault::NotJson),
            (r#"{"issuer":"a","issuer":"a"}"#, Fault::DuplicateMember),
        ] {
            let error = ProviderMetadata::from_json(&issuer, document.as_bytes()).unwrap_err();
            assert_eq!(error, MetadataError::unusable(fault));
        }
    }

    /// REQ-META-01a
    #[test]
    fn the_names_of_delivery_modes_are_exact() {
        for mode in [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push] {
            assert_eq!(DeliveryMode::from_name(mode.name()), Some(mode));
        }
        for name in ["Poll", "PING", "", "poll ", "pull"] {
            assert_eq!(DeliveryMode::from_name(name), None);
        }
    }
}
