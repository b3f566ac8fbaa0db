//! DPoP proofs (RFC 9449 section 4), and the nonce that a server demands in them.

use alloc::{format, string::String};

use crate::{
    client::{ClientConfig, DpopRules},
    crypto::{
        Hash, Verifier,
        entropy::{Entropy, Purpose},
    },
    endpoint::Endpoint,
    jose::{
        base64url,
        unsigned::{JsonWriter, UnsignedJwt},
    },
    secret::AccessToken,
    time::Timestamp,
    url::Url,
    wire::{DpopNonce, Method},
};

/// The header field with the proof.
pub(crate) const FIELD: &str = "dpop";

/// The request that a proof is for.
pub(crate) struct Proven<'a> {
    pub(crate) method: Method,
    /// The URL that is really called.
    pub(crate) url: &'a Url,
    /// The access token that the request carries, at a resource.
    pub(crate) access_token: Option<&'a AccessToken>,
    /// The newest nonce of the server.
    pub(crate) nonce: Option<&'a DpopNonce>,
}

/// Makes an unsigned proof, new for every transmission.
// REQ-POP-02, REQ-POP-03, REQ-POP-05, REQ-POP-15, REQ-POP-23. There is no backdating: a server accepts
// a clock that differs by a few seconds, and its nonce makes clocks irrelevant.
pub(crate) fn unsigned(
    rules: &DpopRules,
    proven: &Proven<'_>,
    verifier: &dyn Verifier,
    entropy: &Entropy,
    now: Timestamp,
) -> UnsignedJwt {
    let mut claims = JsonWriter::new();
    claims.text("jti", &base64url::encode(entropy.expand(verifier, Purpose::ProofJti)));
    claims.text("htm", proven.method.name());
    claims.text("htu", &target(proven.url));
    claims.number("iat", now.unix_secs());
    if let Some(token) = proven.access_token {
        claims.text("ath", &token_hash(token, verifier));
    }
    if let Some(nonce) = proven.nonce {
        claims.text("nonce", nonce.as_str());
    }
    // No key id: the header contains the key.
    UnsignedJwt::with_header(&rules.header, claims, rules.algorithm)
}

/// Returns `ath`, the hash of an access token. Unlike `at_hash` it is the whole hash.
// REQ-POP-03
fn token_hash(token: &AccessToken, verifier: &dyn Verifier) -> String {
    base64url::encode(verifier.digest(Hash::Sha256, token.expose().as_bytes()).as_bytes())
}

/// Returns `htu`: the URL without query, in the normal form of RFC 3986 sections 6.2.2 and 6.2.3.
// Dot segments, user information and fragments do not occur in a `Url`.
fn target(url: &Url) -> String {
    let host = url.host().to_ascii_lowercase();
    let default = if url.scheme() == "https" { 443 } else { 80 };
    match url.port() {
        port if port == default => format!("{}://{host}{}", url.scheme(), url.path()),
        port => format!("{}://{host}:{port}{}", url.scheme(), url.path()),
    }
}

/// The newest nonce of the authorization server, with the endpoint that provided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerNonce {
    pub(crate) endpoint: Endpoint,
    pub(crate) nonce: DpopNonce,
}

impl ServerNonce {
    /// Returns the nonce if the endpoint is on the server that provided it.
    // REQ-POP-08, REQ-POP-09
    pub(crate) fn for_endpoint(
        &self,
        endpoint: Endpoint,
        config: &ClientConfig,
    ) -> Option<&DpopNonce> {
        let origin = |endpoint| {
            let url = config.url(endpoint)?;
            Some((url.scheme(), url.host().to_ascii_lowercase(), url.port()))
        };
        let is_same = self.endpoint == endpoint
            || origin(self.endpoint).is_some_and(|own| origin(endpoint) == Some(own));
        is_same.then_some(&self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec::Vec};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::{ClientConfigBuilder, testing::builder},
        jose::JwsAlgorithm,
    };

