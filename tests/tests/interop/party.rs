//! One client with its driver, in either adapter. ciba-reqwest verifies and signs with RustCrypto,
//! ciba-ureq with aws-lc-rs.
use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ciba_core::{
    AuthRequest, Authentication, ClientConfigBuilder, Discovery, Event, Failure, Issuer, Timestamp,
    crypto::{AwsLcRs, RustCrypto},
    http::Endpoint,
    metadata::DiscoveryAddress,
};

use crate::{
    clients::{Client, in_run, runtime},
    endpoint,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Reqwest,
    Ureq,
}

pub(crate) const ADAPTERS: [Adapter; 2] = [Adapter::Reqwest, Adapter::Ureq];

impl Adapter {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::Ureq => "ureq",
        }
    }
}

/// A driver of one client, with the key set cache that its flows share.
enum Driver {
    Reqwest(ciba_reqwest::Driver),
    Ureq(ciba_ureq::Driver),
}

pub(crate) struct Party {
    driver: Driver,
}

/// The properties of a party that are not those of the client.
#[derive(Clone, Copy)]
pub(crate) struct Deviations {
    /// The certificate to present instead of that of the client.
    pub(crate) shows: Option<&'static str>,
    /// The certificate authority to trust for everything except discovery.
    pub(crate) trusts: &'static str,
    pub(crate) configures: fn(ClientConfigBuilder) -> ClientConfigBuilder,
    /// The number of seconds of its clock per real second.
    pub(crate) pace: u32,
}

pub(crate) const NONE: Deviations =
    Deviations { shows: None, trusts: "ca", configures: |builder| builder, pace: 1 };

/// The clock of a party, which is right at the start and fast afterwards.
struct Pace {
    start: SystemTime,
    pace: u32,
}

impl Pace {
    fn new(pace: u32) -> Self {
        Self { start: SystemTime::now(), pace }
    }

    fn now(&self) -> Timestamp {
        let elapsed = self.start.elapsed().unwrap_or_default();
        Timestamp::from(self.start + elapsed * self.pace)
    }

    /// Returns how long it takes until the clock shows this instant, bounded because the driver
    /// looks again.
    fn takes(&self, until: Timestamp) -> Duration {
        (until.since(self.now()) / self.pace).min(Duration::from_millis(200))
    }
}

impl ciba_std::Clock for Pace {
    fn now(&self) -> Timestamp {
        self.now()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.takes(until)
    }
}

/// The course of a flow.
pub(crate) struct Outcome {
    pub(crate) result: Result<Box<Authentication>, Failure>,
    /// Whether a notification was accepted.
    pub(crate) notified: bool,
    pub(crate) token_requests: u32,
}

impl Party {
    pub(crate) fn new(client: &Client, adapter: Adapter, deviations: Deviations) -> Self {
        let read = |name: String| fs::read(in_run(&name)).expect("the file is there");
        let ca = read("ca.pem".into());
        let trusted = read(format!("{}.pem", deviations.trusts));
        let issuer = Issuer::parse(client.issuer()).expect("the issuer is an address");
        let discovery = Discovery::new(issuer, DiscoveryAddress::OpenId);
        let certificate = deviations.shows.or(client.certificate.as_deref());
        let identity =
            certificate.map(|name| (read(format!("{name}.pem")), read(format!("{name}.key"))));
        match adapter {
            Adapter::Reqwest => {
                let roots = |ca: &[u8]| {
                    ciba_reqwest::http::trusting(&ciba_reqwest::http::Authorities::Only(ca.into()))
                        .expect("a CA")
                };
                let http = ciba_reqwest::HttpClient::new(roots(&ca)).expect("an HTTP client");
                let metadata = runtime().block_on(ciba_reqwest::http::discover(&http, &discovery));
                let metadata = metadata.expect("metadata");
                let (config, key) = client.config(
                    metadata,
                    Arc::new(RustCrypto),
                    &RustCrypto,
                    deviations.configures,
                );
                let mut http =
                    ciba_reqwest::HttpClient::new(roots(&trusted)).expect("an HTTP client");
                if let Some((chain, key)) = identity {
                    let certificate = ciba_reqwest::ClientCertificate::from_pem(&chain, &key)
                        .expect("a certificate");
                    http = http.with_certificate(certificate).expect("an HTTP client");
                }
                let mut driver =
                    ciba_reqwest::Driver::builder(config, http).clock(Pace::new(deviations.pace));
                if let Some(key) = key {
                    driver = driver.signer(Arc::new(key));
                }
                if let Some(endpoint) = &client.notification_endpoint {
                    driver = driver.inbox(&endpoint::reqwest(endpoint));
                }
                let driver = driver.build().expect("nothing is missing");
                Self { driver: Driver::Reqwest(driver) }
            }
            Adapter::Ureq => {
                let roots = |ca: &[u8]| {
                    ciba_ureq::http::trusting(&ciba_ureq::http::Authorities::Only(ca.into()))
                        .expect("a CA")
                };
                let http = ciba_ureq::HttpClient::new(roots(&ca)).expect("an HTTP client");
                let metadata = ciba_ureq::http::discover(&http, &discovery).expect("metadata");
                let (config, key) =
                    client.config(metadata, Arc::new(AwsLcRs), &AwsLcRs, deviations.configures);
                let mut http = ciba_ureq::HttpClient::new(roots(&trusted)).expect("an HTTP client");
                if let Some((chain, key)) = identity {
                    let certificate = ciba_ureq::ClientCertificate::from_pem(&chain, &key)
                        .expect("a certificate");
                    http = http.with_certificate(certificate).expect("an HTTP client");
                }
                let mut driver =
                    ciba_ureq::Driver::builder(config, http).clock(Pace::new(deviations.pace));
                if let Some(key) = key {
                    driver = driver.signer(Arc::new(key));
                }
                if let Some(endpoint) = &client.notification_endpoint {
                    driver = driver.inbox(&endpoint::ureq(endpoint));
                }
                let driver = driver.build().expect("nothing is missing");
                Self { driver: Driver::Ureq(driver) }
            }
        }
    }

    pub(crate) fn authenticate(&self, request: AuthRequest) -> Outcome {
        let (mut notified, mut token_requests) = (false, 0);
        let mut watch = |event: &Event| match event {
            Event::Notified => notified = true,
            Event::Requesting { endpoint: Endpoint::Token, .. } => token_requests += 1,
            _ => {}
        };
        let result = match &self.driver {
            Driver::Reqwest(driver) => {
                let driven = driver.authenticate(request, &mut watch);
                runtime().block_on(driven).map_err(|error| match error {
                    ciba_reqwest::AuthenticateError::Failed(failure) => failure,
                    other => panic!("{other}"),
                })
            }
            Driver::Ureq(driver) => {
                driver.authenticate(request, &mut watch).map_err(|error| match error {
                    ciba_ureq::AuthenticateError::Failed(failure) => failure,
                    other => panic!("{other}"),
                })
            }
        };
        Outcome { result, notified, token_requests }
    }
}
