//! The metadata document, and the URLs of the endpoints.

// Section 1 of spec/provider-side.md.

use ciba_core::{http::Response, jose::JwsAlgorithm};
use serde_json::{Map, Value, json};

use super::{
    json_answer::answer,
    state::Provider,
    supported::{ASSERTION_ALGORITHMS, CIBA_GRANT, FAPI_ALGORITHMS, REFRESH_GRANT},
};
use crate::{config::Personality, message::Endpoint};

/// The paths of one personality, relative to the issuer's path.
struct Paths {
    backchannel: &'static str,
    token: &'static str,
    keys: &'static str,
    userinfo: &'static str,
    revocation: &'static str,
    authorization: &'static str,
}

const GENERIC: Paths = Paths {
    backchannel: "/backchannel",
    token: "/token",
    keys: "/jwks",
    userinfo: "/userinfo",
    revocation: "/revoke",
    authorization: "/authorize",
};
const IDURA: Paths = Paths {
    backchannel: "/ciba/bc-authorize",
    token: "/oauth2/token",
    keys: "/.well-known/jwks",
    userinfo: "/oauth2/userinfo",
    revocation: "/oauth2/revoke",
    authorization: "/oauth2/authorize",
};

impl Provider {
    const fn paths(&self) -> &'static Paths {
        match self.config.personality {
            Personality::Generic => &GENERIC,
            Personality::Idura => &IDURA,
        }
    }

    /// The issuer without a trailing slash.
    fn base(&self) -> &str {
        self.config.issuer.strip_suffix('/').unwrap_or(&self.config.issuer)
    }

    /// The path of the issuer, without a trailing slash.
    fn base_path(&self) -> &str {
        let after_scheme = self.base().split_once("://").map_or("", |(_, rest)| rest);
        after_scheme.find('/').map_or("", |at| &after_scheme[at..])
    }

    /// Returns the URL of an endpoint.
    #[must_use]
    pub fn endpoint_url(&self, endpoint: Endpoint) -> String {
        let paths = self.paths();
        let path = match endpoint {
            Endpoint::Discovery => "/.well-known/openid-configuration",
            Endpoint::KeySet => paths.keys,
            Endpoint::Backchannel => paths.backchannel,
            Endpoint::Token => paths.token,
            Endpoint::UserInfo => paths.userinfo,
            Endpoint::Revocation => paths.revocation,
            Endpoint::Trap => "/trap",
            Endpoint::Phone => "/phone",
            Endpoint::Report => "/report",
            Endpoint::Authorization => paths.authorization,
            Endpoint::Notification | Endpoint::Unknown => "/unknown",
        };
        format!("{}{path}", self.base())
    }

    /// Returns the URL of an endpoint for clients with certificates, if there is one.
    #[must_use]
    pub fn alias_url(&self, endpoint: Endpoint) -> Option<String> {
        let origin = self.config.mutual_tls.as_ref()?;
        let url = self.endpoint_url(endpoint);
        let behind_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
        Some(format!("{origin}{}", behind_scheme.find('/').map_or("", |at| &behind_scheme[at..])))
    }

    /// The endpoint at a path (OP-01: both well-known URLs).
    pub(super) fn endpoint_at(&self, path: &str) -> Endpoint {
        let (base, paths) = (self.base_path(), self.paths());
        let inserted =
            ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
        if inserted.iter().any(|well_known| path.strip_prefix(well_known) == Some(base)) {
            return Endpoint::Discovery;
        }
        let Some(rest) = path.strip_prefix(base) else { return Endpoint::Unknown };
        match rest {
            "/.well-known/openid-configuration" => Endpoint::Discovery,
            rest if rest == paths.keys => Endpoint::KeySet,
            rest if rest == paths.backchannel => Endpoint::Backchannel,
            rest if rest == paths.token => Endpoint::Token,
            rest if rest == paths.userinfo => Endpoint::UserInfo,
            rest if rest == paths.revocation => Endpoint::Revocation,
            rest if rest == paths.authorization => Endpoint::Authorization,
            "/report" => Endpoint::Report,
            rest if rest.starts_with("/phone") => Endpoint::Phone,
            rest if rest.starts_with("/trap") => Endpoint::Trap,
            _ => Endpoint::Unknown,
        }
    }

    /// The metadata document (OP-01 to OP-04). Members without values are omitted.
    pub(super) fn metadata(&self) -> Response {
        let names =
            |algorithms: &[JwsAlgorithm]| algorithms.iter().map(|a| a.name()).collect::<Vec<_>>();
        let id_token: Vec<JwsAlgorithm> = match self.config.personality {
            Personality::Generic if self.config.fapi_ciba => FAPI_ALGORITHMS.to_vec(),
            Personality::Generic => {
                JwsAlgorithm::ALL.into_iter().filter(|a| !a.is_symmetric()).collect()
            }
            Personality::Idura => vec![JwsAlgorithm::Rs256],
        };
        let mut document: Map<String, Value> = Map::new();
        let url = |endpoint| Value::from(self.endpoint_url(endpoint));
        document.insert("issuer".into(), self.config.issuer.clone().into());
        document.insert("backchannel_authentication_endpoint".into(), url(Endpoint::Backchannel));
        document.insert("token_endpoint".into(), url(Endpoint::Token));
        document.insert("jwks_uri".into(), url(Endpoint::KeySet));
        document.insert("userinfo_endpoint".into(), url(Endpoint::UserInfo));
        // Idura publishes none.
        if self.config.personality == Personality::Generic {
            document.insert("revocation_endpoint".into(), url(Endpoint::Revocation));
        }
        let modes: Vec<&str> = self.config.delivery_modes.iter().map(|mode| mode.name()).collect();
        document.insert("backchannel_token_delivery_modes_supported".into(), json!(modes));
        // Parsers of metadata require both, although the endpoint refuses every request.
        document.insert("authorization_endpoint".into(), url(Endpoint::Authorization));
        document.insert("response_types_supported".into(), json!(["none"]));
        let grants: &[&str] = match self.config.personality {
            Personality::Generic => &[CIBA_GRANT, REFRESH_GRANT],
            Personality::Idura => &[CIBA_GRANT],
        };
        document.insert("grant_types_supported".into(), json!(grants));
        document.insert("scopes_supported".into(), json!(self.config.scopes));
        document.insert("subject_types_supported".into(), json!(["public"]));
        document.insert("id_token_signing_alg_values_supported".into(), json!(names(&id_token)));
        self.describe_clients(&mut document);
        let mut response = answer(200, &Value::Object(document));
        response.headers = [("content-type", "application/json")].into_iter().collect();
        response
    }

    /// The client authentication, the signatures and the aliases (OP-02, OP-03).
    fn describe_clients(&self, document: &mut Map<String, Value>) {
        let names =
            |algorithms: &[JwsAlgorithm]| algorithms.iter().map(|a| a.name()).collect::<Vec<_>>();
        let fapi = self.config.fapi_ciba;
        let mut methods = vec!["private_key_jwt"];
        if !fapi {
            methods.extend([
                "client_secret_basic",
                "client_secret_post",
                "client_secret_jwt",
                "none",
            ]);
        }
        let by_certificate =
            self.config.clients.iter().any(|client| client.authenticates_by_certificate());
        if by_certificate || self.config.mutual_tls.is_some() {
            methods.extend(["tls_client_auth", "self_signed_tls_client_auth"]);
        }
        let assertions: &[JwsAlgorithm] =
            if fapi { &FAPI_ALGORITHMS } else { &ASSERTION_ALGORITHMS };
        let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
        set("token_endpoint_auth_methods_supported", json!(methods));
        set("token_endpoint_auth_signing_alg_values_supported", json!(names(assertions)));
        let asymmetric: Vec<_> =
            assertions.iter().copied().filter(|algorithm| !algorithm.is_symmetric()).collect();
        if self.config.clients.iter().any(|client| client.request_signing_alg.is_some()) {
            set(
                "backchannel_authentication_request_signing_alg_values_supported",
                json!(names(&asymmetric)),
            );
        }
        if self.config.clients.iter().any(|client| client.dpop_bound) {
            set("dpop_signing_alg_values_supported", json!(names(&asymmetric)));
        }
        if self.config.clients.iter().any(|client| client.user_code) {
            set("backchannel_user_code_parameter_supported", json!(true));
        }
        if fapi || self.config.mutual_tls.is_some() {
            set("tls_client_certificate_bound_access_tokens", json!(true));
        }
        let alias = |endpoint| self.alias_url(endpoint);
        let aliases = (
            alias(Endpoint::Token),
            alias(Endpoint::Backchannel),
            alias(Endpoint::UserInfo),
            alias(Endpoint::Revocation),
        );
        if let (Some(token), Some(backchannel), Some(userinfo), Some(revocation)) = aliases {
            let aliases = json!({
                "revocation_endpoint": revocation,
                "token_endpoint": token,
                "backchannel_authentication_endpoint": backchannel,
                "userinfo_endpoint": userinfo,
            });
            set("mtls_endpoint_aliases", aliases);
        }
    }
}
