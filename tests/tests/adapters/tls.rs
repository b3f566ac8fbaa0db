//! The certificates that the adapter trusts.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use ciba_core::{
    ClientAuth, Entropy, Failure, Flow, Output, Sending,
    config::Lacking,
    error::UnreachableTarget,
    fault::{Cause, CertificateProblem, TlsAlert},
    http::{Body, Request, Response, Unanswered, Url},
};
use ciba_tests::adapters::{Adapter, Driver, HttpBuilder, HttpClient, Roots, SharedFlow, each};
use ciba_ureq::{ClientCertificate, http::CertificateError};
use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};

use crate::{
    START,
    client::{self, Jumping},
    flow,
    server::{Asks, Certificate, ClientIdentity, TlsServer},
};

fn exchange(
    adapter: Adapter,
    roots: Roots<'_>,
    server: &TlsServer,
) -> Result<Response, Unanswered> {
    let request =
        Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("secret=sentinel"));
    let client = adapter.builder(roots).and_then(HttpBuilder::client).unwrap();
    client.exchange(&request, Duration::from_secs(20), 1024)
}

/// REQ-SEC-01b
/// OPM-TLS-01
#[test]
fn an_untrusted_server_certificate_ends_the_connection_before_anything_is_sent() {
    each(|adapter| {
        for (certificate, problem) in [
            (Certificate::ForAnotherHost, CertificateProblem::WrongName),
            (Certificate::Expired, CertificateProblem::Expired),
            (Certificate::Authority, CertificateProblem::CaAsEndEntity),
        ] {
            let server = TlsServer::start(certificate, &[&TLS12, &TLS13]);
            assert_eq!(
                exchange(adapter, Roots::Ca(&server.ca), &server),
                Err(Unanswered::NotSent(Cause::Certificate(problem)))
            );
            assert_eq!((server.handshake(), server.requests()), (None, 0));
        }
        let unknown = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
        let not_sent = Unanswered::NotSent(Cause::Certificate(CertificateProblem::UnknownIssuer));
        assert_eq!(exchange(adapter, Roots::Platform, &unknown), Err(not_sent));
        assert_eq!((unknown.handshake(), unknown.requests()), (None, 0));
    });
}

/// REQ-SEC-01a
/// OPM-TLS-03
#[test]
fn a_configured_ca_is_trusted_in_both_tls_versions_and_the_newer_is_preferred() {
    each(|adapter| {
        for (versions, expected) in [
            (&[&TLS12][..], ProtocolVersion::TLSv1_2),
            (&[&TLS13], ProtocolVersion::TLSv1_3),
            (&[&TLS12, &TLS13], ProtocolVersion::TLSv1_3),
        ] {
            let server = TlsServer::start(Certificate::Good, versions);
            let response = exchange(adapter, Roots::Ca(&server.ca), &server).unwrap();
            assert_eq!(response.status, 200);
            assert_eq!((server.handshake(), server.requests()), (Some(expected), 1));
        }
    });
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    each(|adapter| {
        for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let client = adapter.builder(Roots::Ca(text)).and_then(HttpBuilder::client);
            assert!(client.is_none(), "{text:?}");
        }
    });
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// Returns an authentication request of a client that authenticates with a certificate.
fn certified(server: &TlsServer) -> Sending {
    let config = client::config(server.url().trim_end_matches('/'), ClientAuth::TlsClientAuth);
    let (now, entropy) = (START, || Entropy::from_bytes([7; 32]));
    let mut flow = Flow::start(config, client::request(), entropy(), now).unwrap();
    match flow.poll(now, entropy()) {
        Output::Transmit(transmit) => flow.begin(transmit, now).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn http(adapter: Adapter, server: &TlsServer) -> HttpClient {
    roots(adapter, server).client().unwrap()
}

fn roots(adapter: Adapter, server: &TlsServer) -> HttpBuilder {
    adapter.builder(Roots::Ca(&server.ca)).unwrap()
}

fn with(adapter: Adapter, server: &TlsServer, identity: &ClientIdentity) -> HttpClient {
    let certificate = from_pem(&identity.certificate, &identity.key).unwrap();
    http(adapter, server).with_certificate(certificate).unwrap()
}

fn from_pem(chain: &str, key: &str) -> Result<ClientCertificate, CertificateError> {
    ClientCertificate::from_pem(chain.as_bytes(), key.as_bytes())
}

fn anything(server: &TlsServer) -> Request {
    Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("a=b"))
}

/// REQ-AUTH-24
/// OPM-TLS-02
/// OPM-REQ-12
#[test]
fn the_certificate_is_presented_on_request_whether_authorities_are_named_or_not() {
    each(|adapter| {
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
                let der =
                    ClientCertificate::from_der([&one.certificate_der], &one.key_der).unwrap();
                for http in [
                    with(adapter, &server, one),
                    http(adapter, &server).with_certificate(der).unwrap(),
                ] {
                    let _ = http.perform(certified(&server));
                }
                let shown = Some(one.certificate_der.clone());
                assert_eq!((server.peers(), server.requests()), (vec![shown.clone(), shown], 2));
            }
        }
    });
}