    /// The key of RFC 9449 section 4.1.
    const JWK: &str = r#"{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    fn bound() -> ClientConfigBuilder {
        builder().dpop(JwsAlgorithm::Es256, JWK)
    }

    fn proof(url: &str, token: Option<&str>, nonce: Option<&str>, entropy: u8) -> (Value, Value) {
        let config = bound().build().unwrap();
        let (token, nonce) = (token.map(AccessToken::from), nonce.and_then(DpopNonce::new));
        let proven = Proven {
            method: Method::Post,
            url: &Url::parse(url).unwrap(),
            access_token: token.as_ref(),
            nonce: nonce.as_ref(),
        };
        let rules = config.dpop.as_ref().unwrap();
        let entropy = Entropy::from_bytes([entropy; 32]);
        let jwt = unsigned(rules, &proven, &*config.verifier, &entropy, NOW);
        assert_eq!((jwt.algorithm, jwt.key_id), (JwsAlgorithm::Es256, None));
        let parts: Vec<Value> = jwt
            .signing_input
            .split('.')
            .map(|part| serde_json::from_slice(&base64url::decode(part).unwrap()).unwrap())
            .collect();
        let [header, claims] = <[Value; 2]>::try_from(parts).unwrap();
        (header, claims)
    }

    /// REQ-POP-01
    /// REQ-POP-02a
    /// REQ-POP-02b
    /// REQ-POP-23
    #[test]
    fn a_proof_has_the_public_key_and_the_required_claims_only() {
        let (header, mut claims) = proof("https://op.example/token?x=1", None, None, 7);
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        assert_eq!(header, json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(base64url::decode(jti.as_str().unwrap()).unwrap().len(), 32);
        let expected =
            json!({"htm": "POST", "htu": "https://op.example/token", "iat": NOW.unix_secs()});
        assert_eq!(claims, expected);
        let (_, claims) = proof("https://op.example/token", None, Some("n-1"), 7);
        assert_eq!(claims["nonce"], "n-1");
    }

    /// REQ-POP-02a
    /// REQ-POP-15
    #[test]
    fn the_target_is_the_called_url_without_query_in_normal_form() {
        for (url, htu) in [
            ("https://op.example/token", "https://op.example/token"),
            ("https://op.example:443/token?a=b", "https://op.example/token"),
            ("https://OP.Example:8443/T", "https://op.example:8443/T"),
            ("https://op.example", "https://op.example/"),
            ("https://[::1]:9/a", "https://[::1]:9/a"),
        ] {
            assert_eq!(proof(url, None, None, 7).1["htu"], htu);
        }
    }

    /// REQ-POP-05
    #[test]
    fn every_proof_has_its_own_jti() {
        let ids: BTreeSet<String> = (0..100)
            .map(|entropy| {
                let (_, claims) = proof("https://op.example/token", None, None, entropy);
                claims["jti"].as_str().unwrap().into()
            })
            .collect();
        assert_eq!(ids.len(), 100);
    }

    /// REQ-POP-03
    #[cfg(feature = "rustcrypto")]
    #[test]
    fn the_token_hash_is_the_whole_hash_as_in_rfc_9449() {
        let token = AccessToken::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        assert_eq!(
            token_hash(&token, &crate::crypto::RustCrypto),
            "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
        );
        // It is in the proof exactly if the request carries the token.
        assert!(proof("https://rs.example/a", Some("t"), None, 7).1["ath"].is_string());
    }

    /// REQ-POP-08b
    /// REQ-POP-09a
    #[test]
    fn a_nonce_is_only_sent_to_the_server_that_provided_it() {
        let url = |text| Url::parse(text).unwrap();
        let nonce = |endpoint| ServerNonce { endpoint, nonce: DpopNonce::new("n-1").unwrap() };
        use Endpoint::{BackchannelAuthentication, Token};
        for (token, shared) in [
            ("https://op.example/token", true),
            ("https://OP.example:443/token", true),
            ("https://op.example:8443/token", false),
            ("https://mtls.op.example/token", false),
        ] {
            let config = bound().token_endpoint(url(token)).build().unwrap();
            for (from, to) in
                [(BackchannelAuthentication, Token), (Token, BackchannelAuthentication)]
            {
                assert_eq!(nonce(from).for_endpoint(to, &config).is_some(), shared, "{token}");
                assert!(nonce(from).for_endpoint(from, &config).is_some());
            }
            assert!(nonce(Token).for_endpoint(Endpoint::KeySet, &config).is_none());
        }
    }
}
