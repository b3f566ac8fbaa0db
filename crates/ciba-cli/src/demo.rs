//! `ciba demo`: a whole authentication on this machine, explained for newcomers.

use std::{net::Ipv4Addr, sync::Arc};

use ciba_core::{
    ClientConfig, ClientId, DeliveryMode, Discovery, Issuer, SoftwareKey,
    crypto::Verifier,
    http::LoopbackHttp,
    jose::JwsAlgorithm,
    metadata::DiscoveryAddress,
    providers::idura::{self, CallInitiator, SwedishBankId, SwedishPersonalNumber},
};
use ciba_test_op::{Client, Provider, ProviderConfig, Server, SystemClock, TestKey};

use crate::{
    args::{Demo, Format},
    backend::backend,
    exit::Stop,
    key::public_jwk,
    output::{Reporter, Started, Story},
    run::{Attempt, Tools},
    start::start,
    transport::Settings,
};

/// A client id in the format of Idura.
const CLIENT_ID: &str = "urn:my:application:identifier:4711";
/// A fictitious user of the test provider; the check digit is right, and the number is not assigned.
const PERSON: &str = "196802020575";
const MESSAGE: &str = "Example Bank support, case 4711";
/// Shorter than Idura's 3 s, so that a demonstration is quick.
const INTERVAL: u64 = 2;

pub(crate) async fn run(options: Demo) -> Result<u8, Stop> {
    let Demo { report, transport } = options;
    let bug = |what: &str| Stop::bug(format!("the demonstration is broken: {what}"));
    let key =
        SoftwareKey::import_pem(TestKey::ClientRsa.private_pem(), JwsAlgorithm::Rs256, &backend())
            .map_err(|_| bug("its key"))?;
    let client = Client::with_key(CLIENT_ID, public_jwk(&key)?);

    let provider = move |issuer: &str| {
        let config = ProviderConfig::idura(issuer).interval(INTERVAL).client(client);
        Provider::new(config).expect("the configuration of the demonstration is right")
    };
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start(address, SystemClock, provider)
        .map_err(|_| Stop::bug("the test provider cannot listen on the loopback interface"))?;
    let issuer_text = server.issuer();

    let reporter = match report.output {
        Format::Text => {
            Reporter::telling(report, Story::new(&issuer_text, CLIENT_ID, PERSON, MESSAGE))
        }
        Format::Json => Reporter::new(report, false, DeliveryMode::Poll),
    };
    let issuer = Issuer::parse_with(issuer_text.as_str(), LoopbackHttp::DangerouslyAllowed);
    let issuer = issuer.map_err(|_| bug("its issuer"))?;
    let person = SwedishPersonalNumber::parse(PERSON).map_err(|_| bug("its person"))?;
    let request =
        SwedishBankId::phone_authentication(person, CallInitiator::Company, MESSAGE).into_request();
    let http = Settings::default().open(transport)?;
    let mut attempt = Attempt::begin(reporter, None)?;
    attempt.reporter().started(&Started {
        issuer: Some(&issuer_text),
        client_id: Some(CLIENT_ID),
        resumed: false,
    });

    let metadata = match attempt
        .metadata(Some(Discovery::new(issuer, DiscoveryAddress::OpenId)), None, &*http)
        .await
    {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let begun = configure(metadata, &key).ok_or_else(|| bug("its configuration"));
    let begun = begun.and_then(|config| start(&config, request).map(|flow| (config, flow)));
    // Every authentication that was announced has a last line.
    let (config, flow) = begun.inspect_err(|_| attempt.reporter().left(None))?;
    let tools = Tools { http, keys: key.into(), serving: None, userinfo: false };
    let code = attempt.drive(tools, config, flow).await?;

    let judged = server.provider().report();
    server.stop();
    attempt.reporter().judged(&judged.to_string(), judged.is_clean());
    if code == 0 && !judged.is_clean() {
        return Err(bug("the client broke a rule"));
    }
    Ok(code)
}

fn configure(
    metadata: ciba_core::ProviderMetadata,
    key: &SoftwareKey,
) -> Option<Arc<ClientConfig>> {
    idura::client(metadata, ClientId::new(CLIENT_ID).ok()?)
        .ok()?
        .client_auth(idura::private_key_jwt(key.key_id()))
        .verifier(Arc::new(backend()) as Arc<dyn Verifier>)
        .build()
        .ok()
}
