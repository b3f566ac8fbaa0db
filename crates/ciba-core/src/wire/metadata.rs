//! The metadata document of a provider (OIDC Discovery 3 and 4, RFC 8414 section 3, CIBA Core 4).

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::fmt;

use crate::{
    endpoint::Endpoint,
    fault::{Expected, Fault, Found, Rejection, Untrusted},
    issuer::Issuer,
    jose::JwsAlgorithm,
    json::{Object, Raw},
    named::named,
    url::{LoopbackHttp, Url},
    wire::{JsonObject, Misbehaviour, Response, ServerAnswer},
};

named! {
    /// The way in which the result of an authentication is delivered to the client ([CIBA Core 5]).
    /// A client is registered for exactly one mode.
    ///
    /// [CIBA Core 5]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.5
    // REQ-META-01
    pub enum DeliveryMode {
        /// The client polls the token endpoint until there is a result.
        Poll = "poll",
        /// The provider notifies the client when a result is available at the token endpoint.
        Ping = "ping",
        /// The provider sends the tokens to the client's notification endpoint.
        Push = "push",
    }
}

/// What a provider supports, read from its metadata document or configured by hand.
///
/// The members are defined in [OIDC Discovery 3], [RFC 8414 section 2] and [CIBA Core 4].
///
/// A list that is `None` was not published and implies nothing, except for the delivery modes,
/// which a document with a backchannel endpoint must contain.
/// [`ClientConfigBuilder::build`](crate::ClientConfigBuilder::build) checks the configuration
/// against the lists that are present.
///
/// [OIDC Discovery 3]: https://openid.net/specs/openid-connect-discovery-1_0.html#rfc.section.3
/// [RFC 8414 section 2]: https://www.rfc-editor.org/rfc/rfc8414#section-2
/// [CIBA Core 4]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.4
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderMetadata {
    /// The issuer. The `iss` values of tokens are compared with it byte for byte.
    pub issuer: Issuer,
    /// The backchannel authentication endpoint.
    pub backchannel_authentication_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Option<Url>,
    /// The URL of the key set.
    pub jwks_uri: Option<Url>,
    /// The UserInfo endpoint. `None` if it is not an https URL: no login depends on it.
    pub userinfo_endpoint: Option<Url>,
    /// The revocation endpoint. `None` if it is not an https URL: no login depends on it.
    pub revocation_endpoint: Option<Url>,
    /// `backchannel_token_delivery_modes_supported`.
    pub delivery_modes: Option<Vec<DeliveryMode>>,
    /// `token_endpoint_auth_methods_supported`, which applies to the backchannel endpoint as well.
    pub auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`, without unknown names.
    pub auth_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `backchannel_authentication_request_signing_alg_values_supported`, without unknown names.
    /// Symmetric algorithms in it are ignored.
    pub request_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `id_token_signing_alg_values_supported`, without unknown names.
    pub id_token_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `dpop_signing_alg_values_supported`, without unknown names ([RFC 9449 section 5.1]).
    ///
    /// [RFC 9449 section 5.1]: https://www.rfc-editor.org/rfc/rfc9449#section-5.1
    pub dpop_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `backchannel_user_code_parameter_supported`.
    pub user_code_supported: bool,
    /// `tls_client_certificate_bound_access_tokens` ([RFC 8705 section 3.3]).
    ///
    /// [RFC 8705 section 3.3]: https://www.rfc-editor.org/rfc/rfc8705#section-3.3
    pub certificate_bound_tokens: Option<bool>,
    /// `mtls_endpoint_aliases` ([RFC 8705 section 5]).
    ///
    /// [RFC 8705 section 5]: https://www.rfc-editor.org/rfc/rfc8705#section-5
    pub mtls_endpoint_aliases: MtlsEndpointAliases,
    /// `grant_types_supported`.
    pub grant_types: Option<Vec<String>>,
    /// `scopes_supported`.
    pub scopes: Option<Vec<String>>,
    /// `acr_values_supported`.
    pub acr_values: Option<Vec<String>>,
    /// `authorization_details_types_supported` ([RFC 9396 section 10]).
    ///
    /// [RFC 9396 section 10]: https://www.rfc-editor.org/rfc/rfc9396#section-10
    pub authorization_details_types: Option<Vec<String>>,
    /// All other members, as received.
    pub extra: JsonObject,
    /// The lists of which only the known values are kept above, complete.
    pub(crate) listed: Vec<(&'static str, Vec<String>)>,
    /// Whether it was read from the provider's document.
    pub(crate) published: bool,
    /// Whether that document contains a backchannel endpoint. It must then contain the other
    /// members that CIBA requires.
    pub(crate) describes_ciba: bool,
}

impl ProviderMetadata {
    /// Creates metadata without a document. Set the endpoints in the public fields.
    // REQ-DISC-25
    #[must_use]
    pub fn by_hand(issuer: Issuer) -> Self {
        Self {
            issuer,
            backchannel_authentication_endpoint: None,
            token_endpoint: None,
            jwks_uri: None,
            userinfo_endpoint: None,
            revocation_endpoint: None,
            delivery_modes: None,
            auth_methods: None,
            auth_signing_algs: None,
            request_signing_algs: None,
            id_token_signing_algs: None,
            dpop_signing_algs: None,
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

    /// Reads a metadata document, which must be that of the given issuer.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError`] if the document is malformed or belongs to another issuer. In that
    /// case no part of it is used.
    // REQ-DISC-04
    pub fn from_json(issuer: &Issuer, document: &[u8]) -> Result<Self, MetadataError> {
        let unusable = MetadataError::unusable;
        let mut object = Object::parse(document).map_err(unusable)?;
        let named = object
            .take_text("issuer")
            .map_err(unusable)?
            .ok_or(unusable(Fault::MissingMember("issuer")))?;
        // Checked first: a document of another issuer could name that issuer's endpoints and keys.
        if named != issuer.as_str() {
            let rejection = Untrusted::DiscoveryIssuer.at("issuer", Found::text(&named));
            return Err(MetadataError::Untrusted(
                rejection.expecting(Expected::text(issuer.as_str())),
            ));
        }
        Self::read(issuer, object).map_err(unusable)
    }

    /// Returns a list of algorithms or delivery modes as it was received, including unknown values.
    ///
    /// Returns `None` if the list was not published, or for any other member.
    #[must_use]
    pub fn listed(&self, member: &str) -> Option<&[String]> {
        self.listed.iter().find(|(name, _)| *name == member).map(|(_, list)| list.as_slice())
    }

    /// Members that are used must have the right type. All others are ignored.
    // REQ-DISC-18
    fn read(issuer: &Issuer, mut object: Object) -> Result<Self, Fault> {
        let loopback = issuer.loopback();
        let mut url = |name: &'static str| {
            let text = object.take_text(name)?;
            text.map(|text| Url::parse_with(&text, loopback))
                .transpose()
                .map_err(|_| Fault::BadMember(name))
        };
        let backchannel_authentication_endpoint = url("backchannel_authentication_endpoint")?;
        // CIBA Core 4 requires further members in a document with this endpoint.
        let describes_ciba = backchannel_authentication_endpoint.is_some();
        let token_endpoint = url("token_endpoint")?;
        let jwks_uri = url("jwks_uri")?;
        // Read leniently: a login must not fail because of an endpoint that it does not need.
        let mut optional_url =
            |name: &str| Url::parse_with(&object.take(name)?.text()?, loopback).ok();
        let userinfo_endpoint = optional_url("userinfo_endpoint");
        let revocation_endpoint = optional_url("revocation_endpoint");

        // A wrong type is an error, because a code that the provider does not expect would be sent
        // to it.
        let user_code_supported = match object.take("backchannel_user_code_parameter_supported") {
            None => false,
            Some(value) => value
                .boolean()
                .ok_or(Fault::WrongType("backchannel_user_code_parameter_supported"))?,
        };

        // Malformed aliases are recorded, not rejected: they matter only to clients that use them.
        let mtls_endpoint_aliases = object
            .take("mtls_endpoint_aliases")
            .map_or_else(MtlsEndpointAliases::default, |value| {
                MtlsEndpointAliases::read(value, loopback)
            });
        // Informational: a value that cannot be read implies nothing.
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
        let dpop_signing_algs = list("dpop_signing_alg_values_supported")?;
        let authorization_details_types = list("authorization_details_types_supported")?;
        let listed = [
            ("backchannel_token_delivery_modes_supported", &modes),
            ("token_endpoint_auth_signing_alg_values_supported", &auth_signing_algs),
            (
                "backchannel_authentication_request_signing_alg_values_supported",
                &request_signing_algs,
            ),
            ("id_token_signing_alg_values_supported", &id_token_signing_algs),
            ("dpop_signing_alg_values_supported", &dpop_signing_algs),
        ];
        let listed =
            listed.into_iter().filter_map(|(name, list)| Some((name, list.clone()?))).collect();
        // These lists are only shown, so a wrong type is no error.
        let mut shown = |name: &str| texts(object.take(name)).unwrap_or_default();
        Ok(Self {
            issuer: issuer.clone(),
            backchannel_authentication_endpoint,
            token_endpoint,
            jwks_uri,
            userinfo_endpoint,
            revocation_endpoint,
            delivery_modes: known(modes, DeliveryMode::from_name),
            auth_methods,
            auth_signing_algs: known(auth_signing_algs, JwsAlgorithm::from_name),
            request_signing_algs: known(request_signing_algs, JwsAlgorithm::from_name),
            id_token_signing_algs: known(id_token_signing_algs, JwsAlgorithm::from_name),
            dpop_signing_algs: known(dpop_signing_algs, JwsAlgorithm::from_name),
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

/// The endpoints for clients that present a certificate ([RFC 8705 section 5]). Other members are
/// ignored.
///
/// [RFC 8705 section 5]: https://www.rfc-editor.org/rfc/rfc8705#section-5
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MtlsEndpointAliases {
    /// The backchannel authentication endpoint.
    pub backchannel_authentication_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Option<Url>,
    /// The UserInfo endpoint.
    pub userinfo_endpoint: Option<Url>,
    /// The revocation endpoint.
    pub revocation_endpoint: Option<Url>,
    /// Whether the value of an endpoint is not a valid URL.
    pub(crate) malformed: bool,
}

impl MtlsEndpointAliases {
    fn read(value: Raw<'_>, loopback: LoopbackHttp) -> Self {
        let mut malformed = !value.is_object();
        let mut url = |name: &str| {
            let alias = value.member(name)?;
            // Recorded, because an alias that is dropped would send the client without its
            // certificate.
            let url = alias.text().and_then(|text| Url::parse_with(&text, loopback).ok());
            malformed |= url.is_none();
            url
        };
        let backchannel_authentication_endpoint = url("backchannel_authentication_endpoint");
        let token_endpoint = url("token_endpoint");
        // No login depends on these, so a malformed one counts as absent.
        let optional = |name| Url::parse_with(&value.member(name)?.text()?, loopback).ok();
        Self {
            backchannel_authentication_endpoint,
            token_endpoint,
            userinfo_endpoint: optional("userinfo_endpoint"),
            revocation_endpoint: optional("revocation_endpoint"),
            malformed,
        }
    }
}

struct NotAList;

/// Returns the strings of an array, without items of other types. An empty array counts as absent.
// REQ-DISC-19
fn texts(value: Option<Raw<'_>>) -> Result<Option<Vec<String>>, NotAList> {
    let Some(value) = value else { return Ok(None) };
    let mut items = value.items().ok_or(NotAList)?.peekable();
    let has_items = items.peek().is_some();
    // RFC 8414 section 3.2: a list without elements must be omitted, so an empty one says nothing.
    Ok(has_items.then(|| items.filter_map(Raw::text).map(Cow::into_owned).collect()))
}

/// Returns the names that are known. A list without any known name stays a list: it says that
/// nothing known is supported.
fn known<T>(names: Option<Vec<String>>, read: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    names.map(|names| names.iter().filter_map(|name| read(name)).collect())
}

/// The error of a metadata document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The document is malformed, or the response was something else. The response is included if
    /// the document was fetched.
    Unusable(Misbehaviour),
    /// The document belongs to another issuer.
    Untrusted(Rejection),
}

impl MetadataError {
    pub(crate) const fn unusable(fault: Fault) -> Self {
        Self::Unusable(Misbehaviour { fault, endpoint: Endpoint::Discovery, answer: None })
    }

    /// Adds the response in which the document was received.
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
    fn metadata_with_only_the_members_for_ciba_is_accepted() {
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
    fn an_invalid_member_that_is_used_is_an_error_that_names_it() {
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
    fn unknown_and_unused_members_are_kept_with_any_value() {
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
    fn an_empty_list_counts_as_absent_but_a_list_of_unknown_values_does_not() {
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
    fn a_document_that_is_not_a_json_object_is_refused() {
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
    fn the_names_of_delivery_modes_are_matched_exactly() {
        for mode in [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push] {
            assert_eq!(DeliveryMode::from_name(mode.name()), Some(mode));
        }
        for name in ["Poll", "PING", "", "poll ", "pull"] {
            assert_eq!(DeliveryMode::from_name(name), None);
        }
    }
}
