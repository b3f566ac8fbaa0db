//! The provider that the other programs run against: `provider DIRECTORY`. It writes `key.jwk` and
//! `ca.pem` there, prints where it is reached as `NAME=issuer` lines and then `READY`, and serves
//! until its standard input ends. It exits with 1 when a client broke a rule.

use std::{env, error::Error, fs, io::Read as _, net::Ipv4Addr, path::PathBuf, process::ExitCode};

use ciba_core::{ClientSecret, Entropy, SoftwareKey, crypto::RustCrypto, jose::JwsAlgorithm};
use ciba_test_op::{
    Behaviour, Client, ClientAuthentication, Provider, ProviderConfig, RunningServer, Server,
    SystemClock, User,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("usage: provider DIRECTORY")?);
    // For tests only, so it need not be a secret.
    let (key, jwk) =
        SoftwareKey::generate(JwsAlgorithm::Es256, Entropy::from_bytes([7; 32]), &RustCrypto)?;
    let keys = vec![serde_json::from_str(&key.public_jwk())?];
    let by_key =
        ClientAuthentication::PrivateKeyJwt { keys, algorithms: vec![JwsAlgorithm::Es256] };
    let secret = ClientSecret::new("a secret of the test");
    let by_secret = ClientAuthentication::ClientSecretBasic { secret, raw: false };
    let servers = [
        ("ISSUER_KEY", start(by_key, true)?),
        ("ISSUER_SECRET", start(by_secret.clone(), true)?),
        ("ISSUER_HTTP", start(by_secret, false)?),
    ];
    fs::write(directory.join("key.jwk"), jwk.expose())?;
    let authorities: Vec<&str> = servers.iter().filter_map(|(_, server)| server.ca_pem()).collect();
    fs::write(directory.join("ca.pem"), authorities.join("\n"))?;
    for (name, server) in &servers {
        println!("{name}={}", server.issuer());
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

fn start(auth: ClientAuthentication, tls: bool) -> std::io::Result<RunningServer> {
    let provider = |issuer: &str| {
        let mut config = ProviderConfig::generic(issuer)
            .client(Client::new("my-client", auth.clone()))
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
