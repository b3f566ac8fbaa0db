//! The check of the addresses in a metadata document (RFC 8725 section 3.10).
// REQ-SEC-10

use alloc::vec::Vec;

use super::{ClientConfigBuilder, ConfigError, MetadataRule};
use crate::url::Url;

const REASON: &str = "the provider's metadata document names an internal address on a host other than the issuer's; if this is right, \
                      configure the endpoint by hand or ignore the rule internal-address";

impl ClientConfigBuilder {
    // A document must not make this process call services of the network in which it runs.
    // Endpoints that the caller configured, and the host of the issuer, are trusted.
    pub(super) fn check_addresses(&self, findings: &mut Vec<ConfigError>) {
        let provider = &self.provider;
        // Metadata written by hand is the word of the caller.
        if !provider.published || self.ignores(MetadataRule::InternalAddress) {
            return;
        }
        let aliases = &provider.mtls_endpoint_aliases;
        for (member, url, pinned) in [
            (
                "backchannel_authentication_endpoint",
                &provider.backchannel_authentication_endpoint,
                &self.backchannel_endpoint,
            ),
            ("token_endpoint", &provider.token_endpoint, &self.token_endpoint),
            ("jwks_uri", &provider.jwks_uri, &self.jwks_uri),
            (
                "mtls_endpoint_aliases",
                &aliases.backchannel_authentication_endpoint,
                &self.backchannel_endpoint,
            ),
            ("mtls_endpoint_aliases", &aliases.token_endpoint, &self.token_endpoint),
            ("userinfo_endpoint", &provider.userinfo_endpoint, &self.userinfo_endpoint),
            ("revocation_endpoint", &provider.revocation_endpoint, &self.revocation_endpoint),
            ("mtls_endpoint_aliases", &aliases.userinfo_endpoint, &self.userinfo_endpoint),
            ("mtls_endpoint_aliases", &aliases.revocation_endpoint, &self.revocation_endpoint),
        ] {
            // A discovered address that a configured one replaces is never called.
            let is_used = url.as_ref().filter(|_| pinned.is_none());
            if is_used.is_some_and(|url| url.is_internal() && !self.is_issuers_host(url)) {
                findings.push(ConfigError::Invalid { member, reason: REASON });
            }
        }
    }

    fn is_issuers_host(&self, url: &Url) -> bool {
        let issuer = &self.provider.issuer;
        Url::parse_with(issuer.as_str(), issuer.loopback())
            .is_ok_and(|issuer| issuer.host() == url.host())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{
        format,
        string::{String, ToString as _},
        vec,
    };

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::testing::builder_from, issuer::Issuer, url::LoopbackHttp,
        wire::metadata::ProviderMetadata,
    };

    const MEMBERS: [&str; 5] = [
        "backchannel_authentication_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "revocation_endpoint",
    ];

    fn document(issuer: &str) -> Value {
        json!({
            "issuer": issuer,
            "backchannel_authentication_endpoint": format!("{issuer}/ciba"),
            "backchannel_token_delivery_modes_supported": ["poll"],
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
        })
    }

    fn builder(issuer: &str, document: &Value) -> ClientConfigBuilder {
        let issuer = Issuer::parse_with(issuer, LoopbackHttp::DangerouslyAllowed).unwrap();
        builder_from(ProviderMetadata::from_json(&issuer, document.to_string().as_bytes()).unwrap())
    }

    fn findings(builder: ClientConfigBuilder) -> Vec<String> {
        builder.build().map_or_else(
            |errors| errors.iter().map(|error| error.member().to_string()).collect(),
            |_| vec![],
        )
    }

    /// REQ-SEC-10
    #[test]
    fn metadata_cannot_name_an_internal_address_unless_allowed() {
        const ISSUER: &str = "https://op.example";
        assert_eq!(findings(builder(ISSUER, &document(ISSUER))), Vec::<String>::new());
        for host in
            ["169.254.169.254", "10.1.2.3", "127.0.0.1:8080", "[fd00:ec2::254]", "localhost"]
        {
            for member in MEMBERS {
                let mut document = document(ISSUER);
                document[member] = json!(format!("https://{host}/latest"));
                assert_eq!(findings(builder(ISSUER, &document)), [member], "{host}");
                let allowed = builder(ISSUER, &document)
                    .dangerously_ignore_metadata(MetadataRule::InternalAddress);
                assert_eq!(findings(allowed), Vec::<String>::new(), "{host}");
            }
            let mut document = document(ISSUER);
            document["mtls_endpoint_aliases"] =
                json!({"token_endpoint": format!("https://{host}/token")});
            assert_eq!(findings(builder(ISSUER, &document)), ["mtls_endpoint_aliases"], "{host}");
        }
    }

    /// REQ-SEC-10
    #[test]
    fn the_host_of_the_issuer_and_configured_endpoints_may_be_internal() {
        for issuer in
            ["https://10.1.2.3:8443/realms/a", "http://127.0.0.1:9000", "https://[fd00::1]"]
        {
            assert_eq!(
                findings(builder(issuer, &document(issuer))),
                Vec::<String>::new(),
                "{issuer}"
            );
        }
        let mut elsewhere = document("https://10.1.2.3");
        elsewhere["jwks_uri"] = json!("https://10.1.2.4/jwks");
        assert_eq!(findings(builder("https://10.1.2.3", &elsewhere)), ["jwks_uri"]);
        let pinned = builder("https://10.1.2.3", &elsewhere)
            .jwks_uri(Url::parse("https://10.1.2.4/jwks").unwrap());
        assert_eq!(findings(pinned), Vec::<String>::new());
    }
}
