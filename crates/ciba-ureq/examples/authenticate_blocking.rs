//! Authenticates a person, in the calling thread:
//! `cargo run --example authenticate_blocking -- ISSUER CLIENT_ID LOGIN_HINT`, with a private key
//! (a JWK or PEM) in the file that `CLIENT_KEY` names.

use std::{env, error::Error, fs};

use ciba_ureq::{
    Driver, HttpClient,
    ciba_core::{crypto::RustCrypto, *},
    discover, on_event, platform_roots,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(client_id), Some(hint)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: authenticate_blocking ISSUER CLIENT_ID LOGIN_HINT".into());
    };

    // Once per process: the HTTP client, the provider, who we are there.
    let http = HttpClient::new(platform_roots)?;
    let provider = discover(&http, Issuer::parse(issuer)?, DiscoveryAddress::OpenId)?;
    let key = SoftwareKey::import_file(&fs::read(env::var("CLIENT_KEY")?)?, None, &RustCrypto)?;
    let auth =
        ClientAuth::PrivateKeyJwt { algorithm: key.algorithm(), key_id: Some(key.key_id().into()) };
    let config =
        ClientConfig::builder(provider, ClientId::new(client_id)?).client_auth(auth).build()?;
    let driver = Driver::new(config, http).with_signer(key);

    // Once per person.
    let request = AuthRequest::new(Hint::Login(hint.into())).binding_message("W4SCT");
    let mut progress = on_event(|event| println!("{event:?}"));
    let authentication = driver.authenticate(request, &mut progress)?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
