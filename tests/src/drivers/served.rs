//! The adapters over loopback sockets, in simulated time: the test provider's virtual clock drives
//! both sides.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ciba_core::{
    DeliveryMode, JwksCache,
    http::{Body, Headers},
    notification::NotificationReply,
};
use ciba_test_op::{
    ClientCertificate, Clock, NamedAuthorities, RunningServer, Server, VirtualClock,
};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use super::{
    Ended, Numbers, QUIET, START, discovery,
    kept::{DRIVES, STOPPED, Store},
    outcome, start,
};
use crate::{
    scenario::{Auth, CLIENT, Outcome, Place, Protection, Scenario, Transport, of_failure},
    sim::Fails,
    toy,
};

/// How long, in real time, a notification may take to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client's notification endpoint, as its adapter answers.
type Door = Box<dyn Fn(&str, &Headers, Body) -> NotificationReply + Send + Sync>;

/// The server and the environment of the client.
struct Scene {
    server: RunningServer,
    place: Place,
    clock: VirtualClock,
    door: OnceLock<Door>,
    certificate: Option<ClientCertificate>,
}

impl Scene {
    fn new(row: &Scenario, notification_endpoint: String) -> Self {
        let clock = VirtualClock::jumping(START);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut place = Place { notification_endpoint, ..Place::default() };
        let mut certificate = None;
        let server = if row.shows_certificate() {
            let own = ClientCertificate::self_signed(CLIENT).expect("a certificate");
            place.self_signed.clone_from(&own.der);
            // An empty list of authorities is the harder case for clients.
            let started =
                Server::start_mutual_tls(address, NamedAuthorities::None, &clock, |origin| {
                    place.origin = origin.into();
                    row.op(&place)
                })
                .expect("a loopback socket");
            certificate = Some(match row.auth {
                Auth::Certificate => started.client_certificate(CLIENT).expect("a certificate"),
                _ => own,
            });
            started
        } else {
            let provider = |origin: &str| {
                place.origin = origin.into();
                row.op(&place)
            };
            let started = match row.transport {
                Transport::Http => Server::start(address, &clock, provider),
                Transport::Https => Server::start_tls(address, &clock, provider),
                Transport::Http2 => Server::start_http2(address, &clock, provider),
            };
            started.expect("a loopback socket")
        };
        Self { server, place, clock, door: OnceLock::new(), certificate }
    }

    fn ca(&self) -> &[u8] {
        self.server.ca_pem().unwrap_or_default().as_bytes()
    }

    /// Sets the notification endpoint.
    fn notified(
        &self,
        door: impl Fn(&str, &Headers, Body) -> NotificationReply + Send + Sync + 'static,
    ) {
        assert!(self.door.set(Box::new(door)).is_ok(), "it is opened once");
    }
}

impl ciba_std::entropy::EntropySource for Numbers {
    fn draw(&self) -> Result<ciba_core::Entropy, ciba_std::entropy::EntropyError> {
        Ok(Self::draw(self))
    }
}

/// The socket of the client's notification endpoint, with or without TLS.
struct Endpoint {
    listener: TcpListener,
    url: String,
    tls: Option<Arc<ServerConfig>>,
    /// The certificate to trust.
    pem: String,
}

impl Endpoint {
    const PATH: &str = "/ciba";

    fn new(protection: Protection) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback socket");
        let address = listener.local_addr().expect("it is bound");
        if protection == Protection::None {
            return Self {
                listener,
                url: format!("http://{address}{}", Self::PATH),
                tls: None,
                pem: String::new(),
            };
        }
        let made =
            rcgen::generate_simple_self_signed([address.ip().to_string()]).expect("a certificate");
        let (certificate, pem) = (made.cert.der().clone(), made.cert.pem());
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())
            .expect("its key");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions();
        let builder = builder.expect("a usable provider");
        let builder = if protection == Protection::MutualTls {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone()).expect("a certificate");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority"))
        } else {
            builder.with_no_client_auth()
        };
        let config =
            builder.with_single_cert(vec![certificate], key).expect("a certificate and its key");
        Self {
            listener,
            url: format!("https://{address}{}", Self::PATH),
            tls: Some(Arc::new(config)),
            pem,
        }
    }

    /// Answers one call.
    fn answer(&self, receive: impl Fn(&str, &Headers, Body) -> Option<NotificationReply>) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        let _ = stream.set_read_timeout(Some(PATIENCE));
        match &self.tls {
            None => toy::answer(stream, Self::PATH, receive),
            Some(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).expect("a usable configuration");
                toy::answer(StreamOwned::new(session, stream), Self::PATH, receive);
            }
        }
    }

    /// Wakes the thread that waits for a call.
    fn knock(&self) {
        drop(self.listener.local_addr().and_then(TcpStream::connect));
    }
}