/// reqwest has one TLS configuration for both, which its documentation says.
#[test]
fn a_proxy_that_asks_for_the_client_certificate_sees_it_from_reqwest_only() {
    each(|adapter| {
        for version in [&TLS12, &TLS13] {
            let proxy = TlsServer::asking(Asks::Politely, Certificate::Good, &[version]);
            let [one, _] = &proxy.clients;
            let address = proxy.url();
            let http = roots(adapter, &proxy).through(address.trim_end_matches('/')).client();
            let certificate = from_pem(&one.certificate, &one.key).unwrap();
            let http = http.unwrap().with_certificate(certificate).unwrap();
            // The proxy takes `CONNECT` for a request, and answers with 200 and a body.
            let _ = http.perform(certified(&proxy));
            let seen = (adapter == Adapter::Reqwest).then(|| one.certificate_der.clone());
            assert!(proxy.handshake().is_some());
            assert_eq!(proxy.peers(), [seen], "{adapter:?}");
        }
    });
}

/// REQ-AUTH-26
#[test]
fn a_client_certificate_is_presented_only_for_its_own_client_and_only_if_needed() {
    each(|adapter| {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let server = TlsServer::asking(Asks::Politely, Certificate::Good, versions);
            let [one, two] =
                server.clients.each_ref().map(|identity| with(adapter, &server, identity));
            let limit = Duration::from_secs(20);
            for _ in 0..2 {
                let _ = one.perform(certified(&server));
                assert!(one.exchange(&anything(&server), limit, 1024).is_ok());
                let _ = two.perform(certified(&server));
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
    });
}

/// With TLS 1.3 the request is written before the server has checked the certificate. The server
/// reads none of it after rejecting the certificate.
///
/// REQ-AREQ-30a
#[test]
fn a_certificate_that_the_server_refuses_leaves_the_request_unsent_in_both_versions() {
    each(|adapter| {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let server = TlsServer::asking(Asks::Demanding, Certificate::Good, versions);
            let none =
                http(adapter, &server).exchange(&anything(&server), Duration::from_secs(20), 1024);
            let required = Cause::ClientCertificate(TlsAlert(116));
            assert_eq!(none, Err(Unanswered::NotSent(required)), "{versions:?}");
            assert_eq!((server.handshake(), server.requests()), (None, 0));

            // Of another authority, so the outcome is not unknown.
            let stranger = TlsServer::start(Certificate::Good, versions);
            let http = with(adapter, &server, &stranger.clients[0]);
            let input = format!("{:?}", http.perform(certified(&server)));
            assert!(input.starts_with("Input(NotSent(ClientCertificate("), "{versions:?}: {input}");
            assert_eq!((server.handshake(), server.requests()), (None, 0));
        }
    });
}

