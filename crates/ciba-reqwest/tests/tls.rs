//! Whom the adapter trusts.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
#[path = "support/tls.rs"]
mod server;

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ciba_reqwest::{
    AuthenticateError, CertificateError, ClientCertificate, Clock, DriveError, Driver, HttpClient,
    Saver, SharedFlow,
    ciba_core::{
        Body, Cause, CertificateProblem, ClientAuth, Entropy, Failure, Flow, Lacking, Output,
        Request, Response, Sending, Snapshot, Timestamp, TlsAlert, Unanswered, UnreachableTarget,
        Url,
    },
    platform_roots,
    reqwest::ClientBuilder,
    with_ca,
};
use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};
use server::{Asks, Certificate, ClientIdentity, TlsServer};

async fn exchange(builder: ClientBuilder, server: &TlsServer) -> Result<Response, Unanswered> {
    let request =
        Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("secret=sentinel"));
    let client = HttpClient::new(builder.no_proxy()).unwrap();
    client.exchange(&request, Duration::from_secs(20), 1024).await
}

/// REQ-SEC-01b
/// OPM-TLS-01
#[tokio::test]
async fn a_certificate_that_does_not_verify_ends_it_before_anything_is_sent() {
    for (certificate, problem) in [
        (Certificate::ForAnotherHost, CertificateProblem::WrongName),
        (Certificate::Expired, CertificateProblem::Expired),
        (Certificate::Authority, CertificateProblem::CaAsEndEntity),
    ] {
        let server = TlsServer::start(certificate, &[&TLS12, &TLS13]);
        let builder = with_ca(server.ca.as_bytes()).unwrap();
        assert_eq!(
            exchange(builder, &server).await,
            Err(Unanswered::NotSent(Cause::Certificate(problem)))
        );
        assert_eq!((server.handshake(), server.requests()), (None, 0));
    }
    let unknown = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    let not_sent = Unanswered::NotSent(Cause::Certificate(CertificateProblem::UnknownIssuer));
    assert_eq!(exchange(platform_roots(), &unknown).await, Err(not_sent));
    assert_eq!((unknown.handshake(), unknown.requests()), (None, 0));
}

/// REQ-SEC-01a
/// OPM-TLS-03
#[tokio::test]
async fn a_given_ca_is_trusted_over_both_versions_and_the_newer_is_preferred() {
    for (versions, expected) in [
        (&[&TLS12][..], ProtocolVersion::TLSv1_2),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12, &TLS13], ProtocolVersion::TLSv1_3),
    ] {
        let server = TlsServer::start(Certificate::Good, versions);
        let response = exchange(with_ca(server.ca.as_bytes()).unwrap(), &server).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!((server.handshake(), server.requests()), (Some(expected), 1));
    }
}

/// REQ-SEC-01c
#[tokio::test]
async fn verification_cannot_be_turned_off() {
    let server = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    let builder = platform_roots()
        .tls_danger_accept_invalid_certs(true)
        .tls_danger_accept_invalid_hostnames(true);
    assert!(matches!(exchange(builder, &server).await, Err(Unanswered::NotSent(_))));
    assert_eq!((server.handshake(), server.requests()), (None, 0));
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = with_ca(text.as_bytes()).map(|builder| HttpClient::new(builder).is_err());
        assert!(refused.unwrap_or(true), "{text:?}");
    }
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// An authentication request of a client that authenticates itself by a certificate.
fn certified(server: &TlsServer) -> Sending {
    let config = client::config(server.url().trim_end_matches('/'), ClientAuth::TlsClientAuth);
    let (now, entropy) =
        (Timestamp::from_unix_secs(1_800_000_000), || Entropy::from_bytes([7; 32]));
    let mut flow = Flow::start(config, client::request(), entropy(), now).unwrap();
    match flow.poll(now, entropy()) {
        Output::Transmit(transmit) => flow.begin(transmit, now).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn http(server: &TlsServer) -> HttpClient {
    HttpClient::new(with_ca(server.ca.as_bytes()).unwrap()).unwrap()
}

fn with(server: &TlsServer, identity: &ClientIdentity) -> HttpClient {
    let certificate =
        ClientCertificate::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes())
            .unwrap();
    http(server).with_certificate(with_ca(server.ca.as_bytes()).unwrap(), certificate).unwrap()
}

fn anything(server: &TlsServer) -> Request {
    Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("a=b"))
}