/// Serves the row's provider and the notification endpoint while `client` runs, and checks that
/// nothing is sent afterwards.
fn served(row: &Scenario, client: impl FnOnce(&Scene) -> Ended) -> Outcome {
    let endpoint = (row.mode != DeliveryMode::Poll).then(|| Endpoint::new(row.protection));
    let scene =
        Scene::new(row, endpoint.as_ref().map(|endpoint| endpoint.url.clone()).unwrap_or_default());
    if let Some(endpoint) = endpoint.as_ref().filter(|endpoint| endpoint.tls.is_some()) {
        scene.server.trust_notification_endpoints(&endpoint.pem).expect("a certificate");
    }
    let over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        if let Some(endpoint) = &endpoint {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    endpoint.answer(|method, headers, body| {
                        scene.door.get().map(|door| door(method, headers, body))
                    });
                }
            });
        }
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let ended = client(&scene);
            scene.clock.drain();
            ended
        }));
        over.store(true, Ordering::Release);
        if let Some(endpoint) = &endpoint {
            endpoint.knock();
        }
        ended
    });
    let ended = ended.unwrap_or_else(|panic| resume_unwind(panic));
    let before = scene.server.provider().exchanges().len();
    scene.clock.advance(QUIET);
    thread::sleep(Duration::from_millis(2));
    let provider = scene.server.provider();
    assert_eq!(
        provider.exchanges().len(),
        before,
        "{}: something was sent after the end",
        row.name
    );
    outcome(row, &ended, &provider)
}

/// Runs a row with the blocking toy adapter.
#[must_use]
pub fn toy_adapter(row: &Scenario) -> Outcome {
    served(row, |scene| {
        let clock = scene.clock.clone();
        let http = toy::ToyHttp::new(scene.server.ca_pem(), scene.certificate.as_ref());
        let discovery = discovery(row, &scene.place);
        let answer =
            http.exchange(&discovery.request(), (discovery.timeout(), discovery.max_response()));
        let answer = answer.map_err(|how| format!("discovery: {how:?}"))?;
        let config = row.configure(&scene.place, discovery.process(&answer))?;
        let numbers = Numbers::default();
        let flow = Arc::new(toy::Shared::new(start(row, &config, &numbers, clock.now())?));
        let (told, at) = (Arc::clone(&flow), clock.clone());
        scene.notified(move |method, headers, body| told.receive(method, headers, body, at.now()));
        let (now, sleep) = (|| clock.now(), |until| thread::sleep(clock.idle(until)));
        let mut cache = JwksCache::new(&config);
        let ended = flow.drive(
            &http,
            &mut cache,
            |asked, with| row.sign(asked, with),
            || numbers.draw(),
            now,
            sleep,
        );
        ended.map_err(|failure| of_failure(&failure))
    })
}

/// Runs a row with the blocking adapter.
#[must_use]
pub fn ureq(row: &Scenario) -> Outcome {
    ureq_at(row, None)
}

