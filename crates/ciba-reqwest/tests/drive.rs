//! Driving a flow: what is done in which order, and what is left when it stops half-way.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::{
    collections::HashSet,
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use ciba_reqwest::{
    AuthenticateError, Clock, DriveError, Driver, EntropyError, EntropySource, HttpClient, Keys,
    Saver, SharedFlow, Signer, SignerError, Watch,
    ciba_core::{
        ClientAuth, ClientConfig, Endpoint, Entropy, Event, Failure, Fault, Flow,
        IntervalReference, KeyOperation, KeyTask, Lacking, Policy, Snapshot, Stage, Timestamp,
        UnreachableTarget,
        jose::{JwsAlgorithm, KeySet},
    },
    platform_roots,
};
use client::{ACKNOWLEDGED, Counting, DENIED, Jumping, PENDING, config, jti, polling, request};
use support::{Act, Server, answer, closed_port};

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.jump(until);
        Duration::ZERO
    }
}

impl EntropySource for Counting {
    fn draw(&self) -> Result<Entropy, EntropyError> {
        self.next().ok_or_else(|| EntropyError::new("told to fail"))
    }
}

fn driver(config: &Arc<ClientConfig>) -> Driver {
    let http = HttpClient::new(platform_roots().no_proxy()).unwrap();
    // The servers here answer what a flow asks in one order, so no keys are fetched while it waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::new(Arc::clone(config), http)
        .with_keys(Keys::pinned(keys))
        .with_clock(Jumping::new())
        .with_entropies(Counting::default())
}

fn flow(config: &Arc<ClientConfig>) -> Flow {
    let entropy = Entropy::from_bytes([7; 32]);
    Flow::start(Arc::clone(config), request(), entropy, Jumping::new().read()).unwrap()
}

fn shared(config: &Arc<ClientConfig>) -> SharedFlow {
    SharedFlow::new(flow(config))
}

fn key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("one".into()) }
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    fn add(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Watch for Notes {
    fn event(&mut self, event: &Event) {
        self.add(match event {
            Event::Requesting { endpoint, attempt } => format!("{} {attempt}", endpoint.name()),
            Event::Acknowledgement(acknowledged) => {
                format!("acknowledged {}", acknowledged.expires_in.as_secs())
            }
            Event::Waiting(wait) => format!("waiting {}", wait.reason().name()),
            _ => "?".to_owned(),
        });
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.add(format!("key unavailable: {error}"));
    }
}

#[async_trait]
impl Saver for Notes {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        self.add("save");
        Ok(())
    }
}

/// A disk that is full until somebody mends it.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Failing {
    fn mend(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Saver for Failing {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err(io::Error::other("disk full")) }
    }
}

#[tokio::test]
async fn every_step_is_saved_before_it_is_taken_and_told_once() {
    let server = Server::start([
        answer(200, "", ACKNOWLEDGED),
        answer(400, "", PENDING),
        answer(400, "", DENIED),
    ]);
    let config = config(&server.url(""), ClientAuth::None);
    let mut notes = Notes::default();
    let flow = SharedFlow::with_saver(flow(&config), notes.clone());
    driver(&config).drive(&flow, &mut notes).await.unwrap();
    assert_eq!(flow.stage(), Stage::Settled);
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(
        notes.lines(),
        [
            "save",
            "backchannel_authentication 1",
            "acknowledged 120",
            "save",
            "waiting interval",
            "save",
            "token 1",
            "save",
            "waiting interval",
            "save",
            "token 2",
            "save",
        ]
    );
    assert_eq!(server.requests().len(), 3);
}

