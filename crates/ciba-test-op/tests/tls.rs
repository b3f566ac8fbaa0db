//! The server over TLS.
#![cfg(feature = "tls")]
#![allow(missing_docs)]

mod support;

use std::{io, net::TcpStream, sync::Arc, thread};

use ciba_test_op::{
    Act, Client, ClientAuthentication, ClientCertificate, Endpoint, NamedAuthorities,
    ProviderConfig, Rule, RunningServer, Script, Server,
};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use support::{LOOPBACK, Wire, begin, clock, provider, send_poll};

fn start() -> RunningServer {
    Server::start_tls(LOOPBACK, clock(), |issuer| provider(ProviderConfig::generic(issuer)))
        .unwrap()
}

fn connect(
    server: &RunningServer,
    ca: &str,
    name: &str,
    version: &'static SupportedProtocolVersion,
) -> io::Result<Wire<StreamOwned<ClientConnection, TcpStream>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(server.address())?;
    session.complete_io(&mut socket)?;
    Ok(Wire::new(StreamOwned::new(session, socket)))
}

#[test]
fn the_own_authority_certifies_the_names_of_the_provider_in_both_tls_versions() {
    let server = start();
    assert!(server.issuer().starts_with("https://127.0.0.1:"));
    for (version, protocol) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        for name in ["127.0.0.1", "::1", "localhost"] {
            let mut wire = connect(&server, server.ca_pem().unwrap(), name, version).unwrap();
            assert_eq!(wire.stream.conn.protocol_version(), Some(protocol));
            let metadata = wire.get(
                "/.well-known/openid-configuration",
                "Host: localhost\r\nConnection: close\r\n",
            );
            assert_eq!(metadata.json()["issuer"], server.issuer());
            assert!(wire.rest().is_empty());
        }
    }
}

#[test]
fn other_names_and_the_authority_of_another_run_are_refused() {
    let (server, other) = (start(), start());
    assert!(connect(&server, server.ca_pem().unwrap(), "op.example", &TLS13).is_err());
    assert!(connect(&server, other.ca_pem().unwrap(), "127.0.0.1", &TLS13).is_err());
    assert!(server.provider().exchanges().is_empty());
}

#[test]
fn a_poll_that_the_client_dropped_does_not_overlap_the_next() {
    let server = start();
    let ca = server.ca_pem().unwrap();
    for says_goodbye in [true, false] {
        let mut wire = connect(&server, ca, "localhost", &TLS13).unwrap();
        let acknowledgement = begin(&server, &mut wire, &[("login_hint", "manual")]);
        let delay = Act::Delay(std::time::Duration::from_secs(60));
        server.provider().script(Script::new().nth(Endpoint::Token, 1, delay));
        let before = server.provider().exchanges().len();
        send_poll(&server, &mut wire, &acknowledgement);
        while server.provider().exchanges().len() == before {
            thread::yield_now();
        }
        if says_goodbye {
            wire.stream.conn.send_close_notify();
            io::Write::flush(&mut wire.stream).unwrap();
        }
        drop(wire);
        let mut second = connect(&server, ca, "localhost", &TLS13).unwrap();
        send_poll(&server, &mut second, &acknowledgement);
        assert_eq!(second.receive().unwrap().status, 400);
    }
    assert!(
        !server.provider().violations().iter().any(|violation| violation.rule == Rule::Overlap)
    );
}

#[test]
fn plain_http_on_the_tls_port_is_no_request_and_stopping_does_not_wait_for_a_handshake() {
    let server = start();
    let mut plain = support::connect(&server);
    plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = plain.rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut silent = support::connect(&server);
    server.stop();
    assert!(silent.rest().is_empty());
}