/// REQ-AUTH-24
/// OPM-TLS-02
/// OPM-REQ-12
#[tokio::test]
async fn the_certificate_is_shown_to_whoever_asks_for_one_whether_it_names_authorities_or_not() {
    for asks in [Asks::Demanding, Asks::Politely] {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let server = TlsServer::asking(asks, Certificate::Good, versions);
            let sending = certified(&server);
            let form = String::from_utf8_lossy(sending.request().body.expose()).into_owned();
            assert!(form.split('&').any(|parameter| parameter == "client_id=client"), "{form}");
            assert!(
                !form.contains("client_assertion") && !form.contains("client_secret"),
                "{form}"
            );
            let one = &server.clients[0];
            let der = ClientCertificate::from_der([&one.certificate_der], &one.key_der).unwrap();
            let roots = with_ca(server.ca.as_bytes()).unwrap();
            for http in [with(&server, one), http(&server).with_certificate(roots, der).unwrap()] {
                let _ = http.perform(certified(&server)).await;
            }
            let shown = Some(one.certificate_der.clone());
            assert_eq!((server.peers(), server.requests()), (vec![shown.clone(), shown], 2));
        }
    }
}

/// REQ-AUTH-26
#[tokio::test]
async fn no_identity_is_shown_for_another_and_none_where_none_is_wanted() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let server = TlsServer::asking(Asks::Politely, Certificate::Good, versions);
        let [one, two] = server.clients.each_ref().map(|identity| with(&server, identity));
        let limit = Duration::from_secs(20);
        for _ in 0..2 {
            let _ = one.perform(certified(&server)).await;
            assert!(one.exchange(&anything(&server), limit, 1024).await.is_ok());
            let _ = two.perform(certified(&server)).await;
        }
        let [first, second] =
            server.clients.each_ref().map(|identity| Some(identity.certificate_der.clone()));
        let round = [first, None, second];
        assert_eq!(
            server.peers(),
            [&round[..], &round[..]].concat(),
            "one connection for each exchange"
        );
    }
}

/// Under TLS 1.3 the request is written before the server has looked at the certificate; it reads
/// none of it after refusing.
///
/// REQ-AREQ-30a
#[tokio::test]
async fn a_certificate_that_the_server_refuses_leaves_the_request_unsent_in_both_versions() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let server = TlsServer::asking(Asks::Demanding, Certificate::Good, versions);
        let none = http(&server).exchange(&anything(&server), Duration::from_secs(20), 1024).await;
        let required = Cause::ClientCertificate(TlsAlert(116));
        assert_eq!(none, Err(Unanswered::NotSent(required)), "{versions:?}");
        assert_eq!((server.handshake(), server.requests()), (None, 0));

        // Of another authority, so a flow is not left with an unknown outcome.
        let stranger = TlsServer::start(Certificate::Good, versions);
        let http = with(&server, &stranger.clients[0]);
        let input = format!("{:?}", http.perform(certified(&server)).await);
        assert!(input.starts_with("Input(NotSent(ClientCertificate("), "{versions:?}: {input}");
        assert_eq!((server.handshake(), server.requests()), (None, 0));
    }
}

/// The alert and the end of the connection come while the client still writes, each time at another
/// moment.
///
/// REQ-AREQ-30a
#[tokio::test]
async fn a_refusal_is_heard_however_early_the_server_closes() {
    let limit = Duration::from_secs(20);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let server = TlsServer::asking(Asks::Demanding, Certificate::Good, versions);
        let stranger = TlsServer::start(Certificate::Good, versions);
        let (anonymous, strange) = (http(&server), with(&server, &stranger.clients[0]));
        for turn in 0..200 {
            let heard = anonymous.exchange(&anything(&server), limit, 1024).await;
            let required = Cause::ClientCertificate(TlsAlert(116));
            assert_eq!(heard, Err(Unanswered::NotSent(required)), "{versions:?}, {turn}");
            let input = format!("{:?}", strange.perform(certified(&server)).await);
            assert!(
                input.starts_with("Input(NotSent(ClientCertificate("),
                "{versions:?}, {turn}: {input}"
            );
        }
        assert_eq!(server.requests(), 0);
    }
}

/// It may have been read by then.
///
/// REQ-AREQ-30a
#[tokio::test]
async fn a_connection_that_is_dropped_without_an_alert_leaves_it_unknown_whether_the_request_arrived()
 {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let server = TlsServer::asking(Asks::ThenDrops, Certificate::Good, versions);
        let http = with(&server, &server.clients[0]);
        for _ in 0..20 {
            let heard = http.exchange(&anything(&server), Duration::from_secs(20), 1024).await;
            assert_eq!(heard, Err(Unanswered::Lost(Cause::Closed)), "{versions:?}");
            let input = format!("{:?}", http.perform(certified(&server)).await);
            assert!(input.starts_with("Input(Lost(Closed"), "{versions:?}: {input}");
        }
    }
}

/// Counts how often a flow is saved.
struct Counter(Arc<AtomicUsize>);