/// REQ-SEC-05b
#[tokio::test]
async fn without_random_bytes_nothing_is_sent() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
    let config = config(&server.url(""), ClientAuth::None);
    for limit in [0, 1] {
        let driver = driver(&config).with_entropies(Counting::failing_after(limit));
        let error = driver.authenticate(request(), &mut ()).await.unwrap_err();
        assert!(matches!(error, AuthenticateError::Drive(DriveError::Entropy(_))), "{error:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_state_that_cannot_be_saved_stops_before_the_step_and_can_be_driven_on() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
    let config = config(&server.url(""), ClientAuth::None);
    let disk = Failing::default();
    let flow = SharedFlow::with_saver(flow(&config), disk.clone());
    let error = driver(&config).drive(&flow, &mut ()).await.unwrap_err();
    assert!(matches!(error, DriveError::Save(_)), "{error:?}");
    assert_eq!((server.connections(), flow.stage()), (0, Stage::Authorizing));
    disk.mend();
    driver(&config).drive(&flow, &mut ()).await.unwrap();
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(server.requests().len(), 2);
}

/// REQ-AREQ-30a
#[tokio::test]
async fn a_future_dropped_in_mid_request_leaves_a_flow_that_prompts_nobody_twice() {
    let server = Arc::new(Server::start([Act::Stall(Vec::new()), answer(200, "", ACKNOWLEDGED)]));
    let config = config(&server.url(""), ClientAuth::None);
    let flow = shared(&config);
    let clock = Jumping::new();
    let driver = driver(&config).with_clock(clock.clone());
    let waiting = Arc::clone(&server);
    let mut nobody = ();
    tokio::select! {
        _ = driver.drive(&flow, &mut nobody) => panic!("nothing was answered"),
        came = tokio::task::spawn_blocking(move || waiting.wait_for(1)) => came.unwrap(),
    }
    driver.drive(&flow, &mut ()).await.unwrap();
    assert_eq!(
        clock.read(),
        Jumping::new().read(),
        "it waited for an answer nobody was going to give"
    );
    assert!(matches!(flow.finish(), Err(Failure::Indeterminate(_))));
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
}

/// Lets another task run before every step, so that a drive has as many awaits as it can have.
#[derive(Clone)]
struct Yielding(Jumping);

impl Clock for Yielding {
    fn now(&self) -> Timestamp {
        self.0.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.0.jump(until);
        Duration::ZERO
    }
}

#[async_trait]
impl Saver for Yielding {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[async_trait]
impl Signer for Yielding {
    async fn sign(&self, _: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        tokio::task::yield_now().await;
        Ok(vec![1; 64])
    }
}

/// REQ-AREQ-30a
#[tokio::test]
async fn a_future_dropped_at_any_await_prompts_nobody_twice_and_comes_to_an_end() {
    for (first, second) in (1..=24).flat_map(|first| [(first, 0), (first, 2)]) {
        let acts = [answer(200, "", ACKNOWLEDGED), answer(400, "", PENDING)];
        let server =
            Server::start(acts.into_iter().chain(std::iter::repeat_n(answer(400, "", DENIED), 4)));
        let config = config(&server.url(""), key_jwt());
        let yielding = Yielding(Jumping::new());
        let driver = driver(&config).with_clock(yielding.clone()).with_signer(yielding.clone());
        let flow = SharedFlow::with_saver(flow(&config), yielding);
        for polls in [first, second] {
            let mut nobody = ();
            let mut drive = pin!(driver.drive(&flow, &mut nobody));
            let mut left = polls;
            poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                drive.as_mut().poll(context).map(drop)
            })
            .await;
        }
        driver.drive(&flow, &mut ()).await.unwrap();
        let ended = flow.finish();
        assert!(
            matches!(ended, Err(Failure::Denied(_) | Failure::Indeterminate(_))),
            "{first} {second}: {ended:?}"
        );
        let requests = server.requests();
        let prompts =
            requests.iter().filter(|request| request.starts_with("POST /authenticate ")).count();
        assert!(prompts <= 1, "dropped after {first} and {second} polls: {prompts} prompts");
    }
}