/// The alert and the end of the connection arrive while the client is still writing, each time at
/// another moment.
///
/// REQ-AREQ-30a
#[test]
fn a_refusal_is_read_even_if_the_server_closes_early() {
    each(|adapter| {
        let limit = Duration::from_secs(20);
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let server = TlsServer::asking(Asks::Demanding, Certificate::Good, versions);
            let stranger = TlsServer::start(Certificate::Good, versions);
            let (anonymous, strange) =
                (http(adapter, &server), with(adapter, &server, &stranger.clients[0]));
            for turn in 0..200 {
                let heard = anonymous.exchange(&anything(&server), limit, 1024);
                let required = Cause::ClientCertificate(TlsAlert(116));
                assert_eq!(heard, Err(Unanswered::NotSent(required)), "{versions:?}, {turn}");
                let input = format!("{:?}", strange.perform(certified(&server)));
                assert!(
                    input.starts_with("Input(NotSent(ClientCertificate("),
                    "{versions:?}, {turn}: {input}"
                );
            }
            assert_eq!(server.requests(), 0);
        }
    });
}

/// It may have been read by then.
///
/// REQ-AREQ-30a
#[test]
fn a_connection_that_is_dropped_without_an_alert_leaves_it_unknown_whether_the_request_arrived() {
    each(|adapter| {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let server = TlsServer::asking(Asks::ThenDrops, Certificate::Good, versions);
            let http = with(adapter, &server, &server.clients[0]);
            for _ in 0..20 {
                let heard = http.exchange(&anything(&server), Duration::from_secs(20), 1024);
                assert_eq!(heard, Err(Unanswered::Lost(Cause::Closed)), "{versions:?}");
                let input = format!("{:?}", http.perform(certified(&server)));
                assert!(input.starts_with("Input(Lost(Closed"), "{versions:?}: {input}");
            }
        }
    });
}

/// REQ-AUTH-24
#[test]
fn no_request_that_needs_a_certificate_is_sent_without_one() {
    each(|adapter| {
        let server = TlsServer::asking(Asks::Politely, Certificate::Good, BOTH);
        let input = format!("{:?}", http(adapter, &server).perform(certified(&server)));
        assert_eq!(input, "Input(NotSent(Local))");
        let config = client::config(server.url().trim_end_matches('/'), ClientAuth::TlsClientAuth);
        let driver = Driver::new(&config, http(adapter, &server));
        assert_eq!(driver.lacks(), Some(Lacking::Certificate));
        assert_eq!((server.peers().len(), server.requests()), (0, 0));
    });
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_refused_when_it_is_given() {
    each(|adapter| {
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
            let read = from_pem(chain, key);
            let used = read.and_then(|known| http(adapter, &server).with_certificate(known));
            let error = used.map(drop).unwrap_err();
            assert!(
                matches!(error, CertificateError::Unreadable | CertificateError::Refused),
                "{error:?}"
            );
        }
        let known = from_pem(&one.certificate, &one.key).unwrap();
        assert_eq!(format!("{known:?}"), "ClientCertificate(..)");
    });
}

/// A slow connection, or a machine that is suspended while connecting: the flow is asked once more
/// when only the request remains to be written.
///
/// REQ-AREQ-33d
#[test]
fn a_request_that_became_too_late_during_the_connect_is_not_sent() {
    each(|adapter| {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            for (late, cancels) in [(89, false), (90, false), (86_400, false), (0, true)] {
                let server = TlsServer::start(Certificate::Good, versions);
                let clock = Jumping::new();
                let started = clock.read();
                let shared = Arc::new(OnceLock::<SharedFlow>::new());
                let (at, cancelled) = (clock.clone(), Arc::clone(&shared));
                let base = server.behind(move || {
                    at.jump(started.saturating_add(Duration::from_secs(late)));
                    if cancels {
                        cancelled.get().unwrap().cancel(at.read());
                    }
                });
                let config = client::config(&base, ClientAuth::None);
                let flow = shared.get_or_init(|| adapter.flow(flow(&config)));
                let driver = Driver::new(&config, http(adapter, &server)).with_clock(clock);
                driver.drive(flow, &mut ()).unwrap();
                let failure = flow.clone().finish().unwrap_err();
                let is_right = match (late, cancels) {
                    // The answer of the server is not an acknowledgement.
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
    });
}
