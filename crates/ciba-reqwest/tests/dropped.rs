//! What is left when a future is dropped, and what is given up when it takes too long: there is no
//! such thing in the blocking adapter.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
#[path = "support/party.rs"]
mod party;
mod support;

use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use ciba_reqwest::{
    AuthenticateError, Clock, Driver, DriverBuilder, HttpClient, Inbox, Keys, Reqwest, Saver,
    SharedFlow, Signer, SignerError, Watch,
    ciba_core::{
        ClientAuth, ClientConfig, DeliveryMode, Entropy, Event, Failure, Flow, KeyOperation,
        Policy, Snapshot, Timestamp,
        jose::{JwsAlgorithm, KeySet},
        notification::{Notification, NotificationVerdict},
    },
    entropy::{EntropyError, EntropySource},
    http::platform_roots,
};
use client::{
    ACKNOWLEDGED, AUTH_REQ_ID, Counting, DENIED, Jumping, PENDING, config, fields, polling, request,
};
use party::{Party, START};
use support::{Act, Server, answer};
use tokio::sync::Notify;

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

fn driver(config: &Arc<ClientConfig>) -> DriverBuilder<Reqwest> {
    let http = HttpClient::new(|| platform_roots().no_proxy()).unwrap();
    // The servers here answer what a flow asks in one order, so no keys are fetched while it waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::builder(Arc::clone(config), http)
        .keys(Keys::pinned(keys))
        .clock(Jumping::new())
        .entropies(Counting::default())
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

/// REQ-AREQ-30a
#[tokio::test]
async fn a_future_dropped_during_a_request_leads_to_no_second_prompt() {
    let server = Arc::new(Server::start([Act::Stall(Vec::new()), answer(200, "", ACKNOWLEDGED)]));
    let config = config(&server.url(""), ClientAuth::None);
    let flow = shared(&config);
    let clock = Jumping::new();
    let driver = driver(&config).clock(clock.clone()).build().unwrap();
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
async fn a_future_dropped_at_any_await_leads_to_an_end_and_no_second_prompt() {
    for (first, second) in (1..=24).flat_map(|first| [(first, 0), (first, 2)]) {
        let acts = [answer(200, "", ACKNOWLEDGED), answer(400, "", PENDING)];
        let server =
            Server::start(acts.into_iter().chain(std::iter::repeat_n(answer(400, "", DENIED), 4)));
        let config = config(&server.url(""), key_jwt());
        let yielding = Yielding(Jumping::new());
        let driver = driver(&config)
            .clock(yielding.clone())
            .signer(Arc::new(yielding.clone()))
            .build()
            .unwrap();
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
async fn a_future_dropped_during_a_signature_is_not_a_failure_of_the_key() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
    let config = config(&server.url(""), key_jwt());
    let (clock, signer, flow) = (Jumping::new(), Slow::default(), shared(&config));
    let driver =
        driver(&config).clock(clock.clone()).signer(Arc::new(signer.clone())).build().unwrap();
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

/// Keeps the last state, unless told to fail.
#[derive(Clone, Default)]
struct Disk {
    kept: Arc<Mutex<Option<Snapshot>>>,
    is_full: Arc<AtomicBool>,
}

#[async_trait]
impl Saver for Disk {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::Error::other("disk full"));
        }
        *self.kept.lock().unwrap() = Some(snapshot.clone());
        Ok(())
    }
}

/// Never comes to the end of a save while it is told so.
#[derive(Clone, Default)]
struct Hanging {
    disk: Disk,
    hangs: Arc<AtomicBool>,
    reached: Arc<Notify>,
}

#[async_trait]
impl Saver for Hanging {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        if self.hangs.load(Ordering::SeqCst) {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        self.disk.save(snapshot).await
    }
}

/// A refusal by notification.
fn denial() -> String {
    format!(r#"{{"auth_req_id":"{AUTH_REQ_ID}","error":"access_denied"}}"#)
}

/// The provider hung up while its push was being saved, and sends it again when the flow is over.
///
/// REQ-PUSH-16
#[tokio::test]
async fn no_push_is_acknowledged_by_a_flow_whose_end_was_not_saved() {
    let saver = Hanging::default();
    let share = |flow| SharedFlow::with_saver(flow, saver.clone());
    let party =
        Party::at(&Inbox::default(), 1, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Push, share);
    let (mut drive, body) = (party.drive(), denial());
    let token = party.token().await;
    drive.waits().await;
    saver.hangs.store(true, Ordering::SeqCst);
    // The drive comes to wait for this save before it is given up.
    tokio::select! {
        biased;
        () = saver.reached.notified() => {}
        _ = party.post(&token, &body) => panic!("it was answered"),
    }
    saver.hangs.store(false, Ordering::SeqCst);
    drive.ends().await.unwrap();
    assert_eq!(party.post(&token, &body).await, 204);
    let kept = saver.disk.kept.lock().unwrap().clone().unwrap();
    let mut resumed = Flow::resume(Arc::clone(&party.config), kept.as_bytes(), START).unwrap();
    let again = Notification::receive("POST", &fields(&token), body.into()).unwrap();
    assert_eq!(resumed.notify(&again, START).verdict(), NotificationVerdict::Known);
}

/// A disk on which a save never comes to an end.
struct NeverSaves(Arc<Notify>);

#[async_trait]
impl Saver for NeverSaves {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_drive_dropped_during_a_save_leaves_the_next_one_free_to_save() {
    let reached = Arc::new(Notify::new());
    let share = |flow| SharedFlow::with_saver(flow, NeverSaves(Arc::clone(&reached)));
    let party = Party::at(&Inbox::default(), 1, [], DeliveryMode::Ping, share);
    for _ in 0..2 {
        let drive = party.drive();
        tokio::time::timeout(Duration::from_secs(20), reached.notified())
            .await
            .expect("nothing was saved");
        drive.dropped().await;
    }
    assert_eq!(party.server.connections(), 0);
}

/// A store that does not answer any more after the acknowledgement.
struct HangsLater(AtomicUsize);

#[async_trait]
impl Saver for HangsLater {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

struct Told(Vec<io::ErrorKind>);

impl Watch for Told {
    fn save_failed(&mut self, error: &io::Error) {
        self.0.push(error.kind());
    }
}

#[tokio::test]
async fn a_store_that_hangs_loses_no_login() {
    let server = Server::start([
        answer(200, "", ACKNOWLEDGED),
        answer(200, "", r#"{"keys":[]}"#),
        answer(400, "", DENIED),
    ]);
    let mut policy = Policy::default();
    policy.local_timeout = Duration::from_millis(20);
    let config = polling(&server.url(""), policy);
    let flow = SharedFlow::with_saver(flow(&config), HangsLater(AtomicUsize::new(0)));
    let driver = driver(&config).keys(Keys::new(&config)).build().unwrap();
    let mut slow = Told(Vec::new());
    driver.drive(&flow, &mut slow).await.unwrap();
    // After a save that failed, one that nothing waits for is tried again after a second.
    assert_eq!(
        slow.0,
        [io::ErrorKind::TimedOut; 3],
        "the acknowledgement, the token request and the end"
    );
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
}

/// Futures of a drive go to any executor.
#[tokio::test]
async fn the_future_of_a_drive_is_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let server = Server::start([answer(400, "", r#"{"error":"unknown_user_id"}"#)]);
    let config = config(&server.url(""), ClientAuth::None);
    let driver = driver(&config).build().unwrap();
    let mut seen = 0;
    let mut count = |_: &Event| seen += 1;
    let within = Duration::from_secs(20);
    let error = tokio::time::timeout(within, is_send(driver.authenticate(request(), &mut count)))
        .await
        .unwrap();
    assert!(matches!(error, Err(AuthenticateError::Failed(Failure::Refused(_)))));
    assert_eq!(seen, 1);
}