/// REQ-AREQ-30a
/// OPM-ACK-16
#[tokio::test]
async fn an_authentication_request_that_may_have_arrived_is_not_sent_again() {
    for act in [
        Act::Reset,
        Act::Answer(Vec::new()),
        answer(503, "", ""),
        answer(429, "", ""),
        answer(500, "", ""),
    ] {
        let server = Server::start([act, answer(200, "", ACKNOWLEDGED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let error = driver(&config).authenticate(request(), &mut ()).await.unwrap_err();
        let is_typed = matches!(
            error,
            AuthenticateError::Failed(Failure::Indeterminate(_) | Failure::Refused(_))
        );
        assert!(is_typed, "{error:?}");
        assert_eq!((server.requests().len(), server.connections()), (1, 1));
    }
}

/// OPM-POL-17
/// OPM-ACK-17
#[tokio::test]
async fn a_redirect_ends_the_flow() {
    for status in [302, 307, 308] {
        let other = Server::start([answer(200, "", "{}")]);
        let redirect = answer(status, &format!("location: {}\r\n", other.url("/other")), "{}");
        for acts in [vec![redirect.clone()], vec![answer(200, "", ACKNOWLEDGED), redirect.clone()]]
        {
            let sent = acts.len();
            let server = Server::start(acts);
            let config = config(&server.url(""), ClientAuth::None);
            let error = driver(&config).authenticate(request(), &mut ()).await.unwrap_err();
            let AuthenticateError::Failed(Failure::ProviderMisbehaved(misbehaviour)) = error else {
                panic!("{error:?}")
            };
            assert_eq!(misbehaviour.fault, Fault::Redirect);
            assert_eq!((server.requests().len(), other.connections()), (sent, 0));
        }
    }
}

/// OPM-POL-29
#[tokio::test]
async fn an_endless_answer_ends_the_flow() {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n".to_vec();
    let server =
        Server::start([answer(200, "", ACKNOWLEDGED), Act::Flood { head, most: 50 * 1024 * 1024 }]);
    let config = config(&server.url(""), ClientAuth::None);
    let error = driver(&config).authenticate(request(), &mut ()).await.unwrap_err();
    let AuthenticateError::Failed(Failure::ProviderMisbehaved(misbehaviour)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(misbehaviour.fault, Fault::TooLarge);
}

/// A key in a machine of its own: counts what it is asked and never signs one `jti` twice.
#[derive(Clone, Default)]
struct Kms {
    signed: Arc<Mutex<HashSet<String>>>,
    is_down: bool,
}

#[async_trait]
impl Signer for Kms {
    async fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        if self.is_down {
            return Err("the HSM does not answer".into());
        }
        let KeyTask::Sign(task) = operation.task() else {
            return Err("this key only signs".into());
        };
        assert_eq!((task.algorithm(), operation.key_id()), (JwsAlgorithm::Es256, Some("one")));
        if !self.signed.lock().unwrap().insert(jti(task.message())) {
            return Err("asked to sign the same assertion again".into());
        }
        Ok(vec![1; 64])
    }
}

/// REQ-AUTH-12b
#[tokio::test]
async fn a_kms_signs_each_request_anew() {
    let acts = [
        answer(200, "", ACKNOWLEDGED),
        answer(400, "", PENDING),
        answer(400, "", PENDING),
        answer(400, "", DENIED),
    ];
    let server = Server::start(acts);
    let config = config(&server.url(""), key_jwt());
    let kms = Kms::default();
    let driver = driver(&config).with_signer(kms.clone());
    let error = driver.authenticate(request(), &mut ()).await.unwrap_err();
    assert!(matches!(error, AuthenticateError::Failed(Failure::Denied(_))), "{error:?}");
    assert_eq!((kms.signed.lock().unwrap().len(), server.requests().len()), (4, 4));
}

/// REQ-AREQ-30a
/// REQ-AREQ-30b
#[tokio::test]
async fn what_was_not_sent_is_tried_again_with_a_new_signature() {
    let config = config(&format!("http://{}", closed_port()), key_jwt());
    let kms = Kms::default();
    let driver = driver(&config).with_signer(kms.clone());
    let mut notes = Notes::default();
    let error = driver.authenticate(request(), &mut notes).await.unwrap_err();
    let AuthenticateError::Failed(Failure::Unreachable(unreachable)) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(unreachable.target, UnreachableTarget::Endpoint(_)));
    let attempts = notes.lines().iter().filter(|line| line.starts_with("backchannel")).count();
    assert!((2..=4).contains(&attempts), "{attempts}");
    assert_eq!(kms.signed.lock().unwrap().len(), attempts);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_ends_the_flow_and_says_why() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
    let config = config(&server.url(""), key_jwt());
    let down = driver(&config).with_signer(Kms { is_down: true, ..Kms::default() });
    let mut notes = Notes::default();
    let error = down.authenticate(request(), &mut notes).await.unwrap_err();
    let AuthenticateError::Failed(Failure::Unreachable(unreachable)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(unreachable.target, UnreachableTarget::PrivateKey);
    let reason = "the HSM does not answer";
    assert!(notes.lines().contains(&format!("key unavailable: {reason}")), "{:?}", notes.lines());
    let source = std::error::Error::source(&unreachable).expect("the signer's own words");
    assert_eq!(source.to_string(), reason);
    let error = driver(&config).authenticate(request(), &mut ()).await.unwrap_err();
    assert!(
        matches!(error, AuthenticateError::Drive(DriveError::Lacking(Lacking::Signer))),
        "{error:?}"
    );
    assert_eq!(server.connections(), 0);
}

/// Does something during one of its saves.
#[derive(Clone)]
struct During {
    at: usize,
    saves: Arc<AtomicUsize>,
    act: Arc<dyn Fn() + Send + Sync>,
}

impl During {
    fn save(at: usize, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { at, saves: Arc::default(), act: Arc::new(act) }
    }
}

#[async_trait]
impl Saver for During {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.saves.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.act)();
        }
        Ok(())
    }
}

