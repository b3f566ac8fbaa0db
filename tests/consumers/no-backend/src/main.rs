//! Both adapters with `default-features = false`: they compile without cryptography for JWTs, and
//! the error says which feature is missing.

use ciba_reqwest::ciba_core::{
    ClientAuth, ClientConfig, ClientId, Issuer, ProviderMetadata, config::ConfigError, http::Url,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    ciba_reqwest::HttpClient::new(ciba_reqwest::http::platform_roots)?;
    ciba_ureq::HttpClient::new(ciba_ureq::http::platform_roots)?;
    let mut provider = ProviderMetadata::by_hand(Issuer::parse("https://op.example")?);
    for endpoint in [
        &mut provider.backchannel_authentication_endpoint,
        &mut provider.token_endpoint,
        &mut provider.jwks_uri,
    ] {
        *endpoint = Some(Url::parse("https://op.example/endpoint")?);
    }
    let auth = ClientAuth::ClientSecretPost { secret: "a secret of the test".into() };
    let errors = ClientConfig::builder(provider, ClientId::new("my-client")?)
        .client_auth(auth)
        .build()
        .unwrap_err();
    assert!(matches!(errors.iter().as_slice(), [ConfigError::NoCryptography]), "{errors}");
    let sentence = errors.to_string();
    for named in ["aws-lc-rs", "rustcrypto", "ciba-core", "ciba-reqwest", "ciba-ureq"] {
        assert!(sentence.contains(named), "{named} is not in: {sentence}");
    }
    println!("authenticated: nobody, and the error is: {sentence}");
    Ok(())
}
