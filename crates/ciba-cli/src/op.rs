//! `ciba op`: the test provider behind a loopback socket, with a client that is ready to use.

mod ready;
mod registration;

use ciba_test_op::{
    Client, ClientAuthentication, Endpoint, NamedAuthorities, Personality, Provider,
    ProviderConfig, RunningServer, Server, SystemClock,
};

use self::ready::Ready;
use crate::{
    args::{FAPI_CIBA, Op},
    exit::{self, Stop},
    files::read,
    output::escaped,
    signals::Signals,
    stdio::{put, put_error, try_put},
    wording::reason,
};

pub(crate) async fn run(options: Op) -> Result<u8, Stop> {
    if !options.listen.ip().is_loopback() {
        return Err(Stop::usage(
            "--listen takes a loopback address only: the test provider protects nothing",
        ));
    }
    let (registered, notes) =
        options.clients.as_deref().map(registration::read).transpose()?.unwrap_or_default();
    let notification_ca = options
        .notification_ca
        .as_deref()
        .map(|path| read(path, "--notification-ca"))
        .transpose()?;
    let tls = options.tls || registered.iter().any(shows_certificate);
    let ready = Ready::new(&options, tls)?;
    let mut signals = Signals::new().map_err(|_| Stop::bug("signals cannot be listened to"))?;

    let mut clients = vec![ready.client()?];
    clients.extend(registered);
    let server = start(&options, clients, ready.tls)?;
    if let Some(pem) = notification_ca {
        let trusted = std::str::from_utf8(&pem)
            .ok()
            .and_then(|pem| server.trust_notification_endpoints(pem).ok());
        trusted.ok_or_else(|| {
            Stop::usage("the file of --notification-ca holds no certificate in PEM")
        })?;
    }
    let issuer = server.issuer();
    ready.describe(&server)?;
    let phone = server.provider().endpoint_url(Endpoint::Phone);
    put_error(&format!(
        "A test provider is running; it protects nothing. The person's phone is at\n  {phone}"
    ));
    put_error(&format!("Authenticate a person there with\n  {}", ready.command(&issuer)));
    if options.personality == Personality::Generic {
        put_error(
            "--login-hint says what the person does: approve, approve-after:2, deny, never, manual (tap on the phone page), or user-code:1234.",
        );
    }
    notes.iter().for_each(|note| put_error(note));
    let report = server.report_url();
    put_error(&format!(
        "What the clients did wrong is said here, as JSON and at any time, and when Ctrl-C ends it\n  {report}"
    ));
    put(&format!("READY {issuer}"));

    signals.next().await;
    let report = server.provider().report();
    put_error(&format!("\n{report}"));
    server.stop();
    if !options.judge {
        return Ok(0);
    }
    try_put(&escaped(&report.to_json().to_string())).map_err(|error| Stop::untold(&error))?;
    Ok(if report.is_clean() { 0 } else { exit::MISTAKES })
}

fn start(options: &Op, clients: Vec<Client>, tls: bool) -> Result<RunningServer, Stop> {
    let clock = SystemClock;
    let certified = clients.iter().any(shows_certificate);
    let mut wrong = None;
    let provider = |issuer: &str| {
        let base = match (options.personality, options.profile) {
            (Personality::Idura, _) => ProviderConfig::idura(issuer).interval(3),
            (_, FAPI_CIBA) => ProviderConfig::fapi_ciba(issuer),
            (_, _) => ProviderConfig::generic(issuer),
        };
        let base = base.dpop_nonces(options.dpop_nonces);
        let config = clients.into_iter().fold(base.clone(), ProviderConfig::client);
        Provider::new(config).unwrap_or_else(|error| {
            wrong = Some(error.to_string());
            Provider::new(base).expect("a provider without clients can always be built")
        })
    };
    let server = if certified {
        Server::start_mutual_tls(options.listen, NamedAuthorities::Own, clock, provider)
    } else if tls {
        Server::start_tls(options.listen, clock, provider)
    } else {
        Server::start(options.listen, clock, provider)
    };
    let server = server.map_err(|error| {
        Stop::usage(format!("the provider cannot listen at {}: {}", options.listen, reason(&error)))
    })?;
    match wrong {
        Some(wrong) => Err(Stop::usage(format!("the clients cannot be registered: {wrong}"))),
        None => Ok(server),
    }
}

/// Whether a client needs a server that requests certificates.
fn shows_certificate(client: &Client) -> bool {
    let by_certificate = matches!(
        client.authentication,
        ClientAuthentication::TlsClientAuth { .. }
            | ClientAuthentication::SelfSignedTlsClientAuth { .. }
    );
    by_certificate || client.certificate_bound
}