/// REQ-POLL-18a
#[tokio::test]
async fn a_request_that_is_not_wanted_any_more_after_its_save_is_not_sent() {
    // Cancelled before the person was prompted; the deadline comes before the first token request,
    // so nobody knows the answer.
    for (at, cancels, sent) in [(1, true, 0), (3, false, 1)] {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let clock = Jumping::new();
        let flow_of = Arc::new(OnceLock::<SharedFlow>::new());
        let (cancelled, slow) = (Arc::clone(&flow_of), clock.clone());
        let saver = During::save(at, move || match cancelled.get() {
            Some(flow) if cancels => flow.cancel(slow.read()),
            _ => slow.jump(slow.read().saturating_add(Duration::from_secs(130))),
        });
        let flow = SharedFlow::with_saver(flow(&config), saver);
        flow_of.set(flow.clone()).unwrap();
        driver(&config).with_clock(clock).drive(&flow, &mut ()).await.unwrap();
        let ended = flow.finish();
        let is_right = if cancels {
            matches!(ended, Err(Failure::Abandoned))
        } else {
            matches!(ended, Err(Failure::Indeterminate(_)))
        };
        assert!(is_right, "{ended:?}");
        assert_eq!(server.requests().len(), sent);
    }
}

/// REQ-POLL-03
#[tokio::test]
async fn the_interval_counts_from_the_sending_and_not_from_before_a_slow_save() {
    let acts = [answer(200, "", ACKNOWLEDGED), answer(400, "", PENDING), answer(400, "", DENIED)];
    let server = Server::start(acts);
    let mut policy = Policy::default();
    policy.interval_reference = IntervalReference::Send;
    let config = polling(&server.url(""), policy);
    let clock = Jumping::new();
    let slow = clock.clone();
    let saver =
        During::save(3, move || slow.jump(slow.read().saturating_add(Duration::from_secs(3))));
    let flow = SharedFlow::with_saver(flow(&config), saver);
    let (sent, reading) = (Mutex::new(Vec::new()), clock.clone());
    let mut watch = |event: &Event| {
        if let Event::Requesting { endpoint: Endpoint::Token, .. } = event {
            sent.lock().unwrap().push(reading.read());
        }
    };
    driver(&config).with_clock(clock).drive(&flow, &mut watch).await.unwrap();
    let sent = sent.into_inner().unwrap();
    assert!(sent[1].since(sent[0]) >= Duration::from_secs(5), "{sent:?}");
}

