//! A service that takes notifications, with `ciba-reqwest` and its feature `tower`. The code is
//! that of the READMEs.

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    use ciba_reqwest::{DriverBuilder, Reqwest};

    pub fn run(driver: DriverBuilder<Reqwest>) -> (DriverBuilder<Reqwest>, axum::Router) {
        example(driver)
    }
}

use std::sync::Arc;

use ciba_reqwest::{
    Driver, HttpClient,
    ciba_core::{
        ClientAuth, ClientConfig, ClientId, DeliveryMode, Issuer, ProviderMetadata, SoftwareKey,
        http::Url, jose::JwsAlgorithm,
    },
    http::platform_roots,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut provider = ProviderMetadata::by_hand(Issuer::parse(std::env::var("ISSUER_KEY")?)?);
    for endpoint in [
        &mut provider.backchannel_authentication_endpoint,
        &mut provider.token_endpoint,
        &mut provider.jwks_uri,
    ] {
        *endpoint = Some(Url::parse("https://op.example/endpoint")?);
    }
    let key = SoftwareKey::from_pem(&std::fs::read_to_string("key.pem")?)?;
    let auth = ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Rs256, key_id: None };
    let config = ClientConfig::builder(provider, ClientId::new("my-client")?)
        .client_auth(auth)
        .delivery(DeliveryMode::Ping)
        .notification_endpoint(Url::parse("https://client.example/ciba/notify")?)
        .build()?;
    let driver = Driver::builder(config, HttpClient::new(platform_roots)?).signer(Arc::new(key));
    let (driver, _app) = own_page::run(driver);
    driver.build()?;
    println!("authenticated: nobody, but the endpoint is mounted");
    Ok(())
}