/// Runs a row with the blocking adapter, optionally with a store.
#[must_use]
pub fn ureq_at(row: &Scenario, fails: Option<Fails>) -> Outcome {
    use ciba_ureq::{
        AuthenticateError, ClientCertificate, DriveError, Driver, HttpClient, Inbox, SharedFlow,
        http::{Authorities, DiscoverError, discover, trusting},
        ureq::Agent,
    };

    served(row, |scene| {
        let http = match &scene.certificate {
            None if row.transport != Transport::Http => HttpClient::new(
                trusting(&Authorities::Only(scene.ca().into())).expect("an authority"),
            )
            .expect("certificates are verified"),
            None => HttpClient::new(Agent::config_builder).expect("certificates are verified"),
            Some(shown) => {
                let ca = trusting(&Authorities::Only(scene.ca().into())).expect("an authority");
                let (chain, key) = (shown.certificate_pem.as_bytes(), shown.key_pem.as_bytes());
                let certificate = ClientCertificate::from_pem(chain, key).expect("a certificate");
                let anonymous =
                    HttpClient::new(move || ca().proxy(None)).expect("certificates are verified");
                anonymous.with_certificate(certificate).expect("a certificate")
            }
        };
        let found = match discover(&http, &discovery(row, &scene.place)) {
            Ok(metadata) => Ok(metadata),
            Err(DiscoverError::Metadata(error)) => Err(error),
            Err(DiscoverError::Unreachable { how, .. }) => {
                return Err(format!("discovery: {how:?}"));
            }
            Err(error) => return Err(format!("discovery: {error}")),
        };
        let config = row.configure(&scene.place, found)?;
        let (inbox, clock) = (Inbox::default(), scene.clock.clone());
        let mut driver = Driver::builder(Arc::clone(&config), http)
            .clock(clock.clone())
            .entropies(Numbers::default())
            .inbox(&inbox);
        scene.notified(move |method, headers, body| {
            inbox.receive(method, headers, body, clock.now())
        });
        if let Some(key) = row.key() {
            driver = driver.signer(Arc::new(key));
        }
        if let Some(key) = row.dpop_key() {
            driver = driver.dpop_key(Arc::new(key));
        }
        let driver = driver.build().map_err(|lacking| lacking.to_string())?;
        if let Some(fails) = fails {
            let flow = start(row, &config, &Numbers::default(), scene.clock.now())?;
            let flow = SharedFlow::with_saver(flow, Store::new(fails));
            for _ in 0..DRIVES {
                match driver.drive(&flow, &mut ()) {
                    Ok(()) => return flow.finish().map_err(|failure| of_failure(&failure)),
                    Err(DriveError::Save(_)) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            return Err(STOPPED.into());
        }
        driver.authenticate((row.request)(), &mut ()).map_err(|error| match error {
            AuthenticateError::Failed(failure) => of_failure(&failure),
            AuthenticateError::Request(error) => format!("request: {error}"),
            error => format!("{error}"),
        })
    })
}

/// Runs a row with the asynchronous adapter.
#[must_use]
pub fn reqwest(row: &Scenario) -> Outcome {
    reqwest_at(row, None)
}

/// Runs a row with the asynchronous adapter, optionally with a store.
#[must_use]
pub fn reqwest_at(row: &Scenario, fails: Option<Fails>) -> Outcome {
    use ciba_reqwest::{
        AuthenticateError, ClientCertificate, DriveError, Driver, HttpClient, Inbox, SharedFlow,
        http::{Authorities, DiscoverError, discover, trusting},
        reqwest::Client,
    };

    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    served(row, |scene| {
        runtime().block_on(async {
            let http = match &scene.certificate {
                None if row.transport != Transport::Http => HttpClient::new(
                    trusting(&Authorities::Only(scene.ca().into())).expect("an authority"),
                )
                .expect("a client"),
                None => HttpClient::new(Client::builder).expect("a client"),
                Some(shown) => {
                    let ca = trusting(&Authorities::Only(scene.ca().into())).expect("an authority");
                    let (chain, key) = (shown.certificate_pem.as_bytes(), shown.key_pem.as_bytes());
                    let certificate =
                        ClientCertificate::from_pem(chain, key).expect("a certificate");
                    let anonymous = HttpClient::new(move || ca().no_proxy()).expect("a client");
                    anonymous.with_certificate(certificate).expect("a certificate")
                }
            };
            let found = match discover(&http, &discovery(row, &scene.place)).await {
                Ok(metadata) => Ok(metadata),
                Err(DiscoverError::Metadata(error)) => Err(error),
                Err(DiscoverError::Unreachable { how, .. }) => {
                    return Err(format!("discovery: {how:?}"));
                }
                Err(error) => return Err(format!("discovery: {error}")),
            };
            let config = row.configure(&scene.place, found)?;
            let (inbox, clock) = (Inbox::default(), scene.clock.clone());
            let mut driver = Driver::builder(Arc::clone(&config), http)
                .clock(clock.clone())
                .entropies(Numbers::default())
                .inbox(&inbox);
            let answering = runtime();
            scene.notified(move |method, headers, body| {
                answering.block_on(inbox.receive(method, headers, body, clock.now()))
            });
            if let Some(key) = row.key() {
                driver = driver.signer(Arc::new(key));
            }
            if let Some(key) = row.dpop_key() {
                driver = driver.dpop_key(Arc::new(key));
            }
            let driver = driver.build().map_err(|lacking| lacking.to_string())?;
            if let Some(fails) = fails {
                let flow = start(row, &config, &Numbers::default(), scene.clock.now())?;
                let flow = SharedFlow::with_saver(flow, Store::new(fails));
                for _ in 0..DRIVES {
                    match driver.drive(&flow, &mut ()).await {
                        Ok(()) => return flow.finish().map_err(|failure| of_failure(&failure)),
                        Err(DriveError::Save(_)) => {}
                        Err(error) => return Err(error.to_string()),
                    }
                }
                return Err(STOPPED.into());
            }
            driver.authenticate((row.request)(), &mut ()).await.map_err(|error| match error {
                AuthenticateError::Failed(failure) => of_failure(&failure),
                AuthenticateError::Request(error) => format!("request: {error}"),
                error => format!("{error}"),
            })
        })
    })
}
