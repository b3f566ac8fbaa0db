//! The test provider over TLS in the test's own process, with one client whose files are in a
//! folder: so that a test can script the provider, decide in the person's place and read what it
//! saw.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Child,
    time::{Duration, Instant, SystemTime},
};

use ciba_core::{DeliveryMode, SoftwareKey, crypto::AwsLcRs, jose::JwsAlgorithm};
use ciba_test_op::{
    Client, ClientAuthentication, NamedAuthorities, Provider, ProviderConfig, RunningServer,
    Server, SystemClock,
};
use serde_json::Value;

use super::{Ended, Folder, Port, ciba, command, entropy};

/// The id of the client, and the common name of its certificate.
pub(crate) const CLIENT: &str = "wired-client";

/// A provider and its client.
pub(crate) struct Wired {
    pub(crate) server: RunningServer,
    pub(crate) folder: Folder,
    /// The command line without hint, ready to be run.
    pub(crate) options: Vec<String>,
    /// Where the client listens, if it does.
    pub(crate) listen: SocketAddr,
    _port: Port,
}

impl Wired {
    /// A client with `private_key_jwt`.
    pub(crate) fn start(delivery: DeliveryMode, change: impl FnOnce(Client) -> Client) -> Self {
        Self::at(ProviderConfig::generic, delivery, |key| change(Client::with_key(CLIENT, key)))
    }

    /// Any client; `client` gets its public key.
    pub(crate) fn at(
        provider: fn(String) -> ProviderConfig,
        delivery: DeliveryMode,
        client: impl FnOnce(Value) -> Client,
    ) -> Self {
        let folder = Folder::new();
        let (key, jwk) =
            SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &AwsLcRs).expect("P-256");
        folder.write("key.jwk", jwk.expose());
        let public: Value = serde_json::from_str(&key.public_jwk()).expect("it is JSON");
        let port = Port::new();
        let listen = port.address();
        let mut client = client(public);
        client.delivery = delivery;
        if delivery != DeliveryMode::Poll {
            client.notification_endpoint = Some(format!("https://{listen}/ciba/notify"));
        }
        let mut options: Vec<String> = Vec::new();
        let mut add = |more: &[&str]| options.extend(more.iter().map(|&text| text.to_owned()));
        match client.authentication {
            ClientAuthentication::PrivateKeyJwt { .. } => {}
            _ => add(&["--client-auth", client.authentication.name()]),
        }
        add(&["--id-token-alg", client.id_token_alg.name()]);
        let by_key = matches!(client.authentication, ClientAuthentication::PrivateKeyJwt { .. });
        if by_key || client.request_signing_alg.is_some() {
            add(&["--key", &folder.text("key.jwk")]);
        }
        let server = Server::start_mutual_tls(
            (Ipv4Addr::LOCALHOST, 0).into(),
            NamedAuthorities::None,
            SystemClock,
            |issuer| {
                // Long pauses are for people.
                let config = provider(issuer.to_owned()).interval(1).pending_answers(1);
                Provider::new(config.client(client)).expect("the client can be registered")
            },
        );
        let server = server.expect("the provider runs");
        let shown = server.client_certificate(CLIENT).expect("a certificate");
        let own = server.endpoint_certificate().expect("a certificate");
        for (name, text) in [
            ("ca.pem", server.ca_pem().expect("it runs over TLS")),
            ("cert.pem", &shown.certificate_pem),
            ("cert-key.pem", &shown.key_pem),
            ("listen.pem", &own.certificate_pem),
            ("listen-key.pem", &own.key_pem),
        ] {
            folder.write(name, text);
        }
        add(&[
            "--issuer",
            &server.issuer(),
            "--ca-cert",
            &folder.text("ca.pem"),
            "--client-id",
            CLIENT,
        ]);
        if delivery != DeliveryMode::Poll {
            add(&["--delivery", delivery.name(), "--listen", &listen.to_string()]);
            add(&[
                "--listen-cert",
                &folder.text("listen.pem"),
                "--listen-key",
                &folder.text("listen-key.pem"),
            ]);
        }
        Self { server, folder, options, listen, _port: port }
    }

    /// Adds options for every run.
    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.options.extend(more.iter().map(|&text| text.to_owned()));
        self
    }

    /// The client's certificate in the options.
    pub(crate) fn certified(self) -> Self {
        let (certificate, key) = (self.folder.text("cert.pem"), self.folder.text("cert-key.pem"));
        self.with(&["--cert", &certificate, "--cert-key", &key])
    }

    fn arguments(&self, hint: &str, more: &[&str]) -> Vec<String> {
        let fixed = ["authenticate", "--login-hint", hint, "--output", "json"];
        let all = fixed.into_iter().chain(more.iter().copied()).map(str::to_owned);
        all.chain(self.options.iter().cloned()).collect()
    }

    pub(crate) fn run(&self, hint: &str, more: &[&str]) -> Ended {
        ciba(self.arguments(hint, more))
    }

    /// Starts a run and waits until the provider asks the person.
    pub(crate) fn pending(&self, hint: &str, more: &[&str]) -> Child {
        let before = self.transactions();
        let child = command().args(self.arguments(hint, more)).spawn().expect("the command starts");
        let begun = Instant::now();
        while self.transactions() == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody was asked");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    pub(crate) fn transactions(&self) -> usize {
        self.server.provider().transactions(SystemTime::now().into()).len()
    }

    /// The person says yes.
    pub(crate) fn approve(&self) {
        let transaction = self.transactions();
        assert!(self.server.provider().approve(transaction, SystemTime::now().into()));
    }

    /// The statuses the client answered notifications with. Whoever saw the result may be ahead of
    /// the last of them.
    pub(crate) fn answers(&self) -> Vec<Option<u16>> {
        let begun = Instant::now();
        while self.server.provider().notifications_under_way() > 0
            && begun.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server.provider().notified().iter().map(|notified| notified.status).collect()
    }

    /// The client broke no rule.
    #[track_caller]
    pub(crate) fn expect_clean(&self) {
        let report = self.server.provider().report();
        assert!(report.is_clean(), "{report}");
    }
}