/// The store is away when the first assertion is to be signed; then there is no randomness for the
/// signer.
#[tokio::test]
async fn what_ends_a_drive_before_the_key_is_asked_costs_no_time_and_does_not_count_against_it() {
    for store_fails in [true, false] {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), key_jwt());
        let clock = Jumping::new();
        let disk = Failing::default();
        let flow = if store_fails {
            SharedFlow::with_saver(flow(&config), disk.clone())
        } else {
            shared(&config)
        };
        let driver = driver(&config).with_clock(clock.clone()).with_signer(Kms::default());
        for _ in 0..4 {
            let entropies =
                if store_fails { Counting::default() } else { Counting::failing_after(1) };
            let error =
                driver.clone().with_entropies(entropies).drive(&flow, &mut ()).await.unwrap_err();
            assert!(matches!(error, DriveError::Save(_) | DriveError::Entropy(_)), "{error:?}");
        }
        disk.mend();
        let start = clock.read();
        let mut sent = None;
        let reading = clock.clone();
        let mut watch = |event: &Event| {
            if let Event::Requesting { .. } = event {
                sent.get_or_insert(reading.read());
            }
        };
        driver.drive(&flow, &mut watch).await.unwrap();
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        assert_eq!(sent, Some(start), "the request waited for a key that was never away");
    }
}

/// REQ-AREQ-30a
#[tokio::test]
async fn a_watcher_that_panics_before_a_request_leaves_one_that_was_not_sent() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
    let config = config(&server.url(""), ClientAuth::None);
    let flow = shared(&config);
    let (driver_of, driven) = (driver(&config), flow.clone());
    let panicked = tokio::spawn(async move {
        let mut watch = |_: &Event| panic!("a bug of the caller's");
        driver_of.drive(&driven, &mut watch).await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(server.connections(), 0);
    driver(&config).drive(&flow, &mut ()).await.unwrap();
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(server.requests().len(), 2);
}

/// Signs when it is told that it may, and counts who asks.
#[derive(Clone, Default)]
struct Slow {
    asked: Arc<AtomicUsize>,
    may_sign: Arc<AtomicBool>,
}

#[async_trait]
impl Signer for Slow {
    async fn sign(&self, _: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.may_sign.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(vec![1; 64])
    }
}

/// A caller that drives in slices and a key service that takes its time.
#[tokio::test]
async fn a_future_dropped_in_mid_signature_costs_no_time_and_does_not_count_against_the_key() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
    let config = config(&server.url(""), key_jwt());
    let (clock, signer, flow) = (Jumping::new(), Slow::default(), shared(&config));
    let driver = driver(&config).with_clock(clock.clone()).with_signer(signer.clone());
    for slice in 1..=5 {
        let mut nobody = ();
        let mut drive = pin!(driver.drive(&flow, &mut nobody));
        poll_fn(|context| {
            assert!(drive.as_mut().poll(context).is_pending());
            if signer.asked.load(Ordering::SeqCst) >= slice {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
    signer.may_sign.store(true, Ordering::SeqCst);
    driver.drive(&flow, &mut ()).await.unwrap();
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(clock.read().since(Jumping::new().read()).as_secs(), 5, "the interval and no more");
}

/// Futures of a drive go to any executor.
#[tokio::test]
async fn a_drive_is_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let server = Server::start([answer(400, "", r#"{"error":"unknown_user_id"}"#)]);
    let config = config(&server.url(""), ClientAuth::None);
    let driver = driver(&config);
    let mut seen = 0;
    let mut count = |_: &Event| seen += 1;
    let within = Duration::from_secs(20);
    let error = tokio::time::timeout(within, is_send(driver.authenticate(request(), &mut count)))
        .await
        .unwrap();
    assert!(matches!(error, Err(AuthenticateError::Failed(Failure::Refused(_)))));
    assert_eq!(seen, 1);
}