/// OP-12
/// OP-67
#[test]
fn certificates_are_requested_at_the_alias_and_judged_by_the_provider() {
    for named in [NamedAuthorities::Own, NamedAuthorities::None] {
        let self_signed = ClientCertificate::self_signed("anybody").unwrap();
        let server = Server::start_mutual_tls(LOOPBACK, named, clock(), |issuer| {
            let subject = "CN=app of the run".to_owned();
            let pki = Client::new("pki", ClientAuthentication::TlsClientAuth { subject });
            let certificates = vec![self_signed.der.clone()];
            let own =
                Client::new("own", ClientAuthentication::SelfSignedTlsClientAuth { certificates });
            provider(ProviderConfig::generic(issuer).client(pki).client(own))
        })
        .unwrap();
        let issued = server.client_certificate("app of the run").unwrap();
        let impostor = ClientCertificate::self_signed("app of the run").unwrap();
        let alias = server.provider().alias_url(Endpoint::Backchannel).unwrap();
        let address: std::net::SocketAddr = alias.split('/').nth(2).unwrap().parse().unwrap();
        assert_ne!(address, server.address());
        for (client, certificate, status) in [
            ("pki", Some(&issued), 200),
            ("pki", Some(&impostor), 401),
            ("pki", None, 401),
            ("own", Some(&self_signed), 200),
            ("own", Some(&issued), 401),
        ] {
            for version in [&TLS12, &TLS13] {
                let mut wire = mutual(address, server.ca_pem().unwrap(), certificate, version);
                let parameters =
                    [("client_id", client), ("scope", "openid"), ("login_hint", "approve")];
                let answer = wire.form(&address.to_string(), "/backchannel", &parameters);
                assert_eq!(answer.status, status, "{client}: {}", answer.text());
            }
        }
        let mut wire = connect(&server, server.ca_pem().unwrap(), "localhost", &TLS13).unwrap();
        let parameters = [("client_id", "pki"), ("scope", "openid"), ("login_hint", "approve")];
        assert_eq!(wire.form("localhost", "/backchannel", &parameters).status, 401);
        assert_eq!(server.provider().violations().last().unwrap().rule, Rule::PlainHost);
    }
}

fn mutual(
    address: std::net::SocketAddr,
    ca: &str,
    certificate: Option<&ClientCertificate>,
    version: &'static SupportedProtocolVersion,
) -> Wire<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain =
                vec![CertificateDer::from_pem_slice(own.certificate_pem.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(own.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    Wire::new(StreamOwned::new(session, TcpStream::connect(address).unwrap()))
}

#[test]
fn a_notification_over_tls_is_sent_only_to_trusted_endpoints() {
    // Another provider's listener stands for the endpoint: it answers 404, which is an answer.
    for trusted in [true, false] {
        let endpoint = start();
        let url = format!("{}/cb", endpoint.issuer());
        let server = Server::start_tls(LOOPBACK, clock(), |issuer| {
            let secret = ClientAuthentication::ClientSecretPost {
                secret: ciba_core::ClientSecret::new("open sesame"),
            };
            provider(
                ProviderConfig::generic(issuer)
                    .client(Client::new("pinged", secret).ping(url.as_str())),
            )
        })
        .unwrap();
        if trusted {
            server.trust_notification_endpoints(endpoint.ca_pem().unwrap()).unwrap();
        }
        let mut wire = connect(&server, server.ca_pem().unwrap(), "localhost", &TLS13).unwrap();
        let token =
            ("client_notification_token", "Gc2hbWVsZXNzLXN0YW5kaW4tc2VjcmV0LWZvci10ZXN0cy0wMTIz");
        begin(
            &server,
            &mut wire,
            &[("client_id", "pinged"), ("login_hint", "approve-after:0"), token],
        );
        let status = loop {
            let provider = server.provider();
            if let Some(first) =
                provider.notified().first().filter(|first| first.answered.is_some())
            {
                break first.status;
            }
            drop(provider);
            thread::yield_now();
        };
        assert_eq!(status, trusted.then_some(404));
        assert!(server.trust_notification_endpoints("no certificate").is_err());
    }
}
