//! A store that fails: what stops for it, and what does not.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ciba_reqwest::{
    Clock, DriveError, Driver, HttpClient, Saver, SharedFlow, Signer, SignerError, Watch,
    ciba_core::{
        ClientAuth, ClientConfig, Entropy, Failure, Flow, KeyOperation, Policy, Snapshot, Stage,
        Timestamp, jose::JwsAlgorithm,
    },
    platform_roots,
};
use client::{ACKNOWLEDGED, DENIED, Jumping, PENDING, config, polling, request};
use support::{Server, answer};

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.jump(until);
        Duration::ZERO
    }
}

fn driver(config: &Arc<ClientConfig>) -> Driver {
    let http = HttpClient::new(platform_roots().no_proxy()).unwrap();
    Driver::new(Arc::clone(config), http).with_clock(Jumping::new())
}

fn flow(config: &Arc<ClientConfig>) -> Flow {
    let entropy = Entropy::from_bytes([7; 32]);
    Flow::start(Arc::clone(config), request(), entropy, Jumping::new().read()).unwrap()
}

fn key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("one".into()) }
}

/// A key that signs whatever it is given.
struct Kms;

#[async_trait]
impl Signer for Kms {
    async fn sign(&self, _: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        Ok(vec![1; 64])
    }
}

/// Counts the failures it is told of.
#[derive(Default)]
struct Told(usize);

impl Watch for Told {
    fn save_failed(&mut self, error: &io::Error) {
        assert_eq!(error.to_string(), "disk full");
        self.0 += 1;
    }
}

/// Fails at one save of many, or from one on, and minds that every state it is given is newer than
/// the last.
struct Store {
    fails_at: usize,
    is_mended: bool,
    saves: AtomicUsize,
    revision: Mutex<Option<u64>>,
}

#[async_trait]
impl Saver for Store {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let last = self.revision.lock().unwrap().replace(snapshot.revision());
        assert!(last < Some(snapshot.revision()), "a state that is not newer");
        let count = self.saves.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = if self.is_mended { count == self.fails_at } else { count >= self.fails_at };
        if fails { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

/// Ruling 26, at each save in turn: before and after the signature nobody has been prompted; then
/// come the acknowledgement, two token requests with an answer each, and the end. The keys that are
/// asked for ahead of time change nothing to save, and when they cannot be had, it stops nothing
/// and they are asked for once more.
///
/// REQ-AREQ-30a
#[tokio::test]
async fn a_save_that_fails_stops_before_the_prompt_and_loses_nothing_after_it() {
    for (fails_at, is_mended) in (1..=8).flat_map(|at| [(at, true), (at, false)]) {
        let keys = || answer(500, "", "");
        let (pending, denied) = (answer(400, "", PENDING), answer(400, "", DENIED));
        let acts = [answer(200, "", ACKNOWLEDGED), keys(), pending, keys(), denied];
        let server = Server::start(acts);
        let config = config(&server.url(""), key_jwt());
        let driver = driver(&config).with_signer(Kms);
        let store =
            Store { fails_at, is_mended, saves: AtomicUsize::new(0), revision: Mutex::default() };
        let flow = SharedFlow::with_saver(flow(&config), store);
        let mut told = Told::default();
        let mut driven = driver.drive(&flow, &mut told).await;
        let may_prompt = fails_at > 2;
        assert_eq!(driven.is_ok(), may_prompt, "{fails_at} {is_mended}: {driven:?}");
        if !may_prompt {
            assert!(matches!(driven, Err(DriveError::Save(_))), "{driven:?}");
            assert_eq!((server.connections(), flow.stage()), (0, Stage::Authorizing));
            driven = driver.drive(&flow, &mut told).await;
            assert_eq!(driven.is_ok(), is_mended, "{fails_at}: {driven:?}");
            if !is_mended {
                assert_eq!(server.connections(), 0, "nobody may be prompted");
                continue;
            }
        }
        // Every later step tries again.
        let expected = match (fails_at, is_mended) {
            (3..=7, true) => 1..=1,
            (3..=7, false) => 8 - fails_at..=usize::MAX,
            _ => 0..=0,
        };
        assert!(expected.contains(&told.0), "{fails_at} {is_mended}: {}", told.0);
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        let paths: Vec<_> = server
            .requests()
            .iter()
            .map(|request| request.split(' ').nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(paths, ["/authenticate", "/keys", "/token", "/keys", "/token"]);
    }
}

/// A store that does not answer any more after the acknowledgement.
struct Hanging(AtomicUsize);

#[async_trait]
impl Saver for Hanging {
    async fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

struct Slow(Vec<io::ErrorKind>);

impl Watch for Slow {
    fn save_failed(&mut self, error: &io::Error) {
        self.0.push(error.kind());
    }
}

#[tokio::test]
async fn a_store_that_hangs_costs_no_login() {
    let server = Server::start([
        answer(200, "", ACKNOWLEDGED),
        answer(200, "", r#"{"keys":[]}"#),
        answer(400, "", DENIED),
    ]);
    let mut policy = Policy::default();
    policy.local_timeout = Duration::from_millis(20);
    let config = polling(&server.url(""), policy);
    let flow = SharedFlow::with_saver(flow(&config), Hanging(AtomicUsize::new(0)));
    let mut slow = Slow(Vec::new());
    driver(&config).drive(&flow, &mut slow).await.unwrap();
    // The acknowledgement is tried before the keys are asked for and again before the wait.
    assert_eq!(
        slow.0,
        [io::ErrorKind::TimedOut; 4],
        "the acknowledgement twice, the token request and the end"
    );
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
}
