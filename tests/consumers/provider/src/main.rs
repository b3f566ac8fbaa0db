//! The provider that the other programs run against: `provider DIRECTORY`. It writes `key.pem` and
//! `ca.pem` there, prints where it is reached as `NAME=issuer` lines and then `READY`, and serves
//! until its standard input ends. It exits with 1 when a client broke a rule.

use std::{env, error::Error, fs, io::Read as _, net::Ipv4Addr, path::PathBuf, process::ExitCode};

use ciba_core::{ClientSecret, SoftwareKey, jose::JwsAlgorithm};
use ciba_test_op::{
    Behaviour, Client, ClientAuthentication, Provider, ProviderConfig, RunningServer, Server,
    SystemClock, TestKey, User,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("usage: provider DIRECTORY")?);
    let pem = TestKey::ClientRsa.private_pem();
    let keys = vec![serde_json::from_str(&SoftwareKey::from_pem(pem)?.public_jwk())?];
    let by_key =
        ClientAuthentication::PrivateKeyJwt { keys, algorithms: vec![JwsAlgorithm::Rs256] };
    let secret = ClientSecret::new("a secret of the test");
    let by_secret = ClientAuthentication::ClientSecretBasic { secret, raw: false };
    let servers = [
        ("IDURA_DOMAIN", start(by_key.clone(), true, ProviderConfig::idura)?),
        ("ISSUER_KEY", start(by_key, true, ProviderConfig::generic)?),
        ("ISSUER_SECRET", start(by_secret.clone(), true, ProviderConfig::generic)?),
        ("ISSUER_HTTP", start(by_secret, false, ProviderConfig::generic)?),
    ];
    fs::write(directory.join("key.pem"), pem)?;
    let authorities: Vec<&str> = servers.iter().filter_map(|(_, server)| server.ca_pem()).collect();
    fs::write(directory.join("ca.pem"), authorities.join("\n"))?;
    for (name, server) in &servers {
        let issuer = server.issuer();
        let is_domain = name.ends_with("DOMAIN");
        println!("{name}={}", if is_domain { issuer.replace("https://", "") } else { issuer });
    }
    println!("READY");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let reports = servers.each_ref().map(|(_, server)| server.provider().report());
    for report in reports.iter().filter(|report| !report.is_clean()) {
        eprintln!("{report}");
    }
    Ok(if reports.iter().all(|report| report.is_clean()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn start(
    auth: ClientAuthentication,
    tls: bool,
    config: fn(String) -> ProviderConfig,
) -> std::io::Result<RunningServer> {
    let provider = |issuer: &str| {
        let mut config = config(issuer.to_owned())
            .client(Client::new("my-client", auth.clone()))
            .client(Client::new("urn:my:application:identifier:7714", auth.clone()))
            .user(User::new("+46700000000", Behaviour::Approve(Some(1))))
            .interval(1);
        config.pending_answers = 1;
        Provider::new(config).expect("a client that can authenticate")
    };
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    match tls {
        true => Server::start_tls(address, SystemClock, provider),
        false => Server::start(address, SystemClock, provider),
    }
}