#[async_trait]
impl Saver for Counter {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// REQ-AUTH-24
#[tokio::test]
async fn without_a_certificate_nothing_is_sent_that_needs_one() {
    let server = TlsServer::asking(Asks::Politely, Certificate::Good, BOTH);
    let input = format!("{:?}", http(&server).perform(certified(&server)).await);
    assert_eq!(input, "Input(NotSent(Local))");
    let config = client::config(server.url().trim_end_matches('/'), ClientAuth::TlsClientAuth);
    let driver = Driver::new(Arc::clone(&config), http(&server));
    let error = driver.authenticate(client::request(), &mut ()).await.unwrap_err();
    assert!(
        matches!(error, AuthenticateError::Drive(DriveError::Lacking(Lacking::Certificate))),
        "{error:?}"
    );
    assert_eq!((server.peers().len(), server.requests()), (0, 0));

    // A request that was saved as under way would count as lost after a restart.
    let (now, entropy) = (Timestamp::from_unix_secs(1_800_000_000), Entropy::from_bytes([7; 32]));
    let saves = Arc::<AtomicUsize>::default();
    let flow = Flow::start(config, client::request(), entropy, now).unwrap();
    let flow = SharedFlow::with_saver(flow, Counter(Arc::clone(&saves)));
    assert!(matches!(
        driver.drive(&flow, &mut ()).await,
        Err(DriveError::Lacking(Lacking::Certificate))
    ));
    assert_eq!(saves.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_refused_when_it_is_given() {
    let server = TlsServer::start(Certificate::Good, BOTH);
    let [one, two] = &server.clients;
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (chain, key) in [
        ("", ""),
        (one.certificate.as_str(), ""),
        ("", one.key.as_str()),
        (&one.certificate, &one.certificate),
        (&one.key, &one.certificate),
        (&one.certificate, "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"),
        (no_certificate, &one.key),
        (&one.certificate, &two.key),
        (&one.certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    ] {
        let read = ClientCertificate::from_pem(chain.as_bytes(), key.as_bytes());
        let used = read.map(|known| {
            http(&server).with_certificate(with_ca(server.ca.as_bytes()).unwrap(), known)
        });
        let error = used.and_then(|used| used).map(drop).unwrap_err();
        assert!(
            matches!(error, CertificateError::Unreadable | CertificateError::Refused),
            "{error:?}"
        );
    }
    let debug = format!(
        "{:?}",
        ClientCertificate::from_pem(one.certificate.as_bytes(), one.key.as_bytes()).unwrap()
    );
    assert_eq!(debug, "ClientCertificate(..)");
}

/// The clock of a driver.
#[derive(Clone)]
struct Moved(client::Jumping);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.0.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.0.jump(until);
        Duration::ZERO
    }
}

/// A connection that takes its time, or a machine that is suspended while it is made: the flow is
/// asked once more when nothing but the request is left to write.
///
/// REQ-AREQ-33d
#[tokio::test]
async fn a_request_that_got_too_late_while_its_connection_was_made_does_not_leave() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        for (late, cancels) in [(89, false), (90, false), (86_400, false), (0, true)] {
            let server = TlsServer::start(Certificate::Good, versions);
            let clock = client::Jumping::new();
            let started = clock.read();
            let shared = Arc::new(OnceLock::<SharedFlow>::new());
            let (at, flow) = (clock.clone(), Arc::clone(&shared));
            let base = server.behind(move || {
                at.jump(started.saturating_add(Duration::from_secs(late)));
                if cancels {
                    flow.get().unwrap().cancel(at.read());
                }
            });
            let config = client::config(&base, ClientAuth::None);
            let begun = Flow::start(
                Arc::clone(&config),
                client::request(),
                Entropy::from_bytes([7; 32]),
                started,
            );
            let flow = shared.get_or_init(|| SharedFlow::new(begun.unwrap()));
            let http = HttpClient::new(with_ca(server.ca.as_bytes()).unwrap().no_proxy()).unwrap();
            let driver = Driver::new(Arc::clone(&config), http).with_clock(Moved(clock));
            driver.drive(flow, &mut ()).await.unwrap();
            let failure = flow.clone().finish().unwrap_err();
            let is_right = match (late, cancels) {
                // The server's answer is no acknowledgement.
                (89, _) => matches!(failure, Failure::ProviderMisbehaved(_)),
                (_, true) => failure == Failure::Abandoned,
                _ => {
                    matches!(&failure, Failure::Unreachable(found) if found.target == UnreachableTarget::Person)
                }
            };
            assert!(is_right, "{late} {cancels}: {failure:?}");
            assert_eq!(server.requests(), usize::from(late == 89), "{late} {cancels}");
        }
    }
}
